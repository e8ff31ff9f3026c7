"""How an object of any size and pose is brought onto a small square canvas, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import BoolArray, FloatArray
from threatray.errors import ConfigError, DataError

MOST_STRETCH: Final = 2.0


class Pose(StrEnum):
    """Which way up an object lies on its canvas."""

    UPRIGHT = "upright"
    """Turned so that its long axis is horizontal and its heavier ends are top left: photos and scans of one class then overlap."""

    STRETCHED = "stretched"
    """Upright, and the short axis drawn out up to twofold where there is room: thin objects get more of the canvas's pixels."""

    AS_IS = "as_is"
    """As it lay before the camera."""

    WHOLE = "whole"
    """The whole picture drawn onto the whole canvas, whatever its mask and its aspect ratio: as the CycleGAN code does."""


@dataclass(frozen=True)
class Frame:
    """A similarity between an object's own pixels and a square canvas; the canvas's air is 1 (or white).

    Args:
        size: Side of the canvas in pixels.
        scale: Canvas pixels per source pixel along the canvas's x axis.
        stretch: How many times larger it is along y; 1 keeps the aspect ratio.
        angle: Turn from source to canvas, radians.
        mirrored: Whether it is flipped top to bottom after the turn; an X-ray has no back side.
        centre: (x, y) in source pixels that lands in the canvas's middle.
    """

    size: int
    scale: float
    angle: float
    mirrored: bool
    centre: tuple[float, float]
    stretch: float = 1.0

    @classmethod
    def of(cls, mask: BoolArray, size: int, *, pose: Pose = Pose.UPRIGHT, margin: float = 0.06) -> Frame:
        """The frame in which a mask fills the canvas up to a margin, aspect ratio kept unless ``pose`` stretches.

        Args:
            mask: (H, W) bool, not empty.
            size: Side of the canvas in pixels, a multiple of 4.
            pose: Whether to turn the object upright first.
            margin: Share of the canvas left free on each side, in [0, 0.4].

        Raises:
            DataError: The mask is empty or not (H, W) bool.
            ConfigError: A size or margin out of range.

        Example:
            >>> mask = np.zeros((40, 20), bool); mask[5:35, 8:12] = True  # tall: upright lays it down
            >>> frame = Frame.of(mask, 32, margin=0.0)
            >>> frame.to_canvas(mask[..., None].astype(np.float32), fill=0.0)[..., 0].any(axis=0).sum().item()
            32
        """
        if size < 8 or size % 4:
            raise ConfigError(f"frame: size must be a multiple of 4 and at least 8, got {size}.")
        if not 0.0 <= margin <= 0.4:
            raise ConfigError(f"frame: margin must lie in [0, 0.4], got {margin}.")
        if mask.ndim != 2 or mask.dtype != np.bool_:
            raise DataError(f"frame: expected a bool mask of shape (H, W), got {mask.dtype} {mask.shape}.")
        rows, columns = np.nonzero(mask)
        if rows.size == 0:
            raise DataError("frame: the mask is empty, so there is no object to place on the canvas.")
        if pose is Pose.WHOLE:
            height, width = mask.shape
            return cls(size, size / width, 0.0, False, (width / 2, height / 2), width / height)
        x, y = columns.astype(np.float64) + 0.5, rows.astype(np.float64) + 0.5
        angle, mirrored = (0.0, False) if pose is Pose.AS_IS else _upright(x, y)
        cosine, sine = math.cos(angle), math.sin(angle)
        u, v = cosine * x - sine * y, sine * x + cosine * y
        half = 0.5 * (abs(cosine) + abs(sine))  # a turned pixel's own half width
        across, along = float(np.ptp(v)) + 2 * half, float(np.ptp(u)) + 2 * half
        extent = max(across, along)
        stretch = min(MOST_STRETCH, extent / across) if pose is Pose.STRETCHED else 1.0
        middle_u, middle_v = (u.max() + u.min()) / 2, (v.max() + v.min()) / 2
        centre = (cosine * middle_u + sine * middle_v, -sine * middle_u + cosine * middle_v)
        return cls(size, float((1 - 2 * margin) * size / extent), angle, mirrored, (float(centre[0]), float(centre[1])), stretch)

    def to_canvas(self, values: NDArray[Any], *, fill: float) -> FloatArray:
        """Resample source pixels onto the canvas by area, so that small canvases do not alias.

        Args:
            values: (H, W, C) of any real dtype.
            fill: What lies beyond the source's edge.

        Returns:
            (size, size, C) float32.
        """
        import cv2

        finer = max(1, math.ceil(1.0 / (self.scale * min(1.0, self.stretch)) - 1e-9))
        matrix = self._matrix(finer)
        side = self.size * finer
        source = np.ascontiguousarray(values, np.float32)
        warped = cv2.warpAffine(
            source, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=(fill,) * 4
        )
        channels = values.shape[2]
        blocks = warped.reshape(self.size, finer, self.size, finer, channels)
        canvas: FloatArray = blocks.mean(axis=(1, 3), dtype=np.float32)
        return canvas

    def from_canvas(self, values: FloatArray, weight: FloatArray, shape: tuple[int, int]) -> FloatArray:
        """Bring canvas values back to source pixels, interpolating only between canvas pixels that the object covers.

        Args:
            values: (C, size, size) float32.
            weight: (size, size) share of each canvas pixel that the object covers.
            shape: (H, W) of the source.

        Returns:
            (C, H, W) float32; 0 where no covered canvas pixel is near.
        """
        import cv2

        stacked = np.concatenate([values * weight, weight[None]]).transpose(1, 2, 0)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        back = cv2.warpAffine(
            np.ascontiguousarray(stacked, np.float32), self._matrix(1), (shape[1], shape[0]), flags=flags, borderMode=cv2.BORDER_CONSTANT
        ).transpose(2, 0, 1)
        covered = back[-1] > 1e-4
        return np.where(covered, back[:-1] / np.where(covered, back[-1], 1.0), 0.0).astype(np.float32)

    def _matrix(self, finer: int) -> NDArray[np.float64]:
        """Source to ``finer`` times finer canvas, for pixel *indices* (a pixel's centre lies at index + 0.5)."""
        factor = self.scale * finer
        turn = factor * np.array([[math.cos(self.angle), -math.sin(self.angle)], [math.sin(self.angle), math.cos(self.angle)]])
        turn[1] *= -self.stretch if self.mirrored else self.stretch
        middle = self.size * finer / 2.0
        shift = middle - turn @ np.array(self.centre) + turn @ np.array([0.5, 0.5]) - 0.5
        return np.column_stack([turn, shift])


def _upright(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, bool]:
    """Angle and mirroring that lay the long axis along x, with the longer tails of mass towards +x and +y."""
    x, y = x - x.mean(), y - y.mean()
    angle = -0.5 * math.atan2(2.0 * float((x * y).mean()), float((x * x).mean() - (y * y).mean()))
    u = math.cos(angle) * x - math.sin(angle) * y
    if float((u**3).mean()) < 0.0:
        angle += math.pi
    v = math.sin(angle) * x + math.cos(angle) * y
    return angle, float((v**3).mean()) < 0.0
