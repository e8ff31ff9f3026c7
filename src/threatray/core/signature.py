"""The threat signature: a thing's own transmission, 1 where it is not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from threatray.core.image import BoolArray, FloatArray, Quantity, XrayImage
from threatray.core.sample import Provenance
from threatray.errors import DataError


class OriginKind(StrEnum):
    """How a signature was made."""

    REAL = "real"
    TRANSLATED = "translated"
    RENDERED = "rendered"


@dataclass(frozen=True)
class Origin:
    """Where a signature comes from: the scan or photo id, its group, and for translations the checkpoint's sha256."""

    kind: OriginKind
    source_id: str
    group: str
    checkpoint: str = ""
    provenance: Provenance = Provenance()


@dataclass(frozen=True, eq=False)
class Signature:
    """A threat on its own, as a transmission that can be multiplied into any bag of the same channels.

    Args:
        id: Unique within its library; safe as a file name.
        image: (C, H, W) transmission, exactly 1 outside the mask.
        mask: (H, W) bool, the object's silhouette; not empty.
        class_name: The threat class.
        origin: Real, translated or rendered, and from what.
        grain: (3, H, W) float32, what no palette says of the colours of the threat's own scan, as shares of luma
            (``ColourTip.grain``); 0 outside the mask. None where there was no coloured scan.
        noise: How noisy it is, one number a channel: what one photon adds to the transmission in a scan of the threat alone that is
            as noisy as the signature, so that the variance of ln T is ``noise / T``. None where that is not known: nothing for those
            without a scan behind them, for others their scan's.

    Raises:
        DataError: Not a transmission, shapes differ, an empty mask, light outside the mask that is not 1 or grain that is not 0, or
            noise that is negative or of another number of channels.

    Example:
        >>> from threatray.core.image import GREY
        >>> values = np.ones((1, 3, 3), np.float32); values[0, 1, 1] = 0.25
        >>> thing = Signature("a", XrayImage(values, Quantity.TRANSMISSION, GREY), values[0] < 1, "gun",
        ...                   Origin(OriginKind.RENDERED, "a", "a"))
        >>> int(thing.mask.sum())
        1
    """

    id: str
    image: XrayImage
    mask: BoolArray
    class_name: str
    origin: Origin
    grain: FloatArray | None = None
    noise: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if self.image.quantity is not Quantity.TRANSMISSION:
            raise DataError(f"signature {self.id}: expected a transmission, got {self.image.quantity.value}.")
        if self.mask.dtype != np.bool_ or self.mask.shape != self.image.size:
            raise DataError(f"signature {self.id}: mask must be bool {self.image.size}, got {self.mask.dtype} {self.mask.shape}.")
        if not self.mask.any():
            raise DataError(f"signature {self.id}: the mask is empty, so nothing would be projected.")
        if not ((self.image.values == 1.0) | self.mask).all():
            raise DataError(f"signature {self.id}: transmission must be exactly 1 outside the mask.")
        if self.grain is not None:
            self._check_grain(self.grain)
        if self.noise is not None and (len(self.noise) != len(self.image.channels) or not all(0 <= each < math.inf for each in self.noise)):
            raise DataError(f"signature {self.id}: noise must be {len(self.image.channels)} numbers of at least 0, got {self.noise}.")

    def _check_grain(self, grain: FloatArray) -> None:
        expected = (3, *self.image.size)
        if grain.dtype != np.float32 or grain.shape != expected:
            raise DataError(f"signature {self.id}: grain must be float32 {expected}, got {grain.dtype} {grain.shape}.")
        if not np.isfinite(grain).all() or (grain * ~self.mask).any():
            raise DataError(f"signature {self.id}: grain must be finite, and exactly 0 outside the mask.")
