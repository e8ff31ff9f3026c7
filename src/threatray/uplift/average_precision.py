"""COCO average precision as a function of weights on the groups of the test set, so that one matching serves every resample.

Which detection matches which truth is decided inside one picture and does not depend on the others. So pictures are matched once, and the
precision-recall curve of any reweighted test set (a bootstrap resample, a higher share of benign bags) follows from two matrix products.
With all weights 1 the result is pycocotools' to rounding, which a reference test checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from threatray.errors import DataError
from threatray.uplift.predictions import Judged

Figures = NDArray[np.float64]

IOU_50: Final = (0.5,)
IOU_50_95: Final = tuple(np.linspace(0.5, 0.95, 10).tolist())
_RECALLS: Final = np.linspace(0.0, 1.0, 101)
_MOST_PER_IMAGE: Final = 100
"""COCO looks at a picture's best hundred detections of a class."""


def iou(first: Figures, second: Figures) -> Figures:
    """Intersection over union of every box (N, 4) with every box (M, 4), xyxy.

    Example:
        >>> iou(np.array([[0.0, 0, 2, 2]]), np.array([[0.0, 0, 2, 1], [5, 5, 6, 6]])).tolist()
        [[0.5, 0.0]]
    """
    sides = np.minimum(first[:, None, 2:], second[None, :, 2:]) - np.maximum(first[:, None, :2], second[None, :, :2])
    shared = np.clip(sides, 0, None).prod(axis=2)
    areas = [(boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) for boxes in (first, second)]
    return np.asarray(shared / (areas[0][:, None] + areas[1][None, :] - shared), np.float64)


def match(found: Figures, truth: Figures, thresholds: Sequence[float]) -> NDArray[np.bool_]:
    """Which detections of one class in one picture hit a truth not yet taken, as pycocotools decides.

    Args:
        found: (N, 4), best first.
        truth: (M, 4).
        thresholds: IoU a hit needs.

    Returns:
        (thresholds, N): greedy from the best detection on; each takes the free truth with the largest IoU.

    Example:
        >>> box = np.array([[0.0, 0, 10, 10]])
        >>> match(np.concatenate([box, box + 1]), box, (0.5,)).tolist()
        [[True, False]]
    """
    hits = np.zeros((len(thresholds), len(found)), np.bool_)
    if len(truth) == 0 or len(found) == 0:
        return hits
    overlap = iou(found, truth)
    near = np.flatnonzero(overlap.max(axis=1) >= min(thresholds)).tolist()  # most detections touch nothing
    for level, threshold in enumerate(thresholds):
        free = np.ones(len(truth), np.bool_)
        for index in near:
            candidates = np.where(free & (overlap[index] >= min(threshold, 1 - 1e-10)), overlap[index], -1.0)
            best = len(truth) - 1 - int(np.argmax(candidates[::-1]))  # pycocotools lets the last of equals win
            if candidates[best] >= 0:
                hits[level, index], free[best] = True, False
    return hits


@dataclass(frozen=True, eq=False)
class _ClassMatches:
    """One class over the whole set, detections best first: (N,) picture, (thresholds, N) hit, (pictures,) number of truths."""

    picture: NDArray[np.int64]
    hits: NDArray[np.bool_]
    truths: Figures


@dataclass(frozen=True, eq=False)
class Matches:
    """All detections of a set of pictures matched with its truths.

    Args:
        classes: Class names, in order.
        by_class: Their matches.
        pictures: Number of pictures.
    """

    classes: tuple[str, ...]
    by_class: tuple[_ClassMatches, ...]
    pictures: int

    @classmethod
    def of(cls, judged: Sequence[Judged], classes: tuple[str, ...], thresholds: Sequence[float] = IOU_50) -> Matches:
        """Match every picture.

        Raises:
            DataError: A truth is labelled with something that is not among ``classes``.
        """
        for one in judged:
            if unknown := sorted(set(one.truth_labels) - set(classes)):
                raise DataError(f"image {one.id!r}: truth {unknown[0]!r} is none of the classes {', '.join(classes)}.")
        return cls(classes, tuple(_match_class(judged, name, thresholds) for name in classes), len(judged))

    def only(self, level: int) -> Matches:
        """The same at one of the thresholds alone."""
        kept = tuple(replace(one, hits=one.hits[level : level + 1]) for one in self.by_class)
        return replace(self, by_class=kept)

    def average_precision(self, group_of: NDArray[np.int64], group_weights: Figures, picture_weights: Figures | None = None) -> Figures:
        r"""Average precision of every reweighting of the set.

        $AP = \frac{1}{101} \sum_{r \in \{0, 0.01, \dots, 1\}} \max_{r' \ge r} p(r')$, precision $p$ and recall counted with weights.

        Args:
            group_of: (pictures,) index of each picture's group.
            group_weights: (resamples, groups), e.g. how often each group was drawn.
            picture_weights: (pictures,) further weights, e.g. one benign bag standing for many; 1 if None.

        Returns:
            (resamples, classes, thresholds); NaN where a class has no truth of positive weight.
        """
        own = np.ones(self.pictures) if picture_weights is None else picture_weights
        levels = len(self.by_class[0].hits)
        result = np.full((len(group_weights), len(self.classes), levels), np.nan)
        for index, matches in enumerate(self.by_class):
            truths = group_weights @ np.bincount(group_of, weights=own * matches.truths, minlength=group_weights.shape[1])
            for level in range(levels):
                result[:, index, level] = _one(matches.picture, matches.hits[level], truths, group_of, own, group_weights)
        return result


def _match_class(judged: Sequence[Judged], name: str, thresholds: Sequence[float]) -> _ClassMatches:
    pictures: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    scores: list[Figures] = [np.zeros(0)]
    hits: list[NDArray[np.bool_]] = [np.zeros((len(thresholds), 0), np.bool_)]
    truths = np.zeros(len(judged))
    for index, one in enumerate(judged):
        wanted = [position for position, label in enumerate(one.found.labels) if label == name][:_MOST_PER_IMAGE]
        there = [box for box, label in zip(one.truth_boxes, one.truth_labels, strict=True) if label == name]
        truths[index] = len(there)
        if wanted:
            boxes = np.array([one.found.boxes[position] for position in wanted], np.float64)
            hits.append(match(boxes, np.array(there, np.float64).reshape(-1, 4), thresholds))
            pictures.append(np.full(len(wanted), index, np.int64))
            scores.append(np.array([one.found.scores[position] for position in wanted]))
    order = np.argsort(-np.concatenate(scores), kind="stable")
    return _ClassMatches(np.concatenate(pictures)[order], np.concatenate(hits, axis=1)[:, order], truths)


def _one(
    picture: NDArray[np.int64], hit: NDArray[np.bool_], truths: Figures, group_of: NDArray[np.int64], own: Figures, group_weights: Figures
) -> Figures:
    """Average precision of one class at one threshold for every resample."""
    result = np.where(truths > 0, 0.0, np.nan)
    at = np.flatnonzero(hit)  # the envelope of precision changes at hits alone
    if at.size == 0:
        return result
    groups = group_weights.shape[1]
    # counted[g, j]: weight of group g's detections ranked no lower than the j-th hit; caught: of its hits alone.
    step = np.searchsorted(at, np.arange(len(picture)))
    kept = step < at.size  # what ranks below the last hit changes nothing
    weight, row, column = own[picture[kept]], group_of[picture[kept]], step[kept]
    counted, caught = np.zeros((groups, at.size)), np.zeros((groups, at.size))
    np.add.at(counted, (row, column), weight)
    np.add.at(caught, (row, column), weight * hit[kept])
    all_found, true_found = group_weights @ counted.cumsum(axis=1), group_weights @ caught.cumsum(axis=1)
    precision = true_found / (all_found + np.spacing(1))
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        recall = np.where(truths[:, None] > 0, true_found / truths[:, None], 0.0)
    reached = np.searchsorted(_RECALLS, recall, side="right")
    share = np.diff(reached, axis=1, prepend=0) / len(_RECALLS)
    # With no hit drawn yet, recall is 0 and the recall-0 point already counts, at an envelope that looks ahead: as pycocotools has it.
    return np.where(truths > 0, (envelope * share).sum(axis=1), result)


def mean_ap50(judged: Sequence[Judged], classes: tuple[str, ...]) -> float:
    """AP50, mean over the classes that are there; NaN if none is.

    Example:
        >>> from threatray.uplift.predictions import Detections
        >>> box = (1.0, 1.0, 9.0, 9.0)
        >>> found = mean_ap50([Judged("a", "a", (box,), ("gun",), Detections((box,), (0.9,), ("gun",)))], ("gun", "knife"))
        >>> round(found, 6)
        1.0
    """
    alone = np.zeros(len(judged), np.int64)
    by_class = Matches.of(judged, classes).average_precision(alone, np.ones((1, 1)))[0, :, 0]
    held = by_class[np.isfinite(by_class)]
    return float(held.mean()) if held.size else float("nan")
