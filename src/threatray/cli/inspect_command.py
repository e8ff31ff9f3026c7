"""``threatray inspect``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from threatray.cli.common import Common
from threatray.cli.data_options import DataOptions
from threatray.pipeline.sources import Role
from threatray.pipeline.stages.inspect_stage import InspectConfig
from threatray.pipeline.stages.inspect_stage import inspect as inspect_stage


def inspect(
    dataset: Path,
    /,
    *,
    out: Path = Path("inspection"),
    format: str | None = None,
    data: DataOptions = DataOptions(),
    config: Annotated[InspectConfig, Parameter(name="*")] = InspectConfig(),
    common: Common = Common(),
) -> int:
    """Count what is in a dataset: classes, sizes, scanners, copies, known traps, faults; as a page and as JSON.

    Args:
        dataset: Folder or annotation file; its format is detected, and said.
        out: Folder to make: inspect.html, inspect.json. The page holds thumbnails of your images.
        format: The dataset's format, if it shall not be detected.
        data: Further datasets to look at beside it, and what labels mean.
        config: What is looked at; --no-pixels counts annotations only.
    """
    datasets: dict[Role, Path] = {Role.LABELLED: dataset}
    datasets |= {role: path for role, path in data.datasets.items() if role is not Role.LABELLED}
    return common.finish(out, inspect_stage(data.taxonomy, datasets, out, common.run(), format_name=format, config=config))
