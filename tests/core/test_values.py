from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core import (
    COLOUR,
    GREY,
    TRANSMISSION_FLOOR,
    Annotations,
    Origin,
    OriginKind,
    Quantity,
    Score,
    Signature,
    XrayImage,
    box_of_mask,
    derive,
    stream,
)
from threatray.errors import DataError


def image(values: object, quantity: Quantity = Quantity.TRANSMISSION, channels: tuple[str, ...] = GREY) -> XrayImage:
    return XrayImage(np.array(values, np.float32), quantity, channels)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(TRANSMISSION_FLOOR, 1.0, width=32), min_size=1, max_size=30))
def test_attenuation_and_transmission_undo_each_other(values: list[float]) -> None:
    given_image = image([[values]])
    np.testing.assert_allclose(given_image.attenuation().transmission().values, given_image.values, rtol=3e-6)
    np.testing.assert_allclose(given_image.attenuation().values[0, 0], -np.log(values), rtol=1e-5, atol=1e-6)


def test_an_image_already_in_the_wanted_quantity_is_itself() -> None:
    transmission = image([[[0.5, 1.0]]])
    assert transmission.transmission() is transmission
    assert transmission.attenuation().attenuation().quantity is Quantity.ATTENUATION


def test_colour_is_never_multiplied_by_accident() -> None:
    colour = image(np.full((3, 2, 2), 0.5), Quantity.PSEUDO_COLOUR, COLOUR)
    with pytest.raises(DataError, match="pseudo-colour is not a transmission"):
        colour.transmission()
    with pytest.raises(DataError, match="pseudo-colour is not a transmission"):
        colour.attenuation()
    read = colour.as_channel_transmission(np.array([1.0, 0.5, 0.25]))
    np.testing.assert_allclose(read.values[:, 0, 0], [0.5, 1.0, 1.0])
    with pytest.raises(DataError, match="expected pseudo-colour, got transmission"):
        read.as_channel_transmission(np.ones(3))


def test_pixels_of_an_image_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        image([[[0.5]]]).values[0, 0, 0] = 1


@pytest.mark.parametrize(
    ("values", "quantity", "channels", "reason"),
    [
        (np.zeros((2, 2), np.float32), Quantity.PSEUDO_COLOUR, GREY, r"shape \(C, H, W\), got float32 \(2, 2\)"),
        (np.zeros((1, 2, 2)), Quantity.PSEUDO_COLOUR, GREY, "got float64"),
        ([0.5], Quantity.PSEUDO_COLOUR, GREY, "got list"),
        (np.zeros((1, 0, 2), np.float32), Quantity.PSEUDO_COLOUR, GREY, "at least one pixel"),
        (np.zeros((1, 2, 2), np.float32), Quantity.PSEUDO_COLOUR, COLOUR, "1 channels but 3 channel names"),
        (np.zeros((1, 2, 2), np.float32), Quantity.TRANSMISSION, GREY, "transmission must lie in"),
        (np.full((1, 2, 2), 1.01, np.float32), Quantity.TRANSMISSION, GREY, "Clip in the reader"),
        (np.full((1, 2, 2), -0.1, np.float32), Quantity.ATTENUATION, GREY, "attenuation must lie in"),
        (np.full((1, 2, 2), np.nan, np.float32), Quantity.PSEUDO_COLOUR, GREY, r"got \[nan, nan\]"),
    ],
)
def test_an_impossible_image_is_refused(values: np.ndarray, quantity: Quantity, channels: tuple[str, ...], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        XrayImage(values, quantity, channels)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 30), st.integers(0, 36), st.integers(1, 31), st.integers(1, 37))
def test_the_box_of_a_mask_is_tight(left: int, top: int, wide: int, high: int) -> None:
    mask = np.zeros((37, 31), bool)
    mask[top : top + high, left : left + wide] = True
    assert box_of_mask(mask) == (left, top, min(left + wide, 31), min(top + high, 37))


def test_an_empty_mask_has_no_box() -> None:
    with pytest.raises(DataError, match="no true pixel"):
        box_of_mask(np.zeros((3, 4), bool))


@pytest.mark.parametrize(
    ("boxes", "labels", "masks", "reason"),
    [
        (np.zeros((1, 4)), ("a",), None, "must be float32"),
        (np.zeros((1, 3), np.float32), ("a",), None, "must be float32 of shape"),
        (np.zeros((0, 4), np.float32), ("a",), None, "0 boxes but 1 labels"),
        (np.array([[1, 1, 1, 2]], np.float32), ("a",), None, "x1 > x0"),
        (np.array([[1, 1, np.inf, 2]], np.float32), ("a",), None, "must be finite"),
        (np.array([[1, 1, 2, 2]], np.float32), ("a",), np.zeros((2, 3, 3), bool), "masks must be bool"),
    ],
)
def test_impossible_annotations_are_refused(boxes: np.ndarray, labels: tuple[str, ...], masks: np.ndarray | None, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        Annotations(boxes, labels, masks)


def test_a_signature_is_one_outside_its_mask() -> None:
    values, mask = np.ones((1, 3, 4), np.float32), np.zeros((3, 4), bool)
    values[0, 1, 2], mask[1, 2] = 0.3, True
    origin = Origin(OriginKind.REAL, "scan", "bag")
    assert Signature("a", image(values), mask, "gun", origin).mask.sum() == 1
    for wrong_image, wrong_mask, reason in (
        (image(values), np.zeros((3, 4), bool), "the mask is empty"),
        (image(values), mask.T, r"mask must be bool \(3, 4\)"),
        (image(values * 0.5), mask, "exactly 1 outside the mask"),
        (image(values, Quantity.ATTENUATION), mask, "expected a transmission"),
    ):
        with pytest.raises(DataError, match=reason):
            Signature("a", wrong_image, wrong_mask, "gun", origin)
    grain = np.zeros((3, 3, 4), np.float32)
    grain[:, 1, 2] = 0.25, -0.25, 0.0
    assert Signature("a", image(values), mask, "gun", origin, grain).grain is grain
    for wrong_grain, reason in (
        (grain[:1], r"grain must be float32 \(3, 3, 4\), got float32 \(1, 3, 4\)"),
        (grain.astype(np.float64), "got float64"),
        (grain + np.float32(0.1), "exactly 0 outside the mask"),
        (np.where(mask, np.float32(np.nan), grain).astype(np.float32), "must be finite"),
    ):
        with pytest.raises(DataError, match=reason):
            Signature("a", image(values), mask, "gun", origin, wrong_grain)


def test_streams_depend_on_the_whole_key_and_nothing_else() -> None:
    assert stream(7, "bag", 3).random() == stream(7, "bag", 3).random()
    keys = [(7, "bag", 3), (8, "bag", 3), (7, "bag", "3"), (7, "bag"), (7, "b", "ag", 3), (7, 3, "bag")]
    assert len({derive(*key) for key in keys}) == len(keys)
    assert 0 <= derive(7, "bag") < 2**64


def test_a_score_is_plain_json() -> None:
    assert Score("kid", 0.1, None, 0.2, 3, "lite0", False).as_json() == {
        "name": "kid",
        "value": 0.1,
        "low": None,
        "high": 0.2,
        "n": 3,
        "extractor": "lite0",
        "higher_is_better": False,
    }
