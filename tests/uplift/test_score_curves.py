from __future__ import annotations

import numpy as np
import pytest

from threatray.uplift.arms import STANDARD_ARMS
from threatray.uplift.predictions import Detections, Judged
from threatray.uplift.results import JobResult
from threatray.uplift.score_curves import SHOWN_TPR, score_curves
from threatray.uplift.statistics import fpr_at_tpr

BOX = (1.0, 2.0, 8.0, 9.0)


def judged(name: str, score: float, *, threat: bool) -> Judged:
    found = Detections.of(np.array([BOX]), np.array([score]), ("gun",))
    return Judged(name, name, (BOX,) if threat else (), ("gun",) if threat else (), found)


def pictures(threats: list[float], benign: list[float]) -> tuple[Judged, ...]:
    return (
        *(judged(f"threat-{place}", score, threat=True) for place, score in enumerate(threats)),
        *(judged(f"bag-{place}", score, threat=False) for place, score in enumerate(benign)),
    )


def result(arm: str, seed: int, test: tuple[Judged, ...], validation: tuple[Judged, ...] | None = None) -> JobResult:
    return JobResult(STANDARD_ARMS[arm], seed, {}, ("gun",), 1, 1, {}, (), validation or test, test)


def at(curve, share: float) -> float:
    return curve.fpr[SHOWN_TPR.index(share)]


def test_a_worked_example_of_a_curve() -> None:
    (curve,) = score_curves([result("real_only", 0, pictures([0.9, 0.8, 0.4, 0.2], [0.85, 0.5, 0.3, 0.1]))])
    # TPR 0.25 at 0.9: no bag; 0.5 at 0.8: one of four; 0.75 at 0.4: two; 1 at 0.2: three.
    assert [at(curve, share) for share in (0.24, 0.26, 0.5, 0.74, 0.76, 1.0)] == [0.0, 0.25, 0.25, 0.5, 0.75, 0.75]


def test_the_curve_is_the_mean_over_seeds_and_arms_stay_apart() -> None:
    sure, unsure = pictures([0.9, 0.8], [0.1, 0.2]), pictures([0.4, 0.3], [0.9, 0.35])
    curves = score_curves([result("synthesis", 0, sure), result("real_only", 0, sure), result("synthesis", 1, unsure)])
    assert [one.arm for one in curves] == ["synthesis", "real_only"]
    assert at(curves[0], 0.94) == pytest.approx((0.0 + 1.0) / 2)
    assert at(curves[1], 0.94) == 0.0


def test_the_curve_passes_through_the_figure_of_the_test_roc() -> None:
    rng = np.random.default_rng(4)
    threats, benign = rng.beta(4, 2, 41), rng.beta(2, 4, 57)
    (curve,) = score_curves([result("real_only", 0, pictures(threats.tolist(), benign.tolist()))])
    assert at(curve, 0.94) == pytest.approx(fpr_at_tpr(threats, benign, 0.94), abs=1e-6)
    assert list(curve.fpr) == sorted(curve.fpr)


def test_scores_are_made_probabilities_on_the_validation_set_alone() -> None:
    rng = np.random.default_rng(5)
    test = pictures(rng.beta(4, 2, 50).tolist(), rng.beta(2, 4, 50).tolist())
    validation = pictures(rng.beta(4, 2, 60).tolist(), rng.beta(2, 4, 60).tolist())
    (found,) = score_curves([result("real_only", 0, test, validation)])
    turned = tuple(judged(one.id, one.found.image_score, threat=not one.has_threat) for one in test)
    (otherwise,) = score_curves([result("real_only", 0, turned, validation)])
    assert [point[0] for point in found.reliability] == [point[0] for point in otherwise.reliability]
    assert sum(count for *_, count in found.reliability) == 100
    assert [round(1 - share, 6) for _, share, _ in otherwise.reliability] == [share for _, share, _ in found.reliability]
