"""What pixels say, on pictures whose figures are known by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from threatray.core import Annotations
from threatray.core.image_file import write_png
from threatray.datasets.dataset import Entry
from threatray.datasets.measure import HUE_BINS, Measurement, measure

AIR = 240


def measured(tmp_path: Path, pixels: np.ndarray, boxes: list[list[float]]) -> Measurement:
    write_png(tmp_path / "a.png", pixels)
    things = Annotations(np.array(boxes, np.float32).reshape(-1, 4), ("gun",) * len(boxes))
    height, width = pixels.shape[:2]
    return measure(Entry(id="a", image_path=tmp_path / "a.png", width=width, height=height, things=things, group="a"))


def bag(*rectangles: tuple[slice, slice, tuple[int, int, int]]) -> np.ndarray:
    pixels = np.full((80, 100, 3), AIR, np.uint8)
    for rows, columns, colour in rectangles:
        pixels[rows, columns] = colour
    return pixels


def test_air_area_and_palette_by_hand(tmp_path: Path) -> None:
    found = measured(tmp_path, bag((slice(10, 50), slice(20, 70), (200, 100, 0)), (slice(50, 60), slice(20, 70), (0, 0, 200))), [])
    assert found.air == (AIR, AIR, AIR)
    assert found.bag_area == pytest.approx((40 + 10) * 50 / 8000)
    assert found.saturation == 1.0
    assert found.hues[3] == pytest.approx(0.8)  # 30 degrees
    assert found.hues[24] == pytest.approx(0.2)  # 240 degrees
    assert sum(found.hues) == pytest.approx(1)
    assert len(found.hues) == HUE_BINS
    assert (found.things, found.dark_outside) == ((), 0.0)


def test_attenuation_inside_and_around_by_hand(tmp_path: Path) -> None:
    grey = (round(AIR * math.exp(-1)),) * 3
    light = (round(AIR * math.exp(-0.25)),) * 3
    pixels = bag((slice(22, 58), slice(15, 85), light), (slice(30, 50), slice(30, 70), grey))
    (thing,) = measured(tmp_path, pixels, [[30, 30, 70, 50]]).things
    assert thing.attenuation == pytest.approx(1.0, abs=0.01)
    assert thing.around == pytest.approx(0.25, abs=0.01)
    # the steps at the box's right and lower edge: each belongs to the pixel before it
    step = (light[0] - grey[0]) / AIR
    assert thing.edges == pytest.approx(step * (20 + 40) / (20 * 40), abs=0.002)


def test_dense_matter_outside_the_box_is_counted_where_it_can_be_told(tmp_path: Path) -> None:
    metal, thin = (60, 60, 60), (180, 180, 180)
    pixels = bag((slice(10, 20), slice(10, 30), metal), (slice(40, 70), slice(10, 90), metal))
    assert measured(tmp_path, pixels, [[10, 10, 30, 20]]).dark_outside == pytest.approx(30 * 80 / 200, abs=0.01)
    assert measured(tmp_path, pixels, [[10, 10, 30, 20], [10, 40, 90, 70]]).dark_outside == 0
    assert measured(tmp_path, bag((slice(10, 70), slice(10, 90), thin)), [[10, 10, 30, 20]]).dark_outside == 0


def test_a_grey_file_has_no_palette(tmp_path: Path) -> None:
    pixels = np.full((60, 50), AIR, np.uint8)
    pixels[10:40, 10:40] = 90
    found = measured(tmp_path, pixels, [[10, 10, 40, 40]])
    assert (found.grey, found.saturation, sum(found.hues)) == (True, 0.0, 0.0)
    assert found.things[0].attenuation == pytest.approx(math.log(AIR / 90), abs=1e-4)


def test_a_box_smaller_than_a_pixel_of_the_small_picture_still_counts(tmp_path: Path) -> None:
    pixels = np.full((900, 1200, 3), AIR, np.uint8)
    pixels[300:600, 300:900] = 100
    assert measured(tmp_path, pixels, [[1199, 899, 1200, 900], [500, 500, 501, 501]]).things[1].attenuation > 0.5


def test_what_cannot_be_read_is_a_fault_and_nothing_else(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", bag())
    (tmp_path / "a.png").write_bytes(b"no picture")
    found = measure(Entry(id="a", image_path=tmp_path / "a.png", width=100, height=80, things=Annotations.none(), group="a"))
    assert "cannot be decoded" in found.fingerprint.fault
    assert found == Measurement(found.fingerprint)
