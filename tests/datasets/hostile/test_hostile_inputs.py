"""Each hostile input once, for every miniature: right, or a clear refusal."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path

import hostile_miniatures as mini
import hostile_mutations as mutations
import numpy as np
import pytest

from threatray.core import Annotations
from threatray.core.image_file import write_png
from threatray.datasets.dataset import Entry
from threatray.datasets.formats import cyclegan, hugging_face, hugging_face_parquet, webdataset, yolo
from threatray.datasets.formats.format import Format
from threatray.datasets.formats.unpacked import unpacked
from threatray.errors import DataError, ThreatrayError

EACH = pytest.mark.parametrize("one", mini.MINIATURES, ids=lambda one: one.name)
WRITERS = [*yolo.FORMATS, cyclegan.FORMAT, hugging_face.FORMAT, hugging_face_parquet.FORMAT, webdataset.FORMAT]
TEXTS = (".json", ".jsonl", ".xml", ".txt", ".csv", ".yaml", ".md", ".names", ".data")
PICTURES = (".png", ".jpg", ".tif", ".tiff")


def files_of(root: Path, suffixes: tuple[str, ...]) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file() and path.suffix.lower() in suffixes)


@EACH
def test_a_link_out_of_the_dataset_is_never_followed(one: mini.Miniature, tmp_path: Path) -> None:
    """Every file in turn is a link to a sound file of its kind that lies outside."""
    one.write(tmp_path / "outside")
    names = [path.relative_to(tmp_path / "outside") for path in sorted((tmp_path / "outside").rglob("*")) if path.is_file()]
    for number, name in enumerate(names):
        root = tmp_path / str(number)
        one.write(root)
        (root / name).unlink()
        (root / name).symlink_to(tmp_path / "outside" / name)
        try:
            dataset = mini.read(one.format_name, root)
        except ThreatrayError:
            continue
        mutations.sound(dataset, root)
        assert dataset.set_aside or dataset.notes or name.suffix == ".json"  # a COCO file may be a link: it names pictures, it is none


@EACH
def test_folders_that_are_links_out_of_the_dataset_are_never_entered(one: mini.Miniature, tmp_path: Path) -> None:
    one.write(tmp_path / "outside")
    for number, folder in enumerate(path for path in sorted((tmp_path / "outside").iterdir()) if path.is_dir()):
        root = tmp_path / str(number)
        one.write(root)
        (root / folder.name).rename(tmp_path / f"gone{number}")
        (root / folder.name).symlink_to(folder)
        try:
            dataset = mini.read(one.format_name, root)
        except ThreatrayError:
            continue
        mutations.sound(dataset, root)


def claimed_size(data: bytes, width: int, height: int) -> bytes:
    """A PNG whose header claims another size, with its checksum put right."""
    header = data[12:16] + struct.pack(">II", width, height) + data[24:29]
    return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]


@EACH
def test_a_decompression_bomb_is_refused_by_its_header(one: mini.Miniature, tmp_path: Path) -> None:
    one.write(tmp_path)
    bomb = claimed_size(mini.picture_bytes(), 65_000, 65_000)
    pictures = files_of(tmp_path, PICTURES)
    before = mutations.megabytes_used()
    for picture in pictures:
        picture.write_bytes(bomb)
    if not pictures:
        pytest.skip("its pictures are inside archives: see the tests of these")
    with mutations.no_hang(), pytest.raises(DataError, match=r"holds no usable|65000x65000 pixels"):
        mini.read(one.format_name, tmp_path)
    assert mutations.megabytes_used() - before < 200


@pytest.mark.parametrize("kind", ["webdataset", "parquet"])
def test_a_bomb_inside_an_archive_is_refused_too(kind: str, tmp_path: Path) -> None:
    bomb = claimed_size(mini.picture_bytes(), 65_000, 65_000)
    if kind == "webdataset":
        mini.tar(tmp_path / "a.tar", [("x.png", bomb), ("x.json", b'{"objects": {"bbox": [], "category": []}}')])
    else:
        import pyarrow as pa
        from pyarrow.parquet import write_table

        write_table(pa.Table.from_pylist([{"image": {"bytes": bomb, "path": "x.png"}}]), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"has 65000x65000 pixels|DecompressionBombError"):
        mini.read("webdataset" if kind == "webdataset" else "hugging_face_parquet", tmp_path)


LONG_TEXTS: dict[str, bytes] = {
    "zeros": b"\0" * 3_000_000,
    "brackets": b"[" * 3_000_000,
    "braces": b'{"a":' * 200_000,
    "digits": b"9" * 3_000_000,
    "elements": b"<a>" * 100_000,
    "dashes": b"- " * 90_000,
    "dashes in lines": b"- a\n" * 30_000,
    "spaces": b" " * 3_000_000,
    "lines": b"0 0.5 0.5 0.1 0.1\n" * 2_000,
    "quotes": b'"' * 1_000_001,
    "one word": b"names: [" + b"a" * 900_000 + b"]",
    "noise": np.random.default_rng(1).bytes(1_000_000),
    "utf-16": "names: [칼]".encode("utf-16"),
    "latin-1": "names: [é]".encode("latin-1"),
}


@EACH
@pytest.mark.parametrize("kind", LONG_TEXTS)
def test_long_deep_and_foreign_texts_neither_hang_nor_grow(one: mini.Miniature, kind: str, tmp_path: Path) -> None:
    one.write(tmp_path)
    before = mutations.megabytes_used()
    for path in files_of(tmp_path, TEXTS):
        sound = path.read_bytes()
        path.write_bytes(LONG_TEXTS[kind])
        mutations.examine(one.format_name, tmp_path)
        mutations.examine(None, tmp_path)
        path.write_bytes(sound)
    assert mutations.megabytes_used() - before < 400


NAMES = ("two\nlines", "'\"`", "<script>alert(1)</script>", "칼 刀", "..", "../x", "no", "1e3", "x" * 200, "${HOME}", "%s")


@pytest.mark.parametrize("form", [form for form in WRITERS if form.name != "cyclegan"], ids=lambda form: form.name)
def test_hostile_class_names_come_back_as_they_are(form: Format, tmp_path: Path) -> None:
    mini.picture(tmp_path / "a.png")
    boxes = np.array([[1, 2, 5, 9]] * len(NAMES), np.float32)
    entry = Entry(id="a", image_path=tmp_path / "a.png", width=31, height=37, things=Annotations(boxes, NAMES), group="a")
    assert form.write is not None
    (tmp_path / "out").mkdir()
    assert form.write(tmp_path / "out", NAMES, [entry]) == ()
    dataset = mini.read(form.name, tmp_path / "out", strict=True)
    assert (dataset.classes, dataset.entries[0].labels) == (NAMES, NAMES)


@pytest.mark.parametrize("form", WRITERS, ids=lambda form: form.name)
@pytest.mark.parametrize("own", ["../x", "/tmp/x", "a/b", "a\\b", "..", ".hidden", "a\nb", "a\0b", "x" * 300, "", "\udcff"])
def test_an_id_that_is_no_file_name_is_refused_and_nothing_is_written_elsewhere(form: Format, own: str, tmp_path: Path) -> None:
    mini.picture(tmp_path / "in/a.png")
    entry = Entry(id=own, image_path=tmp_path / "in/a.png", width=31, height=37, things=Annotations.none(), group="a")
    out = tmp_path / "deep/er/out"
    out.mkdir(parents=True)
    assert form.write is not None
    (refused,) = form.write(out, ("gun",), [entry])
    assert "its id" in refused.reason
    assert [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(out)] == [tmp_path / "in/a.png"]


@pytest.mark.parametrize("form", WRITERS, ids=lambda form: form.name)
@pytest.mark.parametrize("part", ["../x", "..", "/tmp/x", "a/b", ".", "a\0b", "x" * 300, "\udcff", "칼", " "])
def test_a_part_that_is_no_folder_name_stays_inside(form: Format, part: str, tmp_path: Path) -> None:
    mini.picture(tmp_path / "in/a.png")
    entry = Entry(id="a", image_path=tmp_path / "in/a.png", width=31, height=37, things=Annotations.none(), group="a", part=part)
    out = tmp_path / "deep/er/out"
    out.mkdir(parents=True)
    assert form.write is not None
    refused = form.write(out, ("gun",), [entry])
    assert [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_relative_to(out)] == [tmp_path / "in/a.png"]
    if not refused:
        assert len(mini.read(form.name, out).entries) == 1


def test_a_scan_65000_pixels_wide_is_read(tmp_path: Path) -> None:
    write_png(tmp_path / "images/a.png", np.zeros((40, 65_000, 3), np.uint8))
    mini.text(tmp_path / "labels/a.txt", "0 0.5 0.5 0.25 0.5\n")
    mini.text(tmp_path / "data.yaml", "train: images\nval: images\nnames: [gun]\n")
    (entry,) = mini.read("yolo", tmp_path).entries
    assert (entry.width, entry.boxes.tolist()) == (65_000, [[24375, 10, 40625, 30]])
    coco = {
        "images": [{"id": 1, "file_name": "a.png", "width": 65_000, "height": 40}],
        "categories": [{"id": 1, "name": "gun"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [24375, 10, 16250, 20]}],
    }
    mini.text(tmp_path / "annotations.json", json.dumps(coco))
    assert mini.read("coco", tmp_path).entries[0].boxes.tolist() == [[24375, 10, 40625, 30]]


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a" + bytes(50), b"%PDF-1.4", b"<svg/>", b"\x7fELF"], ids=["empty", "gif", "pdf", "svg", "program"]
)
def test_what_is_no_picture_never_reaches_the_cache(data: bytes, cache: Path) -> None:
    with pytest.raises(DataError, match="no PNG, JPEG"):
        unpacked(data)
    assert list(cache.rglob("*")) == []


def test_a_torn_file_in_the_cache_is_written_again(cache: Path) -> None:
    path = unpacked(mini.picture_bytes())
    path.write_bytes(b"torn")
    assert unpacked(mini.picture_bytes()) == path
    assert path.read_bytes() == mini.picture_bytes()


def test_an_alias_bomb_in_a_card_is_refused(tmp_path: Path) -> None:
    mini.hugging_face_jsonl(tmp_path)
    mini.text(tmp_path / "README.md", "---\na: &a [x, x]\nclass_names: [*a, *a]\n---\n")
    with pytest.raises(DataError, match="uses YAML aliases"):
        mini.read("hugging_face", tmp_path)


def test_a_parquet_file_that_lies_about_its_rows_is_refused(tmp_path: Path) -> None:
    mini.hugging_face_shards(tmp_path)
    shard = next((tmp_path / "data").glob("*.parquet"))
    data = shard.read_bytes()
    shard.write_bytes(data[:-8] + struct.pack("<I", 2**31 - 1) + b"PAR1")
    with pytest.raises(DataError, match="cannot be read as parquet"):
        mini.read("hugging_face_parquet", tmp_path)


@pytest.mark.parametrize("kind", ["yolo", "hugging_face"])
def test_a_million_broken_things_of_one_image_do_not_fill_the_memory(kind: str, tmp_path: Path) -> None:
    if kind == "yolo":
        mini.yolo_ultralytics(tmp_path)
        (tmp_path / "labels/train/a.txt").write_text("x\n" * 1_000_000)
    else:
        mini.hugging_face_jsonl(tmp_path)
        objects = {"bbox": [0] * 1_000_000, "categories": [0] * 1_000_000}
        mini.text(tmp_path / "train/metadata.jsonl", json.dumps({"file_name": "0001.png", "objects": objects}))
        mini.text(tmp_path / "metadata.jsonl", json.dumps({"file_name": "train/0002.png"}))
    dataset = mini.read(kind, tmp_path)
    assert len(dataset.set_aside) == 1
    assert "1,000,000" in dataset.set_aside[0].reason
