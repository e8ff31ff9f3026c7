"""Translate every photo crop and let the gate decide which signatures may be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from threatray.core import SetAside, Signature, derive
from threatray.core.files import write_json
from threatray.core.manifest import RunManifest
from threatray.errors import CheckFailed, ConfigError, DataError
from threatray.pipeline.held_back import refuse_held_back
from threatray.pipeline.picture_folders import holds_pictures, in_channels, photos_in, signatures_in
from threatray.pipeline.stage import Outcome, Run, run_stage
from threatray.pipeline.translators import open_translator
from threatray.synthesis.framed import FramedTranslator
from threatray.synthesis.gate import GateConfig, judge
from threatray.synthesis.hardware import Runtime
from threatray.tip.library import write_index, write_signature

ACCEPTED: Final = "accepted"
REJECTED: Final = "rejected"
VERDICTS: Final = "verdicts.json"
_BATCH: Final = 32


@dataclass(frozen=True)
class TranslateConfig:
    """How translations are judged.

    Args:
        gate: The limits.
        recogniser_steps: Updates of the classifier of real signatures that the gate asks.
        runtime: What runs the network. With onnx nothing here needs torch, and the gate has no classifier to ask.
        canvas: Side in pixels at which networks of the CycleGAN code translate; ours and ONNX files know theirs.
    """

    gate: GateConfig = field(default_factory=GateConfig)
    recogniser_steps: int = 240
    runtime: Runtime = Runtime.TORCH
    canvas: int = 256


def translate(config: TranslateConfig, photos: Path, signatures: Path | None, train: Path, out: Path, run: Run) -> RunManifest:
    """Write the signature libraries ``accepted/`` and ``rejected/`` and ``verdicts.json``.

    Args:
        config: The gate, and what runs the network.
        photos: Folder of ``threatray photos``, or one with testA or trainA.
        signatures: Folder of ``threatray signatures``, or one with trainB; not used with onnxruntime.
        train: What translates; see ``open_translator``.
        out: Folder to make.
        run: How.

    Raises:
        CheckFailed: The gate turned every translation of some class away.
    """
    if signatures is None and config.runtime is not Runtime.ONNX:
        raise ConfigError("translate: the gate learns the classes from real signatures. Give their folder as --signatures.")
    if signatures is not None:
        refuse_held_back("translate", signatures)

    def body(work: Path) -> Outcome:
        crops, lost = photos_in(photos, "test", strict=run.strict)
        whole = holds_pictures(photos)
        gate = replace(config.gate, least_iou=0.0) if whole else config.gate  # whole pictures say nothing of the silhouette
        real: tuple[Signature, ...] = ()
        lost_signatures: tuple[SetAside, ...] = ()
        if signatures is not None and config.runtime is not Runtime.ONNX:
            real, lost_signatures = signatures_in(signatures, strict=run.strict)
        names = sorted({crop.class_name for crop in crops} | {signature.class_name for signature in real})
        translator = open_translator(train, config.runtime, names, size=config.canvas, whole=whole)
        verdicts, kept = [], {ACCEPTED: [], REJECTED: []}  # type: ignore[var-annotated]
        with _threads(config, translator), run.progress.task("translate", "photo") as update:
            recognise = _nobody if config.runtime is Runtime.ONNX else _recogniser(config, translator, real, run)
            for start in range(0, len(crops), _BATCH):
                some = crops[start : start + _BATCH]
                made = translator.signatures(
                    [(crop.pixels, crop.mask, crop.class_name) for crop in some],
                    [(crop.id, crop.source_id, crop.source_id, crop.provenance) for crop in some],
                )
                for crop, signature, probability in zip(some, made, recognise(made), strict=True):
                    verdict = judge(signature, crop.mask, probability, gate)
                    place = ACCEPTED if verdict.accepted else REJECTED
                    kept[place].append(write_signature(work / place, signature, {"reason": verdict.reason.value}))
                    verdicts.append(
                        {
                            "id": crop.id,
                            "class_name": crop.class_name,
                            "accepted": verdict.accepted,
                            "reason": verdict.reason.value,
                            "silhouette_iou": round(verdict.silhouette_iou, 4),
                            "class_probability": round(verdict.class_probability, 4),
                        }
                    )
                update(start + len(some), len(crops))
        for place, entries in kept.items():
            write_index(work / place, entries)
        write_json(work / VERDICTS, verdicts)
        accepted = Counter(str(entry["class_name"]) for entry in verdicts if entry["accepted"])
        reasons = Counter(str(entry["reason"]) for entry in verdicts)
        for name in sorted({crop.class_name for crop in crops}):
            if not accepted[name]:
                raise CheckFailed(
                    f"translate: the gate accepted no translated {name!r} ({dict(reasons)}). Train longer, or relax [translate.gate]."
                )
        summary = {"accepted": dict(sorted(accepted.items())), "verdicts": dict(sorted(reasons.items()))}
        return Outcome(summary, (*lost, *lost_signatures))

    inputs = {"photos": photos, "train": train, **({"signatures": signatures} if signatures else {})}
    return run_stage("translate", config, inputs, out, run, body)


_Recognise = Callable[[Sequence[Signature]], Sequence[float]]
"""Signatures to the probabilities of their own classes."""


def _nobody(made: Sequence[Signature]) -> Sequence[float]:
    """Without a classifier every class counts as certain."""
    return [1.0] * len(made)


def _recogniser(config: TranslateConfig, translator: FramedTranslator, found: Sequence[Signature], run: Run) -> _Recognise:
    from threatray.metrics.encoder import DomainEncoder, EncoderConfig
    from threatray.pipeline.canvases import canvases_of

    real = in_channels(found, translator.channels)
    for signature in real:
        if signature.image.channels != translator.channels:
            raise DataError(
                f"translate: the network makes {', '.join(translator.channels)}, but signature {signature.id} has "
                f"{', '.join(signature.image.channels)}. Give signatures of the kind it was trained on."
            )
    known = canvases_of(real, translator)
    encoder = DomainEncoder.train(
        known.transmission,
        known.class_index,
        translator.class_names,
        seed=derive(run.seed, "gate"),
        config=EncoderConfig(steps=config.recogniser_steps, threads=translator.config.threads),
    )

    def recognise(made: Sequence[Signature]) -> Sequence[float]:
        rows = encoder.probabilities(canvases_of(made, translator).transmission)
        return [float(row[translator.class_index(one.class_name)]) for row, one in zip(rows, made, strict=True)]

    return recognise


def _threads(config: TranslateConfig, translator: FramedTranslator) -> Any:
    if config.runtime is Runtime.ONNX:
        return nullcontext()
    from threatray.synthesis.threads import fixed_threads

    return fixed_threads(translator.config.threads)
