"""Which formats there are, how each is recognised, and how it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from threatray.core.files import read_json
from threatray.core.manifest import MANIFEST_NAME
from threatray.datasets.dataset import Dataset
from threatray.datasets.formats.coco import ANNOTATIONS_NAME
from threatray.datasets.formats.coco_reader import looks_like_coco, read_coco
from threatray.datasets.formats.image_folder import find_images, read_image_folder
from threatray.datasets.formats.voc import find_voc, read_voc
from threatray.datasets.pixels import IMAGE_SUFFIXES
from threatray.errors import ConfigError, DataError

FORMATS: Final = ("coco", "voc", "image_folder")

_LOOKED_FOR: Final = {
    "coco": "coco: annotations.json, instances*.json or another COCO JSON in the folder or in annotations/, with images/ beside it",
    "voc": "voc: annotations/*.xml or Annotations/*.xml with images/ or JPEGImages/, also inside VOCdevkit/VOC2007/",
    "image_folder": f"image_folder: files that end in {', '.join(IMAGE_SUFFIXES)}",
}


def read_dataset(path: Path, format_name: str | None = None, strict: bool = False, *, white_level: int | None = None) -> Dataset:
    """Read a dataset's annotations and image headers; no picture is decoded.

    Args:
        path: The dataset's folder, or a COCO JSON.
        format_name: One of ``FORMATS``, or None to recognise it.
        strict: The first broken item is an error instead of being set aside.
        white_level: Count of empty air in pairs and grey scans of an image folder; None: not known. COCO files carry their own.

    Returns:
        The sound images, and everything that was set aside with its reason.

    Raises:
        ConfigError: No such format.
        DataError: No such folder, no format fits (the message lists what was looked for), or nothing sound in it.
    """
    if format_name is not None and format_name not in FORMATS:
        raise ConfigError(f"dataset format: expected one of {', '.join(FORMATS)}, got {format_name!r}.")
    if not path.exists():
        raise DataError(f"{path}: no such folder.")
    try:
        return _read(path, format_name, strict, white_level)
    except PermissionError as error:
        raise DataError(f"{error.filename or path}: no permission to read it.") from None


def _read(path: Path, format_name: str | None, strict: bool, white_level: int | None) -> Dataset:
    if path.is_file():
        if path.suffix.lower() != ".json" or format_name not in (None, "coco"):
            raise DataError(f"{path}: is a file; expected a dataset folder, or a COCO JSON.")
        inside = path.parent.name.lower() in ("annotations", "annotation", "labels")
        return read_coco(path, path.parent.parent if inside else path.parent, strict=strict)
    if format_name in (None, "coco"):
        file = _coco_file(path)
        if file is not None:
            return read_coco(file, path, strict=strict)
    if format_name in (None, "voc"):
        layout = find_voc(path)
        if layout is not None:
            return _noting_neighbours(read_voc(layout, path, strict=strict), path, {layout.annotations, layout.images})
    if format_name in (None, "image_folder") and find_images(path):
        return read_image_folder(path, strict=strict, white_level=white_level)
    looked = [_LOOKED_FOR[name] for name in (FORMATS if format_name is None else (format_name,))]
    held = ", ".join(sorted(child.name + ("/" if child.is_dir() else "") for child in path.iterdir())[:8])
    raise DataError(f"{path}: no dataset found. Looked for\n  " + "\n  ".join(looked) + f"\nThe folder holds: {held or 'nothing'}.")


def _coco_file(root: Path) -> Path | None:
    """The folder's one COCO JSON."""
    if (root / ANNOTATIONS_NAME).is_file():
        return root / ANNOTATIONS_NAME
    places = (root, root / "annotations", root / "Annotations", root / "images")
    listed = {path.resolve(): path for place in places if place.is_dir() for path in sorted(place.glob("*.json"))}
    candidates = [path for path in listed.values() if path.name != MANIFEST_NAME]
    named = [path for path in candidates if path.name.startswith("instances") or path.name.endswith(".coco.json")]
    found = named or [path for path in candidates if looks_like_coco(read_json(path))]
    if len(found) > 1:
        names = ", ".join(path.relative_to(root).as_posix() for path in found[:6])
        raise DataError(f"{root}: holds {len(found)} COCO files ({names}). Give the one to read instead of the folder.")
    return found[0] if found else None


def _noting_neighbours(dataset: Dataset, root: Path, read: set[Path]) -> Dataset:
    """Say which sibling folders hold images that were not read, such as ``negatives/``."""
    from dataclasses import replace

    notes = []
    for folder in sorted(child for child in root.iterdir() if child.is_dir() and child not in read):
        count = sum(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.iterdir())
        if count:
            notes.append(f"{folder.name}/ holds {count} images that were not read; give it as a dataset of its own.")
    return replace(dataset, notes=(*dataset.notes, *notes))
