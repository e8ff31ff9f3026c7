"""What every writer needs: pictures copied byte for byte under names that no other picture has."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from threatray.core.files import whole_file
from threatray.datasets.formats.faults import UNSAFE_IN_NAMES
from threatray.errors import DataError

_LONGEST_NAME: Final = 200
"""Bytes; file systems take 255, and writers append a suffix and a few letters."""


def cannot_be_a_name(text: str) -> str | None:
    """Why an id or a part cannot be a file name; None if it can.

    Example:
        >>> cannot_be_a_name("bag 1"), cannot_be_a_name("../etc")
        (None, 'its id cannot be a file name: use up to 200 bytes of printable characters, no slash, no leading dot')
    """
    plain = text.isprintable() and not text.startswith(".") and not any(letter in text for letter in UNSAFE_IN_NAMES)
    if text and plain and len(text.encode()) <= _LONGEST_NAME:
        return None
    return f"its id cannot be a file name: use up to {_LONGEST_NAME} bytes of printable characters, no slash, no leading dot"


def check_name(text: str) -> None:
    """Refuse an id or a part that cannot be a file name.

    Raises:
        DataError: It cannot.
    """
    if cannot_be_a_name(text) is not None:
        raise DataError(f"{text[:80]!r} cannot be a file name: use up to {_LONGEST_NAME} printable characters, no slash, no leading dot.")


class Pictures:
    """Copies pictures into one folder and never writes one name twice.

    Args:
        folder: Where to; made when the first picture comes.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._taken: set[str] = set()

    def copy(self, source: Path, stem: str) -> str:
        """Copy a picture as ``stem`` with its own suffix, with underscores appended to the stem where the name is taken.

        Returns:
            The file name.

        Raises:
            DataError: The picture is gone.
        """
        name = stem + source.suffix.lower()
        while name in self._taken:
            stem += "_"
            name = stem + source.suffix.lower()
        self._taken.add(name)
        try:
            with whole_file(self._folder / name) as temporary:
                shutil.copyfile(source, temporary)
        except FileNotFoundError:
            raise DataError(f"{source}: was there when the dataset was read, and is gone now. Nothing was written.") from None
        return name
