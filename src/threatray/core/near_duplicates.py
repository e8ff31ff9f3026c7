"""Pictures that are nearly the same: a perceptual hash and the groups it makes."""

from __future__ import annotations

from collections.abc import Sequence
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


def near_duplicate_pairs(hashes: Sequence[int], *, most_bits: int = 5) -> list[tuple[int, int]]:
    """All index pairs whose hashes differ in at most ``most_bits`` bits, in ascending order.

    Note:
        Quadratic, in blocks of 1,024 rows: a second for 10,000 pictures.
    """
    codes = np.array(hashes, np.uint64)
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(codes), 1024):
        differing = np.bitwise_count(codes[start : start + 1024, None] ^ codes[None, :])
        for row, column in np.argwhere(differing <= most_bits):
            if start + row < column:
                pairs.append((int(start + row), int(column)))
    return pairs


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
