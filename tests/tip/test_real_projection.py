"""The law on real dual-energy pairs, and the bag's outline on real pictures of every scanner at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from threatray.core import DUAL_ENERGY, Origin, OriginKind, Quantity, Signature, XrayImage
from threatray.core.image_file import read_pixels
from threatray.datasets.formats import read_dataset
from threatray.tip.bag_map import BagMap
from threatray.tip.compose import CompositeParams
from threatray.tip.draw import draw_composite
from threatray.tip.levels import StoredScan, compose_levels

WHITE = 60000
pytestmark = pytest.mark.real


def levels_of(entry) -> np.ndarray:
    return np.stack([read_pixels(entry.low_path), read_pixels(entry.high_path)])


def signature_of(entry, kind: str) -> Signature:
    """A thing that lies alone in air."""
    values = np.clip(levels_of(entry) / WHITE, 2.0**-17, 1).astype(np.float32)
    mask = -np.log(values).mean(axis=0) > 0.08
    values = np.where(mask, values, 1).astype(np.float32)
    image = XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY)
    return Signature(entry.id, image, mask, kind, Origin(OriginKind.REAL, entry.id, entry.id))


@pytest.mark.parametrize("kind", ["knife", "gun"])
def test_each_energy_is_the_product_within_half_a_level_of_sixteen_bit(real_data: Path, kind: str) -> None:
    bags = read_dataset(real_data / "dual_energy/bags", white_level=WHITE).entries
    placed = 0
    for number, entry in enumerate(read_dataset(real_data / "dual_energy" / kind, white_level=WHITE).entries[:8]):
        levels, threat = levels_of(bags[number % len(bags)]), signature_of(entry, kind)
        bag = BagMap.of_levels(levels, np.full(2, WHITE))
        params = draw_composite(bag, "bag", [threat], np.random.default_rng(number), relative_lengths=[0.15])
        if not isinstance(params, CompositeParams):
            continue
        placed += 1
        made = compose_levels(StoredScan(levels, DUAL_ENERGY), params, lambda _, threat=threat: threat)
        expected, insertion, varied = levels.astype(np.float64), params.insertions[0], made.placed[0]
        height, width = varied.image.size
        expected[:, insertion.y : insertion.y + height, insertion.x : insertion.x + width] *= varied.image.values
        assert made.levels.dtype == np.uint16
        assert np.abs(made.levels - expected).max(axis=(1, 2)) == pytest.approx(0, abs=0.5)
    assert placed >= 4


def test_every_thirtieth_scan_shows_a_bag_and_some_air(real_data: Path) -> None:
    for folder in ("images", "negatives"):
        for path in sorted((real_data / "sixray" / folder).glob("*.jpg"))[::30]:
            found = BagMap.of_levels(read_pixels(path).transpose(2, 0, 1), None)
            assert 0.05 < found.inside.mean() < 0.95, path.name


def test_screens_that_were_photographed_have_air_too(real_data: Path) -> None:
    for name in ("0961", "0968", "0969", "0970"):
        found = BagMap.of_levels(read_pixels(real_data / f"sixray/images/{name}.jpg").transpose(2, 0, 1), None)
        assert 0.1 < found.inside.mean() < 0.9
        assert found.air == pytest.approx([225, 200, 222], abs=14)


def test_plain_jpegs_of_real_scanners_are_read_pixel_for_pixel(real_data: Path) -> None:
    from threatray.core.jpeg import read_plain_jpeg

    for path in sorted((real_data / "sixray/images").glob("*.jpg"))[::100]:
        plain = read_plain_jpeg(path)
        assert plain is None or (plain[0] == read_pixels(path)).all(), path.name
