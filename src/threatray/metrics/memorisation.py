"""Whether made things are copies of the training set."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from threatray.core import Score
from threatray.errors import DataError
from threatray.metrics.features import checked, squared_distances


def memorisation_ratio(
    made: NDArray[Any], training: NDArray[Any], held_back: NDArray[Any], *, extractor: str, rng: np.random.Generator, repeats: int = 20
) -> Score:
    r"""How much nearer made things are to the training set than to real things never seen.

    The median over made items of :math:`d(y, training) / d(y, held\ back)` with nearest-neighbour distances, the larger real set
    thinned to the smaller one's size, averaged over random thinnings. About 1 for a generator that learned the distribution, near 0
    for one that copies.

    Args:
        made: (M, D).
        training: (N, D), what the generator saw.
        held_back: (K, D), of the same kind and never seen.
        extractor: The features' name.
        rng: Draws the thinnings and the bootstrap.
        repeats: Thinnings.

    Returns:
        The ratio with a bootstrap 95 % interval over made items.

    Raises:
        DataError: Too few rows, unequal D, not finite.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> training, held_back = rng.normal(size=(40, 3)), rng.normal(size=(40, 3))
        >>> memorisation_ratio(training + 1e-6, training, held_back, extractor="doc", rng=rng).value < 0.01
        True
    """
    y, seen, unseen = checked("made", made), checked("training", training), checked("held back", held_back)
    if not y.shape[1] == seen.shape[1] == unseen.shape[1]:
        raise DataError(f"memorisation: the sets have {y.shape[1]}, {seen.shape[1]} and {unseen.shape[1]} features; use one extractor.")
    to_seen, to_unseen = squared_distances(y, seen), squared_distances(y, unseen)
    size = min(len(seen), len(unseen))
    tiny = np.finfo(np.float64).tiny
    ratios = np.empty((repeats, len(y)))
    for place in range(repeats):
        near = to_seen[:, rng.choice(len(seen), size, replace=False)].min(axis=1)
        far = to_unseen[:, rng.choice(len(unseen), size, replace=False)].min(axis=1)
        ratios[place] = np.sqrt((near + tiny) / (far + tiny))
    each = ratios.mean(axis=0)
    resampled = np.median(each[rng.integers(len(each), size=(1000, len(each)))], axis=1)
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Score("memorisation_ratio", float(np.median(each)), float(low), float(high), len(y), extractor, higher_is_better=True)


def nearest_training(made: NDArray[Any], training: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each made item its nearest training item, and how near that is for one of its kind.

    Args:
        made: (M, D).
        training: (N, D), N of 2 or more.

    Returns:
        Indices into ``training``, and the distance over the median distance of a training item to its nearest other one: 0 for a
        copy, about 1 for something as new as one real item is to the others.

    Raises:
        DataError: Too few rows, unequal D, not finite.

    Example:
        >>> training = np.array([[0.0], [2.0], [4.0]])
        >>> which, how_near = nearest_training(np.array([[2.0], [5.0]]), training)
        >>> which.tolist(), how_near.tolist()
        ([1, 2], [0.0, 0.5])
    """
    y, seen = checked("made", made, least=1), checked("training", training)
    if y.shape[1] != seen.shape[1]:
        raise DataError(f"memorisation: the sets have {y.shape[1]} and {seen.shape[1]} features; use one extractor.")
    own = squared_distances(seen, seen)
    np.fill_diagonal(own, np.inf)
    usual = float(np.median(np.sqrt(own.min(axis=1)))) or float(np.finfo(np.float64).tiny)
    between = squared_distances(y, seen)
    which = between.argmin(axis=1)
    return which.astype(np.int64), np.sqrt(between[np.arange(len(y)), which]) / usual
