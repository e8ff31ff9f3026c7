"""The files of a folder by stem, in a few bytes each: a million of them are no burden."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

_AT_ONCE: Final = 8192


class Listing:
    """A folder's files, sorted by stem.

    Stems are kept side by side in one array of bytes, as wide as the longest: as Python texts they would take ten times as much.

    Args:
        folder: The folder.
        wanted: Which names count.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("b.png", "a-1.jpg", "a.png", "notes.txt"): _ = (folder / name).write_text("")
        >>> [name for _, name in Listing(folder, lambda name: not name.endswith("txt"))]
        ['a.png', 'a-1.jpg', 'b.png']
    """

    def __init__(self, folder: Path, wanted: Callable[[str], bool]) -> None:
        suffixes: dict[str, int] = {}
        stems: list[NDArray[np.bytes_]] = [np.array([], "S1")]
        kinds: list[NDArray[np.uint32]] = [np.array([], np.uint32)]
        with os.scandir(folder) as found:
            names = (one.name for one in found if wanted(one.name))
            while batch := list(islice(names, _AT_ONCE)):
                split = [name.rpartition(".") for name in batch]
                stems.append(np.array([os.fsencode(stem) for stem, _, _ in split]))
                kinds.append(np.array([suffixes.setdefault(dot + suffix, len(suffixes)) for _, dot, suffix in split], np.uint32))
        every, of_every = np.concatenate(stems), np.concatenate(kinds)
        order = np.argsort(every, kind="stable")
        self._stems, self._kinds = every[order], of_every[order]
        self._suffixes = tuple(suffixes)

    def __len__(self) -> int:
        return len(self._stems)

    def __iter__(self) -> Iterator[tuple[bytes, str]]:
        """(stem, name), in the order of the stems' bytes; files of one stem in no fixed order."""
        for start in range(0, len(self), _AT_ONCE):
            stems, kinds = self._stems[start : start + _AT_ONCE].tolist(), self._kinds[start : start + _AT_ONCE].tolist()
            for stem, kind in zip(stems, kinds, strict=True):
                yield stem, os.fsdecode(stem) + self._suffixes[kind]
