"""Choosing from a signature library: by what the index says, and by what nearly repeats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from threatray.core.near_duplicates import HASH_BITS, connected_groups, near_duplicate_pairs, perceptual_hash
from threatray.core.signature import OriginKind, Signature
from threatray.errors import ConfigError
from threatray.tip.library import LibraryEntry, SignatureLibrary

_MOST_BITS: Final = 5
_ASPECT_TOLERANCE: Final = 1.15


@dataclass(frozen=True)
class Selection:
    """Which signatures of a library; everything by default.

    Args:
        classes: Only these classes.
        origin: Only signatures made this way: real, translated or rendered.
        min_quality: At least this quality; unmeasured quality passes only at 0.
        min_side: Longer side of at least this many pixels.
        max_side: Longer side of at most this many pixels.
        channels: Only signatures with this many channels: 1 grey, 2 dual energy, 3 colour.
        licence: Only signatures whose licence holds this text, upper and lower case alike.

    Raises:
        ConfigError: A limit out of range.
    """

    classes: tuple[str, ...] = ()
    origin: OriginKind | None = None
    min_quality: float = 0.0
    min_side: int = 1
    max_side: int | None = None
    channels: int | None = None
    licence: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.min_quality <= 1:
            raise ConfigError(f"selection: min_quality must lie in [0, 1], got {self.min_quality}.")
        if self.min_side < 1 or (self.max_side is not None and self.max_side < self.min_side):
            raise ConfigError(f"selection: sides must satisfy 1 <= min_side <= max_side, got {self.min_side} and {self.max_side}.")
        if self.channels not in (None, 1, 2, 3):
            raise ConfigError(f"selection: channels must be 1 (grey), 2 (dual energy) or 3 (colour), got {self.channels}.")

    def holds(self, entry: LibraryEntry) -> bool:
        """Whether an entry is chosen.

        Example:
            >>> from threatray.core.signature import Origin
            >>> entry = LibraryEntry("a", "gun", ("grey",), 40, 30, Origin(OriginKind.REAL, "a", "a"), quality=0.7)
            >>> Selection(min_quality=0.5).holds(entry), Selection(classes=("knife",)).holds(entry)
            (True, False)
        """
        side = max(entry.width, entry.height)
        return (
            (not self.classes or entry.class_name in self.classes)
            and self.origin in (None, entry.origin.kind)
            and (0.0 if entry.quality is None else entry.quality) >= self.min_quality
            and self.min_side <= side
            and (self.max_side is None or side <= self.max_side)
            and self.channels in (None, len(entry.channels))
            and self.licence.casefold() in entry.origin.provenance.licence.casefold()
        )

    def of(self, library: SignatureLibrary) -> SignatureLibrary:
        """The part of the library that is chosen."""
        return SignatureLibrary(library.folder, tuple(entry for entry in library.entries if self.holds(entry)))


@dataclass(frozen=True)
class Look:
    """What a signature looks like, in a few bytes: of two that nearly repeat each other all parts are near.

    Args:
        transmission: Perceptual hash of the mean transmission.
        mask: Perceptual hash of the silhouette.
    """

    transmission: int
    mask: int


def look_of(signature: Signature) -> Look:
    """The look of a signature.

    Note:
        Mirrored or turned copies look different.
    """
    grey = np.round(signature.image.values.mean(axis=0) * 65535).astype(np.uint16)
    return Look(perceptual_hash(grey), perceptual_hash(np.where(signature.mask, 0, 255).astype(np.uint8)))


def near_duplicates(entries: Sequence[LibraryEntry], looks: Sequence[Look], *, most_bits: int = _MOST_BITS) -> tuple[tuple[str, ...], ...]:
    """Ids of signatures that nearly repeat each other, in groups of two or more, the one to keep first.

    Signatures repeat each other if they are of one class and the same channels, of nearly the same proportions, and both hashes differ
    in at most ``most_bits`` bits. Kept is the one of the best quality; among equals the largest, then the first by id.

    Args:
        entries: Of the index.
        looks: One of each entry.
        most_bits: Of 64, for each hash.

    Raises:
        ConfigError: ``most_bits`` out of range.
    """
    if not 0 <= most_bits <= HASH_BITS:
        raise ConfigError(f"near_duplicates: most_bits must lie in [0, {HASH_BITS}], got {most_bits}.")
    pairs = [
        (first, second)
        for first, second in near_duplicate_pairs([look.transmission for look in looks], most_bits=most_bits)
        if (looks[first].mask ^ looks[second].mask).bit_count() <= most_bits and _alike(entries[first], entries[second])
    ]
    groups: dict[int, list[LibraryEntry]] = {}
    for entry, number in zip(entries, connected_groups(len(entries), pairs), strict=True):
        groups.setdefault(number, []).append(entry)
    ordered = (sorted(group, key=_worth) for group in groups.values() if len(group) > 1)
    return tuple(tuple(entry.id for entry in group) for group in ordered)


def looks_of(library: SignatureLibrary, progress: Callable[[int, int], None]) -> Iterator[Look]:
    """Read every signature and look at it."""
    for done, entry in enumerate(library.entries):
        progress(done, len(library))
        yield look_of(library.load(entry.id))
    progress(len(library), len(library))


def _alike(first: LibraryEntry, second: LibraryEntry) -> bool:
    ratio = first.width * second.height / (first.height * second.width)
    same = (first.class_name, first.channels) == (second.class_name, second.channels)
    return same and 1 / _ASPECT_TOLERANCE <= ratio <= _ASPECT_TOLERANCE


def _worth(entry: LibraryEntry) -> tuple[float, int, str]:
    return (-(0.0 if entry.quality is None else entry.quality), -entry.width * entry.height, entry.id)
