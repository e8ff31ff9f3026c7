from __future__ import annotations

from pathlib import Path

import pytest

from threatray.errors import DataError
from threatray.report.folder import RunFolder


def test_a_folder_without_stages_is_refused_with_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no stage folder; expected at least one of phantom, inspect, split, photos"):
        RunFolder(tmp_path)
    with pytest.raises(DataError, match="is not a folder"):
        RunFolder(tmp_path / "nowhere")


def test_absent_files_read_as_absent_and_broken_ones_are_named(tmp_path: Path) -> None:
    (tmp_path / "plan").mkdir()
    folder = RunFolder(tmp_path)
    assert folder.record("plan/plan.json") is None
    assert folder.lines("train/history.jsonl") == []
    assert len(folder.library("signatures")) == 0
    (tmp_path / "plan" / "plan.json").write_text("{")
    with pytest.raises(DataError, match=r"plan.json, line 1, column 2: not valid JSON"):
        folder.record("plan/plan.json")
    (tmp_path / "plan" / "plan.json").write_text("[1]")
    with pytest.raises(DataError, match="expected a JSON object, got list"):
        folder.record("plan/plan.json")


def test_a_line_cut_off_by_a_kill_is_left_out_but_a_broken_line_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    history = tmp_path / "train" / "history.jsonl"
    history.write_text('{"step": 1}\n{"st')
    assert RunFolder(tmp_path).lines("train/history.jsonl") == [{"step": 1}]
    history.write_text('{"st\n{"step": 1}\n')
    with pytest.raises(DataError, match=r"history.jsonl, line 1: not valid JSON"):
        RunFolder(tmp_path).lines("train/history.jsonl")


def test_a_picture_outside_the_run_folder_is_not_shown(run_folder: Path, tmp_path: Path) -> None:
    photo = next((run_folder / "photos" / "gun").glob("*.png"))
    (tmp_path / "secret.png").write_bytes(photo.read_bytes())
    (tmp_path / "run" / "photos").mkdir(parents=True)
    (tmp_path / "run" / "photos" / "own.png").write_bytes(photo.read_bytes())
    folder = RunFolder(tmp_path / "run")
    assert folder.pixels("photos/own.png") is not None
    assert folder.pixels("photos/../../secret.png") is None
