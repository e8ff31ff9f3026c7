from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core.near_duplicates import (
    Looks,
    connected_groups,
    gradient_hash,
    near_duplicate_groups,
    near_duplicate_pairs,
    perceptual_hash,
)


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
    """With one bit allowed there are two bands; hashes without even bits all share one, which is then compared in blocks."""
    odd_bits = 0xAAAAAAAAAAAAAAAA
    hashes = [int(code) & odd_bits for code in np.random.default_rng(0).integers(0, 2**63, 1500)]
    hashes[1400] = hashes[3] ^ 0b10
    assert near_duplicate_pairs(hashes, most_bits=1) == [(3, 1400)]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=12), st.integers(0, 7), st.integers(0, 2**32 - 1))
def test_wide_hashes_agree_with_the_slow_loop(seeds: list[int], most_bits: int, seed: int) -> None:
    """Hashes a few bits off the same seeds, so that pairs lie right on either side of the limit."""
    rng = np.random.default_rng(seed)
    hashes = []
    for one in seeds:
        for _ in range(5):
            flips = rng.choice(64, rng.integers(0, 6), replace=False)
            hashes.append(one ^ sum(1 << int(bit) for bit in flips))
    slow = [(a, b) for a, b in combinations(range(len(hashes)), 2) if (hashes[a] ^ hashes[b]).bit_count() <= most_bits]
    assert near_duplicate_pairs(hashes, most_bits=most_bits) == slow
    codes = np.array(hashes, np.uint64)
    joined = near_duplicate_groups([Looks(codes, most_bits, least_set=0)], len(codes), largest=10**6)
    assert list(joined.numbers) == connected_groups(len(codes), slow)


def test_a_thousand_copies_are_one_comparison() -> None:
    codes = np.full(300_000, 0xF0F0F0F0F0F0F0F0, np.uint64)
    codes[7] ^= np.uint64(0b11)
    assert set(near_duplicate_groups([Looks(codes, 5)], len(codes), largest=len(codes)).numbers) == {0}


def test_nearly_blank_pictures_are_not_alike() -> None:
    codes = np.array([0b111, 0b111, 2**64 - 2, 2**64 - 2, 0xFFFF], np.uint64)
    assert near_duplicate_groups([Looks(codes, 5)], 5).numbers == (0, 1, 2, 3, 4)


def test_a_chain_that_joins_too_much_is_taken_apart_and_said() -> None:
    """Bits are set one after the other: each is like the next, the ends are strangers. Copies stay together."""
    chain = [sum(1 << bit for bit in range(8 + length)) for length in range(40)]
    codes = np.array([*chain, chain[0], 2**60 + 0xABCDE], np.uint64)
    whole = near_duplicate_groups([Looks(codes, 2)], 42, largest=42)
    assert (set(whole.numbers[:41]), whole.taken_apart) == ({0}, ())
    apart = near_duplicate_groups([Looks(codes, 2)], 42, largest=10)
    assert apart.taken_apart == (41,)
    assert apart.numbers[40] == apart.numbers[0]
    assert len(set(apart.numbers)) == 41


def test_any_of_several_looks_joins() -> None:
    first = np.array([0xFFFF, 0xFFFF0000, 0xFFFF00000000], np.uint64)
    second = np.array([0xAAAA5555, 0xFFF, 0xAAAA5554], np.uint64)
    assert near_duplicate_groups([Looks(first, 3), Looks(second, 3)], 3).numbers == (0, 1, 0)


def test_the_gradient_hash_survives_brightness_and_tells_pictures_apart() -> None:
    darker = np.clip(picture(0).astype(int) * 0.8 + 5, 0, 255).astype(np.uint8)
    assert (gradient_hash(picture(0)) ^ gradient_hash(darker)).bit_count() < 4
    assert (gradient_hash(picture(0)) ^ gradient_hash(picture(1))).bit_count() > 15
    assert gradient_hash(picture(0)) != gradient_hash(picture(0)[:, ::-1])


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
