from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core import COLOUR, DUAL_ENERGY, GREY, Annotations, Provenance, Quantity, Sample, XrayImage
from threatray.core.image_file import write_png
from threatray.datasets.formats import read_dataset
from threatray.datasets.formats.coco import ImageFiles, ImageRecord, image_record, write_annotations, write_images
from threatray.errors import DataError

HEIGHT, WIDTH = 37, 31


def sample(seed: int, name: str = "bag-1", *, masks: bool = True, channels: tuple[str, ...] = COLOUR) -> Sample:
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 256, (len(channels), HEIGHT, WIDTH)).astype(np.float32) / np.float32(255)
    corners = np.sort(rng.uniform(0, 1, (2, 2, 2)), axis=1) * [WIDTH - 1, HEIGHT - 1] + [[[0, 0]], [[0.25, 0.5]]]
    boxes = corners.reshape(2, 4).astype(np.float32)
    boxes[:, 2:] += 1e-2
    shapes = rng.random((2, HEIGHT, WIDTH)) < 0.4
    things = Annotations(np.minimum(boxes, np.float32([WIDTH, HEIGHT] * 2)), ("gun", "knife"), shapes if masks else None)
    return Sample(name, XrayImage(levels, Quantity.PSEUDO_COLOUR, channels), things, "case 3", Provenance("me", "CC0"))


def pair(seed: int) -> XrayImage:
    counts = np.random.default_rng(seed).integers(1, 65536, (2, HEIGHT, WIDTH))
    return XrayImage((counts / 65535).astype(np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([COLOUR, GREY]))
def test_reading_gives_back_what_was_written(tmp_path_factory: pytest.TempPathFactory, seed: int, masks: bool, channels: Any) -> None:
    folder = tmp_path_factory.mktemp("coco")
    given_sample, given_pair = sample(seed, masks=masks, channels=channels), pair(seed)
    files = write_images(folder, given_sample.id, given_sample.image, given_pair)
    write_annotations(folder, ("gun", "knife", "wrench"), [image_record(given_sample, files)])
    dataset = read_dataset(folder)
    assert (dataset.classes, dataset.set_aside, dataset.has_dual_energy) == (("gun", "knife", "wrench"), (), True)
    read = dataset.load_colour(dataset.entries[0])
    assert (read.id, read.group, read.provenance) == ("bag-1", "case 3", Provenance("me", "CC0"))
    np.testing.assert_array_equal(read.image.values, given_sample.image.values)
    assert read.image.channels == channels
    np.testing.assert_array_equal(read.annotations.boxes, given_sample.annotations.boxes)
    assert read.annotations.labels == ("gun", "knife")
    if masks:
        np.testing.assert_array_equal(read.annotations.masks, given_sample.annotations.masks)
    else:
        assert read.annotations.masks is None
    np.testing.assert_array_equal(dataset.load_dual_energy(dataset.entries[0]).image.values, given_pair.values)


def test_the_order_of_records_does_not_change_the_bytes(tmp_path: Path) -> None:
    records = [image_record(sample(number, f"b{number}"), ImageFiles(f"b{number}.png")) for number in range(4)]
    write_annotations(tmp_path / "a", ("gun", "knife"), records)
    write_annotations(tmp_path / "b", ("gun", "knife"), records[::-1])
    assert (tmp_path / "a/annotations.json").read_bytes() == (tmp_path / "b/annotations.json").read_bytes()


def test_records_are_plain_json(tmp_path: Path) -> None:
    record = image_record(sample(1), ImageFiles("bag-1.png"))
    again: ImageRecord = json.loads(json.dumps(record))
    assert again == record


def test_dual_energy_without_colour_is_read_as_such(tmp_path: Path) -> None:
    files = write_images(tmp_path, "bag", None, pair(1))
    bare = Sample("bag", pair(1), Annotations.none(), "bag")
    write_annotations(tmp_path, ("gun",), [image_record(bare, files)])
    (entry,) = read_dataset(tmp_path).entries
    assert (entry.id, entry.image_path) == ("bag", None)


def test_jpeg_is_written_when_asked(tmp_path: Path) -> None:
    assert write_images(tmp_path, "bag", sample(1).image, None, jpeg_quality=90) == ImageFiles("bag.jpg")
    assert (tmp_path / "images/bag.jpg").read_bytes().startswith(b"\xff\xd8")


@pytest.mark.parametrize("name", ["", "a/b", "../a", ".hidden", "a\nb", "x" * 201, "a\\b"])
def test_an_id_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="cannot be a file name"):
        write_images(tmp_path, name, sample(1).image, None)
    assert not list(tmp_path.iterdir())


def test_writer_refuses_what_would_be_ambiguous(tmp_path: Path) -> None:
    record = image_record(sample(1), ImageFiles("a.png"))
    with pytest.raises(DataError, match="two images have the id 'bag-1'"):
        write_annotations(tmp_path, ("gun", "knife"), [record, record])
    with pytest.raises(DataError, match=r"'a_low' and 'a' would share the file 'a_low.png'"):
        other: ImageRecord = {**record, "id": "a_low", "colour": "a_low.png"}
        paired: ImageRecord = {**record, "id": "a", "low_energy": "a_low.png", "high_energy": "a_high.png"}
        write_annotations(tmp_path, ("gun", "knife"), [paired, other])
    with pytest.raises(DataError, match="'knife' is not among the classes"):
        write_annotations(tmp_path, ("gun",), [record])
    with pytest.raises(DataError, match="named twice"):
        write_annotations(tmp_path, ("gun", "gun"), [])
    with pytest.raises(DataError, match="expected a transmission with 2 channels, got pseudo_colour with 3"):
        write_images(tmp_path, "a", None, sample(1).image)


def test_standard_coco_is_read_in_pixels(coco: Callable[..., Path]) -> None:
    dataset = read_dataset(coco())
    assert [entry.id for entry in dataset.entries] == ["bag1", "bag2"]
    first = dataset.entries[0]
    np.testing.assert_array_equal(first.boxes, np.array([[2, 3, 12.5, 23], [1, 1, 6, 6]], np.float32))
    assert first.labels == ("gun", "knife")
    assert (first.width, first.height, first.group) == (31, 37, "bag1")


@pytest.mark.parametrize("place", ["annotations/instances_train.json", "instances_val.json", "images/_annotations.coco.json"])
def test_the_json_is_found_where_users_put_it(coco: Callable[..., Path], place: str) -> None:
    root = coco()
    (root / place).parent.mkdir(exist_ok=True)
    (root / "annotations.json").rename(root / place)
    assert len(read_dataset(root).entries) == 2
    assert len(read_dataset(root / place).entries) == 2


IMAGES = [{"id": 1, "file_name": "bag1.png", "width": 31, "height": 37}, {"id": 2, "file_name": "bag2.png", "width": 31, "height": 37}]


@pytest.mark.parametrize(
    ("image", "reason"),
    [
        ({"id": 9, "file_name": "gone.png"}, r"gone.png is missing \(looked in images/"),
        ({"id": 9, "file_name": "../../etc/passwd"}, r"leads out of the dataset with '\.\.'"),
        ({"id": 9, "file_name": "/etc/passwd"}, "is absolute"),
        ({"id": 9, "file_name": "C:\\x.png"}, "is absolute"),
        ({"id": 9, "file_name": ""}, "names no image file"),
        ({"id": 9, "file_name": "link.png"}, "a link that leads out of the dataset"),
        ({"id": 9, "file_name": "text.png"}, "cannot be opened"),
        ({"id": 9, "file_name": "cut.png"}, "is broken or cut off"),
        ({"id": 9, "file_name": "bag1.png", "width": 37, "height": 31}, "annotated as 37x31 pixels, but its file has 31x37"),
        ({"id": 9, "file_name": "bag1.png"}, "is called 'bag1' already"),
        ({"id": 1, "file_name": "bag2.png"}, "used more than once"),
        ({"id": 9, "file_name": "other.png", "low_file_name": "bag1.png"}, "one energy only"),
        ({"id": 9, "file_name": "other.png", "white_level": 0}, "white_level must be a positive whole number"),
        ({"file_name": "bag1.png"}, "is no COCO image"),
        ("bag1.png", "is no COCO image"),
    ],
)
def test_a_broken_image_is_set_aside_with_its_reason(coco: Callable[..., Path], image: object, reason: str) -> None:
    root = coco(images=[*IMAGES, image])
    outside = root.parent / "outside.png"
    write_png(outside, np.zeros((HEIGHT, WIDTH), np.uint8))
    write_png(root / "images/other.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    (root / "images/link.png").symlink_to(outside)
    (root / "images/text.png").write_text("no picture")
    whole = (root / "images/bag1.png").read_bytes()
    (root / "images/cut.png").write_bytes(whole[: len(whole) // 2])
    dataset = read_dataset(root)
    assert "bag2" in {entry.id for entry in dataset.entries} or "more than once" in reason
    assert any(re.search(reason, one.reason) for one in dataset.set_aside), dataset.set_aside
    with pytest.raises(DataError, match=reason):
        read_dataset(root, strict=True)


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ([5, 5, 0, 4], "has no area"),
        ([5, 5, -3, 4], "has no area"),
        ([40, 5, 3, 4], "lies outside the 31x37 image"),
        ([float("nan"), 5, 3, 4], "not four finite numbers"),
        ([1, 5, float("inf"), 4], "not four finite numbers"),
        (["1", 5, 3, 4], "not four finite numbers"),
        ([True, 5, 3, 4], "not four finite numbers"),
        ([10**400, 5, 3, 4], "not four finite numbers"),
        ([1.1e308, 5, 3, 4], "has no area"),
        ([1e300, 5, 1e301, 4], "lies outside the 31x37 image"),
        ([5, 5, 1e-12, 4], "has no area"),
        ([1, 2, 3], "bbox must be"),
        (None, "bbox must be"),
    ],
)
def test_an_image_that_lost_its_only_box_does_not_pass_for_benign(coco: Callable[..., Path], box: object, reason: str) -> None:
    root = coco(annotations=[{"id": 1, "image_id": 1, "category_id": 7, "bbox": box}])
    dataset = read_dataset(root)
    assert [entry.id for entry in dataset.entries] == ["bag2"]
    assert reason in dataset.set_aside[0].reason
    assert "would pass for benign" in dataset.set_aside[1].reason


def test_an_image_keeps_its_sound_boxes(coco: Callable[..., Path]) -> None:
    bad = {"id": 2, "image_id": 1, "category_id": 3, "bbox": [5, 5, 0, 4]}
    dataset = read_dataset(coco(annotations=[{"id": 1, "image_id": 1, "category_id": 7, "bbox": [1, 2, 3, 4]}, bad]))
    assert dataset.entries[0].labels == ("gun",)
    assert [one.item for one in dataset.set_aside] == ["annotation 2"]


def test_a_box_partly_outside_is_clipped_and_said_so(coco: Callable[..., Path]) -> None:
    dataset = read_dataset(coco(annotations=[{"id": 1, "image_id": 1, "category_id": 7, "bbox": [-4, 3, 10, 50]}]))
    np.testing.assert_array_equal(dataset.entries[0].boxes, np.array([[0, 3, 6, 37]], np.float32))
    assert dataset.set_aside[0].reason == "box reached 16 pixels outside the image and was clipped to it"


def test_a_pixel_outside_is_only_a_note(coco: Callable[..., Path]) -> None:
    root = coco(annotations=[{"id": 1, "image_id": 1, "category_id": 7, "bbox": [20.5, 3, 11, 5]}])
    dataset = read_dataset(root, strict=True)
    assert dataset.set_aside == ()
    assert dataset.notes == ("1 box(es) reached up to one pixel outside their image and were clipped.",)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"category_id": 99}, "category '99' is not among"),
        ({"image_id": 99}, "belongs to image '99', which the file does not list"),
        ({"image_id": None}, "belongs to image 'None'"),
        ({"id": 2}, "used before"),
        ({"segmentation": {"size": [37, 31], "counts": "1000"}}, "the box is kept, the mask is not"),
    ],
)
def test_a_broken_annotation_is_set_aside(coco: Callable[..., Path], change: dict[str, object], reason: str) -> None:
    sound = {"id": 2, "image_id": 1, "category_id": 7, "bbox": [1, 2, 3, 4]}
    dataset = read_dataset(coco(annotations=[sound, {**sound, "id": 5, **change}]))
    assert any(reason in one.reason for one in dataset.set_aside), dataset.set_aside


def test_crowds_are_left_out_and_noted(coco: Callable[..., Path]) -> None:
    sound = {"id": 1, "image_id": 1, "category_id": 7, "bbox": [1, 2, 3, 4]}
    dataset = read_dataset(coco(annotations=[sound, {**sound, "id": 2, "iscrowd": 1}]))
    assert len(dataset.entries[0].labels) == 1
    assert "1 crowd annotation(s)" in dataset.notes[0]


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"images": []}, "holds no usable image"),
        ({"images": None}, "'images' holds nothing"),
        ({"annotations": {}}, "'annotations' holds dict"),
        ({"categories": [{"id": "7", "name": "gun"}]}, "categories with a whole 'id'"),
        ({"categories": [{"id": 7, "name": "gun"}, {"id": 7, "name": "knife"}]}, "two categories have the id 7"),
    ],
)
def test_a_file_that_is_no_dataset_is_an_error(coco: Callable[..., Path], overrides: dict[str, object], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        read_dataset(coco(**overrides))


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"a": ' + "9" * 5000 + "}", ""])
def test_broken_json_is_an_error_not_a_crash(coco: Callable[..., Path], text: str) -> None:
    root = coco()
    (root / "annotations.json").write_text(text)
    with pytest.raises(DataError, match="JSON"):
        read_dataset(root)
