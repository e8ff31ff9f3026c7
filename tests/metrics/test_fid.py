import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.errors import DataError
from threatray.metrics.fid import fid, gaussian_frechet


def value(x, y):
    return fid(x, y, extractor="x").value


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10_000), st.integers(2, 30), st.integers(2, 30), st.integers(1, 6))
def test_is_zero_for_equal_sets_symmetric_and_never_negative(seed, m, n, d):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(m, d)), rng.normal(0.5, 2.0, size=(n, d))
    assert value(x, x) == pytest.approx(0.0, abs=1e-9)
    assert value(x, y) >= 0
    assert value(x, y) == pytest.approx(value(y, x), rel=1e-6, abs=1e-7)


def test_gaussians_with_diagonal_covariances_by_hand():
    # 1 + (2 - 1)^2 + (3 - 5)^2
    assert gaussian_frechet(np.zeros(2), np.diag([4.0, 9.0]), np.array([1.0, 0.0]), np.diag([1.0, 25.0])) == pytest.approx(6.0)


def test_singular_covariances_need_no_padding():
    x = np.array([[0.0, 0.0, 5.0], [2.0, 0.0, 5.0]])  # rank 1: variance 2 along the first axis
    y = x + np.array([0.0, 3.0, 0.0])
    assert value(x, y) == pytest.approx(9.0)


def test_a_shift_of_all_features_is_its_squared_length():
    x = np.random.default_rng(0).normal(size=(30, 4))
    assert value(x, x + np.array([1.0, 2.0, 0.0, -2.0])) == pytest.approx(9.0)


def test_refuses_one_item():
    with pytest.raises(DataError, match="at least 2 items, got 1"):
        fid(np.zeros((1, 3)), np.zeros((3, 3)), extractor="x")


@pytest.mark.reference
@pytest.mark.filterwarnings("ignore")
def test_agrees_with_torch_fidelity_on_the_same_features():
    metric = pytest.importorskip("torch_fidelity.metric_fid")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 16)), rng.normal(0.2, 1.3, size=(150, 16)) @ rng.normal(size=(16, 16)) / 4
    statistics = [metric.fid_features_to_statistics(torch.from_numpy(values)) for values in (x, y)]
    theirs = metric.fid_statistics_to_metric(*statistics, verbose=False)
    theirs = next(iter(theirs.values())) if isinstance(theirs, dict) else theirs
    assert value(x, y) == pytest.approx(float(theirs), rel=1e-6)


def test_few_rows_give_the_figure_of_the_covariances():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(9, 40)), rng.normal(0.3, 2, size=(12, 40))
    covariances = [np.cov(side, rowvar=False) for side in (x, y)]
    assert value(x, y) == pytest.approx(gaussian_frechet(x.mean(0), covariances[0], y.mean(0), covariances[1]), rel=1e-6)


def test_the_interval_is_the_spread_of_resamples_around_the_figure():
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(80, 3)), rng.normal(1, 1, size=(80, 3))
    found = fid(x, y, extractor="x", rng=np.random.default_rng(0))
    assert found.low < found.value < found.high
    again = [value(rng.normal(size=(80, 3)), rng.normal(1, 1, size=(80, 3))) for _ in range(100)]
    assert (found.high - found.value) / 1.96 == pytest.approx(np.std(again), rel=0.4)
    assert fid(x, y, extractor="x").low is None
