"""The silhouette of a threat in a scan, guessed from its box."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core.image import BoolArray, FloatArray
from threatray.errors import DataError
from threatray.tip.background import harmonic_fill

_WORKING_SIDE: Final = 360
"""Crops are segmented at no more than this size; the outline is a matter of a pixel or two there."""

_KEEP_SHARE: Final = 0.25
_LEAST_REACH: Final = 0.6
"""A thing spans at least this share of its box in one direction; less is a part of it, or something else."""

_GRABCUT_ROUNDS: Final = 4
_JUMP: Final = 0.25
"""A step in summed attenuation that an eye takes for an edge."""


def threat_mask(attenuation: FloatArray, inside: BoolArray) -> BoolArray:
    """The silhouette of the thing that a box was drawn around.

    Three guesses at what stands out (in the first channel, in the same above the bag that its ring
    suggests, and in all channels together) are each refined by GrabCut on the attenuations. The one is kept that best
    fills its box, least crosses the box's edge, and has the sharpest outline.

    Args:
        attenuation: (C, H, W) crop of the scan: the box with a ring of bag around it. Metal must stand out in the first
            channel, as it does in red, in low energy and in grey.
        inside: (H, W) bool, the box's pixels. Must leave a ring.

    Returns:
        (H, W) bool within ``inside``; all false where nothing stands out.

    Raises:
        DataError: ``inside`` is empty or leaves no ring.

    Note:
        Made for compact, dense things. A threat under another piece of steel of the same box comes out with it.

    Source:
        C. Rother, V. Kolmogorov, A. Blake, "GrabCut", SIGGRAPH 2004; N. Otsu, 1979.

    Example:
        >>> attenuation = np.full((1, 40, 40), 0.2, np.float32); attenuation[0, 15:25, 12:28] = 1.5
        >>> inside = np.zeros((40, 40), bool); inside[12:28, 10:30] = True
        >>> found = threat_mask(attenuation, inside)
        >>> int((found ^ (attenuation[0] > 1)).sum()) <= 60
        True
    """
    import cv2

    if not inside.any() or inside.all():
        raise DataError("threat_mask: the box must hold some pixels and leave a ring of bag around it.")
    height, width = inside.shape
    shrink = min(1.0, _WORKING_SIDE / max(height, width))
    if shrink < 1:
        size = (max(4, round(width * shrink)), max(4, round(height * shrink)))
        small = np.stack([cv2.resize(channel, size, interpolation=cv2.INTER_AREA) for channel in attenuation])
        small_inside = cv2.resize(inside.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST).astype(np.bool_)
        if not small_inside.any() or small_inside.all():
            raise DataError("threat_mask: the box is too thin for its length.")
        found = _segment(small, small_inside).astype(np.float32)
        return np.asarray((cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR) > 0.5) & inside, np.bool_)
    return _segment(attenuation, inside)


def _segment(attenuation: FloatArray, inside: BoolArray) -> BoolArray:
    import cv2

    smooth = np.stack([cv2.GaussianBlur(channel, (0, 0), 0.8) for channel in attenuation])
    metal = smooth[0]
    total = smooth.sum(axis=0)
    excess = np.maximum(metal - harmonic_fill(metal[None], inside)[0], 0)
    best, best_score = np.zeros_like(inside), 0.0
    for view in (metal, excess, total):
        prior = _central_components((view > _otsu(view[inside])) & inside, inside)
        if not prior.any() or prior.sum() == inside.sum():
            continue
        found = _grabcut(smooth, inside, prior)
        found = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).astype(np.bool_)
        found = _central_components(found, inside)
        score = _plausibility(found, inside, total)
        if score > best_score:
            best, best_score = found, score
    return best


def _otsu(values: NDArray[Any]) -> float:
    import cv2

    top = float(values.max())
    if top <= 0:
        return 0.0
    level, _ = cv2.threshold(np.round(values / top * 255).astype(np.uint8).reshape(-1, 1), 0, 255, cv2.THRESH_OTSU)
    return float(level) / 255 * top


def _grabcut(attenuation: FloatArray, inside: BoolArray, prior: BoolArray) -> BoolArray:
    import cv2

    count = len(attenuation)
    three = attenuation[[0, min(1, count - 1), count - 1]]
    top = max(float(np.percentile(three, 99.8)), 1e-3)
    picture = np.ascontiguousarray((np.clip(three / top, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0))
    state = np.full(inside.shape, cv2.GC_BGD, np.uint8)
    state[inside] = cv2.GC_PR_BGD
    state[prior] = cv2.GC_PR_FGD
    cv2.setRNGSeed(0)  # GrabCut clusters with OpenCV's own generator; the same crop must give the same mask
    try:
        cv2.grabCut(picture, state, None, np.zeros((1, 65)), np.zeros((1, 65)), _GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # fewer pixels of a kind than mixture components
        return prior
    return np.asarray(((state & 1) == 1) & inside, np.bool_)


def _central_components(mask: BoolArray, inside: BoolArray) -> BoolArray:
    """The large pieces near the box's centre: a threat is what the box was drawn around."""
    import cv2

    count, labels, stats, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 2:
        return mask
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    middle = np.array([(columns[0] + columns[-1]) / 2, (rows[0] + rows[-1]) / 2])
    half = np.array([np.ptp(columns) / 2 + 1, np.ptp(rows) / 2 + 1])
    weight = stats[:, cv2.CC_STAT_AREA] * np.exp(-(((centres - middle) / half) ** 2).sum(axis=1))
    weight[0] = 0
    return np.asarray((weight >= _KEEP_SHARE * weight.max())[labels] & mask, np.bool_)


def _plausibility(mask: BoolArray, inside: BoolArray, total: FloatArray) -> float:
    import cv2

    if mask.sum() < 16:
        return 0.0
    (tall, wide), (box_tall, box_wide) = _extent(mask), _extent(inside)
    if max(tall / box_tall, wide / box_wide) < _LEAST_REACH:
        return 0.0
    fill = tall * wide / (box_tall * box_wide)
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    frame = inside.copy()
    frame[rows[0] + 2 : rows[-1] - 1, columns[0] + 2 : columns[-1] - 1] = False
    crossing = float((mask & frame).sum() / max(1, frame.sum()))
    solid = mask.astype(np.uint8)
    kernel = np.ones((3, 3), np.uint8)
    inner = (solid - cv2.erode(solid, kernel, iterations=3)).astype(np.float32)
    outer = (cv2.dilate(solid, kernel, iterations=3) - cv2.dilate(solid, kernel)).astype(np.float32)
    weight_inner, weight_outer = cv2.blur(inner, (7, 7)), cv2.blur(outer, (7, 7))
    rim = (solid - cv2.erode(solid, kernel)).astype(np.bool_) & (weight_outer > 0) & (weight_inner > 0)
    if not rim.any():
        return 0.0
    jump = cv2.blur(total * inner, (7, 7))[rim] / weight_inner[rim] - cv2.blur(total * outer, (7, 7))[rim] / weight_outer[rim]
    sharp = float((jump > _JUMP).mean())
    return float(fill**0.25 * (1 - crossing) ** 2 * sharp)


def _extent(mask: BoolArray) -> tuple[float, float]:
    """Height and width of the true pixels' box."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(rows[-1] + 1 - rows[0]), float(columns[-1] + 1 - columns[0])
