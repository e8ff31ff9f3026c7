import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.errors import ConfigError, DataError
from threatray.metrics.kid import kernel_distance, kid


def slow(x, y):
    def k(a, b):
        return (float(a @ b) / len(a) + 1) ** 3

    m, n = len(x), len(y)
    xx = sum(k(x[i], x[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    yy = sum(k(y[i], y[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    return xx + yy - 2 * sum(k(a, b) for a in x for b in y) / (m * n)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(2, 7), st.integers(1, 4))
def test_equals_the_definition_written_as_loops(seed, m, n, d):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(m, d)), rng.normal(size=(n, d))
    assert kernel_distance(x, y) == pytest.approx(slow(x, y), rel=1e-9, abs=1e-9)


def test_is_symmetric_and_blind_to_order():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(15, 3))
    assert kernel_distance(x, y) == pytest.approx(kernel_distance(y, x), rel=1e-9)
    assert kernel_distance(x, y) == pytest.approx(kernel_distance(x[::-1], rng.permutation(y)), rel=1e-9)


def test_is_unbiased_for_equal_distributions():
    rng = np.random.default_rng(1)
    estimates = [kernel_distance(rng.normal(size=(8, 2)), rng.normal(size=(12, 2))) for _ in range(800)]
    assert abs(np.mean(estimates)) < 4 * np.std(estimates) / np.sqrt(len(estimates))


def test_kernels_kept_whole_and_in_blocks_give_the_same_score(monkeypatch):
    rng = np.random.default_rng(4)
    first, second = rng.normal(size=(30, 3)), rng.normal(size=(40, 3))

    def score():
        found = kid(first, second, extractor="x", rng=np.random.default_rng(0), subsets=10)
        return found.value, found.low, found.high

    whole = score()
    monkeypatch.setattr("threatray.metrics.kid._MOST_KEPT", 0)
    assert score() == pytest.approx(whole, rel=1e-9)


def test_the_interval_covers_zero_for_equal_distributions_about_as_often_as_it_says():
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(150):
        score = kid(rng.normal(size=(60, 4)), rng.normal(size=(50, 4)), extractor="x", rng=rng, subsets=40)
        hits += score.low <= 0 <= score.high
    assert hits >= 130


def test_sets_that_differ_have_an_interval_above_zero():
    rng = np.random.default_rng(3)
    score = kid(rng.normal(size=(80, 4)), rng.normal(1.0, 1.0, size=(80, 4)), extractor="mine", rng=rng, name="kid(a, b)")
    assert score.low > 0
    assert (score.name, score.extractor, score.n, score.higher_is_better) == ("kid(a, b)", "mine", 160, False)
    assert score.low < score.value < score.high


def test_refuses_subsets_that_cannot_be_drawn():
    x = np.random.default_rng(0).normal(size=(10, 2))
    with pytest.raises(ConfigError, match="got 100 subsets of 11"):
        kid(x, x, extractor="x", rng=np.random.default_rng(0), subset_size=11)
    with pytest.raises(DataError, match="expected at least 4 items, got 3"):
        kid(x[:3], x, extractor="x", rng=np.random.default_rng(0))


@pytest.mark.reference
@pytest.mark.filterwarnings("ignore")
def test_agrees_with_torch_fidelity_on_one_whole_subset():
    metric = pytest.importorskip("torch_fidelity.metric_kid")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 8)), rng.normal(0.3, 1.2, size=(40, 8))
    k_xx, k_yy, k_xy = (
        metric.kernel_poly(a, b, kid_kernel_poly_degree=3, kid_kernel_poly_gamma=None, kid_kernel_poly_coef0=1)
        for a, b in ((x, x), (y, y), (x, y))
    )
    theirs = metric.mmd2(k_xx, k_xy, k_yy)
    assert kernel_distance(x, y) == pytest.approx(float(theirs), rel=1e-6)


def test_large_sets_are_measured_in_blocks_to_the_same_figure(monkeypatch):
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(70, 5)), rng.normal(0.2, 1, size=(90, 5))
    whole = kid(x, y, extractor="x", rng=np.random.default_rng(0), subsets=10)
    monkeypatch.setattr("threatray.metrics.kid._MOST_KEPT", 10)
    monkeypatch.setattr("threatray.metrics.kid._LARGEST_SUBSET", 35)
    blocks = kid(x, y, extractor="x", rng=np.random.default_rng(0), subsets=10)
    assert [blocks.value, blocks.low, blocks.high] == pytest.approx([whole.value, whole.low, whole.high], rel=1e-9)
