"""One HTML file that shows everything a run found."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from threatray.core.files import write_text
from threatray.core.manifest import MANIFEST_NAME, RunManifest
from threatray.errors import DataError
from threatray.pipeline.stage import Outcome, Run, run_stage
from threatray.report.dataset_card import CARD_FILE, dataset_card
from threatray.report.folder import RunFolder
from threatray.report.hero import write_hero_strip
from threatray.report.sweep import SWEEP_FILES
from threatray.report.write import write_report

REPORT_FILE: Final = "index.html"
STRIP_FILE: Final = "strip.png"


@dataclass(frozen=True)
class ReportConfig:
    """Nothing to choose yet; the report shows what the run folder holds."""


def report(folder: Path, out: Path, run: Run) -> RunManifest:
    """Write ``index.html``, ``strip.png`` (photo to composite) and the composites' ``dataset_card.md`` from the stages of a run folder.

    The folder of ``threatray sweep`` is one too; beside a run, a sweep belongs in its folder ``sweep``.

    Raises:
        DataError: The folder holds no finished stage.
    """
    stages = {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{MANIFEST_NAME}")) if path.parent.resolve() != out.resolve()}
    if not stages:
        raise DataError(f"{folder}: holds no finished stage (no */{MANIFEST_NAME}). Give the folder that `threatray run` or `demo` made.")

    # Nothing is drawn here: the report bears the seed of the run that it shows, so that `threatray report FOLDER` is the same stage again.
    seeds = {RunManifest.read(path).seed for path in stages.values()}
    run = replace(run, seed=seeds.pop()) if len(seeds) == 1 else run

    def body(work: Path) -> Outcome:
        data = write_report(folder, work / REPORT_FILE)
        if (card := dataset_card(RunFolder(folder), data)) is not None:
            write_text(work / CARD_FILE, card)
        if "translate" in stages:
            write_hero_strip(folder, work / STRIP_FILE)
        return Outcome({"stages": sorted(stages)})

    swept = next((folder / name for name in SWEEP_FILES if (folder / name).is_file()), None)
    inputs = stages if swept is None else stages | {"sweep": swept}
    return run_stage("report", ReportConfig(), inputs, out, run, body)
