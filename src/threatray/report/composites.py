"""Composites with the boxes that a detector learns from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

import numpy as np

from threatray.report.folder import RunFolder
from threatray.report.pictures import Picture, Rgb, embed
from threatray.report.tables import Column, Table, count, evenly, label, plural

_MOST_SHOWN: Final = 12
_LONGEST: Final = 640
_BOX_COLOUR: Final = (213, 94, 0)


@dataclass(frozen=True)
class Box:
    """One threat: place in the picture in per cent of its size, class, and its colour's number."""

    left: float
    top: float
    width: float
    height: float
    class_name: str
    colour: int


@dataclass(frozen=True)
class Boxed:
    """A composite and its boxes, drawn by the page so that they can be hidden."""

    id: str
    picture: Picture
    boxes: tuple[Box, ...]
    note: str


@dataclass(frozen=True)
class Composites:
    """The section on composites."""

    lead: str
    shown: tuple[Boxed, ...]
    classes: tuple[str, ...]
    table: Table
    refused: Table


def build_composites(folder: RunFolder) -> Composites | None:
    """The section, or None where nothing was composed."""
    coco = folder.record("compose/annotations.json")
    if coco is None:
        return None
    names = {entry.get("id"): str(entry.get("name")) for entry in coco.get("categories") or []}
    by_image: dict[Any, list[Mapping[str, Any]]] = {}
    for annotation in coco.get("annotations") or []:
        by_image.setdefault(annotation.get("image_id"), []).append(annotation)
    counts = Counter(names.get(one.get("category_id"), "?") for many in by_image.values() for one in many)
    classes = tuple(sorted(counts))
    images = sorted(
        (entry for entry in coco.get("images") or [] if by_image.get(entry.get("id"))), key=lambda entry: str(entry.get("file_name"))
    )
    shown = [boxed for entry in _spread(images, by_image) if (boxed := _boxed(folder, entry, by_image[entry.get("id")], names, classes))]
    reasons = (str(one.get("reason") or "no reason given") for one in folder.records("compose/refused.json", "refused"))
    refused = Counter(reason.partition(":")[0] for reason in reasons)
    hold = "holds" if len(images) == 1 else "hold"
    lead = f"{plural(len(images), 'benign bag')} now {hold} {plural(sum(counts.values()), 'synthetic threat')}"
    lead += f"; {plural(sum(refused.values()), 'placement was', 'placements were')} refused." if refused else "; no placement was refused."
    return Composites(
        lead=lead,
        shown=tuple(shown),
        classes=classes,
        table=Table(
            "Threats composed",
            (Column("Class", numeric=False), Column("Threats")),
            tuple((label(known), count(number)) for known, number in sorted(counts.items())),
        ),
        refused=Table(
            "Placements refused",
            (Column("Reason", numeric=False), Column("Placements")),
            tuple((label(reason), count(number)) for reason, number in refused.most_common()),
        ),
    )


def composite_of(folder: RunFolder, signature: str) -> Rgb | None:
    """The first composite that holds a signature, its box drawn; None where there is none."""
    record = next((one for one in folder.lines("compose/composites.jsonl") if signature in set(_signatures(one))), None)
    coco = folder.record("compose/annotations.json")
    if record is None or coco is None:
        return None
    wanted = {str(record.get(key)) for key in ("id", "composite_id", "image_id", "file_name", "sample_id") if key in record}
    for entry in coco.get("images") or []:
        if {
            str(entry.get("id")),
            str(entry.get("entry_id")),
            PurePosixPath(str(entry.get("file_name"))).stem,
            str(entry.get("file_name")),
        } & wanted:
            pixels = folder.pixels(_file(entry))
            boxes = [one for one in coco.get("annotations") or [] if one.get("image_id") == entry.get("id")]
            return None if pixels is None else _with_boxes(pixels, boxes)
    return None


def _signatures(value: Any) -> Iterator[str]:
    """Every signature id anywhere in a composite's record."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in ("signature", "signature_id", "signature_ids") and isinstance(inner, str | list):
                yield from [inner] if isinstance(inner, str) else [str(one) for one in inner if isinstance(one, str)]
            if isinstance(inner, Mapping | list):
                yield from _signatures(inner)
            if key == "signature" and isinstance(inner, Mapping) and "id" in inner:
                yield str(inner["id"])
    elif isinstance(value, list):
        for inner in value:
            yield from _signatures(inner)


def _spread(images: list[dict[str, Any]], by_image: Mapping[Any, list[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """As many of each class as fit, spaced evenly within the class, in the order of their names."""
    groups: dict[Any, list[dict[str, Any]]] = {}
    for entry in images:
        groups.setdefault(by_image[entry.get("id")][0].get("category_id"), []).append(entry)
    each = max(1, _MOST_SHOWN // max(len(groups), 1))
    chosen = [entry for group in groups.values() for entry in evenly(group, each)]
    return sorted(chosen[:_MOST_SHOWN], key=lambda entry: str(entry.get("file_name")))


def _boxed(
    folder: RunFolder,
    entry: Mapping[str, Any],
    annotations: list[Mapping[str, Any]],
    names: Mapping[Any, str],
    classes: tuple[str, ...],
) -> Boxed | None:
    pixels = folder.pixels(_file(entry))
    if pixels is None:
        return None
    height, width = pixels.shape[:2]
    boxes = []
    for one in annotations:
        known = names.get(one.get("category_id"), "?")
        x, y, wide, high = (float(number) for number in one.get("bbox", (0, 0, 0, 0)))
        boxes.append(Box(100 * x / width, 100 * y / height, 100 * wide / width, 100 * high / height, known, classes.index(known) % 6))
    name = PurePosixPath(str(entry.get("file_name"))).stem
    what = ", ".join(box.class_name for box in boxes)
    return Boxed(
        name, embed(pixels, f"Composite {name} with {what}", longest=_LONGEST, quality=82), tuple(boxes), str(entry.get("difficulty") or "")
    )


def _file(entry: Mapping[str, Any]) -> str:
    """COCO file names are relative to the dataset's images folder, or to the dataset."""
    name = str(entry.get("file_name"))
    return f"compose/{name}" if name.startswith("images/") else f"compose/images/{name}"


def _with_boxes(pixels: Rgb, annotations: list[Mapping[str, Any]]) -> Rgb:
    import cv2

    drawn = pixels.copy()
    thick = max(2, round(max(pixels.shape[:2]) / 250))
    for one in annotations:
        x, y, wide, high = (round(float(number)) for number in one.get("bbox", (0, 0, 0, 0)))
        cv2.rectangle(drawn, (x - thick, y - thick), (x + wide + thick, y + high + thick), _BOX_COLOUR, thick)
    return np.asarray(drawn, np.uint8)
