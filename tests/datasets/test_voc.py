from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from threatray.core import Annotations, Provenance
from threatray.core.image_file import write_png
from threatray.datasets.dataset import Entry
from threatray.datasets.formats import read_dataset, stream_dataset
from threatray.datasets.formats.voc_writer import write, write_voc_annotation
from threatray.errors import DataError

XML = "<annotation><filename>{filename}</filename><size><width>31</width><height>37</height></size>{objects}</annotation>"
OBJECT = "<object><name>{name}</name><bndbox><xmin>{0}</xmin><ymin>{1}</ymin><xmax>{2}</xmax><ymax>{3}</ymax></bndbox></object>"
SOUND = OBJECT.format(1, 2, 3, 4, name="Gun")


def test_a_renumbered_image_is_found_by_its_stem_and_keeps_its_original_id_as_group(voc: Callable[..., Path]) -> None:
    dataset = read_dataset(voc())
    (entry,) = dataset.entries
    assert (dataset.format_name, dataset.classes, entry.id, entry.group) == ("voc", ("Knife",), "0000", "P00004")
    np.testing.assert_array_equal(entry.boxes, np.array([[2.25, 3.5, 12.125, 20.75]], np.float32))


def test_the_filename_is_used_where_no_image_has_the_stem(voc: Callable[..., Path]) -> None:
    root = voc({"note.xml": XML.format(filename="P7.png", objects=SOUND)})
    write_png(root / "images/P7.png", np.zeros((37, 31, 3), np.uint8))
    assert [entry.id for entry in read_dataset(root).entries] == ["0000", "P7"]


@pytest.mark.parametrize("base", ["", "VOC2007", "VOCdevkit/VOC2012"])
def test_the_devkit_layouts_are_found(tmp_path: Path, base: str) -> None:
    write_png(tmp_path / base / "JPEGImages/a.png", np.zeros((37, 31, 3), np.uint8))
    (tmp_path / base / "Annotations").mkdir()
    (tmp_path / base / "Annotations/a.xml").write_text(XML.format(filename="a.png", objects=SOUND))
    assert [entry.id for entry in read_dataset(tmp_path).entries] == ["a"]


def test_xml_beside_its_image_is_found(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.zeros((37, 31, 3), np.uint8))
    (tmp_path / "a.xml").write_text(XML.format(filename="a.png", objects=SOUND))
    assert read_dataset(tmp_path).entries[0].labels == ("Gun",)


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]>' + XML.format(filename="&c;", objects=SOUND)
FILE_ENTITY = '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + XML.format(filename="&b;", objects=SOUND)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOMB, "declares entities or a DTD"),
        (FILE_ENTITY, "declares entities or a DTD"),
        ("<annotation>", "is not valid XML"),
        ("", "is not valid XML"),
        ("<html/>", "expected the element <annotation>"),
        (XML.format(filename="gone.jpg", objects=SOUND), "gone.jpg is missing"),
        (XML.format(filename="", objects=SOUND), "it has no <filename>"),
        (XML.format(filename="../../etc/passwd", objects=SOUND), r"leads out of the dataset with '\.\.'"),
        (XML.format(filename="/etc/passwd", objects=SOUND), "is absolute"),
        (XML.format(filename="0000.png", objects=SOUND), "another annotation describes 0000.png"),
    ],
)
def test_a_broken_annotation_is_set_aside(voc: Callable[..., Path], text: str, reason: str) -> None:
    root = voc({"z.xml": text})
    dataset = read_dataset(root)
    assert [entry.id for entry in dataset.entries] == ["0000"]
    assert [one.item for one in dataset.set_aside] == ["z.xml"]
    assert re.search(reason, dataset.set_aside[0].reason), dataset.set_aside
    with pytest.raises(DataError, match=reason):
        read_dataset(root, strict=True)


@pytest.mark.parametrize(
    ("thing", "reason"),
    [
        (OBJECT.format(5, 5, 5, 9, name="Gun"), "has no area"),
        (OBJECT.format("nan", 5, 6, 9, name="Gun"), "not four finite numbers"),
        (OBJECT.format(35, 5, 40, 9, name="Gun"), "lies outside the 31x37 image"),
        (OBJECT.format("", 5, 6, 9, name="Gun"), "Gun: <xmin> must be a number, got ''"),
        (OBJECT.format(1, 5, 6, 9, name=""), "has no <name>"),
    ],
)
def test_an_image_that_lost_its_only_box_does_not_pass_for_benign(voc: Callable[..., Path], thing: str, reason: str) -> None:
    root = voc({"a.xml": XML.format(filename="a.png", objects=thing)})
    write_png(root / "images/a.png", np.zeros((37, 31, 3), np.uint8))
    dataset = read_dataset(root)
    assert [entry.id for entry in dataset.entries] == ["0000"]
    assert [one.item for one in dataset.set_aside] == ["a.xml, object 1", "a.xml"]
    assert reason in dataset.set_aside[0].reason


def test_an_annotation_of_another_size_is_set_aside(voc: Callable[..., Path]) -> None:
    root = voc({"a.xml": XML.format(filename="a.png", objects=SOUND)})
    write_png(root / "images/a.png", np.zeros((31, 37, 3), np.uint8))
    assert "31x37 pixels, but a.png has 37x31" in read_dataset(root).set_aside[0].reason


def test_unread_images_and_neighbour_folders_are_noted(voc: Callable[..., Path]) -> None:
    root = voc()
    write_png(root / "images/extra.png", np.zeros((37, 31, 3), np.uint8))
    write_png(root / "negatives/n.png", np.zeros((37, 31, 3), np.uint8))
    first, second = read_dataset(root).notes
    assert first.startswith("1 image(s) in images/ have no usable annotation")
    assert second.startswith("negatives/ holds 1 images that were not read")


def test_reading_gives_back_what_was_written(tmp_path: Path) -> None:
    write_png(tmp_path / "JPEGImages/a.png", np.zeros((37, 31, 3), np.uint8))
    boxes = np.add(np.random.default_rng(5).uniform(0, 15, (3, 4)), [0, 0, 15, 20]).astype(np.float32)
    things = Annotations(boxes, ("gun", "a & b", "<script>"))
    entry = Entry(id="a", image_path=Path("a"), width=31, height=37, things=things, group="P 1", provenance=Provenance("s", "l"))
    write_voc_annotation(tmp_path / "Annotations/a.xml", entry, "a.png")
    (read,) = read_dataset(tmp_path).entries
    np.testing.assert_array_equal(read.boxes, boxes)
    assert (read.labels, read.group, read.provenance) == (things.labels, "P 1", Provenance("s", "l"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-le", "utf-16-be", "iso-8859-1", "us-ascii"])
@pytest.mark.parametrize("text", [BOMB, FILE_ENTITY])
def test_no_encoding_hides_a_dtd(voc: Callable[..., Path], encoding: str, text: str) -> None:
    root = voc()
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    (root / "annotations/z.xml").write_bytes(
        mark + f'<?xml version="1.0" encoding="{"utf-16" if mark else encoding}"?>{text}'.encode(encoding)
    )
    (fault,) = read_dataset(root).set_aside
    assert fault.reason == "refused: it declares entities or a DTD, which annotations never need", fault


def test_a_bomb_of_any_size_is_refused_at_once(voc: Callable[..., Path]) -> None:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 30))
    root = voc({"z.xml": f'<!DOCTYPE a [<!ENTITY e0 "ha">{levels}]><annotation><filename>&e29;</filename></annotation>'})
    assert "declares entities or a DTD" in read_dataset(root).set_aside[0].reason


def test_the_image_sets_give_the_part(voc: Callable[..., Path]) -> None:
    root = voc({f"{name}.xml": XML.format(filename="", objects=SOUND) for name in ("a", "b 1", "c", "d")})
    for name in ("a", "b 1", "c", "d"):
        write_png(root / f"images/{name}.png", np.zeros((37, 31), np.uint8))
    lists = root / "ImageSets/Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\r\n")
    (lists / "test.txt").write_text("0000\na\n")
    (lists / "trainval.txt").write_text("a\nc\n")
    (lists / "gun_train.txt").write_text("a  1\nb 1\nd  1\n")  # b holds a gun: this is not the image called "b 1"
    (lists / "hard_train.txt").write_text("d\n")
    dataset = read_dataset(root)
    assert {entry.id: entry.part for entry in dataset.entries} == {
        "0000": "test",
        "a": "test",
        "b 1": "",
        "c": "trainval",
        "d": "hard_train",
    }
    assert dataset.notes[0] == "1 line(s) of ImageSets/Main name an image that an earlier list names too; the earlier one counts."
    (lists / "train.txt").write_bytes(b"\xff")
    with pytest.raises(DataError, match="expected UTF-8 text, got a byte that is not UTF-8 at offset 0"):
        read_dataset(root)


def test_things_marked_difficult_are_things_like_any_other(voc: Callable[..., Path]) -> None:
    marked = SOUND.replace("<name>", "<truncated>1</truncated><difficult>1</difficult><name>")
    root = voc({"a.xml": XML.format(filename="a.png", objects=marked + SOUND)})
    write_png(root / "images/a.png", np.zeros((37, 31), np.uint8))
    dataset = read_dataset(root)
    assert dataset.entries[1].labels == ("Gun", "Gun")
    assert dataset.notes == ("1 box(es) are marked difficult and 1 truncated: kept as any other, the marks are not.",)


def test_without_headers_the_annotated_size_is_believed_and_missing_files_are_still_found(voc: Callable[..., Path]) -> None:
    root = voc({"gone.xml": XML.format(filename="gone.png", objects=SOUND), "a.xml": XML.format(filename="a.png", objects=SOUND)})
    (root / "images/a.png").write_text("no picture")
    with_headers, without = read_dataset(root), read_dataset(root, headers=False)
    assert [entry.id for entry in with_headers.entries] == ["0000"]
    assert [(entry.id, entry.width, entry.height) for entry in without.entries] == [("0000", 31, 37), ("a", 31, 37)]
    assert [one.item for one in without.set_aside] == ["gone.xml"]


def test_links_out_of_the_dataset_and_in_circles_are_set_aside(voc: Callable[..., Path]) -> None:
    root = voc()
    outside = root.parent / "outside.xml"
    outside.write_text(XML.format(filename="0000.png", objects=SOUND))
    (root / "annotations/out.xml").symlink_to(outside)
    (root / "annotations/circle.xml").symlink_to(root / "annotations/circle.xml")
    (root / "annotations/folder.xml").mkdir()
    (root / "annotations/._0000.xml").write_text("what a Mac leaves behind")
    (root / "annotations/circle2.xml").write_text(XML.format(filename="x.png", objects=SOUND))
    (root / "images/circle2.png").symlink_to(root / "images/circle2.png")
    reasons = {one.item: one.reason for one in read_dataset(root).set_aside}
    assert reasons.pop("circle2.xml").startswith("its image circle2.png is missing")
    assert reasons == {
        "circle.xml": "is a link that leads out of the dataset",
        "folder.xml": "is no file",
        "out.xml": "is a link that leads out of the dataset",
    }


def test_an_image_with_an_annotation_of_its_own_is_not_given_to_another(voc: Callable[..., Path]) -> None:
    root = voc({"00.xml": XML.format(filename="0000.png", objects=SOUND)})
    dataset = read_dataset(root)
    assert [entry.labels for entry in dataset.entries] == [("Knife",)]
    assert [one.item for one in dataset.set_aside] == ["00.xml"]


def test_annotations_are_read_one_at_a_time(voc: Callable[..., Path]) -> None:
    root = voc({"a.xml": "<not yet"})
    write_png(root / "images/a.png", np.zeros((37, 31), np.uint8))
    stream = stream_dataset(root)
    assert next(stream.entries).id == "0000"
    (root / "annotations/a.xml").write_text(XML.format(filename="a.png", objects=SOUND))  # the second was not looked at before
    assert [entry.id for entry in stream.entries] == ["a"]


@pytest.mark.parametrize("label", [" gun", "gun\r", "gun\x0b", "\x1b[31m"])
def test_a_text_that_xml_cannot_give_back_is_not_written(tmp_path: Path, label: str) -> None:
    write_png(tmp_path / "a.png", np.zeros((37, 31, 3), np.uint8))
    things = Annotations(np.array([[1, 2, 3, 4]], np.float32), (label,))
    entry = Entry(id="a", image_path=tmp_path / "a.png", width=31, height=37, things=things, group="a")
    (refused,) = write(tmp_path / "out", (label,), [entry])
    assert "XML cannot give the text" in refused.reason
    assert not (tmp_path / "out").exists()
