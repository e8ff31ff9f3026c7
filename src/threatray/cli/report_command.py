"""``threatray report``."""

from __future__ import annotations

from pathlib import Path

from threatray.cli.common import Common
from threatray.pipeline.stages.report_stage import REPORT_FILE
from threatray.pipeline.stages.report_stage import report as report_stage


def report(folder: Path, /, *, out: Path | None = None, common: Common = Common()) -> int:
    """Write the report of a run as one HTML file.

    Args:
        folder: The folder that ``threatray run`` or ``threatray demo`` made.
        out: Folder to make; FOLDER/report if not given.
    """
    place = folder / "report" if out is None else out
    made = report_stage(folder, place, common.run())
    return common.finish(place / REPORT_FILE, made)
