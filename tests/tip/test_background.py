from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.errors import DataError
from threatray.tip.background import harmonic_fill

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
