"""One image's annotation as a JSON record: what Hugging Face metadata and WebDataset shards say beside the picture.

``{"objects": {"bbox": [[x, y, width, height]], "category": [...]}, ...}`` with boxes in pixels, as the documentation of Hugging Face
``datasets`` states it for object detection; and keys of ours for what else an entry says, which other readers pass over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from threatray.core import Provenance
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.faults import Box, Faults, annotations_of, checked_box, is_unicode, number_of
from threatray.datasets.formats.sound import MOST_THINGS, class_name
from threatray.datasets.masks import check_segmentation
from threatray.datasets.pixels import image_size
from threatray.errors import DataError

_CATEGORY_KEYS: Final = ("category", "categories", "label", "labels", "category_id", "class")
_LABEL_KEYS: Final = ("image_labels", "label", "labels")
_MOST_WHITE: Final = 2**31
_LONGEST_TEXT: Final = 1000


@dataclass
class RecordReader:
    """Makes entries of records.

    Args:
        faults: Where broken boxes go.
        classes: Class number -> name, where the dataset declares them.
        white_level: Count of empty air where a record does not say.
        headers: Open every picture's header, even where the record states a size.
    """

    faults: Faults
    classes: Sequence[str] = ()
    white_level: int | None = None
    headers: bool = True
    unnamed: set[int] = field(default_factory=set)

    def entry(
        self, record: Mapping[str, Any], own: str, item: str, paths: tuple[Path | None, Path | None, Path | None], part: str
    ) -> Entry:
        """One entry.

        Args:
            record: The annotation.
            own: Id for an image that has none in the record.
            item: What faults call the image.
            paths: Colour, low and high energy.
            part: The published part, unless the record names one.

        Raises:
            DataError: The record cannot be used; also where every box of it is broken, since it would pass for benign.
        """
        width, height = self._size(record, paths)
        things = self._things(record.get("objects"), item, width, height)
        white = record.get("white_level")
        white = self.white_level if white is None else white
        if white is not None and (type(white) is not int or not 0 < white < _MOST_WHITE):
            raise DataError(f"white_level must be a positive whole number, got {str(white)[:40]}")
        return Entry(
            id=own,
            image_path=paths[0],
            low_path=paths[1],
            high_path=paths[2],
            width=width,
            height=height,
            things=annotations_of([thing.box for thing in things], [thing.label for thing in things]),
            segmentations=tuple(one.segmentation for one in things) if any(one.segmentation is not None for one in things) else (),
            group=_text(record, "group") or own,
            provenance=Provenance(_text(record, "source") or "unknown", _text(record, "licence", "license") or "unknown"),
            white_level=white,
            part=_text(record, "part") if isinstance(record.get("part"), str) else part,
            difficulty=_text(record, "difficulty"),
            view=_text(record, "view"),
            image_labels=self._image_labels(record),
        )

    def notes(self) -> tuple[str, ...]:
        """What to say about classes that have numbers only."""
        if not self.unnamed:
            return ()
        return (f"{len(self.unnamed)} class(es) have a number and no name; they are called by their numbers.",)

    def _size(self, record: Mapping[str, Any], paths: tuple[Path | None, Path | None, Path | None]) -> tuple[int, int]:
        stated = (record.get("width"), record.get("height"))
        given = all(type(side) is int and 0 < side < 1_000_000 for side in stated)
        if given and not self.headers:
            return stated  # type: ignore[return-value]
        sizes = {path: image_size(path) for path in paths if path is not None}
        if len(set(sizes.values())) != 1:
            raise DataError("its files differ in size" if sizes else "names no image file")
        height, width = next(iter(sizes.values()))
        if given and stated != (width, height):
            raise DataError(f"is annotated as {stated[0]}x{stated[1]} pixels, but its file has {width}x{height}")
        return width, height

    def _things(self, objects: object, item: str, width: int, height: int) -> list[_Thing]:
        rows = _rows(objects)
        if len(rows) > MOST_THINGS:
            raise DataError(f"has {len(rows):,} objects, more than the {MOST_THINGS:,} that are read")
        things = []
        for place, row in enumerate(rows, 1):
            name = f"{item}, object {place}"
            try:
                thing = self._thing(row, name, width, height)
            except DataError as error:
                self.faults.add(name, str(error))
                continue
            things.append(thing)
        if rows and not things:
            raise DataError("every box of it is broken; without them it would pass for benign")
        return things

    def _thing(self, row: _Row, name: str, width: int, height: int) -> _Thing:
        label = self._label(row.category)
        if not isinstance(row.box, Sequence) or isinstance(row.box, str) or len(row.box) != 4:
            raise DataError(f"bbox must be [x, y, width, height], got {str(row.box)[:80]}")
        x, y, w, h = (number_of(value) for value in row.box)
        checked = checked_box([x, y, x + w, y + h], width, height)
        if checked.overshoot:
            self.faults.clipped(name, checked.overshoot)
        segmentation = _segmentation(row.segmentation)
        if segmentation is not None:
            try:
                check_segmentation(segmentation, height, width)
            except DataError as error:
                self.faults.add(name, f"{error}; the box is kept, the mask is not")
                segmentation = None
        return _Thing(checked.box, label, segmentation)

    def _label(self, value: object) -> str:
        if type(value) is not int:
            return class_name(value)
        if self.classes:
            if not 0 <= value < len(self.classes):
                raise DataError(f"class {str(value)[:20]} is not among the {len(self.classes)} classes")
            return self.classes[value]
        if not -1_000_000_000 < value < 1_000_000_000:
            raise DataError("its class number is out of all bounds")
        self.unnamed.add(value)
        return str(value)

    def _image_labels(self, record: Mapping[str, Any]) -> tuple[str, ...]:
        for key in _LABEL_KEYS:
            value = record.get(key)
            if value is None or value == "":
                continue
            values = value if isinstance(value, list) else [value]
            return tuple(dict.fromkeys(self._label(one) for one in values))
        return ()


@dataclass(frozen=True)
class _Row:
    box: object
    category: object
    segmentation: object


@dataclass(frozen=True)
class _Thing:
    box: Box
    label: str
    segmentation: object | None


def _rows(objects: object) -> list[_Row]:
    """Objects as columns (``{"bbox": [...], "category": [...]}``) or as a list of objects, one row each."""
    if isinstance(objects, str):
        objects = parsed_json(objects) if objects.strip() else None
    if objects is None:
        return []
    if isinstance(objects, list):
        if not all(isinstance(one, Mapping) for one in objects):
            raise DataError("its objects must each be {bbox, category}")
        return [_Row(one.get("bbox"), _first(one, _CATEGORY_KEYS), one.get("segmentation")) for one in objects]
    if not isinstance(objects, Mapping):
        raise DataError(f"its objects must be {{bbox: [...], category: [...]}}, got {type(objects).__name__}")
    boxes, categories = objects.get("bbox"), _first(objects, _CATEGORY_KEYS)
    boxes, categories = ([] if value is None else value for value in (boxes, categories))
    if not isinstance(boxes, list) or not isinstance(categories, list) or len(boxes) != len(categories):
        raise DataError("its objects must have as many categories as boxes, in lists")
    masks = objects.get("segmentation")
    if not isinstance(masks, list) or len(masks) != len(boxes):
        masks = [None] * len(boxes)
    return [_Row(*row) for row in zip(boxes, categories, masks, strict=True)]


def _first(values: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((values[key] for key in keys if values.get(key) is not None), None)


def _segmentation(value: object) -> object | None:
    """A segmentation as the COCO masks know it; in tables it is a JSON text, since its two shapes fit no single column."""
    if isinstance(value, str):
        value = parsed_json(value) if value else None
    return value or None


def parsed_json(text: str | bytes) -> Any:
    """JSON of a record.

    Raises:
        DataError: Not JSON.
    """
    try:
        return json.loads(text)
    except UnicodeDecodeError:
        raise DataError("is not UTF-8 JSON") from None
    except ValueError as error:
        raise DataError(f"is not valid JSON ({str(error)[:80]})") from None
    except RecursionError:
        raise DataError("is JSON nested too deeply to be an annotation") from None


def _text(record: Mapping[str, Any], *keys: str) -> str:
    for key in keys:
        value = record.get(key)
        if isinstance(value, str) and value:
            if not is_unicode(value) or len(value) > _LONGEST_TEXT:
                raise DataError(f"its {key} is no text of up to {_LONGEST_TEXT} characters")
            return value
    return ""


def record_of(entry: Entry) -> dict[str, Any]:
    """All that an entry says beside its pictures; every record has the same keys, so that tables get one schema.

    Raises:
        DataError: A text of it could not be read back.
    """
    texts = (entry.group, entry.provenance.source, entry.provenance.licence, entry.part, entry.difficulty, entry.view)
    for text in texts:
        if not is_unicode(text) or len(text) > _LONGEST_TEXT:
            raise DataError(f"says {text[:40]!r}, which is no text of up to {_LONGEST_TEXT} characters")
    boxes = [[x0, y0, x1 - x0, y1 - y0] for x0, y0, x1, y1 in entry.boxes.tolist()]
    segmentations = entry.segmentations or (None,) * len(boxes)
    return {
        "id": entry.id,
        "width": entry.width,
        "height": entry.height,
        "objects": {
            "bbox": boxes,
            "category": list(entry.labels),
            "area": [width * height for _, _, width, height in boxes],
            "segmentation": [None if one is None else json.dumps(one, sort_keys=True) for one in segmentations],
        },
        "image_labels": list(entry.image_labels),
        "group": entry.group,
        "source": entry.provenance.source,
        "licence": entry.provenance.licence,
        "part": entry.part,
        "difficulty": entry.difficulty,
        "view": entry.view,
        "white_level": entry.white_level,
    }
