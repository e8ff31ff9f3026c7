"""``threatray signatures``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from threatray.cli.common import Common
from threatray.cli.data_options import DataOptions
from threatray.pipeline.stages.signatures_stage import SignaturesConfig
from threatray.pipeline.stages.signatures_stage import signatures as signatures_stage


def signatures(
    *,
    split: Path,
    out: Path = Path("signatures"),
    data: DataOptions = DataOptions(),
    config: Annotated[SignaturesConfig, Parameter(name="*")] = SignaturesConfig(),
    common: Common = Common(),
) -> int:
    """Isolate threat signatures from labelled scans.

    Args:
        split: Folder of ``threatray split``.
        out: Folder to make.
        data: The datasets that were split.
        config: How threats are isolated.
    """
    return common.finish(out, signatures_stage(config, data.taxonomy, data.datasets, split, out, common.run()))
