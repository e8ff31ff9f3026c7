"""COCO instances JSON: writing; the reader is in ``coco_reader``.

Writing has two halves so that workers can share it: ``write_images`` for each image, ``write_annotations`` once at the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final, NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from threatray.core import Quantity, Sample, SetAside, XrayImage
from threatray.core.files import write_json
from threatray.core.image_file import write_jpeg, write_png
from threatray.datasets.dataset import WHITE_LEVEL, Entry
from threatray.datasets.formats.coco_layout import ANNOTATIONS_NAME, find_coco
from threatray.datasets.formats.coco_reader import read_coco
from threatray.datasets.formats.copying import Pictures, cannot_be_a_name, check_name
from threatray.datasets.formats.faults import image_id
from threatray.datasets.formats.format import DatasetStream, Format, Holds, ReadOptions
from threatray.datasets.masks import decode_mask, encode_mask
from threatray.errors import DataError

IMAGES_NAME: Final = "images"


@dataclass(frozen=True)
class ImageFiles:
    """The file names, within ``images/``, that one image was written to."""

    colour: str | None = None
    low_energy: str | None = None
    high_energy: str | None = None


class Thing(TypedDict):
    """One annotated thing of an image record."""

    box: list[float]
    label: str
    segmentation: dict[str, Any] | None


class ImageRecord(TypedDict):
    """All that ``annotations.json`` will say about one image; plain JSON, so that workers can hand it over or store it."""

    id: str
    width: int
    height: int
    group: str
    source: str
    licence: str
    colour: str | None
    low_energy: str | None
    high_energy: str | None
    white_level: NotRequired[int | None]
    part: NotRequired[str]
    difficulty: NotRequired[str]
    view: NotRequired[str]
    image_labels: NotRequired[list[str]]
    things: list[Thing]


def write_images(
    folder: Path,
    item_id: str,
    colour: XrayImage | None,
    dual: XrayImage | None,
    jpeg_quality: int | None = None,
    counts: NDArray[Any] | None = None,
) -> ImageFiles:
    """Write one image's files into ``folder/images``; safe to call from many processes with different ids.

    Args:
        folder: The dataset.
        item_id: Unique in the dataset; becomes the file name.
        colour: Pseudo-colour (3 channels or grey), written with 8 bits; or None.
        dual: Dual-energy transmission, written as two files with 16 bits and white level 65535; or None.
        jpeg_quality: Write the colour image as JPEG of this quality instead of PNG.
        counts: (2, H, W) counts of the two energies to write instead of ``dual``, or (1, H, W) grey to write instead of ``colour``,
            as they are: 8 bits stay 8, 16 stay 16. Tell ``image_record`` their white level.

    Returns:
        The names of the files, for ``image_record``.

    Raises:
        DataError: Nothing to write, a wrong quantity, or an id that is no file name.
        StorageError: The disk refused.
    """
    check_name(item_id)
    if colour is None and dual is None and counts is None:
        raise DataError(f"{item_id}: neither a colour image nor a dual-energy pair to write.")
    if counts is not None and (dual is not None or len(counts) not in (1, 2) or (len(counts) == 1 and colour is not None)):
        raise DataError(f"{item_id}: counts are written instead of a pair (2 channels) or of colour (1 channel), got {counts.shape}.")
    images = folder / IMAGES_NAME
    colour_name = low_name = high_name = None
    if colour is not None:
        if colour.quantity is not Quantity.PSEUDO_COLOUR or colour.values.shape[0] not in (1, 3):
            raise DataError(
                f"{item_id}: expected pseudo-colour with 1 or 3 channels, got {colour.quantity.value} with {colour.values.shape[0]}."
            )
        levels = np.rint(colour.values * np.float32(255)).astype(np.uint8)
        pixels = levels[0] if len(levels) == 1 else np.ascontiguousarray(levels.transpose(1, 2, 0))
        if jpeg_quality is None:
            colour_name = f"{item_id}.png"
            write_png(images / colour_name, pixels)
        else:
            colour_name = f"{item_id}.jpg"
            write_jpeg(images / colour_name, pixels, quality=jpeg_quality)
    if dual is not None:
        if dual.quantity is not Quantity.TRANSMISSION or dual.values.shape[0] != 2:
            raise DataError(f"{item_id}: expected a transmission with 2 channels, got {_kind(dual)}.")
        counts = np.rint(dual.values.astype(np.float64) * WHITE_LEVEL).astype(np.uint16)
    if counts is not None and len(counts) == 1:
        colour_name = f"{item_id}.png"
        write_png(images / colour_name, counts[0])
    elif counts is not None:
        low_name, high_name = f"{item_id}_low.png", f"{item_id}_high.png"
        write_png(images / low_name, counts[0])
        write_png(images / high_name, counts[1])
    return ImageFiles(colour_name, low_name, high_name)


def image_record(sample: Sample, files: ImageFiles, *, white_level: int | None = None) -> ImageRecord:
    """What ``annotations.json`` will say about a sample whose files were written.

    Args:
        sample: Its image gives the size, its annotations the boxes and masks.
        files: From ``write_images``.
        white_level: Count of empty air in the dual-energy files (65535 if None) or in the grey file.
    """
    things = sample.annotations
    segmentations = [None] * len(things) if things.masks is None else [encode_mask(mask) for mask in things.masks]
    record: ImageRecord = {
        "id": sample.id,
        "width": sample.image.width,
        "height": sample.image.height,
        "group": sample.group,
        "source": sample.provenance.source,
        "licence": sample.provenance.licence,
        "colour": files.colour,
        "low_energy": files.low_energy,
        "high_energy": files.high_energy,
        "things": [
            {"box": [float(corner) for corner in box], "label": label, "segmentation": segmentation}
            for box, label, segmentation in zip(things.boxes, things.labels, segmentations, strict=True)
        ],
    }
    if files.low_energy is not None or white_level is not None:
        record["white_level"] = white_level or WHITE_LEVEL
    return record


def write_annotations(folder: Path, classes: Sequence[str], records: Iterable[ImageRecord]) -> None:
    """Write ``annotations.json``; the same records in any order give the same bytes.

    Args:
        folder: The dataset, beside its ``images/``.
        classes: Class names; their order gives the category ids, from 1.
        records: One for each image.

    Raises:
        DataError: A label that is not among the classes, two images of one id, or files that two images share.
    """
    category_ids = {name: number for number, name in enumerate(classes, 1)}
    if len(category_ids) != len(classes):
        raise DataError(f"{folder}: a class is named twice in {list(classes)}.")
    ordered = sorted(records, key=lambda record: record["id"])
    owners: dict[str, str] = {}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, record in enumerate(ordered, 1):
        if number > 1 and record["id"] == ordered[number - 2]["id"]:
            raise DataError(f"{folder}: two images have the id {record['id']!r}.")
        for name in (record["colour"], record["low_energy"], record["high_energy"]):
            if name is not None and owners.setdefault(name, record["id"]) != record["id"]:
                raise DataError(f"{folder}: {record['id']!r} and {owners[name]!r} would share the file {name!r}. Choose other ids.")
        images.append(image_entry(number, record))
        for label in (*(thing["label"] for thing in record["things"]), *record.get("image_labels", ())):
            if label not in category_ids:
                raise DataError(f"{folder}, {record['id']}: {label!r} is not among the classes {list(classes)}.")
        for thing in record["things"]:
            annotations.append(annotation_entry(len(annotations) + 1, number, category_ids[thing["label"]], thing))
    categories = [{"id": number, "name": name, "supercategory": "threat"} for name, number in category_ids.items()]
    info = {"description": "Written by threatray."}
    write_json(folder / ANNOTATIONS_NAME, {"info": info, "categories": categories, "images": images, "annotations": annotations})


def image_entry(number: int, record: ImageRecord) -> dict[str, Any]:
    """A record as an element of COCO's ``images``."""
    entry: dict[str, Any] = {
        "id": number,
        "file_name": record["colour"] or record["high_energy"],
        "width": record["width"],
        "height": record["height"],
        "group": record["group"],
        "source": record["source"],
        "licence": record["licence"],
    }
    if record["low_energy"] is not None:
        entry |= {"low_file_name": record["low_energy"], "high_file_name": record["high_energy"]}
    white_level = record.get("white_level", WHITE_LEVEL if record["low_energy"] is not None else None)
    if white_level is not None:
        entry["white_level"] = white_level
    entry |= {key: record[key] for key in ("part", "difficulty", "view", "image_labels") if record.get(key)}
    if image_id(PurePosixPath(entry["file_name"])) != record["id"]:
        entry["entry_id"] = record["id"]
    return entry


def annotation_entry(number: int, image_number: int, category: int, thing: Thing) -> dict[str, Any]:
    """A thing as an element of COCO's ``annotations``."""
    x0, y0, x1, y1 = thing["box"]
    entry: dict[str, Any] = {
        "id": number,
        "image_id": image_number,
        "category_id": category,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": (x1 - x0) * (y1 - y0),
        "iscrowd": 0,
    }
    segmentation = thing["segmentation"]
    if segmentation is not None:
        from pycocotools import mask as coco_mask

        entry |= {"segmentation": segmentation, "area": float(coco_mask.area({**segmentation, "counts": segmentation["counts"].encode()}))}
    return entry


def _kind(image: XrayImage) -> str:
    return f"{image.quantity.value} with {len(image.channels)}"


def _record_of(entry: Entry, pictures: Pictures) -> ImageRecord:
    """What is said about an entry whose pictures are copied on the way."""
    segmentations = entry.segmentations or (None,) * len(entry.things)
    return {
        "id": entry.id,
        "width": entry.width,
        "height": entry.height,
        "group": entry.group,
        "source": entry.provenance.source,
        "licence": entry.provenance.licence,
        "colour": None if entry.image_path is None else pictures.copy(entry.image_path, entry.id),
        "low_energy": None if entry.low_path is None else pictures.copy(entry.low_path, f"{entry.id}_low"),
        "high_energy": None if entry.high_path is None else pictures.copy(entry.high_path, f"{entry.id}_high"),
        "white_level": entry.white_level,
        "part": entry.part,
        "difficulty": entry.difficulty,
        "view": entry.view,
        "image_labels": list(entry.image_labels),
        "things": [
            {
                "box": box,
                "label": label,
                "segmentation": None if segmentation is None else encode_mask(decode_mask(segmentation, entry.height, entry.width)),
            }
            for box, label, segmentation in zip(entry.boxes.tolist(), entry.labels, segmentations, strict=True)
        ],
    }


def write(folder: Path, classes: Sequence[str], entries: Iterable[Entry]) -> tuple[SetAside, ...]:
    """Write ``annotations.json`` and ``images/``; polygons become run lengths of the same pixels.

    Args:
        folder: Empty.
        classes: Every class.
        entries: What to write.

    Returns:
        Images whose id cannot be a file name.
    """
    set_aside: list[SetAside] = []
    pictures = Pictures(folder / IMAGES_NAME)
    records = []
    for entry in entries:
        reason = cannot_be_a_name(entry.id)
        if reason is None:
            records.append(_record_of(entry, pictures))
        else:
            set_aside.append(SetAside(entry.id, reason))
    write_annotations(folder, classes, records)
    return tuple(set_aside)


def _detect(path: Path) -> bool:
    try:
        return find_coco(path) is not None
    except DataError:  # several that cannot be told apart: COCO all the same, and reading says what is wrong
        return True


def _read(path: Path, options: ReadOptions) -> DatasetStream:
    layout = find_coco(path)
    if layout is None:
        raise DataError(f"{path}: holds no COCO JSON. Looked for {FORMAT.layout}.")
    return read_coco(layout, options)


FORMAT: Final = Format(
    name="coco",
    title="COCO instances",
    layout="annotations.json, instances*.json, *.coco.json or another COCO JSON, also in annotations/, with images/ beside it",
    holds=frozenset(Holds) - {Holds.ROTATED_BOXES},
    detect=_detect,
    read=_read,
    write=write,
    drops=("crowd regions (iscrowd)", "keypoints and captions", "supercategories"),
    faults=(
        "annotations of images that are missing or listed twice",
        "categories that are not declared, or declared twice",
        "masks made for another size or whose runs end early (the box is kept)",
        "boxes outside the image, empty, not finite",
        "one picture listed by two parts",
    ),
)
