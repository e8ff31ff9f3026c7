"""One HTML file that shows everything a run found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from threatray.core.manifest import MANIFEST_NAME, RunManifest
from threatray.errors import DataError
from threatray.pipeline.stage import Outcome, Run, run_stage
from threatray.report.hero import write_hero_strip
from threatray.report.write import write_report

REPORT_FILE: Final = "index.html"
STRIP_FILE: Final = "strip.png"


@dataclass(frozen=True)
class ReportConfig:
    """Nothing to choose yet; the report shows what the run folder holds."""


def report(folder: Path, out: Path, run: Run) -> RunManifest:
    """Write ``index.html`` and ``strip.png`` (photo to composite) from the stages found in a run folder.

    Raises:
        DataError: The folder holds no finished stage.
    """
    stages = {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{MANIFEST_NAME}")) if path.parent.resolve() != out.resolve()}
    if not stages:
        raise DataError(f"{folder}: holds no finished stage (no */{MANIFEST_NAME}). Give the folder that `threatray run` or `demo` made.")

    def body(work: Path) -> Outcome:
        write_report(folder, work / REPORT_FILE)
        if "translate" in stages:
            write_hero_strip(folder, work / STRIP_FILE)
        return Outcome({"stages": sorted(stages)})

    return run_stage("report", ReportConfig(), stages, out, run, body)
