"""The bag behind a threat, guessed from the ring around it."""

from __future__ import annotations

from typing import Final

import numpy as np

from threatray.core.image import BoolArray, FloatArray
from threatray.errors import DataError

_LIGHTER: Final = 0.05
_SPECK: Final = 3


def film_behind(attenuation: FloatArray, hole: BoolArray) -> tuple[FloatArray, BoolArray]:
    """The bag behind a threat: the soap film over its outline, which also meets the bag where it is seen through the threat's openings.

    A threat adds, so where a scan is lighter than the film the film is wrong. Such places of some size are mostly openings that an outline
    closes over (a trigger guard, a grip): there the scan is the bag, and the film is drawn anew with them known.

    Args:
        attenuation: (C, H, W), of the scan.
        hole: (H, W) bool, the threat's outline.

    Returns:
        (C, H, W) float32, the scan's own outside the hole and in the openings, and (H, W) bool, the openings: at least 3x3 pixels,
        where the mean of the channels is lighter by more than 0.05.

    Raises:
        DataError: The hole covers everything, so there is no rim.

    Note:
        Elsewhere it may still be darker than the scan.

    Example:
        >>> scan = np.full((1, 40, 40), 0.3, np.float32); scan[0, 10:30, 10:30] = 1.5; scan[0, 16:24, 16:24] = 0.1
        >>> hole = np.zeros((40, 40), bool); hole[9:31, 9:31] = True
        >>> film, openings = film_behind(scan, hole)
        >>> int(openings.sum()), bool(film[0, 12, 20] < 0.3)
        (64, True)
    """
    import cv2

    film = harmonic_fill(attenuation, hole)
    lighter = hole & ((film - attenuation).mean(axis=0) > _LIGHTER)
    openings = np.asarray(cv2.morphologyEx(lighter.astype(np.uint8), cv2.MORPH_OPEN, np.ones((_SPECK, _SPECK), np.uint8)), np.bool_)
    return (harmonic_fill(attenuation, hole & ~openings), openings) if openings.any() else (film, openings)


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
