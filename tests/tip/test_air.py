from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core import DUAL_ENERGY, Quantity, XrayImage
from threatray.errors import DataError
from threatray.tip.air import against_air, air_transmission


@settings(deadline=None, max_examples=20)
@given(st.floats(0.3, 1.0), st.floats(0.3, 1.0), st.integers(0, 99))
def test_the_air_of_each_energy_becomes_one_whatever_the_white_level(low, high, seed):
    rng = np.random.default_rng(seed)
    values = np.tile(np.array([low, high], np.float32)[:, None, None], (1, 40, 50)) * 0.995
    values += rng.normal(0, 0.001, values.shape).astype(np.float32)
    values[:, 10:30, 10:50] *= 0.4  # the threat touches one edge
    image = XrayImage(np.minimum(values, 1).astype(np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)
    done = against_air(image, air_transmission(image))
    assert done.values[:, :8].mean() == pytest.approx(1, abs=0.01)
    assert done.values[:, 12:28, 12:48].mean() == pytest.approx(0.4, abs=0.01)


def test_a_dark_border_is_no_air():
    image = XrayImage(np.full((2, 30, 30), 255 / 65535, np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)
    with pytest.raises(DataError, match=r"transmits 0\.00389 of the white level.* Give the white level"):
        air_transmission(image)
