from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threatray.datasets.few import few_threats
from threatray.errors import ConfigError

scans = st.lists(st.lists(st.sampled_from(["gun", "knife", "wrench"]), min_size=1, max_size=1), min_size=1, max_size=60).map(
    lambda each: {f"scan-{number:02d}": labels for number, labels in enumerate(each)}
)


@given(scans, st.integers(1, 12), st.integers(0, 5))
def test_every_class_gets_as_many_as_asked_or_all_there_are(labels: dict[str, list[str]], most: int, seed: int) -> None:
    kept = Counter(label for name in few_threats(labels, most, seed) for label in labels[name])
    there = Counter(label for each in labels.values() for label in each)
    assert kept == {name: min(count, most) for name, count in there.items()}


@given(scans, st.integers(1, 6), st.integers(0, 5))
def test_smaller_subsets_lie_within_larger_ones(labels: dict[str, list[str]], most: int, seed: int) -> None:
    assert set(few_threats(labels, most, seed)) <= set(few_threats(labels, most + 3, seed))


def test_an_image_of_several_classes_counts_for_each() -> None:
    labels = {"a": ["gun", "knife"], "b": ["gun"], "c": ["knife"]}
    for seed in range(6):
        kept = few_threats(labels, 1, seed)
        assert {label for name in kept for label in labels[name]} == {"gun", "knife"}


def test_less_than_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1 threat a class, got 0"):
        few_threats({"a": ["gun"]}, 0, 0)
