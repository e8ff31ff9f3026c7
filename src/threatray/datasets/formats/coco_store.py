"""The lists of a COCO file joined by image: in memory, or for a large file in a temporary database on disk."""

from __future__ import annotations

import json
import math
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

from threatray.core.files import read_json
from threatray.datasets.formats.claims import no_room, temporary_database
from threatray.datasets.formats.json_stream import Elements, members
from threatray.errors import DataError

SPILL_BYTES: Final = 12_000_000
"""Larger files are joined on disk: as Python values they would take about eight times their size."""

_MOST_CATEGORIES: Final = 100_000
_LISTS: Final = ("images", "annotations", "categories")


_Stored = int | bytes | None


@dataclass(frozen=True)
class Placed:
    """An element of a list.

    Args:
        place: Its place in the file, from 0.
        value: As it stands in the file.
        repeated: For an image: its id is used more than once. For an annotation: an earlier one has its id.
    """

    place: int
    value: Any
    repeated: bool


class CocoStore(Protocol):
    """What the reader asks of a COCO file."""

    categories: list[Any]
    licenses: object

    def images(self) -> Iterator[Placed]:
        """Every image, in the file's order."""

    def annotations(self, key: int | str) -> Iterator[Placed]:
        """The annotations of one image, in the file's order."""

    def orphans(self) -> Iterator[Placed]:
        """The annotations of no listed image, in the file's order."""


def open_coco(file: Path, *, spill: bool) -> CocoStore:
    """Read a COCO file's lists.

    Args:
        file: The JSON.
        spill: Join on disk instead of in memory.

    Raises:
        DataError: Not JSON, or without the three lists.
        StorageError: No room for the temporary database.
    """
    return _OnDisk.read(file) if spill else _InMemory.read(file)


def key_of(element: Any) -> int | str | None:
    """An element's id if it is one that others can point to."""
    return _key(element.get("id")) if isinstance(element, dict) else None


def _owner_of(annotation: Any) -> int | str | None:
    return _key(annotation.get("image_id")) if isinstance(annotation, dict) else None


def _key(value: object) -> int | str | None:
    return value if type(value) in (int, str) else None  # type: ignore[return-value]


def _missing(file: Path, key: str, got: str) -> DataError:
    return DataError(f"{file}: expected a COCO file with lists 'images', 'annotations' and 'categories'; {key!r} holds {got}.")


@dataclass
class _InMemory:
    categories: list[Any]
    licenses: object
    listed: list[Any]
    annotated: list[Any]
    named: Counter[object] = field(default_factory=Counter)
    by_owner: dict[object, list[int]] = field(default_factory=dict)
    first: dict[object, int] = field(default_factory=dict)

    @classmethod
    def read(cls, file: Path) -> _InMemory:
        document = read_json(file)
        for key in _LISTS:
            value = document.get(key) if isinstance(document, dict) else None
            if not isinstance(value, list):
                raise _missing(file, key, "nothing" if value is None else type(value).__name__)
        store = cls(document["categories"], document.get("licenses"), document["images"], document["annotations"])
        store.named.update(map(key_of, store.listed))
        for place, annotation in enumerate(store.annotated):
            store.by_owner.setdefault(_owner_of(annotation), []).append(place)
            store.first.setdefault(key_of(annotation), place)
        return store

    def images(self) -> Iterator[Placed]:
        for place, image in enumerate(self.listed):
            key = key_of(image)
            yield Placed(place, image, key is not None and self.named[key] > 1)

    def annotations(self, key: int | str) -> Iterator[Placed]:
        return (self._placed(place) for place in self.by_owner.get(key, ()))

    def orphans(self) -> Iterator[Placed]:
        lost = [places for owner, places in self.by_owner.items() if owner is None or owner not in self.named]
        return (self._placed(place) for place in sorted(place for places in lost for place in places))

    def _placed(self, place: int) -> Placed:
        annotation = self.annotated[place]
        number = key_of(annotation)
        return Placed(place, annotation, number is not None and self.first[number] != place)


@dataclass
class _OnDisk:
    base: sqlite3.Connection
    categories: list[Any]
    licenses: object
    rising: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(("images", "annotations"), True))
    """Lists whose ids rise from element to element, as they nearly always do: then none is used twice, and nobody need search."""

    @classmethod
    def read(cls, file: Path) -> _OnDisk:
        store = cls(temporary_database(), [], None)
        try:
            store.fill(file)
        except sqlite3.OperationalError as error:
            raise no_room(error) from None
        return store

    def fill(self, file: Path) -> None:
        self.base.execute("CREATE TABLE images (place INTEGER PRIMARY KEY, key, body TEXT)")
        self.base.execute("CREATE TABLE annotations (place INTEGER PRIMARY KEY, number, owner, body TEXT)")
        held = dict.fromkeys(_LISTS, "nothing")
        for key, value in members(file):
            if key == "licenses":
                self.licenses = [one for one, _ in value] if isinstance(value, Elements) else value
            if key not in held:
                continue
            held[key] = "list" if isinstance(value, Elements) else "nothing" if value is None else type(value).__name__
            if isinstance(value, Elements):
                self._take(file, key, value)
        for key, got in held.items():
            if got != "list":
                raise _missing(file, key, got)
        self.base.execute("CREATE INDEX image_keys ON images (key)")
        self.base.execute("CREATE INDEX annotation_owners ON annotations (owner)")
        if not self.rising["annotations"]:
            self.base.execute("CREATE INDEX annotation_numbers ON annotations (number)")

    def _take(self, file: Path, key: str, elements: Elements) -> None:
        """Of two lists of one name the last counts, as it does in memory."""
        if key == "categories":
            self.categories = []
            for category, _ in elements:
                self.categories.append(category)
                if len(self.categories) > _MOST_CATEGORIES:
                    raise DataError(f"{file}: names more than {_MOST_CATEGORIES:,} categories, too many for a dataset.")
            return
        self.base.execute(f"DELETE FROM {key}")  # noqa: S608  # nosec: one of two words of ours
        keys = self._keys(key)
        if key == "images":
            rows = ((place, keys(value), raw) for place, (value, raw) in enumerate(elements))
            self.base.executemany("INSERT INTO images VALUES (?, ?, ?)", rows)
        else:
            things = ((place, keys(value), _stored(_owner_of(value)), raw) for place, (value, raw) in enumerate(elements))
            self.base.executemany("INSERT INTO annotations VALUES (?, ?, ?, ?)", things)

    def _keys(self, name: str) -> Callable[[Any], _Stored]:
        """From an element to its id, watching whether they rise."""
        self.rising[name] = True
        highest = -math.inf

        def key(element: Any) -> _Stored:
            nonlocal highest
            found = key_of(element)
            if type(found) is int and found > highest:
                highest = found
            else:
                self.rising[name] = False
            return _stored(found)

        return key

    def images(self) -> Iterator[Placed]:
        repeated = "0" if self.rising["images"] else "key IS NOT NULL AND (SELECT count(*) FROM images b WHERE b.key = a.key) > 1"
        return self._select(f"SELECT place, body, {repeated} FROM images a ORDER BY place")  # noqa: S608  # nosec: words of ours

    def annotations(self, key: int | str) -> Iterator[Placed]:
        return self._select(f"{self._annotations} WHERE owner = ? ORDER BY place", _stored(key))

    def orphans(self) -> Iterator[Placed]:
        lost = "owner IS NULL OR NOT EXISTS (SELECT 1 FROM images i WHERE i.key = a.owner)"
        return self._select(f"{self._annotations} WHERE {lost} ORDER BY place")

    @cached_property
    def _annotations(self) -> str:
        earlier = "number IS NOT NULL AND EXISTS (SELECT 1 FROM annotations b WHERE b.number = a.number AND b.place < a.place)"
        return f"SELECT place, body, {'0' if self.rising['annotations'] else earlier} FROM annotations a"  # noqa: S608  # nosec: the same

    def _select(self, question: str, *values: _Stored) -> Iterator[Placed]:
        return (Placed(place, json.loads(body), bool(repeated)) for place, body, repeated in self.base.execute(question, values))


def _stored(key: int | str | None) -> _Stored:
    """Whole numbers as such where SQLite can hold them; all else as JSON in bytes, so that number 1 and text "1" stay two."""
    return key if key is None or (type(key) is int and -(2**63) <= key < 2**63) else json.dumps(key).encode()
