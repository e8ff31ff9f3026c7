"""The bag continued into a hole: edges, stripes and grain taken from the part of the same bag that fits the rim best."""

from __future__ import annotations

from typing import Final

import numpy as np

from threatray.core.image import BoolArray, FloatArray
from threatray.tip.background import harmonic_fill

_RIM_PIXELS: Final = 8
_PIECE_PIXELS: Final = 64
"""Long holes are filled piece by piece: what fits one end of a knife seldom fits the other."""

_SEARCH: Final = 2.0
"""Look for a fit within this many window sides around the piece."""

_OFFSET_WEIGHT: Final = 0.1
"""A difference in level costs this share of a difference in shape: the seam is levelled out anyway."""


_NEW_THING_WEIGHT: Final = 0.5
"""More contrast inside the place taken than around the hole costs this share of it: no new things are to appear in the bag."""


def continued_fill(values: FloatArray, hole: BoolArray) -> FloatArray:
    """Fill a hole with what the bag looks like elsewhere, joined without a seam.

    Each piece of the hole looks for the shift at which its rim is most like the bag there, takes what lies inside that place, and is
    levelled by a harmonic surface so that it meets its own rim. Nothing is drawn: the same picture gives the same bytes.

    Args:
        values: (C, H, W) attenuation, or any quantity that adds.
        hole: (H, W) bool, the pixels to make up. Must leave something known.

    Returns:
        (C, H, W) float32: the input outside the hole, bit for bit; inside it at least 0. Where no part of the bag is large enough to
        be taken, the harmonic surface.

    Raises:
        DataError: The hole covers everything.

    Note:
        It looks like the bag; it is not closer to the truth, pixel by pixel, than the harmonic surface (see ``benchmarks/isolate.md``).
        For dividing a bag out of a signature use that one, since made-up texture would stay in the signature.

    Source:
        After K. He, J. Sun, "Statistics of Patch Offsets for Image Completion", 2012, with one offset a piece, and P. Perez, M. Gangnet,
        A. Blake, "Poisson Image Editing", 2003, for the seam.

    Example:
        >>> stripes = np.tile(np.arange(96) // 4 % 2, (1, 96, 1)).astype(np.float32)
        >>> hole = np.zeros((96, 96), bool); hole[40:60, 40:60] = True
        >>> bool(np.abs(continued_fill(stripes, hole) - stripes).max() < 0.01)
        True
    """
    import cv2

    filled = harmonic_fill(values, hole)  # the answer where nothing fits, and the check of the hole
    if not hole.any():
        return filled
    filled = filled.copy()
    unknown = hole.copy()
    _, labels = cv2.connectedComponents(hole.astype(np.uint8), connectivity=8)
    for piece in _pieces(labels):
        _fill_piece(filled, unknown, piece)
        unknown &= ~piece
    filled[:, hole] = np.maximum(filled[:, hole], 0)
    return filled


def _pieces(labels: np.ndarray) -> list[BoolArray]:
    """Each hole cut across its long axis into parts of about ``_PIECE_PIXELS``, in order from one end to the other."""
    pieces = []
    for number in range(1, int(labels.max()) + 1):
        rows, columns = np.nonzero(labels == number)
        points = np.stack([rows, columns], axis=1).astype(np.float64)
        points -= points.mean(axis=0)
        _, directions = np.linalg.eigh(points.T @ points)
        along = points @ directions[:, -1]
        length = float(np.ptp(along))
        count = max(1, round(length / _PIECE_PIXELS))
        part = np.minimum(((along - along.min()) / max(length, 1e-9) * count).astype(np.int64), count - 1)
        for place in range(count):
            piece = np.zeros(labels.shape, np.bool_)
            piece[rows[part == place], columns[part == place]] = True
            if piece.any():
                pieces.append(piece)
    return pieces


def _fill_piece(filled: FloatArray, unknown: BoolArray, piece: BoolArray) -> None:
    import cv2

    rows, columns = np.flatnonzero(piece.any(axis=1)), np.flatnonzero(piece.any(axis=0))
    height, width = piece.shape
    top, bottom = max(0, int(rows[0]) - _RIM_PIXELS), min(height, int(rows[-1]) + 1 + _RIM_PIXELS)
    left, right = max(0, int(columns[0]) - _RIM_PIXELS), min(width, int(columns[-1]) + 1 + _RIM_PIXELS)
    tall, wide = bottom - top, right - left
    reach = int(_SEARCH * max(tall, wide))
    up, down, west, east = max(0, top - reach), min(height, bottom + reach), max(0, left - reach), min(width, right + reach)
    window = filled[:, top:bottom, left:right]
    inner = piece[top:bottom, left:right]
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _RIM_PIXELS + 1, 2 * _RIM_PIXELS + 1))
    rim = (cv2.dilate(inner.astype(np.uint8), kernel) > 0) & ~unknown[top:bottom, left:right]
    if not rim.any():
        return
    search, weight = np.ascontiguousarray(filled[:, up:down, west:east]), rim.astype(np.float32)
    blocked = cv2.matchTemplate(unknown[up:down, west:east].astype(np.float32), (rim | inner).astype(np.float32), cv2.TM_CCORR) > 0.5
    if blocked.all():
        return
    count, cost = float(weight.sum()), np.zeros(blocked.shape, np.float64)
    for channel, own in zip(search, window, strict=True):
        # the spread of (there - here) over the rim, and a little of its mean
        here = own * weight
        first = cv2.matchTemplate(channel, weight, cv2.TM_CCORR).astype(np.float64)
        second = cv2.matchTemplate(channel * channel, weight, cv2.TM_CCORR).astype(np.float64)
        cross = cv2.matchTemplate(channel, here, cv2.TM_CCORR).astype(np.float64)
        offset = (first - float(here.sum())) / count
        square = (second - 2 * cross + float((here * own).sum())) / count
        cost += square - (1 - _OFFSET_WEIGHT) * offset**2
        inside = inner.astype(np.float32)
        mean = cv2.matchTemplate(channel, inside, cv2.TM_CCORR).astype(np.float64) / inner.sum()
        spread = cv2.matchTemplate(channel * channel, inside, cv2.TM_CCORR).astype(np.float64) / inner.sum() - mean**2
        cost += _NEW_THING_WEIGHT * np.maximum(spread - float(own[rim].var()), 0)
    cost[blocked] = np.inf
    y, x = np.unravel_index(int(np.argmin(cost)), cost.shape)
    there = search[:, y : y + tall, x : x + wide]
    # Over what is not known yet the seam is free.
    seam = harmonic_fill(np.where(rim, window - there, 0).astype(np.float32), ~rim)
    window[:, inner] = (there + seam)[:, inner]
