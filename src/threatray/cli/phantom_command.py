"""``threatray phantom``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from threatray.cli.common import Common
from threatray.phantom.dataset import PhantomConfig
from threatray.pipeline.stages.phantom_stage import phantom as phantom_stage


def phantom(
    *, out: Path = Path("phantom"), config: Annotated[PhantomConfig, Parameter(name="*")] = PhantomConfig(), common: Common = Common()
) -> int:
    """Make scans, benign bags, photos and a test set with the embedded scanner and camera.

    Args:
        out: Folder to make: scans/, benign/, validation/, test/, photos/, truth/.
        config: How many of what.
    """
    return common.finish(out, phantom_stage(config, out, common.run()))
