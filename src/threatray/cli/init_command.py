"""``threatray init``."""

from __future__ import annotations

from pathlib import Path

from threatray.cli.common import Common
from threatray.core.files import write_text
from threatray.errors import ConfigError
from threatray.pipeline.project import TEMPLATE


def init(project: Path = Path("project.toml"), /, *, common: Common = Common()) -> int:
    """Write a project file to fill in.

    Args:
        project: The file; an existing one is never overwritten.
    """
    if project.exists():
        raise ConfigError(f"{project}: exists already; nothing was written. Choose another name.")
    write_text(project, TEMPLATE)
    common.print_result({"stage": "init", "out": project.as_posix(), "summary": {"next": f"fill in [data], then: threatray run {project}"}})
    return 0
