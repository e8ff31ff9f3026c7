"""``threatray photos``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from threatray.cli.common import Common
from threatray.cli.data_options import DataOptions
from threatray.photos.rules import IntakeRules
from threatray.pipeline.stages.photos_stage import photos as photos_stage


def photos(
    folder: Path,
    /,
    *,
    out: Path = Path("crops"),
    masks: Path | None = None,
    data: DataOptions = DataOptions(),
    config: Annotated[IntakeRules, Parameter(name="*")] = IntakeRules(),
    common: Common = Common(),
) -> int:
    """Cut objects out of photos.

    Args:
        folder: Photos, one folder a class.
        out: Folder to make.
        masks: Masks of the photos in the same layout.
        data: --classes and --aliases say which folders count.
        config: Limits.
    """
    return common.finish(out, photos_stage(config, data.taxonomy, folder, out, common.run(), masks=masks))
