"""Boxes, labels and masks of the things in one image."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Self

import numpy as np

from threatray.core.image import BoolArray, FloatArray
from threatray.errors import DataError


def box_of_mask(mask: BoolArray) -> tuple[float, float, float, float]:
    """The tight box (x0, y0, x1, y1) of a mask's true pixels; x1 and y1 are one past the last pixel.

    Raises:
        DataError: The mask is empty.

    Example:
        >>> mask = np.zeros((4, 6), bool); mask[1:3, 2:5] = True
        >>> box_of_mask(mask)
        (2.0, 1.0, 5.0, 3.0)
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if rows.size == 0:
        raise DataError("box_of_mask: the mask has no true pixel, so it has no box.")
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


@dataclass(frozen=True, eq=False)
class Annotations:
    """What is where in one image.

    Labels are class *names*: category ids differ between files and are a matter of the file formats.

    Args:
        boxes: (N, 4) float32, xyxy in pixels, x1 > x0 and y1 > y0; x1 and y1 are exclusive.
        labels: N class names.
        masks: (N, H, W) bool, amodal: the whole object, also where something lies over it; or None.

    Raises:
        DataError: Shapes disagree, a box is empty or not finite.

    Example:
        >>> things = Annotations(np.array([[1, 2, 5, 9]], np.float32), ("gun",))
        >>> len(things), things.labels
        (1, ('gun',))
    """

    boxes: FloatArray
    labels: tuple[str, ...]
    masks: BoolArray | None = None

    def __post_init__(self) -> None:
        boxes = self.boxes
        if boxes.ndim != 2 or boxes.shape[1:] != (4,) or boxes.dtype != np.float32:
            raise DataError(f"annotations: boxes must be float32 of shape (N, 4), got {boxes.dtype} {boxes.shape}.")
        if len(self.labels) != len(boxes):
            raise DataError(f"annotations: {len(boxes)} boxes but {len(self.labels)} labels.")
        for box, label in zip(boxes.tolist(), self.labels, strict=True):  # plain numbers: a dataset has many images of few boxes
            x0, y0, x1, y1 = box
            if not (-inf < x0 < x1 < inf and -inf < y0 < y1 < inf):
                raise DataError(f"annotations: box of {label!r} must be finite with x1 > x0 and y1 > y0, got {box}.")
        if self.masks is not None and (self.masks.ndim != 3 or self.masks.dtype != np.bool_ or len(self.masks) != len(boxes)):
            raise DataError(f"annotations: masks must be bool of shape ({len(boxes)}, H, W), got {self.masks.dtype} {self.masks.shape}.")

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def none(cls) -> Self:
        """No things at all, as in a benign bag."""
        return cls(np.zeros((0, 4), np.float32), ())
