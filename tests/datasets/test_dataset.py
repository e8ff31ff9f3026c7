from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from threatray.core import COLOUR, TRANSMISSION_FLOOR, Annotations, Quantity
from threatray.core.image_file import write_png
from threatray.datasets.dataset import Dataset, Entry
from threatray.errors import DataError
from threatray.physics.pseudo_colour import DEFAULT_PALETTE


def dual(tmp_path: Path, low: list[list[int]], high: list[list[int]], white_level: int) -> tuple[Dataset, Entry]:
    for name, counts in (("low", low), ("high", high)):
        write_png(tmp_path / f"{name}.png", np.array(counts, np.uint16))
    entry = Entry(
        id="a",
        low_path=tmp_path / "low.png",
        high_path=tmp_path / "high.png",
        width=3,
        height=1,
        things=Annotations.none(),
        group="a",
        white_level=white_level,
    )
    return Dataset(tmp_path, "coco", (), (entry,)), entry


def test_counts_become_transmissions_and_what_was_clipped_is_counted(tmp_path: Path) -> None:
    dataset, entry = dual(tmp_path, [[0, 30000, 60000]], [[15000, 60001, 65535]], 60000)
    reading = dataset.read_dual_energy(entry)
    assert reading.image.channels == ("low_energy", "high_energy")
    np.testing.assert_array_equal(reading.image.values, np.array([[[TRANSMISSION_FLOOR, 0.5, 1]], [[0.25, 1, 1]]], np.float32))
    assert (reading.over_white, reading.under_floor) == (2, 1)
    assert dataset.load_dual_energy(entry).image.quantity is Quantity.TRANSMISSION


def test_a_pair_without_a_picture_is_shown_in_the_default_palette(tmp_path: Path) -> None:
    dataset, entry = dual(tmp_path, [[100, 9000, 60000]], [[800, 21000, 60000]], 60000)
    shown = dataset.load_colour(entry).image
    assert (shown.quantity, shown.channels) == (Quantity.PSEUDO_COLOUR, COLOUR)
    np.testing.assert_array_equal(shown.values, DEFAULT_PALETTE.render(dataset.load_dual_energy(entry).image).values)
    np.testing.assert_allclose(shown.values[:, 0, 2], np.array(DEFAULT_PALETTE.air) / 255, atol=1e-6)


def test_a_missing_quantity_is_refused_with_the_way_out(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.zeros((1, 3), np.uint16))
    picture = Entry(id="a", image_path=tmp_path / "a.png", width=3, height=1, things=Annotations.none(), group="a")
    with pytest.raises(DataError, match=r"a: has no dual-energy pair\. Use its colour image instead\."):
        Dataset(tmp_path, "coco", (), (picture,)).load_dual_energy(picture)
    dataset, entry = dual(tmp_path, [[1, 2, 3]], [[1, 2, 3]], 60000)
    with pytest.raises(DataError, match="a: has no image of one energy, only a pair"):
        dataset.read_grey(entry)


def test_a_picture_of_another_size_than_annotated_is_refused(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.zeros((31, 37, 3), np.uint8))
    entry = Entry(id="a", image_path=tmp_path / "a.png", width=31, height=37, things=Annotations.none(), group="a")
    with pytest.raises(DataError, match="annotated as 31x37 pixels, holds 37x31"):
        Dataset(tmp_path, "coco", (), (entry,)).load_colour(entry)


def test_grey_files_stay_grey_and_sixteen_bits_keep_their_depth(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.array([[0, 257, 65535]], np.uint16))
    entry = Entry(id="a", image_path=tmp_path / "a.png", width=3, height=1, things=Annotations.none(), group="a")
    image = Dataset(tmp_path, "coco", (), (entry,)).load_colour(entry).image
    assert image.channels == ("grey",)
    np.testing.assert_allclose(image.values[0, 0], [0, 1 / 255, 1], rtol=1e-6)


def test_masks_are_given_only_if_every_thing_has_one(tmp_path: Path) -> None:
    things = Annotations(np.array([[0, 0, 2, 2], [1, 1, 3, 3]], np.float32), ("gun", "gun"))
    full = {"size": [3, 3], "counts": [0, 9]}
    common = {"id": "a", "image_path": tmp_path / "a.png", "width": 3, "height": 3, "things": things, "group": "a"}
    assert Entry(**common, segmentations=(full, None)).annotations().masks is None
    masks = Entry(**common, segmentations=(full, full)).annotations().masks
    assert masks is not None
    assert masks.shape == (2, 3, 3)
    assert masks.all()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"image_path": None}, "neither an image nor a dual-energy pair"),
        ({"low_path": Path("l.png")}, "one energy only"),
        ({"width": 0}, "must be positive"),
        ({"segmentations": (None,)}, "0 boxes but 1 segmentations"),
    ],
)
def test_an_impossible_entry_is_refused(changes: dict[str, object], reason: str) -> None:
    sound: dict[str, object] = {"id": "a", "image_path": Path("a.png"), "width": 3, "height": 3, "things": Annotations.none(), "group": "a"}
    with pytest.raises(DataError, match=reason):
        Entry(**(sound | changes))  # type: ignore[arg-type]
