"""The stage graph: what ``run`` and ``demo`` carry out, in order, each stage once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from threatray.core.manifest import RunManifest
from threatray.pipeline.project import Project
from threatray.pipeline.stage import Run
from threatray.pipeline.stages.compose_stage import compose
from threatray.pipeline.stages.control_stage import ControlConfig, control
from threatray.pipeline.stages.inspect_stage import inspect
from threatray.pipeline.stages.photos_stage import photos
from threatray.pipeline.stages.plan_stage import plan
from threatray.pipeline.stages.report_stage import REPORT_FILE, report
from threatray.pipeline.stages.score_stage import score
from threatray.pipeline.stages.signatures_stage import signatures
from threatray.pipeline.stages.split_stage import split
from threatray.pipeline.stages.train_stage import train
from threatray.pipeline.stages.translate_stage import ACCEPTED, translate
from threatray.pipeline.stages.uplift_stage import uplift
from threatray.tip.controls import ControlArm
from threatray.uplift.arms import Pool

TIMINGS = "timings.jsonl"
"""Seconds of each stage as it was run here; beside the stages, as clock times have no place in what must be repeatable."""


@dataclass(frozen=True)
class Finished:
    """What a whole run left.

    Args:
        report: The HTML file.
        stages: Each stage's manifest, in order.
        verdicts: The experiment's conclusions, one sentence each.
    """

    report: Path
    stages: tuple[RunManifest, ...]
    verdicts: tuple[str, ...]


@dataclass(frozen=True)
class _Clock:
    """Carries stages out one after the other and notes how long each took."""

    folder: Path
    run: Run
    done: list[RunManifest]

    def __call__(self, stage: Callable[[], RunManifest]) -> None:
        began = time.monotonic()
        made = stage()
        seconds = time.monotonic() - began
        self.done.append(made)
        with (self.folder / TIMINGS).open("a", encoding="utf-8") as handle:
            handle.write(json.dumps({"stage": made.stage, "seconds": round(seconds, 1)}) + "\n")
        self.run.progress.say(f"{made.stage}: {seconds:.1f} s")


def run_project(project: Project, out: Path, run: Run, *, before: tuple[RunManifest, ...] = ()) -> Finished:
    """Carry out the whole way into ``out/<stage>``; finished stages are not done again.

    Args:
        project: What.
        out: The run folder.
        run: How.
        before: Manifests of stages that were done before these (the phantom, in the demo).
    """
    out.mkdir(parents=True, exist_ok=True)
    data, taxonomy, datasets = project.data, project.data.meaning, project.data.datasets
    folder = {name: out / name for name in _STAGES}
    step = _Clock(out, run, list(before))
    step(lambda: inspect(taxonomy, datasets, folder["inspect"], run, format_name=data.labelled_format))
    step(lambda: split(project.split, taxonomy, datasets, folder["split"], run))
    step(lambda: photos(project.photos, taxonomy, data.photos, folder["photos"], run, masks=data.photo_masks))
    step(lambda: signatures(project.signatures, taxonomy, datasets, folder["split"], folder["signatures"], run))
    step(lambda: train(project.train, folder["photos"], folder["signatures"], folder["train"], run))
    step(lambda: translate(project.translate, folder["photos"], folder["signatures"], folder["train"], folder["translate"], run))
    composites: dict[Pool, Path] = {}
    for pool, library, suffix in (
        (Pool.TRANSLATED, folder["translate"] / ACCEPTED, ""),
        (Pool.REPROJECTED, folder["signatures"], "_reprojected"),
    ):
        if suffix and pool not in project.uplift.pools:
            continue
        planned, composed = out / f"plan{suffix}", out / f"compose{suffix}"
        step(lambda: plan(project.plan, taxonomy, datasets, folder["split"], folder["signatures"], library, planned, run))  # noqa: B023
        step(
            lambda: compose(project.compose, taxonomy, datasets, planned, folder["signatures"], library, composed, run, project.output)  # noqa: B023
        )
        composites[pool] = composed
    made, library = composites[Pool.TRANSLATED], folder["translate"] / ACCEPTED
    for pool, arm in ((Pool.OPAQUE, ControlArm.OPAQUE_PASTE), (Pool.ALPHA, ControlArm.ALPHA_BLEND)):
        if pool in project.uplift.pools:
            pasted = composites[pool] = out / f"control_{arm.value}"
            step(lambda: control(ControlConfig(arm), taxonomy, datasets, made, folder["photos"], library, pasted, run))  # noqa: B023
    step(
        lambda: score(
            project.score,
            folder["photos"],
            folder["signatures"],
            folder["train"],
            folder["translate"],
            folder["score"],
            run,
            truth=data.truth,
        )
    )
    step(lambda: uplift(project.uplift, taxonomy, datasets, folder["split"], composites, folder["uplift"], run))
    step(lambda: report(out, folder["report"], run))
    verdicts = next(made.summary["verdicts"] for made in step.done if made.stage == "uplift")
    return Finished(folder["report"] / REPORT_FILE, tuple(step.done), tuple(verdicts))


_STAGES = ("inspect", "split", "photos", "signatures", "train", "translate", "score", "uplift", "report")
