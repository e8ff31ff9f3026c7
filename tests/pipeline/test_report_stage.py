"""The report stage: one page from a run's stages, and the same stage again whichever command asks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from threatray.core.manifest import RunManifest
from threatray.errors import DataError
from threatray.pipeline.progress import Progress
from threatray.pipeline.stage import Outcome, Run, run_stage
from threatray.pipeline.stages.report_stage import ReportConfig, report

RUN = Run(seed=7, progress=Progress(quiet=True), workers=1)


def finish(folder: Path, name: str, seed: int) -> None:
    run_stage(name, ReportConfig(), {}, folder / name, replace(RUN, seed=seed), lambda work: Outcome({}))


def test_reporting_a_run_of_another_seed_again_is_the_same_stage(tmp_path: Path) -> None:
    finish(tmp_path, "photos", 7)
    finish(tmp_path, "plan", 7)
    first = report(tmp_path, tmp_path / "report", RUN)
    page = (tmp_path / "report" / "index.html").read_bytes()
    again = report(tmp_path, tmp_path / "report", replace(RUN, seed=0))
    assert again == first == RunManifest.read(tmp_path / "report")
    assert first.seed == 7, "the seed of the run that the page shows"
    assert (tmp_path / "report" / "index.html").read_bytes() == page


def test_stages_of_two_seeds_leave_the_seed_that_was_asked(tmp_path: Path) -> None:
    finish(tmp_path, "photos", 7)
    finish(tmp_path, "plan", 8)
    assert report(tmp_path, tmp_path / "report", replace(RUN, seed=3)).seed == 3


def test_a_folder_without_a_finished_stage_says_so(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(DataError, match="holds no finished stage"):
        report(tmp_path / "run", tmp_path / "run" / "report", RUN)
    assert not (tmp_path / "run" / "report").exists()
