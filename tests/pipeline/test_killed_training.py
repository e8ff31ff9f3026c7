"""A training that is killed wherever it changes the disk, and between two attempts, ends with the bytes of one that was left alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from toy_libraries import write_toys

pytestmark = pytest.mark.slow

DRIVER = Path(__file__).parents[1] / "support" / "killed_training.py"


def trained(libraries: tuple[Path, Path], out: Path, kills: int) -> tuple[int, dict[str, bytes]]:
    words = [sys.executable, str(DRIVER), *map(str, libraries), str(out), str(kills)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    files = {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}
    return int(done.stdout), files


def test_a_kill_at_any_change_of_the_disk_changes_no_byte(tmp_path: Path) -> None:
    libraries = write_toys(tmp_path, {"hammer": 8, "bar": 8}, {"hammer": 8, "bar": 8})
    none, expected = trained(libraries, tmp_path / "left_alone", 0)
    died, got = trained(libraries, tmp_path / "killed", 1)
    assert none == 0
    assert died >= 12
    assert json.loads(expected["given_up.json"])[0]["step"] == 5
    assert {"best.pt", "checkpoint.pt", "checkpoint_previous.pt", "validation.jsonl", "health.json"} <= set(expected)
    assert set(got) == set(expected)
    assert [name for name in expected if got[name] != expected[name]] == []
