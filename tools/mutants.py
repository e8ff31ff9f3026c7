"""Apply deliberate faults one at a time to a copy of the source; each must turn its named test red.

The faults are in ``tests/mutants/``, a file a package: name, file, the exact old text (which must occur once), the new text, and the
test that has to notice. Usage: ``python tools/mutants.py [NAME ...] [--jobs N]``.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run_mutant(mutant: dict[str, str]) -> str | None:
    """None if the fault was noticed, else what is wrong."""
    path = Path(mutant["file"])
    text = (ROOT / path).read_text()
    if text.count(mutant["old"]) != 1:
        return f"the old text occurs {text.count(mutant['old'])} times in {path}, expected once"
    with tempfile.TemporaryDirectory() as scratch:
        shutil.copytree(ROOT / "src", Path(scratch) / "src", ignore=shutil.ignore_patterns("__pycache__"))
        (Path(scratch) / path).write_text(text.replace(mutant["old"], mutant["new"]))
        environment = {**os.environ, "PYTHONPATH": str(Path(scratch) / "src"), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", mutant["test"]]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode == 1:
        return None
    tail = (done.stdout + done.stderr).strip().splitlines()[-1:]
    return f"survived: {mutant['test']} exited {done.returncode} {tail}"


def main() -> int:
    """Run the named mutants, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    files = sorted((ROOT / "tests" / "mutants").glob("*.toml"))
    mutants = [mutant for file in files for mutant in tomllib.loads(file.read_text())["mutant"]]
    chosen = [mutant for mutant in mutants if not options.names or mutant["name"] in options.names]
    failures = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        for mutant, fault in zip(chosen, pool.map(run_mutant, chosen), strict=True):
            print(f"{'ok  ' if fault is None else 'FAIL'} {mutant['name']}" + (f": {fault}" if fault else ""), flush=True)
            failures += fault is not None
    print(f"{len(chosen) - failures} passed, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
