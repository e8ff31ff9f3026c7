from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.errors import DataError
from threatray.tip.background import harmonic_fill
from threatray.tip.continuation import continued_fill

laws = settings(deadline=None, max_examples=15)


@laws
@given(st.integers(0, 9999), st.integers(8, 60), st.integers(8, 60), st.floats(0.02, 0.9))
def test_keeps_what_is_known_and_adds_nothing_negative(seed, height, width, share):
    rng = np.random.default_rng(seed)
    values = rng.uniform(0, 3, (2, height, width)).astype(np.float32)
    hole = rng.random((height, width)) < share
    hole[0, 0] = False
    filled = continued_fill(np.where(hole, np.float32(99), values), hole)
    assert filled[:, ~hole].tobytes() == values[:, ~hole].tobytes()
    assert np.isfinite(filled).all()
    assert filled.min() >= 0


@laws
@given(st.integers(3, 9), st.floats(0, np.pi))
def test_stripes_run_on_where_the_soap_film_ends_them(period, direction):
    rows, columns = np.mgrid[:120, :130].astype(np.float32)
    wave = 1 + 0.5 * np.sin(2 * np.pi * (rows * np.sin(direction) + columns * np.cos(direction)) / period)
    hole = np.zeros((120, 130), bool)
    hole[50:72, 55:85] = True
    truth = wave[None].astype(np.float32)
    behind = np.where(hole, 0, truth).astype(np.float32)
    error = np.abs(continued_fill(behind, hole) - truth)[:, hole].mean()
    assert error < 0.5 * np.abs(harmonic_fill(behind, hole) - truth)[:, hole].mean()


def test_a_level_that_differs_is_met_at_the_rim():
    rows, columns = np.mgrid[:120, :130].astype(np.float32)
    truth = (1 + 0.01 * rows + 0.3 * np.sin(2 * np.pi * columns / 6))[None].astype(np.float32)  # darker downwards, so every fit is off
    hole = np.zeros((120, 130), bool)
    hole[50:72, 45:85] = True
    filled = continued_fill(np.where(hole, 0, truth).astype(np.float32), hole)
    assert np.abs(filled - truth)[:, hole].max() < 0.1  # the nearest place is 30 rows off: 0.3


def test_what_lies_in_the_hole_is_not_looked_at():
    rng = np.random.default_rng(1)
    values = rng.uniform(0, 2, (1, 70, 90)).astype(np.float32)
    hole = np.zeros((70, 90), bool)
    hole[20:40, 30:70] = True
    blank, loud = np.where(hole, np.float32(0), values), np.where(hole, np.float32(7), values)
    assert continued_fill(blank, hole).tobytes() == continued_fill(loud, hole).tobytes()


def test_no_new_thing_appears_in_a_plain_bag():
    values = np.full((1, 120, 160), 0.5, np.float32)
    values[0, 8:16, 8:16] = 3.0  # a coin far from the hole
    hole = np.zeros((120, 160), bool)
    hole[60:90, 90:120] = True
    assert np.abs(continued_fill(values, hole)[0][hole] - 0.5).max() < 1e-3


def test_where_nothing_is_large_enough_it_is_the_soap_film():
    values = np.random.default_rng(0).uniform(0, 1, (1, 20, 20)).astype(np.float32)
    hole = np.zeros((20, 20), bool)
    hole[2:18, 2:18] = True
    assert continued_fill(values, hole).tobytes() == harmonic_fill(values, hole).tobytes()


def test_a_hole_without_rim_is_refused():
    with pytest.raises(DataError, match="covers the whole picture"):
        continued_fill(np.ones((1, 9, 9), np.float32), np.ones((9, 9), bool))
