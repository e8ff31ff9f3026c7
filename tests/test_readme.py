"""What the README says is run here, so that it stays true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from threatray.cli.main import COMMANDS
from threatray.pipeline.project import read_project

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", blocks("python"))
def test_python_blocks_run(code: str) -> None:
    exec(compile(code, "README.md", "exec"), {})


def test_the_project_file_is_valid(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    (tmp_path / "project.toml").write_text(text)
    for folder in ("scans", "bags", "photos"):
        (tmp_path / folder).mkdir()
    project = read_project(tmp_path / "project.toml")
    assert project.data.classes == ("gun", "knife")
    assert project.seed == 7


def test_every_command_shown_exists() -> None:
    shown = set(re.findall(r"^threatray (\w+)", "\n".join(blocks("sh")), re.MULTILINE))
    assert shown
    assert shown <= set(COMMANDS)


def test_every_local_link_and_picture_is_there() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert targets
    for target in targets:
        if not target.startswith("http"):
            assert (Path(__file__).parents[1] / target).is_file(), target
