"""A million entries in a few hundred bytes each: what is needed to name, compare and show them after they have streamed by."""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from threatray.datasets.dataset import Entry
from threatray.datasets.measure import Measurement
from threatray.datasets.scanners import FEATURES, scanner_features

_NUMBERED: Final = re.compile(r"\d+$")

Said = tuple[tuple[str, tuple[float, float, float, float]], ...]
"""Label and box of each thing of an entry."""


class TextTable:
    """Texts one after the other in one buffer.

    Example:
        >>> texts = TextTable()
        >>> texts.add("gun"), texts.add("칼")
        (0, 1)
        >>> texts[1], len(texts)
        ('칼', 2)
    """

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("Q")

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, place: int) -> str:
        start = self._ends[place - 1] if place else 0
        return self._bytes[start : self._ends[place]].decode("utf-8", "surrogateescape")

    def add(self, text: str) -> int:
        """Append a text; its place."""
        self._bytes += text.encode("utf-8", "surrogateescape")
        self._ends.append(len(self._bytes))
        return len(self._ends) - 1


@dataclass(frozen=True)
class Shown:
    """What is needed to show one entry."""

    id: str
    path: Path
    width: int
    height: int
    things: Said


class EntryTable:
    """Entries in columns, in the order they came.

    Args:
        root: The dataset's folder; paths below it are kept relative.
    """

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._ids, self._paths = TextTable(), TextTable()
        self._sizes = array("i")
        self._class_numbers: dict[str, int] = {}
        self._class_names: list[str] = []
        self._labels = array("I")
        self._boxes = array("f")
        self._box_ends = array("Q")
        self._digests = bytearray()
        self._codes = array("Q")
        self._features = array("f")
        self._bag_areas = array("f")
        self._dark_outside = array("f")
        self._parts: dict[str, int] = {}
        self._part_of = array("I")
        self._benign = bytearray()
        self._numbers = array("q")

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, entry: Entry, measured: Measurement | None) -> None:
        """Append an entry; ``measured`` is None where pixels are not read."""
        self._ids.add(entry.id)
        path = str(entry.image_path or entry.high_path)
        self._paths.add("\0" + path[len(self._root) :] if path.startswith(self._root) else path)  # NUL: below the root
        self._sizes.extend((entry.width, entry.height))
        for label in entry.labels:
            if label not in self._class_numbers:
                self._class_numbers[label] = len(self._class_names)
                self._class_names.append(label)
            self._labels.append(self._class_numbers[label])
        self._boxes.extend(entry.boxes.ravel().tolist())
        self._box_ends.append(len(self._labels))
        self._part_of.append(self._parts.setdefault(entry.part, len(self._parts)))
        self._benign.append(entry.is_benign)
        numbered = _NUMBERED.search(entry.group) or _NUMBERED.search(entry.id)
        self._numbers.append(int(numbered[0][-18:]) if numbered else -1)
        if measured is not None:
            one = measured.fingerprint
            self._digests += bytes.fromhex(one.sha256[:32]) if one.sha256 else bytes(16)
            self._codes.extend(one.codes)
            self._features.extend(scanner_features(measured))
            self._bag_areas.append(measured.bag_area)
            self._dark_outside.append(measured.dark_outside)

    def id(self, place: int) -> str:
        """The id of the entry at a place."""
        return self._ids[place]

    def shown(self, place: int) -> Shown:
        """What is needed to show the entry at a place."""
        width, height = self.sizes_of(place)
        path = self._paths[place]
        whole = Path(self._root + path[1:] if path.startswith("\0") else path)
        return Shown(self.id(place), whole, width, height, self.said(place))

    def sizes_of(self, place: int) -> tuple[int, int]:
        """Width and height of the entry at a place."""
        return self._sizes[2 * place], self._sizes[2 * place + 1]

    def said(self, place: int) -> Said:
        """Label and box of each thing, sorted."""
        start, end = self._box_ends[place - 1] if place else 0, self._box_ends[place]
        names = self._class_names
        boxes = [tuple(self._boxes[4 * thing : 4 * thing + 4]) for thing in range(start, end)]
        return tuple(sorted((names[self._labels[thing]], box) for thing, box in zip(range(start, end), boxes, strict=True)))  # type: ignore[misc]

    def part(self, place: int) -> str:
        """The published part of the entry at a place."""
        return list(self._parts)[self._part_of[place]]

    @property
    def parts(self) -> tuple[str, ...]:
        """The published parts that were met."""
        return tuple(self._parts)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(N, 2) width and height."""
        return np.array(self._sizes, np.int64).reshape(-1, 2)

    @property
    def codes(self) -> NDArray[np.uint64]:
        """(N, 4) hashes; no rows without pixels."""
        return np.frombuffer(self._codes, np.uint64).reshape(-1, 4)

    @property
    def digests(self) -> NDArray[np.void]:
        """(N,) the first half of each sha256; all zero where a file is broken."""
        return np.frombuffer(bytes(self._digests), np.dtype("V16"))

    @property
    def readable(self) -> NDArray[np.bool_]:
        """(N,) whose files could be read."""
        raw = np.frombuffer(bytes(self._digests), np.uint8).reshape(-1, 16)
        return np.asarray(raw.any(axis=1), np.bool_)

    @property
    def features(self) -> NDArray[np.float32]:
        """(N, 6) scanner features."""
        return np.frombuffer(self._features, np.float32).reshape(-1, len(FEATURES))

    @property
    def bag_areas(self) -> NDArray[np.float32]:
        """(N,) share of each image that is not air."""
        return np.frombuffer(self._bag_areas, np.float32)

    @property
    def dark_outside(self) -> NDArray[np.float32]:
        """(N,) see ``Measurement.dark_outside``; empty without pixels."""
        return np.frombuffer(self._dark_outside, np.float32)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """(N,) the number that each group, else id, ends with; -1 without one."""
        return np.array(self._numbers, np.int64)

    @property
    def part_numbers(self) -> NDArray[np.int64]:
        """(N,) place of each entry's part in ``parts``."""
        return np.array(self._part_of, np.int64)

    @property
    def benign(self) -> NDArray[np.bool_]:
        """(N,) in which nothing is known to be."""
        return np.frombuffer(bytes(self._benign), np.uint8).astype(np.bool_)
