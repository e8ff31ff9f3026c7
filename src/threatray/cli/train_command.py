"""``threatray train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from threatray.cli.common import Common
from threatray.pipeline.stages.train_stage import train as train_stage
from threatray.synthesis.config import TrainConfig


def train(
    *,
    photos: Path,
    signatures: Path,
    out: Path = Path("training"),
    config: Annotated[TrainConfig, Parameter(name="*")] = TrainConfig(),
    common: Common = Common(),
) -> int:
    """Train a translator (CycleGAN, CUT, FastCUT) from photo crops (A) to X-ray signatures (B).

    Ctrl-C saves; the same command goes on from there and ends with the same bytes as an undisturbed training.

    Args:
        photos: Folder of ``threatray photos``.
        signatures: Folder of ``threatray signatures``.
        out: Folder to make: checkpoint.pt, history.jsonl, samples/.
        config: Networks, losses, length.
    """
    return common.finish(out, train_stage(config, photos, signatures, out, common.run()))
