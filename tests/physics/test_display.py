"""What a screen does for the eye."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core.image import COLOUR, DUAL_ENERGY, GREY, Quantity, XrayImage
from threatray.errors import ConfigError, DataError
from threatray.physics.display import sharpen_for_display, smooth_material
from threatray.physics.dual_energy import DualEnergyScanner, r_value
from threatray.physics.noise import NoiseParams, PhotonNoise, detector_blur

law = settings(deadline=None, max_examples=25)


def pair(low: np.ndarray, high: np.ndarray) -> XrayImage:
    return XrayImage(np.exp(-np.stack([low, high])).astype(np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)


@law
@given(st.integers(0, 2**32 - 1), st.floats(1.1, 2.5), st.floats(0.3, 4.0))
def test_one_material_of_any_thickness_is_not_changed(seed, r, sigma):
    low = np.random.default_rng(seed).uniform(0.0, 3.0, (17, 23))
    image = pair(low, low / r)
    np.testing.assert_allclose(smooth_material(image, sigma_px=sigma).values, image.values, atol=1e-5)


def test_the_low_energy_channel_is_kept_to_the_bit():
    rng = np.random.default_rng(0)
    image = pair(rng.uniform(0, 3, (16, 16)), rng.uniform(0, 3, (16, 16)))
    assert smooth_material(image).values[0].tobytes() == image.values[0].tobytes()


def test_the_hue_of_noise_is_calmed():
    flat = DualEnergyScanner().transmit({"aluminium": np.full((64, 64), 0.3)})
    noisy = PhotonNoise().apply(flat, NoiseParams(0))
    assert np.nanstd(r_value(smooth_material(noisy))) < 0.5 * np.nanstd(r_value(noisy))


def test_the_rim_of_steel_is_taken_for_metal_again():
    steel = np.zeros((9, 40))
    steel[:, 20:] = 1.0
    image = detector_blur(DualEnergyScanner().transmit({"steel": steel}), 0.8)
    seen, shown = (r_value(values)[4] for values in (image, smooth_material(image)))
    metal = seen[-1]
    assert seen[19] < 1.2  # partly covered: looks organic
    assert shown[19] - seen[19] > 0.3 * (metal - seen[19])


def test_sharpening_leaves_flat_regions_and_darkens_the_inside_of_edges():
    values = np.ones((3, 20, 20), np.float32)
    values[:, :, 10:] = 0.4
    image = XrayImage(values, Quantity.PSEUDO_COLOUR, COLOUR)
    sharp = sharpen_for_display(image, amount=0.5, sigma_px=1.0).values
    np.testing.assert_allclose(sharp[:, :, 0], 1.0, atol=1e-5)
    np.testing.assert_allclose(sharp[:, :, -1], 0.4, atol=1e-5)
    assert (sharp[:, :, 10] < 0.35).all()
    np.testing.assert_allclose(sharpen_for_display(image, amount=0.0).values, values)


def test_wrong_images_and_numbers_are_refused():
    grey = XrayImage(np.ones((1, 2, 2), np.float32), Quantity.TRANSMISSION, GREY)
    colour = XrayImage(np.ones((3, 2, 2), np.float32), Quantity.PSEUDO_COLOUR, COLOUR)
    with pytest.raises(DataError, match="expected pseudo-colour, got transmission"):
        sharpen_for_display(grey)
    with pytest.raises(ConfigError, match="needs amount >= 0 and sigma_px > 0"):
        sharpen_for_display(colour, sigma_px=0.0)
    with pytest.raises(DataError, match="expected a dual-energy image"):
        smooth_material(grey)
    with pytest.raises(ConfigError, match="sigma_px must be finite and at least 0 pixels, got nan"):
        smooth_material(pair(np.ones((2, 2)), np.ones((2, 2))), sigma_px=math.nan)
