"""The bag behind a threat, guessed from the ring around it."""

from __future__ import annotations

import numpy as np

from threatray.core.image import BoolArray, FloatArray
from threatray.errors import DataError


def harmonic_fill(values: FloatArray, hole: BoolArray, *, sweeps: int = 24) -> FloatArray:
    r"""Fill a hole with the smoothest surface that meets its rim: :math:`\nabla^2 A = 0` inside the hole.

    A soap film: no new extremes, no texture, no dependence on any training data. Solved coarse to fine.

    Args:
        values: (C, H, W) attenuation, or any quantity that adds.
        hole: (H, W) bool, the pixels to make up.
        sweeps: Relaxation sweeps at each of the pyramid's levels.

    Returns:
        (C, H, W) float32: the input outside the hole, bit for bit; inside it within the range of the values outside.

    Raises:
        DataError: The hole covers everything, so there is no rim.

    Note:
        Edges of things that run under the hole are not continued.

    Source:
        P. Perez, M. Gangnet, A. Blake, "Poisson Image Editing", 2003 (with a zero guidance field).

    Example:
        >>> ramp = np.tile(np.arange(16, dtype=np.float32), (1, 16, 1))
        >>> hole = np.zeros((16, 16), bool); hole[4:12, 4:12] = True
        >>> bool(np.abs(harmonic_fill(ramp, hole) - ramp).max() < 0.05)
        True
    """
    if hole.all():
        raise DataError("harmonic_fill: the hole covers the whole picture, so nothing is known around it.")
    return _solve(np.ascontiguousarray(values, np.float32), hole, sweeps)


def _solve(values: FloatArray, hole: BoolArray, sweeps: int) -> FloatArray:
    import cv2

    if not hole.any():
        return values
    known = (~hole).astype(np.float32)
    height, width = hole.shape
    filled = values.copy()
    if min(height, width) >= 4:
        half = ((width + 1) // 2, (height + 1) // 2)
        weight = cv2.resize(known, half, interpolation=cv2.INTER_AREA)
        coarse = np.stack([cv2.resize(channel * known, half, interpolation=cv2.INTER_AREA) for channel in values])
        empty = weight <= 1e-6
        if not empty.all():
            coarse = np.where(empty, 0.0, coarse / np.where(empty, 1.0, weight)).astype(np.float32)
            coarse = _solve(coarse, empty, sweeps)
            fine = np.stack([cv2.resize(channel, (width, height), interpolation=cv2.INTER_LINEAR) for channel in coarse])
            filled[:, hole] = fine[:, hole]
    else:
        filled[:, hole] = values[:, ~hole].mean(axis=1, keepdims=True)
    kernel = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4
    for channel in filled:
        for _ in range(sweeps):
            # Reflection at the picture's edge: no flow through it.
            channel[hole] = cv2.filter2D(channel, -1, kernel, borderType=cv2.BORDER_REFLECT)[hole]
    return filled
