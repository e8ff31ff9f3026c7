"""Blur and noise: laws of counting, spatial independence, replay, and refusals."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core.image import DUAL_ENERGY, GREY, TRANSMISSION_FLOOR, Quantity, XrayImage
from threatray.errors import ConfigError, DataError
from threatray.physics.noise import NoiseParams, PhotonNoise, detector_blur

law = settings(deadline=None, max_examples=25)


def flat(transmission: float, size: tuple[int, int] = (96, 128)) -> XrayImage:
    return XrayImage(np.full((2, *size), transmission, np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)


QUIET = PhotonNoise((20_000.0, 5_000.0), electronic_sigma=0.0, gain_sigma=0.0)


@law
@given(st.floats(0.05, 0.9), st.integers(0, 2**32 - 1))
def test_counting_noise_has_the_mean_and_the_spread_of_poisson(transmission, seed):
    noisy = QUIET.apply(flat(transmission), NoiseParams(seed)).values
    for channel, photons in enumerate(QUIET.photons_per_pixel):
        sigma = math.sqrt(transmission / photons)
        assert noisy[channel].mean() == pytest.approx(transmission, abs=6 * sigma / math.sqrt(noisy[channel].size))
        assert noisy[channel].std() == pytest.approx(sigma, rel=0.05)


def test_the_noise_of_pixels_and_channels_is_independent():
    # the same count for both channels, else even one stream of random numbers for both would give different noise
    noise = PhotonNoise((9_000.0, 9_000.0), 0.0, 0.0).apply(flat(0.5), NoiseParams(3)).values - 0.5
    right = np.corrcoef(noise[0, :, :-1].ravel(), noise[0, :, 1:].ravel())[0, 1]
    below = np.corrcoef(noise[0, :-1].ravel(), noise[0, 1:].ravel())[0, 1]
    channels = np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]
    assert max(abs(right), abs(below), abs(channels)) < 0.05


def test_unequal_gain_runs_along_the_rows_and_scales_with_the_signal():
    # 1e12 photons, so that counting noise is nothing beside the gain
    noise = PhotonNoise((1e12, 1e12), electronic_sigma=0.0, gain_sigma=0.01)
    bright, dim = (noise.apply(flat(value), NoiseParams(5)).values for value in (0.8, 0.4))
    assert bright[0].std(axis=1).max() < 1e-4
    assert bright[0].mean(axis=1).std() == pytest.approx(0.8 * 0.01, rel=0.3)
    np.testing.assert_allclose(bright / 0.8, dim / 0.4, atol=1e-4)


def test_electronic_noise_does_not_depend_on_the_signal():
    noise = PhotonNoise((1e12, 1e12), electronic_sigma=0.01, gain_sigma=0.0)
    spreads = [noise.apply(flat(value), NoiseParams(5)).values.std() for value in (0.2, 0.8)]
    assert spreads == pytest.approx([0.01, 0.01], rel=0.03)


def test_replaying_the_parameters_gives_the_same_bytes():
    noise, image = PhotonNoise(), flat(0.3)
    params = noise.draw(image.size, np.random.default_rng(1))
    assert noise.apply(image, params).values.tobytes() == noise.apply(image, params).values.tobytes()
    other = noise.draw(image.size, np.random.default_rng(2))
    assert noise.apply(image, params).values.tobytes() != noise.apply(image, other).values.tobytes()


def test_the_result_stays_a_transmission():
    values = np.full((2, 32, 32), TRANSMISSION_FLOOR, np.float32)
    values[:, 16:] = 1.0
    noisy = PhotonNoise((50.0, 50.0), 0.2).apply(XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY), NoiseParams(0)).values
    assert noisy.min() == np.float32(TRANSMISSION_FLOOR)
    assert noisy.max() == 1.0


@law
@given(st.floats(0.3, 3.0), st.integers(0, 2**32 - 1))
def test_blur_keeps_the_light_and_goes_no_further_than_the_extremes(sigma, seed):
    values = np.full((1, 48, 48), 0.5, np.float32)
    values[:, 16:32, 16:32] = np.random.default_rng(seed).uniform(0.1, 1.0, (16, 16))
    image = XrayImage(values, Quantity.TRANSMISSION, GREY)
    blurred = detector_blur(image, sigma).values
    assert blurred.sum() == pytest.approx(values.sum(), rel=1e-4)
    assert values.min() - 1e-6 <= blurred.min() <= blurred.max() <= values.max() + 1e-6


def test_blur_averages_intensity_not_attenuation():
    edge = XrayImage(np.array([[[1.0] * 8 + [0.01] * 8]], np.float32), Quantity.TRANSMISSION, GREY)
    middle = detector_blur(edge, 1.0).values[0, 0, 7:9].mean()
    assert middle == pytest.approx((1.0 + 0.01) / 2, abs=1e-3)  # of the attenuations it would be 0.1


def test_no_blur_is_the_same_image():
    image = flat(0.4)
    assert detector_blur(image, 0.0) is image


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"photons_per_pixel": ()}, "one number of at least 1 a channel"),
        ({"photons_per_pixel": (0.5, 100.0)}, "one number of at least 1 a channel"),
        ({"electronic_sigma": -1.0}, "electronic_sigma must be finite and at least 0"),
        ({"gain_sigma": math.nan}, "gain_sigma must be finite and at least 0"),
    ],
)
def test_noise_that_cannot_be_is_refused(settings_, message):
    with pytest.raises(ConfigError, match=message):
        PhotonNoise(**settings_)


def test_wrong_images_are_refused():
    colour = XrayImage(np.zeros((3, 2, 2), np.float32), Quantity.PSEUDO_COLOUR, ("red", "green", "blue"))
    with pytest.raises(DataError, match="expected a transmission, got pseudo_colour"):
        PhotonNoise().apply(colour, NoiseParams(0))
    with pytest.raises(DataError, match="expected a transmission, got pseudo_colour"):
        detector_blur(colour, 1.0)
    with pytest.raises(DataError, match="expected 2 channels, one for each number of photons, got 1"):
        PhotonNoise().apply(XrayImage(np.ones((1, 2, 2), np.float32), Quantity.TRANSMISSION, GREY), NoiseParams(0))
    with pytest.raises(ConfigError, match="blur sigma_px must be finite"):
        detector_blur(flat(0.5), -1.0)
