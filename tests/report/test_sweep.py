from __future__ import annotations

import json
from pathlib import Path

from threatray.core.files import read_json, write_json
from threatray.report.data import build
from threatray.report.folder import RunFolder
from threatray.report.html import render
from threatray.report.sweep import build_sweep


def test_the_sentence_says_where_it_pays_and_where_it_stops(run_folder: Path) -> None:
    found = build_sweep(RunFolder(run_folder))
    assert found is not None
    assert (
        "FPR at TPR 0.94: better at 10, no effect shown at 30 and all; AP50: better at 10, worse at all, no effect shown at 30."
        in found.lead
    )


def test_every_overall_figure_is_in_the_table_and_classes_are_not(run_folder: Path) -> None:
    rows = [row for row in read_json(run_folder / "sweep" / "sweep.json")["rows"] if "/" not in row["measure"]]
    found = build_sweep(RunFolder(run_folder))
    assert found is not None
    assert sorted(row[6].value or 0.0 for row in found.table.rows) == sorted(row["value"] for row in rows)
    assert [row[1].text for row in found.table.rows[:6:2]] == ["10", "30", "all"]


def test_each_arm_is_a_line_with_a_point_at_each_number(run_folder: Path) -> None:
    found = build_sweep(RunFolder(run_folder))
    assert found is not None
    assert [plot.counts for plot in found.plots] == [("10", "30", "all")] * 2
    assert {name: [one.name for one in line] for name, line in found.plots[0].lines.items()} == {
        f"synthesis transformation x{multiple}": ["10", "30", "all"] for multiple in (1, 4)
    }


def test_the_folder_of_a_sweep_is_a_report_of_its_own(tmp_path: Path, run_folder: Path) -> None:
    (tmp_path / "photos").symlink_to(run_folder / "photos")
    write_json(tmp_path / "sweep.json", read_json(run_folder / "sweep" / "sweep.json"))
    page = render(build(tmp_path))
    assert '<section id="sweep">' in page
    assert 'href="#sweep"' in page
    (tmp_path / "sweep.json").unlink()
    assert "#sweep" not in render(build(tmp_path))


def test_names_in_the_file_stay_text_and_unknown_ends_are_said(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    row = {"real_count": 3, "arm": "<script>x", "against": "b", "measure": "ap50", "value": 0.1, "low": None, "high": None}
    (tmp_path / "sweep.json").write_text(json.dumps({"rows": [row]}))
    page = render(build(tmp_path))
    assert "&lt;script&gt;x" in page
    assert "<script>x" not in page
