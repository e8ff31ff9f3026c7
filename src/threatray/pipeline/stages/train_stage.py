"""Train the translator; a killed training goes on from its last checkpoint and ends with the same bytes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from threatray.core import Signature, XrayImage, derive
from threatray.core.files import read_json, sha256_of_text, write_json
from threatray.core.image_file import write_png
from threatray.core.manifest import RunManifest
from threatray.errors import ConfigError, DataError
from threatray.photos.crop import ObjectCrop
from threatray.pipeline.held_back import refuse_held_back
from threatray.pipeline.interrupts import asked_to_stop
from threatray.pipeline.picture_folders import holds_pictures, in_channels, photos_in, signatures_in
from threatray.pipeline.progress import Progress
from threatray.pipeline.stage import Outcome, Run, fingerprint, run_stage
from threatray.pipeline.together import one_of_several, run_together, writes
from threatray.pipeline.trackers import Tracker, TrackerName, open_tracker
from threatray.pipeline.training_journal import OWN, TrainingJournal
from threatray.report.pictures import colour_view
from threatray.synthesis.config import TrainConfig
from threatray.synthesis.framing import Pose

if TYPE_CHECKING:
    from threatray.pipeline.examination import Shares
    from threatray.synthesis.incumbent_models import StartingPoint
    from threatray.synthesis.train import UnpairedGan
    from threatray.synthesis.translator import UnpairedTranslator

CHECKPOINT: Final = "checkpoint.pt"
BEST: Final = "best.pt"
HEALTH: Final = "health.json"
GIVEN_UP: Final = "given_up.json"
"""Attempts that ended in drawing nothing: the seed and step of each."""
_MOST_ATTEMPTS: Final = 6
_STEPS_BETWEEN_LINES: Final = 5
_LOOKED_AT: Final = 96
"""Objects of each domain, evenly spaced, that the health panel looks at."""


def train(
    asked: TrainConfig,
    photos: Path,
    signatures: Path,
    out: Path,
    run: Run,
    *,
    start: Path | None = None,
    truth: Path | None = None,
    track_with: Sequence[TrackerName] = (),
) -> RunManifest:
    """Train photo crops (A) to signatures (B); under torchrun, together with its other processes.

    Args:
        asked: Networks, losses, length, validation. Pictures without masks are always drawn onto the whole canvas, and ``start`` says which
            networks.
        photos: Folder of ``threatray photos``, or one with trainA.
        signatures: Folder of ``threatray signatures``, or one with trainB.
        out: Folder to make: ``checkpoint.pt`` and the one before it, ``best.pt`` and ``validation.jsonl`` with validation on,
            ``history.jsonl``, ``health.json``, ``samples/``, ``tensorboard/``.
        run: How.
        start: Folder with networks of the CycleGAN authors' code to go on from.
        truth: A signature library with the true X-ray of each photo: how like it translations of held-back photos are is written down
            at each examination. Nothing is learned from it or chosen by it.
        track_with: Trackers to report to as well.

    Raises:
        ConfigError: A tracker is not installed.
        DataError: A class has photos but no signatures, or the other way round; too little to hold back.
    """
    if not one_of_several():
        return _train(asked, photos, signatures, out, run, start, truth, track_with)
    from threatray.synthesis.distributed import together

    with together():
        if writes():
            return _train(asked, photos, signatures, out, run, start, truth, track_with)
        return _train(asked, photos, signatures, out, replace(run, progress=Progress(quiet=True)), start, truth, ())


def _train(
    asked: TrainConfig,
    photos: Path,
    signatures: Path,
    out: Path,
    run: Run,
    start: Path | None,
    truth: Path | None,
    track_with: Sequence[TrackerName],
) -> RunManifest:
    refuse_held_back("train", signatures)

    def body(work: Path) -> Outcome:
        from threatray.pipeline.examination import Examination, divided, truths_of
        from threatray.synthesis.checkpoint import KeptCheckpoints
        from threatray.synthesis.domain import DomainSet
        from threatray.synthesis.hardware import slow_precision, torch_device
        from threatray.synthesis.health import DrawingHealth, StoppedDrawingError
        from threatray.synthesis.train import CycleGan, UnpairedGan
        from threatray.synthesis.translator import make_translator

        begin = _starting_point(start, asked.translator)
        config = begin.config(asked) if begin else asked
        if holds_pictures(photos) or holds_pictures(signatures):
            config = replace(config, pose=Pose.WHOLE)
        if slow := slow_precision(config.precision, torch_device(config.device)):
            run.progress.say(f"train: {slow}")
        crops, lost_photos = photos_in(photos, "train", strict=run.strict)
        found, lost_signatures = signatures_in(signatures, strict=run.strict)
        real = in_channels(found, begin.channels_b if begin else ())
        classes = _shared_classes(crops, real)
        wanted_a = [(crop.id, crop.pixels, crop.mask, crop.class_name) for crop in crops]
        domain_a = DomainSet.of_photos(wanted_a, classes, config.size, pose=config.pose)
        domain_b = DomainSet.of_signatures(real, classes, config.size, encoding=config.encoding, pose=config.pose)
        shares = divided(domain_a, domain_b, crops, real, config, run.seed)
        examination = None
        if shares.held_photos is not None:
            known = {} if truth is None else truths_of(truth, crops)
            examination = Examination(shares, config, run.seed, known)
        checkpoint, given_up = work / CHECKPOINT, work / GIVEN_UP
        with _reporting(track_with, config, photos, signatures, run) as trackers:
            while True:
                lost = read_json(given_up) if given_up.is_file() else []
                seed = derive(run.seed, "attempt", len(lost)) if lost else run.seed
                model = make_translator(config, classes, domain_b.channels, seed=seed)
                if begin:
                    assert isinstance(model, CycleGan)
                    begin.adopt(model.nets, model.ema)
                health = DrawingHealth(shares.photos, shares.signatures)
                resumed = KeptCheckpoints(checkpoint, config.checkpoint_every).load()
                journal = TrainingJournal(work, 0 if resumed is None else int(resumed["step"]), trackers)
                with asked_to_stop() as stop, run.progress.task("train", "step") as update:

                    def note(step: int, steps: int, losses: Any, wait: float) -> None:
                        update(step, steps)
                        if isinstance(model, UnpairedGan):  # noqa: B023
                            health.look(model, step)  # noqa: B023
                        if step % _STEPS_BETWEEN_LINES == 0 or step == steps:
                            journal.losses(step, losses)  # noqa: B023

                    def draw(samples: Any) -> None:
                        _write_grid(journal.picture_path(samples.step), samples, config, domain_b.channels)  # noqa: B023
                        journal.picture(samples.step)  # noqa: B023

                    def examine(current: UnpairedTranslator, step: int) -> dict[str, float]:
                        assert examination is not None
                        figures = examination(current)
                        journal.examined(step, figures)  # noqa: B023
                        return figures

                    try:
                        ended = model.fit(
                            shares.photos,
                            shares.signatures,
                            checkpoint=checkpoint,
                            on_progress=note,
                            on_samples=draw,
                            should_stop=stop,
                            examine=None if examination is None else examine,
                        )
                    except StoppedDrawingError as collapse:
                        lost = [*lost, {"seed": seed, "step": collapse.step}]
                        run.progress.say(f"train: {collapse} Attempt {len(lost)} of {_MOST_ATTEMPTS} is given up.")
                        if len(lost) == _MOST_ATTEMPTS:
                            raise
                        _start_afresh(work, lost)
                        continue
                break
            if not ended.finished:
                run.progress.say(f"train: stopped at step {ended.steps} of {config.steps}; the checkpoint is saved")
                raise KeyboardInterrupt
        run.progress.say(
            f"train: {ended.steps} steps in {ended.seconds:.0f} s here, "
            f"{ended.steps * config.batch_size / max(ended.seconds, 1e-9):.1f} images/s, {100 * ended.data_wait:.1f} % of the time waiting"
        )
        journal.finish()
        facts: dict[str, Any] = {
            "translator": config.translator,
            "preset": config.preset.value,
            "steps": ended.steps,
            "batch_size": config.batch_size,
            "image_size": config.size,
            "parameters": _parameters(model.nets.named()) if isinstance(model, UnpairedGan) else {},
            "photos": len(shares.photos),
            "signatures": len(shares.signatures),
            "classes": list(classes),
            "channels": list(domain_b.channels),
            "attempts_given_up": lost,
        }
        summary = ["translator", "preset", "steps", "photos", "signatures", "classes"]
        if examination is not None:
            facts["validation"] = {**examination.facts, "best_step": ended.best_step, "stopped_early": ended.stopped_early}
            summary.append("validation")
            run.progress.say(f"train: the best of the examinations was at step {ended.best_step} ({BEST})")
        write_json(work / "train.json", facts)
        if (work / BEST).is_file():
            model.restore(work / BEST)
        outcome = {key: facts[key] for key in summary}
        if isinstance(model, UnpairedGan):
            outcome["ill"] = _write_health(work / HEALTH, model, shares, run)
        return Outcome(outcome, (*lost_photos, *lost_signatures))

    given = {"photos": photos, "signatures": signatures, "truth": truth, "start": start}
    inputs = {name: path for name, path in given.items() if path is not None}
    if one_of_several():
        return run_together(lambda whole: run_stage("train", asked, inputs, out, run, whole), body, out)
    return run_stage("train", asked, inputs, out, run, body)


def chosen_checkpoint(train: Path) -> Path:
    """The state to translate with: the best, where examinations chose one, else the last."""
    return train / BEST if (train / BEST).is_file() else train / CHECKPOINT


@contextmanager
def _reporting(names: Sequence[TrackerName], config: TrainConfig, photos: Path, signatures: Path, run: Run) -> Iterator[list[Tracker]]:
    """Trackers of this training, closed whichever way it ends."""
    settings = config.as_json()
    key = sha256_of_text(json.dumps([settings, run.seed, fingerprint(photos), fingerprint(signatures)])) if names else ""
    trackers = [open_tracker(name, key, {**settings, "seed": run.seed}) for name in names]
    finished = False
    try:
        yield trackers
        finished = True
    finally:
        for tracker in trackers:
            tracker.close(finished=finished)


def _write_health(path: Path, model: UnpairedGan[Any], shares: Shares, run: Run) -> list[str]:
    """Look for every disease and write what was found; the ill ones by name."""
    from threatray.synthesis.diseases import examine_health
    from threatray.synthesis.domain import DomainSet
    from threatray.synthesis.threads import fixed_threads

    def some(domain: DomainSet) -> DomainSet:
        places = np.linspace(0, len(domain) - 1, min(len(domain), _LOOKED_AT)).round().astype(np.int64)
        return domain.part(places)

    held = None if shares.held_signatures is None else some(shares.held_signatures)
    with fixed_threads(model.config.threads):
        findings = examine_health(
            model.nets, model.ema, some(shares.held_photos or shares.photos), shares.signatures, held, seed=derive(run.seed, "health")
        )
    write_json(path, {"findings": [finding.as_json() for finding in findings]})
    for finding in findings:
        if finding.ill:
            name = finding.disease.value.replace("_", " ")
            run.progress.say(f"train: {name}: {finding.what}: {finding.figure:.3g}, limit {finding.limit:g}. {finding.advice}")
    return [finding.disease.value for finding in findings if finding.ill]


def _parameters(nets: Mapping[str, Any]) -> dict[str, int]:
    return {name: sum(weight.numel() for weight in net.parameters()) for name, net in nets.items()}


def _starting_point(start: Path | None, translator: str) -> StartingPoint | None:
    from threatray.synthesis.incumbent_models import StartingPoint

    if start is not None and translator != "cyclegan":
        raise ConfigError(f"train: start_from holds a CycleGAN, which {translator} is not. Leave one of the two out.")
    return StartingPoint.open(start) if start else None


def _start_afresh(work: Path, lost: list[dict[str, int]]) -> None:
    """Forget an attempt; a kill on the way leaves either the old attempt or the new one, since its number is written last.

    The checkpoint before the last goes first: without the last one it would be taken for the state to go on from.
    """
    from threatray.synthesis.checkpoint import KeptCheckpoints

    kept = KeptCheckpoints(work / CHECKPOINT, 1)
    for path in (kept.previous, kept.path, kept.best):
        path.unlink(missing_ok=True)
    for name in OWN:
        if (work / name).is_dir():
            shutil.rmtree(work / name)
        else:
            (work / name).unlink(missing_ok=True)
    write_json(work / GIVEN_UP, lost)


def _shared_classes(crops: Sequence[ObjectCrop], real: Sequence[Signature]) -> tuple[str, ...]:
    have_photos, have_signatures = {crop.class_name for crop in crops}, {signature.class_name for signature in real}
    for name in sorted(have_photos ^ have_signatures):
        present, absent = ("photos", "signatures") if name in have_photos else ("signatures", "photos")
        raise DataError(
            f"train: class {name!r} has {present} but no {absent}, so nothing can be learned for it. "
            f"Add {absent} of {name!r}, or leave the class out of 'classes'."
        )
    return tuple(sorted(have_photos))


def _write_grid(path: Path, samples: Any, config: TrainConfig, channels: tuple[str, ...]) -> None:
    """Photos above, what the averaged generator makes of them below."""
    from threatray.core import Quantity

    photos = np.round((samples.batch.real_a.numpy() + 1) * 127.5).clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
    made = config.encoding.decode(samples.fake_b).numpy().astype(np.float32)
    screens = [colour_view(XrayImage(values, Quantity.TRANSMISSION, channels)) for values in made]
    write_png(path, np.concatenate([np.concatenate(list(photos), axis=1), np.concatenate(screens, axis=1)], axis=0))
