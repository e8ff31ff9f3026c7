"""The silhouette of a threat in a scan, guessed from its box."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core.image import BoolArray, FloatArray
from threatray.errors import DataError
from threatray.tip.background import harmonic_fill
from threatray.tip.mask_quality import expected_overlap, mask_cues

_WORKING_SIDE: Final = 240
"""Crops are segmented at no more than this size; the outline is a matter of a pixel or two there."""

_KEEP_SHARE: Final = 0.25
_GRABCUT_ROUNDS: Final = 4
_MATERIAL_OFFSET: Final = 0.15
"""Keeps the share of metal calm where next to nothing attenuates."""


@dataclass(frozen=True, eq=False)
class FoundMask:
    """A guessed silhouette and how far to trust it.

    Args:
        mask: (H, W) bool within the box; all false where nothing stands out.
        expected_overlap: Intersection over union with the true mask that masks like this one have, in [0, 1].
    """

    mask: BoolArray
    expected_overlap: float


def threat_mask(attenuation: FloatArray, inside: BoolArray) -> FoundMask:
    """The silhouette of the thing that a box was drawn around.

    A threat adds attenuation to the bag behind it. So a pixel is described by what it adds to the bag that the box's ring suggests,
    by what it adds to the things that are wider than half of the box, and by how metallic it is. On these, two guesses are refined by
    GrabCut: one that the thing is all of one kind, and one that it is of a dense and a lighter part (steel with a handle). Kept is the
    one that is expected to overlap the true mask more.

    Args:
        attenuation: (C, H, W) crop of the scan: the box with a ring of bag around it. Metal must stand out in the first
            channel, as it does in red, in low energy and in grey.
        inside: (H, W) bool, the box's pixels. Must leave a ring.

    Returns:
        The mask and the overlap to expect.

    Raises:
        DataError: ``inside`` is empty or leaves no ring.

    Note:
        Made for compact, dense things. A threat under another piece of steel of the same box comes out with it, and a plastic
        or wooden handle that adds less than the bag's own things do stays behind.

    Source:
        C. Rother, V. Kolmogorov, A. Blake, "GrabCut", SIGGRAPH 2004; N. Otsu, 1979.

    Example:
        >>> attenuation = np.full((1, 40, 40), 0.2, np.float32); attenuation[0, 15:25, 12:28] = 1.5
        >>> inside = np.zeros((40, 40), bool); inside[12:28, 10:30] = True
        >>> found = threat_mask(attenuation, inside)
        >>> int((found.mask ^ (attenuation[0] > 1)).sum()) <= 60
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
        found = _segment(small, small_inside)
        large = cv2.resize(found.mask.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        return FoundMask(np.asarray(large & inside, np.bool_), found.expected_overlap)
    return _segment(attenuation, inside)


def _segment(attenuation: FloatArray, inside: BoolArray) -> FoundMask:
    import cv2

    smooth = np.stack([cv2.GaussianBlur(channel, (0, 0), 0.8) for channel in attenuation])
    total = smooth.sum(axis=0)
    excess: FloatArray = np.maximum(total - harmonic_fill(total[None], inside)[0], 0).astype(np.float32)
    features = (smooth[0] / (total + np.float32(_MATERIAL_OFFSET)), excess, _top_hat(total, inside))
    dense = _otsu(excess[inside])
    best = FoundMask(np.zeros_like(inside), 0.0)
    for level in (dense, _otsu(np.minimum(excess[inside], dense))):
        prior = _central_components((excess > level) & inside, inside)
        if not prior.any() or prior.sum() == inside.sum():
            continue
        found = _grabcut(features, inside, prior)
        found = cv2.morphologyEx(found.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)).astype(np.bool_)
        found = _central_components(found, inside)
        overlap = expected_overlap(mask_cues(found, inside, smooth))
        if overlap > best.expected_overlap:
            best = FoundMask(found, overlap)
    return best


def _top_hat(total: FloatArray, inside: BoolArray) -> FloatArray:
    """What is narrower than half of the box's short side, above what is wider."""
    import cv2

    breadth = max(5, int(min(inside.any(axis=0).sum(), inside.any(axis=1).sum()) * 0.5) | 1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (breadth, breadth))
    return np.asarray(total - cv2.morphologyEx(total, cv2.MORPH_OPEN, kernel), np.float32)


def _otsu(values: NDArray[Any]) -> float:
    import cv2

    top = float(values.max())
    if top <= 0:
        return 0.0
    level, _ = cv2.threshold(np.round(values / top * 255).astype(np.uint8).reshape(-1, 1), 0, 255, cv2.THRESH_OTSU)
    return float(level) / 255 * top


def _grabcut(features: tuple[FloatArray, FloatArray, FloatArray], inside: BoolArray, prior: BoolArray) -> BoolArray:
    import cv2

    scaled = [np.clip(feature / max(float(np.percentile(feature, 99.8)), 1e-3), 0, 1) for feature in features]
    picture = np.ascontiguousarray((np.stack(scaled) * 255).astype(np.uint8).transpose(1, 2, 0))
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
