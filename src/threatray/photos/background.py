"""The plain ground of a photo, guessed from its border."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import BoolArray, FloatArray
from threatray.errors import DataError

_BORDER_SHARE: Final = 0.03
_ROUNDS: Final = 5
_MOST_FITTED: Final = 3000
"""A surface of six terms needs no more points."""

_KEPT_SHARE: Final = 0.55
"""Of the border; an object may run out of the picture, but not along most of it."""

_LEAST_SCATTER: Final = 1.0
"""In Lab units; clean studio white would otherwise call every grain of JPEG noise an object."""

_DARKER_WEIGHT: Final = 0.6
"""Shadows are darker and hardly of another hue; objects are darker too, but by more."""


@dataclass(frozen=True, eq=False)
class Background:
    """A smooth ground and how well the border agrees with it.

    Args:
        colour: (H, W, 3) float32 CIE Lab.
        scatter: Robust standard deviation of the border around it, Lab units.
        agreement: Share of the border within four deviations (at most 12 units) of it.
    """

    colour: FloatArray
    scatter: float
    agreement: float

    def distance(self, lab: FloatArray) -> FloatArray:
        """(H, W) colour distance of a picture from the ground, forgiving what shadows do."""
        difference = lab - self.colour
        difference[..., 0] *= np.where(difference[..., 0] < 0, _DARKER_WEIGHT, 1.0)
        distance: FloatArray = np.sqrt(np.einsum("hwc,hwc->hw", difference, difference))
        return distance


def to_lab(pixels: NDArray[np.uint8]) -> FloatArray:
    """RGB as CIE Lab (L in 0..100), float32."""
    import cv2

    lab: FloatArray = cv2.cvtColor(pixels.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2Lab)
    return lab


def border_of(height: int, width: int) -> BoolArray:
    """(H, W) bool, a frame of 3 % of the shorter side, two pixels at least."""
    thickness = max(2, round(_BORDER_SHARE * min(height, width)))
    frame = np.ones((height, width), np.bool_)
    frame[thickness:-thickness, thickness:-thickness] = False
    return frame


def fit_background(lab: FloatArray, where: BoolArray) -> Background:
    """Fit a quadratic surface to the ground's colour, robust against the object crossing it.

    Args:
        lab: (H, W, 3) float32 CIE Lab.
        where: (H, W) bool, pixels that are mostly ground, such as the border.

    Returns:
        The surface over the whole picture.

    Raises:
        DataError: Fewer than 12 pixels to fit.
    """
    if where.sum() < 12:
        raise DataError(f"fit_background: expected 12 pixels or more, got {int(where.sum())}.")
    terms = _terms(*where.shape)
    step = max(1, int(where.sum()) // _MOST_FITTED)
    rows, colours = terms[where][::step], lab[where][::step].astype(np.float64)
    # start from the commonest colour, so that half a border of object does not pull the surface to itself
    residual = _largest(colours - np.median(colours, axis=0))
    coefficients = np.zeros((rows.shape[1], 3))
    ridge = 1e-6 * np.eye(rows.shape[1])  # the kept part of a frame may lie on one line
    for _ in range(_ROUNDS):
        cut = max(np.quantile(residual, _KEPT_SHARE), min(3 * 1.4826 * float(np.median(residual)), 12.0), _LEAST_SCATTER)
        kept = residual <= cut
        coefficients = np.linalg.solve(rows[kept].T @ rows[kept] + ridge, rows[kept].T @ colours[kept])
        residual = _largest(colours - rows @ coefficients)
    scatter = max(1.4826 * float(np.median(residual)), _LEAST_SCATTER)
    surface = (terms.reshape(-1, terms.shape[2]) @ coefficients).reshape(*where.shape, 3)
    # a surface fitted to the frame may swing in the middle: never beyond what the frame showed
    low, high = np.quantile(colours[kept], [0.01, 0.99], axis=0)
    margin = 0.25 * (high - low) + 2
    colour: FloatArray = np.clip(surface, low - margin, high + margin).astype(np.float32)
    return Background(colour, scatter, float((residual <= min(4 * scatter, 12.0)).mean()))


def _terms(height: int, width: int) -> NDArray[Any]:
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=2)


def _largest(difference: NDArray[Any]) -> NDArray[Any]:
    """The largest of L, a and b, by column: numpy reduces short axes slowly."""
    size = np.abs(difference)
    return np.asarray(np.maximum(np.maximum(size[:, 0], size[:, 1]), size[:, 2]))
