"""A million entries in a few megabytes of memory: what names, compares and shows them lies on disk after they have streamed by."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.datasets.dataset import Entry
from threatray.datasets.measure import Measurement
from threatray.datasets.scanners import FEATURES, scanner_features
from threatray.datasets.spool import Spool

_NUMBERED: Final = re.compile(r"\d+$")
_MOST_PARTS: Final = 1000
_FURTHER: Final = "further parts"

_FRAME: Final = struct.Struct("<QQQiiI?q")
_FRAME_FIELDS: Final = np.dtype(
    [
        ("id_end", "<u8"), ("path_end", "<u8"), ("things", "<u8"), ("width", "<i4"), ("height", "<i4"), ("part", "<u4"),
        ("benign", "?"), ("number", "<i8"),
    ]
)  # fmt: skip
_LOOK: Final = struct.Struct(f"<16s4Q{len(FEATURES)}fff")
_LOOK_FIELDS: Final = np.dtype(
    [("digest", "V16"), ("codes", "<u8", 4), ("features", "<f4", len(FEATURES)), ("bag_area", "<f4"), ("dark_outside", "<f4")]
)
_THING: Final = struct.Struct("<I4f")

Said = tuple[tuple[str, tuple[float, float, float, float]], ...]
"""Label and box of each thing of an entry."""


@dataclass(frozen=True)
class Shown:
    """What is needed to show one entry."""

    id: str
    path: Path
    width: int
    height: int
    things: Said


class EntryTable:
    """Entries in the order they came. Memory holds the names of classes and parts; a column asked for is read whole.

    Args:
        root: The dataset's folder; paths below it are kept relative.
        scratch: Where the temporary files go; None for the system's temporary folder.
    """

    def __init__(self, root: Path, scratch: Path | None = None) -> None:
        self._root = str(root)
        self._ids, self._paths, self._things, self._frames, self._looks = (Spool(scratch) for _ in range(5))
        self._class_numbers: dict[str, int] = {}
        self._class_names: list[str] = []
        self._parts: dict[str, int] = {}
        self._index: tuple[NDArray[np.int64], NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        return len(self._frames) // _FRAME.size

    def add(self, entry: Entry, measured: Measurement | None) -> None:
        """Append an entry; ``measured`` is None where pixels are not read."""
        self._ids.append(entry.id.encode("utf-8", "surrogateescape"))
        path = str(entry.image_path or entry.high_path)
        path = "\0" + path[len(self._root) :] if path.startswith(self._root) else path  # NUL: below the root
        self._paths.append(path.encode("utf-8", "surrogateescape"))
        for label, box in zip(entry.labels, entry.boxes.tolist(), strict=True):
            self._things.append(_THING.pack(self._number_of(label), *box))
        part = entry.part if entry.part in self._parts or len(self._parts) < _MOST_PARTS else _FURTHER
        numbered = _NUMBERED.search(entry.group) or _NUMBERED.search(entry.id)
        self._frames.append(
            _FRAME.pack(
                len(self._ids), len(self._paths), len(self._things) // _THING.size, entry.width, entry.height,
                self._parts.setdefault(part, len(self._parts)), entry.is_benign, int(numbered[0][-18:]) if numbered else -1,
            )
        )  # fmt: skip
        if measured is not None:
            one = measured.fingerprint
            digest = bytes.fromhex(one.sha256[:32]) if one.sha256 else bytes(16)
            self._looks.append(_LOOK.pack(digest, *one.codes, *scanner_features(measured), measured.bag_area, measured.dark_outside))

    def _number_of(self, label: str) -> int:
        number = self._class_numbers.get(label)
        if number is None:
            number = self._class_numbers[label] = len(self._class_names)
            self._class_names.append(label)
        return number

    def id(self, place: int) -> str:
        """The id of the entry at a place."""
        start, end = self._ends(place, "id_end")
        return self._ids.read(start, end).decode("utf-8", "surrogateescape")

    def place_of(self, name: str) -> int:
        """Where the entry of this id is.

        Raises:
            KeyError: There is none.
        """
        hashes, order = self._hashed()
        first, last = (int(np.searchsorted(hashes, hash(name), side)) for side in ("left", "right"))
        for place in order[first:last].tolist():
            if self.id(place) == name:
                return int(place)
        raise KeyError(name)

    def _hashed(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Hashes of all ids, sorted, and the place of each: sixteen bytes an entry, only where pictures are looked for by name."""
        if self._index is None or len(self._index[0]) != len(self):
            hashes, start = np.empty(len(self), np.int64), 0
            for place, end in enumerate(self._column(self._frames, _FRAME_FIELDS, "id_end").tolist()):
                hashes[place] = hash(self._ids.read(start, end).decode("utf-8", "surrogateescape"))
                start = end
            order = np.argsort(hashes, kind="stable")
            self._index = hashes[order], order
        return self._index

    def shown(self, place: int) -> Shown:
        """What is needed to show the entry at a place."""
        width, height = self.sizes_of(place)
        path = self._paths.read(*self._ends(place, "path_end")).decode("utf-8", "surrogateescape")
        whole = Path(self._root + path[1:] if path.startswith("\0") else path)
        return Shown(self.id(place), whole, width, height, self.said(place))

    def sizes_of(self, place: int) -> tuple[int, int]:
        """Width and height of the entry at a place."""
        frame = self._frame(place)
        return int(frame["width"]), int(frame["height"])

    def said(self, place: int) -> Said:
        """Label and box of each thing, sorted."""
        start, end = self._ends(place, "things")
        things = _THING.iter_unpack(self._things.read(start * _THING.size, end * _THING.size))
        return tuple(sorted((self._class_names[number], (x0, y0, x1, y1)) for number, x0, y0, x1, y1 in things))

    def part(self, place: int) -> str:
        """The published part of the entry at a place."""
        return list(self._parts)[int(self._frame(place)["part"])]

    def codes_of(self, place: int) -> tuple[int, ...]:
        """The four hashes of the entry at a place."""
        look = np.frombuffer(self._looks.read(place * _LOOK.size, (place + 1) * _LOOK.size), _LOOK_FIELDS)[0]
        return tuple(look["codes"].tolist())

    @property
    def parts(self) -> tuple[str, ...]:
        """The published parts that were met."""
        return tuple(self._parts)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(N, 2) width and height."""
        columns = [self._column(self._frames, _FRAME_FIELDS, name) for name in ("width", "height")]
        return np.stack(columns, axis=1).astype(np.int64)

    @property
    def codes(self) -> NDArray[np.uint64]:
        """(N, 4) hashes; no rows without pixels."""
        return self._column(self._looks, _LOOK_FIELDS, "codes")

    @property
    def digests(self) -> NDArray[np.void]:
        """(N,) the first half of each sha256; all zero where a file is broken."""
        return self._column(self._looks, _LOOK_FIELDS, "digest")

    @property
    def readable(self) -> NDArray[np.bool_]:
        """(N,) whose files could be read."""
        raw = self.digests.view(np.uint8).reshape(-1, 16)
        return np.asarray(raw.any(axis=1), np.bool_)

    @property
    def features(self) -> NDArray[np.float32]:
        """(N, 6) scanner features."""
        return self._column(self._looks, _LOOK_FIELDS, "features")

    @property
    def bag_areas(self) -> NDArray[np.float32]:
        """(N,) share of each image that is not air."""
        return self._column(self._looks, _LOOK_FIELDS, "bag_area")

    @property
    def dark_outside(self) -> NDArray[np.float32]:
        """(N,) see ``Measurement.dark_outside``; empty without pixels."""
        return self._column(self._looks, _LOOK_FIELDS, "dark_outside")

    @property
    def numbers(self) -> NDArray[np.int64]:
        """(N,) the number that each group, else id, ends with; -1 without one."""
        return self._column(self._frames, _FRAME_FIELDS, "number")

    @property
    def part_numbers(self) -> NDArray[np.int64]:
        """(N,) place of each entry's part in ``parts``."""
        return self._column(self._frames, _FRAME_FIELDS, "part").astype(np.int64)

    @property
    def benign(self) -> NDArray[np.bool_]:
        """(N,) in which nothing is known to be."""
        return self._column(self._frames, _FRAME_FIELDS, "benign")

    def _frame(self, place: int) -> Any:
        return np.frombuffer(self._frames.read(place * _FRAME.size, (place + 1) * _FRAME.size), _FRAME_FIELDS)[0]

    def _ends(self, place: int, field: str) -> tuple[int, int]:
        return int(self._frame(place - 1)[field]) if place else 0, int(self._frame(place)[field])

    @staticmethod
    def _column(spool: Spool, fields: np.dtype[Any], name: str) -> NDArray[Any]:
        pieces = [np.frombuffer(block, fields)[name].copy() for block in spool.blocks(fields.itemsize)]
        return np.concatenate(pieces) if pieces else np.zeros(0, fields)[name]
