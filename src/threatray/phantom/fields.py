"""Smooth random fields over a picture: the stuff of cloth, folds, grain and marbled grounds."""

from __future__ import annotations

import numpy as np

from threatray.core import FloatArray


def smooth_noise(size: tuple[int, int], scale_px: float, rng: np.random.Generator, *, stretch: float = 1.0) -> FloatArray:
    """A random field of mean near 0 and spread near 1 that varies over ``scale_px`` pixels.

    Args:
        size: (H, W).
        scale_px: Distance over which it varies; ``stretch`` times as much along x.
        rng: Source of randomness.
        stretch: Longer along x than along y by this factor.

    Example:
        >>> smooth_noise((20, 30), 5.0, np.random.default_rng(0)).shape
        (20, 30)
    """
    import cv2

    height, width = size
    rows, columns = max(2, int(np.ceil(height / scale_px)) + 2), max(2, int(np.ceil(width / (scale_px * stretch))) + 2)
    coarse = rng.standard_normal((rows, columns), np.float32)
    fine = cv2.resize(coarse, (int(columns * scale_px * stretch) + 1, int(rows * scale_px) + 1), interpolation=cv2.INTER_CUBIC)
    y, x = (fine.shape[0] - height) // 2, (fine.shape[1] - width) // 2
    return np.asarray(fine[max(y, 0) : max(y, 0) + height, max(x, 0) : max(x, 0) + width] / 0.75, np.float32)


def creases(size: tuple[int, int], scale_px: float, width_px: float, rng: np.random.Generator) -> FloatArray:
    """Fine curved lines in [0, 1], like folds in thin cloth: where a smooth field passes through 0.

    Args:
        size: (H, W).
        scale_px: Distance between lines.
        width_px: Half width of a line.
        rng: Source of randomness.
    """
    import cv2

    field = smooth_noise(size, scale_px, rng, stretch=float(rng.uniform(0.6, 1.8)))
    steep = np.hypot(cv2.Sobel(field, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(field, cv2.CV_32F, 0, 1, scale=0.125)) + 1e-4
    return np.asarray(np.exp(-((field / steep / width_px) ** 2)), np.float32)
