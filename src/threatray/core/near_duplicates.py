"""Pictures that are nearly the same: a perceptual hash and the groups it makes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

HASH_BITS = 64


def perceptual_hash(pixels: NDArray[Any]) -> int:
    """64-bit DCT hash of an image: small under scaling, recompression and slight brightness changes.

    Args:
        pixels: (H, W) or (H, W, 3), any integer depth.

    Returns:
        The hash; compare two with ``(a ^ b).bit_count()``. Under 6 differing bits is a near-duplicate in practice.

    Source:
        C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010 (pHash).

    Example:
        >>> blocks = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
        >>> large, small = np.kron(blocks, np.ones((16, 16), np.uint8)), np.kron(blocks, np.ones((8, 8), np.uint8))
        >>> (perceptual_hash(large) ^ perceptual_hash(small)).bit_count() < 6
        True
    """
    import cv2

    grey = pixels if pixels.ndim == 2 else pixels.mean(axis=2)
    small = cv2.resize(grey.astype(np.float32), (32, 32), interpolation=cv2.INTER_AREA)
    block = cv2.dct(small)[:8, :8].ravel()
    bits = block > np.median(block[1:])
    return int(sum(1 << int(place) for place in np.flatnonzero(bits)))


def gradient_hash(pixels: NDArray[Any]) -> int:
    """64-bit difference hash: where the picture gets brighter from left to right on an 8x8 grid.

    It looks at edges only, so it keeps a bag together that was packed a little differently, where the DCT hash lets go.

    Args:
        pixels: (H, W) or (H, W, 3), any integer depth.

    Source:
        N. Krawetz, "Kind of Like That", 2013 (dHash).

    Example:
        >>> gradient_hash(np.tile(np.arange(90, dtype=np.uint8), (80, 1))) == 2**64 - 1
        True
    """
    import cv2

    grey = pixels if pixels.ndim == 2 else pixels.mean(axis=2)
    small = cv2.resize(grey.astype(np.float32), (9, 8), interpolation=cv2.INTER_AREA)
    return int.from_bytes(np.packbits(small[:, 1:] > small[:, :-1]).tobytes(), "big")


def near_duplicate_pairs(hashes: Sequence[int], *, most_bits: int = 5) -> list[tuple[int, int]]:
    """All index pairs whose hashes differ in at most ``most_bits`` bits, in ascending order.

    Exact and faster than comparing all with all: the 64 bits are dealt into ``most_bits + 1`` bands; two hashes that differ in
    at most ``most_bits`` bits are equal in at least one band (pigeonhole), so only hashes that share a band are compared.

    Note:
        The list itself grows with the square of a group of equal hashes; ``near_duplicate_groups`` does not.

    Example:
        >>> near_duplicate_pairs([0b0000, 0b0111, 2**63], most_bits=3)
        [(0, 1), (0, 2)]
    """
    return [(int(first), int(second)) for first, second in _close(np.array(hashes, np.uint64), most_bits)]


def _close(codes: NDArray[np.uint64], most_bits: int) -> NDArray[np.int64]:
    """(P, 2) sorted index pairs at most so many bits apart."""
    found = [np.empty((0, 2), np.int64)]
    bands = most_bits + 1
    for band in range(bands):
        # every bands-th bit: neighbouring bits are alike in most pictures, so runs of them would make full bands
        keys = codes & np.uint64(sum(1 << bit for bit in range(band, HASH_BITS, bands)))
        order = np.argsort(keys, kind="stable")
        edges = np.flatnonzero(np.diff(keys[order])) + 1
        starts, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(codes)]])
        for start, end in zip(starts[ends - starts > 1].tolist(), ends[ends - starts > 1].tolist(), strict=True):
            found.extend(_close_within(codes, order[start:end], most_bits))
    pairs = np.concatenate(found)
    pairs.sort(axis=1)
    return np.unique(pairs, axis=0) if len(pairs) else pairs


def _close_within(codes: NDArray[np.uint64], members: NDArray[np.int64], most_bits: int) -> Iterator[NDArray[np.int64]]:
    """Every member with every later one, in blocks of 1,024 rows so that memory stays small."""
    inside = codes[members]
    for start in range(0, len(members), 1024):
        rest = inside[start:]
        differing = np.bitwise_count(inside[start : start + 1024, None] ^ rest[None, :])
        rows, columns = np.nonzero(differing <= most_bits)
        later = columns > rows
        yield np.stack([members[start + rows[later]], members[start + columns[later]]], axis=1)


@dataclass(frozen=True)
class Looks:
    """One kind of hash of many pictures, and how far two pictures of one bag may differ in it.

    Args:
        codes: (N,) uint64.
        most_bits: Differing bits up to which two pictures count as alike.
        least_set: Hashes with fewer set bits, or fewer unset ones, say too little (a nearly blank picture) and are not compared.
    """

    codes: NDArray[np.uint64]
    most_bits: int
    least_set: int = 8


def near_duplicate_groups(looks: Sequence[Looks], count: int, *, largest: int | None = None) -> NearGroups:
    """A group number for each of ``count`` pictures, equal for those joined by a chain of pairs that are alike in any of the looks.

    Chains can join what is not alike at all: a is like b, b like c, and so on through a whole set of similar bags. So a group
    over ``largest`` pictures is taken apart again by asking for two bits fewer in every look, as often as needed, down to equal hashes.

    Args:
        looks: Hashes of the same pictures, each with its limit.
        count: How many pictures there are.
        largest: Groups over this size are taken apart; None for a twentieth of the pictures, at least 50.

    Returns:
        The numbers, and the sizes of the groups that were taken apart.

    Example:
        >>> chain = np.array([0xFF00, 0xFF01, 0xFF03, 0xFF07], np.uint64)
        >>> near_duplicate_groups([Looks(chain, 1)], 4).numbers
        (0, 0, 0, 0)
        >>> near_duplicate_groups([Looks(chain, 1)], 4, largest=2)
        NearGroups(numbers=(0, 1, 2, 3), taken_apart=(4,))
    """
    limit = max(50, count // 20) if largest is None else largest
    pending: list[tuple[NDArray[np.int64], int]] = [(np.arange(count), 0)]
    settled: list[NDArray[np.int64]] = []
    taken_apart: list[int] = []
    while pending:
        members, stricter = pending.pop()
        for group in _joined(looks, members, stricter):
            if len(group) <= limit or all(one.most_bits - stricter <= 0 for one in looks):
                settled.append(group)
                continue
            if stricter == 0:
                taken_apart.append(len(group))
            pending.append((group, stricter + 2))
    numbers = np.zeros(count, np.int64)
    for number, group in enumerate(sorted(settled, key=lambda group: int(group[0]))):
        numbers[group] = number
    return NearGroups(tuple(numbers.tolist()), tuple(sorted(taken_apart, reverse=True)))


@dataclass(frozen=True)
class NearGroups:
    """Which pictures belong together.

    Args:
        numbers: A group number for each picture, counted in order of first members.
        taken_apart: Sizes of the chains that were too long and were taken apart.
    """

    numbers: tuple[int, ...]
    taken_apart: tuple[int, ...]


def _joined(looks: Sequence[Looks], members: NDArray[np.int64], stricter: int) -> list[NDArray[np.int64]]:
    """The members in groups, each sorted, joined by pairs ``stricter`` bits closer than the looks allow."""
    links: list[tuple[int, int]] = []
    for one in looks:
        codes = one.codes[members]
        set_bits = np.bitwise_count(codes)
        telling = np.flatnonzero((set_bits >= one.least_set) & (set_bits <= HASH_BITS - one.least_set))
        # equal hashes are compared once: a thousand copies of one picture are one comparison, not half a million
        distinct, back = np.unique(codes[telling], return_inverse=True)
        first = np.full(len(distinct), -1, np.int64)
        first[back[::-1]] = telling[::-1]
        links += zip(first[back].tolist(), telling.tolist(), strict=True)
        close = _close(distinct, max(one.most_bits - stricter, 0))
        links += zip(first[close[:, 0]].tolist(), first[close[:, 1]].tolist(), strict=True)
    numbers = np.array(connected_groups(len(members), links), np.int64)
    order = np.argsort(numbers, kind="stable")
    return [members[part] for part in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)] if len(members) else []


def connected_groups(count: int, pairs: Sequence[tuple[int, int]]) -> list[int]:
    """A group number for each of ``count`` items, equal for items joined by a chain of pairs.

    Example:
        >>> connected_groups(4, [(0, 2), (2, 3)])
        [0, 1, 0, 0]
    """
    parent = list(range(count))

    def root(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for first, second in pairs:
        parent[max(root(first), root(second))] = min(root(first), root(second))
    numbers: dict[int, int] = {}
    return [numbers.setdefault(root(item), len(numbers)) for item in range(count)]
