"""Frechet distance between two sets of features."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import Score
from threatray.errors import DataError
from threatray.metrics.features import Features, checked_pair

_MOST_RESAMPLED: Final = 512


def gaussian_frechet(mean_a: Features, covariance_a: Features, mean_b: Features, covariance_b: Features) -> float:
    r"""Squared 2-Wasserstein distance of two Gaussians.

    .. math:: d^2 = |\mu_a - \mu_b|^2 + \mathrm{tr}(\Sigma_a + \Sigma_b - 2 (\Sigma_a^{1/2} \Sigma_b \Sigma_a^{1/2})^{1/2})

    The root is taken of a symmetric matrix, so that singular covariances need no padding.

    Args:
        mean_a: (D,).
        covariance_a: (D, D), symmetric, positive semidefinite.
        mean_b: (D,).
        covariance_b: (D, D).

    Returns:
        The distance, 0 or more.

    Source:
        Dowson and Landau, 1982; Heusel et al., 2017.

    Example:
        >>> gaussian_frechet(np.zeros(2), np.eye(2), np.array([3.0, 4.0]), 4 * np.eye(2))  # 25 + 2 * (2 - 1)^2
        27.0
    """
    values, vectors = np.linalg.eigh(covariance_a)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    inner = np.linalg.eigvalsh(root @ covariance_b @ root)
    cross = float(np.sqrt(np.maximum(inner, 0.0)).sum())
    distance = float(((mean_a - mean_b) ** 2).sum() + np.trace(covariance_a) + np.trace(covariance_b) - 2.0 * cross)
    return max(distance, 0.0)


def fid(
    first: NDArray[Any],
    second: NDArray[Any],
    *,
    extractor: str,
    name: str = "fid",
    rng: np.random.Generator | None = None,
    resamples: int = 50,
) -> Score:
    """Frechet distance of Gaussians fitted to two sets of features, without shrinkage.

    Args:
        first: (m, D), m of 2 or more.
        second: (n, D).
        extractor: The features' name. Only with the Inception network of 2015 is this the published FID.
        name: The figure's name.
        rng: Draws a bootstrap over the rows of both sets, whose spread gives an interval; none if None.
        resamples: Of the bootstrap. There is no interval where sets and features all go beyond 512: it would take minutes.

    Raises:
        DataError: Too few rows, unequal D, not finite.

    Note:
        Biased upwards for small sets; between sets of a few hundred trust ``kid``.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> features = rng.normal(size=(50, 4))
        >>> fid(features, features, extractor="doc").value < 1e-9
        True
    """
    a, b = checked_pair(first, second)
    if a.shape[1] > 4096:
        raise DataError(f"fid: {a.shape[1]} features make a covariance of {a.shape[1]} squared; use at most 4096.")
    value, low, high = _frechet(a, b), None, None
    if rng is not None and min(len(a), len(b), a.shape[1]) <= _MOST_RESAMPLED:
        drawn = [_frechet(*(one[rng.integers(len(one), size=len(one))] for one in (a, b))) for _ in range(resamples)]
        half = 1.96 * float(np.std(drawn, ddof=1))
        low, high = max(0.0, value - half), value + half
    return Score(name, value, low, high, len(a) + len(b), extractor, higher_is_better=False)


def _frechet(a: Features, b: Features) -> float:
    """Through the covariances or, where that is smaller, the products of all rows: the same figure."""
    means, few = (a.mean(axis=0), b.mean(axis=0)), min(len(a), len(b))
    if few >= a.shape[1]:
        covariances = [np.atleast_2d(np.cov(values, rowvar=False)) for values in (a, b)]
        return gaussian_frechet(means[0], covariances[0], means[1], covariances[1])
    x, y = ((values - mean) / np.sqrt(len(values) - 1) for values, mean in zip((a, b), means, strict=True))
    # With S = X'X, the trace of (S_a^1/2 S_b S_a^1/2)^1/2 is the sum of the singular values of X_a X_b'.
    cross = float(np.linalg.svd(x @ y.T, compute_uv=False).sum())
    return max(0.0, float(((means[0] - means[1]) ** 2).sum() + (x**2).sum() + (y**2).sum() - 2.0 * cross))
