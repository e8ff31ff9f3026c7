import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.errors import DataError
from threatray.metrics.diversity import diversity, duplicates
from threatray.metrics.memorisation import nearest_training


def value(made, real):
    return diversity(made, real, extractor="x", rng=np.random.default_rng(0)).value


@settings(deadline=None, max_examples=20)
@given(scale=st.floats(0.1, 10), shift=st.floats(-5, 5))
def test_is_the_scale_and_does_not_care_where(scale, shift):
    real = np.random.default_rng(1).normal(size=(12, 3))
    assert value(scale * real + shift, real) == pytest.approx(scale, rel=1e-6)


def test_by_a_slow_loop():
    rng = np.random.default_rng(2)
    made, real = rng.normal(size=(5, 2)), rng.normal(size=(7, 2))

    def mean(side):
        pairs = [np.linalg.norm(side[i] - side[j]) for i in range(len(side)) for j in range(len(side)) if i != j]
        return sum(pairs) / len(pairs)

    assert value(made, real) == pytest.approx(mean(made) / mean(real))


def test_copies_of_one_thing_have_no_diversity():
    score = diversity(np.zeros((6, 3)), np.random.default_rng(3).normal(size=(9, 3)), extractor="x", rng=np.random.default_rng(0))
    assert (score.value, score.low, score.high) == (0, 0, 0)


def test_the_interval_holds_one_for_sets_of_one_kind():
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(60):
        score = diversity(rng.normal(size=(30, 3)), rng.normal(size=(30, 3)), extractor="x", rng=rng, resamples=100)
        hits += score.low <= 1 <= score.high
    assert hits >= 51


def test_duplicates_are_found_and_neighbours_are_not():
    rng = np.random.default_rng(5)
    real, made = rng.normal(size=(40, 4)), rng.normal(size=(10, 4))
    assert duplicates(made, real) == []
    twice = np.concatenate([made, made[3:4] + 1e-6, made[7:8]])
    assert duplicates(twice, real) == [(7, 11), (3, 10)]


def test_a_copy_of_a_training_item_is_nearest_to_it_at_no_distance():
    rng = np.random.default_rng(6)
    training = rng.normal(size=(30, 4))
    which, how_near = nearest_training(np.concatenate([training[[4]], rng.normal(size=(5, 4))]), training)
    assert which[0] == 4
    assert how_near[0] == 0
    assert 0.3 < np.median(how_near[1:]) < 3


def test_refuses_what_tells_nothing():
    with pytest.raises(DataError, match="do not differ at all"):
        value(np.ones((4, 2)), np.ones((4, 2)))
    with pytest.raises(DataError, match="use one extractor"):
        value(np.ones((4, 2)), np.ones((4, 3)))
    with pytest.raises(DataError, match="use one extractor"):
        nearest_training(np.ones((4, 2)), np.ones((4, 3)))
