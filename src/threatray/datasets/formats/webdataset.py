"""WebDataset: tar shards whose members belong together by their name up to the first dot."""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final, Self

from threatray.datasets.dataset import Entry
from threatray.datasets.formats.faults import Faults, image_id, relative_name, safe_id, stays_inside
from threatray.datasets.formats.format import DatasetStream, Format, Holds, ReadOptions
from threatray.datasets.formats.record import RecordReader, parsed_json
from threatray.datasets.formats.sound import bounded_text, class_name, files_ending, folders_in, sound_entries
from threatray.datasets.formats.unpacked import LARGEST_PICTURE, unpacked
from threatray.datasets.formats.webdataset_writer import CLASSES_NAME, write_webdataset
from threatray.datasets.formats.yolo_layout import part_in
from threatray.errors import DataError

_LARGEST_TEXT: Final = 16_000_000
_LARGEST_HEADER: Final = 1_000_000
"""Bytes of a tar header that describes the next member: tarfile reads it whole, whatever size it claims."""

_MOST_EXPANSION: Final = 100
"""Pictures hardly shrink: a shard that grows more than this is a decompression bomb."""

_SHARDS: Final = (".tar", ".tar.gz", ".tgz")
_PICTURES: Final = ("png", "jpg", "jpeg", "bmp", "tif", "tiff", "webp")
_TEXTS: Final = ("json", "cls")
_MOST_MEMBERS_OF_ONE: Final = 64


def find_shards(root: Path) -> list[Path]:
    """Tar files of a folder and of the folders directly below it, sorted."""
    if root.is_file():
        return [root] if root.name.lower().endswith(_SHARDS) else []
    return [file for folder in (root, *folders_in(root)) for file in files_ending(folder, _SHARDS)]


def looks_like_webdataset(path: Path) -> bool:
    """Whether the first shard's first members are a picture and its annotation under one key."""
    shards = find_shards(path)
    if not shards:
        return False
    kinds: dict[str, set[str]] = {}
    try:
        with _open(shards[0]) as archive:
            for member in islice(archive, 20):
                key, extension = _split(PurePosixPath(member.name))
                kinds.setdefault(key, set()).add(extension.rsplit(".", 1)[-1])
    except (tarfile.TarError, OSError, EOFError, ValueError, DataError):
        pass
    return any(kind & set(_PICTURES) and kind - set(_PICTURES) for kind in kinds.values())


def read_webdataset(path: Path, options: ReadOptions) -> DatasetStream:
    """Read shards from their first member to their last, one sample at a time.

    Pictures are unpacked into threatray's cache, see ``unpacked``; nothing is written beside the shards. A sample's ``json`` is the
    record of ``record_of``, or any with ``objects`` (``bbox``, ``category``); its ``cls`` is a class number or name.

    Args:
        path: A folder of shards, or one shard.
        options: How.

    Raises:
        DataError: The class list is broken, or no shard.
    """
    root = path.parent if path.is_file() else path
    shards = find_shards(path)
    if not shards:
        raise DataError(f"{path}: no .tar shards found.")
    faults = Faults(root, strict=options.strict)
    classes = _classes(root)
    records = RecordReader(faults, classes, options.white_level, options.headers)
    reader = _Reader(root, root.resolve(), faults, records)
    entries = sound_entries((entry for shard in shards for entry in reader.entries(shard)), root, faults)
    return DatasetStream(root, "webdataset", classes, entries, faults, reader.notes)


class _CheckedInfo(tarfile.TarInfo):
    """A member header that is refused before tarfile acts on it."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        info = super().frombuf(buf, encoding, errors)
        if info.size < 0:
            raise DataError("a member claims a negative size")
        if info.type not in (*tarfile.REGULAR_TYPES, tarfile.DIRTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE) and info.size > _LARGEST_HEADER:
            raise DataError(f"a header claims {info.size:,} bytes, more than any name needs")
        return info


def _open(shard: Path) -> tarfile.TarFile:
    mode = "r|" if shard.name.lower().endswith(".tar") else "r|gz"
    return tarfile.open(shard, mode, tarinfo=_CheckedInfo, encoding="utf-8", errors="surrogateescape")  # type: ignore[call-overload, no-any-return]


def _split(name: PurePosixPath) -> tuple[str, str]:
    """Key and extension: ``a/b.left.png`` is ``a/b`` and ``left.png``.

    Example:
        >>> _split(PurePosixPath("a/b.left.PNG"))
        ('a/b', 'left.png')
    """
    stem, _, extension = name.name.partition(".")
    return (name.parent / stem).as_posix(), extension.lower()


@dataclass
class _Sample:
    key: str
    pictures: dict[str, Path] = field(default_factory=dict)
    texts: dict[str, bytes] = field(default_factory=dict)
    broken: str = ""
    members: int = 0


@dataclass
class _Reader:
    root: Path
    resolved: Path
    faults: Faults
    records: RecordReader
    left_out: set[str] = field(default_factory=set)

    def notes(self) -> tuple[str, ...]:
        left = (f"Members that were left out, by their extension: {', '.join(sorted(self.left_out)[:20])}.",) if self.left_out else ()
        return (*self.records.notes(), *left)

    def entries(self, shard: Path) -> Iterator[Entry]:
        place = PurePosixPath(shard.relative_to(self.root))
        part = part_in(place.parent) or part_in(PurePosixPath(re.split(r"[-_.]", shard.name, maxsplit=1)[0]))
        for sample in self._samples(shard, place.as_posix()):
            item = f"{place.as_posix()}, {sample.key[:200]}"
            try:
                yield self._entry(sample, item, part)
            except DataError as error:
                self.faults.add(item, str(error))

    def _samples(self, shard: Path, item: str) -> Iterator[_Sample]:
        """Runs of members with one key."""
        sample: _Sample | None = None
        try:
            if not stays_inside(shard, self.resolved):
                raise DataError("is a link that leads out of the dataset")
            claimed, most = 0, _MOST_EXPANSION * max(shard.stat().st_size, _LARGEST_HEADER)
            with _open(shard) as archive:
                for member in archive:
                    archive.members = []  # type: ignore[attr-defined]  # else tarfile keeps every header of a shard
                    claimed += member.size
                    if claimed > most:
                        raise DataError(f"its members claim {claimed:,} bytes, a hundred times what the shard holds")
                    if member.isdir():
                        continue
                    name = self._name(member, item)
                    if name is None:
                        continue
                    key, extension = _split(name)
                    if sample is None or sample.key != key:
                        if sample is not None:
                            yield sample
                        sample = _Sample(key)
                    self._take(archive, member, extension, sample)
        except (tarfile.TarError, zlib.error, OSError, EOFError, ValueError, OverflowError) as error:
            self.faults.add(item, f"is broken or cut off ({type(error).__name__}); what came before it was read")
        except DataError as error:
            self.faults.add(item, f"{error}; what came before it was read")
        if sample is not None:
            yield sample

    def _name(self, member: tarfile.TarInfo, item: str) -> PurePosixPath | None:
        """A member's checked name; None with a fault for what no dataset holds: links, devices, names that lead out."""
        try:
            if not member.isreg() or member.issparse():
                raise DataError("is a link, a device or a sparse file and was not unpacked")
            member.name.encode()  # else it would not be a name on the user's screen either
            return relative_name(member.name)
        except UnicodeEncodeError:
            self.faults.add(item, f"member {member.name[:80].encode(errors='surrogateescape')!r} has a name that is not UTF-8")
        except DataError as error:
            self.faults.add(item, f"member {member.name[:200].encode(errors='replace').decode()!r}: {error}")
        return None

    def _take(self, archive: tarfile.TarFile, member: tarfile.TarInfo, extension: str, sample: _Sample) -> None:
        """Keep a member of a sample: pictures as files, texts as they stand."""
        sample.members += 1
        kind = extension.rsplit(".", 1)[-1]
        wanted = extension in _TEXTS or (kind in _PICTURES and extension.removesuffix(kind).rstrip(".") in ("", "low", "high"))
        if not wanted or sample.members > _MOST_MEMBERS_OF_ONE:
            if len(self.left_out) < 100:
                self.left_out.add("".join(letter if letter.isprintable() else "_" for letter in extension[:20]) or "none")
            return
        most = _LARGEST_TEXT if extension in _TEXTS else LARGEST_PICTURE
        if member.size > most:
            sample.broken = f"its {extension} has {member.size:,} bytes, more than the {most:,} that are read"
            return
        data = _bytes_of(archive.extractfile(member), member.size)
        if extension in _TEXTS:
            sample.texts[extension] = data
            return
        try:
            sample.pictures[extension.removesuffix(kind).rstrip(".")] = unpacked(data)
        except DataError as error:
            sample.broken = str(error)

    def _entry(self, sample: _Sample, item: str, part: str) -> Entry:
        if sample.broken:
            raise DataError(sample.broken)
        if not sample.pictures:
            raise DataError("has no picture")
        record: Mapping[str, Any] = {}
        if "json" in sample.texts:
            record = parsed_json(sample.texts["json"])
            if not isinstance(record, dict):
                raise DataError("its json is no object")
        if "cls" in sample.texts and not record.get("image_labels"):
            record = {**record, "image_labels": [_class_of(sample.texts["cls"])]}
        if not record:
            raise DataError("has neither json nor cls: nothing is known about it")
        stated = record.get("id")
        own = safe_id(stated) if isinstance(stated, str) and stated else image_id(PurePosixPath(sample.key + ".x"))
        paths = (sample.pictures.get(""), sample.pictures.get("low"), sample.pictures.get("high"))
        return self.records.entry(record, own, item, paths, part)


def _bytes_of(handle: IO[bytes] | None, size: int) -> bytes:
    data = b"" if handle is None else handle.read(size)
    if len(data) != size:
        raise DataError(f"a member claims {size:,} bytes but {len(data):,} are there")
    return data


def _class_of(data: bytes) -> object:
    try:
        text = data.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise DataError("its cls is not UTF-8 text") from None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


def _classes(root: Path) -> tuple[str, ...]:
    """Class names of ``classes.json`` or, one a line, ``classes.txt`` or ``classnames.txt`` beside the shards."""
    for name in (CLASSES_NAME, "classes.txt", "classnames.txt"):
        file = root / name
        if not file.is_file():
            continue
        try:
            text = bounded_text(file, root.resolve(), most_bytes=_LARGEST_HEADER)
            names = parsed_json(text) if name == CLASSES_NAME else [line.strip() for line in text.rstrip().splitlines()]
            if not isinstance(names, list):
                raise DataError("must be a list of class names")
            return tuple(class_name(one) for one in names)
        except DataError as error:
            raise DataError(f"{file}: {error}.") from None
    return ()


FORMAT: Final = Format(
    name="webdataset",
    title="WebDataset shards",
    layout="*.tar (or .tar.gz) with KEY.png or .jpg and KEY.json or .cls; KEY.low.png and KEY.high.png for dual energy",
    holds=frozenset(Holds),
    detect=looks_like_webdataset,
    read=read_webdataset,
    write=write_webdataset,
    drops=("members other than pictures, json and cls, such as captions (txt) and label maps (seg.png)",),
    faults=("links, devices and names that lead out of the archive", "headers that claim sizes of their own", "shards that are cut off"),
)
