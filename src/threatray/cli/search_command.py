"""``threatray search``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from threatray.cli.common import Common
from threatray.cli.data_options import DataOptions
from threatray.pipeline.stages.search_stage import SearchConfig
from threatray.pipeline.stages.search_stage import search as search_stage


def search(
    *,
    split: Path,
    signatures: Path,
    library: Path,
    out: Path = Path("search"),
    data: DataOptions = DataOptions(),
    config: Annotated[SearchConfig, Parameter(name="*")] = SearchConfig(),
    common: Common = Common(),
) -> int:
    """Find the synthetic multiple that serves a detector best, on the validation part alone.

    Successive halving: every multiple on a small budget, the better half on twice as much. The test part is not opened.

    Args:
        split: Folder of ``threatray split``.
        signatures: Folder of ``threatray signatures``, for the sizes and places of real threats.
        library: The signature library to project from.
        out: Folder to make: search.json, and the plan and composites of each multiple.
        data: The datasets that were split.
        config: What is tried.
    """
    return common.finish(out, search_stage(config, data.taxonomy, data.datasets, split, signatures, library, out, common.run()))
