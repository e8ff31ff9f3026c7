"""Train the translator; a killed training goes on from its last checkpoint and ends with the same bytes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from threatray.core import Signature, XrayImage, derive
from threatray.core.files import read_json, whole_file, write_json
from threatray.core.image_file import write_png
from threatray.core.manifest import RunManifest
from threatray.errors import DataError
from threatray.photos.crop import ObjectCrop
from threatray.pipeline.interrupts import asked_to_stop
from threatray.pipeline.picture_folders import holds_pictures, in_channels, photos_in, signatures_in
from threatray.pipeline.progress import Progress
from threatray.pipeline.stage import Outcome, Run, plain, run_stage
from threatray.pipeline.together import one_of_several, run_together, writes
from threatray.report.pictures import colour_view
from threatray.synthesis.config import TrainConfig
from threatray.synthesis.framing import Pose

if TYPE_CHECKING:
    from threatray.synthesis.incumbent_models import StartingPoint

CHECKPOINT: Final = "checkpoint.pt"
HISTORY: Final = "history.jsonl"
GIVEN_UP: Final = "given_up.json"
"""Attempts that ended in drawing nothing: the seed and step of each."""
_MOST_ATTEMPTS: Final = 6
_STEPS_BETWEEN_LINES: Final = 5


def train(asked: TrainConfig, photos: Path, signatures: Path, out: Path, run: Run, start: Path | None = None) -> RunManifest:
    """Train photo crops (A) to signatures (B); under torchrun, together with its other processes.

    Args:
        asked: Networks, losses, length. Pictures without masks are always drawn onto the whole canvas, and ``start`` says which networks.
        photos: Folder of ``threatray photos``, or one with trainA.
        signatures: Folder of ``threatray signatures``, or one with trainB.
        out: Folder to make: ``checkpoint.pt``, ``history.jsonl``, ``samples/``.
        run: How.
        start: Folder with networks of the CycleGAN authors' code to go on from.

    Raises:
        DataError: A class has photos but no signatures, or the other way round.
    """
    if not one_of_several():
        return _train(asked, photos, signatures, out, run, start)
    from threatray.synthesis.distributed import together

    with together():
        return _train(asked, photos, signatures, out, run if writes() else replace(run, progress=Progress(quiet=True)), start)


def _train(asked: TrainConfig, photos: Path, signatures: Path, out: Path, run: Run, start: Path | None) -> RunManifest:
    def body(work: Path) -> Outcome:
        from threatray.synthesis.domain import DomainSet
        from threatray.synthesis.health import DrawingHealth, StoppedDrawingError
        from threatray.synthesis.train import CycleGan

        begin = _starting_point(start)
        config = begin.config(asked) if begin else asked
        if holds_pictures(photos) or holds_pictures(signatures):
            config = replace(config, pose=Pose.WHOLE)
        crops, lost_photos = photos_in(photos, "train", strict=run.strict)
        found, lost_signatures = signatures_in(signatures, strict=run.strict)
        real = in_channels(found, begin.channels_b if begin else ())
        classes = _shared_classes(crops, real)
        wanted_a = [(crop.id, crop.pixels, crop.mask, crop.class_name) for crop in crops]
        domain_a = DomainSet.of_photos(wanted_a, classes, config.size, pose=config.pose)
        domain_b = DomainSet.of_signatures(real, classes, config.size, encoding=config.encoding, pose=config.pose)
        checkpoint, given_up = work / CHECKPOINT, work / GIVEN_UP
        while True:
            lost = read_json(given_up) if given_up.is_file() else []
            seed = derive(run.seed, "attempt", len(lost)) if lost else run.seed
            model = CycleGan(config, classes, domain_b.channels, seed=seed)
            if begin:
                begin.adopt(model.nets, model.ema)
            health = DrawingHealth(domain_a, domain_b)
            _forget_after(work / HISTORY, _step_of(checkpoint))
            with (
                asked_to_stop() as stop,
                run.progress.task("train", "step") as update,
                (work / HISTORY).open("a", encoding="utf-8") as history,
            ):

                def note(step: int, steps: int, losses: Any, wait: float) -> None:
                    update(step, steps)
                    health.look(model, step)  # noqa: B023
                    if step % _STEPS_BETWEEN_LINES == 0 or step == steps:
                        history.write(json.dumps({"step": step, **plain(losses)}, sort_keys=True) + "\n")
                        history.flush()

                def draw(samples: Any) -> None:
                    _write_grid(work / "samples" / f"step_{samples.step:06d}.png", samples, config, domain_b.channels)

                try:
                    ended = model.fit(domain_a, domain_b, checkpoint=checkpoint, on_progress=note, on_samples=draw, should_stop=stop)
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
        facts = {
            "preset": config.preset.value,
            "steps": config.steps,
            "batch_size": config.batch_size,
            "image_size": config.size,
            "parameters": {name: sum(weight.numel() for weight in net.parameters()) for name, net in model.nets.named().items()},
            "photos": len(domain_a),
            "signatures": len(domain_b),
            "classes": list(classes),
            "channels": list(domain_b.channels),
            "attempts_given_up": lost,
        }
        write_json(work / "train.json", facts)
        summary = {key: facts[key] for key in ("preset", "steps", "photos", "signatures", "classes")}
        return Outcome(summary, (*lost_photos, *lost_signatures))

    inputs = {"photos": photos, "signatures": signatures, **({"start": start} if start else {})}
    if one_of_several():
        return run_together(lambda whole: run_stage("train", asked, inputs, out, run, whole), body, out)
    return run_stage("train", asked, inputs, out, run, body)


def _starting_point(start: Path | None) -> StartingPoint | None:
    from threatray.synthesis.incumbent_models import StartingPoint

    return StartingPoint.open(start) if start else None


def _start_afresh(work: Path, lost: list[dict[str, int]]) -> None:
    """Forget an attempt; a kill on the way leaves either the old attempt or the new one, since its number is written last."""
    (work / CHECKPOINT).unlink(missing_ok=True)
    (work / HISTORY).unlink(missing_ok=True)
    shutil.rmtree(work / "samples", ignore_errors=True)
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


def _step_of(checkpoint: Path) -> int:
    from threatray.synthesis.checkpoint import load_checkpoint

    return int(load_checkpoint(checkpoint)["step"]) if checkpoint.is_file() else 0


def _forget_after(history: Path, step: int) -> None:
    """Drop the lines that a killed run wrote after its last checkpoint; they will be written again."""
    lines = history.read_text(encoding="utf-8").splitlines() if history.is_file() else []
    kept = []
    for line in lines:
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except json.JSONDecodeError:
            break  # cut off in the middle by the kill
    with whole_file(history) as temporary:
        temporary.write_text("".join(kept), encoding="utf-8")


def _write_grid(path: Path, samples: Any, config: TrainConfig, channels: tuple[str, ...]) -> None:
    """Photos above, what the averaged generator makes of them below."""
    import numpy as np

    from threatray.core import Quantity

    photos = np.round((samples.batch.real_a.numpy() + 1) * 127.5).clip(0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
    made = config.encoding.decode(samples.fake_b).numpy().astype(np.float32)
    screens = [colour_view(XrayImage(values, Quantity.TRANSMISSION, channels)) for values in made]
    write_png(path, np.concatenate([np.concatenate(list(photos), axis=1), np.concatenate(screens, axis=1)], axis=0))
