"""Train detectors with and without the synthetic part on equal budgets and compare them on the untouched test set."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from threatray.core import Quantity, derive
from threatray.core.files import write_json, write_text
from threatray.core.manifest import RunManifest
from threatray.errors import ConfigError, DataError
from threatray.metrics.shipped import EFFICIENTNET_LITE0
from threatray.pipeline.earlier_detectors import earlier_detectors
from threatray.pipeline.sources import Located, Part, PartName, Role, Sources, Taxonomy, read_parts
from threatray.pipeline.stage import Outcome, Run, identity, run_stage
from threatray.pipeline.workers import LEDGER_SUFFIX, run_jobs
from threatray.uplift.arms import BASELINE, STANDARD_ARMS, Arm, Pool
from threatray.uplift.config import Backbone, FasterRcnnConfig, LargeDetectorConfig

RESULTS: Final = "results.jsonl"
UPLIFT_FILE: Final = "uplift.json"
SHORTCUTS: Final = "shortcuts.json"


@dataclass(frozen=True)
class UpliftConfig:
    """The experiment.

    Args:
        arms: Names of arms; ``real_only``, which the others are compared with, comes first. Without it nothing is compared.
        seeds: How many paired seeds.
        detector: The detector and its budget, equal in every arm.
        large: A full-size detector instead; slow without a GPU.
        probe_shortcuts: Whether a small classifier shall try to tell augmented bags from benign ones without seeing the threats.
        own_arms: Arms of your own beside the standard ones, in a project file as ``[[uplift.own_arms]]``.
    """

    arms: tuple[str, ...] = (BASELINE, "transformation", "synthesis", "synthesis_transformation")
    seeds: int = 5
    detector: FasterRcnnConfig = field(default_factory=FasterRcnnConfig)
    large: LargeDetectorConfig | None = None
    probe_shortcuts: bool = True
    own_arms: tuple[Arm, ...] = ()

    def __post_init__(self) -> None:
        named = [arm.name for arm in self.own_arms]
        if taken := sorted(name for name in named if name in STANDARD_ARMS or named.count(name) > 1):
            raise ConfigError(f"uplift: own_arms names {taken[0]!r}, which is taken. Give it another name.")
        for name in self.arms:
            if name not in self.known_arms:
                raise ConfigError(f"uplift: no arm is called {name!r}; there are {', '.join(self.known_arms)}.")
        if not self.arms or len(set(self.arms)) != len(self.arms):
            raise ConfigError(f"uplift: arms must name one arm or more, each once, got {list(self.arms)}.")
        if BASELINE in self.arms[1:]:
            raise ConfigError(f"uplift: {BASELINE!r} must come first, got {list(self.arms)}.")
        if self.seeds < 1:
            raise ConfigError(f"uplift: seeds must be at least 1, got {self.seeds}.")

    @property
    def judge(self) -> FasterRcnnConfig | LargeDetectorConfig:
        """The detector that is trained."""
        return self.detector if self.large is None else self.large

    @property
    def weights(self) -> dict[str, Path]:
        """Files of weights that the detector starts from."""
        given = {"backbone_weights": self.detector.backbone_weights}
        if self.large is not None:
            given = {"weights": self.large.weights, "backbone_weights": self.large.backbone_weights}
        return {name: path for name, path in given.items() if path is not None}

    @property
    def known_arms(self) -> dict[str, Arm]:
        """Name -> arm, the standard ones and your own."""
        return {**STANDARD_ARMS, **{arm.name: arm for arm in self.own_arms}}

    @property
    def pools(self) -> set[Pool]:
        """The pools that the chosen arms draw on."""
        return {pool for name in self.arms for pool in self.known_arms[name].shares}


@dataclass(frozen=True)
class _Shared:
    config: UpliftConfig
    sources: Sources
    parts: Mapping[PartName, Part]
    composites: Mapping[Pool, Sources]


@dataclass(frozen=True)
class _Job:
    arm: str
    seed: int


def uplift(
    config: UpliftConfig,
    taxonomy: Taxonomy,
    paths: Mapping[Role, Path],
    split: Path,
    composites: Mapping[Pool, Path],
    out: Path,
    run: Run,
    *,
    earlier: Sequence[Path] = (),
) -> RunManifest:
    """Write ``results.jsonl``, a line for each (arm, seed), and ``uplift.json``, the comparison.

    Args:
        config: Arms, seeds, detector.
        taxonomy: Classes that count.
        paths: The datasets.
        split: Folder of ``threatray split``.
        composites: Pool -> folder of ``threatray compose``.
        out: Folder to make.
        run: How.
        earlier: Folders of this stage whose detectors are not trained again where everything that made them is the same.

    Raises:
        ConfigError: An arm needs composites that were not given; an earlier folder was made otherwise.
    """
    for name in config.arms:
        for pool in config.known_arms[name].shares:
            if pool not in (Pool.BENIGN, Pool.REAL) and pool not in composites:
                raise ConfigError(f"uplift: the arm {name!r} needs {pool.value} composites, but none were given.")

    if config.large is None and config.detector.backbone is Backbone.EFFICIENTNET_LITE0 and config.detector.backbone_weights is None:
        EFFICIENTNET_LITE0.path()  # said now, not by a worker

    settings = {"uplift": config, "taxonomy": taxonomy}
    inputs = {
        "split": split,
        **{role.value: path for role, path in paths.items()},
        **{pool.value: path for pool, path in composites.items()},
        **config.weights,
        **{f"earlier_{place}": folder for place, folder in enumerate(earlier)},
    }
    known = earlier_detectors(earlier, identity("uplift", settings, inputs, run), config.known_arms, RESULTS) if earlier else {}

    def body(work: Path) -> Outcome:
        from threatray.uplift.results import JobResult
        from threatray.uplift.summary import summarise

        sources = Sources.open(paths, taxonomy, strict=run.strict)
        made = {pool: Sources.open({Role.LABELLED: path}, taxonomy) for pool, path in composites.items()}
        shared = _Shared(config, sources, read_parts(split, sources), made)
        jobs = [_Job(arm, derive(run.seed, "uplift", repeat) % 2**31) for repeat in range(config.seeds) for arm in config.arms]
        left = [job for job in jobs if (job.arm, job.seed) not in known]
        if earlier:
            run.progress.say(f"uplift: {len(jobs) - len(left)} of {len(jobs)} detectors taken over")
        ledger = work / (f"{RESULTS}{LEDGER_SUFFIX}" if earlier else RESULTS)
        with run.progress.task("uplift", "detector") as update:
            trained = iter(run_jobs(_run_one, shared, left, workers=run.workers, update=update, ledger=ledger))
        lines = [known.get((job.arm, job.seed)) or next(trained) for job in jobs]
        if earlier:
            write_text(work / RESULTS, "".join(json.dumps(line) + "\n" for line in lines))
        summary = summarise([JobResult.from_json(line) for line in lines])
        write_json(work / UPLIFT_FILE, summary.as_json())
        found = _shortcuts(shared, run) if config.probe_shortcuts else []
        write_json(work / SHORTCUTS, found)
        verdicts = list(summary.verdicts)
        return Outcome(
            {"arms": list(config.arms), "seeds": config.seeds, "verdicts": verdicts, "shortcuts": [one["sentence"] for one in found]}
        )

    return run_stage("uplift", settings, inputs, out, run, body)


def _shortcuts(shared: _Shared, run: Run) -> list[dict[str, Any]]:
    """The probe's finding for each pool of our making that an arm draws on."""
    from threatray.synthesis.threads import fixed_threads
    from threatray.uplift.shortcut import probe

    side, train = shared.config.judge.image_size, shared.parts[PartName.TRAIN]
    pools = sorted(shared.config.pools - {Pool.BENIGN, Pool.REAL})
    found: list[dict[str, Any]] = []
    with fixed_threads(1), run.progress.task("shortcut probe", "pool") as update:
        for done, pool in enumerate(pools):
            try:
                score = probe(pool.value, _pool_of(shared, train, pool, side), _pool_of(shared, train, Pool.BENIGN, side), run.seed)
                found.append(asdict(score) | {"sentence": score.sentence})
            except DataError as error:  # too few bags to say anything
                found.append({"pool": pool.value, "auc": None, "low": None, "high": None, "pictures": 0, "sentence": str(error)})
            update(done + 1, len(pools))
    return found


def _run_one(shared: _Shared, job: _Job) -> dict[str, Any]:
    import torch

    from threatray.uplift.difficulty import with_difficulty
    from threatray.uplift.experiment import run_job
    from threatray.uplift.images import MemoryPool

    before = torch.get_num_threads()
    torch.set_num_threads(1)  # one detector a process; the number of threads can change the last bit
    try:
        arm = shared.config.known_arms[job.arm]
        side = shared.config.judge.image_size
        train = shared.parts[PartName.TRAIN]
        pools = {pool: _pool_of(shared, train, pool, side) for pool in arm.shares}
        held = {name: pool_of_part(shared.sources, shared.parts[name], side) for name in (PartName.VALIDATION, PartName.TEST)}
        test = MemoryPool(with_difficulty(held[PartName.TEST].images))
        result = run_job(
            arm,
            job.seed,
            pools,
            held[PartName.VALIDATION],
            test,
            shared.config.judge,
            classes=shared.sources.classes(),
        )
        return json.loads(json.dumps(result.to_json()))  # type: ignore[no-any-return]
    finally:
        torch.set_num_threads(before)


def _pool_of(shared: _Shared, train: Part, pool: Pool, side: int) -> Any:
    return pool_of(shared.sources, train, shared.composites, pool, side)


def pool_of(sources: Sources, train: Part, composites: Mapping[Pool, Sources], pool: Pool, side: int) -> Any:
    """The training pictures of one pool, as an ``ImagePool`` whose short sides are at most ``side`` pixels."""
    if pool is Pool.BENIGN:
        return _pool(sources, train.benign, side, synthetic=False)
    if pool is Pool.REAL:
        return _pool(sources, train.threats, side, synthetic=False)
    made = composites[pool]
    return _pool(made, made.located(Role.LABELLED), side, synthetic=True)


def pool_of_part(sources: Sources, part: Part, side: int) -> Any:
    """All pictures of one part, those with threats first."""
    return _pool(sources, [*part.threats, *part.benign], side, synthetic=False)


def _pool(sources: Sources, located: Sequence[Located], side: int, *, synthetic: bool) -> Any:
    """The images as the screen shows them, brought to the detector's size and kept in memory."""
    import cv2

    from threatray.uplift.images import MemoryPool, TrainingImage

    images = []
    for one in located:
        sample = sources.load(one, Quantity.PSEUDO_COLOUR)
        height, width = sample.image.size
        scale = min(1.0, side / min(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        pixels = np.round(sample.image.values * 255).astype(np.uint8).transpose(1, 2, 0)
        small = pixels if scale == 1.0 else cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        colour = np.repeat(small.reshape(*small.shape[:2], -1), 3 if small.ndim == 2 or small.shape[2] == 1 else 1, axis=2)
        factors = np.array([size[0] / width, size[1] / height] * 2, np.float32)
        boxes = np.clip(sample.annotations.boxes * factors, 0, [size[0], size[1]] * 2).astype(np.float32)
        images.append(
            TrainingImage(
                np.ascontiguousarray(colour.transpose(2, 0, 1)),
                boxes,
                sample.annotations.labels,
                sample.group if synthetic else f"{one.role.value}:{sample.group}",  # a composite's group is its bag's
                synthetic=synthetic,
                id=one.key,
                difficulty=one.entry.difficulty,
            )
        )
    return MemoryPool(tuple(images))
