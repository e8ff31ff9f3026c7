"""Writing WebDataset shards: the same entries in the same order give the same bytes."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Final

from threatray.core import SetAside
from threatray.core.files import write_json
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.faults import safe_id
from threatray.datasets.formats.record import record_of
from threatray.datasets.formats.sound import file_stem, number_in, numbers_of
from threatray.errors import DataError, StorageError

CLASSES_NAME: Final = "classes.json"

LARGEST_SHARD: Final = 500_000_000
"""Bytes after which a new shard is begun; a sample is never cut."""

_BLOCK: Final = 512


def write_webdataset(
    folder: Path, classes: Sequence[str], entries: Iterable[Entry], *, largest_shard: int = LARGEST_SHARD
) -> Sequence[SetAside]:
    """Write ``PART-000000.tar``, ...: for each image ``KEY.png`` (or ``.jpg``, ...), ``KEY.low.png``, ``KEY.high.png`` and ``KEY.json``.

    Keys are ids with their dots replaced, since a key ends at the first dot; the record keeps the id.

    Args:
        folder: Empty.
        classes: Names, written to ``classes.json``.
        entries: What to write, in this order.
        largest_shard: Bytes after which a new shard is begun.

    Returns:
        Images that cannot be held.

    Raises:
        DataError: A label that is not among the classes.
        StorageError: The disk refused.
    """
    numbers = numbers_of(classes, folder)
    refused: list[SetAside] = []
    shards: dict[str, _Shards] = {}
    try:
        for entry in entries:
            for label in entry.labels:
                number_in(numbers, label, entry, folder)
            part = safe_id(entry.part)[:60].strip() or "data"
            shard = shards.setdefault(part, _Shards(folder, part, largest_shard))
            try:
                members = _members(entry, shard.keys)
            except DataError as error:
                refused.append(SetAside(entry.id, str(error)))
                continue
            shard.add(members)
        for shard in shards.values():
            shard.close()
    except OSError as error:
        raise StorageError(f"{folder}: a shard could not be written ({error.strerror}). Free some space, then run again.") from None
    write_json(folder / CLASSES_NAME, list(classes))
    return tuple(refused)


def _members(entry: Entry, taken: set[str]) -> list[tuple[str, bytes]]:
    key = file_stem(entry.id).replace(".", "_")
    while key in taken:
        key += "_"
    members = []
    for kind, path in (("", entry.image_path), (".low", entry.low_path), (".high", entry.high_path)):
        if path is not None:
            try:
                members.append((f"{key}{kind}{path.suffix.lower()}", path.read_bytes()))
            except OSError as error:
                raise DataError(f"its image {path.name} cannot be read ({error.strerror})") from None
    record = json.dumps(record_of(entry), allow_nan=False, sort_keys=True).encode()
    taken.add(key)
    return [*members, (f"{key}.json", record)]


@dataclass
class _Shards:
    """The shards of one part."""

    folder: Path
    part: str
    largest: int
    number: int = 0
    size: int = 0
    archive: tarfile.TarFile | None = None
    keys: set[str] = field(default_factory=set)

    def add(self, members: Sequence[tuple[str, bytes]]) -> None:
        size = sum(_BLOCK + -(-len(data) // _BLOCK) * _BLOCK for _, data in members)
        if self.archive is not None and self.size + size > self.largest:
            self.close()
        if self.archive is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.archive = tarfile.TarFile(self.folder / f"{self.part}-{self.number:06}.tar", "w", format=tarfile.PAX_FORMAT)
        for name, data in members:
            info = tarfile.TarInfo(name)  # time, owner and group stay 0
            info.size = len(data)
            self.archive.addfile(info, BytesIO(data))
            self.archive.members = []  # type: ignore[attr-defined]  # else every header is kept until the end
        self.size += size

    def close(self) -> None:
        if self.archive is not None:
            self.archive.close()
            self.archive = None
            self.number += 1
            self.size = 0
