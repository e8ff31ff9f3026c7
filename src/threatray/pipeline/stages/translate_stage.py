"""Translate every photo crop and let the gate decide which signatures may be used."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from threatray.core import OriginKind, derive
from threatray.core.files import write_json
from threatray.core.manifest import RunManifest
from threatray.errors import CheckFailed
from threatray.photos.library import read_crops
from threatray.pipeline.stage import Outcome, Run, run_stage
from threatray.pipeline.stages.train_stage import chosen_checkpoint
from threatray.synthesis.gate import GateConfig
from threatray.tip.library import SignatureLibrary, write_index, write_signature

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
    """

    gate: GateConfig = field(default_factory=GateConfig)
    recogniser_steps: int = 240


def translate(config: TranslateConfig, photos: Path, signatures: Path, train: Path, out: Path, run: Run) -> RunManifest:
    """Write the signature libraries ``accepted/`` and ``rejected/`` and ``verdicts.json``.

    Raises:
        CheckFailed: The gate turned every translation of some class away.
    """

    def body(work: Path) -> Outcome:
        from threatray.metrics.encoder import DomainEncoder, EncoderConfig
        from threatray.pipeline.canvases import canvases_of
        from threatray.synthesis.gate import judge
        from threatray.synthesis.threads import fixed_threads
        from threatray.synthesis.translate import Translator

        translator = Translator.load(chosen_checkpoint(train))
        crops = read_crops(photos)
        library = SignatureLibrary.open(signatures)
        real = [library.load(name) for name in library.select(kind=OriginKind.REAL).ids()]
        verdicts, kept = [], {ACCEPTED: [], REJECTED: []}  # type: ignore[var-annotated]
        with fixed_threads(translator.config.threads), run.progress.task("translate", "photo") as update:
            known = canvases_of(real, translator)
            encoder = DomainEncoder.train(
                known.transmission,
                known.class_index,
                translator.class_names,
                seed=derive(run.seed, "gate"),
                config=EncoderConfig(steps=config.recogniser_steps, threads=translator.config.threads),
            )
            for start in range(0, len(crops), _BATCH):
                some = crops[start : start + _BATCH]
                made = translator.signatures(
                    [(crop.pixels, crop.mask, crop.class_name) for crop in some],
                    [(crop.id, crop.source_id, crop.source_id, crop.provenance) for crop in some],
                )
                probabilities = encoder.probabilities(canvases_of(made, translator).transmission)
                for crop, signature, row in zip(some, made, probabilities, strict=True):
                    verdict = judge(signature, crop.mask, float(row[translator.class_index(crop.class_name)]), config.gate)
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
        return Outcome({"accepted": dict(sorted(accepted.items())), "verdicts": dict(sorted(reasons.items()))})

    return run_stage("translate", config, {"photos": photos, "signatures": signatures, "train": train}, out, run, body)
