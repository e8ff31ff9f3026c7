"""How close translated signatures are to real ones and, where it is known, to the true X-ray of the same object."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import (
    TRANSMISSION_FLOOR,
    BoolArray,
    FloatArray,
    OriginKind,
    Quantity,
    Score,
    Signature,
    XrayImage,
    box_of_mask,
    derive,
    stream,
)
from threatray.core.files import read_json, write_json
from threatray.core.manifest import RunManifest
from threatray.errors import ConfigError, DataError
from threatray.photos.crop import ObjectCrop
from threatray.photos.library import read_crops
from threatray.pipeline.fidelity import memorisation_scores, recognition_scores, set_scores, variety_scores
from threatray.pipeline.held_back import check_unseen
from threatray.pipeline.stage import Outcome, Run, run_stage
from threatray.pipeline.stages.train_stage import chosen_checkpoint
from threatray.pipeline.stages.translate_stage import ACCEPTED, REJECTED, VERDICTS
from threatray.tip.isolate import crop_to_mask
from threatray.tip.library import SignatureLibrary, write_index, write_signature

SCORE_FILE: Final = "score.json"
TRUTH: Final = "truth"
TRANSLATED: Final = "translated"
AFTER_GATE: Final = "translated, after the gate"
PHOTO: Final = "photo as it is"
INVERTED: Final = "photo, grey inverted"
FILL: Final = "mean fill of the silhouette"
_CONTROLS: Final = (PHOTO, INVERTED, FILL)
_SHOWN: Final = {INVERTED: "controls/inverted", FILL: "controls/mean_fill"}
"""Controls that the report shows beside the translations."""


@dataclass(frozen=True)
class ScoreConfig:
    """How fidelity is measured.

    Args:
        encoder_steps: Updates of the domain encoder whose features KID and FID are measured in.
        subsets: KID subsets, which its interval comes from.
        extractors: Features to measure in beside the domain encoder's: ``efficientnet-lite0`` or ``inception``, whose weights come with
            packages, or ``module:attribute`` for an ``nn.Module`` of your own.
        neighbours: Neighbour whose distance is the radius in precision, recall, density and coverage.
    """

    encoder_steps: int = 400
    subsets: int = 100
    extractors: tuple[str, ...] = ()
    neighbours: int = 5

    def __post_init__(self) -> None:
        if self.encoder_steps < 1 or self.subsets < 2:
            raise ConfigError(f"score: encoder_steps must be >= 1 and subsets >= 2, got {self.encoder_steps} and {self.subsets}.")
        if self.neighbours < 1:
            raise ConfigError(f"score: neighbours must be at least 1, got {self.neighbours}.")
        if len(set(self.extractors)) != len(self.extractors):
            raise ConfigError(f"score: every extractor once, got {', '.join(self.extractors)}.")


def score(
    config: ScoreConfig,
    photos: Path,
    signatures: Path,
    train: Path,
    translate: Path,
    out: Path,
    run: Run,
    *,
    truth: Path | None = None,
    held_back: Path | None = None,
) -> RunManifest:
    """Write ``score.json``: how near the translations and three controls are to real X-rays, and paired figures where truth is given.

    In the features of an encoder trained on the real signatures, and of every further extractor: KID, FID, precision, recall, density
    and coverage. Of the translations by themselves: class agreement (GAN-train, GAN-test), silhouettes, diversity, near-duplicates, and
    the nearest training signatures.

    The controls are the photo's grey value taken as transmission, the same inverted, and the silhouette filled with the
    class's mean transmission.

    Args:
        config: How.
        photos: Folder of ``threatray photos``.
        signatures: Folder of ``threatray signatures``; the encoder is trained on them.
        train: Folder of ``threatray train``.
        translate: Folder of ``threatray translate``.
        out: Folder to make.
        run: How.
        truth: A signature library whose ids are photo ids: the true X-ray of each photo's object, never shown to training.
        held_back: Folder of ``threatray signatures`` of the validation or test part: real threats never shown to training. Without it
            and without truth, distances are to the signatures that the translator was trained on.

    Raises:
        ConfigError: ``held_back`` holds threats of the training scans.
        DataError: ``held_back`` is of another split, or has no threat of the translations' classes.
    """
    if held_back is not None:
        check_unseen(held_back, signatures)

    def body(work: Path) -> Outcome:
        from threatray.metrics.encoder import DomainEncoder, EncoderConfig
        from threatray.metrics.extractors import Extractor, named_extractor
        from threatray.pipeline.canvases import canvases_of
        from threatray.synthesis.threads import fixed_threads
        from threatray.synthesis.translate import Translator

        further = [named_extractor(name) for name in config.extractors]
        translator = Translator.load(chosen_checkpoint(train))
        threads = translator.config.threads
        real = _load_all(signatures, OriginKind.REAL)
        crops = {crop.id: crop for crop in read_crops(photos)}
        accepted, rejected = _load_all(translate / ACCEPTED), _load_all(translate / REJECTED)
        translated = sorted([*accepted, *rejected], key=lambda signature: signature.id)
        arms = {TRANSLATED: translated, AFTER_GATE: accepted, **_controls(translated, crops, real)}
        truths = {} if truth is None else _truths(truth, translated)
        unseen = _of_classes(held_back, translated) if held_back is not None else list(truths.values())
        reference = unseen or real
        against = "true X-rays of the same objects" if truths else "real signatures of the training scans"
        if held_back is not None:
            against = "real signatures of scans that no training saw"
        scores: list[Score] = []
        by_arm: dict[str, Any] = {}
        with fixed_threads(threads), run.progress.task("score", "arm") as update:
            known = canvases_of(real, translator)
            training = EncoderConfig(steps=config.encoder_steps, threads=threads)
            encoder = DomainEncoder.train(
                known.transmission, known.class_index, translator.class_names, seed=derive(run.seed, "score"), config=training
            )
            extractors: list[Extractor] = [encoder, *further]
            for place, (name, members) in enumerate(arms.items()):
                first, second = _same_mix(members, reference, stream(run.seed, "score", name))
                seen = [canvases_of(some, translator).transmission for some in (first, second)]
                for extractor in extractors:
                    features = [extractor.features(some) for some in seen]
                    measured = set_scores(
                        *features,
                        pair=f"{name}, {against}",
                        extractor=extractor.name,
                        seed=run.seed,
                        subsets=config.subsets,
                        neighbours=config.neighbours,
                    )
                    if extractor is encoder:
                        by_arm[name] = measured[0].as_json()
                    scores += measured
                update(place + 1, len(arms) + 1)
            made = canvases_of(translated, translator)
            shorter = replace(training, steps=max(1, config.encoder_steps // 2))  # two trainings for the price of one
            scores += recognition_scores(encoder, made, known, translator.class_names, shorter, run.seed)
            mine, theirs = encoder.features(made.transmission), encoder.features(known.transmission)
            labels = made.class_index.numpy(), known.class_index.numpy()
            scores += variety_scores(mine, theirs, *labels, translator.class_names, encoder.name, run.seed)
            apart = encoder.features(canvases_of(unseen, translator).transmission) if unseen else None
            names = [signature.id for signature in translated], [signature.id for signature in real]
            copied, nearest = memorisation_scores(mine, theirs, apart, *names, encoder.name, run.seed)
            scores += [*copied, *_silhouettes(translate)]
            update(len(arms) + 1, len(arms) + 1)
        for name, folder in _SHOWN.items():
            write_index(work / folder, [write_signature(work / folder, signature) for signature in arms[name]])
        if truths:  # for the report, which reads from the run's folder alone; and to compose what a perfect translator would have given
            true = [replace(crop_to_mask(signature), id=name) for name, signature in truths.items()]
            write_index(work / TRUTH, [write_signature(work / TRUTH, signature) for signature in true])
        paired = _paired(arms, truths)
        scores += _paired_scores(paired, run.seed)
        write_json(
            work / SCORE_FILE,
            {
                "scores": [each.as_json() for each in scores],
                "kid_by_arm": by_arm,
                "paired": paired,
                "memorisation": nearest,
                "notes": _notes(against),
            },
        )
        figures = {
            each.name if each.extractor in ("", encoder.name) else each.full_name: each.value
            for each in scores
            if each.name.startswith(("KID", "SSIM"))
        }
        return Outcome({"against": against, "features": encoder.name, "figures": figures})

    inputs = {"photos": photos, "signatures": signatures, "train": train, "translate": translate}
    extra = {name: folder for name, folder in (("truth", truth), ("held_back", held_back)) if folder is not None}
    return run_stage("score", config, {**inputs, **extra}, out, run, body)


def _of_classes(held_back: Path, translated: Sequence[Signature]) -> list[Signature]:
    """The held-back signatures of the classes that were translated."""
    classes = {signature.class_name for signature in translated}
    found = [signature for signature in _load_all(held_back) if signature.class_name in classes]
    if lacking := sorted(classes - {signature.class_name for signature in found}):
        raise DataError(f"{held_back}: holds no {lacking[0]!r}, of which there are translations. Hold back some, or leave --held-back out.")
    return found


def _notes(against: str) -> list[str]:
    return [
        f"KID, FID, precision, recall, density and coverage are measured against {against}. In the features of an encoder trained on this "
        "run's real signatures compare them within this report only, never with published figures.",
        "Both sets of a comparison have the same number of objects of each class. KID intervals are over random subsets, FID's over "
        "resamples, those of precision and its like over items. FID is biased upwards in small sets: trust KID.",
        "LPIPS is not given: no package ships its weights, and nothing is downloaded.",
        "SSIM and PSNR are taken inside the object's box, on transmissions, all channels.",
    ]


def _silhouettes(translate: Path) -> list[Score]:
    """Mean overlap of translated silhouettes with the photos', from the gate's verdicts."""
    found = [verdict["silhouette_iou"] for verdict in read_json(translate / VERDICTS) if verdict.get("silhouette_iou") is not None]
    if not found:
        return []
    from threatray.metrics.features import mean_interval

    values = np.array(found, np.float64)
    low, high = mean_interval(values)
    name = "silhouette IoU with the photo"
    return [Score(name, float(values.mean()), max(0.0, low), min(1.0, high), len(values), "", higher_is_better=True)]


def _load_all(folder: Path, kind: OriginKind | None = None) -> list[Signature]:
    library = SignatureLibrary.open(folder)
    return [library.load(name) for name in (library if kind is None else library.select(kind=kind)).ids()]


def _controls(translated: Sequence[Signature], crops: Mapping[str, ObjectCrop], real: Sequence[Signature]) -> dict[str, list[Signature]]:
    """The three things that cost nothing, in the frames of the translations."""
    means = _mean_transmissions(real)
    made: dict[str, list[Signature]] = {name: [] for name in _CONTROLS}
    for signature in translated:
        grey = crops[signature.id].pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32) / 255
        channels = len(signature.image.channels)
        mean = means[signature.class_name]
        made[PHOTO].append(_refilled(signature, np.repeat(grey[None], channels, axis=0)))
        made[INVERTED].append(_refilled(signature, np.repeat(1 - grey[None], channels, axis=0)))
        made[FILL].append(_refilled(signature, np.broadcast_to(mean[:, None, None], signature.image.values.shape)))
    return made


def _mean_transmissions(real: Sequence[Signature]) -> dict[str, NDArray[np.float32]]:
    pixels: dict[str, list[FloatArray]] = {}
    for signature in real:
        pixels.setdefault(signature.class_name, []).append(signature.image.values[:, signature.mask])
    return {name: np.concatenate(values, axis=1).mean(axis=1).astype(np.float32) for name, values in pixels.items()}


def _refilled(signature: Signature, values: NDArray[Any]) -> Signature:
    inside = np.clip(values, TRANSMISSION_FLOOR, 1.0)
    image = XrayImage(np.where(signature.mask, inside, 1.0).astype(np.float32), Quantity.TRANSMISSION, signature.image.channels)
    return Signature(signature.id, image, signature.mask, signature.class_name, signature.origin)


def _truths(folder: Path, translated: Sequence[Signature]) -> dict[str, Signature]:
    """Translation id -> the true signature of the photo it came from."""
    library = SignatureLibrary.open(folder)
    names = set(library.ids())
    photo_of = {signature.id: Path(signature.origin.source_id).stem for signature in translated}
    found = {name: library.load(photo) for name, photo in photo_of.items() if photo in names}
    if not found:
        raise DataError(f"{folder}: holds no signature named after a photo; its ids must be photo ids.")
    return found


def _same_mix(
    members: Sequence[Signature], reference: Sequence[Signature], rng: np.random.Generator
) -> tuple[list[Signature], list[Signature]]:
    """Equal numbers of each class from both, so that a different class mix is not taken for a difference of the pictures."""
    chosen: tuple[list[Signature], list[Signature]] = ([], [])
    for name in sorted({signature.class_name for signature in members}):
        sides = [[signature for signature in side if signature.class_name == name] for side in (members, reference)]
        count = min(map(len, sides))
        for kept, side in zip(chosen, sides, strict=True):
            kept.extend(side[place] for place in sorted(rng.permutation(len(side))[:count]))
    return chosen


def _paired(arms: Mapping[str, Sequence[Signature]], truths: Mapping[str, Signature]) -> list[dict[str, Any]]:
    from threatray.metrics.paired import psnr_in_box, ssim_in_box

    rows = []
    for place, signature in enumerate(arms[TRANSLATED]):
        if signature.id not in truths:
            continue
        row: dict[str, Any] = {"id": signature.id, "class_name": signature.class_name}
        for name in (TRANSLATED, *_CONTROLS):
            made, true, mask = _aligned(arms[name][place], truths[signature.id])
            row[f"ssim: {name}"] = round(ssim_in_box(made, true, mask), 5)
            row[f"psnr: {name}"] = round(psnr_in_box(made, true, mask), 4)
        rows.append(row)
    return rows


def _aligned(made: Signature, truth: Signature) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Both cut to their own silhouette's box; the crop's mask may differ from the true one by a pixel, so sizes are made equal."""
    import cv2

    cut, true = _cut(made), _cut(truth)
    size = (true.shape[2], true.shape[1])
    if cut.shape != true.shape:
        cut = np.stack([cv2.resize(np.ascontiguousarray(channel), size, interpolation=cv2.INTER_AREA) for channel in cut]).astype(
            np.float32
        )
    return cut, true, np.ones(true.shape[1:], np.bool_)


def _cut(signature: Signature) -> FloatArray:
    x0, y0, x1, y1 = (int(edge) for edge in box_of_mask(signature.mask))
    return np.ascontiguousarray(signature.image.values[:, y0:y1, x0:x1])


def _paired_scores(paired: Sequence[Mapping[str, Any]], seed: int) -> list[Score]:
    """Means over the objects with bootstrap intervals, of each arm and of each difference to a control."""
    if not paired:
        return []
    rng = stream(seed, "score", "bootstrap")
    draws = rng.integers(len(paired), size=(1000, len(paired)))
    scores = []
    for measure in ("ssim", "psnr"):
        columns = {name: np.array([row[f"{measure}: {name}"] for row in paired]) for name in (TRANSLATED, *_CONTROLS)}
        scores += [_mean_score(f"{measure.upper()}({name}, truth)", values, draws) for name, values in columns.items()]
        gains = {name: columns[TRANSLATED] - columns[name] for name in _CONTROLS}
        scores += [_mean_score(f"{measure.upper()} gain over {name}", values, draws) for name, values in gains.items()]
    return scores


def _mean_score(name: str, values: NDArray[Any], draws: NDArray[np.int64]) -> Score:
    means = values[draws].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Score(name, float(values.mean()), float(low), float(high), len(values), "", higher_is_better=True)
