"""The lists of SIXray: which of a million images is in which part, and what is in it, in constant memory.

Negatives are numbered up to 1,059,231 and have no label, so a byte each says all that the lists say. Positives, some nine thousand,
are kept by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from threatray.datasets.formats.faults import stays_inside
from threatray.datasets.formats.native import Reading
from threatray.datasets.formats.native_files import without_suffix
from threatray.errors import DataError

SUBSETS: Final = ("10", "100", "1000")
PARTS: Final = ("train", "test")
COLUMNS: Final = ("Gun", "Knife", "Wrench", "Pliers", "Scissors", "Hammer")

_TRAIN: Final = 1
_TEST: Final = 2
_MET: Final = 4
_LONGEST_LINE: Final = 4096
_MOST_BROKEN: Final = 100
_PRESENT: Final = frozenset({"1", "1.0"})
_VALUES: Final = frozenset({"1", "-1", "0", "1.0", "-1.0", "0.0"})


def list_files(root: Path) -> list[tuple[Path, str]]:
    """The lists that are there, with their part."""
    return [
        (path, part)
        for subset in SUBSETS
        for part in PARTS
        for path in (root / "ImageSet" / subset / f"{part}.csv", root / "ImageSet" / subset / f"{part}.txt")
        if path.is_file()
    ]


@dataclass
class SixrayLists:
    """What the lists say; also remembers which images have gone by.

    Attributes:
        columns: Classes that the lists speak of.
        count: Images listed.
    """

    columns: tuple[str, ...] = ()
    count: int = 0
    _negatives: bytearray = field(default_factory=bytearray)
    _positives: dict[str, int] = field(default_factory=dict)
    _labels: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def read(cls, root: Path, reading: Reading) -> SixrayLists:
        """Read every list; rows that are no name with labels of 1 and -1 are set aside.

        Raises:
            DataError: A list is a link out of the dataset, is not text, or has many broken rows.
        """
        lists = cls()
        for path, part in list_files(root):
            if not stays_inside(path, reading.root):
                raise DataError(f"{path}: is a link that leads out of the dataset.")
            for name, labels in _rows(path, lists, reading):
                lists._take(name, labels, _TRAIN if part == "train" else _TEST)
        return lists

    def _take(self, name: str, labels: tuple[str, ...], bit: int) -> None:
        before = self._state(name)
        self.count += not before & (_TRAIN | _TEST)
        self._set(name, before | bit)
        if labels:
            self._labels[name] = tuple(dict.fromkeys((*self._labels.get(name, ()), *labels)))

    def _state(self, name: str) -> int:
        number = _negative(name)
        if number is None:
            return self._positives.get(name, 0)
        return self._negatives[number] if number < len(self._negatives) else 0

    def _set(self, name: str, state: int) -> None:
        number = _negative(name)
        if number is None:
            self._positives[name] = state
            return
        if number >= len(self._negatives):
            self._negatives.extend(bytes(number + 1 - len(self._negatives)))
        self._negatives[number] = state

    def meet(self, name: str) -> bool:
        """Remember that an image went by; whether it is the first of that name."""
        before = self._state(name)
        self._set(name, before | _MET)
        return not before & _MET

    def is_listed(self, name: str) -> bool:
        """Whether any list names the image."""
        return bool(self._state(name) & (_TRAIN | _TEST))

    def labels(self, name: str) -> tuple[str, ...]:
        """Classes that a list says are in the image."""
        return self._labels.get(name, ())

    def part(self, name: str) -> str:
        """``train`` or ``test``; empty if no list names it or two disagree."""
        return {_TRAIN: "train", _TEST: "test"}.get(self._state(name) & (_TRAIN | _TEST), "")

    @property
    def conflicts(self) -> int:
        """Images in the training list of one subset and the test list of another."""
        both = _TRAIN | _TEST
        return sum(self._negatives.count(state) for state in (both, both | _MET)) + sum(
            state & both == both for state in self._positives.values()
        )

    def neighbours(self) -> tuple[int, int]:
        """Of the positives whose numbers follow each other and that are both listed: pairs in different parts, and all pairs."""
        parts = {int(name[1:]): part for name in self._positives if name[1:].isdecimal() and (part := self.part(name))}
        pairs = [(parts[number], parts[number + 1]) for number in parts if number + 1 in parts]
        return sum(first != second for first, second in pairs), len(pairs)


def _negative(name: str) -> int | None:
    """The number of a negative: N and seven digits."""
    return int(name[1:]) if len(name) == 8 and name[0] == "N" and name[1:].isascii() and name[1:].isdecimal() else None


def _rows(path: Path, lists: SixrayLists, reading: Reading) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names with the classes that are marked 1, a line at a time."""
    columns: tuple[str, ...] = ()
    broken = 0
    try:
        with path.open(encoding="utf-8-sig") as handle:
            for number, line in enumerate(iter(lambda: handle.readline(_LONGEST_LINE), ""), 1):
                fields = line.replace(",", " ").split()
                if not fields:
                    continue
                if not columns:
                    columns = tuple(fields[1:]) if fields[0].lower() == "name" else COLUMNS[: len(fields) - 1]
                    lists.columns = tuple(dict.fromkeys((*lists.columns, *columns)))
                    if fields[0].lower() == "name":
                        continue
                if len(fields) != len(columns) + 1 or not set(fields[1:]) <= _VALUES:
                    broken += 1
                    expected = f"expected a name and {len(columns)} labels of 1 or -1, got {line.strip()[:60]!r}"
                    if broken > _MOST_BROKEN:
                        raise DataError(f"{path}, line {number}: {expected}. More than {_MOST_BROKEN} rows are broken; download it again.")
                    reading.set_aside(f"{path.parent.name}/{path.name}, line {number}", expected)
                    continue
                marked = (column for column, value in zip(columns, fields[1:], strict=True) if value in _PRESENT)
                yield without_suffix(fields[0]), tuple(marked)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected UTF-8 text, got a byte that is not UTF-8 at offset {error.start}.") from None
