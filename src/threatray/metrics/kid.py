"""Kernel distance between two sets of features."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import Score
from threatray.errors import ConfigError
from threatray.metrics.features import Features, checked_pair

_MOST_KEPT: Final = 4096
"""Kernels of sets up to this many rows are kept whole; of larger ones, each subset's is made anew."""
_LARGEST_SUBSET: Final = 1000


def kernel_distance(first: NDArray[Any], second: NDArray[Any]) -> float:
    r"""Unbiased squared maximum mean discrepancy with the cubic kernel :math:`k(x, y) = (x \cdot y / D + 1)^3`.

    .. math:: \frac{\sum_{i \ne j} k(x_i, x_j)}{m (m-1)} + \frac{\sum_{i \ne j} k(y_i, y_j)}{n (n-1)} - \frac{2 \sum_{i,j} k(x_i, y_j)}{m n}

    Args:
        first: (m, D), m of 2 or more.
        second: (n, D), n of 2 or more.

    Returns:
        The estimate; near 0, also slightly negative, for equal distributions.

    Raises:
        DataError: Too few rows, unequal D, not finite.

    Source:
        Binkowski et al., "Demystifying MMD GANs", 2018.

    Example:
        >>> kernel_distance(np.array([[0.0], [0.0]]), np.array([[1.0], [1.0]]))  # 1 + 8 - 2
        7.0
    """
    return _mmd(*checked_pair(first, second))


def kid(
    first: NDArray[Any],
    second: NDArray[Any],
    *,
    extractor: str,
    rng: np.random.Generator,
    name: str = "kid",
    subsets: int = 100,
    subset_size: int | None = None,
) -> Score:
    """The kernel distance of all features, with an interval from random subsets.

    The interval is the distance plus or minus 1.96 standard deviations of the estimate: the spread over subsets drawn without replacement,
    scaled from the subset's size to the set's (a half-sample's estimate scatters as much as subsampling theory says).

    Args:
        first: (m, D).
        second: (n, D).
        extractor: The features' name; part of the figure.
        rng: Draws the subsets.
        name: The figure's name.
        subsets: How many subsets.
        subset_size: Rows of each set in a subset; if None half the smaller set, at most 1000.

    Raises:
        ConfigError: Fewer than 2 subsets, or a subset larger than the smaller set.
        DataError: Fewer than 4 rows, unequal D, not finite.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> score = kid(rng.normal(size=(50, 4)), rng.normal(size=(60, 4)), extractor="doc", rng=rng)
        >>> score.low < 0 < score.high
        True
    """
    a, b = checked_pair(first, second, least=4)
    smaller = min(len(a), len(b))
    size = max(2, min(smaller // 2, _LARGEST_SUBSET)) if subset_size is None else subset_size
    if subsets < 2 or not 2 <= size <= smaller:
        raise ConfigError(f"kid: expected at least 2 subsets of 2 to {smaller} rows, got {subsets} subsets of {size}.")
    kernels = (_kernel(a, a), _kernel(b, b), _kernel(a, b)) if max(len(a), len(b)) <= _MOST_KEPT else None
    value = _mmd(a, b) if kernels is None else _mmd_of(*kernels)
    estimates = np.empty(subsets)
    for place in range(subsets):
        i, j = rng.choice(len(a), size, replace=False), rng.choice(len(b), size, replace=False)
        if kernels is None:
            estimates[place] = _mmd(a[i], b[j])
        else:
            estimates[place] = _mmd_of(kernels[0][np.ix_(i, i)], kernels[1][np.ix_(j, j)], kernels[2][np.ix_(i, j)])
    # var(subset of b out of n, without replacement) = var(n) * (n - b) / b, if the variance falls as 1/n
    spread = float(estimates.std(ddof=1)) * float(np.sqrt(size / (smaller - size))) if size < smaller else float(estimates.std(ddof=1))
    half = 1.96 * spread
    return Score(name, value, value - half, value + half, len(a) + len(b), extractor, higher_is_better=False)


def _kernel(a: Features, b: Features) -> Features:
    base: Features = a @ b.T
    base /= a.shape[1]
    base += 1.0
    return base * base * base  # ten times as fast as ** 3


def _mmd(a: Features, b: Features) -> float:
    """In blocks of rows: no matrix of all pairs."""
    m, n = len(a), len(b)
    within_a = (_total(a, a) - float((((a**2).sum(axis=1) / a.shape[1] + 1.0) ** 3).sum())) / (m * (m - 1))
    within_b = (_total(b, b) - float((((b**2).sum(axis=1) / b.shape[1] + 1.0) ** 3).sum())) / (n * (n - 1))
    return within_a + within_b - 2.0 * _total(a, b) / (m * n)


def _total(a: Features, b: Features) -> float:
    return sum(float(_kernel(a[start : start + _LARGEST_SUBSET], b).sum()) for start in range(0, len(a), _LARGEST_SUBSET))


def _mmd_of(aa: Features, bb: Features, ab: Features) -> float:
    m, n = len(aa), len(bb)
    within_a = (aa.sum() - np.trace(aa)) / (m * (m - 1))
    within_b = (bb.sum() - np.trace(bb)) / (n * (n - 1))
    return float(within_a + within_b - 2.0 * ab.mean())
