"""What every reader needs against broken and hostile files: where faults go, which files may be read, which boxes are sound."""

from __future__ import annotations

import math
import os
import re
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import NamedTuple

import numpy as np

from threatray.core import Annotations, FloatArray, SetAside
from threatray.errors import DataError

IMAGE_FOLDERS = ("images", "jpegimages", "image", "data")
"""Names under which users keep the pictures."""

UNSAFE_IN_NAMES = '/\\:*?"|'
"""Characters that some file system refuses."""

Box = tuple[float, float, float, float]

_PLAIN_NAME = re.compile(r"\w[\w-]*(?:\.[\w-]+)*")
"""A file name without folders that needs no further look: letters and digits of any script, ``_ - .``."""

_SURELY_APART = 0.1
"""Corners this far apart, below ``_SURELY_EXACT``, stay apart when they become float32."""

_SURELY_EXACT = 100_000
_MOST_FOLDERS_REMEMBERED = 10_000

_MOST_LISTED = 100_000
"""Faults that are listed one by one; further ones are counted, so that a list of millions of absent images does not fill the memory."""

_TOLERATED_OVERSHOOT = 1.0
"""Formats that count pixels from 1 put boxes up to one pixel outside: clipped and counted, not listed."""


class Faults:
    """Collects what is set aside while a dataset is read; with ``strict`` the first fault is an error.

    Args:
        where: The dataset or file, named in errors.
        strict: Raise instead of collecting.
    """

    def __init__(self, where: Path, *, strict: bool) -> None:
        self._where = where
        self._strict = strict
        self._found: list[SetAside] = []
        self._slightly_outside = 0
        self._unlisted = 0

    def add(self, item: str, reason: str) -> None:
        """Set an item aside.

        Raises:
            DataError: Reading is strict.
        """
        item, reason = printable(item), printable(reason)
        if self._strict:
            raise DataError(f"{self._where}, {item}: {reason}. Correct it, or read without --strict to set it aside.")
        self._list(item, reason)

    def _list(self, item: str, reason: str) -> None:
        if len(self._found) < _MOST_LISTED:
            self._found.append(SetAside(item, reason))
        else:
            self._unlisted += 1

    def leave_out(self, item: str, reason: str) -> None:
        """Set an item aside because the user asked for it: no fault, so strict reading goes on."""
        self._list(printable(item), printable(reason))

    def clipped(self, item: str, overshoot: float) -> None:
        """Record that a box was clipped by this many pixels."""
        if overshoot > _TOLERATED_OVERSHOOT:
            self.add(item, f"box reached {overshoot:.4g} pixels outside the image and was clipped to it")
        else:
            self._slightly_outside += 1

    @property
    def found(self) -> tuple[SetAside, ...]:
        """Everything set aside so far."""
        return tuple(self._found)

    def notes(self) -> tuple[str, ...]:
        """What is worth saying but not worth a line each."""
        notes = []
        if self._slightly_outside:
            notes.append(f"{self._slightly_outside} box(es) reached up to one pixel outside their image and were clipped.")
        if self._unlisted:
            notes.append(f"{self._unlisted:,} more were set aside than the {_MOST_LISTED:,} that are listed.")
        return tuple(notes)


def printable(text: str) -> str:
    r"""A text out of an annotation as it may be printed and stored: line breaks, control codes and broken Unicode are escaped.

    Example:
        >>> printable("a\nb")
        'a\\nb'
    """
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text)


def is_unicode(text: str) -> bool:
    r"""Whether a text can be stored: JSON can spell half a character.

    Example:
        >>> is_unicode("칼"), is_unicode("\ud800")
        (True, False)
    """
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


class CheckedBox(NamedTuple):
    """A box within its image, and how far it had reached outside; a tuple because there is one a thing, and tuples are made quickly."""

    box: Box
    overshoot: float


def checked_box(corners: Sequence[object], width: int, height: int) -> CheckedBox:
    """A box clipped to its image.

    Args:
        corners: x0, y0, x1, y1 as they stand in the file.
        width: Of the image.
        height: Of the image.

    Raises:
        DataError: Not four finite numbers, no area, or wholly outside.

    Example:
        >>> checked_box([-2.0, 3.0, 5.0, 9.0], 31, 37)
        CheckedBox(box=(0.0, 3.0, 5.0, 9.0), overshoot=2.0)
    """
    if len(corners) == 4 and {*map(type, corners)} <= {int, float}:
        x0, y0, x1, y1 = corners
        inside = x0 >= 0 and y0 >= 0 and x1 <= width <= _SURELY_EXACT and y1 <= height <= _SURELY_EXACT  # type: ignore[operator]
        if inside and x1 - x0 >= _SURELY_APART and y1 - y0 >= _SURELY_APART:  # type: ignore[operator]
            return CheckedBox((float(x0), float(y0), float(x1), float(y1)), 0.0)  # type: ignore[arg-type]
    numbers = [number_of(value) for value in corners]
    if len(numbers) != 4 or not all(math.isfinite(number) for number in numbers):
        raise DataError(f"box {_shown(corners)} is not four finite numbers")
    x0, y0, x1, y1 = numbers
    if not (x1 > x0 and y1 > y0):
        raise DataError(f"box {_shown(corners)} (x0, y0, x1, y1) has no area")
    if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
        raise DataError(f"box {_shown(corners)} (x0, y0, x1, y1) lies outside the {width}x{height} image")
    box = (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
    if not (np.float32(box[2]) > np.float32(box[0]) and np.float32(box[3]) > np.float32(box[1])):
        raise DataError(f"box {_shown(corners)} (x0, y0, x1, y1) has no area")
    return CheckedBox(box, max(-x0, -y0, x1 - width, y1 - height, 0.0))


def number_of(value: object) -> float:
    """A JSON number as float; NaN for anything else, and for whole numbers too large to be one."""
    if type(value) not in (int, float):
        return math.nan
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError:
        return math.nan


def _shown(corners: Sequence[object]) -> str:
    return "[" + ", ".join(f"{value:g}" if type(value) is float else str(value)[:20] for value in corners[:8]) + "]"


def annotations_of(boxes: Sequence[Box], labels: Sequence[str]) -> Annotations:
    """Boxes and labels as one value."""
    array: FloatArray = np.array(boxes, np.float32) if boxes else np.zeros((0, 4), np.float32)
    return Annotations(array, tuple(labels))


def checked_name(name: object) -> str:
    """As ``relative_name``, as text with slashes; quick for the plain names that nearly every file has.

    Raises:
        DataError: Empty, absolute, with ``..``, or no text.
    """
    if isinstance(name, str) and _PLAIN_NAME.fullmatch(name):
        return name
    return str(relative_name(name))


def relative_name(name: object) -> PurePosixPath:
    """A file name out of an annotation, refused unless it is relative and stays below its folder.

    Raises:
        DataError: Empty, absolute, with ``..``, or no text.
    """
    if not isinstance(name, str) or not name.strip() or "\0" in name:
        raise DataError("names no image file")
    if name.startswith(("/", "\\")) or PureWindowsPath(name).drive:
        raise DataError(f"file name {name[:200]!r} is absolute; it must be relative to the dataset")
    path = PurePosixPath(name.replace("\\", "/"))
    if not path.name:
        raise DataError("names no image file")
    if ".." in path.parts:
        raise DataError(f"file name {name[:200]!r} leads out of the dataset with '..'")
    return path


def stays_inside(path: Path, root: Path) -> bool:
    """Whether a path, with its links followed, lies below the dataset's resolved folder; a link that goes in circles does not."""
    try:
        return path.resolve().is_relative_to(root)
    except (OSError, RuntimeError):  # RuntimeError: a link to itself, before Python 3.13
        return False


class Locator:
    """Finds the files that annotations name: one look at each, no folder listings, so that memory does not grow with the dataset.

    Args:
        folders: Where to look, in order.
        root: The dataset's resolved folder, which no link may lead out of.
    """

    def __init__(self, folders: Iterable[Path], root: Path) -> None:
        self._asked = tuple(folders)
        self._folders = {str(folder): folder for folder in self._asked if folder.is_dir()}
        self._root = root
        self._inside: dict[str, bool] = {}

    def find(self, name: PurePosixPath | str) -> Path:
        """The file, in the first of the folders that holds it.

        Args:
            name: A checked relative name, see ``relative_name``, or one out of a folder listing.

        Raises:
            DataError: In none of them, or a link leads out of the dataset.
        """
        name = str(name)
        for folder, parent in self._folders.items():
            path = f"{folder}/{name}"
            try:
                mode = os.lstat(path).st_mode
            except (OSError, ValueError):  # not there, too long for the file system, no text that it could store
                continue
            if stat.S_ISLNK(mode):
                inside, usable = stays_inside(Path(path), self._root), Path(path).is_file()
            else:
                inside, usable = self._is_inside(folder if "/" not in name else path.rpartition("/")[0]), stat.S_ISREG(mode)
            if not usable:
                continue
            if not inside:
                raise DataError(f"image {name} is a link that leads out of the dataset")
            return parent / name
        where = ", ".join(dict.fromkeys((folder.name or str(folder)) + "/" for folder in self._asked))
        raise DataError(f"its image {name[:200]} is missing (looked in {where})")

    def _is_inside(self, folder: str) -> bool:
        known = self._inside.get(folder)
        if known is None:
            if len(self._inside) >= _MOST_FOLDERS_REMEMBERED:
                self._inside.clear()
            known = self._inside[folder] = stays_inside(Path(folder), self._root)
        return known


def locate(name: PurePosixPath, folders: Iterable[Path], root: Path) -> Path:
    """The first of the folders that holds the file; for many files of the same folders, keep a ``Locator``.

    Args:
        name: A checked relative name.
        folders: Where to look, in order.
        root: The dataset's resolved folder, which no link may lead out of.

    Raises:
        DataError: In none of them, or a link leads out of the dataset.
    """
    return Locator(folders, root).find(name)


def image_id(name: PurePosixPath | str) -> str:
    """An id that is safe as a file name: the image's relative name without extension, folders joined by ``__``.

    Example:
        >>> image_id(PurePosixPath("easy/0017.jpg"))
        'easy__0017'
    """
    text = str(name)
    if _PLAIN_NAME.fullmatch(text):
        return text.rpartition(".")[0] or text
    name = PurePosixPath(name)
    parts = name.with_suffix("").parts
    if len(parts) > 1 and parts[0].lower() in IMAGE_FOLDERS:
        parts = parts[1:]
    return safe_id("__".join(parts)) or "_"


def safe_id(text: str) -> str:
    """A text with everything replaced that some file system refuses in a name."""
    if _PLAIN_NAME.fullmatch(text):
        return text
    return "".join(letter if letter.isprintable() and letter not in UNSAFE_IN_NAMES else "_" for letter in text).lstrip(".")
