"""Every figure of one job, on the test set as it is and on resamples of its groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import stream
from threatray.errors import ConfigError, DataError
from threatray.uplift.average_precision import IOU_50_95, Matches, iou
from threatray.uplift.calibration import PlattScaling, calibration_error
from threatray.uplift.predictions import Judged
from threatray.uplift.results import JobResult
from threatray.uplift.statistics import Groups, benign_weights, operating_thresholds, rates_at

Figures = NDArray[np.float64]

CLASS_PREFIX: Final = "ap50/"
"""Begins the name of a measure of one class."""
LEVEL_PREFIXES: Final = ("tpr_at/", "ap50_at/")
"""Begin the names of the measures of one level of difficulty."""


@dataclass(frozen=True)
class Measure:
    """A figure between 0 and 1.

    Args:
        name: Key in tables and files.
        title: What a reader sees.
        higher_is_better: Its sense.
    """

    name: str
    title: str
    higher_is_better: bool


@dataclass(frozen=True)
class SummarySettings:
    """How results are summed up.

    Args:
        target_tpr: TPR that the operating point must reach on validation.
        benign_per_threat: Imbalances at which AP50 is given, by weighting benign pictures.
        resamples: Bootstrap resamples of the groups.
        confidence: Of the intervals.
        seed: Of the resamples.

    Raises:
        ConfigError: A value out of range.
    """

    target_tpr: float = 0.94
    benign_per_threat: tuple[int, ...] = (10, 100, 1000)
    resamples: int = 400
    confidence: float = 0.95
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("target_tpr", "confidence"):
            if not 0 < getattr(self, name) < 1:
                raise ConfigError(f"uplift summary: {name} must lie between 0 and 1, got {getattr(self, name)}.")
        if self.resamples < 100:
            raise ConfigError(f"uplift summary: resamples must be at least 100 for an interval, got {self.resamples}.")
        if any(ratio <= 0 for ratio in self.benign_per_threat):
            raise ConfigError(f"uplift summary: benign_per_threat must be above 0, got {self.benign_per_threat}.")

    @property
    def fpr(self) -> str:
        """Name of the headline: the test FPR at the operating point, which is chosen on validation."""
        return f"fpr_at_tpr_{self.target_tpr:.4g}"

    def measures(self, classes: Sequence[str], levels: Sequence[str] = ()) -> tuple[Measure, ...]:
        """The measures of a summary, the most telling first."""
        tpr = f"TPR {self.target_tpr:.2f}"
        return (
            Measure(self.fpr, f"FPR at {tpr}", False),
            Measure("tpr", f"TPR at the operating point of {tpr}", True),
            Measure("tpr_located", f"Threat bags alarmed by a box at the threat, operating point of {tpr}", True),
            Measure(f"{self.fpr}_test_roc", f"FPR at {tpr} of the test ROC", False),
            Measure("ap50", "AP50", True),
            Measure("ap50_95", "AP50-95", True),
            *(Measure(f"ap50_benign_{ratio}", f"AP50 at {ratio} benign per threat", True) for ratio in self.benign_per_threat),
            Measure("ece", "Calibration error of the score", False),
            Measure("ece_scaled", "Calibration error after scaling on validation", False),
            *(Measure(f"{CLASS_PREFIX}{name}", f"AP50 of {name}", True) for name in classes),
            *(Measure(f"tpr_at/{level}", f"TPR at the operating point, difficulty {level}", True) for level in levels),
            *(Measure(f"ap50_at/{level}", f"AP50, difficulty {level}", True) for level in levels),
        )


@dataclass(frozen=True, eq=False)
class _Side:
    """The pictures of a set: their groups, which show a threat, and the weights of the groups in each resample (the set itself first)."""

    groups: Groups
    threat: NDArray[np.bool_]
    weights: Figures

    @classmethod
    def of(cls, judged: Sequence[Judged], name: str, settings: SummarySettings) -> _Side:
        threat = np.array([one.has_threat for one in judged], np.bool_)
        if threat.all() or not threat.any():
            raise DataError(
                f"uplift: the {name} set needs pictures with a threat and benign ones, got {int(threat.sum())} of {len(threat)} with one."
            )
        groups = Groups.of([one.group for one in judged], threat.tolist())
        drawn = groups.resample(settings.resamples, stream(settings.seed, "bootstrap", name))
        return cls(groups, threat, np.concatenate([np.ones((1, len(groups))), drawn]))

    def of_pictures(self, which: NDArray[np.bool_]) -> Figures:
        return self.weights[:, self.groups.of_picture[which]]


@dataclass(frozen=True, eq=False)
class Resampler:
    """The same resamples of validation and test groups for every job of an experiment: what pairs the arms.

    Args:
        validation: The validation set's side.
        test: The test set's side.
        settings: How results are summed up.
    """

    validation: _Side
    test: _Side
    settings: SummarySettings

    @classmethod
    def of(cls, result: JobResult, settings: SummarySettings) -> Resampler:
        """Draw the resamples for the pictures that this result (and every comparable one) was judged on.

        Raises:
            DataError: Validation or test lacks threat or benign pictures.
        """
        return cls(_Side.of(result.validation, "validation", settings), _Side.of(result.test, "test", settings), settings)

    @property
    def group_count(self) -> int:
        """Groups in the test set: what the interval's degrees of freedom rest on."""
        return len(self.test.groups)

    def figures(self, result: JobResult) -> Mapping[str, Figures]:
        """Measure -> (1 + resamples,): the figure on the sets as they are, then on each resample."""
        return self._rates(result) | self._precisions(result)

    def _rates(self, result: JobResult) -> dict[str, Figures]:
        chosen_on = np.array([one.found.image_score for one in result.validation])
        scores = np.array([one.found.image_score for one in result.test])
        threat, benign, target = self.test.threat, ~self.test.threat, self.settings.target_tpr
        weights, benign_drawn = self.test.of_pictures(threat), self.test.of_pictures(benign)
        # The operating point: validation only. Its own resamples carry the uncertainty of having chosen it on few pictures.
        on_validation = self.validation.threat
        operating = operating_thresholds(chosen_on[on_validation], target, self.validation.of_pictures(on_validation))
        # A reading of the test set's own ROC curve, named so; it sets no operating point.
        reading = operating_thresholds(scores[threat], target, weights)
        scaled = PlattScaling.fit(chosen_on, on_validation)(scores)
        every = self.test.of_pictures(np.ones(len(threat), np.bool_))
        return {
            self.settings.fpr: rates_at(scores[benign], operating, benign_drawn),
            "tpr": rates_at(scores[threat], operating, weights),
            "tpr_located": rates_at(np.array([located_score(one) for one in result.test])[threat], operating, weights),
            f"{self.settings.fpr}_test_roc": rates_at(scores[benign], reading, benign_drawn),
            "ece": calibration_error(scores, threat, every),
            "ece_scaled": calibration_error(scaled, threat, every),
            **{
                f"tpr_at/{level}": rates_at(scores[held], operating, self.test.of_pictures(held))
                for level, held in self._levels(result).items()
            },
        }

    def _levels(self, result: JobResult) -> dict[str, NDArray[np.bool_]]:
        """Level -> which test pictures show a threat of that difficulty."""
        of = np.array([one.difficulty for one in result.test])
        return {level: self.test.threat & (of == level) for level in levels_of(result)}

    def _precisions(self, result: JobResult) -> dict[str, Figures]:
        matches, of_picture = Matches.of(result.test, result.classes, IOU_50_95), self.test.groups.of_picture
        every = matches.average_precision(of_picture, self.test.weights)
        found = {"ap50": _mean(every[:, :, 0]), "ap50_95": _mean(every.mean(axis=2))}
        half = matches.only(0)
        for ratio in self.settings.benign_per_threat:
            own = benign_weights(self.test.threat, ratio)
            found[f"ap50_benign_{ratio}"] = _mean(half.average_precision(of_picture, self.test.weights, own)[:, :, 0])
        for level, held in self._levels(result).items():
            own = (held | ~self.test.threat).astype(np.float64)
            found[f"ap50_at/{level}"] = _mean(half.average_precision(of_picture, self.test.weights, own)[:, :, 0])
        return found | {f"{CLASS_PREFIX}{name}": every[:, index, 0] for index, name in enumerate(result.classes)}


def located_score(judged: Judged) -> float:
    """The best score among the boxes that lie at a threat, of whatever class they are said to be; -1 where none does.

    An alarm for the whole picture may be set off by anything in it: a bag whose hammer is not seen, but in which an umbrella passes for a
    knife, counts as found. Here it does not, not even at a threshold of 0, which lets every picture pass.
    """
    if not judged.has_threat or not judged.found.boxes:
        return -1.0
    at_threat = iou(np.array(judged.found.boxes), np.array(judged.truth_boxes)).max(axis=1) >= IOU_50_95[0]
    return max((score for score, here in zip(judged.found.scores, at_threat, strict=True) if here), default=-1.0)


def levels_of(result: JobResult) -> tuple[str, ...]:
    """The levels of difficulty that the test pictures with a threat have, where there are two or more."""
    found = sorted({one.difficulty for one in result.test if one.has_threat} - {""})
    return tuple(found) if len(found) > 1 else ()


def _mean(by_class: Figures) -> Figures:
    """Over the classes that the (resampled) set holds."""
    held = np.isfinite(by_class)
    count = held.sum(axis=1)
    return np.where(count > 0, np.where(held, by_class, 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)
