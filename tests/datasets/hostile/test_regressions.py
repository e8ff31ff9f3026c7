"""What the mutations found, kept: each case once broke a reader."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import hostile_miniatures as mini
import hostile_mutations as mutations
import pytest

from threatray.errors import ThreatrayError

EACH = pytest.mark.parametrize("one", mini.MINIATURES, ids=lambda one: one.name)


def each_file(one: mini.Miniature, folder: Path) -> list[Path]:
    one.write(folder)
    return sorted(path for path in folder.rglob("*") if path.is_file())


@EACH
def test_a_link_to_itself(one: mini.Miniature, tmp_path: Path) -> None:
    """Python 3.11 raises a RuntimeError when it resolves one."""
    for path in each_file(one, tmp_path):
        data = path.read_bytes()
        path.unlink()
        path.symlink_to(path.name)
        mutations.examine(one.format_name, tmp_path)
        mutations.examine(None, tmp_path)
        path.unlink()
        path.write_bytes(data)


@EACH
def test_a_folder_in_a_files_place(one: mini.Miniature, tmp_path: Path) -> None:
    for path in each_file(one, tmp_path):
        data = path.read_bytes()
        path.unlink()
        path.mkdir()
        mutations.examine(one.format_name, tmp_path)
        mutations.examine(None, tmp_path)
        path.rmdir()
        path.write_bytes(data)


@EACH
def test_file_names_that_are_not_utf8(one: mini.Miniature, tmp_path: Path) -> None:
    """Their faults could not be written into a report."""
    for folder in {path.parent for path in each_file(one, tmp_path)}:
        for suffix in (".png", ".txt", ".xml", ".json", ".tar", ".parquet", ".yaml"):
            Path(os.fsdecode(os.fsencode(folder) + b"/\xff" + suffix.encode())).write_bytes(b"0 0.5 0.5 0.1 0.1")
    assert mutations.examine(one.format_name, tmp_path) in ("read", "refused")


def coco_with(tmp_path: Path, **changes: Any) -> Path:
    mini.coco(tmp_path)
    file = tmp_path / "annotations/instances_train.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return tmp_path


@pytest.mark.parametrize("box", [[0, 0, 1e308, 5], [-1e308, 0, 1e308, 5], [1e39, 0, 1e39, 5], [0, 0, 3.5e38, 3.5e38]])
def test_corners_beyond_float32(tmp_path: Path, box: list[float]) -> None:
    """numpy warned of an overflow."""
    root = coco_with(tmp_path, annotations=[{"id": 1, "image_id": 1, "category_id": 7, "bbox": box}])
    assert len(mini.read("coco", root).set_aside) > 0


@pytest.mark.parametrize("names", [["\ud800"], [{"id": 7, "name": "\ud800"}], [{"id": 7, "name": "gun"}, {"id": 3, "name": "a\udfffb"}]])
def test_half_a_character_as_a_coco_class(tmp_path: Path, names: list[Any]) -> None:
    with pytest.raises(ThreatrayError):
        mini.read("coco", coco_with(tmp_path, categories=names))


def test_yaml_as_large_as_it_may_be_takes_seconds_not_minutes(tmp_path: Path) -> None:
    mini.yolo_ultralytics(tmp_path)
    (tmp_path / "data.yaml").write_bytes(b"names:\n" + b"- a\n" * 49_000)
    with mutations.no_hang(15):
        assert mutations.examine("yolo", tmp_path) in ("read", "refused")
    (tmp_path / "data.yaml").write_bytes(b"names:\n" + b"- a\n" * 50_000)
    assert mutations.examine("yolo", tmp_path) == "refused"


@EACH
def test_a_png_that_is_all_mark_and_end(one: mini.Miniature, tmp_path: Path) -> None:
    """Seed 10421 of the image folder: the look at the header read beyond the file."""
    for path in each_file(one, tmp_path):
        if path.suffix == ".png":
            path.write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00IEND\xaeB`")
    mutations.examine(one.format_name, tmp_path)
