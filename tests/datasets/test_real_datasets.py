from __future__ import annotations

from pathlib import Path

import pytest

from threatray.datasets.formats import read_dataset

DATA = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = [pytest.mark.real, pytest.mark.skipif(not DATA.is_dir(), reason="the real data are not here")]


def test_the_sixray_part_is_read_whole() -> None:
    dataset = read_dataset(DATA / "sixray")
    assert (dataset.format_name, dataset.classes, len(dataset.entries), dataset.set_aside) == ("voc", ("Gun", "Knife", "Wrench"), 1100, ())
    assert dataset.entries[0].group == "P00004"
    assert dataset.notes == ("negatives/ holds 200 images that were not read; give it as a dataset of its own.",)


def test_the_negatives_are_a_folder_of_images() -> None:
    dataset = read_dataset(DATA / "sixray/negatives")
    assert (dataset.format_name, len(dataset.entries)) == ("image_folder", 200)


def test_the_dual_energy_pairs_are_read() -> None:
    dataset = read_dataset(DATA / "dual_energy/knife", white_level=60000)
    assert (len(dataset.entries), dataset.has_dual_energy) == (45, True)
    assert float(dataset.load_dual_energy(dataset.entries[0]).image.values.mean()) > 0.4
