"""Thin and soft things that need no mesh: cloth, piping and shells as thickness fields by material."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from threatray.core import BoolArray, FloatArray
from threatray.phantom.raster import Frame

_SUBPIXEL_BITS = 4


class Canvas:
    """Thickness by material over one frame, to which things are added.

    Args:
        frame: The rays.

    Example:
        >>> canvas = Canvas(Frame.centred((4, 4), 1.0))
        >>> canvas.add("water", np.ones((4, 4), np.float32))
        >>> sorted(canvas.thickness_cm)
        ['water']
    """

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.thickness_cm: dict[str, FloatArray] = {}

    def add(self, material: str, field: NDArray[Any], corner: tuple[int, int] = (0, 0)) -> None:
        """Add (h, w) cm of a material, its upper left pixel at ``corner`` (row, column)."""
        whole = self.thickness_cm.get(material)
        if whole is None:
            whole = self.thickness_cm[material] = np.zeros(self.frame.size, np.float32)
        row, column = corner
        whole[row : row + field.shape[0], column : column + field.shape[1]] += field

    def stroke(self, material: str, points: NDArray[Any], width_cm: float, thickness_cm: float, *, closed: bool = False) -> None:
        """A line of even thickness; thinner than a pixel, it is drawn fainter instead."""
        import cv2

        width_px = width_cm / self.frame.pitch_cm
        region, fixed = self._region(points, width_cm)
        if region is None:
            return
        mask = np.zeros((region[2] - region[0], region[3] - region[1]), np.uint8)
        cv2.polylines(mask, [fixed], closed, 255, max(1, round(width_px)), cv2.LINE_AA, _SUBPIXEL_BITS)
        self.add(material, mask * np.float32(thickness_cm * min(1.0, width_px) / 255), region[:2])

    def fill(self, material: str, points: NDArray[Any], thickness_cm: float) -> None:
        """A polygon of even thickness."""
        import cv2

        region, fixed = self._region(points, 0.0)
        if region is None:
            return
        mask = np.zeros((region[2] - region[0], region[3] - region[1]), np.uint8)
        cv2.fillPoly(mask, [fixed], 255, cv2.LINE_AA, _SUBPIXEL_BITS)
        self.add(material, mask * np.float32(thickness_cm / 255), region[:2])

    def _region(self, points: NDArray[Any], margin_cm: float) -> tuple[tuple[int, int, int, int] | None, NDArray[np.int32]]:
        """The pixels around the points (top, left, bottom, right), and the points in fixed point relative to them."""
        pixels = self.frame.pixels(np.asarray(points, np.float64))
        margin = margin_cm / self.frame.pitch_cm + 2
        height, width = self.frame.size
        left, top = np.maximum(np.floor(pixels.min(axis=0) - margin), 0).astype(int)
        right, bottom = np.minimum(np.ceil(pixels.max(axis=0) + margin).astype(int) + 1, [width, height])
        fixed = np.round((pixels - [left, top]) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        return (None if right <= left or bottom <= top else (int(top), int(left), int(bottom), int(right))), fixed


def polygon_mask(points: NDArray[Any], frame: Frame) -> BoolArray:
    """(H, W) pixels inside a polygon given in cm."""
    import cv2

    mask = np.zeros(frame.size, np.uint8)
    fixed = np.round(frame.pixels(np.asarray(points, np.float64)) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
    cv2.fillPoly(mask, [fixed], 1, cv2.LINE_8, _SUBPIXEL_BITS)
    return mask.astype(bool)


def depth_inside(mask: BoolArray, pitch_cm: float) -> FloatArray:
    """(H, W) distance in cm from each pixel inside the mask to its border; 0 outside."""
    import cv2

    framed = np.pad(mask.astype(np.uint8), 1)  # the picture's rim is a border too
    steps = cv2.distanceTransform(framed, cv2.DIST_L2, 5)
    return np.asarray(np.where(mask, cv2.GaussianBlur(steps, (0, 0), 0.8)[1:-1, 1:-1] * pitch_cm, 0), np.float32)  # no stairs at the rim
