"""Nested benign subsets, honest when there are too few."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.datasets.benign_subsets import benign_subsets
from threatray.errors import ConfigError


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 300), st.integers(1, 12), st.sets(st.integers(1, 60), max_size=5), st.integers(0, 99))
def test_subsets_are_nested_of_the_asked_size_and_without_repeats(count: int, threats: int, ratios: set[int], seed: int) -> None:
    benign = [f"b{number}" for number in range(count)]
    made = benign_subsets(benign, threats, sorted(ratios), seed)
    assert sorted(made.order) == sorted(benign)
    inner: set[str] = set()
    for ratio in sorted(ratios):
        if ratio * threats > count:
            assert made.short[ratio] == ratio * threats
            assert ratio not in made.sizes
            continue
        subset = made.subset(ratio)
        assert len(subset) == len(set(subset)) == ratio * threats
        assert inner <= set(subset)
        inner = set(subset)


def test_the_seed_and_the_part_decide_and_the_order_given_does_not() -> None:
    benign = [f"b{number}" for number in range(50)]
    first = benign_subsets(benign, 2, (10,), 1, "test")
    assert first == benign_subsets(benign[::-1], 2, (10,), 1, "test")
    assert first.order != benign_subsets(benign, 2, (10,), 2, "test").order
    assert first.order != benign_subsets(benign, 2, (10,), 1, "train").order


def test_what_there_is_too_little_of_is_said() -> None:
    made = benign_subsets(["a", "b"], 3, (1, 2), 0)
    with pytest.raises(ConfigError, match="1:1: it needs 3 benign images, there are 2"):
        made.subset(1)
    with pytest.raises(ConfigError, match="7:1: not asked for"):
        made.subset(7)
    with pytest.raises(ConfigError, match="benign_ratios: expected whole numbers from 1, got 0"):
        benign_subsets(["a"], 1, (0,), 0)
