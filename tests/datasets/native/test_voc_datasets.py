"""SIXray and EDS: Pascal VOC's XML in layouts of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from native_miniatures import picture, text, voc, voc_object

from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.formats.format import ReadOptions
from threatray.datasets.formats.native import Published, Reading
from threatray.datasets.formats.sixray import PUBLISHED
from threatray.datasets.formats.sixray_lists import SixrayLists
from threatray.errors import DataError

Shown = Callable[[Entry], list[tuple[object, ...]]]


def test_sixray_gives_boxes_image_labels_and_parts(build: Callable[[str], Path], read: Callable[..., Dataset], shown: Shown) -> None:
    dataset = read("sixray", build("sixray"))
    assert [(entry.id, entry.part, entry.group, shown(entry), entry.image_labels) for entry in dataset.entries] == [
        ("N0000001", "", "N0000001", [], ()),  # training in SIXray10, test in SIXray100
        ("N0000002", "test", "N0000002", [], ()),
        ("N0000004", "train", "N0000004", [], ()),
        ("P00001", "train", "P00001", [("Gun", 2, 3, 12, 20), ("Knife", 15.5, 1, 31, 9)], ()),
        ("P00002", "test", "P00002", [("Gun", 1, 1, 9, 9)], ("Wrench",)),
        ("P00003", "train", "P00003", [], ("Pliers",)),
    ]
    assert [entry.is_benign for entry in dataset.entries] == [True, True, True, False, False, False]


def test_sixray_sets_its_faults_aside_by_name(build: Callable[[str], Path], read: Callable[..., Dataset]) -> None:
    assert [(one.item, one.reason) for one in read("sixray", build("sixray")).set_aside] == [
        ("10/train.csv, line 6", "expected a name and 5 labels of 1 or -1, got 'P00011,yes,-1,-1,-1,-1'"),
        ("Annotation/P00005.xml, object 1", "box [9, 9, 2, 2] (x0, y0, x1, y1) has no area"),
        ("JPEGImage/P00005.jpg", "every box of it is broken; without them it would pass for benign"),
        (
            "JPEGImage/P00009.jpg",
            "is numbered as a positive, but no annotation and no list says what is in it; it would pass for benign",
        ),
        ("Annotation/P00007.xml", "its image P00007.jpg is missing"),
    ]


@pytest.mark.parametrize(
    "said",
    [
        "1 of the 7 images that ImageSet/ lists are not here: archives of SIXray are missing (the links that its authors give hold"
        " 548,167 images, none of them positive).",
        "2 image(s) hold a class that a list names and no box shows; it is a label of the whole image.",
        "1 image(s) are in the training list of one subset and the test list of another; no part is kept.",
        "The published split cuts 2 of 2 pairs of neighbouring positive ids; neighbours are often one bag scanned again, so it leaks."
        " Split by groups of neighbouring ids instead.",
        "SIXray is published with 1,059,231 images; 6 were read here.",
    ],
)
def test_sixray_says(said: str, build: Callable[[str], Path], read: Callable[..., Dataset]) -> None:
    assert said in read("sixray", build("sixray")).notes


def test_sixray_in_numbered_folders_reads_the_same(build: Callable[[str], Path], read: Callable[..., Dataset], shown: Shown) -> None:
    negative, positive = read("sixray", build("sixray:numbered")).entries
    assert (negative.id, positive.id, shown(positive)) == ("N0000001", "P00001", [("Wrench", 1, 2, 3, 4)])
    assert positive.paths[0].parent.name == "2"


def test_an_image_in_two_folders_is_read_once(tmp_path: Path, read: Callable[..., Dataset]) -> None:
    for folder in ("JPEGImage", "3"):
        picture(tmp_path / folder / "N0000001.jpg", 1)
    text(tmp_path / "ImageSet/10/train.csv", "name,Gun\nN0000001,-1\n")
    dataset = read("sixray", tmp_path)
    assert [entry.paths[0].parent.name for entry in dataset.entries] == ["3"]
    assert [(one.item, one.reason) for one in dataset.set_aside] == [
        ("JPEGImage/N0000001.jpg", "another image is called 'N0000001' already")
    ]


def test_a_positive_whose_boxes_are_broken_keeps_the_labels_of_a_list(tmp_path: Path, read: Callable[..., Dataset]) -> None:
    picture(tmp_path / "JPEGImage/P00001.jpg", 1)
    text(tmp_path / "Annotation/P00001.xml", voc(voc_object("Gun", 9, 9, 2, 2)))
    text(tmp_path / "ImageSet/10/train.txt", "P00001 1 -1 -1 -1 -1\n")  # without a header: the published order
    (entry,) = read("sixray", tmp_path).entries
    assert (entry.labels, entry.image_labels, entry.part, entry.is_benign) == ((), ("Gun",), "train", False)


def test_an_annotation_of_another_size_is_set_aside(tmp_path: Path, read: Callable[..., Dataset]) -> None:
    for name, size in (("P00001", "<size><width>37</width><height>31</height></size>"), ("P00002", "")):
        picture(tmp_path / f"JPEGImage/{name}.jpg", 1)
        text(tmp_path / f"Annotation/{name}.xml", voc(voc_object("Gun", 1, 2, 3, 4), size))
    dataset = read("sixray", tmp_path)
    assert [one.reason for one in dataset.set_aside] == ["annotates a picture of 37x31 pixels, but P00001.jpg has 31x37"]


def test_a_box_of_a_class_that_the_lists_deny_is_kept_and_said(tmp_path: Path, read: Callable[..., Dataset]) -> None:
    picture(tmp_path / "JPEGImage/P00001.jpg", 1)
    text(tmp_path / "Annotation/P00001.xml", voc(voc_object("Gun", 1, 2, 3, 4) + voc_object("Hammer", 1, 2, 3, 4)))
    text(tmp_path / "ImageSet/10/train.csv", "name,Gun,Knife\nP00001,-1,1\n")
    dataset = read("sixray", tmp_path)
    assert (dataset.entries[0].labels, dataset.entries[0].image_labels) == (("Gun", "Hammer"), ("Knife",))
    assert "1 image(s) have a box of a class that the lists deny; the box is kept." in dataset.notes


def test_a_missing_archive_of_positives_does_not_fill_the_list(tmp_path: Path, read: Callable[..., Dataset]) -> None:
    picture(tmp_path / "JPEGImage/N0000001.jpg", 1)
    for number in range(103):
        text(tmp_path / f"Annotation/P{number:05d}.xml", voc(voc_object("Gun", 1, 2, 3, 4)))
    dataset = read("sixray", tmp_path)
    assert len(dataset.set_aside) == 100
    assert "3 further annotation(s) have no image here either; only the first 100 are listed." in dataset.notes


def test_a_list_of_something_else_ends_the_reading(tmp_path: Path, read: Callable[..., Dataset]) -> None:
    picture(tmp_path / "JPEGImage/N0000001.jpg", 1)
    text(tmp_path / "ImageSet/10/train.csv", "name,Gun\n" + "N0000001,maybe\n" * 101)
    with pytest.raises(DataError, match=r"train\.csv, line 102: expected a name and 1 labels of 1 or -1.*More than 100 rows are broken"):
        read("sixray", tmp_path)


def _lists(root: Path, **files: str) -> SixrayLists:
    for name, rows in files.items():
        subset, part = name.removeprefix("s").split("_")
        text(root / f"ImageSet/{subset}/{part}.csv", "name,Gun\n" + rows)
    return SixrayLists.read(root, Reading(PUBLISHED, root, ReadOptions()))


def test_a_million_negatives_take_a_byte_each(tmp_path: Path) -> None:
    lists = _lists(tmp_path, s1000_train="N1059230,-1\nN0000007,-1\n", s1000_test="N0000008,-1\n")
    assert len(lists._negatives) == 1059231
    assert [lists.part(name) for name in ("N1059230", "N0000007", "N0000008", "N0000009", "P00001")] == ["train", "train", "test", "", ""]
    assert (lists.count, lists.conflicts, lists.neighbours()) == (3, 0, (0, 0))


def test_neighbours_are_counted_among_listed_positives_only(tmp_path: Path) -> None:
    lists = _lists(tmp_path, s10_train="P00001,1\nP00002,1\nP00004,1\nN0000001,-1\n", s10_test="P00005,1\nP00009,1\nN0000002,-1\n")
    assert lists.neighbours() == (1, 2)  # 1-2 together, 4-5 cut; 2-4 and 5-9 are not neighbours, negatives do not count
    assert lists.meet("P00001") and not lists.meet("P00001") and lists.part("P00001") == "train"


def test_published_numbers_are_those_of_the_paper() -> None:
    assert isinstance(PUBLISHED, Published) and PUBLISHED.counts == {"": 1059231}


def test_eds_keeps_the_machine_as_part(build: Callable[[str], Path], read: Callable[..., Dataset], shown: Shown) -> None:
    dataset = read("eds", build("eds"))
    assert [(entry.id, entry.part, shown(entry)) for entry in dataset.entries] == [
        ("domain1__0001", "domain1", [("DrinkBottle", 1, 2, 12, 20)]),
        ("domain2__0001", "domain2", [("DrinkBottle", 2, 2, 12, 20)]),
        ("domain3__0001", "domain3", [("DrinkBottle", 3, 2, 12, 20)]),
    ]
    assert [(one.item, one.reason) for one in dataset.set_aside] == [
        ("domain2/labels/0005.xml", "its image 0005.jpg (or another type) is missing (looked in images/)"),
        ("domain3/labels/0006.xml", "is not valid XML (no element found: line 1, column 12)"),
    ]
    assert dataset.notes[-2:] == (
        "1 image(s) in domain1/images/ have no annotation and were not read.",
        "1 id(s) that domain3/val.txt names have no annotation file.",
    )


def test_an_entity_bomb_is_refused(tmp_path: Path, read: Callable[..., Dataset]) -> None:
    for name in ("1", "2"):
        picture(tmp_path / f"domain1/images/{name}.jpg", 1)
        text(tmp_path / f"domain1/labels/{name}.xml", voc(voc_object("knife", 1, 2, 3, 4)))
    text(tmp_path / "domain1/labels/1.xml", '<!DOCTYPE a [<!ENTITY b "bb">]>' + voc(voc_object("&b;", 1, 2, 3, 4)))
    assert ["declares entities or a DTD" in one.reason for one in read("eds", tmp_path).set_aside] == [True]
