"""A JSON object walked member by member, so that a file of gigabytes is read in the memory of its largest element."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TextIO

from threatray.errors import DataError

_CHUNK: Final = 1 << 20
_LONGEST: Final = 1 << 26
"""No element of an annotation file is longer than this many characters."""

_WHITE: Final = re.compile(r"[ \t\n\r]*")
_TOKEN: Final = 16
"""A value or an error this close to the end of what was read may be a number or a word that goes on."""

_DECODER: Final = json.JSONDecoder()


class Elements(Iterator[tuple[Any, str]]):
    """The elements of one array: each value with the text it was written as."""

    def __init__(self, walk: Iterator[tuple[Any, str]]) -> None:
        self._walk = walk

    def __next__(self) -> tuple[Any, str]:
        return next(self._walk)


def members(path: Path) -> Iterator[tuple[str, Any]]:
    """The members of the object in a JSON file, one after another.

    An array comes as ``Elements``, to be used before the next member is asked for (what is left is passed over); anything else
    as its value. Memory holds one element and two megabytes of text.

    Args:
        path: UTF-8 JSON whose top is an object.

    Yields:
        (key, ``Elements`` or value).

    Raises:
        DataError: Not UTF-8, not JSON (with line and column), no object, or an element of over 64 million characters.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "a.json"
        >>> _ = file.write_text('{"n": 1, "list": [{"a": 2}, 3]}')
        >>> [(key, list(value) if isinstance(value, Elements) else value) for key, value in members(file)]
        [('n', 1), ('list', [({'a': 2}, '{"a": 2}'), (3, '3')])]
    """
    try:
        with path.open(encoding="utf-8") as handle:
            yield from _Walk(path, handle).members()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file.") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: expected UTF-8 JSON, got a byte that is not UTF-8.") from None


class _Walk:
    def __init__(self, path: Path, handle: TextIO) -> None:
        self.path = path
        self.handle = handle
        self.text = ""
        self.at = 0
        self.ended = False
        self.lines = 0
        self.columns = 0

    def members(self) -> Iterator[tuple[str, Any]]:
        if self.peek() != "{":
            raise DataError(f"{self.path}: expected a JSON object.") if self.text else self.wrong("Expecting value", self.at)
        self.at += 1
        if self.peek() == "}":
            self.at += 1
        else:
            yield from self.inside()
        if self.peek():
            raise self.wrong("Extra data", self.at)

    def inside(self) -> Iterator[tuple[str, Any]]:
        while True:
            if self.peek() != '"':
                raise self.wrong("Expecting property name enclosed in double quotes", self.at)
            key, _ = self.value()
            if self.peek() != ":":
                raise self.wrong("Expecting ':' delimiter", self.at)
            self.at += 1
            if self.peek() == "[":
                self.at += 1
                elements = Elements(self.elements())
                yield key, elements
                for _ in elements:
                    pass
            else:
                yield key, self.value()[0]
            if not self.goes_on("}"):
                return

    def elements(self) -> Iterator[tuple[Any, str]]:
        if self.peek() == "]":
            self.at += 1
            return
        while True:
            self.peek()
            yield self.value()
            if not self.goes_on("]"):
                return

    def goes_on(self, closing: str) -> bool:
        """Pass a comma or the closing bracket; whether it was the comma."""
        found = self.peek()
        if found not in (",", closing):
            raise self.wrong("Expecting ',' delimiter", self.at)
        self.at += 1
        return found == ","

    def peek(self) -> str:
        """The next character that is no white space; empty at the end."""
        while True:
            self.at = _WHITE.match(self.text, self.at).end()  # type: ignore[union-attr]  # it matches nothing too
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.more():
                return ""

    def value(self) -> tuple[Any, str]:
        """The value that starts here, and its text."""
        while True:
            try:
                found, end = _DECODER.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                goes_on = error.pos >= len(self.text) - _TOKEN or error.msg.startswith("Unterminated string")
                if goes_on and self.more():
                    continue
                raise self.wrong(error.msg, error.pos) from None
            except ValueError as error:  # a whole number with thousands of digits
                raise DataError(f"{self.path}: not valid JSON ({error}).") from None
            except RecursionError:
                raise DataError(f"{self.path}: JSON nested too deeply to be an annotation file.") from None
            if end > len(self.text) - _TOKEN and self.more():
                continue
            raw = self.text[self.at : end]
            self.at = end
            return found, raw

    def more(self) -> bool:
        """Forget what was used and read on, twice as far as last time; False at the end of the file."""
        if self.ended:
            return False
        kept = len(self.text) - self.at
        if kept > _LONGEST:
            raise DataError(
                f"{self.path}, line {self.line(self.at)}: an element of over {_LONGEST:,} characters, too long for an annotation."
            )
        piece = self.handle.read(max(_CHUNK, kept))
        if not piece:
            self.ended = True
            return False
        used = self.text[: self.at]
        self.lines += used.count("\n")
        self.columns = len(used) - used.rfind("\n") - 1 + (0 if "\n" in used else self.columns)
        self.text = self.text[self.at :] + piece
        self.at = 0
        return True

    def line(self, place: int) -> int:
        return self.lines + self.text.count("\n", 0, place) + 1

    def wrong(self, message: str, place: int) -> DataError:
        start = self.text.rfind("\n", 0, place)
        column = place - start if start >= 0 else place + 1 + self.columns
        return DataError(f"{self.path}, line {self.line(place)}, column {column}: not valid JSON ({message}).")
