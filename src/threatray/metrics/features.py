"""Checks that every feature-based figure shares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.errors import DataError

Features = NDArray[np.float64]

_MOST_EXACT: Final = 500_000_000
"""Products of a distance matrix (N M D) above which it is taken by matrix multiplication, which is faster and rounds more."""
_BLOCK_ROWS: Final = 1000


def checked(name: str, features: NDArray[Any], *, least: int = 2) -> Features:
    """Features as float64.

    Args:
        name: What they are, for messages.
        features: (N, D).
        least: Fewest rows that make sense.

    Raises:
        DataError: Not (N, D), too few rows, or not finite.
    """
    values = np.asarray(features, np.float64)
    if values.ndim != 2 or values.shape[1] == 0:
        raise DataError(f"{name}: expected features of shape (N, D), got {values.shape}.")
    if len(values) < least:
        raise DataError(f"{name}: expected at least {least} items, got {len(values)}.")
    if not np.isfinite(values).all():
        raise DataError(f"{name}: features must be finite, {int((~np.isfinite(values)).any(axis=1).sum())} rows are not.")
    return values


def checked_pair(first: NDArray[Any], second: NDArray[Any], *, least: int = 2) -> tuple[Features, Features]:
    """Two sets of features of one extractor.

    Raises:
        DataError: One of them is wrong, or they have different numbers of features.
    """
    a, b = checked("first set", first, least=least), checked("second set", second, least=least)
    if a.shape[1] != b.shape[1]:
        raise DataError(f"features: the sets have {a.shape[1]} and {b.shape[1]} features; use one extractor for both.")
    return a, b


def squared_distances(a: Features, b: Features) -> Features:
    """(N, M) squared Euclidean distances, never negative.

    Example:
        >>> squared_distances(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 0.0]])).tolist()
        [[25.0, 0.0]]
    """
    from scipy.spatial.distance import cdist

    distances: Features = cdist(a, b, "sqeuclidean")
    return distances


def distance_blocks(a: Features, b: Features) -> Iterator[tuple[slice, Features]]:
    """The rows of `squared_distances` in blocks, so that large sets need no matrix of all pairs.

    Large sets are compared as |x|^2 + |y|^2 - 2 x.y: equal rows may then differ by rounding, some 1e-14 of their squared length.

    Example:
        >>> [(rows, found.shape) for rows, found in distance_blocks(np.zeros((1500, 2)), np.ones((3, 2)))]
        [(slice(0, 1000, None), (1000, 3)), (slice(1000, 1500, None), (500, 3))]
    """
    fast = len(a) * len(b) * a.shape[1] > _MOST_EXACT
    lengths = (b**2).sum(axis=1)
    for start in range(0, len(a), _BLOCK_ROWS):
        rows = slice(start, min(start + _BLOCK_ROWS, len(a)))
        if fast:
            found = a[rows] @ b.T
            found *= -2.0
            found += (a[rows] ** 2).sum(axis=1)[:, None]
            found += lengths
            yield rows, np.maximum(found, 0.0, out=found)
        else:
            yield rows, squared_distances(a[rows], b)


def mean_interval(values: Features) -> tuple[float, float]:
    """The 95 % interval of a mean over items: what a bootstrap over them tends to.

    Example:
        >>> low, high = mean_interval(np.array([0.0, 1.0, 0.0, 1.0]))
        >>> round(low, 2), round(high, 2)
        (0.01, 0.99)
    """
    mean = float(values.mean())
    half = 1.96 * float(values.std()) / float(np.sqrt(len(values)))
    return mean - half, mean + half
