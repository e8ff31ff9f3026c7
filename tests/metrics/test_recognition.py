import numpy as np
import pytest

from threatray.errors import DataError
from threatray.metrics.recognition import class_agreement


def one_hot(said: list[int], classes: int = 3) -> np.ndarray:
    return np.eye(classes)[said]


def test_every_class_weighs_the_same_however_rare():
    truth = np.array([0] * 90 + [1] * 10)
    score = class_agreement(one_hot([0] * 100), truth, extractor="x")
    assert score.value == 0.5
    assert (score.n, score.extractor, score.higher_is_better) == (100, "x", True)


def test_the_interval_holds_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(300):
        truth = np.array([0] * 60 + [1] * 20)
        right = rng.random(80) < np.where(truth == 0, 0.9, 0.6)
        score = class_agreement(one_hot(np.where(right, truth, 2).tolist()), truth, extractor="x")
        hits += score.low <= 0.75 <= score.high
    assert 270 <= hits <= 297


def test_refuses_lengths_that_disagree():
    with pytest.raises(DataError, match="got 1, 2"):
        class_agreement(one_hot([0, 1]), np.array([0]), extractor="x")
