from __future__ import annotations

from pathlib import Path

import numpy as np

from threatray.core.files import read_json, write_json
from threatray.core.image_file import read_pixels
from threatray.report.composites import build_composites, composite_of
from threatray.report.folder import RunFolder


def test_boxes_are_shares_of_the_picture(run_folder: Path) -> None:
    found = build_composites(RunFolder(run_folder))
    assert found is not None
    box = found.shown[0].boxes[0]
    assert (box.class_name, round(box.left, 6), round(box.top, 6), round(box.width, 6), round(box.height, 6)) == (
        "gun",
        round(100 / 7, 6),
        10.0,
        round(200 / 7, 6),
        20.0,
    )


def test_every_class_is_among_the_composites_shown(run_folder: Path) -> None:
    found = build_composites(RunFolder(run_folder))
    assert found is not None
    assert {box.class_name for one in found.shown for box in one.boxes} == {"gun", "knife", "wrench"}
    assert found.lead == "6 benign bags now hold 6 synthetic threats; 1 placement was refused."


def test_finds_the_composite_that_holds_a_signature_and_draws_its_box_around_it(run_folder: Path) -> None:
    shown = composite_of(RunFolder(run_folder), "knife_001")
    bag = read_pixels(run_folder / "compose" / "images" / "composite_0003.png")
    assert shown is not None
    changed = np.argwhere((shown != bag).any(axis=2))
    assert changed.min(axis=0).tolist() == [12 - 3, 24 - 3]
    assert (shown[14:34, 26:70] == bag[14:34, 26:70]).all()
    assert composite_of(RunFolder(run_folder), "gun_002") is None


def test_a_composite_whose_picture_is_gone_is_left_out(own_run: Path) -> None:
    coco = read_json(own_run / "compose" / "annotations.json")
    coco["images"][0]["file_name"] = "../../../elsewhere.png"
    write_json(own_run / "compose" / "annotations.json", coco)
    found = build_composites(RunFolder(own_run))
    assert found is not None
    assert len(found.shown) == 5


def test_refusals_are_counted_by_their_kind(run_folder: Path) -> None:
    found = build_composites(RunFolder(run_folder))
    assert found is not None
    assert [[cell.text for cell in row] for row in found.refused.rows] == [["larger than the bag", "1"]]
