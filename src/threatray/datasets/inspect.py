"""What is in a dataset, and what is wrong with it, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np

from threatray.core import SetAside
from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.fingerprints import Fingerprint, ProgressCallback, exact_groups, fingerprints, near_groups

GRID: Final = 8
_QUANTILES: Final = {"minimum": 0.0, "q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95, "maximum": 1.0}


@dataclass(frozen=True)
class Quantiles:
    """Minimum, 5, 25, 50, 75, 95 % and maximum of something."""

    minimum: float
    q05: float
    q25: float
    median: float
    q75: float
    q95: float
    maximum: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Quantiles:
        """Of one value or more, rounded to six digits.

        Example:
            >>> Quantiles.of([1.0, 2.0, 9.0]).median
            2.0
        """
        return cls(*(round(float(value), 6) for value in np.quantile(np.array(values, np.float64), list(_QUANTILES.values()))))


@dataclass(frozen=True)
class Inspection:
    """The figures of one dataset.

    Args:
        format_name: How it was read.
        images: Usable images.
        threat_images: Those with at least one thing.
        benign_images: Those without.
        threat_to_benign: Their ratio; None without benign images.
        images_per_class: Images with at least one of the class.
        instances_per_class: Things of the class.
        imbalance_ratio: Instances of the commonest class for each of the rarest; None for fewer than two classes, or if one has none.
        width: Columns of the images.
        height: Rows of the images.
        relative_size: Class -> sqrt(box area / image area).
        positions: Class -> how many box centres lie in each cell of an 8x8 grid over the image, rows from the top.
        pixels_read: Whether the figures below were measured.
        exact_duplicates: Groups of ids with the same bytes.
        contradictory_duplicates: Pairs with the same bytes and different boxes or labels.
        near_duplicates: Groups of ids that look nearly the same, byte copies included.
        unreadable: Images whose pixels cannot be decoded, and why.
        boxes_outside: Boxes that reached over one pixel outside, or lay outside, as the reader found.
        set_aside: What the reader set aside.
        notes: What the reader had to say.
    """

    format_name: str
    images: int
    threat_images: int
    benign_images: int
    threat_to_benign: float | None
    images_per_class: Mapping[str, int]
    instances_per_class: Mapping[str, int]
    imbalance_ratio: float | None
    width: Quantiles
    height: Quantiles
    relative_size: Mapping[str, Quantiles]
    positions: Mapping[str, tuple[tuple[int, ...], ...]]
    pixels_read: bool
    exact_duplicates: tuple[tuple[str, ...], ...]
    contradictory_duplicates: tuple[tuple[str, str], ...]
    near_duplicates: tuple[tuple[str, ...], ...]
    unreadable: tuple[SetAside, ...]
    boxes_outside: int
    set_aside: tuple[SetAside, ...]
    notes: tuple[str, ...]

    @property
    def images_without_annotations(self) -> int:
        """Images with nothing in them, as far as is known."""
        return self.benign_images

    def as_json(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


def inspect_dataset(
    dataset: Dataset,
    read_pixels: bool = True,
    progress: ProgressCallback | None = None,
    *,
    found: Mapping[str, Fingerprint] | None = None,
) -> Inspection:
    """Count, measure and look for copies.

    Args:
        dataset: As read.
        read_pixels: Decode every image, to find copies and broken files; else those figures stay empty.
        progress: Called with (done, total) images.
        found: The fingerprints of the entries, if workers have taken them already.

    Returns:
        The figures.
    """
    entries = dataset.entries
    prints: Mapping[str, Fingerprint] = found if found is not None else fingerprints(dataset, progress) if read_pixels else {}
    per_class = Counter(dict.fromkeys(dataset.classes, 0))
    images_of = Counter(dict.fromkeys(dataset.classes, 0))
    for entry in entries:
        per_class.update(entry.labels)
        images_of.update(set(entry.labels))
    classes = sorted(per_class)
    threats = sum(bool(entry.labels) for entry in entries)
    exact = exact_groups(prints)
    return Inspection(
        format_name=dataset.format_name,
        images=len(entries),
        threat_images=threats,
        benign_images=len(entries) - threats,
        threat_to_benign=round(threats / (len(entries) - threats), 6) if threats < len(entries) else None,
        images_per_class={name: images_of[name] for name in classes},
        instances_per_class={name: per_class[name] for name in classes},
        imbalance_ratio=_imbalance(list(per_class.values())),
        width=Quantiles.of([entry.width for entry in entries]),
        height=Quantiles.of([entry.height for entry in entries]),
        relative_size={name: Quantiles.of(_relative_sizes(entries, name)) for name in classes if per_class[name]},
        positions={name: _positions(entries, name) for name in classes if per_class[name]},
        pixels_read=bool(prints),
        exact_duplicates=exact,
        contradictory_duplicates=_contradictions({entry.id: entry for entry in entries}, exact),
        near_duplicates=near_groups(prints),
        unreadable=tuple(SetAside(name, one.fault) for name, one in sorted(prints.items()) if one.fault),
        boxes_outside=sum("outside the" in one.reason and "box" in one.reason for one in dataset.set_aside),
        set_aside=dataset.set_aside,
        notes=dataset.notes,
    )


def _imbalance(counts: list[int]) -> float | None:
    return round(max(counts) / min(counts), 6) if len(counts) > 1 and min(counts) > 0 else None


def _relative_sizes(entries: Sequence[Entry], name: str) -> list[float]:
    sizes = []
    for entry in entries:
        for (x0, y0, x1, y1), label in zip(entry.boxes.tolist(), entry.labels, strict=True):
            if label == name:
                sizes.append(float(np.sqrt((x1 - x0) * (y1 - y0) / (entry.width * entry.height))))
    return sizes


def _positions(entries: Sequence[Entry], name: str) -> tuple[tuple[int, ...], ...]:
    grid = np.zeros((GRID, GRID), np.int64)
    for entry in entries:
        for (x0, y0, x1, y1), label in zip(entry.boxes.tolist(), entry.labels, strict=True):
            if label == name:
                row = min(int((y0 + y1) / 2 / entry.height * GRID), GRID - 1)
                column = min(int((x0 + x1) / 2 / entry.width * GRID), GRID - 1)
                grid[row, column] += 1
    return tuple(tuple(int(count) for count in row) for row in grid)


def _contradictions(entries: Mapping[str, Entry], groups: Sequence[Sequence[str]]) -> tuple[tuple[str, str], ...]:
    def said(name: str) -> list[tuple[str, list[float]]]:
        return sorted(zip(entries[name].labels, entries[name].boxes.tolist(), strict=True))

    return tuple((first, second) for group in groups for first, second in combinations(group, 2) if said(first) != said(second))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
