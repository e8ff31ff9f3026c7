"""``threatray plan``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from threatray.balance.plan import PlanConfig
from threatray.cli.common import Common
from threatray.cli.data_options import DataOptions
from threatray.pipeline.stages.plan_stage import plan as plan_stage


def plan(
    *,
    split: Path,
    signatures: Path,
    library: Path,
    out: Path = Path("plan"),
    data: DataOptions = DataOptions(),
    config: Annotated[PlanConfig, Parameter(name="*", group="Plan")] = PlanConfig(),
    common: Common = Common(),
) -> int:
    """Decide how many composites of which class are needed, from which signature, into which bag.

    Args:
        split: Folder of ``threatray split``.
        signatures: Folder of ``threatray signatures``, for the sizes of real threats.
        library: Signatures to project: ``translated/accepted``, or the folder of ``threatray signatures``.
        out: Folder to make: plan.json, which you may edit, and plan.txt.
        data: The datasets that were split.
        config: What to reach.
    """
    return common.finish(out, plan_stage(config, data.taxonomy, data.datasets, split, signatures, library, out, common.run()))
