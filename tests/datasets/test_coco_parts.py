"""COCO datasets of several files, and what threatray's own keys say beside the boxes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from threatray.core.image_file import write_png
from threatray.datasets.formats import read_dataset
from threatray.errors import DataError


def write(file: Path, names: list[str], classes: tuple[str, ...] = ("gun",), **extra: Any) -> None:
    images = [{"id": number, "file_name": name, **extra} for number, name in enumerate(names)]
    things = [{"id": number, "image_id": number, "category_id": len(classes), "bbox": [1, 2, 3, 4]} for number in range(len(names))]
    categories = [{"id": number, "name": name} for number, name in enumerate(classes, 1)]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"images": images, "annotations": things, "categories": categories}))


def picture(path: Path) -> None:
    write_png(path, np.zeros((37, 31), np.uint8))


def parts_of(path: Path) -> list[tuple[str, str, tuple[str, ...]]]:
    dataset = read_dataset(path)
    assert dataset.set_aside == ()
    return [(entry.id, entry.part, entry.labels) for entry in dataset.entries]


def test_files_side_by_side_are_the_parts_of_one_dataset(tmp_path: Path) -> None:
    for name in "abc":
        picture(tmp_path / "images" / f"{name}.png")
    write(tmp_path / "annotations/instances_train.json", ["a.png", "b.png"], ("gun", "knife"))
    write(tmp_path / "annotations/instances_val.json", ["c.png"], ("knife", "gun"))  # the same ids mean other classes here
    assert parts_of(tmp_path) == [("a", "train", ("knife",)), ("b", "train", ("knife",)), ("c", "val", ("gun",))]
    assert read_dataset(tmp_path).classes == ("gun", "knife")


def test_pictures_of_one_name_in_two_parts_are_two_pictures(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        picture(tmp_path / part / "a.png")
        write(tmp_path / part / "_annotations.coco.json", ["a.png"])
    assert parts_of(tmp_path) == [("test__a", "test", ("gun",)), ("train__a", "train", ("gun",)), ("valid__a", "valid", ("gun",))]
    assert parts_of(tmp_path / "train/_annotations.coco.json") == [("a", "train", ("gun",))]


def test_folders_named_for_the_part_hold_its_pictures(tmp_path: Path) -> None:
    for part in ("train2017", "val2017"):
        picture(tmp_path / "images" / part / "1.png")
        write(tmp_path / "annotations" / f"instances_{part}.json", ["1.png"])
    assert parts_of(tmp_path) == [("train2017__1", "train2017", ("gun",)), ("val2017__1", "val2017", ("gun",))]


def test_the_layout_in_which_det_compass_is_evaluated_is_read(tmp_path: Path) -> None:
    picture(tmp_path / "test/a.png")
    write(tmp_path / "annotations/full_test.json", ["a.png"])
    assert parts_of(tmp_path) == [("a", "", ("gun",))]


def test_a_picture_that_two_files_list_must_be_told_apart_by_the_user(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.png")
    for name in ("instances_old.json", "instances_new.json"):
        write(tmp_path / name, ["a.png"])
    expected = (
        r"holds 2 COCO files \(instances_new.json, instances_old.json\).* both list a\.png\. Give the one to read instead of the folder"
    )
    with pytest.raises(DataError, match=expected):
        read_dataset(tmp_path)
    assert parts_of(tmp_path / "instances_old.json") == [("a", "old", ("gun",))]


def test_faults_of_several_files_name_the_file(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.png")
    write(tmp_path / "instances_train.json", ["a.png"])
    write(tmp_path / "instances_val.json", ["gone.png"])
    (fault,) = read_dataset(tmp_path).set_aside
    assert fault.item == "instances_val.json, gone.png"


def test_other_json_files_beside_it_are_not_taken_for_coco(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.png")
    write(tmp_path / "sixray.json", ["a.png"])
    (tmp_path / "notes.json").write_text('{"images": 3}')
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "big.json").write_text('{"text": "' + "x" * 1_200_000 + '"}')
    assert parts_of(tmp_path) == [("a", "", ("gun",))]


def test_a_large_file_is_recognised_by_its_two_ends(tmp_path: Path) -> None:
    picture(tmp_path / "images/a.png")
    write(tmp_path / "sixray.json", ["a.png"], comment="x" * 1_200_000)
    assert parts_of(tmp_path) == [("a", "", ("gun",))]


def test_what_is_said_of_an_image_beside_its_boxes(coco: Callable[..., Path]) -> None:
    said = {"part": "test", "difficulty": "hidden", "view": "side", "image_labels": ["knife"]}
    images = [{"id": 1, "file_name": "bag1.png", **said}, {"id": 2, "file_name": "bag2.png"}]
    first, second = read_dataset(coco(images=images, annotations=[])).entries
    assert (first.part, first.difficulty, first.view, first.image_labels, first.is_benign) == ("test", "hidden", "side", ("knife",), False)
    assert (second.part, second.difficulty, second.view, second.image_labels, second.is_benign) == ("", "", "", (), True)


@pytest.mark.parametrize("labels", [["axe"], "knife", [3], {"knife": 1}])
def test_an_unknown_label_of_an_image_does_not_leave_it_benign(coco: Callable[..., Path], labels: object) -> None:
    images = [{"id": 1, "file_name": "bag1.png", "image_labels": labels}, {"id": 2, "file_name": "bag2.png"}]
    dataset = read_dataset(coco(images=images, annotations=[]))
    assert [entry.id for entry in dataset.entries] == ["bag2"]
    assert "is not among the file's categories" in dataset.set_aside[0].reason


def test_a_part_cannot_name_a_file_elsewhere(coco: Callable[..., Path]) -> None:
    images = [{"id": 1, "file_name": "bag1.png", "part": "../../etc/x"}]
    assert read_dataset(coco(images=images, annotations=[])).entries[0].part == "_.._etc_x"


def test_texts_of_half_characters_can_be_stored(coco: Callable[..., Path]) -> None:
    images = [{"id": 1, "file_name": "bag1.png", "source": "\ud800", "group": "g\udfff"}, {"id": 2, "file_name": "\ud800.png"}]
    dataset = read_dataset(coco(images=images, annotations=[]))
    (entry,) = dataset.entries
    assert (entry.provenance.source, entry.group) == ("\\ud800", "g\\udfff")
    assert [one.item for one in dataset.set_aside] == ["\\ud800.png"]
    with pytest.raises(DataError, match="the name of category 7 is broken Unicode"):
        read_dataset(coco(categories=[{"id": 7, "name": "\ud800"}]))


def test_without_headers_the_annotated_size_is_believed_and_missing_files_are_still_found(coco: Callable[..., Path]) -> None:
    images = [
        {"id": 1, "file_name": "bag1.png", "width": 62, "height": 74},
        {"id": 2, "file_name": "bag2.png"},
        {"id": 3, "file_name": "gone.png", "width": 62, "height": 74},
        {"id": 4, "file_name": "huge.png", "width": 10**6, "height": 10**6},
    ]
    root = coco(images=images, annotations=[])
    (root / "images/huge.png").write_text("")
    dataset = read_dataset(root, headers=False)
    assert [(entry.width, entry.height) for entry in dataset.entries] == [(62, 74), (31, 37)]
    assert [one.item for one in dataset.set_aside] == ["gone.png", "huge.png"]
    assert [entry.id for entry in read_dataset(root).entries] == ["bag2"]


def test_names_that_could_hurt_a_page_or_a_terminal(coco: Callable[..., Path]) -> None:
    root = coco()
    names = ["<script>alert(1)</script>.png", "quote's \u201ctwo\u201d.png", "총기 刀.png", "line\nbreak.png", "\x1b[31mred.png"]
    for name in names:
        picture(root / "images" / name.replace("/", "_"))
    images = [{"id": number, "file_name": name.replace("/", "_")} for number, name in enumerate(names)]
    dataset = read_dataset(coco(images=[*images, {"id": 9, "file_name": "gone\x1b[31m.png"}], annotations=[]))
    assert len(dataset.entries) == len(names)
    assert all(entry.id.isprintable() and "/" not in entry.id for entry in dataset.entries)
    assert [one.item for one in dataset.set_aside] == ["gone\\x1b[31m.png"]
