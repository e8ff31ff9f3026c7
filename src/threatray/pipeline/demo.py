"""The demo: the whole way on the embedded scanner, with budgets that fit a laptop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from threatray.balance.plan import PlanConfig
from threatray.balance.quota import Strategy
from threatray.core.manifest import RunManifest
from threatray.phantom.dataset import PhantomConfig
from threatray.photos.rules import IntakeRules, Outlines
from threatray.pipeline.project import DataConfig, Project
from threatray.pipeline.sources import Role
from threatray.pipeline.stage import Run
from threatray.pipeline.stages.phantom_stage import FOLDERS, PHOTOS, TRUTH, phantom
from threatray.pipeline.stages.score_stage import ScoreConfig
from threatray.pipeline.stages.translate_stage import TranslateConfig
from threatray.pipeline.stages.uplift_stage import UpliftConfig
from threatray.synthesis.config import TrainConfig
from threatray.synthesis.gate import GateConfig
from threatray.uplift.config import FasterRcnnConfig


class DemoSize(StrEnum):
    """How much the demo does."""

    FULL = "full"
    SMOKE = "smoke"


@dataclass(frozen=True)
class _Demo:
    phantom: PhantomConfig
    train: TrainConfig
    translate: TranslateConfig
    plan: PlanConfig
    score: ScoreConfig
    uplift: UpliftConfig


_DEMOS: Final = {
    DemoSize.FULL: _Demo(
        phantom=PhantomConfig(
            labelled={"gun": 80, "knife": 48, "scissors": 24, "wrench": 14, "pliers": 8, "hammer": 4},
            benign=160,
            validation_threat_per_class=5,
            validation_benign=40,
            test_threat_per_class=12,
            test_benign=90,
            photos_per_class=50,
        ),
        train=TrainConfig(steps=700, sample_every=350, threads=2),
        translate=TranslateConfig(),
        plan=PlanConfig(Strategy.EQUALISE, max_signature_reuse=6),
        score=ScoreConfig(),
        uplift=UpliftConfig(arms=("real_only", "synthesis"), seeds=2, detector=FasterRcnnConfig(steps=900)),
    ),
    DemoSize.SMOKE: _Demo(
        phantom=PhantomConfig(
            image_height=150,
            image_width=200,
            pitch_cm=0.27,
            photo_size=96,
            labelled={"gun": 7, "knife": 5},
            benign=6,
            validation_threat_per_class=2,
            validation_benign=3,
            test_threat_per_class=2,
            test_benign=3,
            photos_per_class=5,
        ),
        train=TrainConfig(steps=12, batch_size=2, size=32, sample_every=6, checkpoint_every=4, threads=1),
        # So little training makes nothing worth gating: the limits let everything through.
        translate=TranslateConfig(
            gate=GateConfig(
                least_attenuation=0.0, least_mean_attenuation=0.0, most_saturated=1.0, least_iou=0.0, least_class_probability=0.0
            ),
            recogniser_steps=8,
        ),
        plan=PlanConfig(Strategy.PRESERVE, multiple=0.5),
        score=ScoreConfig(encoder_steps=8, subsets=4),
        uplift=UpliftConfig(
            arms=("real_only", "synthesis"), seeds=1, detector=FasterRcnnConfig(steps=4, image_size=96, window=64, batch_size=2)
        ),
    ),
}


def make_phantom(size: DemoSize, out: Path, run: Run) -> RunManifest:
    """The demo's inputs, in ``out/phantom``."""
    return phantom(_DEMOS[size].phantom, out / "phantom", run)


def demo_project(size: DemoSize, out: Path, *, translator: str = "cyclegan") -> Project:
    """The demo as a project on what the phantom made; training never sees ``truth``."""
    chosen, made = _DEMOS[size], out / "phantom"
    folders = {Role(kind.value): made / folder for kind, folder in FOLDERS.items()}
    data = DataConfig(
        labelled=folders[Role.LABELLED],
        benign=folders[Role.BENIGN],
        validation=folders[Role.VALIDATION],
        test=folders[Role.TEST],
        photos=made / PHOTOS,
        truth=made / TRUTH,
        classes=tuple(chosen.phantom.labelled),
    )
    return Project(
        data=data,
        name=f"demo ({size.value})",
        photos=IntakeRules(outlines=Outlines.CLASSIC),  # the demo is the same to the byte wherever it runs
        train=replace(chosen.train, translator=translator),
        translate=chosen.translate,
        plan=chosen.plan,
        score=chosen.score,
        uplift=chosen.uplift,
    )
