"""Whether the test set's labels can be right, judged by detectors that learnt from other labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from threatray.uplift.average_precision import iou
from threatray.uplift.predictions import Judged
from threatray.uplift.results import JobResult

_LEAST_FOUND: Final = 8
"""Threats of a class found, over all detectors, below which nothing is said of it."""
_MOST: Final = 0.5
_SURE: Final = 0.6
_WRONG_WAY: Final = 0.4


def label_doubts(results: Sequence[JobResult]) -> tuple[str, ...]:
    """Sentences on test labels that look exchanged; none where all is well.

    Two signs are looked for. A class whose threats are found in their place but mostly called by one other name on the test part, while
    the same detectors get that class right on validation. And scores that part threats from benign bags on validation, and run the wrong
    way on the test part.

    Args:
        results: Of one experiment.
    """
    named = {part: _names([getattr(result, part) for result in results]) for part in ("validation", "test")}
    doubts = []
    for label, said in sorted(named["test"].items()):
        other, times = said.most_common(1)[0]
        total, before = said.total(), named["validation"].get(label, Counter())
        right_before = before[label] / before.total() if before.total() else 0.0
        if other != label and total >= _LEAST_FOUND and times > _MOST * total and right_before > _MOST:
            doubts.append(
                f"Test labels look exchanged: of {total} found threats labelled {label!r}, detectors called {times} {other!r}; on "
                f"validation they called {right_before:.0%} of {label!r} by its name. Check the labels of the test set."
            )
    ways = {part: float(np.mean([_auc(getattr(result, part)) for result in results])) for part in ("validation", "test")}
    if ways["validation"] > _SURE and ways["test"] < _WRONG_WAY:
        doubts.append(
            "Threat and benign look exchanged in the test set: scores rank benign bags above threats there "
            f"(AUC {ways['test']:.2f}; on validation {ways['validation']:.2f}). Check the labels of the test set."
        )
    return tuple(doubts)


def _names(sets: Sequence[Sequence[Judged]]) -> dict[str, Counter[str]]:
    """Truth's label -> what the surest detection that covers it was called, over all detectors."""
    found: dict[str, Counter[str]] = {}
    for judged in sets:
        for one in judged:
            if not (one.truth_boxes and one.found.boxes):
                continue
            overlap = iou(np.array(one.found.boxes), np.array(one.truth_boxes)) >= _MOST
            for place, label in enumerate(one.truth_labels):
                if overlap[:, place].any():
                    said = one.found.labels[int(np.argmax(overlap[:, place]))]  # the first is the surest
                    found.setdefault(label, Counter())[said] += 1
    return found


def _auc(judged: Sequence[Judged]) -> float:
    """Share of pairs of a threat and a benign picture in which the threat scores higher, ties one half."""
    threats, benign = (np.array([one.found.image_score for one in judged if one.has_threat == kind]) for kind in (True, False))
    if not (threats.size and benign.size):
        return 0.5
    return float((threats[:, None] > benign).mean() + 0.5 * (threats[:, None] == benign).mean())
