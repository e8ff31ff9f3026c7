"""One format into another; pictures are copied byte for byte."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from threatray.core import SetAside
from threatray.core.files import whole_file
from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.fingerprints import ProgressCallback
from threatray.datasets.formats.coco import ANNOTATIONS_NAME, IMAGES_NAME, ImageRecord, write_annotations
from threatray.datasets.formats.voc import write_voc_annotation
from threatray.datasets.masks import decode_mask, encode_mask
from threatray.errors import ConfigError, DataError

WRITABLE = ("coco", "voc")


@dataclass(frozen=True)
class Converted:
    """What ``convert`` wrote.

    Args:
        images: How many were written.
        set_aside: Images the format cannot hold, and why.
    """

    images: int
    set_aside: tuple[SetAside, ...]


def convert(dataset: Dataset, out_folder: Path, format_name: str, *, progress: ProgressCallback | None = None) -> Converted:
    """Write a dataset in another format.

    Args:
        dataset: As read.
        out_folder: ``coco``: ``annotations.json`` and ``images/``. ``voc``: ``Annotations/`` and ``JPEGImages/``.
        format_name: ``coco`` or ``voc``. VOC has no place for masks and dual energy: they are left out.
        progress: Called with (done, total).

    Raises:
        ConfigError: No such format, or the folder holds a dataset already.
        DataError: Nothing could be written.
    """
    if format_name not in WRITABLE:
        raise ConfigError(f"convert: expected one of {', '.join(WRITABLE)}, got {format_name!r}.")
    taken = out_folder / (ANNOTATIONS_NAME if format_name == "coco" else "Annotations")
    if taken.exists():
        raise ConfigError(f"{taken}: exists already. Choose another folder.")
    set_aside: list[SetAside] = []
    records: list[ImageRecord] = []
    images = 0
    for done, entry in enumerate(dataset.entries):
        if progress is not None:
            progress(done, len(dataset.entries))
        if format_name == "coco":
            records.append(_coco_record(entry, out_folder / IMAGES_NAME))
        elif entry.image_path is None:
            set_aside.append(SetAside(entry.id, "has no colour image, which VOC needs"))
            continue
        else:
            name = _copy(entry.image_path, out_folder / "JPEGImages", entry.id)
            write_voc_annotation(out_folder / "Annotations" / f"{entry.id}.xml", entry, name)
        images += 1
    if not images:
        raise DataError(f"{dataset.root}: none of its {len(dataset.entries)} images can be written as {format_name}.")
    if format_name == "coco":
        labels = {label for entry in dataset.entries for label in entry.labels}
        write_annotations(out_folder, (*dataset.classes, *sorted(labels - set(dataset.classes))), records)
    if progress is not None:
        progress(len(dataset.entries), len(dataset.entries))
    return Converted(images, tuple(set_aside))


def _coco_record(entry: Entry, images: Path) -> ImageRecord:
    segmentations = entry.segmentations or (None,) * len(entry.things)
    record: ImageRecord = {
        "id": entry.id,
        "width": entry.width,
        "height": entry.height,
        "group": entry.group,
        "source": entry.provenance.source,
        "licence": entry.provenance.licence,
        "colour": None if entry.image_path is None else _copy(entry.image_path, images, entry.id),
        "low_energy": None if entry.low_path is None else _copy(entry.low_path, images, f"{entry.id}_low"),
        "high_energy": None if entry.high_path is None else _copy(entry.high_path, images, f"{entry.id}_high"),
        "white_level": entry.white_level,
        "things": [
            {
                "box": box,
                "label": label,
                "segmentation": None if segmentation is None else encode_mask(decode_mask(segmentation, entry.height, entry.width)),
            }
            for box, label, segmentation in zip(entry.boxes.tolist(), entry.labels, segmentations, strict=True)
        ],
    }
    return record


def _copy(source: Path, folder: Path, stem: str) -> str:
    name = stem + source.suffix.lower()
    with whole_file(folder / name) as temporary:
        shutil.copyfile(source, temporary)
    return name
