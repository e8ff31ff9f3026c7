"""Checks that every feature-based figure shares."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from threatray.errors import DataError

Features = NDArray[np.float64]


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
