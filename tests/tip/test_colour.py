"""Laws of projection into pseudo-colour."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from threatray.core import COLOUR, DUAL_ENERGY, GREY, FloatArray, Quantity, XrayImage
from threatray.errors import DataError
from threatray.physics.palette_calibration import LUMA
from threatray.physics.pseudo_colour import DEFAULT_PALETTE, GREY_AIR_PALETTE, ScannerPalette
from threatray.tip.colour import ColourTip

PALETTES = (DEFAULT_PALETTE, GREY_AIR_PALETTE)
AXES = np.array([0.15, 0.45, 0.40])

seeds = st.integers(0, 2**32 - 1)
palettes = st.sampled_from(PALETTES)


def any_colours(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (23, 31, 3)).astype(np.uint8)


def palette_colours(seed: int, palette: ScannerPalette = DEFAULT_PALETTE) -> NDArray[np.uint8]:
    """Colours that the palette has."""
    rng = np.random.default_rng(seed)
    low = rng.uniform(0.05, 2.5, (23, 31))
    pair = np.stack([low, low / rng.uniform(1.12, 2.6, low.shape)])
    shown = palette.render(XrayImage(np.exp(-pair).astype(np.float32), Quantity.TRANSMISSION, DUAL_ENERGY))
    return np.ascontiguousarray(np.rint(shown.values * 255).astype(np.uint8).transpose(1, 2, 0))


def some_threat(seed: int, *, most: float = 2.0) -> FloatArray:
    rng = np.random.default_rng(seed + 1)
    low = rng.uniform(0, most, (23, 31)).astype(np.float32)
    low[rng.random(low.shape) < 0.4] = 0
    return np.stack([low, (low / rng.uniform(1.1, 2.8, low.shape)).astype(np.float32)])


@given(seeds, palettes)
@settings(deadline=None, max_examples=30)
def test_adding_nothing_changes_nothing(seed: int, palette: ScannerPalette) -> None:
    bag = any_colours(seed)
    assert np.array_equal(ColourTip(palette).window(bag, np.zeros((2, 23, 31), np.float32)), bag)
    almost = np.full((2, 23, 31), 1e-7, np.float32)
    # But for a colour in 100,000 that lies on the edge between two nodes of the table.
    assert (ColourTip(palette).window(bag, almost) != bag).any(axis=2).sum() <= 1


@given(seeds, palettes)
@settings(deadline=None, max_examples=30)
def test_pixels_outside_the_threat_are_the_bags_bit_for_bit(seed: int, palette: ScannerPalette) -> None:
    bag, threat = any_colours(seed), some_threat(seed)
    untouched = (threat == 0).all(axis=0)
    assert np.array_equal(ColourTip(palette).window(bag, threat)[untouched], bag[untouched])


@given(seeds, palettes)
@settings(deadline=None, max_examples=60)
def test_never_of_higher_luma_than_the_bag(seed: int, palette: ScannerPalette) -> None:
    for bag in (any_colours(seed), palette_colours(seed, palette)):
        made = ColourTip(palette).window(bag, some_threat(seed))
        assert (made.astype(float) @ np.array(palette.weights) <= bag.astype(float) @ np.array(palette.weights) + 1e-2).all()


@given(seeds)
@settings(deadline=None, max_examples=30)
def test_agrees_with_the_palette_itself_on_its_own_colours(seed: int) -> None:
    # The slow way: invert, add, render, without tables.
    bag, threat = palette_colours(seed), some_threat(seed, most=1.0)
    image = XrayImage(np.ascontiguousarray(bag.transpose(2, 0, 1)).astype(np.float32) / 255, Quantity.PSEUDO_COLOUR, COLOUR)
    energies = DEFAULT_PALETTE.invert(image).values
    total = np.maximum(energies * np.exp(-threat), np.float32(2.0**-17)).astype(np.float32)
    slow = DEFAULT_PALETTE.render(XrayImage(total, Quantity.TRANSMISSION, DUAL_ENERGY)).values.transpose(1, 2, 0) * 255
    error = np.abs(ColourTip(DEFAULT_PALETTE).window(bag, threat) - slow).max(axis=2)
    assert np.quantile(error, 0.95) < 6
    assert np.median(error) < 2.5


@given(seeds)
@settings(deadline=None, max_examples=30)
def test_two_threats_commute_and_equal_their_sum_within_rounding(seed: int) -> None:
    bag, first, second = palette_colours(seed), some_threat(seed, most=0.8), some_threat(seed + 7, most=0.8)
    tip = ColourTip(DEFAULT_PALETTE)
    one, other = tip.window(tip.window(bag, first), second), tip.window(tip.window(bag, second), first)
    both = tip.window(bag, first + second)
    for made in (other, both):
        error = np.abs(one.astype(int) - made).max(axis=2)
        assert np.median(error) <= 2
        assert np.quantile(error, 0.95) <= 10


def test_steel_over_organic_turns_from_orange_over_green_towards_blue() -> None:
    # What multiplying channels cannot do: an orange of little blue stays of little blue.
    orange = np.full((1, 4, 3), (232, 150, 44), np.uint8)
    steel = np.array([0.0, 0.15, 0.5, 1.2], np.float32).reshape(1, 1, 4)
    made = ColourTip(DEFAULT_PALETTE).window(orange, np.concatenate([steel, steel / 2.4]))[0].astype(int)
    hue = [
        np.degrees(np.arctan2(0.713 * (red - luma), 0.564 * (blue - luma))) % 360
        for (red, _, blue), luma in zip(made, made @ LUMA, strict=True)
    ]
    assert hue[0] < hue[1] < hue[2] < hue[3]
    assert made[3][1] > made[3][0]
    assert made[3][2] > made[3][0]


@given(seeds)
@settings(deadline=None, max_examples=20)
def test_a_threats_grain_comes_along_without_brightening(seed: int) -> None:
    rng = np.random.default_rng(seed)
    tip, bag, threat = ColourTip(DEFAULT_PALETTE), palette_colours(seed), some_threat(seed)
    clean = palette_colours(seed + 3)
    grainy = np.clip(clean + rng.normal(0, 12, clean.shape), 0, 255).astype(np.uint8)
    assert np.abs(tip.grain(clean)).mean() < 0.2 * np.abs(tip.grain(grainy)).mean()
    made = tip.window(bag, threat, tip.grain(grainy))
    assert (made.astype(float) @ AXES <= bag.astype(float) @ AXES + 1e-2).all()
    untouched = (threat == 0).all(axis=0)
    assert np.array_equal(made[untouched], bag[untouched])
    assert not np.array_equal(made, tip.window(bag, threat))


def test_a_threat_put_back_with_its_grain_is_nearer_to_its_scan() -> None:
    rng = np.random.default_rng(0)
    tip, behind, threat = ColourTip(DEFAULT_PALETTE), palette_colours(0), some_threat(0, most=0.8)
    flicker = rng.normal(0, 9, behind.shape)
    flicker -= (flicker @ AXES)[..., None]  # of colour alone
    scan = np.clip(tip.window(behind, threat) + flicker, 0, 255).astype(np.uint8)
    without, with_it = (
        np.abs(tip.window(behind, threat, grain).astype(int) - scan)[threat[0] > 0].mean() for grain in (None, tip.grain(scan))
    )
    assert with_it < 0.8 * without


def attenuations(palette: ScannerPalette, *colours: tuple[int, int, int]) -> FloatArray:
    values = np.array(colours, np.float32).T[:, None] / 255
    return ColourTip(palette).energies(XrayImage(np.ascontiguousarray(values), Quantity.PSEUDO_COLOUR, COLOUR)).attenuation().values[:, 0]


def test_what_is_nearly_black_is_taken_for_steel_whatever_the_hue_of_its_last_grey_levels() -> None:
    reddish, greenish, black = attenuations(DEFAULT_PALETTE, (34, 31, 28), (26, 36, 29), (24, 30, 28)).T
    for low, high in (reddish, greenish, black):
        assert 1.3 < low / high < 2.2  # steel of such thickness; organics would give 1.15
    orange = attenuations(DEFAULT_PALETTE, (160, 98, 24))[:, 0]
    assert orange[0] / orange[1] < 1.3  # the hue of what is not dark is believed


def saturating() -> ScannerPalette:
    """A screen that paints all thick steel one blue."""
    stops = tuple(replace(stop, deepest=0.1 if stop.material > 2.5 else 0.0) for stop in GREY_AIR_PALETTE.stops)
    return replace(
        GREY_AIR_PALETTE, name="saturating", stops=stops, lightness=tuple((depth / 2, level) for depth, level in GREY_AIR_PALETTE.lightness)
    )


def test_the_blue_at_a_screens_end_stays_blue_over_organic() -> None:
    palette = saturating()
    steel = XrayImage(np.exp(-np.array([3.2, 1.5], np.float32)).reshape(2, 1, 1), Quantity.TRANSMISSION, DUAL_ENERGY)
    end = palette.render(steel).values[:, 0, 0] * 255
    thicker = XrayImage((steel.values**1.1).astype(np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)
    assert np.abs(palette.render(thicker).values[:, 0, 0] * 255 - end).max() < 4  # the screen is at its end
    low, high = attenuations(palette, tuple(round(float(value)) for value in end))[:, 0]  # type: ignore[arg-type]
    shown = XrayImage((end / 255).astype(np.float32).reshape(3, 1, 1), Quantity.PSEUDO_COLOUR, COLOUR)
    assert low > 1.4 * palette.invert(shown).attenuation().values[0, 0, 0]  # it may stand for more than it shows
    orange = np.full((1, 1, 3), (200, 158, 92), np.uint8)
    made = ColourTip(palette).window(orange, np.array([low, high], np.float32).reshape(2, 1, 1))[0, 0].astype(float)
    assert made[2] > 1.3 * max(made[0], made[1])


def test_a_colour_off_the_palette_keeps_its_strangeness() -> None:
    violet = np.full((1, 1, 3), (190, 120, 220), np.uint8)
    thin = np.full((2, 1, 1), 0.05, np.float32)
    made = ColourTip(DEFAULT_PALETTE).window(violet, thin)[0, 0].astype(int)
    assert made[2] > made[0] > made[1]


def test_energies_are_those_of_the_palette() -> None:
    bag = palette_colours(3)
    image = XrayImage(np.ascontiguousarray(bag.transpose(2, 0, 1)).astype(np.float32) / 255, Quantity.PSEUDO_COLOUR, COLOUR)
    fast, exact = (
        energies.attenuation().values for energies in (ColourTip(DEFAULT_PALETTE).energies(image), DEFAULT_PALETTE.invert(image))
    )
    assert np.abs(fast[0] - exact[0]).max() < 1e-5
    assert np.quantile(np.abs(fast[1] - exact[1]) / (exact[1] + 0.1), 0.95) < 0.08


@pytest.mark.parametrize(
    ("bag", "added", "message"),
    [
        (np.zeros((2, 3, 3), np.uint16), np.zeros((2, 2, 3), np.float32), r"expected a uint8 array of shape \(H, W, 3\), got uint16"),
        (
            np.zeros((2, 3, 3), np.uint8),
            np.zeros((3, 2, 3), np.float32),
            r"expected added attenuation of shape \(2, 2, 3\), got \(3, 2, 3\)",
        ),
        (np.zeros((1, 1, 3), np.uint8), np.array([[[1.0]], [[-1.0]]], np.float32), "finite and at least 0"),
        (np.zeros((1, 1, 3), np.uint8), np.full((2, 1, 1), np.inf, np.float32), "finite and at least 0"),
    ],
)
def test_what_is_no_window_is_refused(bag: NDArray[np.uint8], added: FloatArray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ColourTip(DEFAULT_PALETTE).window(bag, added)


def test_energies_of_grey_are_refused() -> None:
    grey = XrayImage(np.ones((1, 2, 2), np.float32), Quantity.TRANSMISSION, GREY)
    with pytest.raises(DataError, match="expected pseudo-colour"):
        ColourTip(DEFAULT_PALETTE).energies(grey)


def test_each_palette_has_its_own_tables() -> None:
    bag, threat = palette_colours(0), some_threat(0)
    darker = replace(DEFAULT_PALETTE, name="other", lightness=tuple((2 * depth, level) for depth, level in DEFAULT_PALETTE.lightness))
    assert not np.array_equal(ColourTip(DEFAULT_PALETTE).window(bag, threat), ColourTip(darker).window(bag, threat))
