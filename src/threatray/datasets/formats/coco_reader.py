"""COCO instances JSON as users have it: standard files, one or several parts, and those that threatray wrote."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from threatray.core import Provenance
from threatray.core.image_file import MAX_PIXELS
from threatray.datasets.dataset import Entry
from threatray.datasets.formats import coco_store
from threatray.datasets.formats.claims import Claims
from threatray.datasets.formats.coco_layout import CocoFile, CocoLayout
from threatray.datasets.formats.coco_store import CocoStore, Placed, key_of, open_coco
from threatray.datasets.formats.faults import (
    Box,
    Faults,
    Locator,
    annotations_of,
    checked_box,
    checked_name,
    image_id,
    is_unicode,
    number_of,
    safe_id,
)
from threatray.datasets.formats.format import DatasetStream, ReadOptions
from threatray.datasets.masks import check_segmentation
from threatray.datasets.pixels import image_size
from threatray.errors import DataError


def read_coco(layout: CocoLayout, options: ReadOptions) -> DatasetStream:
    """Read COCO instances files.

    Images are looked for beside the JSON, in an ``images`` folder beside it, and the same one folder up. Extra keys of an
    image are understood: ``group``, ``source``, ``licence``, ``low_file_name``, ``high_file_name``, ``white_level``, ``part``,
    ``difficulty``, ``view``, ``image_labels``. An image's id is its name without suffix; where several files are read as the parts
    of one dataset, it is the path below the dataset, and no picture may be in two parts.

    An image whose every box is broken is set aside as a whole: without them it would pass for benign.

    Args:
        layout: From ``find_coco``.
        options: How.

    Returns:
        The sound images, in the order of the files. The JSON is held in memory up to ``coco_store.SPILL_BYTES`` (all files
        together); larger ones are joined on disk, so that memory grows neither with images nor with annotations.

    Raises:
        DataError: Not COCO, or (while the entries are read) nothing sound in it, or a picture that two files list.
    """
    spill = sum(one.path.stat().st_size for one in layout.files) > coco_store.SPILL_BYTES
    where = layout.files[0].path if len(layout.files) == 1 else layout.root
    faults = Faults(where, strict=options.strict)
    claims = Claims()
    readers = []
    for number, one in enumerate(layout.files):
        store = open_coco(one.path, spill=spill)
        readers.append(_Reader(layout, number, one, options, faults, claims, store, _classes(store.categories, one.path)))
    classes = tuple(dict.fromkeys(name for reader in readers for name in reader.classes.values()))

    def entries() -> Iterator[Entry]:
        any_sound = False
        for reader in readers:
            for entry in reader.entries():
                any_sound = True
                yield entry
        if not any_sound:
            raise DataError(f"{where}: holds no usable image ({_reasons(faults)}).")

    def notes() -> tuple[str, ...]:
        crowds = sum(reader.counts.crowds for reader in readers)
        if not crowds:
            return ()
        return (f"{crowds} crowd annotation(s) (iscrowd) were left out: they outline groups, not things.",)

    return DatasetStream(layout.root, "coco", classes, entries(), faults, notes)


def _classes(categories: list[Any], file: Path) -> dict[int, str]:
    classes: dict[int, str] = {}
    for category in categories:
        number, name = (category.get("id"), category.get("name")) if isinstance(category, dict) else (None, None)
        if type(number) is not int or not isinstance(name, str) or not name.strip():
            raise DataError(f"{file}: expected categories with a whole 'id' and a 'name', got {str(category)[:100]}.")
        if not is_unicode(name):
            raise DataError(f"{file}: the name of category {number} is broken Unicode: {ascii(name)[:100]}.")
        if number in classes:
            raise DataError(f"{file}: two categories have the id {number}: {classes[number]!r} and {name!r}.")
        classes[number] = name
    return classes


def _licences(listed: object) -> dict[object, str]:
    known = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    return {one["id"]: one["name"] for one in known if type(one.get("id")) is int and isinstance(one.get("name"), str)}


@dataclass
class _Counts:
    crowds: int = 0


@dataclass
class _Things:
    """What the annotations say about one image, while they are read."""

    boxes: list[Box] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    segmentations: list[object | None] = field(default_factory=list)
    spoilt: bool = False
    masked: bool = False


@dataclass(frozen=True)
class _Frame:
    """An image before its annotations."""

    id: str
    width: int
    height: int
    path: Path
    energies: tuple[Path | None, Path | None]

    @property
    def name(self) -> str:
        return self.path.name


class _Reader:
    """Reads one file of a dataset."""

    def __init__(
        self,
        layout: CocoLayout,
        number: int,
        file: CocoFile,
        options: ReadOptions,
        faults: Faults,
        claims: Claims,
        store: CocoStore,
        classes: Mapping[int, str],
    ) -> None:
        self.layout = layout
        self.number = number
        self.file = file
        self.options = options
        self.faults = faults
        self.claims = claims
        self.store = store
        self.classes = classes
        self.names = frozenset(classes.values())
        self.licences = _licences(store.licenses)
        self.locator = Locator(layout.image_folders(file), layout.root.resolve())
        self.many = len(layout.files) > 1
        self.place = f"{file.path.relative_to(layout.root).as_posix()}, " if self.many else ""
        self.provenances: dict[tuple[str, str], Provenance] = {}
        self.counts = _Counts()

    def entries(self) -> Iterator[Entry]:
        for placed in self.store.images():
            item = self.place + _named(placed.value, f"image number {placed.place + 1}")
            try:
                frame = self._frame(placed)
                rest = self._rest(placed.value, frame)
            except _ClashError as clash:
                raise DataError(str(clash)) from None
            except DataError as error:
                self.faults.add(item, str(error))
                continue
            key = key_of(placed.value)
            things = _Things() if key is None else self._things(key, frame)
            if things.spoilt and not things.boxes:
                self.faults.add(self.place + frame.name, "every box of it is broken; without them it would pass for benign")
                continue
            low, high = frame.energies
            yield Entry(
                id=frame.id,
                image_path=None if frame.path in (low, high) else frame.path,
                low_path=low,
                high_path=high,
                width=frame.width,
                height=frame.height,
                things=annotations_of(things.boxes, things.labels),
                segmentations=tuple(things.segmentations) if things.masked else (),
                **rest,
            )
        for placed in self.store.orphans():
            owner = placed.value.get("image_id") if isinstance(placed.value, dict) else None
            self.faults.add(self._item(placed), f"belongs to image {str(owner)[:50]!r}, which the file does not list")

    def _frame(self, placed: Placed) -> _Frame:
        image = placed.value
        key = key_of(image)
        if placed.repeated:
            raise DataError(f"the image id {str(key)[:50]!r} is used more than once, so its annotations cannot be told apart")
        if key is None:
            raise DataError("is no COCO image: it needs an 'id' (whole number or text) and a 'file_name'")
        name = checked_name(image.get("file_name"))
        path = self.locator.find(name)
        low, high = (self._energy(image, key) for key in ("low_file_name", "high_file_name"))
        if (low is None) != (high is None):
            raise DataError("names one energy only; low_file_name and high_file_name are both needed")
        height, width = self._size(image, path)
        for energy in (low, high):
            if energy is not None and self.options.headers and image_size(energy) != (height, width):
                raise DataError(f"its {energy.name} has another size than {path.name}")
        own = safe_id(_text(image, "entry_id")) or image_id(path.relative_to(self.layout.root).as_posix() if self.many else name)
        if self.many:
            owner, _ = self.claims.owner(f"file {path}", self.number)
            if owner != self.number:
                raise _ClashError(self.layout.clash(owner, self.number, path))
        if not self.claims.owner(own, self.number)[1]:
            raise DataError(f"another image is called {own!r} already")
        return _Frame(own, width, height, path, (low, high))

    def _size(self, image: Mapping[str, Any], path: Path) -> tuple[int, int]:
        height, width = annotated = (image.get("height"), image.get("width"))
        if not self.options.headers and type(height) is int and type(width) is int and height > 0 and width > 0:
            if width * height > MAX_PIXELS:
                raise DataError(f"its image {path.name} has {width}x{height} pixels, more than the {MAX_PIXELS} that are read")
            return height, width
        size = image_size(path)
        if any(annotated) and annotated != size:
            shown = "x".join(str(side)[:20] for side in (width, height))
            raise DataError(f"is annotated as {shown} pixels, but its file has {size[1]}x{size[0]}")
        return size

    def _rest(self, image: Mapping[str, Any], frame: _Frame) -> dict[str, Any]:
        """What is said about an image beside its files and things."""
        white_level = image.get("white_level", self.options.white_level)
        if white_level is not None and (type(white_level) is not int or white_level < 1):
            raise DataError(f"white_level must be a positive whole number, got {str(white_level)[:50]!r}")
        licence = _text(image, "licence") or self.licences.get(_plain(image.get("license"))) or "unknown"
        words = (_text(image, "source") or "unknown", licence)
        found = {
            "group": _text(image, "group") or frame.id,
            "provenance": self.provenances.setdefault(words, Provenance(*words)),
            "white_level": white_level,
            "part": safe_id(_text(image, "part")) or self.file.part,
        }
        for key in ("difficulty", "view"):
            if key in image:
                found[key] = _text(image, key)
        labels = image.get("image_labels")
        if labels is not None:
            unknown = [label for label in labels if label not in self.names] if _is_texts(labels) else [labels]
            if unknown:
                raise DataError(f"its image label {str(unknown[0])[:50]!r} is not among the file's categories")
            found["image_labels"] = tuple(labels)
        return found

    def _energy(self, image: Mapping[str, Any], key: str) -> Path | None:
        return self.locator.find(checked_name(image[key])) if image.get(key) is not None else None

    def _things(self, key: int | str, frame: _Frame) -> _Things:
        things = _Things()
        for placed in self.store.annotations(key):
            try:
                if placed.repeated:
                    raise DataError("its id was used before")
                if placed.value.get("iscrowd") == 1:
                    self.counts.crowds += 1
                    continue
                self._add(things, placed, frame)
            except DataError as error:
                self.faults.add(self._item(placed), str(error))
                things.spoilt = True
        return things

    def _item(self, placed: Placed) -> str:
        number = key_of(placed.value)
        return self.place + (f"annotation number {placed.place + 1}" if number is None else f"annotation {str(number)[:50]}")

    def _add(self, things: _Things, placed: Placed, frame: _Frame) -> None:
        annotation = placed.value
        category = annotation.get("category_id")
        if type(category) is not int or category not in self.classes:
            raise DataError(f"{frame.name}: category {str(category)[:50]!r} is not among the file's categories")
        values = annotation.get("bbox")
        if not isinstance(values, list) or len(values) != 4:
            raise DataError(f"{frame.name}: bbox must be [x, y, width, height], got {str(values)[:80]}")
        x, y, width, height = map(number_of, values)
        try:
            box = checked_box((x, y, x + width, y + height), frame.width, frame.height)
        except DataError as error:
            raise DataError(f"{frame.name}: {error}") from None
        if box.overshoot:
            self.faults.clipped(f"{self._item(placed)} of {frame.name}", box.overshoot)
        segmentation = annotation.get("segmentation") or None
        if segmentation is not None:
            try:
                check_segmentation(segmentation, frame.height, frame.width)
                things.masked = True
            except DataError as error:
                self.faults.add(f"{self._item(placed)} of {frame.name}", f"{error}; the box is kept, the mask is not")
                segmentation = None
        things.boxes.append(box.box)
        things.labels.append(self.classes[category])
        things.segmentations.append(segmentation)


class _ClashError(Exception):
    """Two files list one picture; no fault of an item."""


def _named(image: Any, otherwise: str) -> str:
    name = image.get("file_name") if isinstance(image, dict) else None
    return name[:200] if isinstance(name, str) and name.strip() else otherwise


def _plain(value: object) -> object:
    return value if type(value) is int else None


def _text(image: Mapping[str, Any], key: str) -> str:
    """A text of an image; broken Unicode in it is shown as escapes."""
    value = image.get(key)
    if not isinstance(value, str):
        return ""
    return value if is_unicode(value) else value.encode("utf-8", "backslashreplace").decode("utf-8")


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _reasons(faults: Faults) -> str:
    found = faults.found
    return f"{len(found)} set aside, the first: {found[0].item}: {found[0].reason}" if found else "its list of images is empty"
