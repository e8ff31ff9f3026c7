from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from threatray.datasets.masks import check_segmentation, decode_mask, encode_mask
from threatray.errors import DataError


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools' own decoder under numpy 2
@settings(deadline=None, max_examples=40)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.02, 0.5, 1.0]))
def test_decoding_undoes_encoding_and_agrees_with_pycocotools(height: int, width: int, seed: int, share: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < share
    encoded = encode_mask(mask)
    np.testing.assert_array_equal(decode_mask(encoded, height, width), mask)
    reference = coco_mask.decode({"size": encoded["size"], "counts": encoded["counts"].encode()})
    np.testing.assert_array_equal(decode_mask(encoded, height, width), reference.astype(bool))


def test_long_runs_survive() -> None:
    mask = np.zeros((1000, 1200), bool)
    mask[400:900, 300] = True
    mask[:, 1199] = True
    np.testing.assert_array_equal(decode_mask(encode_mask(mask), 1000, 1200), mask)


def test_a_polygon_fills_what_it_surrounds() -> None:
    mask = decode_mask([[2, 1, 6, 1, 6, 4, 2, 4]], 37, 31)
    expected = np.zeros((37, 31), bool)
    expected[1:4, 2:6] = True
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize(
    ("segmentation", "reason"),
    [
        ({"size": [37, 31], "counts": ""}, "not COCO run lengths"),
        ({"size": [37, 31], "counts": "1000"}, "runs cover .* pixels, the image has 1147"),
        ({"size": [37, 31], "counts": "zzzz"}, "not COCO run lengths"),
        ({"size": [37, 31], "counts": "X15^\ud8001"}, "not COCO run lengths"),
        ({"size": [37, 31], "counts": "총"}, "not COCO run lengths"),
        ({"size": [37, 31], "counts": "oooooooooo0"}, "longer than any image"),
        ({"size": [37, 31], "counts": [1, 2]}, "runs cover 3 pixels"),
        ({"size": [37, 31], "counts": [1148, -1]}, "no whole number"),
        ({"size": [31, 37], "counts": [1147]}, "made for size"),
        ({"size": [37, 31], "counts": None}, "must be a text or a list"),
        ([], "must be run lengths or polygons"),
        ([[1, 2, 3]], "three or more"),
        ([[0, 0, float("nan"), 1, 1, 1]], "far outside"),
        ([[0, 0, 1e9, 0, 1e9, 1e9]], "far outside"),
        ([["a"] * 6], "no number"),
        ([[True] * 6], "no number"),
        ([[0, 0, 10**400, 1, 1, 1]], "far outside"),
    ],
)
def test_a_malformed_segmentation_is_refused_before_it_is_decoded(segmentation: Any, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        check_segmentation(segmentation, 37, 31)
    with pytest.raises(DataError, match=reason):
        decode_mask(segmentation, 37, 31)
