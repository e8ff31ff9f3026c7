"""Which formats there are, how each is recognised, and how it is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from threatray.datasets.dataset import WHITE_LEVEL, Dataset, Entry
from threatray.datasets.formats import coco, image_folder, voc
from threatray.datasets.formats.format import DatasetStream, Format, ReadOptions
from threatray.errors import ConfigError, DataError

FORMATS: Final[tuple[Format, ...]] = (
    # published datasets in their own layout: each looks like one of the general formats, so these are asked first
    # formats that say what is in the pictures
    coco.FORMAT,
    voc.FORMAT,
    # pictures and nothing else: every dataset looks like this one
    image_folder.FORMAT,
)
"""Every format, from the most to the least specific: the first that recognises a folder reads it. A new module is one line here."""


def format_of(name: str) -> Format:
    """The format of this name.

    Raises:
        ConfigError: There is none.

    Example:
        >>> format_of("voc").title
        'Pascal VOC'
    """
    for one in FORMATS:
        if one.name == name:
            return one
    raise ConfigError(f"dataset format: expected one of {', '.join(one.name for one in FORMATS)}, got {name!r}.")


def detect_format(path: Path) -> Format:
    """The most specific format that recognises a folder or file.

    Raises:
        DataError: None does; the message lists what was looked for.
    """
    for one in FORMATS:
        if one.detect(path):
            return one
    if path.is_file():
        raise DataError(f"{path}: is a file; expected a dataset folder, or a COCO JSON.")
    looked = "\n".join(f"  {one.name}: {one.layout}" for one in FORMATS)
    held = ", ".join(sorted(child.name + ("/" if child.is_dir() else "") for child in path.iterdir())[:8])
    raise DataError(f"{path}: no dataset found. Looked for\n{looked}\nThe folder holds: {held or 'nothing'}.")


def stream_dataset(path: Path, format_name: str | None = None, options: ReadOptions | None = None) -> DatasetStream:
    """Start reading a dataset, one entry at a time; no picture is decoded.

    Args:
        path: The dataset's folder, or its one file.
        format_name: One of ``FORMATS``, or None to recognise it.
        options: How; the defaults if None.

    Returns:
        The stream. Its ``format_name`` says which format was found; its entries are read while they are asked for, so that
        memory does not grow with their number as far as the format allows.

    Raises:
        ConfigError: No such format.
        DataError: No such folder, no format fits, or nothing can be read at all.
    """
    options = options or ReadOptions()
    chosen = None if format_name is None else format_of(format_name)
    if not path.exists():
        raise DataError(f"{path}: no such folder.")
    try:
        stream = (chosen or detect_format(path)).read(path, options)
    except PermissionError as error:
        raise _forbidden(path, error) from None
    known = _Mislabelled(options.mislabelled)
    return replace(stream, entries=_guarded(path, stream, known), notes=lambda: (*stream.notes(), *known.notes()))


def read_dataset(
    path: Path,
    format_name: str | None = None,
    strict: bool = False,
    *,
    white_level: int = WHITE_LEVEL,
    headers: bool = True,
    mislabelled: frozenset[str] = frozenset(),
) -> Dataset:
    """Read a dataset's annotations and image headers into memory; no picture is decoded.

    Args:
        path: The dataset's folder, or a COCO JSON.
        format_name: One of ``FORMATS``, or None to recognise it.
        strict: The first broken item is an error instead of being set aside.
        white_level: Count of empty air in dual-energy pairs of an image folder; COCO files carry their own.
        headers: Open every image's header, see ``ReadOptions``.
        mislabelled: Ids of images that pass for benign but hold a threat.

    Returns:
        The sound images, all of them in memory (about two kilobytes each; ``stream_dataset`` holds one at a time), and everything
        that was set aside with its reason.

    Raises:
        ConfigError: No such format.
        DataError: No such folder, no format fits (the message lists what was looked for), or nothing sound in it.
    """
    return stream_dataset(path, format_name, ReadOptions(strict, headers, white_level, mislabelled)).collect()


class _Mislabelled:
    """The user's list of images that pass for benign but are not."""

    def __init__(self, ids: frozenset[str]) -> None:
        self._ids = ids
        self._found = 0

    def holds(self, entry: Entry) -> bool:
        if not self._ids or not (entry.id in self._ids or entry.group in self._ids):
            return False
        self._found += 1
        return entry.is_benign

    def notes(self) -> tuple[str, ...]:
        if not self._ids:
            return ()
        return (f"{self._found} image(s) are on the list of {len(self._ids)} mislabelled ones.",)


def _guarded(path: Path, stream: DatasetStream, known: _Mislabelled) -> Iterator[Entry]:
    try:
        for entry in stream.entries:
            if known.holds(entry):
                stream.faults.leave_out(entry.id, "passes for benign, but is on the list of mislabelled images")
            else:
                yield entry
    except PermissionError as error:
        raise _forbidden(path, error) from None


def _forbidden(path: Path, error: PermissionError) -> DataError:
    return DataError(f"{error.filename or path}: no permission to read it.")
