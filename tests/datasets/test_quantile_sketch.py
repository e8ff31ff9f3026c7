"""Quantiles in constant memory against numpy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.datasets.quantile_sketch import RELATIVE_ERROR, Quantiles, QuantileSketch, separability

VALUES = st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1e6)), min_size=1, max_size=200)


@settings(deadline=None, max_examples=60)
@given(VALUES)
def test_below_the_limit_it_is_exact(values: list[float]) -> None:
    sketch = QuantileSketch()
    sketch.extend(values)
    assert sketch.quantiles() == Quantiles.of(values)


@settings(deadline=None, max_examples=60)
@given(VALUES)
def test_above_the_limit_every_quantile_is_near_a_value_of_its_rank(values: list[float]) -> None:
    sketch = QuantileSketch(exact_up_to=3)
    sketch.extend(values)
    found = sketch.quantiles()
    assert found is not None
    assert (found.minimum, found.maximum) == (round(min(values), 6), round(max(values), 6))
    ordered = np.sort(values)
    for share, value in ((0.05, found.q05), (0.25, found.q25), (0.5, found.median), (0.75, found.q75), (0.95, found.q95)):
        low, high = ordered[int(np.floor(share * (len(values) - 1)))], ordered[int(np.ceil(share * (len(values) - 1)))]
        assert low * (1 - RELATIVE_ERROR) - 1e-6 <= value <= high * (1 + RELATIVE_ERROR) + 1e-6


def test_memory_does_not_grow_with_the_number_of_values() -> None:
    sketch = QuantileSketch(exact_up_to=10)
    sketch.extend(np.random.default_rng(0).uniform(0.01, 1, 30_000))
    assert len(sketch._bins) < 500
    assert len(sketch) == 30_000
    assert QuantileSketch().quantiles() is None


SIZES = st.lists(st.integers(0, 9), min_size=1, max_size=20)


@settings(deadline=None, max_examples=100)
@given(SIZES, SIZES, st.sampled_from([100, 5, 0]), st.sampled_from([100, 5]))
def test_separability_agrees_with_the_slow_loop(first: list[int], second: list[int], kept: int, kept_too: int) -> None:
    """Also where one sketch or both have counted their values in bins: these values lie in bins of their own."""
    slow = sum((a > b) + 0.5 * (a == b) for a in first for b in second) / (len(first) * len(second))
    one, other = QuantileSketch(kept), QuantileSketch(kept_too)
    one.extend(map(float, first))
    other.extend(map(float, second))
    assert separability(one, other) == pytest.approx(slow)
