"""Large COCO files: joined on disk with the same result as in memory, in memory that does not grow with them."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from threatray.core.image_file import write_png
from threatray.datasets.formats import claims, coco_store, json_stream, read_dataset, stream_dataset
from threatray.datasets.formats.format import ReadOptions
from threatray.datasets.formats.json_stream import Elements, members
from threatray.errors import DataError, ThreatrayError

NOTHING = st.nothing()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec="utf-8"), max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=4),
    max_leaves=12,
)


def walked(path: Path) -> object:
    try:
        found = [(key, [one for one, _ in value] if isinstance(value, Elements) else value) for key, value in members(path)]
    except DataError as error:
        return str(error)
    return dict(found)


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    document=st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), JSON, max_size=4),
    indent=st.sampled_from([None, 1]),
    escaped=st.booleans(),
    kept=st.none() | st.integers(0, 200),
    chunk=st.sampled_from([1, 7, 1000]),
)
@example({"a": [0.5, 1.5e10, -3]}, None, True, None, 1)
@example({"a": [1, 2]}, None, True, 9, 1)
def test_walking_agrees_with_reading_at_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    document: dict[str, Any],
    indent: int | None,
    escaped: bool,
    kept: int | None,
    chunk: int,
) -> None:
    monkeypatch.setattr(json_stream, "_CHUNK", chunk)
    text = json.dumps(document, indent=indent, ensure_ascii=escaped)[:kept]
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    try:
        expected: object = json.loads(text)
    except json.JSONDecodeError as error:
        expected = f"{path}, line {error.lineno}, column {error.colno}: not valid JSON"
        assert str(walked(path)).startswith(expected)
        return
    assert walked(path) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", r"line 1, column 1: not valid JSON"),
        ("[1]", "expected a JSON object"),
        ('{"a": 1} x', "Extra data"),
        ('{"a": [1 2]}', r"line 1, column 10: not valid JSON \(Expecting ',' delimiter\)"),
        ('{"a": [' + "[" * 100_000, "nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "not valid JSON"),
        ('{"a": "' + "x" * 2000, "Unterminated string"),
    ],
)
def test_broken_json_is_an_error(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=reason):
        list(members(tmp_path / "a.json"))


def test_an_endless_element_is_an_error_not_a_full_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "_LONGEST", 3000)
    monkeypatch.setattr(json_stream, "_CHUNK", 1000)
    (tmp_path / "annotations.json").write_text('{"images": [{"id": "' + "x" * 20_000 + '"}]}')
    with pytest.raises(DataError, match=r"line 1: an element of over 3,000 characters"):
        read_large(tmp_path, monkeypatch)
    (tmp_path / "b.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(DataError, match="not UTF-8"):
        list(members(tmp_path / "b.json"))


def read_large(path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    with monkeypatch.context() as patch:
        patch.setattr(coco_store, "SPILL_BYTES", 0)
        return said(path)


def said(path: Path) -> object:
    try:
        dataset = read_dataset(path, "coco")
    except DataError as error:
        if "characters" in str(error):
            raise
        return str(error)
    entries = [
        (entry.id, entry.labels, entry.boxes.tolist(), entry.segmentations, entry.group, entry.part, entry.provenance, entry.paths)
        for entry in dataset.entries
    ]
    return dataset.classes, entries, dataset.set_aside, dataset.notes


KEYS = st.sampled_from([1, 2, 3, "1", "x", True, None, 1.0, 10**30])
IMAGE = st.fixed_dictionaries(
    {"file_name": st.sampled_from(["a.png", "b.png", "c.png", "d.png", "gone.png", "../a.png", 7])},
    optional={"id": KEYS, "width": st.sampled_from([31, 30]), "group": st.text(max_size=3), "part": st.sampled_from(["train", "../x"])},
)
ANNOTATION = st.fixed_dictionaries(
    {
        "image_id": KEYS,
        "category_id": st.sampled_from([1, 2, 9]),
        "bbox": st.sampled_from([[1, 2, 3, 4], [0, 0, -1, 2], [-9, 0, 20, 5], "x"]),
    },
    optional={"id": KEYS, "iscrowd": st.just(1), "segmentation": st.sampled_from([[[1, 1, 9, 1, 9, 9]], {"size": [1, 1], "counts": "1"}])},
)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    for name in "abcd":
        write_png(folder / "images" / f"{name}.png", np.zeros((37, 31), np.uint8))
    return folder


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    images=st.lists(IMAGE | st.just("no image"), max_size=6),
    annotations=st.lists(ANNOTATION | st.just([]), max_size=10),
    order=st.permutations(["images", "annotations", "categories", "licenses"]),
    missing=st.sampled_from(["", "", "", "", "images", "annotations", "categories"]),
)
@example(
    images=[{"id": 1, "file_name": "a.png"}, {"id": "1", "file_name": "b.png"}],
    annotations=[{"id": n, "image_id": owner, "category_id": n % 2 + 1, "bbox": [n, 2, 3, 4]} for n, owner in enumerate([1, "1", 1, 1])],
    order=["annotations", "categories", "licenses", "images"],
    missing="",
)
@example(
    images=[{"id": n, "file_name": f"{name}.png"} for n, name in [(1, "a"), (2, "b"), (2, "c"), (3, "d")]],
    annotations=[{"id": n, "image_id": owner, "category_id": 1, "bbox": [n, 2, 3, 4]} for n, owner in [(1, 1), (1, 1), (2, 3)]],
    order=["images", "annotations", "categories", "licenses"],
    missing="",
)
def test_joining_on_disk_gives_what_joining_in_memory_gives(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, images: list[Any], annotations: list[Any], order: list[str], missing: str
) -> None:
    categories = [{"id": 1, "name": "gun"}, {"id": 2, "name": "刀"}]
    lists = {"images": images, "annotations": annotations, "categories": categories, "licenses": [{"id": 1, "name": "CC0"}]}
    document = {key: lists[key] for key in order if key != missing}
    (pictures / "annotations.json").write_text(json.dumps(document))
    assert read_large(pictures, monkeypatch) == said(pictures)


def test_of_two_lists_of_one_name_the_last_counts_on_disk_too(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '{"images": [{"id": 1, "file_name": "a.png"}], "annotations": [], "categories": [], "images": [{"id": 2, "file_name": "b.png"}]}'
    (pictures / "annotations.json").write_text(text)
    assert read_large(pictures, monkeypatch) == said(pictures)
    assert [entry.id for entry in read_dataset(pictures).entries] == ["b"]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own memory (SQLite's cache is bounded by its setting): four times the images, at most a tenth more."""
    monkeypatch.setattr(coco_store, "SPILL_BYTES", 0)
    monkeypatch.setattr(claims, "MOST_IN_MEMORY", 0)
    monkeypatch.setattr(json_stream, "_CHUNK", 10_000)
    write_png(tmp_path / "images/a.png", np.zeros((37, 31), np.uint8))

    def peak(count: int) -> int:
        for number in range(count):
            link = tmp_path / f"images/{number}.png"
            if not link.exists():
                link.hardlink_to(tmp_path / "images/a.png")
        images = [{"id": number, "file_name": f"{number}.png", "width": 31, "height": 37} for number in range(count)]
        things = [{"id": number, "image_id": number // 3, "category_id": 1, "bbox": [1, 2, 3, 4]} for number in range(3 * count)]
        document = {"images": images, "annotations": things, "categories": [{"id": 1, "name": "gun"}]}
        (tmp_path / "annotations.json").write_text(json.dumps(document))
        del images, things, document
        tracemalloc.start()
        read = sum(len(entry.things) for entry in stream_dataset(tmp_path, options=ReadOptions(headers=False)).entries)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert read == 3 * count
        return most

    small = peak(1000)
    assert peak(4000) < 1.1 * small


def test_a_full_disk_is_a_storage_error(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(coco_store, "SPILL_BYTES", 0)
    monkeypatch.setattr(coco_store._OnDisk, "_take", full)
    with pytest.raises(ThreatrayError, match=r"disk is full\. Free some space, or set SQLITE_TMPDIR"):
        read_dataset(pictures)
