"""Train toys in a process that is killed at its n-th change of the disk, again and again, each time a little later.

``python killed_training.py PHOTOS SIGNATURES OUT KILLS``: with KILLS 1 the same folder is trained by one child after the other, the n-th of
which dies before it replaces or removes its n-th file, until one comes to the end; with 0 nothing is killed. Prints how many died. The
first attempt always ends in drawing nothing, so that the start afresh is killed too.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from threatray.pipeline import examination
from threatray.pipeline.progress import Progress
from threatray.pipeline.stage import Run
from threatray.pipeline.stages.train_stage import train
from threatray.synthesis import health
from threatray.synthesis.config import TrainConfig
from threatray.synthesis.validation import ValidationConfig

SEED = 5
CONFIG = TrainConfig(
    size=16, steps=8, batch_size=2, pool_size=2, checkpoint_every=3, sample_every=4, validation=ValidationConfig(every=2, share=0.25)
)


def look(self: Any, model: Any, step: int) -> None:
    if model.seed == SEED and step == 5:
        raise health.StoppedDrawingError(step, 0.0)


def dies_at(number: int) -> None:
    """Count replacing and removing; die before the n-th."""
    count = 0

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def changed(*given: Any, **named: Any) -> Any:
            nonlocal count
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return change(*given, **named)

        return changed

    Path.replace = counted(Path.replace)  # type: ignore[method-assign]
    Path.unlink = counted(Path.unlink)  # type: ignore[method-assign]
    shutil.rmtree = counted(shutil.rmtree)


def main(photos: Path, signatures: Path, out: Path, kills: bool) -> int:
    examination._ENCODER_STEPS = 2  # type: ignore[misc]
    health.DrawingHealth.look = look  # type: ignore[method-assign]
    number = 0
    while True:
        number += 1
        child = os.fork()
        if child == 0:
            if kills:
                dies_at(number)
            train(replace(CONFIG), photos, signatures, out, Run(seed=SEED, progress=Progress(quiet=True), workers=1))
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == 0:
            sys.stdout.write(f"{number - 1}\n")
            return 0
        if code != -signal.SIGKILL:
            return 1


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:4]), sys.argv[4] == "1"))
