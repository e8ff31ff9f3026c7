"""The phantom's scanner against gVirtualXray, in a process of its own: it needs OpenGL and prints as it likes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gvxr_check.py"


@pytest.mark.reference
@pytest.mark.slow
@pytest.mark.parametrize("family", ["gun", "knife", "bottle"])
def test_attenuations_are_those_of_an_independent_simulator(tmp_path: Path, family: str) -> None:
    probe = subprocess.run([sys.executable, "-c", "from gvxrPython3 import gvxr"], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip(f"gvxr does not import ({probe.stderr.strip().splitlines()[-1]}): pip install gvxr, and see {SCRIPT.name}")
    command = [sys.executable, str(SCRIPT), "--families", family, "--json", str(tmp_path / "found.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = json.loads((tmp_path / "found.json").read_text())
    assert len(rows) == 6, "four single energies and the two channels of the sandwich detector"
    for row in rows:
        assert row["pixels"] > 1_000
        assert row["median"] < 0.01, row
        assert row["p95"] < 0.01, row
        assert abs(row["total"]) < 0.01, row
