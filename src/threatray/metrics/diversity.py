"""Whether made things differ among themselves as much as real ones do, and whether some are there twice."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import Score
from threatray.errors import DataError
from threatray.metrics.features import Features, checked, squared_distances

_NEAR: Final = 0.1


def diversity(
    made: NDArray[Any], real: NDArray[Any], *, extractor: str, rng: np.random.Generator, name: str = "diversity", resamples: int = 200
) -> Score:
    """Mean distance of pairs of made things of one class over that of real ones: 1 where they vary alike, 0 where all are one.

    Args:
        made: (M, D) of one class.
        real: (N, D) of the same class.
        extractor: The features' name.
        rng: Draws the bootstrap over items.
        name: The figure's name.
        resamples: Of the bootstrap.

    Raises:
        DataError: Fewer than 3 of either, unequal D, or real ones that do not differ at all.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> real = rng.normal(size=(40, 4))
        >>> round(diversity(real / 2, real, extractor="doc", rng=rng).value, 6)
        0.5
    """
    sides = [np.sqrt(squared_distances(each, each)) for each in (checked("made", made, least=3), checked("real", real, least=3))]
    if made.shape[1] != real.shape[1]:
        raise DataError(f"diversity: the sets have {made.shape[1]} and {real.shape[1]} features; use one extractor.")
    means = [float(side.sum()) / (len(side) * (len(side) - 1)) for side in sides]
    if means[1] == 0:
        raise DataError("diversity: the real things do not differ at all in these features.")
    drawn = [[_resampled(side, rng) for side in sides] for _ in range(resamples)]
    ratios = [mine / theirs for mine, theirs in drawn if theirs > 0]
    low, high = np.quantile(ratios, [0.025, 0.975])
    return Score(name, means[0] / means[1], float(low), float(high), len(made) + len(real), extractor, higher_is_better=True)


def duplicates(made: NDArray[Any], real: NDArray[Any], *, near: float = _NEAR) -> list[tuple[int, int]]:
    """Pairs of made things that are nearly the same.

    Args:
        made: (M, D) of one class.
        real: (N, D) of the same class: the median distance of a real thing to its nearest other one is the measure.
        near: A pair is one if its distance is below this share of that median.

    Returns:
        Pairs (i, j), i < j, the nearest first.

    Raises:
        DataError: Fewer than 2 of either, or unequal D.

    Example:
        >>> real = np.array([[0.0], [1.0], [2.0]])
        >>> duplicates(np.array([[0.5], [7.0], [0.51]]), real)
        [(0, 2)]
    """
    y, x = checked("made", made), checked("real", real)
    own = squared_distances(x, x)
    np.fill_diagonal(own, np.inf)
    limit = near * float(np.median(np.sqrt(own.min(axis=1))))
    between = np.sqrt(squared_distances(y, y))
    first, second = np.nonzero(np.triu(between <= limit, k=1))
    order = np.argsort(between[first, second], kind="stable")
    return [(int(first[place]), int(second[place])) for place in order]


def _resampled(distances: Features, rng: np.random.Generator) -> float:
    """Mean distance of pairs of different items in a resample: an item drawn twice is no pair of its own."""
    count = np.bincount(rng.integers(len(distances), size=len(distances)), minlength=len(distances)).astype(np.float64)
    pairs = count.sum() ** 2 - (count**2).sum()
    return float(count @ distances @ count / pairs) if pairs else 0.0
