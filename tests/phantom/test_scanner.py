"""The phantom's scanner: replay, levels, blur in intensity, and agreement with its ideal."""

import json
import time
from dataclasses import asdict

import numpy as np
import pytest

from threatray.core.image import COLOUR, DUAL_ENERGY, TRANSMISSION_FLOOR
from threatray.core.seeding import stream
from threatray.errors import ConfigError, DataError
from threatray.phantom.scanner import PhantomScanner, ScanParams
from threatray.physics.pseudo_colour import GREY_AIR_PALETTE

SIZE = (37, 31)


def scene() -> dict[str, np.ndarray]:
    steel, water = np.zeros(SIZE), np.zeros(SIZE)
    steel[10:20, 5:25] = 0.3
    water[5:30, 15:28] = 4.0
    return {"steel": steel, "water": water}


def test_replaying_the_parameters_gives_the_same_bytes():
    scanner = PhantomScanner()
    params = scanner.draw(SIZE, stream(7, "scan", 0))
    again = ScanParams(**json.loads(json.dumps(asdict(params))))
    assert again == params
    assert scanner.scan(scene(), params).values.tobytes() == scanner.scan(scene(), again).values.tobytes()


def test_two_scans_of_one_bag_differ_by_noise_only():
    scanner = PhantomScanner(blur_sigma_px=0.0)
    first, second = (scanner.scan(scene(), scanner.draw(SIZE, stream(7, "scan", number))).values for number in range(2))
    assert (first != second).mean() > 0.3
    assert np.abs(first - second).max() < 0.06
    np.testing.assert_allclose(first, scanner.ideal(scene()).values, atol=0.04)


def test_values_lie_on_16_bit_levels():
    scanner = PhantomScanner()
    values = scanner.scan(scene() | {"lead": np.full(SIZE, 0.5) * (np.arange(31) < 4)}, scanner.draw(SIZE, stream(0, "x"))).values.astype(
        np.float64
    )
    levels = values * 65535
    on_level = np.abs(levels - np.round(levels)) < 1e-2
    assert (on_level | (values == TRANSMISSION_FLOOR)).all()
    assert values.min() >= TRANSMISSION_FLOOR
    assert values.max() <= 1.0


def test_the_ideal_has_no_noise_and_air_is_exactly_one():
    ideal = PhantomScanner().ideal(scene())
    assert ideal.channels == DUAL_ENERGY
    assert (ideal.values[:, :5] == 1.0).all()
    assert np.unique(ideal.values[0]).size == 4  # air, steel, water, both


def test_blur_comes_before_the_noise_which_stays_fine_grained():
    scanner = PhantomScanner(blur_sigma_px=1.5, gain_sigma=0.0)
    noise = scanner.scan({"water": np.full((96, 96), 3.0)}, scanner.draw((96, 96), stream(0, "x"))).values[0]
    noise = noise - noise.mean()
    assert abs(np.corrcoef(noise[:, :-1].ravel(), noise[:, 1:].ravel())[0, 1]) < 0.05


def test_blur_happens_in_intensity():
    scanner = PhantomScanner(photons_per_pixel=(1e12, 1e12), electronic_sigma=0.0, gain_sigma=0.0, blur_sigma_px=1.0)
    steel = np.zeros((9, 40))
    steel[:, 20:] = 3.0
    across = scanner.scan({"steel": steel}, scanner.draw((9, 40), stream(0, "x"))).values[1, 4]
    assert across[19:21].mean() == pytest.approx((1.0 + across[-1]) / 2, abs=2e-3)


def test_an_empty_scanner_gives_air():
    scanner = PhantomScanner()
    values = scanner.scan({}, scanner.draw(SIZE, stream(0, "x"))).values
    assert values.shape == (2, *SIZE)
    assert values.min() > 0.95


def test_the_palette_chosen_is_the_one_shown():
    dual = PhantomScanner().ideal(scene())
    white, grey = (PhantomScanner(palette=palette).colour(dual) for palette in (PhantomScanner().palette, GREY_AIR_PALETTE))
    assert white.channels == COLOUR
    np.testing.assert_allclose(white.values[:, 0, 0], 1.0, atol=1e-6)
    np.testing.assert_allclose(grey.values[:, 0, 0], np.array([226, 226, 224]) / 255, atol=1e-6)


def test_a_bag_of_ten_materials_is_scanned_in_well_under_a_second():
    names = ["steel", "aluminium", "water", "polyethylene", "cotton", "abs", "paper", "copper", "fr4", "leather"]
    maps = {name: np.full((300, 400), 0.05, np.float32) for name in names}
    scanner = PhantomScanner()
    scanner.ideal({name: np.ones((1, 1)) for name in names})  # fill the tables first
    start = time.process_time()
    scanner.ideal(maps)
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"photons_per_pixel": (1000.0,)}, "two numbers, for low_energy and high_energy"),
        ({"photons_per_pixel": (0.0, 10.0)}, "at least 1 a channel"),
        ({"blur_sigma_px": -0.5}, "blur_sigma_px must be finite and at least 0, got -0.5"),
        ({"gain_sigma": -0.5}, "gain_sigma must be finite and at least 0"),
    ],
)
def test_a_scanner_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        PhantomScanner(**settings)


def test_parameters_of_another_size_are_refused():
    scanner = PhantomScanner()
    with pytest.raises(DataError, match="drawn for 31x37 pixels, the maps have 37x31"):
        scanner.scan(scene(), scanner.draw((31, 37), stream(0, "x")))


def test_the_ideal_of_nothing_is_refused():
    with pytest.raises(ConfigError, match="thickness_cm is empty"):
        PhantomScanner().ideal({})
