"""COCO instances JSON as users have it: standard files, and those that threatray wrote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from threatray.core import Provenance
from threatray.core.files import read_json
from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.formats.faults import (
    Box,
    Faults,
    annotations_of,
    checked_box,
    image_id,
    locate,
    number_of,
    relative_name,
    safe_id,
)
from threatray.datasets.masks import check_segmentation
from threatray.datasets.pixels import image_size
from threatray.errors import DataError


def read_coco(file: Path, root: Path, *, strict: bool = False) -> Dataset:
    """Read a COCO instances file.

    Images are looked for beside the JSON, in an ``images`` folder beside it, and the same one folder up. Extra keys of an
    image are understood: ``group``, ``source``, ``licence``, ``low_file_name``, ``high_file_name``, ``white_level``.

    Args:
        file: The JSON.
        root: The dataset's folder; no file name may lead out of it.
        strict: The first broken item is an error instead of being set aside.

    Returns:
        The sound images. One whose every box is broken is set aside as a whole: without them it would pass for benign.

    Raises:
        DataError: Not COCO, or nothing sound in it.
    """
    document = read_json(file)
    images, annotations, categories = (_list_of(document, key, file) for key in ("images", "annotations", "categories"))
    reader = _Reader(file, root.resolve(), Faults(file, strict=strict), _classes(categories, file), _licences(document))
    return reader.dataset(root, images, annotations)


def looks_like_coco(document: object) -> bool:
    """Whether a JSON value has the three lists of a COCO instances file."""
    return isinstance(document, Mapping) and all(isinstance(document.get(key), list) for key in ("images", "annotations", "categories"))


def _list_of(document: object, key: str, file: Path) -> list[Any]:
    value = document.get(key) if isinstance(document, Mapping) else None
    if not isinstance(value, list):
        got = "nothing" if value is None else type(value).__name__
        raise DataError(f"{file}: expected a COCO file with lists 'images', 'annotations' and 'categories'; {key!r} holds {got}.")
    return value


def _classes(categories: list[Any], file: Path) -> dict[int, str]:
    classes: dict[int, str] = {}
    for category in categories:
        number, name = (category.get("id"), category.get("name")) if isinstance(category, Mapping) else (None, None)
        if type(number) is not int or not isinstance(name, str) or not name.strip():
            raise DataError(f"{file}: expected categories with a whole 'id' and a 'name', got {str(category)[:100]}.")
        if number in classes:
            raise DataError(f"{file}: two categories have the id {number}: {classes[number]!r} and {name!r}.")
        classes[number] = name
    return classes


def _licences(document: Mapping[str, Any]) -> dict[object, str]:
    listed = document.get("licenses")
    known = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    return {one["id"]: one["name"] for one in known if type(one.get("id")) is int and isinstance(one.get("name"), str)}


@dataclass
class _Things:
    """What the annotations say about one image, while they are read."""

    boxes: list[Box] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    segmentations: list[object | None] = field(default_factory=list)


@dataclass(frozen=True)
class _Reader:
    file: Path
    root: Path
    faults: Faults
    classes: Mapping[int, str]
    licences: Mapping[object, str]

    def dataset(self, root: Path, images: list[Any], annotations: list[Any]) -> Dataset:
        bare: dict[int | str, Entry] = {}
        named: Counter[object] = Counter(_key(image) for image in images)
        taken: set[str] = set()
        for place, image in enumerate(images):
            item = _named(image, f"image number {place + 1}")
            try:
                if _key(image) is not None and named[_key(image)] > 1:
                    raise DataError(f"the image id {_key(image)!r} is used more than once, so its annotations cannot be told apart")
                entry = self._image(image)
                if entry.id in taken:
                    raise DataError(f"another image is called {entry.id!r} already")
            except DataError as error:
                self.faults.add(item, str(error))
                continue
            taken.add(entry.id)
            bare[image["id"]] = entry
        things, spoilt, crowds = self._things(bare, annotations, known=set(named))
        entries = []
        for key, entry in bare.items():
            found = things.get(key, _Things())
            if key in spoilt and not found.boxes:
                self.faults.add(_file_of(entry), "every box of it is broken; without them it would pass for benign")
                continue
            entries.append(_with(entry, found))
        if not entries:
            raise DataError(f"{self.file}: holds no usable image ({_reasons(self.faults)}).")
        notes = self.faults.notes()
        if crowds:
            notes += (f"{crowds} crowd annotation(s) (iscrowd) were left out: they outline groups, not things.",)
        classes = tuple(dict.fromkeys(self.classes.values()))
        return Dataset(root, "coco", classes, tuple(sorted(entries, key=lambda entry: entry.id)), self.faults.found, notes)

    def _image(self, image: Any) -> Entry:
        if not isinstance(image, Mapping) or _key(image) is None:
            raise DataError("is no COCO image: it needs an 'id' (whole number or text) and a 'file_name'")
        name = relative_name(image.get("file_name"))
        path = locate(name, self._folders(), self.root)
        low, high = (self._energy(image, key) for key in ("low_file_name", "high_file_name"))
        if (low is None) != (high is None):
            raise DataError("names one energy only; low_file_name and high_file_name are both needed")
        size = image_size(path)
        annotated = (image.get("height"), image.get("width"))
        if any(annotated) and annotated != size:
            raise DataError(f"is annotated as {annotated[1]}x{annotated[0]} pixels, but its file has {size[1]}x{size[0]}")
        for energy in (low, high):
            if energy is not None and image_size(energy) != size:
                raise DataError(f"its {energy.name} has another size than {path.name}")
        white_level = image.get("white_level")
        if white_level is not None and (type(white_level) is not int or white_level < 1):
            raise DataError(f"white_level must be a positive whole number, got {white_level!r}")
        own = safe_id(_text(image, "entry_id")) or image_id(name)
        licence = _text(image, "licence") or self.licences.get(image.get("license")) or "unknown"
        return Entry(
            id=own,
            image_path=None if path in (low, high) else path,
            low_path=low,
            high_path=high,
            width=size[1],
            height=size[0],
            things=annotations_of([], []),
            group=_text(image, "group") or own,
            provenance=Provenance(_text(image, "source") or "unknown", licence),
            white_level=white_level,
        )

    def _energy(self, image: Mapping[str, Any], key: str) -> Path | None:
        return locate(relative_name(image[key]), self._folders(), self.root) if image.get(key) is not None else None

    def _folders(self) -> list[Path]:
        """Where users put the images, seen from the JSON; nothing above the dataset."""
        part = self.file.stem.removeprefix("instances_")
        found = []
        for base in (self.file.parent, self.file.parent.parent):
            if base.resolve().is_relative_to(self.root):
                found += [
                    base / "images",
                    base,
                    *(base / name for name in ("JPEGImages", "image", "data")),
                    base / part,
                    base / "images" / part,
                ]
        return found

    def _things(
        self, bare: Mapping[int | str, Entry], annotations: list[Any], known: set[object]
    ) -> tuple[dict[int | str, _Things], set[int | str], int]:
        """The sound things by image, the images that lost one, and how many crowds were passed over."""
        things: dict[int | str, _Things] = {}
        spoilt: set[int | str] = set()
        crowds = 0
        seen: set[object] = set()
        for place, annotation in enumerate(annotations):
            number = _key(annotation)
            item = f"annotation number {place + 1}" if number is None else f"annotation {number}"
            owner = annotation.get("image_id") if isinstance(annotation, Mapping) else None
            key = _key({"id": owner})
            if key is not None and key in known and key not in bare:
                continue  # its image is set aside already, with a reason
            try:
                if key is None or key not in bare:
                    raise DataError(f"belongs to image {str(owner)[:50]!r}, which the file does not list")
                if number is not None and number in seen:
                    raise DataError("its id was used before")
                seen.add(number)
                if annotation.get("iscrowd") == 1:
                    crowds += 1
                    continue
                self._add(things.setdefault(key, _Things()), annotation, bare[key], item)
            except DataError as error:
                self.faults.add(item, str(error))
                if key is not None and key in bare:
                    spoilt.add(key)
        return things, spoilt, crowds

    def _add(self, things: _Things, annotation: Mapping[str, Any], entry: Entry, item: str) -> None:
        category = annotation.get("category_id")
        if type(category) is not int or category not in self.classes:
            raise DataError(f"{_file_of(entry)}: category {str(category)[:50]!r} is not among the file's categories")
        values = annotation.get("bbox")
        if not isinstance(values, list) or len(values) != 4:
            raise DataError(f"{_file_of(entry)}: bbox must be [x, y, width, height], got {str(values)[:80]}")
        x, y, width, height = (number_of(value) for value in values)
        try:
            box = checked_box([x, y, x + width, y + height], entry.width, entry.height)
        except DataError as error:
            raise DataError(f"{_file_of(entry)}: {error}") from None
        if box.overshoot:
            self.faults.clipped(f"{item} of {_file_of(entry)}", box.overshoot)
        segmentation = annotation.get("segmentation") or None
        if segmentation is not None:
            try:
                check_segmentation(segmentation, entry.height, entry.width)
            except DataError as error:
                self.faults.add(f"{item} of {_file_of(entry)}", f"{error}; the box is kept, the mask is not")
                segmentation = None
        things.boxes.append(box.box)
        things.labels.append(self.classes[category])
        things.segmentations.append(segmentation)


def _with(entry: Entry, things: _Things) -> Entry:
    from dataclasses import replace

    segmentations = tuple(things.segmentations) if any(one is not None for one in things.segmentations) else ()
    return replace(entry, things=annotations_of(things.boxes, things.labels), segmentations=segmentations)


def _key(image: Any) -> int | str | None:
    """An image's id if it is one that annotations can point to."""
    number = image.get("id") if isinstance(image, Mapping) else None
    return number if type(number) in (int, str) else None


def _named(image: Any, otherwise: str) -> str:
    name = image.get("file_name") if isinstance(image, Mapping) else None
    return name[:200] if isinstance(name, str) and name.strip() else otherwise


def _file_of(entry: Entry) -> str:
    return entry.paths[0].name


def _text(image: Mapping[str, Any], key: str) -> str:
    value = image.get(key)
    return value if isinstance(value, str) else ""


def _reasons(faults: Faults) -> str:
    found = faults.found
    return f"{len(found)} set aside, the first: {found[0].item}: {found[0].reason}" if found else "its list of images is empty"
