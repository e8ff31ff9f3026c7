"""What a training holds back, and what is measured of the model on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from threatray.core import Signature, derive, stream
from threatray.errors import DataError
from threatray.metrics.encoder import DomainEncoder, EncoderConfig
from threatray.metrics.fid import fid
from threatray.metrics.kid import kernel_distance
from threatray.metrics.paired import ssim_in_box
from threatray.metrics.silhouette import silhouette_iou
from threatray.photos.crop import ObjectCrop
from threatray.synthesis.config import TrainConfig
from threatray.synthesis.domain import DomainSet
from threatray.synthesis.threads import fixed_threads
from threatray.synthesis.translator import UnpairedTranslator
from threatray.synthesis.validation import CRITERION, held_back
from threatray.tip.library import SignatureLibrary

_LEAST: Final = 4
"""Pairs below which a distance of distributions says nothing."""
_ENCODER_STEPS: Final = 240
_SEEN: Final = 0.02
"""Mean attenuation above which a pixel is object, as the gate has it."""


@dataclass(frozen=True, eq=False)
class Shares:
    """The objects that are learned from and those that are held back; the latter None where nothing is."""

    photos: DomainSet
    signatures: DomainSet
    held_photos: DomainSet | None = None
    held_signatures: DomainSet | None = None


def divided(
    photos: DomainSet, signatures: DomainSet, crops: Sequence[ObjectCrop], real: Sequence[Signature], config: TrainConfig, seed: int
) -> Shares:
    """Hold back what ``config.validation`` says: photos by photo, signatures by bag.

    Args:
        photos: Of the crops, in their order.
        signatures: Of the real ones, in their order.
        crops: Where the photos come from.
        real: Where the signatures come from.
        config: Of the training.
        seed: Of the run, so that a restart holds the same back.

    Raises:
        DataError: Too little would be held back to measure anything on.
    """
    if not config.validation.every:
        return Shares(photos, signatures)
    share = config.validation.share
    out_a = held_back([(crop.source_id, crop.class_name) for crop in crops], share, stream(seed, "validation", "photos"))
    out_b = held_back([(one.origin.group, one.class_name) for one in real], share, stream(seed, "validation", "signatures"))
    counts = [
        min(int(out_a[photos.of_class(index)].sum()), int(out_b[signatures.of_class(index)].sum()))
        for index in range(len(photos.class_names))
    ]
    counts = [count for count in counts if count > 1]
    if sum(counts) < _LEAST:
        raise DataError(
            f"train: validation holds back {share:g} of each class, which makes {sum(counts)} pairs of a photo and a signature of one "
            f"class, and {_LEAST} are needed to measure anything. Raise --validation.share, give more photos and signatures, or train "
            "without examinations (--validation.every 0)."
        )
    return Shares(photos.part(~out_a), signatures.part(~out_b), photos.part(out_a), signatures.part(out_b))


class Examination:
    """Measures a model on the held-back share: KID and FID in the features of an encoder of the real training signatures, how far
    silhouettes stay, and how like translations are to the truth where it is known.

    KID is measured within each class and averaged, each class counting by its smaller number: sets that are matched class by class are
    not drawn at random, and over all classes at once the estimate would be too low. FID is over all classes, on equal numbers of each.

    Args:
        shares: With a held-back part.
        config: Of the training.
        seed: Of the encoder.
        truths: Photo id -> its true signature. Measured, never chosen by.
    """

    def __init__(self, shares: Shares, config: TrainConfig, seed: int, truths: Mapping[str, Signature] | None = None) -> None:
        assert shares.held_photos is not None
        assert shares.held_signatures is not None
        self._photos, self._encoding = shares.held_photos, config.encoding
        with fixed_threads(config.threads):
            self._encoder = DomainEncoder.train(
                self._transmission(shares.signatures.tensors[:, :-1]),
                shares.signatures.class_index,
                shares.signatures.class_names,
                seed=derive(seed, "validation", "encoder"),
                config=EncoderConfig(steps=_ENCODER_STEPS, threads=config.threads),
            )
            self._real = self._encoder.features(self._transmission(shares.held_signatures.tensors[:, :-1]))
        self._same_mix = _same_mix(shares.held_photos, shares.held_signatures)
        names = shares.held_photos.class_names
        places = ((shares.held_photos.of_class(index), shares.held_signatures.of_class(index)) for index in range(len(names)))
        self._classes = {name: each for name, each in zip(names, places, strict=True) if min(map(len, each)) > 1}
        self._truths = _truth_canvases(self._photos, truths or {}, config)
        self.facts: dict[str, Any] = {
            "features": self._encoder.name,
            "photos": len(shares.held_photos),
            "signatures": len(shares.held_signatures),
            "classes": list(self._classes),
            "chosen_by": CRITERION,
        }

    def __call__(self, model: UnpairedTranslator) -> dict[str, float]:
        """Figures of what ``model`` translates: ``kid``, ``fid``, ``silhouette_iou`` and, with truths, ``ssim``."""
        mask = self._photos.tensors[:, -1:]
        with torch.inference_mode():
            made = self._transmission(model.translate(self._photos.tensors, self._photos.class_index))
        features = self._encoder.features(made)
        distances = [kernel_distance(features[a], self._real[b]) for a, b in self._classes.values()]
        mine, theirs = self._same_mix
        seen = (-torch.log(made)).mean(1).numpy() > _SEEN
        covered = mask[:, 0].numpy()
        sure = (covered <= 0.0) | (covered >= 0.999)  # a pixel on the edge is object and air
        overlaps = [silhouette_iou(drawn & clear, (shape > 0.5) & clear) for drawn, shape, clear in zip(seen, covered, sure, strict=True)]
        figures = {
            CRITERION: float(np.average(distances, weights=[min(map(len, each)) for each in self._classes.values()])),
            "fid": fid(features[mine], self._real[theirs], extractor=self._encoder.name).value,
            "silhouette_iou": float(np.mean(overlaps)),
        }
        if self._truths:
            likeness = [ssim_in_box(made[place].numpy(), truth, seen[place] | shape) for place, (truth, shape) in self._truths.items()]
            figures["ssim"] = float(np.mean(likeness))
        return figures

    def _transmission(self, encoded: torch.Tensor) -> torch.Tensor:
        return self._encoding.decode(encoded).clamp(0.0, 1.0)


def truths_of(folder: Path, crops: Sequence[ObjectCrop]) -> dict[str, Signature]:
    """Crop id -> the true signature of its photo, from a library whose ids are photo ids.

    Raises:
        DataError: It holds none of them.
    """
    library = SignatureLibrary.open(folder)
    names = set(library.ids())
    found = {crop.id: library.load(Path(crop.source_id).stem) for crop in crops if Path(crop.source_id).stem in names}
    if not found:
        raise DataError(f"{folder}: holds no signature named after a photo; its ids must be photo ids.")
    return found


def _same_mix(photos: DomainSet, signatures: DomainSet) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of equal numbers of each class, so that another mix of classes is not taken for another kind of picture."""
    mine, theirs = [], []
    for index in range(len(photos.class_names)):
        a, b = photos.of_class(index), signatures.of_class(index)
        count = min(len(a), len(b))
        mine.append(a[:count])
        theirs.append(b[:count])
    return np.concatenate(mine), np.concatenate(theirs)


def _truth_canvases(photos: DomainSet, truths: Mapping[str, Signature], config: TrainConfig) -> dict[int, tuple[Any, Any]]:
    """Position of a photo -> (transmission (C, S, S), mask (S, S)) of its truth."""
    places = [place for place, name in enumerate(photos.ids) if name in truths]
    if not places:
        return {}
    known = [truths[photos.ids[place]] for place in places]
    canvases = DomainSet.of_signatures(known, photos.class_names, config.size, encoding=config.encoding, pose=config.pose)
    values = config.encoding.decode(canvases.tensors[:, :-1]).clamp(0.0, 1.0).numpy()
    masks = (canvases.tensors[:, -1] > 0.5).numpy()
    return {place: (values[row], masks[row]) for row, place in enumerate(places)}
