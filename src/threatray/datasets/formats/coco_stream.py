"""COCO instances JSON written record by record: the same bytes as ``write_annotations``, in memory for one record at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from threatray.core.files import whole_file
from threatray.datasets.formats.coco import ImageRecord, annotation_entry, image_entry
from threatray.datasets.formats.coco_layout import ANNOTATIONS_NAME
from threatray.errors import DataError


def write_annotation_stream(folder: Path, classes: Sequence[str], records: Callable[[], Iterator[ImageRecord]]) -> None:
    """Write ``annotations.json`` from records that come sorted by id, each read twice.

    A thing's ``visible`` run lengths, if it has any, stand beside its ``segmentation`` as ``visible_segmentation``.

    Args:
        folder: The dataset, beside its ``images/``.
        classes: Class names; their order gives the category ids, from 1.
        records: Starts over at each call.

    Raises:
        DataError: A label that is not among the classes, or records that are not sorted or repeat an id.
    """
    category_ids = {name: number for number, name in enumerate(classes, 1)}
    categories = [{"id": number, "name": name, "supercategory": "threat"} for name, number in category_ids.items()]

    def annotations() -> Iterator[dict[str, Any]]:
        count, before = 0, ""
        for number, record in enumerate(records(), 1):
            if number > 1 and record["id"] <= before:
                raise DataError(f"{folder}: images must come sorted by id, each once; {record['id']!r} came after {before!r}.")
            before = record["id"]
            for thing in record["things"]:
                if thing["label"] not in category_ids:
                    raise DataError(f"{folder}, {record['id']}: {thing['label']!r} is not among the classes {list(classes)}.")
                count += 1
                entry = annotation_entry(count, number, category_ids[thing["label"]], thing)
                visible = thing.get("visible")
                yield entry if visible is None else entry | {"visible_segmentation": visible}

    images = (image_entry(number, record) for number, record in enumerate(records(), 1))
    with whole_file(folder / ANNOTATIONS_NAME) as temporary, temporary.open("w", encoding="utf-8") as handle:
        handle.write('{\n "annotations": ')
        _write_list(handle, annotations())
        handle.write(f',\n "categories": {_text(categories, 1)},\n "images": ')
        _write_list(handle, images)
        handle.write(f',\n "info": {_text({"description": "Written by threatray."}, 1)}\n}}\n')


def _write_list(handle: TextIO, entries: Iterator[dict[str, Any]]) -> None:
    first = True
    for entry in entries:
        handle.write(("[" if first else ",") + "\n  " + _text(entry, 2))
        first = False
    handle.write("[]" if first else "\n ]")


def _text(value: Any, depth: int) -> str:
    """As ``write_json`` writes it at this depth."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False).replace("\n", "\n" + " " * depth)
