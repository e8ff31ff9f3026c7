from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.errors import ConfigError, DataError
from threatray.uplift.arms import STANDARD_ARMS, Arm, Pool
from threatray.uplift.images import MemoryPool
from threatray.uplift.sampling import BatchStream, quotas

Pools = dict[Pool, MemoryPool]


@pytest.fixture(scope="module")
def pools(make_pool: Callable[..., MemoryPool]) -> Pools:
    return {Pool.BENIGN: make_pool("benign", 0, 7), Pool.REAL: make_pool("real", 5, 0), Pool.TRANSLATED: make_pool("made", 9, 0)}


@given(st.lists(st.integers(1, 30), min_size=1, max_size=4), st.integers(0, 500))
@settings(deadline=None, max_examples=60)
def test_quotas_add_up_and_are_within_one_of_the_share(parts: list[int], total: int) -> None:
    shares = {pool: part / sum(parts) for pool, part in zip(Pool, parts, strict=False)}
    counts = quotas(shares, total)
    assert sum(counts.values()) == total
    assert all(abs(counts[pool] - share * total) < 1 for pool, share in shares.items())


@pytest.mark.parametrize("name", ["real_only", "transformation", "synthesis", "synthesis_transformation"])
def test_every_arm_is_shown_as_many_pictures(pools: Pools, name: str) -> None:
    batches = list(BatchStream(STANDARD_ARMS[name], pools, 11, 4, seed=3))
    assert [len(batch) for batch in batches] == [4] * 11


def test_the_shares_are_exact_and_no_picture_is_shown_twice_more_than_another(pools: Pools) -> None:
    shown = Counter(BatchStream(STANDARD_ARMS["synthesis"], pools, 25, 4, seed=0).order())
    assert {name: sum(count for (one, _), count in shown.items() if one == name) for name in pools} == {
        Pool.BENIGN: 30,
        Pool.REAL: 30,
        Pool.TRANSLATED: 40,
    }
    for name, images in pools.items():
        counts = [shown[name, index] for index in range(len(images))]
        assert max(counts) - min(counts) <= 1


def test_each_stretch_of_training_has_the_arms_shares(pools: Pools) -> None:
    order = BatchStream(STANDARD_ARMS["real_only"], pools, 100, 4, seed=0).order()
    for start in range(0, 400, 40):
        assert 9 <= sum(name is Pool.BENIGN for name, _ in order[start : start + 40]) <= 15


def test_arms_of_equal_shares_see_equal_batches_whatever_their_name(pools: Pools) -> None:
    shares = STANDARD_ARMS["synthesis"].shares
    first, second = (BatchStream(Arm(name, shares, True), pools, 5, 4, seed=2) for name in ("one", "two"))
    for ours, theirs in zip(first, second, strict=True):
        assert [image.pixels.tobytes() for image in ours] == [image.pixels.tobytes() for image in theirs]


def test_another_seed_sees_another_order(pools: Pools) -> None:
    assert (
        BatchStream(STANDARD_ARMS["synthesis"], pools, 5, 4, 0).order() != BatchStream(STANDARD_ARMS["synthesis"], pools, 5, 4, 1).order()
    )


def test_the_transformation_arm_sees_the_pictures_of_the_plain_one_transformed(pools: Pools) -> None:
    plain, changed = (list(BatchStream(STANDARD_ARMS[name], pools, 3, 4, seed=0)) for name in ("real_only", "transformation"))
    assert [[image.id for image in batch] for batch in plain] == [[image.id for image in batch] for batch in changed]
    assert any(
        a.pixels.tobytes() != b.pixels.tobytes() for one, two in zip(plain, changed, strict=True) for a, b in zip(one, two, strict=True)
    )
    for batch in changed:
        assert len({image.pixels.shape for image in batch}) == 1


def test_refuses_a_pool_that_is_missing_or_empty(pools: Pools) -> None:
    with pytest.raises(
        ConfigError, match="arm 'opaque_paste' draws on the pool 'opaque', but only these were given: benign, real, translated"
    ):
        BatchStream(STANDARD_ARMS["opaque_paste"], pools, 1, 1, 0)
    with pytest.raises(DataError, match="pool 'real', which is empty"):
        BatchStream(STANDARD_ARMS["real_only"], pools | {Pool.REAL: MemoryPool(())}, 1, 1, 0)
