import numpy as np
import pytest

from threatray.errors import DataError
from threatray.metrics.features import checked_pair, squared_distances


def test_distances_by_a_slow_loop():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(4, 3)), rng.normal(size=(5, 3))
    slow = [[float(((x - y) ** 2).sum()) for y in b] for x in a]
    assert np.allclose(squared_distances(a, b), slow)


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (np.zeros((3, 2)), np.zeros((3, 4)), "the sets have 2 and 4 features; use one extractor"),
        (np.zeros((1, 2)), np.zeros((3, 2)), "first set: expected at least 2 items, got 1"),
        (np.zeros((3, 2)), np.zeros(3), r"second set: expected features of shape \(N, D\), got \(3,\)"),
        (np.full((3, 2), np.nan), np.zeros((3, 2)), "features must be finite, 3 rows are not"),
    ],
)
def test_refuses_features_that_cannot_be_compared(first, second, text):
    with pytest.raises(DataError, match=text):
        checked_pair(first, second)
