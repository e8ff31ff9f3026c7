"""Benign bags that every detector is sure about: the first places to look for threats that nobody labelled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from threatray.uplift.predictions import Judged
from threatray.uplift.results import JobResult


@dataclass(frozen=True)
class Suspect:
    """A benign picture that was taken for a threat.

    Args:
        id: The picture.
        part: ``validation`` or ``test``.
        share_above: Mean over the trained detectors of the share of *threat* pictures that scored lower: 0.9 means that it looks more
            like a threat than 90 % of the threats do.
        label: The class most detectors named first.
        box: xyxy of that detection, of the surest detector.
        detectors: How many detectors judged it.
    """

    id: str
    part: str
    share_above: float
    label: str
    box: tuple[float, float, float, float]
    detectors: int


def suspects(results: Sequence[JobResult], *, most: int = 20, least_share: float = 0.5) -> tuple[Suspect, ...]:
    """The benign pictures of validation and test that look most like threats, over all arms and seeds.

    A single detector is often wrong; one picture that detectors of every arm and seed are sure about is wrongly labelled more often
    than not. Scores are compared by rank, since detectors differ in how sure they are of anything.

    Args:
        results: Of one experiment, judged on the same pictures.
        most: How many to list.
        least_share: Only pictures above at least this share of the threats.

    Returns:
        The surest first.
    """
    found = []
    for part in ("validation", "test"):
        sets: list[Sequence[Judged]] = [getattr(result, part) for result in results]
        threats = [np.sort([one.found.image_score for one in judged if one.has_threat]) for judged in sets]
        if not sets or any(len(scores) == 0 for scores in threats):
            continue
        for views in zip(*sets, strict=True):
            if views[0].has_threat:
                continue
            ranks = [
                float(np.searchsorted(scores, one.found.image_score, side="left")) / len(scores)
                for one, scores in zip(views, threats, strict=True)
            ]
            share = float(np.mean(ranks))
            surest = max(views, key=lambda one: one.found.image_score).found
            if share >= least_share and surest.labels:
                named = Counter(one.found.labels[0] for one in views if one.found.labels).most_common(1)[0][0]
                found.append(Suspect(views[0].id, part, round(share, 4), named, surest.boxes[0], len(views)))
    return tuple(sorted(found, key=lambda one: (-one.share_above, one.id, one.part))[:most])
