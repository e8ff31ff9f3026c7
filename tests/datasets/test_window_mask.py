from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.datasets.masks import encode_mask
from threatray.datasets.window_mask import encode_window
from threatray.errors import DataError


@settings(deadline=None, max_examples=100)
@given(
    st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9), st.integers(0, 4), st.integers(0, 4), st.integers(0, 4),
    st.integers(0, 4), st.sampled_from([0.0, 0.3, 0.8, 1.0]),
)  # fmt: skip
def test_a_windows_run_lengths_are_those_of_the_whole_picture(seed, rows, columns, top, left, below, right, share):
    mask = np.random.default_rng(seed).random((rows, columns)) < share
    whole = np.pad(mask, ((top, below), (left, right)))
    assert encode_window(mask, left, top, *whole.shape) == encode_mask(whole)


def test_a_window_outside_the_picture_is_refused():
    with pytest.raises(DataError, match=r"its 3x2 window at \(7, 0\) leaves the 9x5 picture"):
        encode_window(np.ones((2, 3), bool), 7, 0, 5, 9)
