"""One object out of one photo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from threatray.core import BoolArray, Provenance
from threatray.errors import DataError


@dataclass(frozen=True, eq=False)
class ObjectCrop:
    """A photographed object with its silhouette.

    Args:
        id: Unique within its library; safe as a file name.
        class_name: What it is.
        pixels: (H, W, 3) uint8 RGB, the ground still around the object.
        mask: (H, W) bool, the silhouette; not empty.
        source_id: The photo it was cut from; several crops may share one.
        provenance: Source and licence of the photo.
        quality: In [0, 1], how far the outline can be trusted; see ``matte``.

    Raises:
        DataError: Shapes disagree, an empty mask, or a quality outside [0, 1].

    Example:
        >>> mask = np.zeros((37, 31), bool); mask[5:30, 8:20] = True
        >>> crop = ObjectCrop("a", "gun", np.zeros((37, 31, 3), np.uint8), mask, "gun/a.jpg", Provenance(), 0.9)
        >>> crop.size, round(crop.coverage, 3)
        ((37, 31), 0.262)
    """

    id: str
    class_name: str
    pixels: NDArray[np.uint8]
    mask: BoolArray
    source_id: str
    provenance: Provenance = Provenance()
    quality: float = 1.0

    def __post_init__(self) -> None:
        pixels, mask = self.pixels, self.mask
        if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
            raise DataError(f"object crop {self.id}: pixels must be uint8 of shape (H, W, 3), got {pixels.dtype} {pixels.shape}.")
        if mask.dtype != np.bool_ or mask.shape != pixels.shape[:2]:
            raise DataError(f"object crop {self.id}: mask must be bool {pixels.shape[:2]}, got {mask.dtype} {mask.shape}.")
        if not mask.any():
            raise DataError(f"object crop {self.id}: the mask is empty, so there is no object.")
        if not 0 <= self.quality <= 1:  # also catches NaN
            raise DataError(f"object crop {self.id}: quality must lie in [0, 1], got {self.quality}.")

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return int(self.pixels.shape[0]), int(self.pixels.shape[1])

    @property
    def coverage(self) -> float:
        """Share of the crop that the object fills."""
        return float(self.mask.mean())
