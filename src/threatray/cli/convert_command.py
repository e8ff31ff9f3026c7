"""``threatray convert``."""

from __future__ import annotations

from pathlib import Path

from threatray.cli.common import Common
from threatray.pipeline.stages.convert_stage import convert as convert_stage


def convert(dataset: Path, /, *, to: str, out: Path, format: str | None = None, common: Common = Common()) -> int:
    """Write a dataset in another format; what that format has no place for is counted and said.

    Args:
        dataset: Folder or annotation file; its format is detected.
        to: The format to write, such as coco or voc; a wrong word lists them all.
        out: Folder to make.
        format: The dataset's own format, if it shall not be detected.
    """
    return common.finish(out, convert_stage(dataset, to, out, common.run(), format_name=format))
