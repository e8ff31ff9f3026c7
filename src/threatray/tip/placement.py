"""Where in a bag a threat may lie, and which of those places is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from threatray.core.annotations import box_of_mask
from threatray.core.image import BoolArray, FloatArray
from threatray.errors import ConfigError

RelativePosition = tuple[float, float]
"""Centre of a threat in its bag's box: (0, 0) is the top left corner, (1, 1) the bottom right one."""

_SEARCH_SIDE = 400


class PlacementMode(StrEnum):
    """How a place is chosen among the valid ones."""

    SPREAD = "spread"
    MATCH = "match"


@dataclass(frozen=True)
class Place:
    """The top left corner of the signature's window in the bag, in pixels."""

    x: int
    y: int


def valid_places(bag: BoolArray, threat: BoolArray, *, min_inside: float = 1.0) -> BoolArray:
    """All corners (y, x) at which at least this share of the threat's pixels lies inside the bag.

    Args:
        bag: (H, W) bool.
        threat: (h, w) bool.
        min_inside: Share in (0, 1].

    Returns:
        (H - h + 1, W - w + 1) bool, true where the threat may lie; of size 0 if its window is larger than the picture.

    Raises:
        ConfigError: ``min_inside`` out of range.

    Example:
        >>> bag = np.zeros((6, 8), bool); bag[1:5, 2:7] = True
        >>> places = valid_places(bag, np.ones((3, 4), bool))
        >>> np.argwhere(places).tolist()
        [[1, 2], [1, 3], [2, 2], [2, 3]]
    """
    from scipy.signal import fftconvolve

    if not 0 < min_inside <= 1:
        raise ConfigError(f"placement: min_inside must lie in (0, 1], got {min_inside}.")
    height, width = bag.shape[0] - threat.shape[0] + 1, bag.shape[1] - threat.shape[1] + 1
    if height <= 0 or width <= 0:
        return np.zeros((max(0, height), max(0, width)), np.bool_)
    inside = fftconvolve(bag.astype(np.float64), threat[::-1, ::-1].astype(np.float64), mode="valid")
    # Counts of pixels are whole numbers; the transform is not.
    return np.asarray(np.round(inside) >= np.ceil(min_inside * threat.sum() - 1e-9), np.bool_)


def place(
    bag: BoolArray,
    threat: BoolArray,
    rng: np.random.Generator,
    *,
    mode: PlacementMode = PlacementMode.SPREAD,
    positions: Sequence[RelativePosition] = (),
    min_inside: float = 1.0,
    candidates: int = 1,
) -> list[Place]:
    """Draw places for a threat inside a bag.

    ``spread`` takes any valid place with equal chance; ``match`` draws a real threat's relative position and takes the
    valid place nearest to it, so that composites lie where real threats lay.

    Args:
        bag: (H, W) bool, the bag's silhouette.
        threat: (h, w) bool, the threat's.
        rng: Source of all randomness.
        mode: Which of the two.
        positions: Relative positions of real threats, for ``match``.
        min_inside: Least share of the threat's pixels inside the bag.
        candidates: How many to draw, for a caller that rejects some.

    Returns:
        ``candidates`` places, best first come; empty if the threat fits nowhere.

    Raises:
        ConfigError: ``match`` without positions, or a number out of range.

    Note:
        Large pictures are searched on a grid coarser than a pixel; each place is then checked on the full one.

    Example:
        >>> bag = np.zeros((60, 80), bool); bag[10:50, 20:70] = True
        >>> spot = place(bag, np.ones((10, 20), bool), np.random.default_rng(1))[0]
        >>> bool(bag[spot.y : spot.y + 10, spot.x : spot.x + 20].all())
        True
        >>> place(bag, np.ones((45, 20), bool), np.random.default_rng(1))
        []
    """
    if candidates < 1:
        raise ConfigError(f"placement: candidates must be at least 1, got {candidates}.")
    if mode is PlacementMode.MATCH and not positions:
        raise ConfigError("placement: match needs the relative positions of real threats, got none. Use spread.")
    if not bag.any() or not threat.any():
        return []
    x0, y0, x1, y1 = (int(edge) for edge in box_of_mask(bag))
    step = max(1, -(-max(x1 - x0, y1 - y0) // _SEARCH_SIDE))
    window = bag[y0:y1, x0:x1]
    coarse_bag, coarse_threat = (window, threat) if step == 1 else (_shrink_all(window, step), _shrink_any(threat, step))
    corners = np.argwhere(valid_places(coarse_bag, coarse_threat, min_inside=min_inside))
    if len(corners) == 0:
        return []
    if mode is PlacementMode.SPREAD:
        chosen = corners[rng.integers(len(corners), size=candidates)]
    else:
        wanted = np.array([positions[drawn] for drawn in rng.integers(len(positions), size=candidates)])
        half = (np.array(coarse_threat.shape) - 1) / 2
        centres = (corners + half) / np.maximum(1, np.array(coarse_bag.shape) - 1)
        chosen = np.stack([corners[np.argmin(((centres - target[::-1]) ** 2).sum(axis=1))] for target in wanted])
    jitter = rng.integers(step, size=(candidates, 2))
    found = []
    for (row, column), (down, right) in zip(chosen, jitter, strict=True):
        for dy, dx in ((down, right), (0, 0)):  # the jitter within a coarse cell is dropped if it leaves the bag
            y, x = y0 + int(row) * step + int(dy), x0 + int(column) * step + int(dx)
            under = bag[y : y + threat.shape[0], x : x + threat.shape[1]]
            if under.shape == threat.shape and (under & threat).sum() >= min_inside * threat.sum() - 1e-9:
                found.append(Place(x, y))
                break
    return found


def _shrink_all(mask: BoolArray, step: int) -> BoolArray:
    """A coarse pixel is set if all of its fine pixels are."""
    return np.asarray(_blocks(mask, step).all(axis=(1, 3)), np.bool_)


def _shrink_any(mask: BoolArray, step: int) -> BoolArray:
    """A coarse pixel is set if any of its fine pixels is."""
    return np.asarray(_blocks(mask, step).any(axis=(1, 3)), np.bool_)


def _blocks(mask: BoolArray, step: int) -> NDArray[Any]:
    height, width = mask.shape
    padded = np.pad(mask, ((0, -height % step), (0, -width % step)))
    return padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step)


def median_under(attenuation: FloatArray, threat: BoolArray, spot: Place) -> float:
    """Median attenuation (mean of the channels) of the bag under the threat's pixels.

    Example:
        >>> values = np.zeros((1, 4, 4), np.float32); values[0, 2:, 2:] = 3
        >>> median_under(values, np.ones((2, 2), bool), Place(2, 2))
        3.0
    """
    height, width = threat.shape
    window = attenuation[:, spot.y : spot.y + height, spot.x : spot.x + width]
    return float(np.median(window.mean(axis=0)[threat]))


def relative_position(bag: BoolArray, box: tuple[float, float, float, float]) -> RelativePosition:
    """Where the centre of a box lies in the bag's own box, clipped to [0, 1]; for ``match``.

    Example:
        >>> bag = np.zeros((50, 100), bool); bag[10:30, 20:60] = True
        >>> relative_position(bag, (35, 15, 45, 25))
        (0.5, 0.5)
    """
    x0, y0, x1, y1 = box_of_mask(bag)
    across, down = ((box[0] + box[2]) / 2 - x0) / (x1 - x0), ((box[1] + box[3]) / 2 - y0) / (y1 - y0)
    return min(1.0, max(0.0, across)), min(1.0, max(0.0, down))


def bag_length_px(bag: BoolArray) -> float:
    """The diagonal of the bag's box, in pixels: what threat lengths are relative to.

    Example:
        >>> bag = np.zeros((50, 100), bool); bag[10:40, 20:60] = True
        >>> bag_length_px(bag)
        50.0
    """
    x0, y0, x1, y1 = box_of_mask(bag)
    return float(np.hypot(x1 - x0, y1 - y0))


def relative_length(bag: BoolArray, box: tuple[float, float, float, float]) -> float:
    """A real threat's length as a share of its bag's: box diagonal over bag diagonal.

    The diagonal, not the long side, because it stays nearly the same however a long thing lies.

    Args:
        bag: (H, W) bool; where a scan shows several bags, the one under the box counts.
        box: The threat's box, xyxy pixels.

    Example:
        >>> bag = np.zeros((50, 100), bool); bag[10:40, 20:60] = True
        >>> relative_length(bag, (30, 20, 38, 26))
        0.2
    """
    one = bag_under(bag, ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2))
    return float(np.hypot(box[2] - box[0], box[3] - box[1])) / bag_length_px(one)


def bag_under(bag: BoolArray, point: tuple[float, float]) -> BoolArray:
    """The one bag of a scan that holds a point (x, y), or the nearest one.

    Example:
        >>> bag = np.zeros((10, 30), bool); bag[2:8, 2:10] = True; bag[2:8, 15:28] = True
        >>> int(bag_under(bag, (20, 5)).sum())
        78
    """
    from scipy import ndimage

    labels, count = ndimage.label(bag, structure=np.ones((3, 3)))
    if count <= 1:
        return bag
    rows, columns = np.nonzero(bag)
    nearest = np.argmin((columns - point[0]) ** 2 + (rows - point[1]) ** 2)
    return np.asarray(labels == labels[rows[nearest], columns[nearest]], np.bool_)
