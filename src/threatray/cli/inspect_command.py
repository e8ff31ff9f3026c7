"""``threatray inspect``."""

from __future__ import annotations

from pathlib import Path

from threatray.cli.common import Common
from threatray.cli.data_options import DataOptions
from threatray.pipeline.sources import Role
from threatray.pipeline.stages.inspect_stage import inspect as inspect_stage


def inspect(
    dataset: Path,
    /,
    *,
    out: Path = Path("inspection"),
    format: str | None = None,
    data: DataOptions = DataOptions(),
    common: Common = Common(),
) -> int:
    """Count what is in a dataset: classes, sizes, duplicates, faults, imbalance.

    Args:
        dataset: Folder or annotation file; its format is detected.
        out: Folder to make.
        format: coco, voc or image_folder, if it shall not be detected.
        data: Further datasets to count beside it, and what labels mean.
    """
    datasets = {**data.datasets, Role.LABELLED: dataset}
    return common.finish(out, inspect_stage(data.taxonomy, datasets, out, common.run(), format_name=format))
