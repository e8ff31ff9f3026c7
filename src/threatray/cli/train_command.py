"""``threatray train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from threatray.cli.common import Common
from threatray.pipeline.stages.train_stage import train as train_stage
from threatray.pipeline.together import writes
from threatray.synthesis.config import TrainConfig


def train(
    *,
    photos: Path,
    signatures: Path,
    out: Path = Path("training"),
    start_from: Path | None = None,
    config: Annotated[TrainConfig, Parameter(name="*")] = TrainConfig(),
    common: Common = Common(),
) -> int:
    """Train a CycleGAN from photo crops (A) to X-ray signatures (B).

    On several GPUs or machines: ``torchrun --nproc-per-node 2 -m threatray train ...`` trains on shares of every batch.

    Ctrl-C saves; the same command goes on from there and ends with the same bytes as an undisturbed training.

    Args:
        photos: Folder of ``threatray photos``, or one with trainA as CycleGAN code reads it.
        signatures: Folder of ``threatray signatures``, or one with trainB; may be the same.
        out: Folder to make: checkpoint.pt, history.jsonl, samples/.
        start_from: Folder with latest_net_G_A.pth, latest_net_G_B.pth and, if at hand, D_A and D_B of the CycleGAN code: training
            goes on from these networks. Their recipe is: --batch-size 1 --lr-generators 2e-4 --lr-discriminators 2e-4
            --weights.lambda-cycle-a 10 --weights.lambda-cycle-b 10 --weights.lambda-identity 0.5 --weights.no-covered-patches.
        config: Networks, losses, length.
    """
    manifest = train_stage(config, photos, signatures, out, common.run(), start_from)
    return common.finish(out, manifest) if writes() else 0
