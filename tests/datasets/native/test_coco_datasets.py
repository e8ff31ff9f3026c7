"""PIDray, CLCXray, PIXray and LDXray: a COCO file a part."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from native_miniatures import PIDRAY, coco, picture, text

from threatray.datasets.dataset import Dataset, Entry
from threatray.errors import DataError

Shown = Callable[[Entry], list[tuple[object, ...]]]


def test_pidray_gives_difficulties_and_masks_by_the_names_of_the_json(
    build: Callable[[str], Path], read: Callable[..., Dataset], shown: Shown
) -> None:
    dataset = read("pidray", build("pidray"))
    assert [(entry.id, entry.part, entry.difficulty, shown(entry)) for entry in dataset.entries] == [
        ("easy__xray_easy01", "test", "easy", [("Baton", 2, 3, 12, 20)]),
        ("hard__xray_hard01", "test", "hard", [("Knife", 2, 3, 12, 20)]),
        ("hidden__xray_hidden01", "test", "hidden", [("Bullet", 2, 3, 12, 20)]),
        ("train__xray_train01", "train", "", [("Gun", 2, 3, 12, 20), ("Hammer", 4, 5, 10, 12)]),
    ]
    masks = dataset.entries[0].annotations().masks
    assert masks is not None and masks.shape == (1, 37, 31)
    assert masks[0, 4, 11] and not masks[0, 18, 3]  # inside and outside of the triangle (2, 3), (12, 3), (12, 20)
    assert dataset.entries[3].segmentations[1] is None  # its outline has one and a half points: the box is kept


def test_pidray_sets_its_faults_aside_by_name(build: Callable[[str], Path], read: Callable[..., Dataset]) -> None:
    dataset = read("pidray", build("pidray"))
    assert [(one.item, one.reason.partition(" that is no list")[0]) for one in dataset.set_aside] == [
        ("xray_train.json, annotation number 4 of xray_train01.png", "its segmentation has a polygon"),
        ("xray_train.json, xray_train02.png", "its image xray_train02.png is missing (looked in train/)"),
        ("xray_train.json, annotation number 5 of xray_train03.png", "category '99' is not among the file's categories"),
        ("xray_train.json, xray_train03.png", "every box of it is broken; without them it would pass for benign"),
        ("xray_train.json, annotation number 6", "belongs to image '77', which the file does not list"),
    ]
    assert dataset.notes == (
        "1 crowd annotation(s) (iscrowd) were left out: they outline groups, not things.",
        "PIDray version 1 has 29,457 training and 18,220 test images; version 2 has 76,913 training and 47,573 test images;"
        " 1 and 3 were read here.",
    )


def test_pidray_of_another_order_of_classes_keeps_each_name(tmp_path: Path, read: Callable[..., Dataset]) -> None:
    picture(tmp_path / "train/a.png", 1)
    turned = [{"id": 40 - number, "name": name} for number, name in enumerate(PIDRAY)]
    thing = {"id": 1, "image_id": "x", "category_id": 40 - PIDRAY.index("Gun"), "bbox": [1, 2, 3, 4]}
    document = {"images": [{"id": "x", "file_name": "a.png"}], "annotations": [thing], "categories": turned[::-1]}
    text(tmp_path / "annotations/xray_train.json", json.dumps(document))
    dataset = read("pidray", tmp_path)
    assert (dataset.entries[0].labels, dataset.classes) == (("Gun",), tuple(PIDRAY[::-1]))


def test_a_version_is_named_when_its_numbers_agree(
    build: Callable[[str], Path], read: Callable[..., Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    from threatray.datasets.formats import pidray

    monkeypatch.setitem(pidray.VERSIONS, "version 2", (1, 3))  # type: ignore[arg-type]
    assert read("pidray", build("pidray")).notes[-1] == "These are the published numbers of PIDray version 2."


def test_version_2_without_levels_is_told_by_its_classes(build: Callable[[str], Path], read: Callable[..., Dataset]) -> None:
    test, train = read("pidray", build("pidray:2")).entries
    assert (test.part, test.difficulty, test.labels, train.part, train.labels) == ("test", "", ("Knife",), "train", ("HandCuffs",))


def test_sizes_are_believed_without_headers_and_checked_with_them(tmp_path: Path, read: Callable[..., Dataset]) -> None:
    picture(tmp_path / "train/a.png", 1)
    record = {"id": 1, "file_name": "a.png", "width": 50, "height": 60}
    coco(tmp_path / "annotations/xray_train.json", PIDRAY, [record], [])
    (entry,) = read("pidray", tmp_path, headers=False).entries
    assert (entry.width, entry.height) == (50, 60)
    with pytest.raises(DataError, match="is annotated as 50x60 pixels, but its file has 31x37"):
        read("pidray", tmp_path)


def test_a_broken_part_is_set_aside_and_the_others_are_read(build: Callable[[str], Path], read: Callable[..., Dataset]) -> None:
    root = build("pidray")
    for name in ("xray_train.json", "xray_test_hard.json"):
        text(root / "annotations" / name, '{"images": []')
    dataset = read("pidray", root)
    assert [entry.difficulty for entry in dataset.entries] == ["easy", "hidden"]
    assert [one.item for one in dataset.set_aside] == ["xray_train.json", "xray_test_hard.json"]
    assert dataset.set_aside[0].reason.startswith("the whole part train: ")


@pytest.mark.parametrize(
    ("images", "reason"),
    [
        ([{"id": 1, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"}], "the image id 1 is used more than once"),
        ([{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "a.png"}], "another image is called 'train__a' already"),
        ([{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "a.jpg"}], "another image is called 'train__a' already"),
        ([{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "../../etc/passwd"}], "leads out of the dataset with '..'"),
        ([{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "/etc/passwd"}], "is absolute"),
        ([{"id": 1, "file_name": "a.png"}, {"id": None, "file_name": "b.png"}], "is no COCO image"),
        ([{"id": 1, "file_name": "a.png"}, "b.png"], "is no COCO image"),
        ([{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": 7}], "names no image file"),
    ],
)
def test_images_that_cannot_be_told_apart_or_found_are_set_aside(
    images: list[dict[str, object]], reason: str, tmp_path: Path, read: Callable[..., Dataset]
) -> None:
    for name in ("a.png", "a.jpg", "b.png", "c.png"):
        picture(tmp_path / "train" / name, 1)
    coco(tmp_path / "annotations/xray_train.json", PIDRAY, [*images, {"id": 3, "file_name": "c.png"}], [])
    assert any(reason in one.reason for one in read("pidray", tmp_path).set_aside)


def test_a_large_file_joined_on_disk_reads_the_same(
    build: Callable[[str], Path], read: Callable[..., Dataset], shown: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = build("pidray")
    whole = read("pidray", root)
    monkeypatch.setattr("threatray.datasets.formats.coco_store.SPILL_BYTES", 0)
    joined = read("pidray", root)
    assert [shown(entry) for entry in joined.entries] == [shown(entry) for entry in whole.entries]
    assert (joined.set_aside, joined.notes) == (whole.set_aside, whole.notes)


def test_clcxray_repairs_the_one_image_without_a_name(build: Callable[[str], Path], read: Callable[..., Dataset], shown: Shown) -> None:
    dataset = read("clcxray", build("clcxray"))
    assert [(entry.id, entry.part, shown(entry)) for entry in dataset.entries] == [
        ("test__a", "test", []),
        ("train__20_40_04_139", "train", [("SwissArmyKnife", 1, 2, 4, 6)]),
        ("train__20_40_04_140", "train", [("CartonDrinks", 5, 6, 12, 14)]),
    ]
    assert [(one.item, one.reason) for one in dataset.set_aside] == [("CLCXray_train.json, image number 3", "names no image file")]
    assert dataset.notes[-1] == "An image without a name was read as 20_40_04_140.png, as the authors were told it is called."


def test_clcxray_in_the_names_of_2017_has_three_parts(build: Callable[[str], Path], read: Callable[..., Dataset]) -> None:
    entries = read("clcxray", build("clcxray:2017")).entries
    assert [(entry.part, entry.labels) for entry in entries] == [("test", ("knife",)), ("train", ("blade",)), ("val", ("scissors",))]


def test_pixray_frames_its_outlines(build: Callable[[str], Path], read: Callable[..., Dataset], shown: Shown) -> None:
    dataset = read("pixray", build("pixray"))
    first, empty = dataset.entries
    assert (first.id, first.part, shown(first)) == (
        "train__143345099",
        "train",
        [("Saw_blade", 2, 3, 12.5, 20), ("Dart", 1, 1, 4, 9)],
    )
    assert first.segmentations == ([[2, 3, 12.5, 3, 12.5, 20, 2, 20]], None)  # two points outline nothing
    assert empty.is_benign
    assert [one.item for one in dataset.set_aside] == [
        "train_set/143345099.json, object 2",
        "train_set/143345100.json, object 1",
        "train_set/143345100.json",
        "train_set/143345109.json",
    ]
    assert dataset.notes[-1] == "1 image(s) in train_set/ have no JSON and were not read."


def test_pixray_as_coco_has_masks_and_parts(build: Callable[[str], Path], read: Callable[..., Dataset]) -> None:
    test, train = read("pixray", build("pixray:coco")).entries
    assert (train.part, train.labels, test.part, test.labels) == ("train", ("Gun",), "test", ("Knife",))
    masks = train.annotations().masks
    assert masks is not None and np.count_nonzero(masks) > 0


@pytest.mark.parametrize("polygon", [None, 7, [], [[1]], [[1, 2, 3]], [["a", "b"]] * 3, [[1, float("nan")]] * 3])
def test_an_outline_that_is_none_is_set_aside(polygon: object, tmp_path: Path, read: Callable[..., Dataset]) -> None:
    for name, points in (("1", polygon), ("2", [[1, 1], [9, 1], [9, 9]])):
        picture(tmp_path / f"train_set/{name}.png", 1)
        text(tmp_path / f"train_set/{name}.json", json.dumps({"objects": [{"label": "Gun", "polygon": points}]}))
    dataset = read("pixray", tmp_path)
    assert [entry.id for entry in dataset.entries] == ["train__2"]
    assert dataset.set_aside[0].item == "train_set/1.json, object 1"


def test_ldxray_pairs_its_views(build: Callable[[str], Path], read: Callable[..., Dataset], shown: Shown) -> None:
    dataset = read("ldxray", build("ldxray"))
    main, side = dataset.entries[2:4]
    assert (main.id, main.view, main.group, main.part) == ("train__000001_A", "main", "train__000001", "train")
    assert shown(main) == [("手机", 2, 3, 12, 20), ("橙色液体", 20, 30, 25, 35), ("手机", 1, 1, 3, 3)]
    assert (side.id, side.view, side.group, side.labels, side.image_labels) == (
        "train__000001_B",
        "side",
        "train__000001",
        (),
        ("手机", "橙色液体"),
    )
    assert (side.paths[0].parent.name, side.width, side.height, main.width, main.height) == ("train_B", 31, 41, 31, 37)
    assert [entry.is_benign for entry in dataset.entries] == [False, False, False, False, True, True, True]
    assert [(one.item, one.reason) for one in dataset.set_aside] == [
        ("train.json, 000003.jpg, view B", "its image 000003.jpg is missing (looked in train_B/)")
    ]
    assert dataset.classes == ("手机", "橙色液体", "Laptop")


def test_a_side_view_whose_main_view_is_broken_does_not_pass_for_benign(build: Callable[[str], Path], read: Callable[..., Dataset]) -> None:
    root = build("ldxray")
    (root / "train_A/000001.jpg").write_bytes(b"")
    dataset = read("ldxray", root)
    assert not any(entry.group == "train__000001" for entry in dataset.entries)
    assert dataset.set_aside[1].reason == "its main view is set aside, so what is in the bag is not known"
