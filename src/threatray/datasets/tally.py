"""Counts over entries as they stream by; memory does not grow with their number."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from threatray.core import Provenance
from threatray.datasets.dataset import Entry
from threatray.datasets.measure import Measurement
from threatray.datasets.quantile_sketch import QuantileSketch
from threatray.errors import DataError

GRID: Final = 8

Box = list[float]

_MOST_SOURCES: Final = 1000
_MOST_COVERED: Final = 200
"""Things of one image up to which each is held against each."""
_MOST_PARTS: Final = 1000
_FURTHER_PARTS: Final = "further ones"
_MOST_CLASSES: Final = 100_000
_FURTHER: Final = Provenance("further sources", "see the dataset")
_MOST_TOGETHER: Final = 100
"""Classes of one image, and of the table, that are counted together: thousands of made-up labels must not fill the memory."""


class ClassTally:
    """What is known of one class: counts, sizes, shapes, places, how hidden."""

    def __init__(self) -> None:
        self.instances = 0
        self.images = 0
        self.whole_images = 0
        self.relative_size = QuantileSketch()
        self.aspect = QuantileSketch()
        self.covered = QuantileSketch()
        self.attenuation = QuantileSketch()
        self.around = QuantileSketch()
        self.edges = QuantileSketch()
        self.positions = [[0] * GRID for _ in range(GRID)]


@dataclass
class PartTally:
    """What is known of one published part, level or view."""

    images: int = 0
    threats: int = 0
    benign: int = 0


class Tally:
    """Counts over entries.

    Args:
        classes: Classes that the format declares; they are counted even where they do not occur.
    """

    def __init__(self, classes: tuple[str, ...] = ()) -> None:
        self.classes: dict[str, ClassTally] = {name: ClassTally() for name in classes}
        self.images = self.threats = self.benign = self.whole_only = 0
        self.masks = self.dual_energy = self.full_image_boxes = self.repeated_boxes = self.tiny_boxes = 0
        self.width, self.height = QuantileSketch(), QuantileSketch()
        self.area = {True: QuantileSketch(), False: QuantileSketch()}
        self.bag_area = {True: QuantileSketch(), False: QuantileSketch()}
        self.things_per_image: Counter[int] = Counter()
        self.classes_per_image: Counter[int] = Counter()
        self.together: Counter[tuple[str, str]] = Counter()
        self.parts: dict[str, PartTally] = {}
        self.difficulties: dict[str, PartTally] = {}
        self.views: dict[str, PartTally] = {}
        self.provenance: Counter[Provenance] = Counter()

    def add(self, entry: Entry, measured: Measurement | None) -> None:
        """Count one entry, and its pixels' figures where they were measured."""
        self.images += 1
        self.width.add(entry.width)
        self.height.add(entry.height)
        benign = entry.is_benign
        self.area[benign].add(entry.width * entry.height)
        known = len(self.provenance) < _MOST_SOURCES or entry.provenance in self.provenance
        self.provenance[entry.provenance if known else _FURTHER] += 1
        self.dual_energy += entry.has_dual_energy
        labels = entry.labels
        self.threats += bool(labels)
        self.benign += benign
        self.whole_only += not labels and bool(entry.image_labels)
        for name, said in ((entry.part, self.parts), (entry.difficulty, self.difficulties), (entry.view, self.views)):
            if name:
                one = said.setdefault(name if name in said or len(said) < _MOST_PARTS else _FURTHER_PARTS, PartTally())
                one.images += 1
                one.threats += not benign
                one.benign += benign
        if entry.image_labels:
            for name in {*entry.image_labels} - {*labels}:
                self._of(name).whole_images += 1
        if measured is not None and not measured.fingerprint.fault:
            self.bag_area[benign].add(measured.bag_area)
        self.things_per_image[len(labels)] += 1
        if labels:
            self._count_things(entry, measured)

    def _of(self, name: str) -> ClassTally:
        found = self.classes.get(name)
        if found is None:
            if len(self.classes) >= _MOST_CLASSES:
                raise DataError(f"More than {_MOST_CLASSES:,} classes ({name[:40]!r} among them), too many for a dataset.")
            found = self.classes[name] = ClassTally()
        return found

    def _count_things(self, entry: Entry, measured: Measurement | None) -> None:
        distinct = sorted({*entry.labels})
        self.classes_per_image[len(distinct)] += 1
        for place, name in enumerate(distinct):
            self._of(name).images += 1
            for other in distinct[place + 1 : _MOST_TOGETHER]:
                self.together[name, other] += 1
        if entry.segmentations:
            self.masks += sum(one is not None for one in entry.segmentations)
        boxes: list[Box] = entry.boxes.tolist()
        hidden = measured.things if measured is not None else ()
        for number, (name, box) in enumerate(zip(entry.labels, boxes, strict=True)):
            one = self._of(name)
            self._count_thing(one, box, entry.width, entry.height)
            if 1 < len(boxes) <= _MOST_COVERED:
                one.covered.add(_covered(box, [other for place, other in enumerate(boxes) if place != number]))
            if number < len(hidden):
                one.attenuation.add(hidden[number].attenuation)
                one.around.add(hidden[number].around)
                one.edges.add(hidden[number].edges)
        if len(boxes) > 1 and len({(name, *box) for name, box in zip(entry.labels, boxes, strict=True)}) < len(boxes):
            self.repeated_boxes += 1

    def _count_thing(self, one: ClassTally, box: Box, width: int, height: int) -> None:
        x0, y0, x1, y1 = box
        wide, high = x1 - x0, y1 - y0
        share = wide * high / (width * height)
        one.instances += 1
        one.relative_size.add(math.sqrt(share))
        one.aspect.add(wide / high)
        row = min(int((y0 + y1) / 2 / height * GRID), GRID - 1)
        column = min(int((x0 + x1) / 2 / width * GRID), GRID - 1)
        one.positions[row][column] += 1
        self.full_image_boxes += share > 0.98
        self.tiny_boxes += min(wide, high) < 4


def _covered(box: Box, others: list[Box]) -> float:
    """The largest share of a box that one other box covers.

    Example:
        >>> _covered([0, 0, 10, 10], [[5, 0, 20, 10], [9, 9, 11, 11]])
        0.5
    """
    x0, y0, x1, y1 = box
    most = 0.0
    for other in others:
        wide, high = min(x1, other[2]) - max(x0, other[0]), min(y1, other[3]) - max(y0, other[1])
        if wide > 0 and high > 0:
            most = max(most, wide * high)
    return most / ((x1 - x0) * (y1 - y0))


def co_occurrence(tally: Tally) -> Mapping[str, Mapping[str, int]]:
    """Class -> class -> images with both, on the diagonal images with the class; of the commonest classes where there are very many."""
    common = sorted(tally.classes, key=lambda name: (-tally.classes[name].instances, name))[:_MOST_TOGETHER]
    names = sorted(common)
    table = {name: dict.fromkeys(names, 0) for name in names}
    for name in names:
        table[name][name] = tally.classes[name].images
    for (first, second), count in tally.together.items():
        if first in table and second in table:
            table[first][second] = table[second][first] = count
    return table
