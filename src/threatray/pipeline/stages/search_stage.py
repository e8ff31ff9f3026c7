"""Find the synthetic multiple that serves best, on validation images alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np

from threatray.balance.plan import PlanConfig
from threatray.balance.quota import Strategy
from threatray.core import derive
from threatray.core.files import write_json
from threatray.core.manifest import RunManifest
from threatray.errors import ConfigError
from threatray.pipeline.sources import Part, PartName, Role, Sources, Taxonomy, read_parts
from threatray.pipeline.stage import Outcome, Run, run_stage
from threatray.pipeline.stages.compose_stage import compose
from threatray.pipeline.stages.plan_stage import plan
from threatray.pipeline.stages.uplift_stage import pool_of, pool_of_part
from threatray.pipeline.workers import run_jobs
from threatray.tip.draw import ComposeConfig
from threatray.uplift.arms import BASELINE, STANDARD_ARMS, Arm, Pool, proportional_arm
from threatray.uplift.config import FasterRcnnConfig

SEARCH_FILE: Final = "search.json"


@dataclass(frozen=True)
class SearchConfig:
    """What is tried.

    Args:
        multiples: Synthetic threats as multiples of the real ones; 0, no synthesis, is always tried too.
        seeds: Trainings of each candidate in each round.
        least_steps: Steps of a training in the first rounds, at least.
        transformed: Whether every candidate is trained with the conventional transformation.
        detector: The detector; its steps are those of the last round.
        plan: How composites are planned; its multiple is the search's.
        compose: How threats are put into bags.
    """

    multiples: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0)
    seeds: int = 2
    least_steps: int = 200
    transformed: bool = True
    detector: FasterRcnnConfig = field(default_factory=FasterRcnnConfig)
    plan: PlanConfig = field(default_factory=lambda: PlanConfig(Strategy.PRESERVE))
    compose: ComposeConfig = field(default_factory=ComposeConfig)

    def __post_init__(self) -> None:
        if not self.multiples or min(self.multiples) <= 0 or len(set(self.multiples)) < len(self.multiples):
            raise ConfigError(f"search: multiples must be different numbers above 0, got {self.multiples}.")
        if self.seeds < 1 or self.least_steps < 1:
            raise ConfigError(f"search: seeds and least_steps must be at least 1, got {self.seeds} and {self.least_steps}.")

    def arms(self) -> tuple[Arm, ...]:
        """The candidates: none first, so that it wins a tie."""
        none = STANDARD_ARMS["transformation" if self.transformed else BASELINE]
        return (none, *(proportional_arm(multiple, transformed=self.transformed) for multiple in self.multiples))


@dataclass(frozen=True)
class _Shared:
    config: SearchConfig
    sources: Sources
    train: Part
    validation: Part
    composites: Mapping[int, Sources]


@dataclass(frozen=True)
class _Job:
    candidate: int
    steps: int
    seed: int


def search(
    config: SearchConfig,
    taxonomy: Taxonomy,
    paths: Mapping[Role, Path],
    split: Path,
    signatures: Path,
    library: Path,
    out: Path,
    run: Run,
) -> RunManifest:
    """Write ``search.json``: every round of a successive halving over the multiples, and the one that won.

    The figure is AP50 on the validation part, mean over the seeds. The test part is not opened.

    Args:
        config: What is tried.
        taxonomy: Classes that count.
        paths: The datasets.
        split: Folder of ``threatray split``.
        signatures: Folder of ``threatray signatures``, for the sizes and places of real threats.
        library: The signature library to project from.
        out: Folder to make.
        run: How.
    """

    def body(work: Path) -> Outcome:
        from threatray.uplift.halving import successive_halving

        sources = Sources.open(paths, taxonomy, strict=run.strict)
        parts = read_parts(split, sources)
        arms = config.arms()
        made: dict[int, Sources] = {}
        for number, multiple in enumerate(config.multiples, 1):
            planned, composed = work / f"plan-x{multiple:g}", work / f"compose-x{multiple:g}"
            wanted = replace(config.plan, multiple=multiple, total=None, targets={})
            plan(wanted, taxonomy, paths, split, signatures, library, planned, run)
            compose(config.compose, taxonomy, paths, planned, signatures, library, composed, run)
            made[number] = Sources.open({Role.LABELLED: composed}, taxonomy)
        shared = _Shared(config, sources, parts[PartName.TRAIN], parts[PartName.VALIDATION], made)
        seeds = [derive(run.seed, "search", repeat) % 2**31 for repeat in range(config.seeds)]

        def evaluate(candidate: int, steps: int) -> list[float]:
            jobs = [_Job(candidate, steps, seed) for seed in seeds]
            with run.progress.task(f"search {arms[candidate].name}, {steps} steps", "training") as update:
                ledger = work / f".{candidate}-{steps}.ledger"
                return run_jobs(_figure_of, shared, jobs, workers=run.workers, update=update, ledger=ledger)

        rounds = successive_halving(len(arms), evaluate, last_steps=config.detector.steps, least_steps=config.least_steps)
        best = rounds[-1].kept[0]
        multiple = ([0.0, *config.multiples])[best]
        listed = [
            {
                "steps": one.steps,
                "ap50": {arms[number].name: list(figures) for number, figures in one.figures.items()},
                "kept": [arms[number].name for number in one.kept],
            }
            for one in rounds
        ]
        note = "AP50 on the validation part, one figure a seed; the test part was not opened. Differences of a few points are chance."
        write_json(work / SEARCH_FILE, {"best_multiple": multiple, "rounds": listed, "note": note})
        last = {arms[number].name: float(np.mean(figures)) for number, figures in rounds[-1].figures.items()}
        return Outcome({"best multiple": multiple, "validation AP50 of the last round": last})

    inputs = {"split": split, "signatures": signatures, "library": library, **{role.value: path for role, path in paths.items()}}
    return run_stage("search", {"search": config, "taxonomy": taxonomy}, inputs, out, run, body)


def _figure_of(shared: _Shared, job: _Job) -> float:
    from threatray.synthesis.threads import fixed_threads
    from threatray.uplift.average_precision import mean_ap50
    from threatray.uplift.experiment import judge_on_validation

    detector = replace(shared.config.detector, steps=job.steps)
    arm, side = shared.config.arms()[job.candidate], detector.image_size
    composites = {} if job.candidate == 0 else {Pool.TRANSLATED: shared.composites[job.candidate]}
    pools = {pool: pool_of(shared.sources, shared.train, composites, pool, side) for pool in arm.shares}
    with fixed_threads(1):
        judged = judge_on_validation(
            arm, job.seed, pools, pool_of_part(shared.sources, shared.validation, side), detector, classes=shared.sources.classes()
        )
    return mean_ap50(judged, shared.sources.classes())
