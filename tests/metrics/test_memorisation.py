import numpy as np
import pytest

from threatray.errors import DataError
from threatray.metrics.memorisation import memorisation_ratio


def sets(seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(60, 4)), rng.normal(size=(60, 4)), rng.normal(size=(80, 4)), rng


def test_copies_are_found():
    _, training, held_back, rng = sets()
    copies = training + rng.normal(0, 0.01, training.shape)
    score = memorisation_ratio(copies, training, held_back[:60], extractor="x", rng=rng)
    assert score.high < 0.1


def test_fresh_draws_of_the_distribution_have_a_ratio_about_one():
    made, training, held_back, rng = sets()
    score = memorisation_ratio(made, training, held_back, extractor="x", rng=rng)
    assert score.low < 1.0 < score.high


def test_a_larger_training_set_alone_does_not_look_like_memorising():
    rng = np.random.default_rng(4)
    made, training, held_back = rng.normal(size=(100, 4)), rng.normal(size=(1000, 4)), rng.normal(size=(50, 4))
    assert 0.85 < memorisation_ratio(made, training, held_back, extractor="x", rng=rng).value < 1.15


def test_one_made_thing_by_hand():
    rng = np.random.default_rng(0)
    score = memorisation_ratio(np.array([[0.0], [0.0]]), np.array([[1.0], [5.0]]), np.array([[-4.0], [9.0]]), extractor="x", rng=rng)
    assert score.value == pytest.approx(0.25)


def test_refuses_unequal_features():
    with pytest.raises(DataError, match="have 4, 4 and 3 features"):
        memorisation_ratio(*[values[:, :size] for values, size in zip(sets()[:3], (4, 4, 3), strict=True)], extractor="x", rng=sets()[3])
