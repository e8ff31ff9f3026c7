"""What the pixels of an entry are, in a few bytes: for finding copies and files that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from threatray.core.near_duplicates import Looks, gradient_hash, near_duplicate_groups, perceptual_hash
from threatray.datasets.bag_region import BagRegion, bag_region
from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.reduced import Reduced, read_reduced
from threatray.errors import DataError

ProgressCallback = Callable[[int, int], None]
"""Called with (done, total)."""

LOOK_BITS: Final = 6
"""Whole picture, bag alone, and its dense part, DCT hash.

On 1,300 SIXray scans every pair this close shows one bag (looked at one by one); two bits more joins strangers.
"""

OUTLINE_BITS: Final = 5
"""Bag alone, difference hash: a bag scanned again after something in it moved."""

_BITS: Final = (LOOK_BITS, LOOK_BITS, LOOK_BITS, OUTLINE_BITS)


@dataclass(frozen=True)
class Fingerprint:
    """One entry's files.

    Args:
        sha256: Of the bytes of all its files; empty if one cannot be read.
        look: DCT hash of the shown image (of the high energy where there is no colour).
        fault: Why it cannot be read, or empty.
        bag_look: DCT hash of the bag alone, without the air around it: a bag scanned again lies elsewhere in the picture.
        dense_look: DCT hash of the bag's dense part alone, without straps and cloth, which lie anew in every scan.
        outline: Difference hash of the bag alone.
    """

    sha256: str
    look: int
    fault: str = ""
    bag_look: int = 0
    dense_look: int = 0
    outline: int = 0

    @property
    def codes(self) -> tuple[int, int, int, int]:
        """Its four hashes: whole picture, bag, dense part, outline."""
        return self.look, self.bag_look, self.dense_look, self.outline


def fingerprint(entry: Entry) -> Fingerprint:
    """Read one entry's files fully. Pure, so that workers can share a dataset."""
    try:
        read = read_reduced(entry)
    except DataError as error:
        return Fingerprint("", 0, str(error))
    return fingerprint_of(read, bag_region(read.pixels))


def fingerprint_of(read: Reduced, region: BagRegion) -> Fingerprint:
    """Of a picture that has been read."""
    bag = region.brightness[region.crop]
    dense = region.brightness[region.dense_crop]
    return Fingerprint(
        read.sha256, perceptual_hash(region.brightness), "", perceptual_hash(bag), perceptual_hash(dense), gradient_hash(bag)
    )


def fingerprints(dataset: Dataset, progress: ProgressCallback | None = None) -> dict[str, Fingerprint]:
    """Entry id -> fingerprint, for every entry."""
    found = {}
    for done, entry in enumerate(dataset.entries):
        if progress is not None:
            progress(done, len(dataset.entries))
        found[entry.id] = fingerprint(entry)
    if progress is not None:
        progress(len(dataset.entries), len(dataset.entries))
    return found


def exact_groups(found: Mapping[str, Fingerprint]) -> tuple[tuple[str, ...], ...]:
    """Ids whose files are byte for byte the same, in groups of two or more."""
    same: dict[str, list[str]] = {}
    for name, one in sorted(found.items()):
        if not one.fault:
            same.setdefault(one.sha256, []).append(name)
    return tuple(tuple(names) for names in same.values() if len(names) > 1)


def near_groups(found: Mapping[str, Fingerprint], *, largest: int | None = None) -> tuple[tuple[str, ...], ...]:
    """Ids that show one bag as far as their looks tell, byte copies among them, in groups of two or more.

    Args:
        found: Id -> fingerprint.
        largest: Longer chains of alike pictures are taken apart, see ``near_duplicate_groups``.
    """
    names = sorted(name for name, one in found.items() if not one.fault)
    codes = np.array([found[name].codes for name in names], np.uint64).reshape(-1, len(_BITS))
    numbers = near_duplicate_groups(looks_of(codes), len(names), largest=largest).numbers
    return together(names, numbers)


def looks_of(codes: NDArray[np.uint64]) -> tuple[Looks, ...]:
    """(N, 4) hashes, see ``Fingerprint.codes``, with the limit of each."""
    return tuple(Looks(codes[:, place], bits) for place, bits in enumerate(_BITS))


def together(names: Sequence[str], numbers: Sequence[int]) -> tuple[tuple[str, ...], ...]:
    """Names by their group numbers, in groups of two or more."""
    groups: dict[int, list[str]] = {}
    for name, number in zip(names, numbers, strict=True):
        groups.setdefault(number, []).append(name)
    return tuple(tuple(members) for members in groups.values() if len(members) > 1)
