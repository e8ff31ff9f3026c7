"""A palette from pictures alone, checked on screens whose palette is known."""

from __future__ import annotations

import numpy as np
import pytest

from threatray.core import COLOUR, DUAL_ENERGY, Quantity, XrayImage
from threatray.errors import ConfigError, DataError
from threatray.physics.dual_energy import DualEnergyScanner
from threatray.physics.palette_calibration import LUMA, Calibration, calibrate_palette
from threatray.physics.pseudo_colour import DEFAULT_PALETTE, ScannerPalette

WHITE = np.ones(3, np.float32)


def bags(count: int, seed: int = 0) -> list[XrayImage]:
    """Dual-energy heaps of flat things of water, aluminium and steel."""
    scans = []
    for number in range(count):
        rng = np.random.default_rng((seed, number))
        maps = {name: np.zeros((120, 160), np.float32) for name in ("water", "aluminium", "steel")}
        for name, thickness_cm, things in (("water", 6.0, 14), ("aluminium", 2.0, 8), ("steel", 0.2, 8)):
            for _ in range(things):
                top, left = rng.integers(0, 100), rng.integers(0, 130)
                maps[name][top : top + rng.integers(8, 50), left : left + rng.integers(8, 60)] += thickness_cm * rng.random()
        scans.append(DualEnergyScanner().transmit(maps))
    return scans


def exponential_screen() -> ScannerPalette:
    """The default screen's colours with what a calibration supposes: equal luma is equal low-energy attenuation, by an exponential."""
    black_share = float(np.dot(DEFAULT_PALETTE.black, LUMA) / 255)
    depth = np.linspace(0, -np.log(black_share), 60)
    level = (np.exp(-depth) - black_share) / (1 - black_share)
    knots = ((0.0, 1.0), *zip(depth[1:-1].tolist(), level[1:-1].tolist(), strict=True), (float(depth[-1]), 0.0))
    return ScannerPalette("screen", DEFAULT_PALETTE.air, DEFAULT_PALETTE.black, DEFAULT_PALETTE.stops, knots, LUMA)


@pytest.fixture(scope="module")
def found() -> Calibration:
    return calibrate_palette([exponential_screen().render(scan) for scan in bags(8)], WHITE, name="found")


def test_the_sheet_is_the_screens_own(found: Calibration) -> None:
    assert found.images == 8
    assert found.off_palette < 6
    shown = exponential_screen().render(bags(1, seed=9)[0])
    again = found.palette.render(found.palette.invert(shown))
    assert np.median(np.abs(again.values - shown.values).max(axis=0)) * 255 < 6


def test_low_energy_comes_back_in_the_screens_own_units(found: Calibration) -> None:
    scan = bags(1, seed=9)[0]
    true = scan.attenuation().values
    seen = found.palette.invert(exponential_screen().render(scan)).attenuation().values
    known = (true[0] > 0.1) & (true[0] < 1.5)
    assert np.median(np.abs(seen[0] - true[0])[known] / true[0][known]) < 0.02
    assert np.median(np.abs(seen[1] - true[1])[known] / true[1][known]) < 0.15


def test_materials_come_back_in_their_order_and_near_their_r(found: Calibration) -> None:
    recovered = {}
    for name, thickness_cm in (("water", 4.0), ("aluminium", 1.0), ("steel", 0.08)):
        scan = DualEnergyScanner().transmit({name: np.full((4, 4), thickness_cm)})
        low, high = found.palette.invert(exponential_screen().render(scan)).attenuation().values[:, 0, 0]
        recovered[name] = float(low / high)
    assert recovered["water"] < recovered["aluminium"] < recovered["steel"]
    assert recovered["water"] == pytest.approx(1.24, rel=0.1)
    assert recovered["steel"] == pytest.approx(2.6, rel=0.15)


def test_air_and_luma_are_kept(found: Calibration) -> None:
    assert found.palette.air == (255, 255, 255)
    assert found.palette.weights == LUMA
    grey = calibrate_palette([exponential_screen().render(scan) for scan in bags(4)], np.array([0.902, 0.902, 0.88], np.float32))
    assert grey.palette.air == (230, 230, 224)


def test_attenuations_are_in_units_of_one_over_gamma() -> None:
    pictures = [exponential_screen().render(scan) for scan in bags(3)]
    one, two = (calibrate_palette(pictures, WHITE, gamma=gamma).palette for gamma in (1.0, 2.0))
    assert one.black_attenuation == pytest.approx(2 * two.black_attenuation)


def test_the_same_pictures_give_the_same_palette() -> None:
    pictures = [exponential_screen().render(scan) for scan in bags(3)]
    assert calibrate_palette(pictures, WHITE) == calibrate_palette(pictures, WHITE)


def test_grey_pictures_show_no_palette() -> None:
    grey = XrayImage(np.full((3, 80, 80), 0.5, np.float32), Quantity.PSEUDO_COLOUR, COLOUR)
    with pytest.raises(DataError, match="calibrating calibrated: 0 flat coloured patches in 1 images, at least 500 are needed"):
        calibrate_palette([grey], WHITE)
    with pytest.raises(DataError, match="0 flat coloured patches in 0 images"):
        calibrate_palette([], WHITE)


def test_what_is_no_colour_or_air_is_refused() -> None:
    pair = XrayImage(np.ones((2, 4, 4), np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)
    with pytest.raises(DataError, match="expected pseudo-colour with channels"):
        calibrate_palette([pair], WHITE)
    with pytest.raises(ConfigError, match=r"air must be three numbers in \(0, 1\]"):
        calibrate_palette([], np.array([0.0, 1, 1], np.float32))
    with pytest.raises(ConfigError, match="gamma must be finite and above 0, got 0"):
        calibrate_palette([], WHITE, gamma=0)
