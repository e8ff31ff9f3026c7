"""``threatray convert`` from the words to the folder, in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from threatray.cli.main import main
from threatray.core.image_file import write_png
from threatray.datasets.formats import read_dataset


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Three images: one with a mask and a level, one with a class but no box, one benign."""
    root = tmp_path / "data"
    for name in "abc":
        write_png(root / "images" / f"{name}.png", np.full((37, 31), 9, np.uint8))
    images = [
        {"id": 1, "file_name": "a.png", "difficulty": "hidden"},
        {"id": 2, "file_name": "b.png", "image_labels": ["총기"]},
        {"id": 3, "file_name": "c.png"},
    ]
    thing = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [2, 1, 4, 3], "segmentation": [[2, 1, 6, 1, 6, 4, 2, 4]]}
    document = {"images": images, "annotations": [thing], "categories": [{"id": 1, "name": "총기"}]}
    (root / "annotations.json").write_text(json.dumps(document))
    return root


def said(capsys: pytest.CaptureFixture[str], *words: str | Path) -> dict[str, Any]:
    assert main([*map(str, words), "--json", "--quiet"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_what_is_lost_is_in_the_output_and_the_manifest(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "voc"
    result = said(capsys, "convert", dataset, "--to", "voc", "--out", out)
    assert result["summary"] == {
        "from": "coco",
        "to": "voc",
        "images": 2,
        "no_place_for": {"masks": {"things": 1, "images": 1}, "difficulty": {"things": 1, "images": 1}},
    }
    assert [one["item"] for one in result["set_aside"]] == ["b"]
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["summary"] == result["summary"]
    assert set(manifest["outputs"]) == {"Annotations/a.xml", "Annotations/c.xml", "JPEGImages/a.png", "JPEGImages/c.png"}
    assert (out / "JPEGImages/a.png").read_bytes() == (dataset / "images/a.png").read_bytes()
    assert [entry.labels for entry in read_dataset(out).entries] == [("총기",), ()]


def test_a_person_reads_what_is_lost(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(dataset), "--to", "voc", "--out", str(tmp_path / "voc"), "--quiet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:4] == ["  from: coco", "  to: voc", "  images: 2"]
    assert lines[4:7] == ["  no_place_for:", "    masks: things 1, images 1", "    difficulty: things 1, images 1"]
    assert lines[7].startswith("  set aside: 1 (reasons in manifest.json), e.g. b: holds a threat without a box")


def test_the_format_can_be_forced(dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = said(capsys, "convert", dataset, "--format", "image_folder", "--to", "coco", "--out", tmp_path / "bare")
    assert (result["summary"]["from"], result["summary"]["images"]) == ("image_folder", 3)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--to", "vco", "--out", "o"], 2, "--to: expected one of"),
        (["--to", "image_folder", "--out", "o"], 2, "got 'image_folder'"),
        (["--to", "voc", "--out", "o", "--format", "vco"], 2, "dataset format: expected one of"),
        (["--to", "voc", "--out", "o", "--format", "voc"], 3, "holds no VOC annotations"),
        (["--to", "voc", "--out", "o", "--strict"], 3, "b: holds a threat without a box"),
        (["--to", "voc", "--out", "data/voc"], 2, "lies inside the dataset"),
        (["--to", "voc", "--out", "data"], 2, "lies inside the dataset"),
    ],
)
def test_a_mistake_leaves_nothing_behind(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], code: int, message: str
) -> None:
    monkeypatch.chdir(dataset.parent)
    before = sorted(path.as_posix() for path in dataset.rglob("*"))
    assert main(["convert", "data", *words]) == code
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert sorted(path.as_posix() for path in dataset.rglob("*")) == before
    assert not (dataset.parent / "o").exists()
    left = [path for path in dataset.parent.rglob(".o.partial/*") if path.name != ".asked.json"]
    assert left == []


def test_what_a_killed_run_left_is_not_taken_for_its_own(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from threatray.datasets import convert as module

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_remove", lambda *_: None)  # a killed process tidies nothing up
    monkeypatch.setattr(module, "lost_in", killed)
    words = ["convert", str(dataset), "--to", "voc", "--out", str(tmp_path / "o"), "--quiet"]
    assert main(words) == 130
    assert (tmp_path / ".o.partial/JPEGImages/a.png").is_file()
    (tmp_path / ".o.partial/JPEGImages/a.png").write_text("half")
    monkeypatch.undo()
    assert main(words) == 0
    assert (tmp_path / "o/JPEGImages/a.png").read_bytes() == (dataset / "images/a.png").read_bytes()
    assert not (tmp_path / ".o.partial").exists()
