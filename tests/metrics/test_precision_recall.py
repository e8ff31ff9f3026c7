import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.errors import ConfigError
from threatray.metrics.precision_recall import precision_recall


def figures(real, made, neighbours=1):
    found = precision_recall(np.asarray(real, float)[:, None], np.asarray(made, float)[:, None], extractor="x", neighbours=neighbours)
    return [getattr(found, name).value for name in ("precision", "recall", "density", "coverage")]


def test_by_hand_on_a_line():
    # real balls, radius to the nearest other: 0 +- 1, 1 +- 1, 10 +- 9; made balls: 0.5 +- 0.2, 0.7 +- 0.2, 30 +- 29.3
    # made 0.5 and 0.7 lie in the balls of 0 and 1 (10 - 9 = 1 is beyond them); made 30 lies in none
    # real 0 and 1 lie in no ball of 0.2 around 0.5 and 0.7; 30 - 29.3 = 0.7, so 1 and 10 lie in the third
    assert figures([0, 1, 10], [0.5, 0.7, 30]) == pytest.approx([2 / 3, 2 / 3, 4 / 3, 2 / 3])


def test_equal_sets_are_all_precise_and_all_covered():
    line = np.arange(8)
    precision, recall, density, coverage = figures(line, line, neighbours=2)
    assert (precision, recall, coverage) == (1.0, 1.0, 1.0)
    assert density > 1


def test_far_sets_share_nothing():
    assert figures([0, 1, 2], [100, 101, 102]) == [0.0, 0.0, 0.0, 0.0]


def test_one_mode_of_two_is_precise_but_covers_half():
    rng = np.random.default_rng(0)
    real = np.concatenate([rng.normal(0, 1, 50), rng.normal(100, 1, 50)])
    precision, recall, _, coverage = figures(real, rng.normal(0, 1, 60), neighbours=5)
    assert precision > 0.9
    assert 0.4 < coverage < 0.6
    assert recall < 0.6


def test_refuses_more_neighbours_than_items():
    with pytest.raises(ConfigError, match=r"neighbours must lie in \[1, 2\] for 3 and 4 items, got 3"):
        figures([0, 1, 2], [0, 1, 2, 3], neighbours=3)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 999), n=st.integers(4, 15), m=st.integers(4, 15), k=st.integers(1, 3))
def test_equals_the_definitions_written_as_loops(seed, n, m, k):
    rng = np.random.default_rng(seed)
    real, made = rng.normal(size=(n, 3)), rng.normal(0.5, 1, size=(m, 3))

    def radius(side, i):
        return sorted(np.linalg.norm(side[i] - other) for j, other in enumerate(side) if j != i)[k - 1]

    def inside(point, side, i):
        return np.linalg.norm(point - side[i]) <= radius(side, i)

    found = precision_recall(real, made, extractor="x", neighbours=k)
    assert found.precision.value == pytest.approx(np.mean([any(inside(y, real, i) for i in range(n)) for y in made]))
    assert found.recall.value == pytest.approx(np.mean([any(inside(x, made, j) for j in range(m)) for x in real]))
    assert found.density.value == pytest.approx(sum(inside(y, real, i) for y in made for i in range(n)) / (k * m))
    assert found.coverage.value == pytest.approx(np.mean([any(inside(y, real, i) for y in made) for i in range(n)]))
    for share in (found.precision, found.recall, found.coverage):
        assert 0 <= share.low <= share.value <= share.high <= 1


def test_large_sets_by_matrix_products_give_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    real, made = rng.normal(size=(60, 4)), rng.normal(size=(50, 4))
    slow = precision_recall(real, made, extractor="x")
    monkeypatch.setattr("threatray.metrics.features._MOST_EXACT", 0)
    monkeypatch.setattr("threatray.metrics.features._BLOCK_ROWS", 7)
    assert precision_recall(real, made, extractor="x") == slow
