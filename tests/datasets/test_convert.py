from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from threatray.datasets.convert import convert
from threatray.datasets.dataset import Dataset
from threatray.datasets.formats import read_dataset
from threatray.errors import ConfigError


def said(dataset: Dataset) -> list[object]:
    return [
        (
            entry.id,
            entry.labels,
            entry.boxes.tolist(),
            entry.group,
            entry.width,
            entry.height,
            entry.provenance,
            entry.paths[0].read_bytes(),
        )
        for entry in dataset.entries
    ]


def test_there_and_back_is_the_identity(coco: Callable[..., Path], tmp_path: Path) -> None:
    first = read_dataset(coco())
    assert convert(first, tmp_path / "voc", "voc").images == 2
    second = read_dataset(tmp_path / "voc")
    assert second.format_name == "voc"
    convert(second, tmp_path / "again", "coco")
    third = read_dataset(tmp_path / "again")
    assert said(first) == said(second) == said(third)


def test_masks_survive_into_coco(coco: Callable[..., Path], tmp_path: Path) -> None:
    polygon = [[2, 1, 6, 1, 6, 4, 2, 4]]
    first = read_dataset(coco(annotations=[{"id": 1, "image_id": 1, "category_id": 7, "bbox": [2, 1, 4, 3], "segmentation": polygon}]))
    convert(first, tmp_path / "out", "coco")
    second = read_dataset(tmp_path / "out")
    before, after = first.entries[0].annotations().masks, second.entries[0].annotations().masks
    assert after is not None
    np.testing.assert_array_equal(before, after)


def test_dual_energy_has_no_place_in_voc(tmp_path: Path) -> None:
    from threatray.core.image_file import write_png

    for name in ("a_low.png", "a_high.png"):
        write_png(tmp_path / "in" / name, np.full((37, 31), 9, np.uint16))
    write_png(tmp_path / "in/b.png", np.zeros((37, 31, 3), np.uint8))
    done = convert(read_dataset(tmp_path / "in"), tmp_path / "voc", "voc")
    assert (done.images, done.set_aside[0].reason) == (1, "has no colour image, which VOC needs")


def test_nothing_is_overwritten(coco: Callable[..., Path], tmp_path: Path) -> None:
    first = read_dataset(coco())
    with pytest.raises(ConfigError, match="exists already"):
        convert(first, first.root, "coco")
    with pytest.raises(ConfigError, match=r"expected one of .*coco, voc.*, got 'jolo'"):
        convert(first, tmp_path / "out", "jolo")
