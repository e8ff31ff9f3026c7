from __future__ import annotations

import re
import shutil
from pathlib import Path

from threatray.report.data import build
from threatray.report.folder import RunFolder
from threatray.report.repeat import build_repeat
from threatray.report.write import write_report


def test_gives_the_command_with_the_seed_of_the_run(own_run: Path) -> None:
    assert build_repeat(RunFolder(own_run)).commands.startswith("threatray demo --seed 7 ")
    shutil.rmtree(own_run / "phantom")
    assert build_repeat(RunFolder(own_run)).commands.startswith("threatray run project.toml --seed 7 ")


def test_lists_versions_inputs_and_settings_of_every_stage(run_folder: Path) -> None:
    found = build_repeat(RunFolder(run_folder))
    assert [[cell.text for cell in row] for row in found.versions.rows] == [["numpy", "2.3.0"], ["threatray", "0.1.0"]]
    assert {row[2].text for row in found.inputs.rows} == {"ab" * 32}
    assert len(found.stages) == 11
    assert '"steps": 600' in found.stages[0].settings
    assert found.missing == ()


def test_names_the_stages_that_did_not_finish(own_run: Path) -> None:
    (own_run / "score" / "manifest.json").unlink()
    assert build_repeat(RunFolder(own_run)).missing == ("score",)


def test_limits_are_those_of_the_run(own_run: Path) -> None:
    assert any("2 training seeds" in one for one in build(own_run).limits)
    assert any("embedded phantom" in one for one in build(own_run).limits)
    shutil.rmtree(own_run / "phantom")
    shutil.rmtree(own_run / "uplift")
    limits = build(own_run).limits
    assert any("No detector was trained" in one for one in limits)
    assert not any("embedded phantom" in one for one in limits)


def test_a_print_leaves_out_the_settings_of_every_stage(run_folder: Path, tmp_path: Path) -> None:
    write_report(run_folder, tmp_path / "index.html")
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    opened = re.findall(r'<details class="print"><summary>([^<]*)', page)
    assert not [name for name in opened if "seed" in name], "settings are opened on paper"
    assert re.search(r"<details><summary>\w+ \(seed \d+\)", page), "no settings at all"
