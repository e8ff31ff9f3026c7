"""``threatray sweep``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from threatray.cli.common import Common
from threatray.pipeline.project import read_project
from threatray.pipeline.sweep import SweepConfig, run_sweep


def sweep(
    project: Path,
    /,
    *,
    out: Path = Path("sweep"),
    config: Annotated[SweepConfig, Parameter(name="*")] = SweepConfig(),
    common: Common = Common(),
) -> int:
    """Find out where synthesis stops paying: fewer and more real threats, several synthetic multiples.

    Every finished stage is kept: interrupt it, and the same command goes on. It trains a translator for each number of real
    threats and a detector for each arm and seed, so it takes hours.

    Args:
        project: The project file; ``threatray init`` writes one.
        out: Folder to make: sweep.json, sweep.txt, and a run in real-<count>/ for each number.
        config: The grid.
    """
    chosen = read_project(project)
    found = run_sweep(chosen, config, out, common.run(seed=chosen.seed))
    if common.json:
        common.print_result({"stage": "sweep", "out": found.file.as_posix(), "summary": {"rows": list(found.rows)}})
    else:
        print(f"{found.text}\n\nsweep: {found.file}")  # noqa: T201
    return 0
