from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.balance.quota import Strategy, apportion, quota, raise_lowest
from threatray.errors import ConfigError

counts = st.dictionaries(st.sampled_from(["gun", "knife", "wrench", "hammer", "pliers"]), st.integers(0, 60), min_size=1)


@settings(deadline=None)
@given(st.integers(0, 500), counts.filter(lambda value: sum(value.values()) > 0))
def test_parts_sum_to_the_whole_and_none_is_off_by_one(total, weights):
    parts = apportion(total, weights)
    assert sum(parts.values()) == total
    for name, weight in weights.items():
        assert abs(parts[name] - total * weight / sum(weights.values())) < 1


def test_the_largest_remainders_get_the_rest():
    assert apportion(10, {"gun": 1, "knife": 2}) == {"gun": 3, "knife": 7}
    assert apportion(2, {"gun": 1, "hammer": 2, "knife": 2}) == {"gun": 0, "hammer": 1, "knife": 1}


@settings(deadline=None)
@given(counts, st.integers(0, 200))
def test_raising_the_lowest_is_the_slow_loop(before, total):
    slow = dict(before)
    for _ in range(total):
        slow[min(slow, key=lambda name: (slow[name], name))] += 1
    added = raise_lowest(before, total)
    assert sum(added.values()) == total
    assert {name: before[name] + added[name] for name in before} == slow


@settings(deadline=None)
@given(counts)
def test_equalise_evens(before):
    added = quota(before, Strategy.EQUALISE, None, {})
    assert {before[name] + added[name] for name in before} == {max(before.values())}


@settings(deadline=None)
@given(counts.filter(lambda value: sum(value.values()) > 0), st.integers(1, 4))
def test_preserve_keeps_proportions(before, multiple):
    added = quota(before, Strategy.PRESERVE, multiple * sum(before.values()), {})
    assert added == {name: multiple * count for name, count in before.items()}


@settings(deadline=None)
@given(counts, st.integers(0, 300))
def test_effective_gives_a_rarer_class_no_less(before, total):
    added = quota(before, Strategy.EFFECTIVE, total, {}, 0.9)
    assert sum(added.values()) == total
    for first in before:
        for second in before:
            if before[first] < before[second]:
                assert added[first] >= added[second] - 1


def test_targets_are_met():
    assert quota({"gun": 5, "knife": 2}, Strategy.TARGETS, None, {"knife": 9}) == {"gun": 0, "knife": 7}


@pytest.mark.parametrize(
    ("strategy", "total", "targets", "message"),
    [
        (Strategy.PRESERVE, None, {}, "'preserve' needs a total or a multiple"),
        (Strategy.EFFECTIVE, None, {}, "'effective' needs a total or a multiple"),
        (Strategy.PRESERVE, 5, {"gun": 9}, "targets are given, but the strategy is 'preserve'"),
        (Strategy.TARGETS, None, {}, "'targets' needs targets"),
        (Strategy.TARGETS, 5, {"gun": 9}, "drop total and multiple"),
        (Strategy.TARGETS, None, {"gun": 1}, "the target of 'gun' is 1, but there are 5 already"),
        (Strategy.TARGETS, None, {"sword": 1}, "a target for 'sword', but the classes are"),
    ],
)
def test_refuses_contradictions(strategy, total, targets, message):
    with pytest.raises(ConfigError, match=message):
        quota({"gun": 5, "knife": 2}, strategy, total, targets)


def test_refuses_to_split_by_nothing():
    with pytest.raises(ConfigError, match="cannot split 5"):
        apportion(5, {"gun": 0})
    with pytest.raises(ConfigError, match="to no classes"):
        raise_lowest({}, 3)
