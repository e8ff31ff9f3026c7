"""The library of object crops on disk: ``index.json``, ``<class>/<id>.png`` and ``<class>/<id>_mask.png``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from threatray.core import Provenance, SetAside
from threatray.core.files import read_json, write_json
from threatray.core.image_file import read_pixels, write_png
from threatray.errors import DataError
from threatray.photos.crop import ObjectCrop

INDEX_NAME: Final = "index.json"
INDEX_FORMAT: Final = 1


def write_crop(folder: Path, crop: ObjectCrop) -> None:
    """Write one crop's two files; safe to call from many processes with different crops.

    Raises:
        DataError: A class or id that is no file name.
        StorageError: The disk refused.
    """
    for name in (crop.class_name, crop.id):
        if not name or name.startswith(".") or not name.isprintable() or any(letter in name for letter in '/\\:*?"|'):
            raise DataError(f"{name[:80]!r} cannot be a file name: use printable characters, no slash, no leading dot.")
    write_png(folder / _file(crop), crop.pixels)
    write_png(folder / _mask_file(crop), crop.mask.astype(np.uint8) * np.uint8(255))


def write_index(folder: Path, crops: Iterable[ObjectCrop], rejected: Iterable[SetAside] = ()) -> None:
    """Write ``index.json`` for crops that were written; the same crops in any order give the same bytes.

    Raises:
        DataError: Two crops of one id.
    """
    ordered = sorted(crops, key=lambda crop: crop.id)
    files: set[str] = set()
    for crop in ordered:
        for name in (_file(crop), _mask_file(crop)):
            if name in files:
                raise DataError(f"{folder}: two crops would share the file {name!r}. Choose other ids.")
            files.add(name)
    if len({crop.id for crop in ordered}) < len(ordered):
        raise DataError(f"{folder}: two crops have the same id.")
    entries = [
        {
            "id": crop.id,
            "class_name": crop.class_name,
            "source_id": crop.source_id,
            "provenance": asdict(crop.provenance),
            "quality": crop.quality,
            "height": crop.size[0],
            "width": crop.size[1],
            "file": _file(crop),
            "mask_file": _mask_file(crop),
        }
        for crop in ordered
    ]
    write_json(folder / INDEX_NAME, {"format": INDEX_FORMAT, "crops": entries, "rejected": [asdict(one) for one in rejected]})


def read_index(folder: Path) -> tuple[Mapping[str, Any], ...]:
    """The entries of ``index.json``, sorted by id, for reading crops one by one.

    Raises:
        DataError: Missing, broken, or of a later format.
    """
    path = folder / INDEX_NAME
    value = read_json(path)
    if not isinstance(value, dict) or value.get("format") != INDEX_FORMAT or not isinstance(value.get("crops"), list):
        raise DataError(f"{path}: expected a library of object crops, format {INDEX_FORMAT}. Make it again with `threatray photos`.")
    entries = value["crops"]
    if not all(isinstance(entry, dict) and isinstance(entry.get("id"), str) for entry in entries):
        raise DataError(f"{path}: holds an entry without an id. Make the library again with `threatray photos`.")
    return tuple(sorted(entries, key=lambda entry: str(entry["id"])))


def read_crop(folder: Path, entry: Mapping[str, Any]) -> ObjectCrop:
    """One crop of the library.

    Args:
        folder: The library.
        entry: From ``read_index``.

    Raises:
        DataError: The entry is not whole, a file is missing, or it leads out of the library.
    """
    try:
        pixels, mask = (_inside(folder, entry[key]) for key in ("file", "mask_file"))
        crop = ObjectCrop(
            id=entry["id"],
            class_name=entry["class_name"],
            pixels=read_pixels(pixels),
            mask=np.asarray(read_pixels(mask) > 127, np.bool_),
            source_id=entry["source_id"],
            provenance=Provenance(**entry["provenance"]),
            quality=float(entry["quality"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{folder / INDEX_NAME}: the entry {entry.get('id')!r} is not whole ({error}). Make the library again.") from None
    return crop


def read_crops(folder: Path) -> tuple[ObjectCrop, ...]:
    """All crops of the library, sorted by id.

    Raises:
        DataError: As for ``read_index`` and ``read_crop``.
    """
    return tuple(read_crop(folder, entry) for entry in read_index(folder))


def _file(crop: ObjectCrop) -> str:
    return f"{crop.class_name}/{crop.id}.png"


def _mask_file(crop: ObjectCrop) -> str:
    return f"{crop.class_name}/{crop.id}_mask.png"


def _inside(folder: Path, name: object) -> Path:
    path = folder / str(name)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{folder / INDEX_NAME}: the file {str(name)[:200]!r} leads out of the library.")
    return path
