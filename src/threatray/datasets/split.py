"""Dividing a dataset so that no physical bag or object is on both sides."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np

from threatray.core import stream
from threatray.core.near_duplicates import connected_groups
from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.fingerprints import Fingerprint, ProgressCallback, exact_groups, fingerprints, near_groups
from threatray.errors import ConfigError, DataError

_BENIGN: Final = "\0benign"
"""Images without a label are balanced like a class of their own; no class can be called this."""

_NUMBERED: Final = re.compile(r"^(.*?)(\d+)$", re.DOTALL)


def assign_groups(dataset: Dataset, block_size: int) -> Dataset:
    """The same dataset with neighbouring numbered groups made one.

    Scanners and annotators number in turn, so neighbouring numbers are often one bag scanned again (of the near-duplicate
    pairs of the SIXray part in use, four in five lie within five numbers).

    Args:
        dataset: With groups such as ``P00004``; groups without a number at the end stay as they are.
        block_size: How many numbers make a block; 1 changes nothing.

    Returns:
        With groups such as ``P0-9`` for ``block_size`` 10.

    Raises:
        ConfigError: A block size below 1.

    Example:
        >>> block_name("P00014", 10), block_name("P00021", 10), block_name("suitcase", 10)
        ('P10-19', 'P20-29', 'suitcase')
    """
    if block_size < 1:
        raise ConfigError(f"block_size: expected 1 or more, got {block_size}.")
    if block_size == 1:
        return dataset
    return replace(dataset, entries=tuple(replace(entry, group=block_name(entry.group, block_size)) for entry in dataset.entries))


def block_name(group: str, block_size: int) -> str:
    """The block of numbers that a group's trailing number falls into."""
    found = _NUMBERED.match(group)
    if found is None:
        return group
    start = int(found[2][-18:]) // block_size * block_size
    return f"{found[1]}{start}-{start + block_size - 1}"


def split_by_group(
    dataset: Dataset,
    fractions: Mapping[str, float],
    seed: int,
    near_duplicates: bool,
    *,
    block_size: int = 1,
    found: Mapping[str, Fingerprint] | None = None,
    progress: ProgressCallback | None = None,
) -> Mapping[str, tuple[str, ...]]:
    """Divide by group, keeping the mix of classes as even as whole groups allow.

    Args:
        dataset: As read.
        fractions: Part -> share of the images; shares are over 0 and add to 1.
        seed: The run's seed.
        near_duplicates: Also keep images together that look nearly the same (reads every image).
        block_size: Join neighbouring numbered groups first, see ``assign_groups``.
        found: The fingerprints of the entries, if workers have taken them already.
        progress: Called with (done, total) while images are read.

    Returns:
        Part -> ids, sorted; every readable entry in exactly one. With ``near_duplicates`` images that cannot be decoded are in none.

    Raises:
        ConfigError: Fractions that are not shares.
        DataError: Fewer groups than parts.

    Source:
        The greedy rule is iterative stratification (Sechidis, Tsoumakas, Vlahavas, ECML 2011) on whole groups.
    """
    _check_fractions(fractions)
    blocked = assign_groups(dataset, block_size)
    prints: Mapping[str, Fingerprint] = {}
    if near_duplicates:
        prints = found if found is not None else fingerprints(dataset, progress)
    clusters = bag_clusters(blocked, prints)
    divided = divide(clusters, fractions, seed, str(dataset.root))
    check_no_leak(blocked, divided)
    return divided


def bag_clusters(dataset: Dataset, prints: Mapping[str, Fingerprint]) -> list[list[Entry]]:
    """Entries that must stay together: of one group, with the same bytes, or that show one bag as far as their fingerprints tell.

    Args:
        dataset: As read, with its groups made blocks if wanted.
        prints: Entry id -> fingerprint; empty to go by groups alone. Entries that cannot be decoded are in no cluster.
    """
    entries = [entry for entry in dataset.entries if entry.id not in prints or not prints[entry.id].fault]
    return _clusters(entries, [*near_groups(prints), *exact_groups(prints)])


def divide(clusters: list[list[Entry]], fractions: Mapping[str, float], seed: int, where: str) -> dict[str, tuple[str, ...]]:
    """Clusters to parts; part -> ids, sorted.

    Args:
        clusters: From ``bag_clusters``.
        fractions: Part -> share of the images.
        seed: The run's seed.
        where: What to call the dataset in errors.

    Raises:
        ConfigError: Fractions that are not shares.
        DataError: Fewer clusters than parts.
    """
    _check_fractions(fractions)
    if len(clusters) < len(fractions):
        raise DataError(
            f"{where}: {len(clusters)} independent group(s) cannot be divided into {len(fractions)} parts "
            f"({', '.join(fractions)}). Bring more bags, or give validation and test sets of their own."
        )
    parts = _assign(clusters, fractions, seed)
    return {name: tuple(sorted(entry.id for cluster in members for entry in cluster)) for name, members in parts.items()}


def check_no_leak(dataset: Dataset, parts: Mapping[str, Sequence[str]], *, found: Mapping[str, Fingerprint] | None = None) -> None:
    """Refuse parts that share an image, a group, or (given fingerprints) a copy.

    Args:
        dataset: Whose groups count.
        parts: Part -> ids.
        found: Fingerprints, to look for copies too.

    Raises:
        DataError: What is in which two parts; or an id that the dataset does not hold.
    """
    groups = {entry.id: entry.group for entry in dataset.entries}
    copies = {name: members[0] for members in near_groups(found or {}) for name in members}
    where: dict[tuple[str, str], str] = {}
    for part, ids in parts.items():
        for name in ids:
            if name not in groups:
                raise DataError(f"split: part {part!r} names {name!r}, which {dataset.root} does not hold.")
            marks = [("image", name), ("group", groups[name])]
            if name in copies:
                marks.append(("near-duplicate of", copies[name]))
            for mark in marks:
                other = where.setdefault(mark, part)
                if other != part:
                    raise DataError(f"split: {mark[0]} {mark[1]!r} is in both {other!r} and {part!r}. Split again by group.")


def _check_fractions(fractions: Mapping[str, float]) -> None:
    shares = list(fractions.values())
    if not shares or not all(math.isfinite(share) and share > 0 for share in shares) or not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
        shown = ", ".join(f"{name} {share:g}" for name, share in fractions.items()) or "none"
        raise ConfigError(f"split: expected shares over 0 that add to 1, got {shown}.")


def _clusters(entries: Sequence[Entry], alike: Sequence[Sequence[str]]) -> list[list[Entry]]:
    """Entries joined by a common group or by being alike, in a stable order."""
    ordered = sorted(entries, key=lambda entry: entry.id)
    place = {entry.id: number for number, entry in enumerate(ordered)}
    by_group: dict[str, list[int]] = {}
    for number, entry in enumerate(ordered):
        by_group.setdefault(entry.group, []).append(number)
    joined = [*by_group.values(), *([place[name] for name in names if name in place] for names in alike)]
    pairs = [pair for numbers in joined for pair in pairwise(numbers)]
    clusters: dict[int, list[Entry]] = {}
    for entry, number in zip(ordered, connected_groups(len(ordered), pairs), strict=True):
        clusters.setdefault(number, []).append(entry)
    return list(clusters.values())


def _assign(clusters: list[list[Entry]], fractions: Mapping[str, float], seed: int) -> dict[str, list[list[Entry]]]:
    """Clusters to parts: those with the rarest class first, each to the part that lacks its classes most."""
    amounts = [_amounts(cluster) for cluster in clusters]
    totals = sum(amounts, Counter[str]())
    shuffled = stream(seed, "split").permutation(len(clusters))
    order = sorted(shuffled.tolist(), key=lambda number: (min(totals[name] for name in amounts[number]), -len(clusters[number])))
    names = list(fractions)
    have: dict[str, Counter[str]] = {name: Counter() for name in names}
    sizes = dict.fromkeys(names, 0)
    parts: dict[str, list[list[Entry]]] = {name: [] for name in names}
    images = sum(map(len, clusters))
    for done, number in enumerate(order):
        empty = [name for name in names if not parts[name]]
        # the last clusters go to parts that would stay empty
        open_parts = empty if len(empty) >= len(order) - done else names

        def lack(name: str, wanted: Counter[str] = amounts[number]) -> tuple[float, float]:
            by_class = sum(count * (fractions[name] - have[name][label] / totals[label]) for label, count in wanted.items())
            return round(by_class / wanted.total(), 9), round(fractions[name] - sizes[name] / images, 9)

        best = max(open_parts, key=lack)
        parts[best].append(clusters[number])
        have[best] += amounts[number]
        sizes[best] += len(clusters[number])
    return parts


def _amounts(cluster: Sequence[Entry]) -> Counter[str]:
    """How much of each class a cluster holds; images that are labelled as a whole count by those labels."""
    return Counter(label for entry in cluster for label in (entry.labels or entry.image_labels or (_BENIGN,)))


def shares(parts: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """The share of the images that each part really got.

    Example:
        >>> shares({"train": ("a", "b", "c"), "test": ("d",)})
        {'train': 0.75, 'test': 0.25}
    """
    counts = np.array([len(ids) for ids in parts.values()], np.float64)
    return {name: float(share) for name, share in zip(parts, counts / counts.sum(), strict=True)}
