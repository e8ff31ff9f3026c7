"""Pseudo-colour: render and invert, the colours that people expect, and refusals."""

import colorsys
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core.image import COLOUR, DUAL_ENERGY, GREY, Quantity, XrayImage
from threatray.errors import ConfigError, DataError
from threatray.physics.dual_energy import DualEnergyScanner
from threatray.physics.materials import MATERIALS
from threatray.physics.pseudo_colour import DEFAULT_PALETTE, GREY_AIR_PALETTE, HueStop

REAL = Path(__file__).parents[3] / "shared" / "data" / "sixray" / "images"
law = settings(deadline=None, max_examples=40)
palettes = pytest.mark.parametrize("palette", [DEFAULT_PALETTE, GREY_AIR_PALETTE], ids=lambda palette: palette.name)


def pair(low, high) -> XrayImage:
    values = np.exp(-np.stack([np.atleast_2d(low), np.atleast_2d(high)])).astype(np.float32)
    return XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY)


def eight_bit(colour: XrayImage) -> XrayImage:
    return XrayImage((np.round(colour.values * 255) / 255).astype(np.float32), colour.quantity, colour.channels)


def shown(palette=DEFAULT_PALETTE, **thickness_cm: float) -> tuple[float, float, float]:
    image = palette.render(DualEnergyScanner().transmit({name: np.full((1, 1), value) for name, value in thickness_cm.items()}))
    red, green, blue = (float(value) for value in image.values[:, 0, 0])
    return red, green, blue


def hue_degrees(**thickness_cm: float) -> float:
    return 360 * colorsys.rgb_to_hsv(*shown(**thickness_cm))[0]


@palettes
@law
@given(st.floats(0.0, 7.0), st.floats(1.12, 2.2))
def test_render_then_invert_recovers_both_attenuations(palette, low, r):
    image = pair(low, low / r)
    q = np.float64(r - 1)
    if not palette.stops[0].material <= q + palette.hardening * q**2 * low / r <= palette.stops[-1].material:
        return  # beyond the end stops only the low attenuation is promised
    found = palette.invert(palette.render(image)).attenuation().values
    np.testing.assert_allclose(found, image.attenuation().values, atol=1e-3 * (1 + low))


@palettes
@law
@given(st.sampled_from(sorted(MATERIALS)), st.floats(0.01, 10.0))
def test_eight_bits_cost_at_most_a_hundredth_of_transmission(palette, name, centimetres):
    image = DualEnergyScanner().transmit({name: np.full((1, 1), centimetres)})
    found = palette.invert(eight_bit(palette.render(image)))
    assert np.abs(found.values - image.values).max() < 0.01


@law
@given(st.floats(0.0, 8.0), st.floats(1.0, 3.0), st.floats(0.01, 2.0))
def test_more_attenuation_is_never_lighter(low, r, more):
    weights = np.array(DEFAULT_PALETTE.weights)
    before, after = (float(weights @ DEFAULT_PALETTE.render(pair(value, value / r)).values[:, 0, 0]) for value in (low, low + more))
    assert after <= before + 1e-6


@palettes
def test_air_is_exactly_the_air_colour_and_comes_back_as_air(palette):
    air = pair(0.0, 0.0)
    colour = palette.render(air)
    np.testing.assert_allclose(colour.values[:, 0, 0], np.array(palette.air) / 255, atol=1e-6)
    np.testing.assert_allclose(palette.invert(colour).values, 1.0, atol=1e-6)


@palettes
def test_what_is_starved_is_black(palette):
    np.testing.assert_allclose(shown(palette, lead=5.0), np.array(palette.black) / 255, atol=1e-6)


@pytest.mark.parametrize(
    ("thickness_cm", "low", "high"),
    [
        ({"water": 6.0}, 20, 42),
        ({"polyethylene": 8.0}, 20, 42),
        ({"sugar_food": 10.0}, 20, 45),
        ({"aluminium": 0.3}, 85, 135),
        ({"aluminium": 2.0}, 85, 135),
        ({"steel": 0.05}, 195, 225),
        ({"steel": 0.3}, 195, 225),
        ({"copper": 0.1}, 195, 225),
        ({"steel": 0.1, "water": 4.0}, 100, 185),
        ({"fr4": 0.16}, 120, 170),
    ],
)
def test_hues_are_those_of_the_screens(thickness_cm, low, high):
    assert low < hue_degrees(**thickness_cm) < high


def test_one_material_keeps_its_hue_whatever_its_thickness():
    for name, thicknesses in {"water": (1, 3, 8, 14), "aluminium": (0.3, 1, 3, 6), "steel": (0.05, 0.15, 0.3, 0.5)}.items():
        hues = [hue_degrees(**{name: thickness}) for thickness in thicknesses]
        assert max(hues) - min(hues) < 25, (name, hues)


def test_thin_things_fade_towards_air():
    saturation = [colorsys.rgb_to_hsv(*shown(steel=thickness))[1] for thickness in (0.001, 0.005, 0.02, 0.1)]
    assert saturation == sorted(saturation)
    assert saturation[0] < 0.08


def test_a_lone_noisy_air_pixel_is_hardly_coloured():
    red, green, blue = DEFAULT_PALETTE.render(pair(0.02, 0.002)).values[:, 0, 0]
    assert max(red, green, blue) - min(red, green, blue) < 0.06


@pytest.mark.real
@pytest.mark.parametrize(("palette", "names"), [(DEFAULT_PALETTE, ("0005", "0275", "0455", "0635")), (GREY_AIR_PALETTE, ("0725", "0815"))])
def test_the_colours_of_real_screens_are_colours_of_the_palette(palette, names):
    if not REAL.is_dir():
        pytest.skip("the real scans are not here")
    from threatray.core.image_file import read_pixels

    for name in names:
        pixels = read_pixels(REAL / f"{name}.jpg")[::3, ::3].astype(np.float32) / 255
        real = np.ascontiguousarray(pixels.transpose(2, 0, 1))
        ours = palette.render(palette.invert(XrayImage(real, Quantity.PSEUDO_COLOUR, COLOUR))).values
        thing = real.min(axis=0) < 0.85
        distance = np.sqrt(((ours - real) ** 2).sum(axis=0))[thing]
        assert np.median(distance) < 10 / 255, name
        assert np.quantile(distance, 0.9) < 36 / 255, name


@palettes
def test_colours_that_are_not_in_the_palette_become_the_nearest(palette):
    magenta = XrayImage(np.array([0.8, 0.1, 0.9], np.float32).reshape(3, 1, 1), Quantity.PSEUDO_COLOUR, COLOUR)
    low, high = palette.invert(magenta).values[:, 0, 0]
    assert 0 < low <= high <= 1


def test_large_images_are_inverted_whole():
    rng = np.random.default_rng(0)
    low = rng.uniform(0, 5, (120, 131))
    image = pair(low, low / 1.5)
    found = DEFAULT_PALETTE.invert(DEFAULT_PALETTE.render(image)).attenuation().values
    np.testing.assert_allclose(found, image.attenuation().values, atol=6e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stops": DEFAULT_PALETTE.stops[:1]}, "at least two stops"),
        ({"stops": DEFAULT_PALETTE.stops[::-1]}, "rising places"),
        ({"stops": (HueStop(0.1, ((10, 10, 10), (200, 200, 200))), HueStop(1.0, ((100, 100, 100),)))}, "the weighted sums must fall"),
        ({"lightness": ((0.0, 1.0), (1.0, 0.5))}, r"lightness must fall from \(0, 1\)"),
        ({"lightness": ((0.0, 1.0), (2.0, 0.5), (1.0, 0.0))}, r"lightness must fall from \(0, 1\)"),
        ({"weights": (0.5, 0.5, 0.5)}, "weights must be positive and sum to 1"),
        ({"hardening": math.nan}, "hardening must be finite and at least 0"),
    ],
)
def test_a_palette_that_could_not_be_inverted_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        replace(DEFAULT_PALETTE, **change)


def test_wrong_images_are_refused():
    grey = XrayImage(np.ones((1, 2, 2), np.float32), Quantity.TRANSMISSION, GREY)
    with pytest.raises(DataError, match="expected a dual-energy image"):
        DEFAULT_PALETTE.render(grey)
    with pytest.raises(DataError, match="expected pseudo-colour with channels"):
        DEFAULT_PALETTE.invert(grey)
