"""Small files and folder listings of the published datasets, read with an eye on what hostile ones hold."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from threatray.datasets.formats.faults import stays_inside
from threatray.datasets.pixels import IMAGE_SUFFIXES
from threatray.errors import DataError

MOST_BYTES: Final = 50_000_000
"""Larger annotation files of a single image, and larger lists, are refused."""


def names_in(folder: Path, suffix: str) -> list[str]:
    """Names of a folder's files that end so, sorted; hidden ones left out, none for a folder that is not there."""
    try:
        with os.scandir(folder) as found:
            return sorted(one.name for one in found if one.name.endswith(suffix) and not one.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except PermissionError:
        raise DataError(f"{folder}: no permission to read it.") from None


def some_names(folder: Path, suffix: str, most: int) -> list[str]:
    """Some files' names that end so, among the first few hundred the disk returns: for recognising a layout without listing it."""
    names: list[str] = []
    try:
        with os.scandir(folder) as found:
            for one in islice(found, 200 + most):
                if one.name.endswith(suffix) and not one.name.startswith("."):
                    names.append(one.name)
                    if len(names) >= most:
                        break
    except OSError:
        pass
    return names


def any_name(folder: Path, suffix: str) -> str | None:
    """Some file's name that ends so, see ``some_names``."""
    return next(iter(some_names(folder, suffix, 1)), None)


def unannotated(images: Path, annotations: Path, suffix: str) -> int:
    """How many images of a folder have no annotation of their name in another."""
    try:
        with os.scandir(images) as found:
            stems = (one.name.rpartition(".")[0] for one in found if one.name.lower().endswith(IMAGE_SUFFIXES) and one.name[0] != ".")
            return sum(not os.path.lexists(f"{annotations}/{stem}{suffix}") for stem in stems)
    except OSError:
        return 0


def text_of(path: Path | str, root: Path, inside: dict[str, bool] | None = None) -> str:
    """A small UTF-8 file of the dataset.

    Args:
        path: The file.
        root: The dataset's resolved folder, which no link may lead out of.
        inside: Remembers whether the file's folder lies inside, for many files of one folder.

    Raises:
        DataError: A link out of the dataset, no file, too large, or not UTF-8.
    """
    known = {} if inside is None else inside
    folder = str(path).rpartition("/")[0]
    if folder not in known:
        known[folder] = stays_inside(Path(folder), root)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise DataError(f"cannot be read ({error.strerror})") from None
        if not stays_inside(Path(path), root):
            raise DataError("is a link that leads out of the dataset") from None
        return text_of(Path(path).resolve(), root)
    except ValueError:
        raise DataError("cannot be read (its name holds a zero byte)") from None
    try:
        status = os.fstat(handle)
        if not known[folder]:
            raise DataError("is a link that leads out of the dataset")
        if not stat.S_ISREG(status.st_mode):
            raise DataError("is no file")
        if status.st_size > MOST_BYTES:
            raise DataError(f"is larger than {MOST_BYTES:,} bytes, too large for an annotation")
        return os.read(handle, status.st_size).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"is not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})") from None
    finally:
        os.close(handle)


def json_of(path: Path | str, root: Path, inside: dict[str, bool] | None = None) -> Any:
    """A small JSON file of the dataset.

    Raises:
        DataError: As for ``text_of``, or not JSON.
    """
    try:
        return json.loads(text_of(path, root, inside))
    except (ValueError, RecursionError) as error:
        raise DataError(f"is not valid JSON ({str(error)[:100]})") from None


def listed_ids(path: Path, root: Path) -> list[str]:
    """The ids of a list file, one a line, with or without an image's extension; none if there is no such file.

    Raises:
        DataError: As for ``text_of``, with the file's name.
    """
    if not path.is_file():
        return []
    try:
        lines = text_of(path, root).split("\n")
    except DataError as error:
        raise DataError(f"{path}: {error}.") from None
    names = (line.strip() for line in lines)
    return [without_suffix(name) for name in names if name]


def without_suffix(name: str) -> str:
    """A file name without an image's or annotation's extension, if it has one.

    Example:
        >>> without_suffix("P00001.jpg"), without_suffix("2021.03.04")
        ('P00001', '2021.03.04')
    """
    stem, dot, suffix = name.rpartition(".")
    return stem if dot and f".{suffix.lower()}" in (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".txt", ".xml", ".json") else name


def number_in(text: str) -> object:
    """The number that a text is, or the text itself, for the message that it is none.

    Example:
        >>> number_in("12"), number_in("1_2")
        (12.0, '1_2')
    """
    try:
        return text if "_" in text else float(text)
    except ValueError:
        return text


def mentions(path: Path, words: Sequence[str], most: int = 65536) -> bool:
    """Whether a file's beginning or end holds all of these quoted words: recognises a large JSON by its categories without parsing it."""
    try:
        with path.open("rb") as handle:
            text = handle.read(most)
            handle.seek(0, os.SEEK_END)
            handle.seek(max(most, handle.tell() - most))
            text += handle.read(most)
    except OSError:
        return False
    return all(f'"{word}"'.encode() in text for word in words)
