from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.errors import DataError
from threatray.uplift.calibration import PlattScaling, bins_of, calibration_error, reliability


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 1000), count=st.integers(4, 60), bins=st.integers(1, 12))
def test_the_error_is_a_slow_loop_over_bins(seed: int, count: int, bins: int) -> None:
    rng = np.random.default_rng(seed)
    said, threat = rng.random(count).round(1), rng.random(count) < 0.5
    weights = rng.integers(0, 3, (3, count)).astype(float)
    weights[:, 0] += 1
    place = bins_of(said, bins)
    for found, drawn in zip(calibration_error(said, threat, weights, bins=bins), weights, strict=True):
        slow = 0.0
        for one in set(place.tolist()):
            held = [index for index in range(count) if place[index] == one]
            slow += abs(sum(drawn[index] * (said[index] - threat[index]) for index in held))
        assert found == pytest.approx(slow / drawn.sum())


def test_bins_hold_equally_many_and_never_part_equals() -> None:
    rng = np.random.default_rng(0)
    assert np.bincount(bins_of(rng.random(100), 10)).tolist() == [10] * 10
    ties = np.array([0.0] * 30 + [0.2, 0.4, 0.6, 0.8])
    place = bins_of(ties, 10)
    assert len(set(place[:30].tolist())) == 1
    assert (np.diff(place[29:]) >= 0).all()


def test_scores_that_overstate_are_mended_on_validation_and_the_order_stays() -> None:
    rng = np.random.default_rng(1)
    truth = rng.random(4000)
    threat = rng.random(4000) < truth
    boasting = 1 / (1 + np.exp(-3 * np.log(truth / (1 - truth))))
    scaled = PlattScaling.fit(boasting[:2000], threat[:2000])
    before, after = (float(calibration_error(said, threat[2000:])[0]) for said in (boasting[2000:], scaled(boasting[2000:])))
    assert before > 0.12
    assert after < 0.05
    assert scaled.slope == pytest.approx(1 / 3, rel=0.1)
    assert (np.diff(scaled(np.sort(boasting))) >= 0).all()


def test_scores_that_run_the_wrong_way_become_the_base_rate() -> None:
    scaled = PlattScaling.fit(np.array([0.9, 0.8, 0.1, 0.2]), np.array([False, False, True, True]))
    assert scaled(np.array([0.1, 0.9])).tolist() == pytest.approx([0.5, 0.5])


def test_the_diagram_counts_every_picture_once() -> None:
    rng = np.random.default_rng(2)
    found = reliability(rng.random(53), rng.random(53) < 0.5, bins=7)
    assert sum(count for _, _, count in found) == 53
    assert [mean for mean, _, _ in found] == sorted(mean for mean, _, _ in found)


def test_refuses_a_set_of_one_kind() -> None:
    with pytest.raises(DataError, match="needs pictures with a threat and without, got 2 and 0"):
        PlattScaling.fit(np.array([0.1, 0.9]), np.array([True, True]))
