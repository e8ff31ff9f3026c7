"""Photos in class folders, with their masks and terms, and how one is decoded."""

from __future__ import annotations

import csv
import warnings
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import BoolArray, Provenance, SetAside
from threatray.core.files import sha256_of_file
from threatray.core.image_file import MAX_PIXELS, read_pixels
from threatray.errors import DataError
from threatray.photos.rules import IntakeRules

SOURCES_NAME: Final = "sources.csv"
_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


@dataclass(frozen=True)
class PhotoFile:
    """One photo to take in.

    Args:
        id: Unique among the photos of one intake; safe as a file name.
        path: The photo.
        class_name: What it shows.
        source_id: ``<class folder>/<file name>``.
        mask_path: Its silhouette (bright is object), or None.
        provenance: Source and licence.
    """

    id: str
    path: Path
    class_name: str
    source_id: str
    mask_path: Path | None = None
    provenance: Provenance = Provenance()


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photo.

    Args:
        pixels: (H, W, 3) uint8 RGB, upright; what was transparent is white.
        alpha: (H, W) bool, where the file itself says the object is; None if it says nothing.
    """

    pixels: NDArray[np.uint8]
    alpha: BoolArray | None


def find_photos(
    folder: Path, masks_folder: Path | None = None, rules: IntakeRules | None = None
) -> tuple[tuple[PhotoFile, ...], tuple[SetAside, ...]]:
    """The photos below ``<folder>/<class>/``, in order, and copies that are left out.

    Args:
        folder: Holds a folder for each class. A ``sources.csv`` (class, file, source, licence) in it or beside it gives the terms.
        masks_folder: Holds ``<class>/<stem>.png`` for photos whose silhouette is known; or None.
        rules: Aliases and wanted classes.

    Raises:
        DataError: No folder, no class folders, no photos, or a broken ``sources.csv``.
    """
    rules = rules or IntakeRules()
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder of photos.")
    if masks_folder is not None and not masks_folder.is_dir():
        raise DataError(f"{masks_folder}: no such folder of masks.")
    root = folder.resolve()
    terms = _read_terms(folder)
    found: list[PhotoFile] = []
    set_aside: list[SetAside] = []
    first_with: dict[str, str] = {}
    for class_folder in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        class_name = rules.class_of(class_folder.name)
        if class_name is None:
            continue
        for path in sorted(path for path in class_folder.iterdir() if path.suffix.lower() in _SUFFIXES and not path.name.startswith(".")):
            source_id = f"{class_folder.name}/{path.name}"
            if not path.is_file() or not path.resolve().is_relative_to(root):
                set_aside.append(SetAside(source_id, "is no file, or a link that leads out of the folder"))
                continue
            same = first_with.setdefault(sha256_of_file(path), source_id)
            if same != source_id:
                set_aside.append(SetAside(source_id, f"the same bytes as {same}"))
                continue
            provenance = terms.get((class_folder.name, path.name)) or terms.get((class_folder.name, path.stem)) or Provenance()
            mask_path = None if masks_folder is None else _mask_of(masks_folder / class_folder.name, path.stem)
            found.append(PhotoFile(path.stem, path, class_name, source_id, mask_path, provenance))
    if not found:
        classes = ", ".join(sorted(path.name for path in folder.iterdir() if path.is_dir())[:8]) or "none"
        aside = f" {len(set_aside)} files were set aside, e.g. {set_aside[0].item}: {set_aside[0].reason}." if set_aside else ""
        raise DataError(f"{folder}: no photos found. Looked for <class>/*.jpg, *.png, ... (folders here: {classes}).{aside}")
    return _with_unique_ids(found), tuple(set_aside)


def _mask_of(folder: Path, stem: str) -> Path | None:
    return next((path for suffix in _SUFFIXES if (path := folder / f"{stem}{suffix}").is_file()), None)


def _with_unique_ids(photos: list[PhotoFile]) -> tuple[PhotoFile, ...]:
    """The stem where it is unique, else with the class, else with a number."""
    stems = Counter(photo.id for photo in photos)
    taken: set[str] = set()
    named = []
    for photo in photos:
        base = photo.id if stems[photo.id] == 1 else f"{photo.class_name}-{photo.id}"
        base = "".join(letter if letter.isprintable() and letter not in '/\\:*?"|' else "_" for letter in base).lstrip(".") or "_"
        name, number = base, 1
        while name in taken:
            number += 1
            name = f"{base}-{number}"
        taken.add(name)
        named.append(replace(photo, id=name))
    return tuple(named)


def _read_terms(folder: Path) -> dict[tuple[str, str], Provenance]:
    """(class folder, file name or stem) -> terms, from ``sources.csv`` in the folder or beside it."""
    path = next((place / SOURCES_NAME for place in (folder, folder.parent) if (place / SOURCES_NAME).is_file()), None)
    if path is None:
        return {}
    wanted = ("class", "file", "source", "licence")
    terms: dict[tuple[str, str], Provenance] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            rows = csv.DictReader(handle)
            missing = [name for name in wanted if name not in (rows.fieldnames or ())]
            if missing:
                raise DataError(f"{path}, line 1: expected the columns {', '.join(wanted)}; {', '.join(missing)} is missing.")
            for row in rows:
                if any(row[name] is None for name in wanted):
                    raise DataError(f"{path}, line {rows.line_num}: expected {len(wanted)} values. Put texts with commas in quotes.")
                given = Provenance(row["source"] or "unknown", row["licence"] or "unknown")
                terms[row["class"], row["file"]] = given
                terms.setdefault((row["class"], Path(row["file"]).stem), given)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected UTF-8, got a byte that is not at offset {error.start}.") from None
    except csv.Error as error:
        raise DataError(f"{path}: not a table of comma-separated values ({error}).") from None
    return terms


def read_photo(path: Path) -> Photo:
    """Decode a photo of any kind as upright 8-bit RGB, keeping a silhouette that its alpha channel holds.

    Raises:
        DataError: Missing, broken, or no image.
    """
    pixels = read_pixels(path)
    alpha = _alpha(path)
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    return Photo(np.ascontiguousarray(pixels, np.uint8), alpha if alpha is not None and alpha.shape == pixels.shape[:2] else None)


def read_mask(path: Path, size: tuple[int, int]) -> BoolArray:
    """A silhouette file: the upper half of its grey levels is object.

    Args:
        path: Grey image of any depth.
        size: (height, width) it must have.

    Raises:
        DataError: Broken, coloured, or of another size.
    """
    values: NDArray[Any] = read_pixels(path)
    if values.ndim == 3:
        if not (values[..., :1] == values).all():
            raise DataError(f"{path}: expected a grey mask, got colours.")
        values = values[..., 0]
    if values.shape != size:
        raise DataError(f"{path}: the mask has {values.shape[1]}x{values.shape[0]} pixels, the photo {size[1]}x{size[0]}.")
    return np.asarray(values > np.iinfo(values.dtype).max // 2, np.bool_)


def _alpha(path: Path) -> BoolArray | None:
    """Where an alpha channel is opaque; None without one, or where it says the same everywhere."""
    from PIL import Image, ImageOps

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(path) as image:
                if image.width * image.height > MAX_PIXELS or ("A" not in image.getbands() and "transparency" not in image.info):
                    return None
                upright = ImageOps.exif_transpose(image.convert("RGBA"))
        except Exception as error:  # Pillow's decoders raise many kinds for a broken file
            raise DataError(f"{path}: cannot be decoded as an image ({type(error).__name__}: {error}).") from None
    opaque = np.asarray(upright)[..., 3] > 127
    return None if opaque.all() or not opaque.any() else np.asarray(opaque, np.bool_)
