"""How well a guessed mask is likely to overlap the true one, told from the scan alone."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Final

import numpy as np

from threatray.core.image import BoolArray, FloatArray
from threatray.tip.background import harmonic_fill

_JUMP: Final = 0.25
"""A step in summed attenuation that an eye takes for an edge."""

_LEAST_PIXELS: Final = 16


@dataclass(frozen=True)
class MaskCues:
    """What a scan says about a guessed mask: seven figures, none of which knows the true one.

    Args:
        widest_gap: The widest of the four gaps between mask and box, as a share of the box's side: a box is drawn tight.
        gaps: The sum of all four.
        crossing: Share of the box's frame that the mask runs through.
        sharpness: Share of the outline at which attenuation jumps by more than an eye's threshold.
        compactness: Square root of the area over the length of the outline.
        contrast: Median attenuation added, at most 5.
        evenness: Spread of the logarithm of the attenuation added.
    """

    widest_gap: float
    gaps: float
    crossing: float
    sharpness: float
    compactness: float
    contrast: float
    evenness: float


def mask_cues(mask: BoolArray, inside: BoolArray, attenuation: FloatArray) -> MaskCues | None:
    """Measure a guessed mask.

    Args:
        mask: (H, W) bool.
        inside: (H, W) bool, the box.
        attenuation: (C, H, W) crop of the scan.

    Returns:
        The cues, or None for a mask of a few pixels.
    """
    import cv2

    if mask.sum() < _LEAST_PIXELS:
        return None
    kernel = np.ones((3, 3), np.uint8)
    solid, total = mask.astype(np.uint8), attenuation.sum(axis=0)
    (top, bottom, left, right), (box_top, box_bottom, box_left, box_right) = _edges(mask), _edges(inside)
    tall, wide = box_bottom - box_top, box_right - box_left
    gaps = ((top - box_top) / tall, (box_bottom - bottom) / tall, (left - box_left) / wide, (box_right - right) / wide)
    frame = inside.copy()
    frame[box_top + 2 : box_bottom - 2, box_left + 2 : box_right - 2] = False
    inner = (solid - cv2.erode(solid, kernel, iterations=3)).astype(np.float32)
    outer = (cv2.dilate(solid, kernel, iterations=3) - cv2.dilate(solid, kernel)).astype(np.float32)
    weight_inner, weight_outer = cv2.blur(inner, (7, 7)), cv2.blur(outer, (7, 7))
    rim = (solid - cv2.erode(solid, kernel)).astype(np.bool_) & (weight_outer > 0) & (weight_inner > 0)
    hole = cv2.dilate(solid, kernel).astype(np.bool_)
    if not rim.any() or hole.all():
        return None
    jump = cv2.blur(total * inner, (7, 7))[rim] / weight_inner[rim] - cv2.blur(total * outer, (7, 7))[rim] / weight_outer[rim]
    added = (total - harmonic_fill(total[None], hole)[0])[mask]
    return MaskCues(
        widest_gap=float(max(gaps)),
        gaps=float(sum(gaps)),
        crossing=float((mask & frame).sum() / max(1, frame.sum())),
        sharpness=float((jump > _JUMP).mean()),
        compactness=float(np.sqrt(mask.sum()) / rim.sum()),
        contrast=float(np.clip(np.median(added), 0, 5)),
        evenness=float(np.std(np.log(np.maximum(added, 0.05)))),
    )


def expected_overlap(cues: MaskCues | None) -> float:
    """The overlap (intersection over union) with the true mask to expect of a mask with these cues.

    Args:
        cues: From ``mask_cues``; None gives 0.

    Returns:
        In [0, 1].

    Note:
        A ridge regression fitted on the phantom's threats, in its own bags and projected into real benign ones; no drawn mask of
        a real threat was used. It ranks masks well and, on real metal, is too modest (see ``benchmarks/isolate.md``).

    Example:
        >>> neat = MaskCues(0.01, 0.02, 0.05, 0.98, 0.18, 1.6, 0.3)
        >>> torn = MaskCues(0.5, 0.9, 0.15, 0.6, 0.07, 0.4, 1.1)
        >>> expected_overlap(neat) > expected_overlap(torn) + 0.3
        True
    """
    if cues is None:
        return 0.0
    lows, highs, weights = (np.array(column) for column in zip(*_FIT, strict=True))
    return float(np.clip(_BIAS + np.clip(np.array(astuple(cues)), lows, highs) @ weights, 0.0, 1.0))


def _edges(mask: BoolArray) -> tuple[int, int, int, int]:
    """First row, one past the last row, first column, one past the last column."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


_BIAS: Final = -0.0838
_FIT: Final = (
    # low, high, weight: a cue counts within the range that it had in the fit
    (0.00284, 0.7764, -0.6254),  # widest_gap
    (0.00284, 1.208, -0.275),  # gaps
    (0, 0.1557, -0.4457),  # crossing
    (0.9032, 1, 0.5574),  # sharpness
    (0.06036, 0.1917, 2.895),  # compactness
    (1.103, 5, 0.04707),  # contrast
    (0.235, 1.183, -0.3369),  # evenness
)
