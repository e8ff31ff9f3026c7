from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core.near_duplicates import connected_groups, near_duplicate_pairs, perceptual_hash


def picture(seed: int) -> np.ndarray:
    return np.kron(np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8), np.ones((12, 9, 1), np.uint8))


def test_a_hash_survives_brightness_and_noise_and_tells_pictures_apart() -> None:
    first = picture(0).astype(int)
    noisy = np.clip(first * 0.9 + 10 + np.random.default_rng(1).normal(0, 3, first.shape), 0, 255).astype(np.uint8)
    assert (perceptual_hash(picture(0)) ^ perceptual_hash(noisy)).bit_count() < 6
    assert (perceptual_hash(picture(0)) ^ perceptual_hash(picture(1))).bit_count() > 15


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 255), max_size=40), st.integers(0, 5))
def test_pairs_agree_with_the_slow_loop(hashes: list[int], most_bits: int) -> None:
    slow = [(a, b) for a, b in combinations(range(len(hashes)), 2) if (hashes[a] ^ hashes[b]).bit_count() <= most_bits]
    assert near_duplicate_pairs(hashes, most_bits=most_bits) == slow


def test_pairs_are_found_across_blocks() -> None:
    hashes = np.random.default_rng(0).integers(0, 2**63, 1500).tolist()
    hashes[1400] = hashes[3] ^ 1
    assert near_duplicate_pairs(hashes) == [(3, 1400)]


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 15), st.lists(st.tuples(st.integers(0, 14), st.integers(0, 14)), max_size=20))
def test_groups_are_the_connected_components(count: int, raw: list[tuple[int, int]]) -> None:
    pairs = [(a % count, b % count) for a, b in raw]
    groups = connected_groups(count, pairs)
    reach = np.eye(count, dtype=int)
    for a, b in pairs:
        reach[a, b] = reach[b, a] = 1
    reach = np.linalg.matrix_power(np.minimum(reach, 1).astype(object), count)
    for a, b in combinations(range(count), 2):
        assert (groups[a] == groups[b]) == bool(reach[a, b])
    assert groups[0] == 0
    assert set(groups) == set(range(max(groups) + 1))
