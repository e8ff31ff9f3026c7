"""``threatray train``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from threatray.cli.common import Common
from threatray.pipeline.stages.train_stage import train as train_stage
from threatray.pipeline.together import writes
from threatray.pipeline.trackers import TrackerName
from threatray.synthesis.config import TrainConfig


def train(
    *,
    photos: Path,
    signatures: Path,
    out: Path = Path("training"),
    truth: Path | None = None,
    track_with: Annotated[tuple[TrackerName, ...], Parameter(negative="")] = (),
    start_from: Path | None = None,
    config: Annotated[TrainConfig, Parameter(name="*")] = TrainConfig(),
    common: Common = Common(),
) -> int:
    """Train a translator (CycleGAN, CUT, FastCUT) from photo crops (A) to X-ray signatures (B).

    Two generators (gen_ab: photo to X-ray, gen_ba: back) and two PatchGAN discriminators (disc_a judges photos, disc_b X-rays) are
    trained without pairs, as published by Zhu et al. in 2017. What differs from the paper by default: the generators know the object's
    silhouette and class and draw on air, the cycle weights are low (the paper's 10 makes the X-ray carry the photo's brightness), photos
    are strongly recoloured, and an average of gen_ab over the steps (EMA) is what translates. In Python, TrainConfig.published() gives the
    paper's recipe.

    Examine the training on held-back objects with --validation.every: the state with the lowest KID is kept as best.pt, and `threatray
    translate` uses it. At the end the training is looked through for six diseases (mode collapse, a photo hidden in the X-ray, copied
    signatures and others): health.json. Watch it with `tensorboard --logdir` on the folder: while it runs, on `.training.partial`.

    On several GPUs or machines: ``torchrun --nproc-per-node 2 -m threatray train ...`` trains on shares of every batch.

    Ctrl-C saves; the same command goes on from there and ends with the same bytes as an undisturbed training. docs/training.md tells more.

    Args:
        photos: Folder of ``threatray photos``, or one with trainA as CycleGAN code reads it.
        signatures: Folder of ``threatray signatures``, or one with trainB; may be the same.
        out: Folder to make: checkpoint.pt, history.jsonl, health.json, samples/, tensorboard/; with examinations best.pt, validation.jsonl.
        truth: A signature library with the true X-ray of each photo, named after it: examinations also measure how like it translations
            are. Nothing is learned from it or chosen by it.
        track_with: Report to MLflow or Weights & Biases too: mlflow, wandb. Needs the extra of that name.
        start_from: Folder with latest_net_G_A.pth, latest_net_G_B.pth and, if at hand, D_A and D_B of the CycleGAN code: training
            goes on from these networks. Their recipe is: --batch-size 1 --lr-generators 2e-4 --lr-discriminators 2e-4
            --weights.lambda-cycle-a 10 --weights.lambda-cycle-b 10 --weights.lambda-identity 0.5 --weights.no-covered-patches.
        config: Networks, losses, length.
    """
    manifest = train_stage(config, photos, signatures, out, common.run(), start=start_from, truth=truth, track_with=track_with)
    return common.finish(out, manifest) if writes() else 0
