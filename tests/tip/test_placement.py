from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.errors import ConfigError
from threatray.tip.bag_map import BagMap, pieces_of
from threatray.tip.placement import Difficulty, OcclusionLevel, PlacementMode, bag_under, place, relative_length, valid_places
from threatray.tip.refusal import Reason, Refused

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


def bag_map(inside: np.ndarray, attenuation: np.ndarray | float = 0.5, step: int = 1) -> BagMap:
    dark = np.broadcast_to(np.asarray(attenuation, np.float32), inside.shape)
    size = (inside.shape[0] * step, inside.shape[1] * step)
    return BagMap(size, step, inside, np.ascontiguousarray(dark), np.ones(1, np.float32), pieces_of(inside))


@laws
@given(st.integers(0, 999), st.sampled_from([1, 4, 9]), st.sampled_from(list(PlacementMode)))
def test_every_place_lies_inside_the_bag(seed, step, mode):
    inside = np.zeros((50, 60), bool)
    inside[5:45, 10:50] = True
    inside[20:30, 25:30] = False
    threat = blob(seed, 7 * step + seed % 3, 11 * step, 0.5)
    threat[0, 0] = True
    bag, rng, fine = bag_map(inside, step=step), np.random.default_rng(seed), np.kron(inside, np.ones((step, step), bool))
    for _ in range(12):  # a place that is wrong by a pixel is rare
        spot = place(bag, inside, threat, rng, mode=mode, positions=[(0.1, 0.9)])
        assert fine[spot.y : spot.y + threat.shape[0], spot.x : spot.x + threat.shape[1]][threat].all()


def test_a_tight_fit_in_a_large_bag_stays_inside():
    inside = np.zeros((100, 100), bool)
    inside[4:94, 5:95] = True
    for seed in range(20):
        spot = place(bag_map(inside, step=10), inside, np.ones((897, 897), bool), np.random.default_rng(seed))
        assert 50 <= spot.x <= 53
        assert 40 <= spot.y <= 43


def test_spread_reaches_every_place_evenly():
    inside = np.zeros((10, 14), bool)
    inside[2:8, 3:11] = True
    rng = np.random.default_rng(0)
    spots = [place(bag_map(inside), inside, np.ones((5, 6), bool), rng) for _ in range(1500)]
    corners = [(spot.x, spot.y) for spot in spots]
    counts = {corner: corners.count(corner) for corner in set(corners)}
    assert set(counts) == {(x, y) for x in (3, 4, 5) for y in (2, 3)}
    assert min(counts.values()) > 190
    assert max(counts.values()) < 310


def test_within_a_cell_every_pixel_is_reached():
    inside = np.ones((20, 20), bool)
    rng = np.random.default_rng(0)
    spots = [place(bag_map(inside, step=4), inside, np.ones((5, 6), bool), rng) for _ in range(400)]
    assert {(spot.x % 4, spot.y % 4) for spot in spots} == {(x, y) for x in range(4) for y in range(4)}


def test_match_goes_where_real_threats_lay():
    inside = np.ones((101, 201), bool)
    rng = np.random.default_rng(0)
    spot = place(bag_map(inside), inside, np.ones((11, 21), bool), rng, mode=PlacementMode.MATCH, positions=[(0.25, 0.5)])
    assert (spot.x, spot.y) == (50 - 10, 50 - 5)


def test_what_lies_under_a_place_is_that_of_a_slow_loop():
    rng = np.random.default_rng(3)
    dark, threat, inside = rng.random((12, 17)).astype(np.float32), blob(4, 3, 5, 0.6), np.ones((12, 17), bool)
    spot = place(bag_map(inside, dark), inside, threat, rng)
    under = [dark[spot.y + y, spot.x + x] for y in range(3) for x in range(5) if threat[y, x]]
    assert spot.under == pytest.approx(np.mean(under), rel=1e-5)
    assert spot.overlap == pytest.approx(np.mean(np.array(under) >= 0.7), rel=1e-5)


@pytest.mark.parametrize("level", list(OcclusionLevel))
def test_clutter_finds_the_wanted_level(level):
    inside = np.ones((30, 60), bool)
    dark = np.repeat(np.where(np.arange(60) < 30, 0.1, 1.5)[None], 30, axis=0)
    rng = np.random.default_rng(0)
    for _ in range(20):
        wanted = Difficulty(level=level)
        spot = place(bag_map(inside, dark), inside, np.ones((6, 10), bool), rng, mode=PlacementMode.CLUTTER, difficulty=wanted)
        assert OcclusionLevel.of(spot.overlap) is level
        assert spot.overlap == pytest.approx(min(1, max(0, (spot.x + 10 - 30) / 10)))


def test_clutter_takes_the_darkest_places():
    inside = np.ones((40, 40), bool)
    dark = np.repeat(np.linspace(0, 1.9, 40)[None], 40, axis=0)
    threat, rng = np.ones((4, 4), bool), np.random.default_rng(0)
    hard = [
        place(
            bag_map(inside, dark), inside, threat, rng, mode=PlacementMode.CLUTTER,
            difficulty=Difficulty(attenuation_quantile_range=(0.9, 1.0)),
        ).x
        for _ in range(40)
    ]  # fmt: skip
    assert min(hard) >= 0.9 * 36 - 1


def test_refusals_say_why():
    inside, threat, rng = np.ones((10, 10), bool), np.ones((4, 4), bool), np.random.default_rng(0)

    def reason(bag: BagMap, threat: np.ndarray = threat, **options) -> Reason:
        found = place(bag, bag.inside, threat, rng, **options)
        assert isinstance(found, Refused)
        return found.reason

    assert reason(bag_map(inside), np.ones((11, 2), bool)) is Reason.DOES_NOT_FIT
    assert reason(bag_map(inside, 3.0), max_under_attenuation=2.0) is Reason.NO_PLACE
    assert reason(bag_map(~inside)) is Reason.NO_BAG
    hard = Difficulty(level=OcclusionLevel.OL3)
    assert reason(bag_map(inside, 0.1), mode=PlacementMode.CLUTTER, difficulty=hard) is Reason.NO_CLUTTER


def test_part_of_a_threat_may_leave_the_bag_if_that_is_allowed():
    inside = np.zeros((20, 20), bool)
    inside[:, :10] = True
    rng = np.random.default_rng(0)
    spots = [place(bag_map(inside), inside, np.ones((4, 8), bool), rng, min_inside=0.75) for _ in range(60)]
    assert max(spot.x for spot in spots) <= 4  # two of eight columns outside


def test_a_threat_larger_than_the_picture_has_no_place():
    assert valid_places(np.ones((5, 5), bool), np.ones((6, 2), bool)).shape == (0, 4)


def test_a_length_is_relative_to_the_bag_under_the_box():
    bags = np.zeros((60, 200), bool)
    bags[10:40, 10:50] = True
    bags[0:60, 100:180] = True
    assert bag_under(bags, (20, 20)).sum() == 1200
    assert relative_length(bags, (20, 20, 28, 26)) == pytest.approx(10 / 50)
    assert relative_length(bags, (120, 20, 128, 26)) == pytest.approx(10 / 100)


def test_refuses_impossible_settings():
    inside, threat, rng = np.ones((5, 5), bool), np.ones((2, 2), bool), np.random.default_rng(0)
    with pytest.raises(ConfigError, match="min_inside must lie in"):
        place(bag_map(inside), inside, threat, rng, min_inside=1.5)
    with pytest.raises(ConfigError, match="match needs the relative positions"):
        place(bag_map(inside), inside, threat, rng, mode=PlacementMode.MATCH)
    with pytest.raises(ConfigError, match="attenuation_quantile_range must rise"):
        Difficulty(attenuation_quantile_range=(0.5, 0.5))
    with pytest.raises(ConfigError, match="dense_attenuation must be above 0"):
        Difficulty(dense_attenuation=0)
