"""Counts to transmissions: white from air, clipping that is counted, and back to counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core import DUAL_ENERGY, GREY, TRANSMISSION_FLOOR, Quantity, XrayImage
from threatray.core.image_file import write_png
from threatray.datasets.pixels import as_transmission, read_grey, read_transmission, white_level_of
from threatray.errors import DataError

law = settings(deadline=None, max_examples=40)


@law
@given(st.integers(0, 2**32 - 1), st.sampled_from([255, 4_000, 60_000]), st.floats(0.0, 0.01), st.sampled_from(["open", "cut off"]))
def test_white_is_the_level_of_the_air_around_a_bag(seed: int, white: int, noise: float, top: str) -> None:
    rng = np.random.default_rng(seed)
    transmission = np.ones((80, 120))
    transmission[10:70, rng.integers(2, 40) : rng.integers(80, 118)] = rng.uniform(0.05, 0.85)
    counts = np.rint(transmission * white * (1 + noise * rng.standard_normal(transmission.shape)))
    counts = np.clip(counts, 0, white if top == "cut off" or white == 255 else 65535).astype(np.uint8 if white == 255 else np.uint16)
    found = white_level_of(counts)
    assert found is not None
    assert abs(found - white) <= max(1, 0.004 * white)


def test_a_few_bright_pixels_are_not_air() -> None:
    counts = np.full((80, 120), 50_000, np.uint16)
    counts[20:60, 30:90] = 9_000
    counts[40, 50:60] = 65_535  # dead elements
    assert white_level_of(counts) == 50_000


def test_air_that_the_scanner_cuts_off_has_its_white_at_the_cut() -> None:
    air = np.minimum(np.random.default_rng(0).normal(59_800, 600, (80, 120)), 60_000).astype(np.uint16)
    assert 0.3 < (air == 60_000).mean() < 0.45, "as in real pairs, more than half of the air lies below"
    air[20:60, 30:90] = 9_000
    assert white_level_of(air) == 60_000


def test_grey_air_is_air_and_a_bag_that_fills_the_border_leaves_air_inside() -> None:
    counts = np.full((80, 120), 20_000, np.uint16)
    counts[30:50, 40:80] = 58_000
    assert white_level_of(counts) == 58_000
    assert white_level_of(np.full((9, 9), 7, np.uint8)) == 7


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (2, 1)])
def test_the_smallest_pictures_have_a_white_level(size: tuple[int, int]) -> None:
    assert white_level_of(np.full(size, 40_000, np.uint16)) == 40_000


def test_a_black_picture_has_none(tmp_path: Path) -> None:
    assert white_level_of(np.zeros((5, 6), np.uint16)) is None
    write_png(tmp_path / "a.png", np.zeros((5, 6), np.uint16))
    with pytest.raises(DataError, match=r"a.png: every pixel is 0, so there is no air to take the white level from"):
        read_grey(tmp_path / "a.png")
    assert read_grey(tmp_path / "a.png", 60_000).under_floor == 30, "with a white level given it is merely dark"


@law
@given(st.integers(0, 2**32 - 1), st.sampled_from([(np.uint8, 255), (np.uint8, 240), (np.uint16, 60_000), (np.uint16, 4_000)]))
def test_counts_are_divided_by_white_clipped_and_counted(seed: int, kind: tuple[type, int]) -> None:
    dtype, white = kind
    counts = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, (2, 7, 5)).astype(dtype)
    reading = as_transmission(counts, (white, white), DUAL_ENERGY)
    over = under = 0
    for channel in range(2):
        for row in range(7):
            for column in range(5):
                count = int(counts[channel, row, column])
                over += count > white
                under += count == 0
                expected = min(max(count / white, TRANSMISSION_FLOOR), 1.0)
                assert reading.image.values[channel, row, column] == np.float32(expected)
    assert (reading.over_white, reading.under_floor, reading.values) == (over, under, 70)


def test_a_wide_scan_is_in_memory_but_once() -> None:
    import tracemalloc

    counts = np.full((2, 60, 30_000), 30_000, np.uint16)
    tracemalloc.start()
    as_transmission(counts, (60_000, 60_000), DUAL_ENERGY)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak / counts.size < 6, "four bytes a value for the transmission, little beside"


@law
@given(st.integers(0, 2**32 - 1), st.sampled_from([(np.uint8, 250), (np.uint16, 60_000), (np.uint16, 65_535)]))
def test_what_did_not_change_keeps_its_counts_and_what_did_is_off_by_half_a_level(seed: int, kind: tuple[type, int]) -> None:
    dtype, white = kind
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, np.iinfo(dtype).max + 1, (1, 9, 8)).astype(dtype)
    reading = as_transmission(counts, (white,), GREY)
    changed = rng.random((9, 8)) < 0.4
    threat = np.where(changed, rng.uniform(0.01, 0.9, (9, 8)), 1.0).astype(np.float32)
    values = np.maximum(reading.image.values * threat, np.float32(TRANSMISSION_FLOOR))
    found = reading.counts_of(XrayImage(values, Quantity.TRANSMISSION, GREY), changed)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found[:, ~changed], counts[:, ~changed])
    law_says = np.minimum(counts[0].astype(np.float64), white) * threat
    assert np.abs(found[0] - law_says)[changed].max(initial=0) <= 0.5 + 1e-7 * white


def test_a_composite_of_another_scan_is_refused() -> None:
    reading = as_transmission(np.full((1, 4, 5), 9, np.uint8), (9,), GREY)
    other = XrayImage(np.ones((1, 5, 5), np.float32), Quantity.TRANSMISSION, GREY)
    with pytest.raises(DataError, match="expected a composite of this scan"):
        reading.counts_of(other, np.ones((5, 5), np.bool_))


def pair(tmp_path: Path, low: np.ndarray, high: np.ndarray) -> tuple[Path, Path]:
    write_png(tmp_path / "a_low.png", low)
    write_png(tmp_path / "a_high.png", high)
    return tmp_path / "a_low.png", tmp_path / "a_high.png"


def test_each_energy_has_the_white_of_its_own_air_unless_noise_alone_differs(tmp_path: Path) -> None:
    low, high = np.full((20, 30), 40_000, np.uint16), np.full((20, 30), 60_000, np.uint16)
    low[5:15, 5:25], high[5:15, 5:25] = 10_000, 30_000
    reading = read_transmission(*pair(tmp_path, low, high))
    assert reading.white_levels == (40_000, 60_000)
    np.testing.assert_allclose(reading.image.values[:, 10, 10], [0.25, 0.5], rtol=1e-6)
    high[high == 60_000] = 40_200
    assert read_transmission(*pair(tmp_path, low, high)).white_levels == (40_100, 40_100)
    assert read_transmission(*pair(tmp_path, low, high), 50_000).white_levels == (50_000, 50_000)


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        (
            np.zeros((4, 5), np.uint16),
            np.zeros((6, 5), np.uint16),
            "a_low.png: has 5x4 pixels, a_high.png has 5x6; they must be of one size",
        ),
        (np.zeros((4, 5), np.uint8), np.zeros((4, 5), np.uint16), "a_low.png: has 8 bits, a_high.png has 16; they must be of one depth"),
        (np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), np.uint16), "a_low.png: expected a grey image of counts, got colours"),
    ],
)
def test_energies_that_do_not_go_together_are_refused(tmp_path: Path, low: np.ndarray, high: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_transmission(*pair(tmp_path, low, high), 60_000)
