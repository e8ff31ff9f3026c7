"""``threatray run``."""

from __future__ import annotations

from pathlib import Path

from threatray.cli.common import Common
from threatray.cli.whole_way import finish_whole_way
from threatray.core.files import write_text
from threatray.pipeline.project import read_project
from threatray.pipeline.whole_way import run_project


def run(project: Path, /, *, out: Path = Path("run"), common: Common = Common()) -> int:
    """Run the whole way on your own scans and photos, as a project file says.

    Every finished stage is kept: interrupt it, and the same command goes on.

    Args:
        project: The project file; ``threatray init`` writes one.
        out: The run folder.
    """
    chosen = read_project(project)
    write_text(out / "project.toml", project.read_text(encoding="utf-8"))  # beside the stages, so that the report can show it
    return finish_whole_way(run_project(chosen, out, common.run(seed=chosen.seed)), common)
