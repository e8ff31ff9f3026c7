from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.errors import DataError
from threatray.uplift.average_precision import IOU_50, IOU_50_95, Matches, iou, match
from threatray.uplift.predictions import Detections, Judged

CLASSES = ("gun", "knife", "hammer")


Box = tuple[float, float, float, float]


def one(name: str, truth: list[tuple[Box, str]], found: list[tuple[Box, float, str]]) -> Judged:
    boxes = np.array([box for box, _, _ in found]).reshape(-1, 4)
    detections = Detections.of(boxes, np.array([score for _, score, _ in found]), tuple(label for _, _, label in found))
    return Judged(name, name, tuple(box for box, _ in truth), tuple(label for _, label in truth), detections)


def random_set(seed: int, pictures: int, *, ties: bool = True) -> list[Judged]:
    rng = np.random.default_rng(seed)

    def score() -> float:
        return float(rng.integers(1, 12)) / 12 if ties else float(rng.random())

    def box() -> np.ndarray:
        corner, size = rng.uniform(0, 60, 2), rng.uniform(8, 40, 2)
        return np.concatenate([corner, corner + size])

    judged = []
    for index in range(pictures):
        truth = [(tuple(np.round(box(), 2).tolist()), str(rng.choice(CLASSES))) for _ in range(rng.integers(0, 4))]
        found = []
        for place, label in truth:
            for _ in range(rng.integers(0, 3)):
                near = np.array(place) + rng.normal(0, 3, 4)
                near[2:] = np.maximum(near[2:], near[:2] + 1)
                found.append((tuple(near.tolist()), score(), label if rng.random() < 0.8 else str(rng.choice(CLASSES))))
        found += [(tuple(box().tolist()), score(), str(rng.choice(CLASSES))) for _ in range(rng.integers(0, 4))]
        judged.append(one(f"{index:03d}", truth, found))
    return judged


def figures(judged: list[Judged], weights: np.ndarray | None = None, thresholds: tuple[float, ...] = IOU_50_95) -> np.ndarray:
    of_picture = np.arange(len(judged))
    weights = np.ones((1, len(judged))) if weights is None else weights
    return Matches.of(judged, CLASSES, thresholds).average_precision(of_picture, weights)


def test_a_worked_example_by_hand() -> None:
    box, elsewhere = (0.0, 0.0, 10.0, 10.0), (50.0, 50.0, 60.0, 60.0)
    # Ranked: hit, miss, hit of two truths. Precision 1 up to recall 0.5 (51 of 101 points), then 2/3.
    judged = [one("a", [(box, "gun")], [(box, 0.9, "gun"), (elsewhere, 0.8, "gun")]), one("b", [(box, "gun")], [(box, 0.7, "gun")])]
    found = figures(judged, thresholds=IOU_50)[0, :, 0]
    assert found[0] == pytest.approx((51 + 50 * 2 / 3) / 101, abs=1e-12)
    assert np.isnan(found[1:]).all()


def test_a_class_that_is_never_found_has_zero_and_one_that_is_not_there_has_none() -> None:
    found = figures([one("a", [((0.0, 0.0, 5.0, 5.0), "gun")], [((0.0, 0.0, 5.0, 5.0), 0.9, "knife")])])[0, :, 0]
    assert found[0] == 0
    assert np.isnan(found[1])


def test_a_second_detection_of_one_truth_is_a_false_one() -> None:
    box = np.array([[0.0, 0.0, 10.0, 10.0]])
    assert match(np.concatenate([box, box]), box, (0.5,)).tolist() == [[True, False]]


def test_each_detection_takes_the_free_truth_it_overlaps_most() -> None:
    truth = np.array([[0.0, 0.0, 10.0, 10.0], [2.0, 0.0, 12.0, 10.0]])
    assert match(np.array([[2.0, 0, 12, 10], [0.5, 0, 10.5, 10]]), truth, (0.5, 0.9)).tolist() == [[True, True], [True, True]]


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=15)
def test_a_weight_counts_a_picture_as_often_as_it_says(seed: int) -> None:
    judged = random_set(seed, 8, ties=False)
    times = np.random.default_rng(seed).integers(0, 4, 8)
    copies = [one_picture for one_picture, count in zip(judged, times.tolist(), strict=True) for _ in range(count)]
    weighted = figures(judged, times[None].astype(float))
    if copies:
        np.testing.assert_allclose(weighted, figures(copies), rtol=1e-9)
    else:
        assert np.isnan(weighted).all()


def test_pictures_of_one_group_are_weighted_together() -> None:
    judged = random_set(5, 6)
    matches = Matches.of(judged, CLASSES, IOU_50)
    grouped = matches.average_precision(np.array([0, 0, 1, 1, 2, 2]), np.array([[2.0, 0.0, 1.0]]))
    apart = matches.average_precision(np.arange(6), np.array([[2.0, 2, 0, 0, 1, 1]]))
    np.testing.assert_allclose(grouped, apart)


def test_more_benign_bags_with_false_alarms_never_raise_it() -> None:
    judged = random_set(6, 30)
    benign = np.array([not picture.has_threat for picture in judged])
    matches = Matches.of(judged, CLASSES, IOU_50)
    weights = np.stack([np.where(benign, share, 1.0) for share in (0.5, 1.0, 10.0, 1000.0)])
    values = matches.average_precision(np.arange(30), weights)[:, :, 0]
    assert (np.diff(values, axis=0) <= 1e-12).all()
    assert (values[-1] < values[0]).any()


def test_an_unknown_label_is_refused() -> None:
    with pytest.raises(DataError, match=r"image 'a': truth 'sword' is none of the classes gun, knife, hammer"):
        figures([one("a", [((0.0, 0.0, 5.0, 5.0), "sword")], [])])


def test_overlap_of_equal_boxes_is_one() -> None:
    boxes = np.array([[3.0, 4, 9, 11]])
    assert iou(boxes, boxes)[0, 0] == 1


def coco_dicts(judged: list[Judged]) -> tuple[dict[str, object], list[dict[str, object]]]:
    truths: list[dict[str, object]] = []
    found: list[dict[str, object]] = []
    for index, picture in enumerate(judged, start=1):
        for (x0, y0, x1, y1), label in zip(picture.truth_boxes, picture.truth_labels, strict=True):
            box = [x0, y0, x1 - x0, y1 - y0]
            known = {"id": len(truths) + 1, "image_id": index, "category_id": CLASSES.index(label) + 1, "iscrowd": 0}
            truths.append(known | {"bbox": box, "area": box[2] * box[3]})
        for (x0, y0, x1, y1), score, label in zip(picture.found.boxes, picture.found.scores, picture.found.labels, strict=True):
            box = [x0, y0, x1 - x0, y1 - y0]
            found.append({"image_id": index, "category_id": CLASSES.index(label) + 1, "bbox": box, "score": score})
    categories = [{"id": index, "name": name} for index, name in enumerate(CLASSES, start=1)]
    return {
        "images": [{"id": index + 1} for index in range(len(judged))],
        "annotations": truths,
        "categories": categories,
        "info": {},
    }, found


def official(judged: list[Judged], library: str) -> np.ndarray:
    """(classes, thresholds) by pycocotools or faster-coco-eval."""
    truth, found = coco_dicts(judged)
    with contextlib.redirect_stdout(io.StringIO()):
        if library == "pycocotools":
            from pycocotools.coco import COCO
            from pycocotools.cocoeval import COCOeval

            known = COCO()
            known.dataset = truth
            known.createIndex()
            judge = COCOeval(known, known.loadRes(found), "bbox")
        else:
            from faster_coco_eval import COCO as FastCOCO
            from faster_coco_eval import COCOeval_faster

            known = FastCOCO(truth)
            judge = COCOeval_faster(known, known.loadRes(found), "bbox")
        judge.evaluate()
        judge.accumulate()
    precision = np.asarray(judge.eval["precision"])[:, :, :, 0, 2]  # thresholds, recalls, classes at all areas, 100 detections
    return np.where((precision > -1).any(axis=1), precision.mean(axis=1), np.nan).T


@pytest.mark.reference
@pytest.mark.parametrize("library", ["pycocotools", "faster_coco_eval"])
@pytest.mark.parametrize("seed", range(6))
def test_equals_the_official_evaluators(library: str, seed: int) -> None:
    judged = random_set(seed, 40)
    np.testing.assert_allclose(figures(judged)[0], official(judged, library), atol=1e-9)
