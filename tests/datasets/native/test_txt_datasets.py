"""OPIXray, HiXray and X-ray FSOD: one text file an image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from native_miniatures import picture, text

from threatray.datasets.dataset import Dataset, Entry
from threatray.errors import DataError

Shown = Callable[[Entry], list[tuple[object, ...]]]


def test_opixray_gives_boxes_parts_and_occlusion_levels(build: Callable[[str], Path], read: Callable[..., Dataset], shown: Shown) -> None:
    dataset = read("opixray", build("opixray"))
    assert [(entry.id, entry.part, entry.difficulty, entry.group) for entry in dataset.entries] == [
        ("test__009010", "test", "OL1", "009010"),
        ("test__009011", "test", "OL2", "009011"),
        ("test__009012", "test", "OL3", "009012"),
        ("train__009001", "train", "", "009001"),
        ("train__009003", "train", "", "009003"),
    ]
    assert [shown(entry) for entry in dataset.entries] == [
        [("Utility_Knife", 1, 2, 3, 4)],
        [("Multi-tool_Knife", 1, 2, 30, 31)],
        [("Machete", 5, 5, 9, 9)],
        [("Folding_Knife", 2, 3, 12, 20), ("Scissor", 20, 30, 31, 36)],
        [],
    ]
    assert [entry.is_benign for entry in dataset.entries] == [False, False, False, False, True]
    assert dataset.entries[0].provenance.licence == "academic use only, no commercial use (Beihang University)"


def test_opixray_sets_its_faults_aside_by_name(build: Callable[[str], Path], read: Callable[..., Dataset]) -> None:
    dataset = read("opixray", build("opixray"))
    assert [(one.item, one.reason) for one in dataset.set_aside] == [
        ("train/train_annotation/009001.txt, line 2", "box reached 4 pixels outside the image and was clipped to it"),
        ("train/train_annotation/009002.txt, line 1", "box [40, 3, 50, 20] (x0, y0, x1, y1) lies outside the 31x37 image"),
        ("train/train_annotation/009002.txt", "every box of it is broken; without them it would pass for benign"),
        ("train/train_annotation/009005.txt", "its image 009005.jpg (or another type) is missing (looked in train_image/)"),
        ("test/test_annotation/009011.txt, line 2", "expected 'image class x1 y1 x2 y2', got 3 fields ('half a line')"),
    ]


@pytest.mark.parametrize(
    "said",
    [
        "OPIXray is published with 7,109 train, 1,776 test images; 2 train, 3 test were read here.",
        "OPIXray's README says 7,019 training images, this copy has 2; 7,109 is right, for with 1,776 test images it makes the 8,885"
        " of the paper.",
        "Classes that OPIXray does not publish were kept as they stand: 'Machete' (1).",
        "1 id(s) that the train list names have no annotation file.",
        "1 annotation(s) in train/train_annotation/ are not on the train list; they were read.",
        "1 id(s) are listed under two difficulty levels; the first one is kept.",
        "1 line(s) in test/test_annotation/ name another image than their file; the file's name counts.",
        "1 image(s) in train/train_image/ have no annotation file and were not read: backgrounds added later look like this, and so do"
        " images that lost theirs. Give backgrounds as a dataset of their own.",
    ],
)
def test_opixray_says(said: str, build: Callable[[str], Path], read: Callable[..., Dataset]) -> None:
    assert said in read("opixray", build("opixray")).notes


def test_a_part_given_alone_reads_with_the_same_ids(build: Callable[[str], Path], read: Callable[..., Dataset]) -> None:
    root = build("opixray")
    assert [entry.id for entry in read("opixray", root / "test").entries] == ["test__009010", "test__009011", "test__009012"]


def test_hixray_reads_deep_files_and_leaves_out_a_box_that_is_no_number(
    build: Callable[[str], Path], read: Callable[..., Dataset], shown: Shown
) -> None:
    dataset = read("hixray", build("hixray"))
    water, phone, lighter = dataset.entries
    assert (phone.part, water.part, phone.group) == ("train", "test", "0064592010")
    assert shown(phone) == [("Mobile_Phone", 2, 3, 12, 20), ("Laptop", 1, 1, 30, 36)]
    assert shown(water) == [("Water", 0, 1, 9, 9)]
    assert (lighter.paths[0].name, lighter.labels) == ("0064592011.TIFF", ("Nonmetallic_Lighter",))
    assert [(one.item, one.reason) for one in dataset.set_aside] == [
        ("test/test_annotation/0064592099.txt, line 1", "box [0, nan, 9, 9] is not four finite numbers")
    ]
    assert dataset.classes[0] == "Portable_Charger_1" and len(dataset.classes) == 8
    assert dataset.notes == ("HiXray is published with 36,295 train, 9,069 test images; 2 train, 1 test were read here.",)


def test_fsod_parts_that_number_alike_do_not_share_groups(build: Callable[[str], Path], read: Callable[..., Dataset], shown: Shown) -> None:
    test, train = read("xray_fsod", build("xray_fsod")).entries
    assert (train.id, train.group, test.id, test.group) == ("train__00787", "train__00787", "test__00787", "test__00787")
    assert shown(train) == [("iron_shoe", 0, 2, 12, 20), ("spray_alcohol", 5, 5, 9, 9)]
    assert shown(test)[0] == ("iron_shoe", 1, 2, 12, 20)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1.jpg Scissor 1 2 3", "got 5 fields"),
        ("1.jpg Scissor 1 2 3 4 5", "got 7 fields"),
        ("1.jpg Scissor 3 2 1 4", "has no area"),
        ("1.jpg Scissor 1e300 2 1e301 4", "lies outside the 31x37 image"),
        ("1.jpg Scissor inf 2 3 4", "not four finite numbers"),
        ("1.jpg Scissor 1_0 2 30 4", "not four finite numbers"),
        ("1.jpg Scissor one 2 3 4", "not four finite numbers"),
    ],
)
def test_a_broken_line_is_set_aside_and_its_image_does_not_pass_for_benign(
    line: str, reason: str, tmp_path: Path, read: Callable[..., Dataset]
) -> None:
    for name, content in (("1", line), ("2", "2.jpg Scissor 1 2 3 4")):
        picture(tmp_path / f"train/train_image/{name}.jpg", 1)
        text(tmp_path / f"train/train_annotation/{name}.txt", content)
    dataset = read("opixray", tmp_path)
    assert [entry.id for entry in dataset.entries] == ["train__2"]
    first, second = dataset.set_aside
    assert first.item == "train/train_annotation/1.txt, line 1" and reason in first.reason
    assert second.reason == "every box of it is broken; without them it would pass for benign"


def test_text_that_is_not_utf_8_is_set_aside_and_in_a_list_refused(tmp_path: Path, read: Callable[..., Dataset]) -> None:
    for name in ("1", "2"):
        picture(tmp_path / f"train/train_image/{name}.jpg", 1)
        text(tmp_path / f"train/train_annotation/{name}.txt", f"{name}.jpg Scissor 1 2 3 4")
    (tmp_path / "train/train_annotation/1.txt").write_bytes(b"1.jpg \xff 1 2 3 4")
    assert [one.reason for one in read("opixray", tmp_path).set_aside] == ["is not UTF-8 text (byte 6)"]
    (tmp_path / "train/train_knife.txt").write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"train_knife\.txt: is not UTF-8 text \(byte 0\)"):
        read("opixray", tmp_path)


def test_a_full_copy_says_nothing_about_its_numbers(tmp_path: Path, read: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch) -> None:
    from threatray.datasets.formats import hixray

    monkeypatch.setitem(hixray.PUBLISHED.counts, "train", 1)  # type: ignore[arg-type]
    monkeypatch.setitem(hixray.PUBLISHED.counts, "test", 0)  # type: ignore[arg-type]
    picture(tmp_path / "train/train_image/1.jpg", 1)
    text(tmp_path / "train/train_annotation/1.txt", "1.jpg Water 1 2 3 4")
    assert read("hixray", tmp_path).notes == ()
