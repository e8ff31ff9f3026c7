"""Hugging Face ``imagefolder``: pictures beside a metadata.jsonl or metadata.csv. Parquet shards are in ``hugging_face_parquet``."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final, TextIO

from threatray.core import SetAside
from threatray.core.files import write_text
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.faults import Faults, image_id, locate, relative_name, safe_id, stays_inside
from threatray.datasets.formats.format import DatasetStream, Format, Holds, ReadOptions
from threatray.datasets.formats.record import RecordReader, parsed_json, record_of
from threatray.datasets.formats.sound import (
    LARGEST_TEXT,
    bounded_text,
    class_name,
    copy_picture,
    file_stem,
    folders_in,
    number_in,
    numbers_of,
    sound_entries,
)
from threatray.datasets.formats.yolo_layout import is_picture, parse_yaml, part_in
from threatray.errors import DataError, StorageError

METADATA_NAMES: Final = ("metadata.jsonl", "metadata.csv")
_CARD: Final = "README.md"
_LARGEST_CARD: Final = 1_000_000
_CLASSES_KEY: Final = "class_names"


def find_metadata(root: Path) -> list[Path]:
    """Metadata files of the folder and of its parts, at most two folders down; one a folder."""
    found = []
    level = [root]
    for _ in range(3):
        for folder in level:
            files = [folder / name for name in METADATA_NAMES if (folder / name).is_file()]
            found += files[:1]
        level = [child for folder in level for child in folders_in(folder)][:1000]
    return found


def read_hugging_face(root: Path, options: ReadOptions) -> DatasetStream:
    """Read an image folder with metadata, one line at a time.

    Args:
        root: The folder; its README.md may name the classes, as dataset cards do.
        options: How.

    Raises:
        DataError: The card is broken, or no metadata.
    """
    files = find_metadata(root)
    if not files:
        raise DataError(f"{root}: no metadata.jsonl or metadata.csv found.")
    faults = Faults(root, strict=options.strict)
    classes = card_classes(root)
    records = RecordReader(faults, classes, options.white_level, options.headers)
    reader = _Reader(root, root.resolve(), faults, records)
    entries = sound_entries((entry for file in files for entry in reader.entries(file)), root, faults)
    return DatasetStream(root, "hugging_face", classes, entries, faults, reader.notes)


@dataclass
class _Reader:
    root: Path
    resolved: Path
    faults: Faults
    records: RecordReader
    unread: int = 0
    ids: set[str] = field(default_factory=set)

    def notes(self) -> tuple[str, ...]:
        unread = (f"{self.unread} image(s) have no line in the metadata and were not read.",) if self.unread else ()
        return (*self.records.notes(), *unread)

    def entries(self, file: Path) -> Iterator[Entry]:
        place = PurePosixPath(file.relative_to(self.root))
        part = part_in(place.parent)
        used: set[str] = set()
        for number, record in _lines(file, self.resolved):
            item = f"{place.as_posix()}, line {number}"
            try:
                if isinstance(record, DataError):
                    raise record
                name = relative_name(record.get("file_name"))
                used.add(name.name)
                yield self._entry(record, name, file.parent, item, part)
            except DataError as error:
                self.faults.add(item, str(error))
        self.unread += sum(is_picture(child.name) and child.name not in used for child in file.parent.iterdir())

    def _entry(self, record: Mapping[str, Any], name: PurePosixPath, folder: Path, item: str, part: str) -> Entry:
        path = locate(name, [folder], self.resolved)
        low, high = (self._energy(record, key, folder) for key in ("low_file_name", "high_file_name"))
        stated = record.get("id")
        own = safe_id(stated) if isinstance(stated, str) and stated else image_id(name)
        if own in self.ids and part:
            own = f"{part}__{own}"
        entry = self.records.entry(record, own, item, (None if path in (low, high) else path, low, high), part)
        self.ids.add(own)
        return entry

    def _energy(self, record: Mapping[str, Any], key: str, folder: Path) -> Path | None:
        return locate(relative_name(record[key]), [folder], self.resolved) if record.get(key) else None


def _lines(file: Path, resolved: Path) -> Iterator[tuple[int, Mapping[str, Any] | DataError]]:
    """Number and record of each line; a broken line comes as its error."""
    if not stays_inside(file, resolved):
        raise DataError(f"{file}: is a link that leads out of the dataset.")
    yield from _json_lines(file) if file.suffix == ".jsonl" else _csv_lines(file)


def _json_lines(file: Path) -> Iterator[tuple[int, Mapping[str, Any] | DataError]]:
    with file.open("rb") as handle:
        number = 0
        while line := handle.readline(LARGEST_TEXT):
            number += 1
            if not line.strip():
                continue
            try:
                if len(line) == LARGEST_TEXT:
                    raise DataError(f"is longer than {LARGEST_TEXT:,} bytes, too long for one image")
                record = parsed_json(line)
                if not isinstance(record, dict):
                    raise DataError("is no JSON object with a file_name")
                yield number, record
            except DataError as error:
                yield number, error


def _csv_lines(file: Path) -> Iterator[tuple[int, Mapping[str, Any] | DataError]]:
    with file.open(encoding="utf-8-sig", newline="") as handle:
        rows = csv.DictReader(handle)
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except (csv.Error, UnicodeDecodeError) as error:  # nothing after it can be trusted to be a row
                yield rows.line_num, DataError(f"is not readable as CSV ({str(error)[:80]}); nothing after it was read")
                return
            yield rows.line_num, {key: _cell(key, value) for key, value in row.items() if isinstance(key, str)}


def _cell(key: str, value: Any) -> Any:
    """A cell's text; whole numbers where we write numbers."""
    if (
        key in ("width", "height", "white_level", "label")
        and isinstance(value, str)
        and value.isascii()
        and value.isdigit()
        and len(value) < 10
    ):
        return int(value)
    return value if value else None


def card_classes(root: Path) -> tuple[str, ...]:
    """Class names of a dataset card's YAML head: ``class_names``, or the first ``class_label`` of ``dataset_info``.

    Raises:
        DataError: The head is no YAML.
    """
    card = root / _CARD
    if not card.is_file():
        return ()
    try:
        text = bounded_text(card, root.resolve(), most_bytes=_LARGEST_CARD)
    except DataError as error:
        raise DataError(f"{card}: {error}.") from None
    if not text.startswith("---"):
        return ()
    head = parse_yaml(text[3:].split("\n---", 1)[0], str(card))
    names = head.get(_CLASSES_KEY) if isinstance(head, dict) else None
    if not isinstance(names, list):
        names = _class_label(head)
    try:
        return tuple(dict.fromkeys(class_name(name) for name in names))
    except DataError as error:
        raise DataError(f"{card}: {error}.") from None


def _class_label(head: object) -> list[Any]:
    """The names of the first class_label anywhere below, in the order of their numbers."""
    waiting = [head]
    while waiting:
        value = waiting.pop(0)
        if isinstance(value, dict):
            label = value.get("class_label")
            names = label.get("names") if isinstance(label, dict) else None
            if isinstance(names, dict) and all(key.isascii() and key.isdigit() for key in names):
                return [names[key] for key in sorted(names, key=int)]
            if isinstance(names, list):
                return names
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return []


def write_card(folder: Path, classes: Sequence[str]) -> None:
    """A dataset card that names the classes in their order."""
    import yaml

    head = yaml.safe_dump({_CLASSES_KEY: list(classes)}, sort_keys=False, allow_unicode=True, width=1000)
    write_text(folder / _CARD, f"---\n{head}---\n\nWritten by threatray. Boxes are [x, y, width, height] in pixels.\n")


def write_hugging_face(folder: Path, classes: Sequence[str], entries: Iterable[Entry]) -> Sequence[SetAside]:
    """Write an image folder: ``PART/metadata.jsonl`` and the pictures beside it, with a card that names the classes.

    Args:
        folder: Empty.
        classes: Names; categories are written by name.
        entries: What to write; entries without a part go to the folder itself.

    Returns:
        Images that cannot be held.

    Raises:
        DataError: A label that is not among the classes.
        StorageError: The disk refused.
    """
    import json

    numbers = numbers_of(classes, folder)
    refused: list[SetAside] = []
    with ExitStack() as stack:
        lines: dict[str, TextIO] = {}
        for entry in entries:
            for label in entry.labels:
                number_in(numbers, label, entry, folder)
            place = part_folder(entry.part)
            try:
                record = _with_pictures(entry, folder / place, file_stem(entry.id))
            except DataError as error:
                refused.append(SetAside(entry.id, str(error)))
                continue
            try:
                if place not in lines:
                    lines[place] = stack.enter_context((folder / place / METADATA_NAMES[0]).open("w", encoding="utf-8", newline="\n"))
                lines[place].write(json.dumps(record, allow_nan=False) + "\n")
            except OSError as error:
                raise StorageError(f"{folder / place}: could not be written ({error.strerror}). Free some space, then run again.") from None
    write_card(folder, classes)
    return tuple(refused)


def _with_pictures(entry: Entry, folder: Path, stem: str) -> dict[str, Any]:
    low = None if entry.low_path is None else copy_picture(entry.low_path, folder / "low", stem)
    high = None if entry.high_path is None else copy_picture(entry.high_path, folder / "high", stem)
    colour = f"high/{high}" if entry.image_path is None else copy_picture(entry.image_path, folder, stem)
    record = {"file_name": colour, **record_of(entry)}
    return record if low is None else {**record, "low_file_name": f"low/{low}", "high_file_name": f"high/{high}"}


def part_folder(part: str) -> str:
    """A part as a folder's name; empty for none. The record keeps the part itself."""
    return safe_id(part)[:60].strip() if part else ""


FORMAT: Final = Format(
    name="hugging_face",
    title="Hugging Face image folder",
    layout="metadata.jsonl or metadata.csv beside images, in the folder or in train/, validation/, test/",
    holds=frozenset(Holds),
    detect=lambda path: path.is_dir() and bool(find_metadata(path)),
    read=read_hugging_face,
    write=write_hugging_face,
    drops=("columns other than boxes, categories, masks and labels, such as captions",),
    faults=("class numbers without names", "lines that are no JSON, images that are missing"),
)
