from __future__ import annotations

from dataclasses import replace

import numpy as np

from threatray.uplift.arms import STANDARD_ARMS
from threatray.uplift.predictions import Detections, Judged
from threatray.uplift.results import JobResult
from threatray.uplift.suspects import suspects

BOX = (1.0, 2.0, 8.0, 9.0)


def judged(name: str, score: float, *, threat: bool, label: str = "gun") -> Judged:
    found = Detections.of(np.array([BOX]), np.array([score]), (label,))
    return Judged(name, name, (BOX,) if threat else (), ("gun",) if threat else (), found)


def result(seed: int, scores: dict[str, float]) -> JobResult:
    test = tuple(judged(name, score, threat=name.startswith("threat")) for name, score in scores.items())
    return JobResult(STANDARD_ARMS["real_only"], seed, {}, ("gun",), 1, 1, {}, (), test, test)


def test_a_bag_that_scores_above_most_threats_is_listed_first() -> None:
    scores = {f"threat-{number}": 0.5 + 0.04 * number for number in range(10)}
    found = suspects([result(seed, {**scores, "bag-a": 0.1, "bag-b": 0.81, "bag-c": 0.71}) for seed in (1, 2)])
    assert [(one.id, one.part, one.share_above) for one in found] == [
        ("bag-b", "test", 0.8),
        ("bag-b", "validation", 0.8),
        ("bag-c", "test", 0.6),
        ("bag-c", "validation", 0.6),
    ]
    assert found[0].box == BOX
    assert found[0].detectors == 2


def test_one_sure_detector_among_unsure_ones_is_not_enough() -> None:
    scores = {f"threat-{number}": 0.5 for number in range(4)}
    results = [result(1, {**scores, "bag": 0.9}), *(result(seed, {**scores, "bag": 0.1}) for seed in (2, 3, 4))]
    assert suspects(results) == ()
    assert [one.id for one in suspects(results, least_share=0.25)] == ["bag", "bag"]


def test_the_scale_of_a_detector_does_not_matter() -> None:
    scores = {f"threat-{number}": 0.1 * number + 0.05 for number in range(8)} | {"bag": 0.42}
    squared = {name: score**2 for name, score in scores.items()}
    assert suspects([result(1, scores)]) == suspects([result(1, squared)])


def test_a_benign_bag_without_detections_is_no_suspect() -> None:
    one = result(1, {"threat-1": 0.5, "bag": 0.9})
    silent = replace(one.test[1], found=Detections.none())
    assert suspects([replace(one, test=(one.test[0], silent), validation=(one.test[0], silent))], least_share=0.0) == ()
