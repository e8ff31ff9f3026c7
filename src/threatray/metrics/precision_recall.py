"""Is what was made like the real (precision, density), and is all of the real made (recall, coverage)?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from threatray.core import Score
from threatray.errors import ConfigError
from threatray.metrics.features import Features, checked_pair, distance_blocks, mean_interval


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

    Intervals are over the items counted (made ones for precision and density, real ones for recall and coverage), the balls as they are.

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
    inside_real, found_real, covered = np.zeros(len(b)), np.zeros(len(a)), np.zeros(len(a))
    for rows, between in distance_blocks(a, b):
        in_real = between <= radius_a[rows, None]
        inside_real += in_real.sum(axis=0)
        covered[rows] = in_real.any(axis=1)
        found_real[rows] = (between <= radius_b[None, :]).any(axis=1)
    counted = {
        "precision": (inside_real > 0).astype(np.float64),
        "recall": found_real,
        "density": inside_real / neighbours,
        "coverage": covered,
    }
    return PrecisionRecall(**{name: _score(name, values, len(a) + len(b), extractor) for name, values in counted.items()})


def _score(name: str, values: Features, items: int, extractor: str) -> Score:
    low, high = mean_interval(values)
    most = np.inf if name == "density" else 1.0
    return Score(name, float(values.mean()), max(0.0, low), min(most, high), items, extractor, higher_is_better=True)


def _radius(values: Features, neighbours: int) -> Features:
    """Squared distance to the k-th neighbour; the item itself is the zeroth."""
    found = [np.partition(distances, neighbours, axis=1)[:, neighbours] for _, distances in distance_blocks(values, values)]
    return np.concatenate(found)
