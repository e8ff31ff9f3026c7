"""The ROC curve and the reliability diagram of each arm, for the eye: what the single figures are readings of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from threatray.uplift.calibration import PlattScaling, reliability
from threatray.uplift.results import JobResult
from threatray.uplift.statistics import operating_thresholds, rates_at

SHOWN_TPR: Final = tuple(round(share, 2) for share in np.arange(0.02, 1.001, 0.02).tolist())
"""TPR at which the curve is read; the headline's 0.94 is one of them."""


@dataclass(frozen=True)
class ScoreCurves:
    """What the scores of one arm's detectors say of whole pictures of the test set.

    Args:
        arm: Name of the arm.
        tpr: TPR, rising.
        fpr: Mean over seeds of the FPR at which each seed's own curve reaches that TPR.
        reliability: (mean probability, share with a threat, pictures) of each bin, pictures of all seeds together; scores were made
            probabilities on the validation set, each seed's by its own.
    """

    arm: str
    tpr: tuple[float, ...]
    fpr: tuple[float, ...]
    reliability: tuple[tuple[float, float, int], ...]


def score_curves(results: Sequence[JobResult]) -> tuple[ScoreCurves, ...]:
    """The curves of each arm, arms in the order of their first result.

    Args:
        results: One an (arm, seed), judged on validation and test sets that hold pictures with a threat and without.
    """
    return tuple(_of_arm(name, [one for one in results if one.arm.name == name]) for name in dict.fromkeys(one.arm.name for one in results))


def _of_arm(name: str, jobs: Sequence[JobResult]) -> ScoreCurves:
    false_alarms, said, held = [], [], []
    for job in jobs:
        threat = np.array([one.has_threat for one in job.test], np.bool_)
        scores = np.array([one.found.image_score for one in job.test])
        thresholds = np.concatenate([operating_thresholds(scores[threat], share) for share in SHOWN_TPR])
        false_alarms.append(rates_at(scores[~threat], thresholds))
        chosen_on = np.array([one.found.image_score for one in job.validation])
        scaling = PlattScaling.fit(chosen_on, np.array([one.has_threat for one in job.validation], np.bool_))
        said.append(scaling(scores))
        held.append(threat)
    return ScoreCurves(
        name,
        SHOWN_TPR,
        tuple(np.mean(false_alarms, axis=0).round(6).tolist()),
        tuple((round(mean, 6), round(share, 6), count) for mean, share, count in reliability(np.concatenate(said), np.concatenate(held))),
    )
