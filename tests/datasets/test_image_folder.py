from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from threatray.core.image_file import write_jpeg, write_png
from threatray.datasets.formats import read_dataset
from threatray.errors import ConfigError, DataError

PICTURE = np.random.default_rng(0).integers(0, 256, (37, 31, 3), dtype=np.uint8)


def test_every_image_is_an_entry_with_nothing_in_it(tmp_path: Path) -> None:
    write_png(tmp_path / "b.png", PICTURE)
    write_jpeg(tmp_path / "a.jpg", PICTURE)
    dataset = read_dataset(tmp_path)
    assert [(entry.id, entry.width, entry.height, entry.labels) for entry in dataset.entries] == [("a", 31, 37, ()), ("b", 31, 37, ())]
    assert (dataset.format_name, dataset.classes, dataset.has_dual_energy) == ("image_folder", (), False)


def test_pairs_become_dual_energy_entries(tmp_path: Path) -> None:
    counts = np.full((37, 31), 30000, np.uint16)
    write_png(tmp_path / "bag_low.png", counts)
    write_png(tmp_path / "bag_high.png", counts)
    dataset = read_dataset(tmp_path, white_level=60000)
    assert dataset.has_dual_energy
    assert float(dataset.load_dual_energy(dataset.entries[0]).image.values.max()) == 0.5


def test_a_pair_of_two_sizes_is_set_aside(tmp_path: Path) -> None:
    write_png(tmp_path / "bag_low.png", np.zeros((37, 31), np.uint16))
    write_png(tmp_path / "bag_high.png", np.zeros((38, 31), np.uint16))
    write_png(tmp_path / "lone_low.png", PICTURE)
    dataset = read_dataset(tmp_path)
    assert [entry.id for entry in dataset.entries] == ["lone_low"]
    assert "bag_low.png 31x37, bag_high.png 31x38" in dataset.set_aside[0].reason


def test_a_truncated_jpeg_is_set_aside(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "a.jpg", PICTURE)
    write_jpeg(tmp_path / "b.jpg", PICTURE)
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[:-200])
    dataset = read_dataset(tmp_path)
    assert [entry.id for entry in dataset.entries] == ["b"]
    assert dataset.set_aside[0].reason == "its image a.jpg is broken or cut off"


def test_rotated_photos_have_the_size_they_are_shown_in(tmp_path: Path) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PICTURE).save(tmp_path / "a.jpg", exif=exif)
    dataset = read_dataset(tmp_path)
    (entry,) = dataset.entries
    assert (entry.width, entry.height) == (37, 31)
    assert dataset.load_colour(entry).image.size == (31, 37)


def test_a_link_out_of_the_folder_is_set_aside(tmp_path: Path) -> None:
    write_png(tmp_path / "outside.png", PICTURE)
    write_png(tmp_path / "in/a.png", PICTURE)
    (tmp_path / "in/b.png").symlink_to(tmp_path / "outside.png")
    dataset = read_dataset(tmp_path / "in")
    assert [entry.id for entry in dataset.entries] == ["a"]
    assert "link that leads out" in dataset.set_aside[0].reason


def test_images_in_subfolders_are_found_and_named_by_them(tmp_path: Path) -> None:
    for place in ("easy/1.png", "hard/1.png", ".hidden/1.png"):
        write_png(tmp_path / place, PICTURE)
    assert [entry.id for entry in read_dataset(tmp_path).entries] == ["easy__1", "hard__1"]


def test_a_wrong_folder_says_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    expected = r"(?s)no dataset found\. Looked for\n.*  coco: .*\n  voc: .*\n  image_folder: .*\nThe folder holds: notes\.txt\."
    with pytest.raises(DataError, match=expected):
        read_dataset(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        read_dataset(tmp_path / "gone")
    with pytest.raises(ConfigError, match=r"expected one of .*coco, voc, .*image_folder, got 'jolo'"):
        read_dataset(tmp_path, "jolo")
    with pytest.raises(DataError, match="is a file"):
        read_dataset(tmp_path / "notes.txt")
