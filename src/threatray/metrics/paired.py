"""Likeness to a known truth, measured where the object is."""

from __future__ import annotations

import numpy as np

from threatray.core import BoolArray, FloatArray, box_of_mask
from threatray.errors import DataError

WINDOW_SIGMA = 1.5
WINDOW_RADIUS = 5


def ssim_in_box(made: FloatArray, truth: FloatArray, mask: BoolArray) -> float:
    r"""Structural similarity of two transmissions, averaged over the pixels of the object's box and over channels.

    .. math:: \frac{(2 \mu_x \mu_y + c_1)(2 \sigma_{xy} + c_2)}{(\mu_x^2 + \mu_y^2 + c_1)(\sigma_x^2 + \sigma_y^2 + c_2)},
        \quad c_1 = 0.01^2, c_2 = 0.03^2

    Moments under a Gaussian window of 11 x 11 pixels and sigma 1.5 (population form), borders mirrored, on transmissions with data range 1.
    The box is that of ``mask``: canvases are mostly air, on which everything agrees, so the figure is not taken over them.

    Args:
        made: (C, H, W) transmission.
        truth: (C, H, W) transmission.
        mask: (H, W) bool; its tight box counts. Give the union of both silhouettes, so that nothing stands outside.

    Returns:
        In [-1, 1]; 1 for equal images.

    Raises:
        DataError: Shapes differ, or the mask is empty.

    Source:
        Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004.

    Example:
        >>> truth = np.linspace(0.1, 1, 400, dtype=np.float32).reshape(1, 20, 20)
        >>> ssim_in_box(truth, truth, np.ones((20, 20), bool))
        1.0
    """
    from scipy.ndimage import gaussian_filter

    _check(made, truth, mask)
    scores = []
    rows, columns = _box(mask)
    for x, y in zip(made.astype(np.float64), truth.astype(np.float64), strict=True):
        mean_x, mean_y, xx, yy, xy = (gaussian_filter(v, WINDOW_SIGMA, radius=WINDOW_RADIUS) for v in (x, y, x * x, y * y, x * y))
        c1, c2 = 0.01**2, 0.03**2
        upper = (2 * mean_x * mean_y + c1) * (2 * (xy - mean_x * mean_y) + c2)
        lower = (mean_x**2 + mean_y**2 + c1) * (xx - mean_x**2 + yy - mean_y**2 + c2)
        scores.append(float((upper / lower)[rows, columns].mean()))
    return float(np.mean(scores))


def psnr_in_box(made: FloatArray, truth: FloatArray, mask: BoolArray) -> float:
    r"""Peak signal-to-noise ratio in dB, :math:`-10 \log_{10}` of the mean squared error in the object's box, over all channels.

    Args:
        made: (C, H, W) transmission; the peak is 1.
        truth: (C, H, W) transmission.
        mask: (H, W) bool; its tight box counts.

    Returns:
        Decibels; infinite for equal images.

    Raises:
        DataError: Shapes differ, or the mask is empty.

    Example:
        >>> truth = np.ones((1, 4, 4), np.float32)
        >>> round(psnr_in_box(truth - np.float32(0.1), truth, np.ones((4, 4), bool)), 3)
        20.0
    """
    _check(made, truth, mask)
    rows, columns = _box(mask)
    difference = (made.astype(np.float64) - truth)[:, rows, columns]
    error = float((difference**2).mean())
    return float("inf") if error == 0.0 else float(-10.0 * np.log10(error))


def _box(mask: BoolArray) -> tuple[slice, slice]:
    x0, y0, x1, y1 = (int(edge) for edge in box_of_mask(mask))
    return slice(y0, y1), slice(x0, x1)


def _check(made: FloatArray, truth: FloatArray, mask: BoolArray) -> None:
    if made.ndim != 3 or made.shape != truth.shape or mask.shape != made.shape[1:]:
        raise DataError(f"paired: expected equal (C, H, W) and a mask (H, W), got {made.shape}, {truth.shape} and {mask.shape}.")
