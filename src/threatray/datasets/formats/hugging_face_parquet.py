"""Hugging Face parquet shards: pictures as bytes inside tables, as ``datasets`` writes them with ``push_to_hub``."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Final

from threatray.core import SetAside
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.faults import Faults, image_id, relative_name, safe_id, stays_inside
from threatray.datasets.formats.format import DatasetStream, Format, Holds, ReadOptions
from threatray.datasets.formats.record import RecordReader, parsed_json, record_of
from threatray.datasets.formats.sound import class_name, file_stem, files_ending, folders_in, number_in, numbers_of, sound_entries
from threatray.datasets.formats.unpacked import unpacked
from threatray.datasets.formats.yolo_layout import part_in
from threatray.errors import ConfigError, DataError, StorageError

LARGEST_SHARD: Final = 500_000_000
_ROWS_AT_ONCE: Final = 16
_ROWS_IN_GROUP: Final = 100
_MOST_IN_GROUP: Final = 100_000_000
_METADATA: Final = b"huggingface"


def find_parquet(root: Path) -> list[Path]:
    """Parquet files of a folder, of its ``data/`` and of the folders directly below it, sorted."""
    if not root.is_dir():
        return [root] if root.name.lower().endswith(".parquet") else []
    return [file for folder in (root, *folders_in(root)) for file in files_ending(folder, (".parquet",))]


def read_parquet(path: Path, options: ReadOptions) -> DatasetStream:
    """Read shards a few rows at a time; pictures are unpacked into threatray's cache, see ``unpacked``.

    Args:
        path: The folder, or one shard.
        options: How.

    Raises:
        ConfigError: pyarrow is not installed.
        DataError: No parquet file, or none that can be opened.
    """
    _pyarrow()
    root = path.parent if path.is_file() else path
    files = find_parquet(path)
    if not files:
        raise DataError(f"{path}: no .parquet files found.")
    faults = Faults(root, strict=options.strict)
    records = RecordReader(faults, (), options.white_level, options.headers)
    reader = _Reader(root, root.resolve(), faults, records)
    classes = next((names for names in (reader.classes(file) for file in files) if names), ())
    records.classes = classes
    entries = sound_entries((entry for file in files for entry in reader.entries(file)), root, faults)
    return DatasetStream(root, "hugging_face_parquet", classes, entries, faults, records.notes)


def _pyarrow() -> Any:
    try:
        import pyarrow
    except ImportError:
        raise ConfigError("Parquet files need pyarrow, which is not installed. Run: pip install 'threatray[parquet]'") from None
    return pyarrow


@dataclass
class _Reader:
    root: Path
    resolved: Path
    faults: Faults
    records: RecordReader
    ids: set[str] = field(default_factory=set)

    def classes(self, file: Path) -> tuple[str, ...]:
        """Class names that the table's own metadata declare; empty where it cannot be opened (said when it is read)."""
        from pyarrow.parquet import read_schema

        try:
            metadata = read_schema(self._inside(file)).metadata or {}
        except Exception:  # the reason is reported when its rows are read
            return ()
        try:
            document = parsed_json(metadata.get(_METADATA, b"{}"))
            return tuple(dict.fromkeys(class_name(name) for name in _class_label(document)))
        except DataError as error:
            raise DataError(f"{file}: its class names cannot be used: {error}.") from None

    def _inside(self, file: Path) -> Path:
        if not stays_inside(file, self.resolved):
            raise DataError("is a link that leads out of the dataset")
        return file

    def entries(self, file: Path) -> Iterator[Entry]:
        place = PurePosixPath(file.relative_to(self.root))
        part = part_in(place.parent) or part_in(PurePosixPath(re.split(r"[-_.]", file.name, maxsplit=1)[0]))
        for number, row in enumerate(self._rows(file, place.as_posix()), 1):
            item = f"{place.as_posix()}, row {number}"
            try:
                yield self._entry(row, f"{place.stem}__{number:08}", item, part)
            except DataError as error:
                self.faults.add(item, str(error))

    def _rows(self, file: Path, item: str) -> Iterator[Mapping[str, Any]]:
        from pyarrow.parquet import ParquetFile

        try:
            with ParquetFile(self._inside(file), pre_buffer=False, memory_map=False) as table:
                if "image" not in table.schema_arrow.names:
                    raise DataError(f"has no column 'image', only {', '.join(table.schema_arrow.names)[:120]}")
                for group in range(table.num_row_groups):
                    for batch in table.iter_batches(_ROWS_AT_ONCE, row_groups=[group], use_threads=False):
                        yield from batch.to_pylist()
        except DataError as error:
            self.faults.add(item, str(error))
        except Exception as error:  # pyarrow raises many kinds for a broken file
            self.faults.add(item, f"cannot be read as parquet ({type(error).__name__}: {str(error)[:120]}); what came before it was read")

    def _entry(self, row: Mapping[str, Any], otherwise: str, item: str, part: str) -> Entry:
        colour, low, high = (self._picture(row.get(key)) for key in ("image", "low", "high"))
        stated, image = row.get("id"), row.get("image")
        path = image.get("path") if isinstance(image, Mapping) else None
        if isinstance(stated, str) and stated:
            own = safe_id(stated)
        else:
            own = image_id(relative_name(path)) if isinstance(path, str) and path.strip() else otherwise
            own = otherwise if own in self.ids else own
        record = {key: value for key, value in row.items() if key not in ("image", "low", "high")}
        entry = self.records.entry(record, own, item, (colour, low, high), part)
        self.ids.add(own)
        return entry

    def _picture(self, value: object) -> Path | None:
        """The file of an embedded picture."""
        if value is None:
            return None
        data = value.get("bytes") if isinstance(value, Mapping) else value
        if not isinstance(data, bytes):
            raise DataError("its picture is not inside the table (bytes are missing)")
        return unpacked(data)


def _class_label(document: object) -> list[Any]:
    """The names of the first ClassLabel below, boxes' before labels of whole images."""
    features = _at(document, "info", "features")
    for start in (_at(features, "objects"), features):
        waiting = [start]
        while waiting:
            value = waiting.pop(0)
            if isinstance(value, dict):
                if value.get("_type") == "ClassLabel" and isinstance(value.get("names"), list):
                    return list(value["names"])
                waiting += value.values()
            elif isinstance(value, list):
                waiting += value
    return []


def _at(value: object, *keys: str) -> object:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def write_parquet(folder: Path, classes: Sequence[str], entries: Iterable[Entry]) -> Sequence[SetAside]:
    """Write ``data/PART-00000-of-00001.parquet`` with the pictures inside, as ``datasets`` loads them.

    Args:
        folder: Empty.
        classes: Names, declared in the table's metadata as a ClassLabel.
        entries: What to write; entries without a part go to ``train``, and their column ``part`` says that they have none.

    Returns:
        Images that cannot be held.

    Raises:
        ConfigError: pyarrow is not installed.
        DataError: A label that is not among the classes.
        StorageError: The disk refused.
    """
    _pyarrow()
    numbers = numbers_of(classes, folder)
    refused: list[SetAside] = []
    shards: dict[str, _Shards] = {}
    try:
        for entry in entries:
            categories = [number_in(numbers, label, entry, folder) for label in entry.labels]
            try:
                row = _row(entry, categories)
            except DataError as error:
                refused.append(SetAside(entry.id, str(error)))
                continue
            name = safe_id(entry.part)[:60].strip() or "train"
            shards.setdefault(name, _Shards(folder / "data", name, _schema(classes))).add(row)
        for shard in shards.values():
            shard.finish()
    except OSError as error:
        raise StorageError(
            f"{folder}: a shard could not be written ({error.strerror or error}). Free some space, then run again."
        ) from None
    return tuple(refused)


def _row(entry: Entry, categories: Sequence[int]) -> dict[str, Any]:
    record, stem = record_of(entry), file_stem(entry.id)
    record["objects"] = {**record["objects"], "category": list(categories)}
    for key, path in (("image", entry.image_path), ("low", entry.low_path), ("high", entry.high_path)):
        try:
            record[key] = None if path is None else {"bytes": path.read_bytes(), "path": f"{stem}{path.suffix.lower()}"}
        except OSError as error:
            raise DataError(f"its image cannot be read ({error.strerror})") from None
    return record


_PICTURE_FEATURE: Final = {"_type": "Image"}
_TEXT_FEATURE: Final = {"dtype": "string", "_type": "Value"}


def _schema(classes: Sequence[str]) -> Any:
    """The table's columns, with the features that ``datasets`` would declare for them."""
    import pyarrow as pa

    def many(feature: object) -> dict[str, object]:
        return {"feature": feature, "_type": "Sequence"}

    number = {"dtype": "float64", "_type": "Value"}
    whole = {"dtype": "int64", "_type": "Value"}
    picture = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    objects = pa.struct(
        [
            ("bbox", pa.list_(pa.list_(pa.float64()))),
            ("category", pa.list_(pa.int64())),
            ("area", pa.list_(pa.float64())),
            ("segmentation", pa.list_(pa.string())),
        ]
    )
    features: dict[str, object] = {
        "image": _PICTURE_FEATURE,
        "low": _PICTURE_FEATURE,
        "high": _PICTURE_FEATURE,
        "id": _TEXT_FEATURE,
        "width": whole,
        "height": whole,
        "objects": {
            "bbox": many(many(number)),
            "category": many({"names": list(classes), "_type": "ClassLabel"}),
            "area": many(number),
            "segmentation": many(_TEXT_FEATURE),
        },
        "image_labels": many(_TEXT_FEATURE),
        **dict.fromkeys(("group", "source", "licence", "part", "difficulty", "view"), _TEXT_FEATURE),
        "white_level": whole,
    }
    kinds = {"image": picture, "low": picture, "high": picture, "objects": objects, "image_labels": pa.list_(pa.string())}
    kinds |= dict.fromkeys(("width", "height", "white_level"), pa.int64())
    columns = [(name, kinds.get(name, pa.string())) for name in features]
    return pa.schema(columns, metadata={_METADATA: json.dumps({"info": {"features": features}})})


@dataclass
class _Shards:
    """The shards of one part; they get their count in the name when the last one is whole."""

    folder: Path
    part: str
    schema: Any
    rows: list[dict[str, Any]] = field(default_factory=list)
    waiting: int = 0
    written: int = 0
    done: list[Path] = field(default_factory=list)
    writer: Any = None

    def add(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        self.waiting += sum(len(row[key]["bytes"]) for key in ("image", "low", "high") if row[key] is not None)
        if len(self.rows) >= _ROWS_IN_GROUP or self.waiting >= _MOST_IN_GROUP:
            self._flush()

    def _flush(self) -> None:
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter

        if not self.rows:
            return
        if self.writer is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / f".{self.part}-{len(self.done):05}.parquet"
            self.writer = ParquetWriter(path, self.schema, compression="snappy")
            self.done.append(path)
        self.writer.write_table(pa.Table.from_pylist(self.rows, schema=self.schema))
        self.written += self.waiting
        self.rows, self.waiting = [], 0
        if self.written >= LARGEST_SHARD:
            self._close()

    def _close(self) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer, self.written = None, 0

    def finish(self) -> None:
        self._flush()
        self._close()
        for number, path in enumerate(self.done):
            path.replace(self.folder / f"{self.part}-{number:05}-of-{len(self.done):05}.parquet")


FORMAT: Final = Format(
    name="hugging_face_parquet",
    title="Hugging Face parquet shards",
    layout="*.parquet in the folder or in data/, with a column image {bytes, path}; needs threatray[parquet]",
    holds=frozenset(Holds),
    detect=lambda path: bool(find_parquet(path)),
    read=read_parquet,
    write=write_parquet,
    drops=("columns other than boxes, categories, masks and labels, such as captions",),
    faults=("class numbers beyond the declared names", "rows without a picture", "shards that are cut off"),
)
