"""``threatray init``."""

from __future__ import annotations

from pathlib import Path

from threatray.cli.common import Common
from threatray.core.files import write_text
from threatray.datasets.taxonomy import SHIPPED
from threatray.errors import ConfigError
from threatray.pipeline.project import TEMPLATE


def init(project: Path | None = None, /, *, taxonomy: Path | None = None, common: Common = Common()) -> int:
    """Write a project file to fill in, or the shipped taxonomy to change.

    Args:
        project: The file; an existing one is never overwritten. project.toml if nothing is given.
        taxonomy: Write the shipped taxonomy of threats here instead: what the labels of all public datasets mean.
    """
    wanted = {taxonomy: SHIPPED.read_text(encoding="utf-8")} if taxonomy is not None else {}
    if project is not None or taxonomy is None:
        wanted[project or Path("project.toml")] = TEMPLATE
    for path in wanted:
        if path.exists():
            raise ConfigError(f"{path}: exists already; nothing was written. Choose another name.")
    for path, text in wanted.items():
        write_text(path, text)
    written = project or (taxonomy if taxonomy is not None else Path("project.toml"))
    advice = f"fill in [data], then: threatray run {written}"
    if project is None and taxonomy is not None:
        advice = f'change it, then name it in a project ([data] taxonomy = "{taxonomy}") or on the command line (--taxonomy {taxonomy})'
    common.print_result({"stage": "init", "out": written.as_posix(), "summary": {"next": advice}})
    return 0
