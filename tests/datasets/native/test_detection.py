from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from native_miniatures import CLCXRAY, MINIATURES, OTHER_LAYOUTS, coco, picture, text, voc, voc_object

from threatray.datasets.formats import read_dataset
from threatray.datasets.formats.published import PUBLISHED_FORMATS

LAYOUTS = {**MINIATURES, **OTHER_LAYOUTS}


def detected(root: Path) -> list[str]:
    return [each.name for each in PUBLISHED_FORMATS if each.detect(root)]


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_each_layout_is_recognised_as_its_own_format_and_no_other(name: str, build: Callable[[str], Path]) -> None:
    assert detected(build(name)) == [name.split(":")[0]]


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_each_layout_reads_with_no_further_word(name: str, build: Callable[[str], Path]) -> None:
    dataset = read_dataset(build(name))
    assert dataset.format_name == name.split(":")[0]
    assert dataset.entries


def test_every_format_has_a_miniature_and_a_name_of_its_own() -> None:
    assert sorted(MINIATURES) == sorted(each.name for each in PUBLISHED_FORMATS)


def _coco(root: Path) -> None:
    picture(root / "images/a.png", 1)
    coco(root / "annotations.json", ["gun"], [{"id": 1, "file_name": "a.png"}], [])


def _coco_2017(root: Path) -> None:
    for part in ("train", "val"):
        picture(root / f"{part}2017/a.png", 1)
        coco(root / f"annotations/instances_{part}2017.json", ["SwissArmyKnife"], [{"id": 1, "file_name": "a.png"}], [])


def _coco_parts(root: Path) -> None:
    for part in ("train", "test"):
        picture(root / part / "a.png", 1)
        coco(root / f"annotations/{part}.json", ["Knife", "Gun"], [{"id": 1, "file_name": "a.png"}], [])


def _voc(root: Path) -> None:
    picture(root / "JPEGImages/000001.jpg", 1)
    text(root / "Annotations/000001.xml", voc(voc_object("Gun", 1, 2, 3, 4)))
    text(root / "ImageSets/Main/train.txt", "000001\n")


def _voc_part_of_sixray(root: Path) -> None:
    picture(root / "images/0000.jpg", 1)
    picture(root / "negatives/N0000001.jpg", 2)
    text(root / "annotations/0000.xml", voc(voc_object("Gun", 1, 2, 3, 4)))


def _voc_beside_sixray_names(root: Path) -> None:
    picture(root / "JPEGImage/street.jpg", 1)
    text(root / "Annotation/street.xml", voc(voc_object("car", 1, 2, 3, 4)))


def _yolo(root: Path) -> None:
    for part in ("train", "test"):
        picture(root / part / "images/00787.jpg", 1)
        text(root / part / "labels/00787.txt", "0 0.5 0.5 0.1 0.1\n")


def _yolo_called_annotations(root: Path) -> None:
    picture(root / "train/images/00787.jpg", 1)
    text(root / "train/annotations/00787.txt", "0 0.5 0.5 0.1 0.1 0.9\n")


def _beihang_of_other_classes(root: Path) -> None:
    picture(root / "train/train_image/1.jpg", 1)
    text(root / "train/train_annotation/1.txt", "1.jpg tumour 1 2 3 4\n")
    text(root / "train/train_knife.txt", "1\n")


def _pairs_of_energies(root: Path) -> None:
    picture(root / "a_low.png", 1)
    picture(root / "a_high.png", 2)
    text(root / "a.json", "{}")


def _digits(root: Path) -> None:
    for number in range(3):
        picture(root / f"{number}/P00001.png", number)
    text(root / "meta.txt", "basename\tclass\n")


def _nothing(root: Path) -> None:
    (root / "domain1" / "images").mkdir(parents=True)
    (root / "Baggages" / "B0001").mkdir(parents=True)
    (root / "train_set").mkdir()
    text(root / "train.json", "{}")


OTHERS = [
    _coco,
    _coco_2017,
    _coco_parts,
    _voc,
    _voc_part_of_sixray,
    _voc_beside_sixray_names,
    _yolo,
    _yolo_called_annotations,
    _beihang_of_other_classes,
    _pairs_of_energies,
    _digits,
    _nothing,
]


@pytest.mark.parametrize("make", OTHERS)
def test_a_folder_of_another_kind_is_none_of_them(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path)
    assert detected(tmp_path) == []


def test_a_file_and_an_absent_folder_are_none_of_them(tmp_path: Path) -> None:
    text(tmp_path / "a.json", "{}")
    assert detected(tmp_path / "a.json") == detected(tmp_path / "absent") == []


@pytest.mark.parametrize(("padding", "found"), [(100, ["clcxray"]), (200_000, ["clcxray"])])
def test_a_large_file_is_recognised_by_categories_at_its_end(padding: int, found: list[str], tmp_path: Path) -> None:
    picture(tmp_path / "train2017/a.png", 1)
    images = [{"id": 1, "file_name": "a.png", "padding": "x" * padding}]
    coco(tmp_path / "annotations/instances_train2017.json", CLCXRAY, images, [])
    assert detected(tmp_path) == found


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("name", ["opixray", "hixray"])
def test_one_part_alone_is_recognised_by_its_own_folder(name: str, part: str, build: Callable[[str], Path]) -> None:
    assert detected(build(name) / part) == [name]


def test_empty_annotations_are_told_apart_by_their_list(tmp_path: Path) -> None:
    for name, kind in (("o", "knife"), ("h", "name")):
        picture(tmp_path / name / "test/test_image/1.jpg", 1)
        text(tmp_path / name / "test/test_annotation/1.txt", "")
        text(tmp_path / name / f"test/test_{kind}.txt", "1\n")
    assert (detected(tmp_path / "o"), detected(tmp_path / "h")) == (["opixray"], ["hixray"])


@pytest.mark.real
def test_the_renumbered_part_of_sixray_is_not_taken_for_sixray() -> None:
    root = Path(__file__).parents[4] / "shared/data/sixray"
    if not root.is_dir():
        pytest.skip("no real data")
    assert detected(root) == []
    assert read_dataset(root, headers=False).format_name == "voc"


def test_every_published_dataset_is_in_the_docs_with_how_its_layout_is_known() -> None:
    page = (Path(__file__).parents[3] / "docs/published_datasets.md").read_text(encoding="utf-8")
    named = [line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ")]
    assert all(any(name.startswith(each.title) for name in named) for each in PUBLISHED_FORMATS)
