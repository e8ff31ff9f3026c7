"""Is what was made like the real (precision, density), and is all of the real made (recall, coverage)?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from threatray.core import Score
from threatray.errors import ConfigError
from threatray.metrics.features import Features, checked_pair, squared_distances


@dataclass(frozen=True)
class PrecisionRecall:
    """Four shares; density may exceed 1."""

    precision: Score
    recall: Score
    density: Score
    coverage: Score


def precision_recall(real: NDArray[Any], made: NDArray[Any], *, extractor: str, neighbours: int = 5) -> PrecisionRecall:
    r"""Manifold precision and recall, density and coverage, from balls that reach each item's k-th neighbour in its own set.

    Precision is the share of made items inside some real ball, recall the share of real items inside some made ball; density is
    :math:`\frac{1}{k M} \sum_j |\{i : y_j \in B(x_i)\}|`, coverage the share of real balls that hold a made item.

    Args:
        real: (N, D).
        made: (M, D).
        extractor: The features' name.
        neighbours: k, below both set sizes.

    Raises:
        ConfigError: k does not fit the sets.
        DataError: Unequal D, not finite.

    Source:
        Kynkaanniemi et al. 2019; Naeem et al. 2020.

    Example:
        >>> line = np.arange(6.0)[:, None]
        >>> found = precision_recall(line, line, extractor="doc", neighbours=2)
        >>> found.precision.value, found.recall.value, found.coverage.value
        (1.0, 1.0, 1.0)
    """
    a, b = checked_pair(real, made)
    if not 1 <= neighbours < min(len(a), len(b)):
        raise ConfigError(
            f"precision_recall: neighbours must lie in [1, {min(len(a), len(b)) - 1}] for {len(a)} and {len(b)} items, got {neighbours}."
        )
    radius_a, radius_b = _radius(a, neighbours), _radius(b, neighbours)
    between = squared_distances(a, b)
    in_real = between <= radius_a[:, None]
    in_made = between <= radius_b[None, :]
    shares = {
        "precision": float(in_real.any(axis=0).mean()),
        "recall": float(in_made.any(axis=1).mean()),
        "density": float(in_real.sum(axis=0).mean() / neighbours),
        "coverage": float(in_real.any(axis=1).mean()),
    }
    return PrecisionRecall(
        **{name: Score(name, value, None, None, len(a) + len(b), extractor, higher_is_better=True) for name, value in shares.items()}
    )


def _radius(values: Features, neighbours: int) -> Features:
    """Squared distance to the k-th neighbour; the item itself is the zeroth."""
    radius: Features = np.partition(squared_distances(values, values), neighbours, axis=1)[:, neighbours]
    return radius
