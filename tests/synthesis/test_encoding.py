import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core import TRANSMISSION_FLOOR
from threatray.errors import ConfigError
from threatray.synthesis.encoding import Encoding


@settings(deadline=None, max_examples=30)
@given(st.floats(0.2, 1.0), st.floats(0.001, 1.0))
def test_decoding_undoes_encoding(power, value):
    code = Encoding(power)
    for values in (np.array([value], np.float32), torch.tensor([value])):
        assert float(code.decode(code.encode(values))[0]) == pytest.approx(value, rel=2e-4, abs=1e-6)


def test_air_is_exactly_one_both_ways():
    code = Encoding(0.37)
    assert code.encode(np.ones(3, np.float32)).tolist() == [1.0] * 3
    assert code.decode(torch.ones(3)).tolist() == [1.0] * 3


def test_encodes_by_hand():
    assert Encoding(1.0).encode(np.array([0.25], np.float32)).tolist() == [-0.5]
    assert Encoding(0.5).encode(np.array([0.25], np.float32)).tolist() == [0.0]


def test_black_decodes_to_the_floor_not_to_zero():
    assert Encoding().decode(np.array([-1.0], np.float32)).tolist() == [TRANSMISSION_FLOOR]
    assert Encoding().decode(torch.tensor([-1.5])).tolist() == [TRANSMISSION_FLOOR]


def test_refuses_a_power_that_is_not_in_range():
    with pytest.raises(ConfigError, match=r"power must lie in \(0, 1\], got 0"):
        Encoding(0.0)
