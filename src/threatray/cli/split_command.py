"""``threatray split``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from threatray.cli.common import Common
from threatray.cli.data_options import DataOptions
from threatray.pipeline.stages.split_stage import SplitConfig
from threatray.pipeline.stages.split_stage import split as split_stage


def split(
    *,
    out: Path = Path("split"),
    data: DataOptions = DataOptions(),
    config: Annotated[SplitConfig, Parameter(name="*")] = SplitConfig(),
    common: Common = Common(),
) -> int:
    """Split scans and bags into training, validation and test, never cutting a group.

    Args:
        out: Folder to make.
        data: The datasets; --labelled and --benign are needed.
        config: Shares.
    """
    return common.finish(out, split_stage(config, data.taxonomy, data.datasets, out, common.run()))
