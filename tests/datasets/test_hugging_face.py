from __future__ import annotations

import builtins
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hostile_miniatures as mini
import numpy as np
import pytest

from threatray.datasets.formats import hugging_face, hugging_face_parquet
from threatray.datasets.formats.format import ReadOptions
from threatray.datasets.formats.unpacked import CACHE_VARIABLE
from threatray.errors import ConfigError, DataError


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv(CACHE_VARIABLE, str(folder))
    yield folder


def read_folder(root: Path, **options: Any) -> Any:
    return hugging_face.FORMAT.read(root, ReadOptions(**options)).collect()


def read_shards(root: Path, **options: Any) -> Any:
    return hugging_face_parquet.FORMAT.read(root, ReadOptions(**options)).collect()


def test_the_documented_metadata_is_read_in_pixels_with_the_names_of_the_card(tmp_path: Path) -> None:
    mini.hugging_face_jsonl(tmp_path)
    dataset = read_folder(tmp_path)
    first, second, third = dataset.entries
    np.testing.assert_array_equal(first.boxes, np.array([[2, 3, 12.5, 23]], np.float32))
    np.testing.assert_array_equal(second.boxes, np.array([[1, 1, 6, 6], [20, 30, 28, 34]], np.float32))
    assert (first.labels, second.labels, third.is_benign, first.part) == (("gun",), ("칼", "칼"), True, "train")
    assert dataset.classes == ("gun", "칼")


def test_without_a_card_classes_keep_their_numbers_and_this_is_said(tmp_path: Path) -> None:
    mini.hugging_face_jsonl(tmp_path)
    (tmp_path / "README.md").unlink()
    dataset = read_folder(tmp_path)
    assert (dataset.classes, dataset.entries[0].labels) == (("0", "1"), ("0",))
    assert dataset.notes == ("2 class(es) have a number and no name; they are called by their numbers.",)


def test_csv_is_read_with_boxes_in_a_cell_and_labels_of_whole_images(tmp_path: Path) -> None:
    mini.hugging_face_csv(tmp_path)
    a, b = read_folder(tmp_path).entries
    assert (a.labels, a.boxes.tolist(), a.image_labels) == (("knife, 'long'",), [[2, 3, 12.5, 23]], ())
    assert (b.labels, b.image_labels, b.is_benign) == ((), ("gun",), False)


def test_an_image_without_a_line_is_counted(tmp_path: Path) -> None:
    mini.hugging_face_jsonl(tmp_path)
    mini.picture(tmp_path / "train/more.png")
    assert read_folder(tmp_path).notes == ("1 image(s) have no line in the metadata and were not read.",)


SOUND = {"file_name": "0001.png", "objects": {"bbox": [[1, 1, 5, 5]], "categories": [0]}}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "is not valid JSON"),
        ("[1]", "is no JSON object"),
        ("[" * 100_000, "nested too deeply"),
        ('{"file_name": "\udce9"}'.encode("utf-8", "surrogateescape"), "not UTF-8 JSON"),
        ('{"file_name": ' + "9" * 5000 + "}", "is not valid JSON"),
        ({"objects": {}}, "names no image file"),
        ({"file_name": "../../etc/passwd"}, r"leads out of the dataset with '\.\.'"),
        ({"file_name": "/etc/passwd"}, "is absolute"),
        ({"file_name": "gone.png"}, "gone.png is missing"),
        ({**SOUND, "objects": {"bbox": [[1, 1, 5, 5]], "categories": []}}, "as many categories as boxes"),
        ({**SOUND, "objects": {"bbox": [[1, 1, 5, 5]], "categories": [2]}}, "class 2 is not among the 2 classes"),
        ({**SOUND, "objects": {"bbox": [[1, 1, 5, 5]], "categories": [-1]}}, "class -1 is not among"),
        ({**SOUND, "objects": {"bbox": [[1, 1, 5]], "categories": [0]}}, "bbox must be"),
        ({**SOUND, "objects": {"bbox": [[1, 1, float("nan"), 5]], "categories": [0]}}, "not four finite numbers"),
        ({**SOUND, "objects": {"bbox": [[1, 1, 10**400, 5]], "categories": [0]}}, "not four finite numbers"),
        ({**SOUND, "objects": {"bbox": [[1, 1, 0, 5]], "categories": [0]}}, "has no area"),
        ({**SOUND, "objects": {"bbox": [[1, 1, 5, 5]], "categories": ["\ud800"]}}, "holds half a character"),
        ({**SOUND, "objects": [1]}, "must each be"),
        ({**SOUND, "objects": 5}, "got int"),
        ({**SOUND, "group": "\ud800"}, "its group is no text"),
        ({**SOUND, "width": 37, "height": 31}, "annotated as 37x31 pixels, but its file has 31x37"),
        ({**SOUND, "white_level": -1}, "white_level must be"),
        ({**SOUND, "low_file_name": "0002.png"}, "one energy only"),
    ],
)
def test_a_broken_line_is_set_aside_with_its_place(tmp_path: Path, line: Any, reason: str) -> None:
    mini.hugging_face_jsonl(tmp_path)
    file = tmp_path / "train/metadata.jsonl"
    lines = file.read_bytes().splitlines()
    raw = line if isinstance(line, bytes) else (line if isinstance(line, str) else json.dumps(line)).encode()
    file.write_bytes(b"\n".join([raw, *lines[1:]]))
    dataset = read_folder(tmp_path)
    assert [entry.id for entry in dataset.entries] == ["0002", "0003"]
    assert dataset.set_aside[0].item.startswith("train/metadata.jsonl, line 1")
    with pytest.raises(DataError, match=reason):
        read_folder(tmp_path, strict=True)


def test_a_lying_mask_leaves_its_box(tmp_path: Path) -> None:
    mini.hugging_face_jsonl(tmp_path)
    mask = json.dumps({"size": [37, 31], "counts": "714"})
    line = {**SOUND, "objects": {"bbox": [[1, 1, 5, 5]], "categories": [0], "segmentation": [mask]}}
    mini.text(tmp_path / "train/metadata.jsonl", json.dumps(line))
    dataset = read_folder(tmp_path)
    assert (dataset.entries[0].labels, dataset.entries[0].segmentations) == (("gun",), ())
    assert "the box is kept, the mask is not" in dataset.set_aside[0].reason


def test_a_stated_size_is_believed_only_without_headers(tmp_path: Path) -> None:
    mini.hugging_face_jsonl(tmp_path)
    mini.text(tmp_path / "train/metadata.jsonl", json.dumps({**SOUND, "width": 500, "height": 400}))
    assert read_folder(tmp_path, headers=False).entries[0].width == 500
    with pytest.raises(DataError, match="annotated as 500x400 pixels, but its file has 31x37"):
        read_folder(tmp_path)


def test_shards_are_read_with_the_names_of_their_schema(tmp_path: Path, cache: Path) -> None:
    mini.hugging_face_shards(tmp_path)
    dataset = read_shards(tmp_path)
    first, second = dataset.entries
    assert (first.id, first.labels, first.boxes.tolist(), first.part) == ("a", ("칼",), [[2, 3, 12.5, 23]], "train")
    assert (second.id, second.is_benign, dataset.classes) == ("train-00000-of-00001__00000002", True, ("gun", "칼"))
    assert first.image_path.read_bytes() == mini.picture_bytes(1)
    assert all(path.is_relative_to(cache) for entry in dataset.entries for path in entry.paths)
    assert [entry.image_path.suffix for entry in dataset.entries] == [".png", ".jpg"]


def test_objects_as_a_list_of_structs_are_read_too(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow.parquet import write_table

    row = {"image": {"bytes": mini.picture_bytes(), "path": "x.png"}, "objects": [{"bbox": [1.0, 2.0, 3.0, 4.0], "category": "gun"}]}
    write_table(pa.Table.from_pylist([row]), tmp_path / "train.parquet")
    (entry,) = read_shards(tmp_path).entries
    assert (entry.boxes.tolist(), entry.labels) == ([[1, 2, 4, 6]], ("gun",))


def test_one_shard_is_read_by_its_name(tmp_path: Path) -> None:
    mini.hugging_face_shards(tmp_path)
    shard = next((tmp_path / "data").glob("*.parquet"))
    assert hugging_face_parquet.FORMAT.detect(shard)
    assert len(read_shards(shard).entries) == 2


def test_reading_shards_again_writes_nothing(tmp_path: Path, cache: Path) -> None:
    mini.hugging_face_shards(tmp_path)
    read_shards(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*")}
    read_shards(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*")} == before


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mini.hugging_face_shards(tmp_path)
    original = builtins.__import__

    def refuse(name: str, *rest: Any, **more: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return original(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ConfigError, match=r"pip install 'threatray\[parquet\]'"):
        read_shards(tmp_path)


def test_a_cut_off_shard_and_one_without_pictures_are_said(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow.parquet import write_table

    mini.hugging_face_shards(tmp_path)
    data = next((tmp_path / "data").glob("*.parquet")).read_bytes()
    (tmp_path / "data/cut.parquet").write_bytes(data[: len(data) // 2])
    write_table(pa.Table.from_pylist([{"text": "x"}]), tmp_path / "data/other.parquet")
    dataset = read_shards(tmp_path)
    assert len(dataset.entries) == 2
    assert "cannot be read as parquet" in dataset.set_aside[0].reason
    assert dataset.set_aside[1].reason == "has no column 'image', only text"
