"""Palettes of a dataset's scanners: found, written, read, chosen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from threatray.core import COLOUR, Annotations, Quantity, Sample, XrayImage
from threatray.errors import ConfigError, DataError
from threatray.physics.dual_energy import DualEnergyScanner
from threatray.physics.pseudo_colour import DEFAULT_PALETTE, GREY_AIR_PALETTE, ScannerPalette
from threatray.pipeline.palettes import ScannerPalettes, calibrate_palettes, palettes_for, read_palettes, write_palettes
from threatray.pipeline.views import TransmissionView

BOTH = ScannerPalettes((DEFAULT_PALETTE, GREY_AIR_PALETTE))


def bag(seed: int, palette: ScannerPalette) -> XrayImage:
    rng = np.random.default_rng(seed)
    maps = {name: np.zeros((100, 120), np.float32) for name in ("water", "aluminium", "steel")}
    for name, thickness_cm in (("water", 8.0), ("aluminium", 2.0), ("steel", 0.15)):
        for _ in range(8):
            top, left = rng.integers(10, 70), rng.integers(10, 80)
            maps[name][top : top + 20, left : left + 25] += thickness_cm * rng.random()
    return palette.render(DualEnergyScanner().transmit(maps))


def test_each_kind_of_screen_gets_its_own_palette() -> None:
    scans = [bag(seed, palette) for seed in range(3) for palette in (DEFAULT_PALETTE, GREY_AIR_PALETTE)]
    found = calibrate_palettes(scans, lambda scan: scan)
    assert sorted(palette.name for palette in found.palettes) == ["air_226_226_224", "air_255_255_255"]
    assert found.of(np.array([1.0, 1.0, 0.99], np.float32)).air == (255, 255, 255)
    assert found.of(np.array([0.87, 0.86, 0.87], np.float32)).air == (226, 226, 224)
    with pytest.raises(DataError, match=r"no palette has air of colour \(153, 153, 153\); there are"):
        found.of(np.full(3, 0.6, np.float32))


def test_too_few_scans_make_no_palette() -> None:
    with pytest.raises(DataError, match="none could be calibrated: no 3 of 2 scans share their colour of air"):
        calibrate_palettes([bag(0, DEFAULT_PALETTE), bag(1, DEFAULT_PALETTE)], lambda scan: scan)
    grey = XrayImage(
        np.pad(np.full((3, 60, 60), 0.4, np.float32), ((0, 0), (9, 9), (9, 9)), constant_values=1), Quantity.PSEUDO_COLOUR, COLOUR
    )
    with pytest.raises(DataError, match="0 flat coloured patches in 3 images"):
        calibrate_palettes([grey] * 3, lambda scan: scan)


def test_a_palette_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_palettes(tmp_path / "palettes.toml", BOTH)
    assert read_palettes(tmp_path / "palettes.toml") == BOTH
    text = (tmp_path / "palettes.toml").read_text()
    (tmp_path / "palettes.toml").write_text(text.replace("hardening = 1.7", "hardening = 0.5", 1))
    assert read_palettes(tmp_path / "palettes.toml").palettes[0] == replace(DEFAULT_PALETTE, hardening=0.5)


def test_choices() -> None:
    assert palettes_for("channels", [], lambda scan: scan) is None
    with pytest.raises(ConfigError, match=r"no-such\.toml: no such palette file"):
        palettes_for("no-such.toml", [], lambda scan: scan)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not toml", "not valid TOML"),
        ("[[palette]]\nname = 'x'\n", "the key 'air' is missing"),
        ("[[palette]]\ncolour = 'x'\n", "unknown key 'colour'"),
        ("palette = []\n", "expected at least one"),
    ],
)
def test_a_broken_palette_file_says_what_is_wrong(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_palettes(tmp_path / "p.toml")


def test_a_coloured_scan_is_seen_as_two_energies_and_keeps_its_pixels() -> None:
    colour = np.rint(bag(4, DEFAULT_PALETTE).values * 255).astype(np.float32) / np.float32(255)
    scan = XrayImage(colour, Quantity.PSEUDO_COLOUR, COLOUR)
    view = TransmissionView.of(Sample("s", scan, Annotations(np.zeros((0, 4), np.float32), ()), "g"), BOTH)
    assert view.sample.image.channels == ("low_energy", "high_energy")
    values = view.sample.image.values.copy()
    values[:, 30:50, 40:60] *= np.array([0.5, 0.75], np.float32).reshape(2, 1, 1)
    changed = np.zeros(scan.size, np.bool_)
    changed[30:50, 40:60] = True
    made = view.colour_of(XrayImage(np.maximum(values, np.float32(2.0**-17)), Quantity.TRANSMISSION, view.sample.image.channels), changed)
    assert np.array_equal(made.values[:, ~changed], scan.values[:, ~changed])
    assert (made.values[:, changed].mean(axis=0) < scan.values[:, changed].mean(axis=0)).mean() > 0.95
    same = view.colour_of(view.sample.image, changed)
    assert np.array_equal(same.values, scan.values)


def test_a_scan_with_something_taken_out_shows_what_lies_behind() -> None:
    scan = XrayImage(np.rint(bag(4, DEFAULT_PALETTE).values * 255).astype(np.float32) / np.float32(255), Quantity.PSEUDO_COLOUR, COLOUR)
    view = TransmissionView.of(Sample("s", scan, Annotations(np.zeros((0, 4), np.float32), ()), "g"), BOTH)
    values, hole = view.sample.image.values.copy(), np.zeros(scan.size, np.bool_)
    hole[30:50, 40:60] = True
    values[:, hole] = np.exp(-np.array([0.10, 0.08], np.float32)).reshape(2, 1)
    made = view.colour_of(XrayImage(values, Quantity.TRANSMISSION, view.sample.image.channels), hole).values
    taken = hole & (view.sample.image.attenuation().values[0] > 0.3)
    expected = DEFAULT_PALETTE.render(
        XrayImage(np.ascontiguousarray(values[:, 40:41, 50:51]), Quantity.TRANSMISSION, view.sample.image.channels)
    )
    assert taken.any()
    assert np.abs(made[:, taken] - expected.values[:, 0]).max() < 0.02
    assert np.array_equal(made[:, ~hole], scan.values[:, ~hole])
