from __future__ import annotations

import numpy as np
import pytest

from threatray.core import COLOUR, GREY, Quantity, XrayImage
from threatray.errors import ConfigError, DataError
from threatray.tip.compose import CompositeParams, Insertion, apply_composite
from threatray.tip.controls import ControlArm, alpha_blend, apply_control, opaque_paste
from threatray.tip.vary import VariationParams


def test_control_arms_carry_the_same_annotations_as_the_projection(bag_of, signature_of):
    bag, thing = bag_of(1), signature_of(2)
    params = CompositeParams("b", (Insertion("s2", VariationParams(), 5, 7),))
    ours = apply_composite(bag, params, lambda _: thing)
    for arm in ControlArm:
        control = apply_control(bag, params, lambda _: thing, arm)
        assert (control.annotations.boxes == ours.annotations.boxes).all()
        assert (control.annotations.masks == ours.annotations.masks).all()
        assert not (control.image.values == ours.image.values).all()


def test_an_opaque_paste_hides_the_bag_and_leaves_the_rest(bag_of, signature_of):
    bag, thing = bag_of(1), signature_of(2)
    made = opaque_paste(bag, thing.image.values, thing.mask, 3, 4).values[:, 4:13, 3:16]
    assert (made[:, thing.mask] == thing.image.values[:, thing.mask]).all()
    assert (made[:, ~thing.mask] == bag.values[:, 4:13, 3:16][:, ~thing.mask]).all()


def test_alpha_blending_brightens_what_projection_never_would():
    bag = XrayImage(np.full((1, 1, 1), 0.1, np.float32), Quantity.TRANSMISSION, GREY)
    made = alpha_blend(bag, np.full((1, 1, 1), 0.9, np.float32), np.ones((1, 1), bool), 0, 0, alpha=0.5)
    assert made.values[0, 0, 0] == pytest.approx(0.5)


def test_a_photo_crop_is_pasted_into_a_colour_scan():
    bag = XrayImage(np.full((3, 4, 4), 0.9, np.float32), Quantity.PSEUDO_COLOUR, COLOUR)
    crop = np.zeros((3, 2, 2), np.float32)
    made = opaque_paste(bag, crop, np.array([[True, False], [False, True]]), 1, 1)
    assert made.values[:, 1, 1].tolist() == [0, 0, 0]
    assert made.values[0, 1, 2] == np.float32(0.9)


def test_refuses_what_cannot_be_pasted(bag_of):
    bag, one, mask = bag_of(0, 1), np.ones((1, 2, 2), np.float32), np.ones((2, 2), bool)
    with pytest.raises(ConfigError, match="alpha must lie in"):
        alpha_blend(bag, one, mask, 0, 0, alpha=1.5)
    with pytest.raises(DataError, match="do not go with a bag"):
        alpha_blend(bag, one, np.ones((3, 3), bool), 0, 0)
    with pytest.raises(DataError, match="leaves the 37x31 scan"):
        alpha_blend(bag, one, mask, 36, 0)
    with pytest.raises(DataError, match=r"values must lie in \[0, 1\]"):
        alpha_blend(bag, one * 200, mask, 0, 0)
    with pytest.raises(DataError, match="got attenuation"):
        alpha_blend(bag.attenuation(), one, mask, 0, 0)
