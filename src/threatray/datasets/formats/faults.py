"""What every reader needs against broken and hostile files: where faults go, which files may be read, which boxes are sound."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from threatray.core import Annotations, FloatArray, SetAside
from threatray.errors import DataError

IMAGE_FOLDERS = ("images", "jpegimages", "image", "data")
"""Names under which users keep the pictures."""

UNSAFE_IN_NAMES = '/\\:*?"|'
"""Characters that some file system refuses."""

Box = tuple[float, float, float, float]

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

    def add(self, item: str, reason: str) -> None:
        """Set an item aside.

        Raises:
            DataError: Reading is strict.
        """
        item, reason = printable(item), printable(reason)
        if self._strict:
            raise DataError(f"{self._where}, {item}: {reason}. Correct it, or read without --strict to set it aside.")
        self._found.append(SetAside(item, reason))

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
        if not self._slightly_outside:
            return ()
        return (f"{self._slightly_outside} box(es) reached up to one pixel outside their image and were clipped.",)


@dataclass(frozen=True)
class CheckedBox:
    """A box within its image, and how far it had reached outside."""

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
    numbers = [number_of(value) for value in corners]
    if len(numbers) != 4 or not all(math.isfinite(number) for number in numbers):
        raise DataError(f"box {_shown(corners)} is not four finite numbers")
    x0, y0, x1, y1 = numbers
    if not (np.float32(x1) > np.float32(x0) and np.float32(y1) > np.float32(y0)):
        raise DataError(f"box {_shown(corners)} (x0, y0, x1, y1) has no area")
    box = (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
    if not (np.float32(box[2]) > np.float32(box[0]) and np.float32(box[3]) > np.float32(box[1])):
        raise DataError(f"box {_shown(corners)} (x0, y0, x1, y1) lies outside the {width}x{height} image")
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
    array: FloatArray = np.array(boxes, np.float32).reshape(-1, 4)
    return Annotations(array, tuple(labels))


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


def printable(text: str) -> str:
    r"""A text that every report can hold: bytes of a file name that are not UTF-8 become ``\udcff``.

    Example:
        >>> printable("a\udcff.png")
        'a\\udcff.png'
    """
    return text.encode("utf-8", "backslashreplace").decode()


def locate(name: PurePosixPath, folders: Iterable[Path], root: Path) -> Path:
    """The first of the folders that holds the file.

    Args:
        name: A checked relative name.
        folders: Where to look, in order.
        root: The dataset's resolved folder, which no link may lead out of.

    Raises:
        DataError: In none of them, or a link leads out of the dataset.
    """
    looked = []
    for folder in folders:
        path = folder / name
        looked.append(folder)
        try:
            if not path.is_file():
                continue
        except OSError:  # a name too long for the file system
            continue
        if not stays_inside(path, root):
            raise DataError(f"image {name.as_posix()} is a link that leads out of the dataset")
        return path
    where = ", ".join(dict.fromkeys((folder.name or str(folder)) + "/" for folder in looked))
    raise DataError(f"its image {name.as_posix()[:200]} is missing (looked in {where})")


def image_id(name: PurePosixPath) -> str:
    """An id that is safe as a file name: the image's relative name without extension, folders joined by ``__``.

    Example:
        >>> image_id(PurePosixPath("easy/0017.jpg"))
        'easy__0017'
    """
    parts = name.with_suffix("").parts
    if len(parts) > 1 and parts[0].lower() in IMAGE_FOLDERS:
        parts = parts[1:]
    return safe_id("__".join(parts)) or "_"


def safe_id(text: str) -> str:
    """A text with everything replaced that some file system refuses in a name."""
    return "".join(letter if letter.isprintable() and letter not in UNSAFE_IN_NAMES else "_" for letter in text).lstrip(".")
