"""What the exchange formats share while they stream: bounded text, class names, unique ids, and copies of pictures."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from threatray.core.files import whole_file
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.claims import Claims
from threatray.datasets.formats.faults import Faults, is_unicode, stays_inside
from threatray.errors import DataError, StorageError

LARGEST_TEXT: Final = 16_000_000
"""Bytes of one label file or record: a thousand outlines of a thousand corners fit."""

MOST_THINGS: Final = 10_000
"""Boxes of one image. More are no annotation but an attempt to fill the memory: each broken one would be listed."""

LONGEST_CLASS_NAME: Final = 200
_LONGEST_FILE_NAME: Final = 200


def bounded_text(path: Path, root: Path, *, most_bytes: int = LARGEST_TEXT) -> str:
    """A UTF-8 text file of a dataset, read whole.

    Args:
        path: The file.
        root: The dataset's resolved folder, which no link may lead out of.
        most_bytes: Larger files are refused before they are read.

    Raises:
        DataError: A link out of the dataset, too large, unreadable, or not UTF-8.
    """
    if not stays_inside(path, root):
        raise DataError("is a link that leads out of the dataset")
    return text_of(path, most_bytes=most_bytes)


def text_of(path: Path, *, most_bytes: int = LARGEST_TEXT) -> str:
    """A UTF-8 text file that is known to be inside its dataset.

    Raises:
        DataError: Too large, unreadable, or not UTF-8.
    """
    try:
        with path.open("rb") as handle:
            data = handle.read(most_bytes + 1)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})") from None
    if len(data) > most_bytes:
        raise DataError(f"is larger than {most_bytes:,} bytes, too large for what it should hold")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"is not UTF-8 text (byte {error.start})") from None


def class_name(value: object) -> str:
    """A class name as it stands, refused where no report or file could carry it.

    Raises:
        DataError: No text, blank, over 200 characters, or half of a surrogate pair.

    Example:
        >>> class_name("칼 'knife'")
        "칼 'knife'"
    """
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"class name must be a text, got {str(value)[:40]!r}")
    if len(value) > LONGEST_CLASS_NAME:
        raise DataError(f"class name {value[:40]!r}... is longer than {LONGEST_CLASS_NAME} characters")
    if not is_unicode(value):
        raise DataError(f"class name {value[:40]!r} holds half a character (a lone surrogate)")
    return value


def sound_entries(entries: Iterable[Entry], root: Path, faults: Faults) -> Iterator[Entry]:
    """Entries with unique ids.

    Raises:
        DataError: There is not one.
    """
    claims = Claims()
    count = 0
    for entry in entries:
        if not claims.owner(entry.id, 0)[1]:
            faults.add(entry.paths[0].name, f"another image is called {entry.id!r} already")
        else:
            count += 1
            yield entry
    if not count:
        found = faults.found
        reason = f"{len(found)} set aside, the first: {found[0].item}: {found[0].reason}" if found else "no image found"
        raise DataError(f"{root}: holds no usable image ({reason}).")


def numbers_of(classes: Sequence[str], where: Path) -> Mapping[str, int]:
    """Class name -> place in the list.

    Raises:
        DataError: A class is named twice.
    """
    numbers = {name: number for number, name in enumerate(classes)}
    if len(numbers) != len(classes):
        raise DataError(f"{where}: a class is named twice in {list(classes)[:20]}.")
    return numbers


def number_in(numbers: Mapping[str, int], label: str, entry: Entry, where: Path) -> int:
    """The number of an entry's label.

    Raises:
        DataError: It is not among the classes.
    """
    if label not in numbers:
        raise DataError(f"{where}, {entry.id}: {label!r} is not among the classes {list(numbers)[:20]}.")
    return numbers[label]


def file_stem(entry_id: str) -> str:
    """An id as the stem of a file name.

    Raises:
        DataError: Too long, or with something no file name holds.
    """
    if not entry_id or len(entry_id.encode("utf-8", "replace")) > _LONGEST_FILE_NAME or not is_unicode(entry_id):
        raise DataError(f"its id cannot be a file name of up to {_LONGEST_FILE_NAME} bytes")
    if entry_id.startswith(".") or any(letter in "/\\\0" or not letter.isprintable() for letter in entry_id):
        raise DataError("its id holds a slash, a leading dot or a control character")
    return entry_id


def copy_picture(source: Path, folder: Path, stem: str) -> str:
    """Copy a picture byte for byte; returns its new name.

    Raises:
        DataError: It cannot be read any more.
        StorageError: The copy could not be written.
    """
    name = stem + source.suffix.lower()
    on_disk(folder / name, lambda temporary: _copy(source, temporary))
    return name


def _copy(source: Path, target: Path) -> None:
    try:
        handle = source.open("rb")
    except OSError as error:
        raise DataError(f"its image {source.name} cannot be read ({error.strerror})") from None
    with handle, target.open("wb") as out:
        shutil.copyfileobj(handle, out, 1 << 20)


def on_disk(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file whole or not at all; ``write`` gets a temporary name.

    Raises:
        StorageError: The disk refused.
    """
    try:
        with whole_file(path) as temporary:
            write(temporary)
    except OSError as error:
        raise StorageError(
            f"{path}: could not be written ({error.strerror}). Free some space or choose another --out, then run again."
        ) from None


def folders_in(folder: Path, *, most: int = 1000) -> list[Path]:
    """The folders directly in a folder, sorted, hidden ones and links left out; a million images beside them cost no memory."""
    with os.scandir(folder) as children:
        names = sorted(child.name for child in children if not child.name.startswith(".") and child.is_dir(follow_symlinks=False))
    return [folder / name for name in names[:most]]


def files_ending(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The files directly in a folder whose names end so, sorted, hidden ones left out."""
    with os.scandir(folder) as children:
        names = sorted(
            child.name for child in children if child.name.lower().endswith(suffixes) and not child.name.startswith(".") and _is_file(child)
        )
    return [folder / name for name in names]


def _is_file(child: os.DirEntry[str]) -> bool:
    try:
        return child.is_file()
    except OSError:  # a link to itself
        return False
