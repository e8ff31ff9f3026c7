from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core import COLOUR, GREY, Quantity, XrayImage
from threatray.core.image_file import read_pixels
from threatray.errors import ConfigError, DataError
from threatray.tip.bag import BagMaskConfig, air_colour, bag_mask
from threatray.tip.bag_map import BagMap


def scan(air: float, noise: float, seed: int = 0) -> XrayImage:
    """A colour scan of a 60x90 orange bag with a blue bar, on noisy air."""
    rng = np.random.default_rng(seed)
    values = np.full((3, 120, 160), air)
    values[:, 30:90, 40:130] *= np.array([0.9, 0.7, 0.4])[:, None, None]
    values[:, 50:60, 50:110] *= np.array([0.1, 0.4, 0.8])[:, None, None]
    values += rng.normal(0, noise, values.shape)
    return XrayImage(np.clip(values, 0, 1).astype(np.float32), Quantity.PSEUDO_COLOUR, COLOUR)


@settings(deadline=None, max_examples=15)
@given(st.sampled_from([1.0, 0.88, 0.76]), st.sampled_from([0.0, 0.004]), st.integers(0, 99))
def test_finds_white_and_grey_air_and_the_bag_in_it(air, noise, seed):
    image = scan(air, noise, seed)
    colour = air_colour(image)
    assert colour == pytest.approx([air] * 3, abs=0.01)
    found = bag_mask(image.as_channel_transmission(colour))
    expected = np.zeros((120, 160), bool)
    expected[30:90, 40:130] = True
    assert (found & expected).sum() / (found | expected).sum() > 0.95


def test_air_is_found_where_the_bag_fills_the_border():
    values = np.full((3, 100, 100), 0.4, np.float32)
    values[0] = 0.7
    values[:, 40:60, 40:60] = 0.9
    values[:, 70:90, 70:90] = 0.6  # a thin neutral thing is not air
    assert air_colour(XrayImage(values, Quantity.PSEUDO_COLOUR, COLOUR)) == pytest.approx([0.9] * 3)


def test_air_with_the_tint_of_a_photographed_screen_is_found():
    image = scan(1.0, 0.0)
    pink = np.array([0.88, 0.75, 0.87], np.float32)
    colour = air_colour(XrayImage(image.values * pink[:, None, None], Quantity.PSEUDO_COLOUR, COLOUR))
    assert colour == pytest.approx(pink, abs=0.01)


def test_grey_pictures_have_air_too():
    values = np.full((1, 60, 60), 0.8, np.float32)
    values[:, 20:40, 20:40] = 0.3
    assert air_colour(XrayImage(values, Quantity.PSEUDO_COLOUR, GREY)) == pytest.approx([0.8])


@settings(deadline=None, max_examples=15)
@given(st.sampled_from([1.0, 0.88, 0.76]), st.integers(0, 99), st.sampled_from([1, 3, 7]))
def test_the_map_of_a_stored_scan_lies_within_its_outline(air, seed, enlarge):
    image = scan(air, 0.004, seed)
    levels = np.kron(np.rint(image.values * 255).astype(np.uint8), np.ones((1, enlarge, enlarge), np.uint8))
    found = BagMap.of_levels(levels, None)
    fine = np.kron(found.inside, np.ones((found.step, found.step), bool))
    expected = np.zeros(levels.shape[1:], bool)
    expected[30 * enlarge : 90 * enlarge, 40 * enlarge : 130 * enlarge] = True
    fine = np.pad(fine, [(0, size - have) for size, have in zip(expected.shape, fine.shape, strict=True)])
    assert (fine & expected).sum() / expected.sum() > 0.9
    assert (fine & ~expected).sum() <= 2 * enlarge * 300, "no more than the rounding of a corner beyond the outline"
    assert found.air == pytest.approx([255 * air] * 3, abs=3)


def test_bags_apart_are_pieces_of_their_own():
    levels = np.full((1, 100, 200), 255, np.uint8)
    levels[:, 20:80, 20:80] = levels[:, 20:80, 120:180] = 120
    found = BagMap.of_levels(levels, np.array([255.0]))
    assert found.pieces.max() == 2
    assert (found.piece_areas == (found.inside.sum() / 2)).all()


def test_air_alone_holds_no_bag():
    assert not bag_mask(XrayImage(np.ones((1, 50, 50), np.float32), Quantity.TRANSMISSION, GREY)).any()
    noisy = np.clip(1 - np.abs(np.random.default_rng(0).normal(0, 0.01, (1, 90, 90))), 0.5, 1).astype(np.float32)
    assert bag_mask(XrayImage(noisy, Quantity.TRANSMISSION, GREY)).mean() < 0.02


def test_an_open_frame_is_not_filled():
    values = np.ones((1, 200, 200), np.float32)
    values[:, 20:180, 20:180] = 0.3
    values[:, 45:155, 45:155] = 1
    mask = bag_mask(XrayImage(values, Quantity.TRANSMISSION, GREY))
    assert mask[30, 100]
    assert not mask[100, 100]


def test_a_bag_cut_by_the_picture_touches_its_edge():
    values = np.ones((1, 100, 200), np.float32)
    values[:, :60, :90] = 0.5
    mask = bag_mask(XrayImage(values, Quantity.TRANSMISSION, GREY))
    assert mask[0, :85].all()
    assert mask[:55, 0].all()


def test_large_scans_give_the_same_outline():
    small = scan(1.0, 0.0).as_channel_transmission(np.ones(3))
    large = XrayImage(np.kron(small.values, np.ones((1, 12, 12), np.float32)), small.quantity, small.channels)
    mask, expected = bag_mask(large), np.kron(bag_mask(small), np.ones((12, 12), bool))
    assert (mask & expected).sum() / (mask | expected).sum() > 0.97


def test_refuses_other_quantities_and_pictures_without_air():
    dark = XrayImage(np.full((3, 20, 20), 0.2, np.float32), Quantity.PSEUDO_COLOUR, COLOUR)
    with pytest.raises(DataError, match="no bright neutral area"):
        air_colour(dark)
    with pytest.raises(DataError, match="expected a pseudo-colour image"):
        air_colour(XrayImage(np.ones((1, 2, 2), np.float32), Quantity.TRANSMISSION, GREY))
    with pytest.raises(DataError, match="pseudo-colour is not a transmission"):
        bag_mask(dark)
    with pytest.raises(ConfigError, match=r"close_share must lie in \[0, 1\)"):
        BagMaskConfig(close_share=1)


@pytest.mark.real
def test_real_scans_of_three_scanners_have_air_and_bags(real_data):
    for name, air in (("P0001", 1.0), ("P0121", 195 / 255), ("P0191", 195 / 255)):
        pixels = read_pixels(real_data / "sixray" / "negatives" / f"{name}.jpg")[::2, ::2]
        values = np.ascontiguousarray(pixels.transpose(2, 0, 1).astype(np.float32) / 255)
        image = XrayImage(values, Quantity.PSEUDO_COLOUR, COLOUR)
        assert air_colour(image) == pytest.approx([air] * 3, abs=0.02)
        assert 0.02 < bag_mask(image.as_channel_transmission(air_colour(image))).mean() < 0.98


@settings(deadline=None, max_examples=25)
@given(st.sampled_from([1.0, 0.88, 0.76]), st.integers(0, 99), st.integers(3, 7), st.integers(25, 60), st.integers(14, 24), st.booleans())
def test_a_handles_loop_is_air_and_a_hole_in_the_bag_is_bag(air, seed, strap, wide, high, vertical):
    values = np.ones((120, 160))
    values[45:110, 30:130] = 0.6
    values[70:85, 70:90] = 1  # a window through the bag
    values[45 - high : 45, 50 : 50 + wide] = 0.8
    loop = np.s_[45 - high + strap : 45, 50 + strap : 50 + wide - strap]
    values[loop] = 1
    turned = values.T if vertical else values
    noisy = air * turned[None] + np.random.default_rng(seed).normal(0, 0.003, (3, *turned.shape))
    image = XrayImage(np.clip(noisy, 0, 1).astype(np.float32), Quantity.PSEUDO_COLOUR, COLOUR)
    transmission = image.as_channel_transmission(air_colour(image))
    for found in (bag_mask(transmission), BagMap.of(transmission).inside):
        found = found.T if vertical else found
        assert not found[loop][2:-2, 2:-2].any()
        assert found[72:83, 72:88].all()
        assert found[50:105, 35:125].all()


def test_a_bag_of_thin_cloth_with_a_strong_rim_is_bag_all_over():
    values = np.ones((1, 120, 160), np.float32)
    values[0, 20:100, 20:140] = 0.75
    values[0, 24:42, 24:136] = 0.98  # two sheets of cloth: less than counts as something, more than air
    found = bag_mask(XrayImage(values, Quantity.TRANSMISSION, GREY))
    assert found[22:98, 22:138].all()
