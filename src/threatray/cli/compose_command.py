"""``threatray compose``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from threatray.cli.common import Common
from threatray.cli.data_options import DataOptions
from threatray.pipeline.stages.compose_stage import OutputConfig
from threatray.pipeline.stages.compose_stage import compose as compose_stage
from threatray.tip.draw import ComposeConfig


def compose(
    *,
    plan: Path,
    signatures: Path,
    library: Path,
    out: Path = Path("composites"),
    data: DataOptions = DataOptions(),
    config: Annotated[ComposeConfig, Parameter(name="*", group="Placement")] = ComposeConfig(),
    output: Annotated[OutputConfig, Parameter(name="*", group="Output")] = OutputConfig(),
    common: Common = Common(),
) -> int:
    """Project signatures into benign bags and write a labelled dataset (COCO).

    Args:
        plan: Folder of ``threatray plan``.
        signatures: Folder of ``threatray signatures``, for the places of real threats.
        library: The signature library that the plan was made with.
        out: Folder to make: annotations.json, images/, composites.jsonl, refused.json.
        data: The datasets that hold the bags.
        config: How threats are put into bags.
        output: What is written.
    """
    made = compose_stage(config, data.taxonomy, data.datasets, plan, signatures, library, out, common.run(), output)
    return common.finish(out, made)
