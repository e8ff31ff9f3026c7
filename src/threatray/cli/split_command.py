"""``threatray split``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from threatray.cli.common import Common
from threatray.cli.data_options import DataOptions
from threatray.errors import ConfigError
from threatray.pipeline.sources import Role
from threatray.pipeline.stages.split_stage import SplitConfig
from threatray.pipeline.stages.split_stage import split as split_stage


def split(
    dataset: Path | None = None,
    /,
    *,
    out: Path = Path("split"),
    data: DataOptions = DataOptions(),
    config: Annotated[SplitConfig, Parameter(name="*")] = SplitConfig(),
    common: Common = Common(),
) -> int:
    """Split scans and bags into training, validation and test, never cutting a bag.

    Args:
        dataset: The labelled dataset, as --labelled.
        out: Folder to make: split.json, and split.txt, which says what is where.
        data: The datasets; --benign, and validation and test sets of your own.
        config: Shares, and what is kept together.
    """
    datasets = data.datasets if dataset is None else {**data.datasets, Role.LABELLED: dataset}
    if Role.LABELLED not in datasets:
        raise ConfigError("split: name the labelled dataset: threatray split DATASET, or --labelled DATASET.")
    return common.finish(out, split_stage(config, data.taxonomy, datasets, out, common.run()))
