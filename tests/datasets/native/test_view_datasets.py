"""DvXray, GDXray+, STCray and COMPASS-XP: several views, series, class folders, energies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from native_miniatures import counts, picture, text

from threatray.datasets.dataset import Dataset, Entry
from threatray.errors import DataError

Shown = Callable[[Entry], list[tuple[object, ...]]]


def test_dvxray_gives_both_views_of_a_bag_as_one_group(build: Callable[[str], Path], read: Callable[..., Dataset], shown: Shown) -> None:
    dataset = read("dvxray", build("dvxray"))
    assert [(entry.id, entry.view, entry.group, shown(entry), entry.image_labels) for entry in dataset.entries] == [
        ("N00001_OL", "overlook", "N00001", [], ()),
        ("N00001_SD", "side", "N00001", [], ()),
        (
            "P00001_OL",
            "overlook",
            "P00001",
            [("Gun", 2, 3, 12, 20), ("Dart", 5, 6, 9, 9)],
            (),
        ),  # corners the other way round
        ("P00001_SD", "side", "P00001", [("Gun", 1, 2, 40, 28)], ("Dart",)),  # the dart is marked difficult there
    ]
    assert [entry.is_benign for entry in dataset.entries] == [True, True, False, False]
    assert (dataset.entries[3].width, dataset.entries[3].height) == (41, 29)
    assert "1 thing(s) could not be boxed in one view (marked difficult); they are labels of that whole image." in dataset.notes


def test_dvxray_sets_its_faults_aside_by_name(build: Callable[[str], Path], read: Callable[..., Dataset]) -> None:
    assert [(one.item, one.reason.partition(" (Expecting")[0]) for one in read("dvxray", build("dvxray")).set_aside] == [
        ("DvXray_Positive_Samples/P00002.json, object 1, overlook view", "box [1, 1, 1, 5] (x0, y0, x1, y1) has no area"),
        ("DvXray_Positive_Samples/P00002_OL", "every box of it is broken; without them it would pass for benign"),
        (
            "DvXray_Positive_Samples/P00002_SD",
            "its image P00002_SD.png (or another type) is missing (looked in DvXray_Positive_Samples/)",
        ),
        ("DvXray_Positive_Samples/P00003.json", "is not valid JSON"),
    ]


@pytest.mark.parametrize("objects", [None, 7, "none", {"label": "Gun"}])
def test_a_bag_whose_objects_are_no_list_is_set_aside(objects: object, tmp_path: Path, read: Callable[..., Dataset]) -> None:
    for name, value in (("P1", objects), ("P2", "None")):
        picture(tmp_path / f"{name}_OL.png", 1)
        picture(tmp_path / f"{name}_SD.png", 1)
        text(tmp_path / f"{name}.json", json.dumps({"objects": value}))
    dataset = read("dvxray", tmp_path)
    assert [entry.group for entry in dataset.entries] == ["P2", "P2"]
    assert "expected 'objects' to be a list or the word None" in dataset.set_aside[0].reason


def test_an_unboxed_thing_keeps_an_image_whose_other_box_is_broken(tmp_path: Path, read: Callable[..., Dataset]) -> None:
    for view in ("OL", "SD"):
        picture(tmp_path / f"P1_{view}.png", 1)
    objects = [{"label": "Gun", "ol_bb": "difficult", "sd_bb": [1, 2, 3, 4]}, {"label": "Bat", "ol_bb": None, "sd_bb": [1, 2, 3, 4]}]
    text(tmp_path / "P1.json", json.dumps({"objects": objects}))
    overlook = read("dvxray", tmp_path).entries[0]
    assert (overlook.labels, overlook.image_labels, overlook.is_benign) == ((), ("Gun",), False)


def test_gdxray_reads_columns_in_their_order_and_series_as_groups(
    build: Callable[[str], Path], read: Callable[..., Dataset], shown: Shown
) -> None:
    dataset = read("gdxray", build("gdxray"))
    assert [(entry.id, entry.group, shown(entry), entry.image_labels) for entry in dataset.entries] == [
        ("B0046_0001", "B0046", [("object", 2, 3, 12, 20), ("object", 10, 25, 20, 30)], ()),
        ("B0046_0002", "B0046", [("object", 3, 6, 15, 18)], ()),  # the frame of (5, 6), (15, 8), (13, 18), (3, 16)
        ("B0049_0001", "B0049", [], ("Gun",)),
        ("B0050_0001", "B0050", [("Shuriken", 1, 2, 9, 10)], ()),
    ]
    assert not any(entry.is_benign for entry in dataset.entries)


def test_gdxray_says_what_it_leaves_out(build: Callable[[str], Path], read: Callable[..., Dataset]) -> None:
    dataset = read("gdxray", build("gdxray"))
    assert [(one.item, one.reason) for one in dataset.set_aside] == [
        ("B0046/ground_truth.txt, line 7", "expected an image's number and x0 x1 y0 y1 or four corners, got 'what is this'"),
        ("B0046/ground_truth.txt, line 4", "box [40, 1, 50, 9] (x0, y0, x1, y1) lies outside the 31x37 image"),
        ("B0046/B0046_0003.png", "every box of it is broken; without them it would pass for benign"),
        ("B0046/ground_truth.txt, line 6", "its image B0046_0009.png is missing"),
    ]
    assert dataset.notes == (
        "GDXray+ names no classes: 3 box(es) are called 'object'.",
        "2 image(s) that no ground_truth.txt mentions were not read: the dataset does not say what is in them.",
        "1 turned box(es) were read as their upright frame.",
        "1 point(s) were left out: they bound nothing.",
        "Castings: not baggage, not read.",
    )


@pytest.mark.parametrize("where", ["Baggages", "Baggages/B0046"])
def test_gdxray_may_be_given_deeper(where: str, build: Callable[[str], Path], read: Callable[..., Dataset]) -> None:
    entries = read("gdxray", build("gdxray") / where).entries
    assert [entry.id for entry in entries][:2] == ["B0046_0001", "B0046_0002"]


@pytest.mark.parametrize("row", ["nan 1 2 3 4", "1 1 2 3", "-1 1 2 3 4", "1e9 1 2 3 4", "1 1 2 3 4 5"])
def test_a_row_that_is_no_box_is_set_aside(row: str, tmp_path: Path, read: Callable[..., Dataset]) -> None:
    for number in (1, 2):
        counts(tmp_path / f"B0046/B0046_{number:04d}.png", number, dtype=np.uint8)
    text(tmp_path / "B0046/ground_truth.txt", f"{row}\n2 1 9 2 10\n")
    dataset = read("gdxray", tmp_path)
    assert [entry.id for entry in dataset.entries] == ["B0046_0002"]
    assert dataset.set_aside[0].item == "B0046/ground_truth.txt, line 1"


def test_stcray_reads_class_folders_and_takes_only_the_harmless_one_for_benign(
    build: Callable[[str], Path], read: Callable[..., Dataset], shown: Shown
) -> None:
    dataset = read("stcray", build("stcray"))
    assert [(entry.id, entry.part, shown(entry), entry.is_benign) for entry in dataset.entries] == [
        ("test__Class 2_Gun__a", "test", [("3D printed gun", 1, 2, 3, 4)], False),
        ("train__Class 22_Non Threat__a", "train", [], True),
        ("train__Class 2_Gun__a", "train", [("Gun", 2.5, 3, 12, 20)], False),
    ]
    assert [(one.item, one.reason) for one in dataset.set_aside] == [
        ("STCray_TrainSet/Json_BB/Class 2_Gun/b.json, shape 1", "expected a rectangle, got 'polygon'"),
        ("STCray_TrainSet/Json_BB/Class 2_Gun/b.json", "every box of it is broken; without them it would pass for benign"),
        ("STCray_TrainSet/Json_BB/Class 2_Gun/c.json", "annotates a picture of 99x37 pixels, but its image has 31x37"),
        ("STCray_TrainSet/Json_BB/Class 2_Gun/z.json", "its image z.jpg (or another type) is missing (looked in Class 2_Gun/)"),
    ]
    assert dataset.notes[-1] == "1 image(s) in STCray_TrainSet/Images/Class 2_Gun/ have no JSON and were not read."


@pytest.mark.parametrize("shapes", [[], None, 7, [7], [{"label": "Gun", "points": [[1, 2]]}], [{"label": "", "points": [[1, 2], [3, 4]]}]])
def test_an_stcray_annotation_that_boxes_nothing_is_set_aside(
    shapes: object, build: Callable[[str], Path], read: Callable[..., Dataset]
) -> None:
    root = build("stcray")
    text(root / "STCray_TestSet/Json_BB/Class 2_Gun/a.json", json.dumps({"shapes": shapes}))
    assert [entry.id for entry in read("stcray", root).entries] == ["train__Class 22_Non Threat__a", "train__Class 2_Gun__a"]


def test_compass_xp_pairs_its_energies_and_groups_by_object(build: Callable[[str], Path], read: Callable[..., Dataset]) -> None:
    dataset = read("compass_xp", build("compass_xp"), white_level=60000)
    assert [(entry.id, entry.group, entry.image_labels, entry.has_dual_energy, entry.white_level) for entry in dataset.entries] == [
        ("0001", "carving_knife/3", ("carving_knife",), True, 60000),
        ("0002", "carving_knife/3", ("carving_knife",), True, 255),  # eight bits say their white themselves
        ("0004", "pistol/1", ("pistol",), False, 60000),
        ("3", "teddy/1", ("teddy",), False, 60000),
    ]
    first = dataset.entries[0]
    assert [f"{path.parent.name}/{path.name}" for path in first.paths] == ["Colour/0001.png", "Low/0001.png", "High/0001.png"]
    assert [f"{path.parent.name}/{path.name}" for path in dataset.entries[2].paths] == ["Grey/0004.png"]
    reading = dataset.read_dual_energy(dataset.entries[1])
    assert reading.image.values.shape == (2, 37, 31) and reading.over_white == 0


def test_compass_xp_sets_its_faults_aside_by_name(build: Callable[[str], Path], read: Callable[..., Dataset]) -> None:
    dataset = read("compass_xp", build("compass_xp"))
    assert [(one.item, one.reason) for one in dataset.set_aside] == [
        ("meta.txt, line 6", "its Low and High files differ in size; cut the padding off so that both energies show the same view"),
        ("meta.txt, line 7", "file name '../0001' leads out of the dataset with '..'"),
        ("meta.txt, line 8", "another image is called '0001' already"),
        ("meta.txt, line 9", "its image 0006.png is missing (looked in Colour/, Grey/, Low/ and High/)"),
    ]
    assert dataset.notes[1:] == (
        "COMPASS-XP calls 3 of these images dangerous and 1 harmless; both carry their class as a label, and the taxonomy decides which"
        " is a threat.",
        "1 image(s) have Low and High files in colour, which are no counts; their colour image alone is read.",
        "1 image(s) lack one of Low and High; only their colour image is read.",
        "Photo/ holds the camera photo of each object under the same name; give it as photos.",
    )


def test_a_colour_image_of_another_size_is_left_out(tmp_path: Path, read: Callable[..., Dataset]) -> None:
    text(tmp_path / "meta.txt", "basename\tclass\tinstance\n0001\tpistol\t1\n")
    picture(tmp_path / "Colour/0001.png", 1, 40, 50)
    for energy in ("Low", "High"):
        counts(tmp_path / energy / "0001.png", 1)
    dataset = read("compass_xp", tmp_path)
    (entry,) = dataset.entries
    assert (entry.image_path, entry.width, entry.height, entry.has_dual_energy) == (None, 31, 37, True)
    assert "1 image(s) have Low and High files of another size than the colour image, which was left out." in dataset.notes


def test_a_table_without_its_columns_is_refused(tmp_path: Path, read: Callable[..., Dataset]) -> None:
    text(tmp_path / "meta.txt", "basename,class,instance\n")
    with pytest.raises(DataError, match=r"meta\.txt, line 1: expected tab-separated columns basename, class, instance, found no basename"):
        read("compass_xp", tmp_path)
