"""What the pixels of an entry are, in a few bytes: for finding copies and files that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from threatray.core.files import sha256_of_file, sha256_of_text
from threatray.core.image_file import read_pixels
from threatray.core.near_duplicates import connected_groups, near_duplicate_pairs, perceptual_hash
from threatray.datasets.dataset import Dataset, Entry
from threatray.errors import DataError

ProgressCallback = Callable[[int, int], None]
"""Called with (done, total)."""

_MOST_BITS = 5


@dataclass(frozen=True)
class Fingerprint:
    """One entry's files.

    Args:
        sha256: Of the bytes of all its files; empty if one cannot be read.
        look: Perceptual hash of the shown image (of the high energy where there is no colour).
        fault: Why it cannot be read, or empty.
    """

    sha256: str
    look: int
    fault: str = ""


def fingerprint(entry: Entry) -> Fingerprint:
    """Read one entry's files fully. Pure, so that workers can share a dataset."""
    try:
        digests = [sha256_of_file(path) for path in entry.paths]
        pixels = [read_pixels(path) for path in entry.paths]
    except OSError as error:
        return Fingerprint("", 0, f"{error.filename}: {error.strerror}.")
    except DataError as error:
        return Fingerprint("", 0, str(error))
    for path, shown in zip(entry.paths, pixels, strict=True):
        if shown.shape[:2] != (entry.height, entry.width):
            return Fingerprint("", 0, f"{path}: annotated as {entry.width}x{entry.height} pixels, holds {shown.shape[1]}x{shown.shape[0]}.")
    look = pixels[0] if entry.image_path is not None else pixels[-1]
    return Fingerprint(sha256_of_text(" ".join(digests)), perceptual_hash(look))


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


def near_groups(found: Mapping[str, Fingerprint], *, most_bits: int = _MOST_BITS) -> tuple[tuple[str, ...], ...]:
    """Ids that look the same or nearly so, byte copies among them, in groups of two or more."""
    names = sorted(name for name, one in found.items() if not one.fault)
    return groups_of(names, near_duplicate_pairs([found[name].look for name in names], most_bits=most_bits))


def groups_of(names: Sequence[str], pairs: Sequence[tuple[int, int]]) -> tuple[tuple[str, ...], ...]:
    """Names joined by chains of pairs, in groups of two or more."""
    groups: dict[int, list[str]] = {}
    for name, number in zip(names, connected_groups(len(names), pairs), strict=True):
        groups.setdefault(number, []).append(name)
    return tuple(tuple(members) for members in groups.values() if len(members) > 1)
