"""Scanners told apart by air and palette, on made-up ones."""

from __future__ import annotations

import numpy as np
import pytest

from threatray.datasets.scanners import scanner_clusters


def images(count: int, air: tuple[int, int, int], hues: tuple[float, float, float], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    centre = np.array([*air, *hues])
    return (centre + rng.normal(0, [1.5, 1.5, 1.5, 2.5, 6, 4], (count, 6))).astype(np.float32)


WHITE, GREY = ((254, 254, 254), (45.0, 111.0, 193.0)), ((226, 225, 224), (41.0, 117.0, 200.0))


@pytest.mark.parametrize("size", [300, 4000])
def test_two_scanners_are_told_apart_and_it_is_said_how_surely(size: int) -> None:
    features = np.concatenate([images(2 * size // 3, *WHITE, seed=1), images(size // 3, *GREY, seed=2)])
    order = np.random.default_rng(0).permutation(len(features))
    sizes = np.where(order[:, None] < 2 * size // 3, [[800, 600]], [[1700, 1000]])
    found = scanner_clusters(features[order], sizes)
    assert [one.images for one in found] == [2 * size // 3, size // 3]
    assert all((order[one.members] < 2 * size // 3).all() == (number == 0) for number, one in enumerate(found))
    assert [(one.width, one.height) for one in found] == [(800, 600), (1700, 1000)]
    assert [one.sureness for one in found] == ["clear", "clear"]
    assert found[1].air == pytest.approx((226, 225, 224), abs=1)


def test_one_scanner_is_one_cluster() -> None:
    found = scanner_clusters(images(200, *WHITE, seed=3), np.full((200, 2), 500))
    assert [(one.images, one.sureness, one.separation) for one in found] == [(200, "only one", None)]


def test_the_palette_alone_tells_scanners_apart() -> None:
    other = ((254, 254, 254), (25.0, 111.0, 230.0))
    found = scanner_clusters(np.concatenate([images(60, *WHITE, seed=4), images(40, *other, seed=5)]), np.full((100, 2), 500))
    assert [one.images for one in found] == [60, 40]


def test_hues_that_are_not_there_do_not_count() -> None:
    features = images(50, *WHITE, seed=6)
    features[::2, 3:] = np.nan
    found = scanner_clusters(features, np.full((50, 2), 500))
    assert len(found) == 1
    features[:, 3:] = np.nan
    assert scanner_clusters(features, np.full((50, 2), 500))[0].hues == (None, None, None)


def test_a_lone_odd_image_makes_no_cluster_and_none_makes_none() -> None:
    features = np.concatenate([images(50, *WHITE, seed=7), images(1, (10, 10, 10), (0.0, 90.0, 180.0), seed=8)])
    found = scanner_clusters(features, np.full((51, 2), 500))
    assert [one.images for one in found] == [51]
    assert scanner_clusters(np.empty((0, 6), np.float32), np.empty((0, 2), np.int64)) == ()
    assert scanner_clusters(features[:1], np.full((1, 2), 500))[0].images == 1
