"""Writing YOLO: ``images/PART/``, ``labels/PART/`` and a data.yaml that Ultralytics trains on as it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from threatray.core import SetAside
from threatray.core.files import write_text
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.faults import safe_id
from threatray.datasets.formats.outline import outline_of, rotated_rectangle
from threatray.datasets.formats.sound import copy_picture, file_stem, number_in, numbers_of
from threatray.datasets.formats.yolo_labels import box_line, closed_corners_of, corners_of, outline_line
from threatray.errors import DataError

Kind = Literal["boxes", "segments", "obb"]

DATA_NAME: Final = "data.yaml"
_TASKS: Final[Mapping[Kind, str]] = {"boxes": "detect", "segments": "segment", "obb": "obb"}
_NO_PART: Final = "unassigned"
_STANDARD: Final = ("train", "val", "test")


def write_yolo(folder: Path, classes: Sequence[str], entries: Iterable[Entry], *, kind: Kind = "boxes") -> Sequence[SetAside]:
    """Write a YOLO dataset.

    An image that is known to hold something without a box is refused: an empty label file would call it benign. Parts other
    than ``train``, ``val`` and ``test`` are named under the key ``parts``, which this reader knows and Ultralytics passes over.

    Args:
        folder: Empty; gets ``data.yaml``, ``images/`` and ``labels/``.
        classes: Names; their order gives the numbers, from 0.
        entries: What to write.
        kind: What the lines are: boxes, outlines (a thing without one gets its box as a closed ring), or rotated boxes.

    Returns:
        The images that YOLO cannot hold.

    Raises:
        DataError: A label that is not among the classes.
        StorageError: The disk refused.
    """
    numbers = numbers_of(classes, folder)
    folders: dict[str, str] = {}
    refused: list[SetAside] = []
    for entry in entries:
        things = [number_in(numbers, label, entry, folder) for label in entry.labels]
        try:
            if entry.image_path is None:
                raise DataError("has no colour image, which YOLO needs")
            if entry.image_labels and not entry.labels:
                raise DataError(
                    f"is known to hold {', '.join(entry.image_labels)[:80]} without a box; an empty label file would call it benign"
                )
            stem = file_stem(entry.id)
            lines = _lines(entry, things, kind)
            place = folders.setdefault(entry.part, _folder_name(entry.part, folders))
            copy_picture(entry.image_path, folder / "images" / place, stem)
        except DataError as error:
            refused.append(SetAside(entry.id, str(error)))
            continue
        write_text(folder / "labels" / place / f"{stem}.txt", "".join(line + "\n" for line in lines))
    _write_data(folder / DATA_NAME, classes, folders, kind)
    return tuple(refused)


def _lines(entry: Entry, numbers: Sequence[int], kind: Kind) -> list[str]:
    lines = []
    segmentations = entry.segmentations or (None,) * len(entry.things)
    for box, number, segmentation in zip(entry.boxes.tolist(), numbers, segmentations, strict=True):
        if kind == "boxes":
            lines.append(box_line(number, box, entry.width, entry.height))
            continue
        outline = None if segmentation is None else outline_of(segmentation, entry.height, entry.width)
        if outline is None:
            outline = corners_of(box) if kind == "obb" else closed_corners_of(box)
        elif kind == "obb":
            outline = _within(rotated_rectangle(outline), entry)
        lines.append(outline_line(number, outline, entry.width, entry.height))
    return lines


def _within(corners: Sequence[float], entry: Entry) -> list[float]:
    """Corners moved into the image: Ultralytics throws an image away whose numbers leave 0 to 1."""
    sides = (entry.width, entry.height) * (len(corners) // 2)
    return [min(max(corner, 0.0), float(side)) for corner, side in zip(corners, sides, strict=True)]


def _folder_name(part: str, taken: Mapping[str, str]) -> str:
    plain = safe_id(part).strip() if part else _NO_PART
    name = plain[:60] if plain and len(plain.encode("utf-8", "replace")) < 200 else "part"
    while name in taken.values() or (name == _NO_PART and part):
        name += "_"
    return name


def _write_data(path: Path, classes: Sequence[str], folders: Mapping[str, str], kind: Kind) -> None:
    import yaml

    first = folders.get("train") or next(iter(folders.values()), _NO_PART)
    document: dict[str, object] = {"train": f"images/{first}", "val": f"images/{folders.get('val', first)}"}
    if "test" in folders:
        document["test"] = f"images/{folders['test']}"
    if set(folders) - set(_STANDARD) or not {"train", "val"} <= set(folders):
        document["parts"] = [{"name": part, "images": f"images/{place}"} for part, place in folders.items()]
    document["task"] = _TASKS[kind]
    document["names"] = dict(enumerate(classes))
    write_text(path, yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000))
