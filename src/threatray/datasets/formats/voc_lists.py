"""``ImageSets/Main``: which published part an image belongs to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from sys import intern
from typing import Final

from threatray.errors import DataError

_MOST_BYTES: Final = 500_000_000
_CLASS_LIST: Final = re.compile(r".+_(train|val|trainval|test)")
_MARKED: Final = re.compile(r"(.+?)\s+[+-]?[01]")
_UNION: Final = "trainval"


@dataclass(frozen=True)
class PartLists:
    """Annotation stem -> part, and what a user should know about the lists."""

    parts: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def of(self, stem: str) -> str:
        """The part of an annotation; empty if no list names it."""
        return self.parts.get(stem, "")


def read_part_lists(folder: Path, annotations: Path) -> PartLists:
    """Read the lists of a VOC dataset.

    ``trainval`` counts for images that no other list names. Lists of one class (``gun_train.txt``, with a column of 1, 0 and -1)
    are left out. An image in two parts stays in the first by name, and is counted in a note.

    Args:
        folder: ``ImageSets/Main``, or no such folder.
        annotations: The folder of the XML files.

    Raises:
        DataError: A list that is no UTF-8 text, or larger than half a gigabyte.
    """
    parts: dict[str, str] = {}
    twice = 0
    files = sorted(folder.glob("*.txt")) if folder.is_dir() else []
    for file in sorted(files, key=lambda one: (one.stem == _UNION, one.name)):
        part = intern(file.stem)
        for place, stem in enumerate(_lines(file)):
            if place == 0 and _is_class_list(file, stem, annotations):
                break
            found = parts.setdefault(stem, part)
            twice += found != part and part != _UNION
    notes = (f"{twice} line(s) of ImageSets/Main name an image that an earlier list names too; the earlier one counts.",) if twice else ()
    return PartLists(parts, notes)


def _lines(file: Path) -> list[str]:
    if file.stat().st_size > _MOST_BYTES:
        raise DataError(f"{file}: larger than {_MOST_BYTES:,} bytes, too large for a list of images.")
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: expected UTF-8 text, got a byte that is not UTF-8 at offset {error.start}.") from None
    return [line.strip() for line in text.split("\n") if line.strip()]


def _is_class_list(file: Path, line: str, annotations: Path) -> bool:
    marked = _CLASS_LIST.fullmatch(file.stem) and _MARKED.fullmatch(line)
    return bool(marked) and not (annotations / f"{line[:200]}.xml").exists()
