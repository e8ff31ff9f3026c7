from __future__ import annotations

from pathlib import Path

import hostile_miniatures as mini
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core import Annotations
from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.formats.format import ReadOptions
from threatray.datasets.formats.yolo import FORMAT, OBB, SEGMENTS, read_yolo
from threatray.datasets.formats.yolo_labels import box_line, parse_line
from threatray.datasets.formats.yolo_layout import parse_yaml
from threatray.errors import DataError


def read(root: Path, *, strict: bool = False) -> Dataset:
    return read_yolo(root, ReadOptions(strict=strict)).collect()


def reasons(dataset: Dataset) -> dict[str, str]:
    return {one.item: one.reason for one in dataset.set_aside}


def test_ultralytics_folders_are_read_in_pixels(tmp_path: Path) -> None:
    mini.yolo_ultralytics(tmp_path)
    dataset = read(tmp_path)
    a, b, c = dataset.entries
    # 31 wide, 37 high: centre (15.5, 18.5), size (7.75, 18.5); and centre (7.75, 9.25), size (3.875, 4.625)
    np.testing.assert_array_equal(a.boxes, np.array([[11.625, 9.25, 19.375, 27.75], [5.8125, 6.9375, 9.6875, 11.5625]], np.float32))
    np.testing.assert_array_equal(c.boxes, np.array([[0, 0, 31, 37]], np.float32))
    assert (a.labels, b.labels, b.is_benign, c.labels) == (("gun", "knife"), (), True, ("knife",))
    assert [one.part for one in dataset.entries] == ["train", "train", "val"]
    assert dataset.classes == ("gun", "knife")
    assert dataset.notes == (
        "data.yaml points to '../datasets/bags/images/train'; read 'images/train' of this folder.",
        "data.yaml points to '../datasets/bags/images/val'; read 'images/val' of this folder.",
        "Its labels hold 3 box(es).",
    )


def test_a_data_yaml_is_read_by_its_name_and_has_to_be_where_there_are_two(tmp_path: Path) -> None:
    mini.yolo_ultralytics(tmp_path)
    (tmp_path / "data.yaml").rename(tmp_path / "bags.yaml")
    mini.text(tmp_path / "more.yaml", "train: images/val\nval: images/val\nnames: [x, y]\n")
    with pytest.raises(DataError, match=r"holds 2 YOLO data files \(bags.yaml, more.yaml\). Give the one to read"):
        read(tmp_path)
    assert FORMAT.detect(tmp_path / "more.yaml")
    (entry,) = read(tmp_path / "more.yaml").entries
    assert (entry.id, entry.labels) == ("c", ("y",))


def test_roboflow_paths_that_climb_are_read_inside_the_folder(tmp_path: Path) -> None:
    mini.yolo_roboflow(tmp_path)
    dataset = read(tmp_path)
    assert [(entry.id, entry.part, entry.labels) for entry in dataset.entries] == [
        ("a_jpg.rf.0a1b", "train", ("no",)),  # YAML 1.1 would make it False
        ("b", "val", ("no",)),
        ("c", "test", ("no",)),
    ]


def test_darknet_lists_and_names_are_read(tmp_path: Path) -> None:
    mini.yolo_darknet(tmp_path)
    dataset = read(tmp_path)
    assert [(entry.id, entry.part, entry.labels, entry.is_benign) for entry in dataset.entries] == [
        ("a", "train", ("칼",), False),
        ("b", "train", (), True),
    ]


def test_outlines_and_rotated_boxes_keep_their_corners_and_get_their_extent_as_box(tmp_path: Path) -> None:
    mini.yolo_segments(tmp_path / "s")
    mini.yolo_obb(tmp_path / "o")
    (outline,), (rotated,) = read(tmp_path / "s").entries, read(tmp_path / "o").entries
    assert outline.segmentations[0] == [[3.1, 3.7, 27.9, 3.7, 15.5, 33.3]]
    np.testing.assert_array_equal(outline.boxes[0], np.array([3.1, 3.7, 27.9, 33.3], np.float32))
    assert rotated.segmentations == ([[15.5, 9.25, 23.25, 18.5, 15.5, 27.75, 7.75, 18.5]],)
    np.testing.assert_array_equal(rotated.boxes, np.array([[7.75, 9.25, 23.25, 27.75]], np.float32))
    assert read(tmp_path / "o").notes[-1].startswith("Its labels hold 1 outline(s) of four corners")
    assert [form.detect(tmp_path / "s") for form in (FORMAT, SEGMENTS, OBB)] == [False, True, False]
    assert [form.detect(tmp_path / "o") for form in (FORMAT, SEGMENTS, OBB)] == [False, False, True]


def test_boxes_and_outlines_may_be_mixed(tmp_path: Path) -> None:
    mini.yolo_ultralytics(tmp_path)
    (tmp_path / "labels/train/a.txt").write_text("0 0.5 0.5 0.25 0.5\n1 0.5 0.5 0.9 0.5 0.9 0.9 0.7 1.0 0.5 0.9\n")
    entry = read(tmp_path).entries[0]
    assert entry.segmentations == (None, [[15.5, 18.5, 27.9, 18.5, 27.9, 33.3, 21.7, 37.0, 15.5, 33.3]])


def test_a_closed_upright_ring_among_outlines_is_a_plain_box(tmp_path: Path) -> None:
    mini.yolo_segments(tmp_path)
    ring, tilted = "0.25 0.25 0.75 0.25 0.75 0.5 0.25 0.5 0.25 0.25", "0.25 0.25 0.75 0.3 0.75 0.5 0.25 0.5 0.25 0.25"
    (tmp_path / "labels/train/a.txt").write_text(f"0 {ring}\n0 {tilted}\n0 0.25 0.25 0.75 0.25 0.75 0.5 0.25 0.5\n")
    (entry,) = read(tmp_path).entries
    assert entry.boxes[0].tolist() == [7.75, 9.25, 23.25, 18.5]
    assert [one is None for one in entry.segmentations] == [True, False, False]


@pytest.mark.parametrize(("task", "name"), [("detect", "yolo"), ("segment", "yolo_segments"), ("obb", "yolo_obb")])
def test_the_stated_task_decides_where_no_label_says_anything(tmp_path: Path, task: str, name: str) -> None:
    mini.yolo_ultralytics(tmp_path)
    for label in (tmp_path / "labels").rglob("*.txt"):
        label.write_text("")
    mini.text(tmp_path / "data.yaml", f"train: images\ntask: {task}\nnames: [gun]\n")
    assert [form.name for form in (FORMAT, SEGMENTS, OBB) if form.detect(tmp_path)] == [name]


def test_an_empty_label_file_is_benign_and_a_missing_one_is_not(tmp_path: Path) -> None:
    mini.yolo_ultralytics(tmp_path)
    (tmp_path / "labels/train/a.txt").unlink()
    dataset = read(tmp_path)
    assert [entry.id for entry in dataset.entries] == ["b", "c"]
    assert "has no label file. An empty one would say that it is benign" in reasons(dataset)["images/train/a.jpg"]
    with pytest.raises(DataError, match="has no label file"):
        read(tmp_path, strict=True)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2 0.41 0.6 0.2", "expected a class and 4 numbers .* got 4 in all .*Re-export the labels"),
        ("2 0.5 0.5 0.2 0.2 0.9", "got 6 in all"),
        ("2 0.5 0.5 0.2 0.2", r"class 2 is not among the 2 classes \(gun, knife\)"),
        ("-1 0.5 0.5 0.2 0.2", "its class must be a whole number from 0"),
        ("gun 0.5 0.5 0.2 0.2", "something that is no number"),
        ("0.5 0.5 0.5 0.2 0.2", "its class must be a whole number from 0"),
        ("1e400 0.5 0.5 0.2 0.2", "its class must be a whole number from 0"),
        ("0 320 240 50 60", "fractions of the image from 0 to 1, got 320. Are these pixels"),
        ("0 nan 0.5 0.2 0.2", "not finite"),
        ("0 0.5 0.5 inf 0.2", "not finite"),
        ("0 0.5 0.5 0 0.2", "has no area"),
        ("0 0.5 0.5 -0.2 0.2", "has no area"),
        ("0 1.5 0.5 0.2 0.2", "lies outside the 31x37 image"),
        ("0 0.1 0.1 0.2 0.2 0.3 0.3 0.4", "got 8 in all"),
        ("0 0.1 0.1 0.1 0.2 0.1 0.3", "has no area"),
    ],
)
def test_a_broken_line_is_said_with_its_place_and_a_lone_one_takes_its_image_along(tmp_path: Path, line: str, reason: str) -> None:
    mini.yolo_ultralytics(tmp_path)
    (tmp_path / "labels/train/a.txt").write_text(line)
    dataset = read(tmp_path)
    assert [entry.id for entry in dataset.entries] == ["b", "c"]
    assert [one.item for one in dataset.set_aside] == ["labels/train/a.txt, line 1", "images/train/a.jpg"]
    with pytest.raises(DataError, match=reason):
        read(tmp_path, strict=True)


def test_a_box_that_leaves_the_image_is_clipped_and_said_so(tmp_path: Path) -> None:
    mini.yolo_ultralytics(tmp_path)
    (tmp_path / "labels/train/a.txt").write_text("0 0.9 0.5 0.4 0.5\n")  # reaches to 1.1 x 31 = 34.1
    dataset = read(tmp_path)
    np.testing.assert_array_equal(dataset.entries[0].boxes, np.array([[0.7 * 31, 9.25, 31, 27.75]], np.float32))
    assert reasons(dataset) == {"labels/train/a.txt, line 1": "box reached 3.1 pixels outside the image and was clipped to it"}


def test_a_label_without_its_image_is_said(tmp_path: Path) -> None:
    mini.yolo_ultralytics(tmp_path)
    mini.text(tmp_path / "labels/val/gone.txt", "")
    assert reasons(read(tmp_path)) == {"labels/val/gone.txt": "labels an image that is missing"}


def test_a_listed_image_that_is_missing_is_said(tmp_path: Path) -> None:
    mini.yolo_darknet(tmp_path)
    mini.text(tmp_path / "train.txt", "data/obj_train_data/a.png\ndata/obj_train_data/c.png\n../../etc/passwd\n")
    found = reasons(read(tmp_path))
    assert found["train.txt, line 2"] == "its image data/obj_train_data/c.png is missing"
    assert "leads out of the dataset with '..'" in found["train.txt, line 3"]


@pytest.mark.parametrize("name", ["labels/train/a.txt", "data.yaml", "images/train/a.jpg"])
def test_nothing_is_read_through_a_link_out_of_the_dataset(tmp_path: Path, name: str) -> None:
    for folder in ("data", "outside"):
        mini.yolo_ultralytics(tmp_path / folder)
    (tmp_path / "data" / name).unlink()
    (tmp_path / "data" / name).symlink_to(tmp_path / "outside" / name)
    with pytest.raises(DataError, match="is a link that leads out of the dataset"):
        read(tmp_path / "data", strict=True)


def test_an_image_in_two_parts_is_read_once_and_called_a_leak(tmp_path: Path) -> None:
    mini.yolo_ultralytics(tmp_path)
    mini.text(tmp_path / "data.yaml", "train: images\nval: images/val\nnames: [gun, knife]\n")
    dataset = read(tmp_path)
    assert len(dataset.entries) == 3
    assert any("1 image(s) are listed in two parts" in note for note in dataset.notes)


def test_one_stem_in_two_parts_gives_two_ids(tmp_path: Path) -> None:
    mini.yolo_ultralytics(tmp_path)
    mini.picture(tmp_path / "images/val/a.jpg", 5)
    mini.text(tmp_path / "labels/val/a.txt", "")
    assert [entry.id for entry in read(tmp_path).entries] == ["a", "b", "c", "val__a"]


def test_parts_are_found_without_a_yaml_and_classes_are_numbers_then(tmp_path: Path) -> None:
    mini.yolo_ultralytics(tmp_path)
    (tmp_path / "data.yaml").unlink()
    dataset = read(tmp_path)
    assert [(entry.id, entry.part, entry.labels) for entry in dataset.entries] == [
        ("a", "train", ("0", "1")),
        ("b", "train", ()),
        ("c", "val", ("1",)),
    ]
    assert "Nothing names the classes" in dataset.notes[0]
    mini.text(tmp_path / "labels/classes.txt", "gun\nknife\n")
    assert read(tmp_path).entries[0].labels == ("gun", "knife")


def test_poses_are_read_as_their_boxes(tmp_path: Path) -> None:
    mini.yolo_ultralytics(tmp_path)
    mini.text(tmp_path / "data.yaml", "train: images/train\nval: images/val\nkpt_shape: [2, 3]\nnames: [gun, knife]\n")
    (tmp_path / "labels/train/a.txt").write_text("0 0.5 0.5 0.25 0.5 0.4 0.4 2 0.6 0.6 1\n")
    entry = read(tmp_path).entries[0]
    assert (entry.boxes.tolist(), entry.segmentations) == ([[11.625, 9.25, 19.375, 27.75]], ())


LAUGHS = "a: &a [x, x]\nb: &b [*a, *a]\nnames: [*b, *b]\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (LAUGHS, "uses YAML aliases"),
        ("names: &x\n  <<: *x\n", "uses YAML aliases"),
        ("names: [a\n", r"data.yaml, line \d: not valid YAML"),
        ("names: 5\n", "expected 'names' as a list or numbered, got str"),
        ("names: {gun: 0}\n", "expected 'names' numbered 0, 1"),
        ("names: []\n", "must name at least one class"),
        ("names: [[gun]]\n", "class name must be a text"),
        ("names: ['" + "x" * 300 + "']\n", "longer than 200 characters"),
        ("names:\n- " + "[" * 3000 + "\n", "nested too deeply|not valid YAML"),
        ("names: [gun]\nkpt_shape: [9]\n", "kpt_shape must be"),
        ("names: [gun]\n{}: x\n", "not valid YAML"),
        ("names: [gun]\x07\n", "not valid YAML"),
    ],
)
def test_a_broken_yaml_is_an_error_that_names_it(tmp_path: Path, content: str, reason: str) -> None:
    mini.yolo_ultralytics(tmp_path)
    (tmp_path / "data.yaml").write_text(content)
    with pytest.raises(DataError, match=reason):
        read(tmp_path)


def test_yaml_builds_texts_only() -> None:
    assert parse_yaml("!!python/object/apply:os.system ['true']", "f") == ["true"]
    assert parse_yaml("a: [no, 1e3, 2020-01-01, ~, !!python/name:os.system x]", "f") == {"a": ["no", "1e3", "2020-01-01", "~", "x"]}


@settings(deadline=None, max_examples=300)
@given(st.integers(1, 65_000), st.data())
def test_a_box_comes_back_bit_for_bit_unless_it_hugs_the_border(side: int, data: st.DataObject) -> None:
    """The stated limit: corners of 0 or from 2^-26 of the side on are exact, smaller ones within 2^-52 of the side."""
    corner = st.floats(0, side, width=32)
    x0, x1 = sorted((data.draw(corner), data.draw(corner)))
    if not np.float32(x1) > np.float32(x0):
        return
    try:
        thing = parse_line(box_line(3, (x0, 0.0, x1, 1.0), side, 2), side, 2)
    except DataError:  # its width vanishes beside its place
        assert x1 < side * 2.0**-26
        return
    for given_corner, read_corner in zip((x0, x1), thing.box.box[::2], strict=True):
        if given_corner == 0 or given_corner >= side * 2.0**-26:
            assert read_corner == given_corner
        else:
            assert abs(read_corner - given_corner) <= side * 2.0**-52


def test_an_image_that_holds_something_unboxed_is_not_written_as_benign(tmp_path: Path) -> None:
    mini.picture(tmp_path / "a.png")
    entry = Entry(id="a", image_path=tmp_path / "a.png", width=31, height=37, things=Annotations.none(), group="a", image_labels=("gun",))
    assert FORMAT.write is not None
    (refused,) = FORMAT.write(tmp_path / "out", ("gun",), [entry])
    assert refused.reason == "is known to hold gun without a box; an empty label file would call it benign"


def test_rotated_boxes_are_the_smallest_rectangle_round_an_outline(tmp_path: Path) -> None:
    mini.picture(tmp_path / "a.png")
    diamond = [[15.0, 5.0, 20.0, 10.0, 15.0, 15.0, 12.5, 12.5, 10.0, 10.0]]  # a square on its corner, with a point on an edge
    things = Annotations(np.array([[10, 5, 20, 15]], np.float32), ("gun",))
    entry = Entry(id="a", image_path=tmp_path / "a.png", width=31, height=37, things=things, segmentations=(diamond,), group="a")
    assert OBB.write is not None
    OBB.write(tmp_path / "out", ("gun",), [entry])
    (read_back,) = OBB.read(tmp_path / "out", ReadOptions()).entries
    corners = np.array(read_back.segmentations[0], np.float64).reshape(4, 2)
    assert sorted(np.round(corners, 3).tolist()) == [[10, 10], [15, 5], [15, 15], [20, 10]]
