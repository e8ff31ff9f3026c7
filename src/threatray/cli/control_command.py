"""``threatray control``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from threatray.cli.common import Common
from threatray.cli.data_options import DataOptions
from threatray.pipeline.stages.control_stage import ControlConfig
from threatray.pipeline.stages.control_stage import control as control_stage


def control(
    composites: Path,
    /,
    *,
    photos: Path,
    library: Path,
    out: Path = Path("control"),
    data: DataOptions = DataOptions(),
    config: Annotated[ControlConfig, Parameter(name="*")] = ControlConfig(),
    common: Common = Common(),
) -> int:
    """Make the control arm of a set of composites: the same photos at the same places, pasted instead of projected.

    Args:
        composites: Folder of ``threatray compose``, made of translated signatures.
        photos: Folder of ``threatray photos``.
        library: The signature library that the composites were made from.
        out: Folder to make: annotations.json, images/.
        data: The datasets that hold the bags.
        config: Which way of pasting.
    """
    return common.finish(out, control_stage(config, data.taxonomy, data.datasets, composites, photos, library, out, common.run()))
