from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.errors import ConfigError
from threatray.tip.placement import Place, PlacementMode, bag_under, place, relative_length, valid_places

laws = settings(deadline=None, max_examples=25)


def blob(seed: int, height: int, width: int, share: float) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width)) < share


@laws
@given(st.integers(0, 999), st.sampled_from([0.7, 0.9, 1.0]))
def test_valid_places_are_those_of_a_slow_loop(seed, min_inside):
    bag, threat = blob(seed, 12, 17, 0.9), blob(seed + 1, 3, 5, 0.5)
    threat[1, 2] = True
    expected = np.array(
        [
            [(bag[y : y + 3, x : x + 5] & threat).sum() >= min_inside * threat.sum() - 1e-9 for x in range(17 - 5 + 1)]
            for y in range(12 - 3 + 1)
        ]
    )
    assert (valid_places(bag, threat, min_inside=min_inside) == expected).all()


@laws
@given(st.integers(0, 999), st.sampled_from([1, 9]))
def test_every_place_lies_inside_the_bag(seed, enlarge):
    # Nine times larger, the search runs on a coarse grid.
    bag = np.zeros((100, 120), bool)
    bag[10:90, 20:100] = True
    bag[40:60, 50:60] = False
    bag = np.kron(bag, np.ones((enlarge, enlarge), bool))
    threat = blob(seed, 7 * enlarge, 11 * enlarge, 0.5)
    threat[0, 0] = True
    spots = place(bag, threat, np.random.default_rng(seed), candidates=5)
    assert len(spots) == 5
    for spot in spots:
        assert bag[spot.y : spot.y + threat.shape[0], spot.x : spot.x + threat.shape[1]][threat].all()


def test_a_tight_fit_in_a_large_bag_stays_inside():
    bag = np.zeros((1000, 1000), bool)
    bag[40:940, 50:950] = True
    spots = place(bag, np.ones((897, 897), bool), np.random.default_rng(0), candidates=40)
    assert spots
    assert all(50 <= spot.x <= 53 and 40 <= spot.y <= 43 for spot in spots)


def test_spread_reaches_every_place_evenly():
    bag = np.zeros((10, 14), bool)
    bag[2:8, 3:11] = True
    spots = place(bag, np.ones((5, 6), bool), np.random.default_rng(0), candidates=6000)
    counts = {spot: spots.count(spot) for spot in set(spots)}
    assert set(counts) == {Place(x, y) for x in (3, 4, 5) for y in (2, 3)}
    assert min(counts.values()) > 850
    assert max(counts.values()) < 1150


def test_match_goes_where_real_threats_lay():
    bag = np.ones((101, 201), bool)
    spots = place(bag, np.ones((11, 21), bool), np.random.default_rng(0), mode=PlacementMode.MATCH, positions=[(0.25, 0.5)], candidates=3)
    assert spots == [Place(50 - 10, 50 - 5)] * 3


def test_a_threat_larger_than_the_bag_has_no_place():
    assert place(np.ones((5, 5), bool), np.ones((6, 2), bool), np.random.default_rng(0)) == []
    assert valid_places(np.ones((5, 5), bool), np.ones((6, 2), bool)).shape == (0, 4)
    assert place(np.zeros((5, 5), bool), np.ones((2, 2), bool), np.random.default_rng(0)) == []


def test_a_length_is_relative_to_the_bag_under_the_box():
    bags = np.zeros((60, 200), bool)
    bags[10:40, 10:50] = True
    bags[0:60, 100:180] = True
    assert bag_under(bags, (20, 20)).sum() == 1200
    assert relative_length(bags, (20, 20, 28, 26)) == pytest.approx(10 / 50)
    assert relative_length(bags, (120, 20, 128, 26)) == pytest.approx(10 / 100)


def test_refuses_impossible_settings():
    bag, threat, rng = np.ones((5, 5), bool), np.ones((2, 2), bool), np.random.default_rng(0)
    with pytest.raises(ConfigError, match="min_inside must lie in"):
        place(bag, threat, rng, min_inside=1.5)
    with pytest.raises(ConfigError, match="candidates must be at least 1"):
        place(bag, threat, rng, candidates=0)
    with pytest.raises(ConfigError, match="match needs the relative positions"):
        place(bag, threat, rng, mode=PlacementMode.MATCH)
