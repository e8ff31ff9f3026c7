"""The smallest, the blackest and the emptiest: each projected right or refused with the reason."""

from __future__ import annotations

import numpy as np
import pytest

from threatray.core import DUAL_ENERGY, TRANSMISSION_FLOOR, Origin, OriginKind, Quantity, Signature, XrayImage
from threatray.errors import DataError
from threatray.tip.bag_map import BagMap
from threatray.tip.compose import CompositeParams, Insertion, apply_composite
from threatray.tip.draw import draw_composite
from threatray.tip.refusal import Refused
from threatray.tip.vary import VariationParams


def pixel(value: float) -> Signature:
    """A threat of one pixel."""
    image = XrayImage(np.full((2, 1, 1), value, np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)
    return Signature("a", image, np.ones((1, 1), np.bool_), "gun", Origin(OriginKind.RENDERED, "a", "a"))


def bag(value: float, *, side: int = 60) -> XrayImage:
    values = np.pad(np.full((2, side, side), value, np.float32), ((0, 0), (10, 10), (10, 10)), constant_values=1)
    return XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY)


@pytest.mark.parametrize("value", [0.3, TRANSMISSION_FLOOR])
def test_a_threat_of_one_pixel_changes_one_pixel_and_has_a_box_of_one(value: float) -> None:
    params = CompositeParams("b", (Insertion("a", VariationParams(), 25, 31),))
    made = apply_composite(bag(0.5), params, lambda _: pixel(value))
    np.testing.assert_array_equal(np.argwhere((made.image.values != bag(0.5).values).any(axis=0)), [[31, 25]])
    np.testing.assert_array_equal(made.annotations.boxes, [[25, 31, 26, 32]])
    assert made.image.values.min() == np.float32(max(0.5 * value, TRANSMISSION_FLOOR))


@pytest.mark.parametrize("seed", range(3))
def test_a_threat_of_one_pixel_is_drawn_and_replayed(seed: int) -> None:
    drawn = draw_composite(BagMap.of(bag(0.5)), "b", [pixel(0.3)], np.random.default_rng(seed))
    assert isinstance(drawn, CompositeParams)
    made = apply_composite(bag(0.5), drawn, lambda _: pixel(0.3))
    assert 1 <= (made.image.values != bag(0.5).values).any(axis=0).sum() <= 9


def test_a_bag_of_zeros_stays_at_the_floor() -> None:
    params = CompositeParams("b", (Insertion("a", VariationParams(), 25, 31),))
    black = bag(TRANSMISSION_FLOOR)
    np.testing.assert_array_equal(apply_composite(black, params, lambda _: pixel(0.3)).image.values, black.values)
    drawn = draw_composite(BagMap.of(black), "b", [pixel(0.3)], np.random.default_rng(0))
    assert isinstance(drawn, Refused)
    assert "no place" in str(drawn) or "fit" in str(drawn) or "dark" in str(drawn)


def test_air_and_what_is_invisible_are_refused() -> None:
    assert "nothing but air" in str(draw_composite(BagMap.of(bag(1.0)), "b", [pixel(0.3)], np.random.default_rng(0)))
    assert "adds 0.001 attenuation" in str(draw_composite(BagMap.of(bag(0.5)), "b", [pixel(0.999)], np.random.default_rng(0)))
    params = CompositeParams("b", (Insertion("a", VariationParams(), 25, 31),))
    with pytest.raises(DataError, match="invisible and has no box"):
        apply_composite(bag(0.5), params, lambda _: pixel(0.999))


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, 1.01, -0.1])
def test_what_is_no_transmission_never_gets_in(value: float) -> None:
    values = np.full((2, 5, 5), 0.5, np.float32)
    values[0, 2, 2] = value
    with pytest.raises(DataError, match=r"transmission must lie in \[7.63e-06, 1\]"):
        XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY)
