from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.errors import DataError
from threatray.tip.background import film_behind, harmonic_fill

laws = settings(deadline=None, max_examples=20)


@laws
@given(st.integers(0, 9999), st.integers(5, 40), st.integers(5, 40), st.floats(0.05, 0.95))
def test_keeps_what_is_known_and_makes_up_nothing_beyond_it(seed, height, width, share):
    rng = np.random.default_rng(seed)
    values = rng.uniform(0, 3, (2, height, width)).astype(np.float32)
    hole = rng.random((height, width)) < share
    hole[0, 0] = False
    filled = harmonic_fill(np.where(hole, np.float32(99), values), hole)
    assert filled[:, ~hole].tobytes() == values[:, ~hole].tobytes()
    for channel, known in zip(filled, values, strict=True):
        assert channel.min() >= known[~hole].min() - 1e-5
        assert channel.max() <= known[~hole].max() + 1e-5


@laws
@given(st.floats(-0.05, 0.05), st.floats(-0.05, 0.05))
def test_continues_a_slope_exactly_as_a_soap_film_does(across, down):
    rows, columns = np.mgrid[:60, :80].astype(np.float32)
    plane = (2 + across * columns + down * rows)[None].astype(np.float32)
    hole = np.zeros((60, 80), bool)
    hole[15:45, 20:60] = True
    assert np.abs(harmonic_fill(plane, hole) - plane).max() < 0.03


def test_a_hole_without_rim_is_refused():
    with pytest.raises(DataError, match="covers the whole picture"):
        harmonic_fill(np.ones((1, 4, 4), np.float32), np.ones((4, 4), bool))


@laws
@given(st.integers(0, 9999), st.floats(0.6, 0.9))
def test_the_film_meets_the_bag_where_it_is_seen_through_an_opening(seed, darker):
    """A frame lies in a light bag, with something dark beside it that ends where the frame begins."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:70, :90].astype(np.float32)
    slope, tilt = rng.uniform(-0.001, 0.001, 2)
    bag = (0.3 + slope * rows + tilt * columns)[None] * np.array([1, 0.7], np.float32)[:, None, None]
    bag[:, 15:55, 5:20] += darker
    hole = np.zeros((70, 90), bool)
    hole[15:55, 20:80] = True
    opening = np.zeros_like(hole)
    opening[23:47, 28:72] = True
    scan = (bag + np.where(hole & ~opening, 1.0, 0.0)).astype(np.float32)
    film, openings = film_behind(scan, hole)
    plain = harmonic_fill(scan, hole)
    assert film[:, ~hole].tobytes() == scan[:, ~hole].tobytes()
    assert film[:, openings].tobytes() == scan[:, openings].tobytes()
    assert not (openings & ~opening).any()
    assert (openings & opening).sum() > 0.3 * opening.sum()
    frame = hole & ~opening
    assert np.abs(film - bag)[:, frame].mean() < 0.8 * np.abs(plain - bag)[:, frame].mean()


def test_a_threat_that_hides_all_has_the_film_alone():
    scan = np.full((1, 40, 40), 0.3, np.float32)
    hole = np.zeros((40, 40), bool)
    hole[10:30, 10:30] = True
    scan[:, hole] += 0.5
    scan[0, 20, 20] = 0.1  # a speck is no opening
    film, openings = film_behind(scan, hole)
    assert not openings.any()
    assert film.tobytes() == harmonic_fill(scan, hole).tobytes()
