"""From a run folder to a page on disk."""

from __future__ import annotations

from pathlib import Path

from threatray.core.files import write_text
from threatray.report.data import ReportData, build
from threatray.report.html import render


def write_report(run_folder: Path, out_html: Path) -> ReportData:
    """Build the report of a run folder and write it, whole or not at all.

    Args:
        run_folder: The folder that ``threatray demo`` or ``threatray run`` made; stages may be absent.
        out_html: The file to write.

    Returns:
        What the page shows.

    Raises:
        DataError: Not a run folder, or a stage's file is broken.
    """
    data = build(run_folder)
    write_text(out_html, render(data))
    return data
