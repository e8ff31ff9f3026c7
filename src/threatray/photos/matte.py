"""Where the object ends and the ground begins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import BoolArray, FloatArray
from threatray.errors import DataError
from threatray.photos.background import Background, border_of, fit_background, to_lab

_WORKING_SIDE: Final = 400
"""Photos are matted at no more than this size; the outline is refined at full size only by interpolation."""

_LEAST_SIDE: Final = 16
_PLAIN_AGREEMENT: Final = 0.7
_PLAIN_SCATTER: Final = 5.0
_SURE: Final = 14.0
"""Colour distance that shadows on a plain ground do not reach."""

_MAYBE: Final = 6.0
_SLOPE_SHARE: Final = 0.4

_VISIBLE_STEP: Final = 8.0
"""Lab difference across an outline that an eye takes for an edge."""

_GOOD_ENOUGH: Final = 0.75
_GRABCUT_ROUNDS: Final = 4


class MatteMethod(StrEnum):
    """How an outline was found."""

    GIVEN = "given"
    PLAIN = "plain"
    CLUTTERED = "cluttered"
    SALIENT = "salient"


@dataclass(frozen=True, eq=False)
class Matte:
    """A silhouette and how far it can be trusted.

    Args:
        mask: (H, W) bool; all false where nothing stands out.
        quality: In [0, 1]: an outline visible all round, no specks, other colours than the ground beside it, off the picture's
            border. 0 for an empty mask.
        method: How it was found.
    """

    mask: BoolArray
    quality: float
    method: MatteMethod


Salience = Callable[[NDArray[np.uint8]], FloatArray]
"""From (H, W, 3) uint8 RGB to (H, W) float32 in [0, 1]: how much each pixel belongs to what the photo is of."""


def matte(pixels: NDArray[np.uint8], given: BoolArray | None = None, *, salience: Salience | None = None) -> Matte:
    """Find the objects of a photo.

    With ``salience`` the pixels over one half of it. Without, on a plain ground (even, graded or softly shadowed) whatever differs
    from a smooth surface fitted to the border; elsewhere GrabCut, started from what stands out from the border's colours near the
    middle. Where the first leaves doubt, both are tried and the better outline is kept.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        given: (H, W) bool, a silhouette that is known already (alpha channel or mask file): it is only judged.
        salience: A network that knows what objects look like, see ``salient_objects``; its doubt lowers the quality.

    Returns:
        The mask at the photo's size; it may hold several objects. The same pixels always give the same mask.

    Raises:
        DataError: Not an RGB photo, under 16 pixels a side, or a given mask of another size.

    Note:
        Knows nothing of classes: in clutter it takes what is central and differs, or what the network finds salient. Shiny metal
        on white loses highlights at its rim.

    Source:
        C. Rother, V. Kolmogorov, A. Blake, "GrabCut", SIGGRAPH 2004.

    Example:
        >>> photo = np.full((37, 61, 3), 240, np.uint8); photo[10:25, 20:50] = (40, 60, 50)
        >>> found = matte(photo)
        >>> int((found.mask ^ (photo[..., 0] == 40)).sum()) <= 20, found.method.value
        (True, 'plain')
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or min(pixels.shape[:2]) < _LEAST_SIDE:
        raise DataError(
            f"matte: expected an RGB photo (H, W, 3) uint8 of {_LEAST_SIDE} pixels a side or more, got {pixels.dtype} {pixels.shape}."
        )
    small = _shrunk(pixels)
    lab = to_lab(small)
    if given is not None:
        if given.shape != pixels.shape[:2] or given.dtype != np.bool_:
            raise DataError(f"matte: the given mask must be bool {pixels.shape[:2]}, got {given.dtype} {given.shape}.")
        return Matte(given, _quality(lab, _resized(given, small.shape[:2]), off_border=False), MatteMethod.GIVEN)
    if salience is not None:
        return _salient(salience(pixels), lab)
    height, width = small.shape[:2]
    ground = fit_background(lab, border_of(height, width))
    found = Matte(np.zeros((height, width), np.bool_), 0.0, MatteMethod.PLAIN)
    if ground.agreement >= _PLAIN_AGREEMENT and ground.scatter <= _PLAIN_SCATTER:
        mask = _plain(lab, ground)
        found = Matte(mask, _quality(lab, mask), MatteMethod.PLAIN)
    if found.quality < _GOOD_ENOUGH:
        mask = _cluttered(small, lab, ground)
        other = Matte(mask, _quality(lab, mask), MatteMethod.CLUTTERED)
        found = other if other.quality > found.quality else found
    return Matte(_resized(found.mask, pixels.shape[:2]), found.quality, found.method)


def _salient(salience: FloatArray, lab: FloatArray) -> Matte:
    mask = salience > 0.5
    if mask.any():
        mask = _without_specks(mask)
    if not mask.any() or mask.all():
        return Matte(np.zeros(salience.shape, np.bool_), 0.0, MatteMethod.SALIENT)
    sureness = max(0.0, float(salience[mask].mean() - salience[~mask].mean()))
    return Matte(mask, round(_quality(lab, _resized(mask, lab.shape[:2])) * sureness, 4), MatteMethod.SALIENT)


def _shrunk(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    import cv2

    height, width = pixels.shape[:2]
    shrink = _WORKING_SIDE / max(height, width)
    if shrink >= 1:
        return pixels
    size = (max(_LEAST_SIDE, round(width * shrink)), max(_LEAST_SIDE, round(height * shrink)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _resized(mask: BoolArray, size: tuple[int, ...]) -> BoolArray:
    import cv2

    if mask.shape == size:
        return mask
    smooth = cv2.resize(mask.astype(np.float32), (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(smooth > 0.5, np.bool_)


def _plain(lab: FloatArray, ground: Background) -> BoolArray:
    """Everything joined to something surely different; the ground is fitted again on all that is left."""
    mask = _hysteresis(ground.distance(lab), ground.scatter)
    for _ in range(2):
        rest = ~_grown(mask, 5)
        if rest.mean() < 0.1:
            break
        ground = fit_background(lab, rest)
        mask = _hysteresis(ground.distance(lab), ground.scatter)
    distance = ground.distance(lab)
    return _without_pinholes(_without_specks(_half_way(mask, distance)), distance)


def _half_way(mask: BoolArray, distance: FloatArray) -> BoolArray:
    """Move the outline from where something begins to show to half way up its slope: blur and JPEG halos lie outside."""
    import cv2

    near = cv2.dilate(distance, np.ones((5, 5), np.uint8))
    band = mask & ~np.asarray(cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=1), np.bool_)
    return np.asarray(mask & ~(band & (distance < _SLOPE_SHARE * near)), np.bool_)


def _hysteresis(distance: FloatArray, scatter: float) -> BoolArray:
    """Pixels over the low threshold that are joined to one over the high one."""
    import cv2

    smooth = cv2.GaussianBlur(distance, (0, 0), 0.7)
    maybe = smooth > max(_MAYBE, 3.5 * scatter)
    sure = smooth > max(_SURE, 7 * scatter)
    _, labels = cv2.connectedComponents(maybe.astype(np.uint8), connectivity=8)
    kept = np.unique(labels[sure & maybe])
    return np.asarray(np.isin(labels, kept[kept > 0]), np.bool_)


def _cluttered(pixels: NDArray[np.uint8], lab: FloatArray, ground: Background) -> BoolArray:
    """GrabCut from the border's colours and the middle of the picture."""
    import cv2

    height, width = lab.shape[:2]
    salience = _salience(lab, ground)
    level, _ = cv2.threshold(np.clip(salience * 4, 0, 255).astype(np.uint8), 0, 255, cv2.THRESH_OTSU)
    likely = salience * 4 > level
    state = np.full((height, width), cv2.GC_PR_BGD, np.uint8)
    state[likely] = cv2.GC_PR_FGD
    state[border_of(height, width) & ~likely] = cv2.GC_BGD
    cv2.setRNGSeed(0)  # GrabCut clusters with OpenCV's own generator; the same photo must give the same mask
    try:
        cv2.grabCut(np.ascontiguousarray(pixels), state, None, np.zeros((1, 65)), np.zeros((1, 65)), _GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # fewer pixels of a kind than mixture components
        return np.zeros((height, width), np.bool_)
    mask = np.asarray((state & 1) == 1, np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    return _without_pinholes(_without_specks(mask.astype(np.bool_)), salience)


def _salience(lab: FloatArray, ground: Background) -> FloatArray:
    """Distance from the nearest of the border's main colours, fading towards the border."""
    import cv2

    height, width = lab.shape[:2]
    frame = border_of(height, width)
    colours = np.ascontiguousarray(lab[frame])
    cv2.setRNGSeed(0)
    ends = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 15, 0.5)
    _, nearest, centres = cv2.kmeans(colours, 4, None, ends, 1, cv2.KMEANS_PP_CENTERS)
    shares = np.bincount(nearest.ravel(), minlength=4) / len(colours)
    # a colour that holds little of the border is more likely an object running out of the picture
    distances = [np.linalg.norm(lab - centre, axis=2) for centre, share in zip(centres, shares, strict=True) if share > 0.12]
    distance = np.min([*distances, ground.distance(lab) * 1.5], axis=0)
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    middle = np.exp(-(x**2 + y**2) / (2 * 0.7**2))
    blurred: FloatArray = cv2.GaussianBlur((distance * middle).astype(np.float32), (0, 0), 1.5)
    return blurred


def _without_specks(mask: BoolArray) -> BoolArray:
    """Drop pieces under 3 % of the largest."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count < 2:
        return mask
    areas = stats[1:, cv2.CC_STAT_AREA]
    return np.asarray(np.isin(labels, np.flatnonzero(areas >= 0.03 * areas.max()) + 1), np.bool_)


def _without_pinholes(mask: BoolArray, distance: FloatArray) -> BoolArray:
    """Close holes that are tiny or do not show the ground; scissors' rings and trigger guards stay open."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    filled = mask.copy()
    area = int(mask.sum())
    for number in range(1, count):
        left, top, wide, high, pixels = stats[number]
        inside = left > 0 and top > 0 and left + wide < mask.shape[1] and top + high < mask.shape[0]
        if inside and (pixels < 0.004 * area or float(np.median(distance[labels == number])) > 0.6 * _MAYBE):
            filled[labels == number] = True
    return filled


def _grown(mask: BoolArray, radius: int) -> BoolArray:
    import cv2

    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)), np.bool_)


def _quality(lab: FloatArray, mask: BoolArray, *, off_border: bool = True) -> float:
    """How visible the outline is, less for specks, for colours shared with the ground, and for lying along the border."""
    if not mask.any() or mask.all():
        return 0.0
    value = _visible_outline(lab, mask) * (0.5 + 0.5 * _wholeness(mask)) * (1 - _common_colours(lab, mask) ** 2)
    if off_border:
        edge = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
        value *= 1 - min(1.0, 2.5 * float(edge.mean()))
    return round(float(value), 4)


def _visible_outline(lab: FloatArray, mask: BoolArray) -> float:
    """Share of the outline where the colours a little inside and a little outside differ visibly."""
    import cv2

    def local_mean(where: BoolArray) -> tuple[FloatArray, FloatArray]:
        weight = where.astype(np.float32)
        total = cv2.boxFilter(weight, -1, (5, 5), normalize=False, borderType=cv2.BORDER_CONSTANT)
        colours = cv2.boxFilter(lab * weight[..., None], -1, (5, 5), normalize=False, borderType=cv2.BORDER_CONSTANT)
        return colours / np.maximum(total, 1)[..., None], total

    one = np.ones((3, 3), np.uint8)
    eroded = np.asarray(cv2.erode(mask.astype(np.uint8), one, borderValue=1), np.bool_)
    outline = mask & ~eroded
    inner, inner_count = local_mean(mask)
    outer, outer_count = local_mean(~_grown(mask, 1))
    judged = outline & (inner_count > 0) & (outer_count > 0)
    if not judged.any():
        return 0.0
    step = np.linalg.norm(inner - outer, axis=2)[judged]
    return float(np.clip(step / _VISIBLE_STEP, 0, 1).mean())


def _common_colours(lab: FloatArray, mask: BoolArray) -> float:
    """How much of the object has the ground's colours: the intersection of their histograms, 0 to 1."""
    steps = np.array([12.0, 16.0, 16.0], np.float32)
    binned = np.floor(lab / steps).astype(np.int64) + np.array([0, 16, 16])
    codes = (binned[..., 0] * 32 + binned[..., 1]) * 32 + binned[..., 2]
    near = _grown(mask, 20) & ~mask
    inside, outside = (np.bincount(codes[where], minlength=1) / max(1, where.sum()) for where in (mask, near))
    least = min(len(inside), len(outside))
    return float(np.minimum(inside[:least], outside[:least]).sum())


def _wholeness(mask: BoolArray) -> float:
    """How compact the pieces are: largest over all, or the best of similar ones."""
    import cv2

    count, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas: NDArray[Any] = np.sort(stats[1:count, cv2.CC_STAT_AREA])[::-1]
    return float(areas[areas >= 0.3 * areas[0]].sum() / areas.sum())
