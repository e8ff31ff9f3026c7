"""Where in a bag a threat may lie, and which of those places is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from threatray.core.annotations import box_of_mask
from threatray.core.image import BoolArray, FloatArray
from threatray.errors import ConfigError
from threatray.tip.bag_map import BagMap
from threatray.tip.refusal import Reason, Refused

RelativePosition = tuple[float, float]
"""Centre of a threat in its bag's box: (0, 0) is the top left corner, (1, 1) the bottom right one."""


class PlacementMode(StrEnum):
    """How a place is chosen among the valid ones."""

    SPREAD = "spread"
    MATCH = "match"
    CLUTTER = "clutter"


class OcclusionLevel(StrEnum):
    """How much of a threat lies over dense things, after OPIXray's three test sets, which were sorted by eye.

    OPIXray says: OL1 no or slight, OL2 partial, OL3 severe or full occlusion. Here they are thirds of the overlap.
    """

    OL1 = "ol1"
    OL2 = "ol2"
    OL3 = "ol3"

    @classmethod
    def of(cls, overlap: float) -> OcclusionLevel:
        """The level of a share of overlapped pixels.

        Example:
            >>> [OcclusionLevel.of(share).value for share in (0.0, 0.5, 1.0)]
            ['ol1', 'ol2', 'ol3']
        """
        return cls.OL1 if overlap < 1 / 3 else cls.OL2 if overlap <= 2 / 3 else cls.OL3


@dataclass(frozen=True)
class Difficulty:
    """Which of the valid places ``clutter`` takes.

    Args:
        attenuation_quantile_range: Of all valid places, sorted by the bag's mean attenuation under the threat, those between
            these quantiles: (0.75, 1) is the darkest quarter.
        level: Only places of this occlusion level; None for any.
        dense_attenuation: What counts as dense when overlap is measured: attenuation of at least this.
    """

    attenuation_quantile_range: tuple[float, float] = (0.0, 1.0)
    level: OcclusionLevel | None = None
    dense_attenuation: float = 0.7

    def __post_init__(self) -> None:
        low, high = self.attenuation_quantile_range
        if not 0 <= low < high <= 1:
            raise ConfigError(f"difficulty: attenuation_quantile_range must rise within [0, 1], got {(low, high)}.")
        if not self.dense_attenuation > 0:
            raise ConfigError(f"difficulty: dense_attenuation must be above 0, got {self.dense_attenuation}.")


@dataclass(frozen=True)
class Place:
    """Where a threat lies in a bag, and over what.

    Args:
        x: Column of the window's left edge.
        y: Row of the window's top edge.
        under: Mean attenuation of the bag under the threat.
        overlap: Share of the threat over dense things.
    """

    x: int
    y: int
    under: float = 0.0
    overlap: float = 0.0


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
    if not 0 < min_inside <= 1:
        raise ConfigError(f"placement: min_inside must lie in (0, 1], got {min_inside}.")
    height, width = bag.shape[0] - threat.shape[0] + 1, bag.shape[1] - threat.shape[1] + 1
    if height <= 0 or width <= 0:
        return np.zeros((max(0, height), max(0, width)), np.bool_)
    outside = _sums(~bag, threat)
    # Counts of pixels are whole numbers; the transform is not.
    return np.asarray(np.rint(outside) <= np.floor((1 - min_inside) * threat.sum() + 1e-9), np.bool_)


def _sums(values: FloatArray | BoolArray, threat: FloatArray | BoolArray) -> FloatArray:
    """For each corner the sum of the values under the threat, weighted by it."""
    import cv2

    return np.asarray(cv2.matchTemplate(values.astype(np.float32), threat.astype(np.float32), cv2.TM_CCORR), np.float32)


def place(
    bag: BagMap,
    free: BoolArray,
    threat: BoolArray,
    rng: np.random.Generator,
    *,
    mode: PlacementMode = PlacementMode.SPREAD,
    positions: Sequence[RelativePosition] = (),
    difficulty: Difficulty = Difficulty(),
    min_inside: float = 1.0,
    max_under_attenuation: float = np.inf,
) -> Place | Refused:
    """Draw a place for a threat inside a bag.

    ``spread`` takes any valid place with equal chance; ``match`` draws a real threat's relative position and takes the
    valid place nearest to it, so that composites lie where real threats lay; ``clutter`` takes a place of the wanted difficulty.

    Args:
        bag: The bag on its grid.
        free: Its cells that may be covered, a part of ``bag.inside``.
        threat: (h, w) bool, the threat's silhouette in pixels.
        rng: Source of all randomness.
        mode: Which of the three.
        positions: Relative positions of real threats, for ``match``.
        difficulty: For ``clutter``.
        min_inside: Least share of the threat inside the bag.
        max_under_attenuation: Too dark to be seen is a place where over half of the threat lies over more than this.

    Returns:
        The place, or why there is none.

    Raises:
        ConfigError: ``match`` without positions, or a number out of range.

    Note:
        Places are searched cell by cell, and the threat is then moved within a cell. The threat counts for every cell that it
        touches, so with ``min_inside=1`` no pixel of it leaves the free cells.

    Example:
        >>> transmission = np.ones((1, 60, 80), np.float32); transmission[0, 10:50, 20:70] = 0.5
        >>> from threatray.core.image import GREY, Quantity, XrayImage
        >>> bag = BagMap.of(XrayImage(transmission, Quantity.TRANSMISSION, GREY))
        >>> spot = place(bag, bag.inside, np.ones((10, 20), bool), np.random.default_rng(1))
        >>> bool(20 <= spot.x <= 50 and 10 <= spot.y <= 40), round(spot.under, 2)
        (True, 0.69)
        >>> print(place(bag, bag.inside, np.ones((45, 20), bool), np.random.default_rng(1)))
        larger than the bag: 20x45 pixels in a bag of 50x40
    """
    if mode is PlacementMode.MATCH and not positions:
        raise ConfigError("placement: match needs the relative positions of real threats, got none. Use spread.")
    if not 0 < min_inside <= 1:
        raise ConfigError(f"placement: min_inside must lie in (0, 1], got {min_inside}.")
    step = bag.step
    drawn = tuple(int(shift) for shift in rng.integers(step, size=2))
    if not free.any():
        return Refused(Reason.NO_BAG, "no free cell is left")
    x0, y0, x1, y1 = (int(edge) for edge in box_of_mask(free))
    window, dark = free[y0:y1, x0:x1], bag.attenuation[y0:y1, x0:x1]
    size = f"{threat.shape[1]}x{threat.shape[0]} pixels in a bag of {(x1 - x0) * step}x{(y1 - y0) * step}"
    for down, right in (drawn, (0, 0)):  # a tight fit may leave no room for a move within the cell
        counts = _cell_counts(threat, step, down, right)
        fits = _fitting(window, counts, min_inside, step)
        if fits.any():
            break
    else:
        return Refused(Reason.DOES_NOT_FIT, size)
    shares = counts / np.float32(counts.sum())
    if dark.max() > max_under_attenuation:
        fits = fits & (_sums(dark > max_under_attenuation, shares) <= 0.5)
        if not fits.any():
            return Refused(Reason.NO_PLACE, f"over more than {max_under_attenuation:.2g} attenuation everywhere; {size}")
    if mode is PlacementMode.CLUTTER:
        fits = fits & _of_difficulty(dark, shares, fits, difficulty)
        if not fits.any():
            return Refused(Reason.NO_CLUTTER, f"{difficulty.level or difficulty.attenuation_quantile_range} wanted; {size}")
    corners = np.argwhere(fits)
    if mode is PlacementMode.MATCH:
        target = positions[int(rng.integers(len(positions)))]
        centres = (corners + (np.array(counts.shape) - 1) / 2) / np.maximum(1, np.array(window.shape) - 1)
        row, column = corners[np.argmin(((centres - target[::-1]) ** 2).sum(axis=1))]
    else:
        row, column = corners[int(rng.integers(len(corners)))]
    under = dark[row : row + counts.shape[0], column : column + counts.shape[1]]
    overlap = float(shares[under >= difficulty.dense_attenuation].sum())
    return Place(int(x0 + column) * step + right, int(y0 + row) * step + down, float((under * shares).sum()), min(1.0, overlap))


def _fitting(free: BoolArray, counts: FloatArray, min_inside: float, step: int) -> BoolArray:
    if min_inside == 1:
        return valid_places(free, counts > 0)
    if counts.shape[0] > free.shape[0] or counts.shape[1] > free.shape[1]:
        return np.zeros((0, 0), np.bool_)
    return np.asarray(_sums(~free, counts) <= (1 - min_inside) * counts.sum() + 1e-4 * step * step, np.bool_)


def _of_difficulty(dark: FloatArray, shares: FloatArray, fits: BoolArray, wanted: Difficulty) -> BoolArray:
    under = _sums(dark, shares)
    low, high = np.quantile(under[fits], wanted.attenuation_quantile_range)
    found = (under >= low) & (under <= high)
    if wanted.level is not None:
        overlap = _sums(dark >= wanted.dense_attenuation, shares)
        found &= _levels(overlap) == list(OcclusionLevel).index(wanted.level)
    return np.asarray(found, np.bool_)


def _levels(overlap: FloatArray) -> FloatArray:
    """``OcclusionLevel.of`` for arrays, as places in the enumeration."""
    return (overlap >= 1 / 3).astype(np.float32) + (overlap > 2 / 3)


def _cell_counts(threat: BoolArray, step: int, down: int, right: int) -> FloatArray:
    """How many of the threat's pixels lie in each cell when its corner lies this far within one."""
    import cv2

    if step == 1:
        return threat.astype(np.float32)
    rows, columns = -(-(threat.shape[0] + down) // step), -(-(threat.shape[1] + right) // step)
    padded = np.zeros((rows * step, columns * step), np.float32)
    padded[down : down + threat.shape[0], right : right + threat.shape[1]] = threat
    means = cv2.resize(padded, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.asarray(np.rint(means * np.float32(step * step)), np.float32)


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
