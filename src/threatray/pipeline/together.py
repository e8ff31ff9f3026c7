"""A stage that several processes of torchrun work on: process 0 makes the folder, the others compute beside it and keep nothing."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from threatray.core.manifest import RunManifest
from threatray.pipeline.stage import Outcome

Body = Callable[[Path], Outcome]


def one_of_several() -> bool:
    """Whether torchrun started this process among others; asks no torch."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def writes() -> bool:
    """Whether this process is the one that writes and prints."""
    return os.environ.get("RANK", "0") == "0" or not one_of_several()


def run_together(run: Callable[[Body], RunManifest], body: Body, out: Path) -> RunManifest:
    """Carry out a stage's body in all processes.

    Args:
        run: Runs a body as the stage; called in process 0 alone.
        body: What all of them do; it must do the same in each.
        out: The stage's folder, on a disk that all of them see.

    Returns:
        The manifest, in every process.
    """
    from threatray.synthesis.distributed import rank, tell, wait_for_all

    if rank():
        begun = tell(None)
        if begun:
            with tempfile.TemporaryDirectory(prefix="threatray-") as scratch:
                work = Path(scratch) / "work"
                shutil.copytree(begun, work)  # what was done before a kill, so that all go on from there
                wait_for_all()
                body(work)
        tell(None)
        return RunManifest.read(out)
    called = False

    def first(work: Path) -> Outcome:
        nonlocal called
        called = True
        tell(str(work))
        wait_for_all()
        return body(work)

    manifest = run(first)
    if not called:
        tell("")
    tell("done")
    return manifest
