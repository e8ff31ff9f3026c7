from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.errors import ConfigError, DataError
from threatray.uplift.statistics import Groups, benign_weights, fpr_at_tpr, interval, operating_thresholds, rates_at, sign_flip_p

SCORES = st.lists(st.integers(0, 20), min_size=1, max_size=30).map(lambda values: np.array(values) / 20)


@given(SCORES, st.floats(0.01, 1.0))
@settings(deadline=None, max_examples=60)
def test_the_operating_point_is_the_highest_threshold_that_reaches_the_target(scores: np.ndarray, target: float) -> None:
    chosen = operating_thresholds(scores, target)[0]
    by_hand = max(one for one in scores if (scores >= one).mean() >= target - 1e-9)
    assert chosen == by_hand


@given(SCORES, st.integers(0, 1000))
@settings(deadline=None, max_examples=40)
def test_a_weight_counts_a_score_as_often_as_it_says(scores: np.ndarray, seed: int) -> None:
    times = np.random.default_rng(seed).integers(0, 3, (1, len(scores)))
    copies = np.repeat(scores, times[0])
    weighted = operating_thresholds(scores, 0.94, times.astype(float))
    if copies.size == 0:
        assert np.isnan(weighted).all()
        return
    assert weighted == operating_thresholds(copies, 0.94)
    assert rates_at(scores, weighted, times.astype(float)) == pytest.approx(rates_at(copies, weighted))


def test_a_worked_example_of_rates() -> None:
    threat, benign = np.array([0.9, 0.8, 0.7, 0.2]), np.array([0.75, 0.1, 0.2, 0.05])
    assert operating_thresholds(threat, 0.75).tolist() == [0.7]
    assert fpr_at_tpr(threat, benign, 0.75) == 0.25
    assert fpr_at_tpr(threat, benign, 0.76) == 0.5  # the threshold falls to 0.2, which counts as on or above


def test_pictures_in_which_nothing_was_found_are_flagged_when_the_target_needs_them() -> None:
    assert fpr_at_tpr(np.array([0.5, 0.0]), np.array([0.0, 0.0, 0.0]), 0.94) == 1.0


def test_refuses_a_target_or_a_set_that_makes_no_sense() -> None:
    with pytest.raises(ConfigError, match=r"target TPR must lie in \(0, 1\], got 94"):
        operating_thresholds(np.array([0.5]), 94)
    with pytest.raises(DataError, match="no picture with a threat to choose it on"):
        operating_thresholds(np.array([]), 0.94)


def test_benign_weights_make_the_stated_ratio() -> None:
    weights = benign_weights(np.array([True, True, False, False, False]), 100)
    assert weights[2:].sum() / weights[:2].sum() == pytest.approx(100)
    with pytest.raises(DataError, match="got 2 pictures with a threat and 0 without"):
        benign_weights(np.array([True, True]), 10)


def test_resamples_draw_as_many_threat_and_benign_groups_as_there_are() -> None:
    groups = Groups.of(["a", "a", "b", "c", "d"], [False, True, False, True, False])
    assert groups.has_threat.tolist() == [True, False, True, False]
    drawn = groups.resample(50, np.random.default_rng(0))
    assert (drawn[:, groups.has_threat].sum(axis=1) == 2).all()
    assert (drawn[:, ~groups.has_threat].sum(axis=1) == 2).all()
    assert drawn.std(axis=0).min() > 0


def test_identical_arms_differ_by_exactly_zero() -> None:
    found = interval(np.zeros(3), np.zeros((3, 100)), groups=10)
    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)
    assert found.holds_zero


def test_an_interval_that_is_unknown_shows_nothing() -> None:
    found = interval(np.array([0.5]), np.full((1, 100), np.nan), groups=10)
    assert np.isnan(found.low)
    assert found.holds_zero


def test_seeds_that_disagree_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.01, (5, 200))
    near, far = np.full(5, 0.05), np.array([-0.1, 0.2, 0.05, 0.15, -0.05])
    narrow, wide = interval(near, near[:, None] + noise, 50), interval(far, far[:, None] + noise, 50)
    assert not narrow.holds_zero
    assert wide.holds_zero
    assert wide.value == pytest.approx(narrow.value)


def test_one_seed_has_the_interval_of_its_groups() -> None:
    resampled = np.random.default_rng(1).normal(0.1, 0.02, (1, 4000))
    found = interval(np.array([0.1]), resampled, groups=10_000)
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.02, rel=0.04)


def test_sign_flips_are_counted_exactly() -> None:
    rng = np.random.default_rng(0)
    assert sign_flip_p(np.array([0.1, 0.2, 0.3, 0.4, 0.5]), rng) == 2 / 32
    assert sign_flip_p(np.zeros(4), rng) == 1.0
    assert np.isnan(sign_flip_p(np.array([np.nan, 1.0]), rng))


def test_sign_flips_of_many_are_drawn() -> None:
    rng = np.random.default_rng(0)
    assert sign_flip_p(np.full(20, 0.1), rng) < 0.01
    assert 0.2 < sign_flip_p(np.tile([1.0, -1.0, 0.2, -0.15], 8), rng) <= 1


def _null_repeat(rng: np.random.Generator, seeds: int, spread: tuple[float, float, float]) -> bool:
    """Two arms of one kind: FPR at the validation operating point; True if the interval of the difference holds 0."""
    of_image, of_training, of_both = spread
    pictures, chosen_on = 180, 60
    sides = []
    for count in (chosen_on, pictures):
        threat = np.arange(count) < count // 2
        groups = Groups.of([f"{index:04d}" for index in range(count)], threat.tolist())
        weights = np.concatenate([np.ones((1, count)), groups.resample(200, rng)])[:, groups.of_picture]
        sides.append((threat, rng.normal(0, of_image, count), weights))
    drawn = np.zeros((seeds, 2, 201))
    for seed in range(seeds):
        for arm in range(2):
            skill = 2 + rng.normal(0, of_training)
            scores = [threat * skill + own + rng.normal(0, of_both, len(own)) for threat, own, _ in sides]
            threat, _, weights = sides[0]
            operating = operating_thresholds(scores[0][threat], 0.94, weights[:, threat])
            threat, _, weights = sides[1]
            drawn[seed, arm] = rates_at(scores[1][~threat], operating, weights[:, ~threat])
    gap = drawn[:, 1] - drawn[:, 0]
    return interval(gap[:, 0], gap[:, 1:], groups=pictures).holds_zero


@pytest.mark.parametrize(
    ("seeds", "spread"),
    [(5, (1.0, 0.2, 0.5)), (5, (1.0, 0.0, 2.0)), (5, (1.0, 0.0, 0.5)), (2, (1.0, 0.2, 0.5))],
    ids=["mixed", "noisy", "bags", "two seeds"],
)
def test_on_nulls_the_interval_holds_zero_at_its_nominal_rate(seeds: int, spread: tuple[float, float, float]) -> None:
    rng = np.random.default_rng(11)
    covered = np.mean([_null_repeat(rng, seeds, spread) for _ in range(400)])
    assert 0.92 <= covered <= 0.98, covered
