"""What the README says is run here, so that it stays true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from threatray.cli.main import COMMANDS
from threatray.pipeline.project import read_project

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [README, *(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md")))]


def blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)


@pytest.mark.parametrize("code", [code for page in PAGES for code in blocks("python", page)])
def test_python_blocks_run(code: str) -> None:
    exec(compile(code, "page", "exec"), {})


@pytest.mark.parametrize("page", PAGES[1:])
def test_settings_on_other_pages_are_valid(page: str, tmp_path: Path) -> None:
    data = '[data]\nlabelled = "scans"\nbenign = "bags"\nphotos = "photos"\n'
    for folder in ("scans", "bags", "photos"):
        (tmp_path / folder).mkdir()
    for text in blocks("toml", page):
        (tmp_path / "project.toml").write_text(data + text)
        read_project(tmp_path / "project.toml")


def test_the_project_file_is_valid(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    (tmp_path / "project.toml").write_text(text)
    for folder in ("scans", "bags", "photos"):
        (tmp_path / folder).mkdir()
    project = read_project(tmp_path / "project.toml")
    assert project.data.classes == ("gun", "knife")
    assert project.seed == 7


def test_every_command_shown_exists() -> None:
    shown = {name for page in PAGES for name in re.findall(r"^threatray (\w+)", "\n".join(blocks("sh", page)), re.MULTILINE)}
    assert shown
    assert shown <= set(COMMANDS)


def test_every_local_link_and_picture_is_there() -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", README)
    assert targets
    for target in targets:
        if not target.startswith("http"):
            assert (Path(__file__).parents[1] / target).is_file(), target
