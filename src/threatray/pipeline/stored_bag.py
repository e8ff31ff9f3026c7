"""A bag as it lies in its files, and composites written as that bag was: bit depth, white level, compression."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import COLOUR, DUAL_ENERGY, GREY, TRANSMISSION_FLOOR, Quantity, XrayImage
from threatray.core.image_file import read_pixels, write_jpeg, write_png, write_tiff
from threatray.core.jpeg import JpegEncoding, jpeg_encoding, read_plain_jpeg
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.coco import IMAGES_NAME, ImageFiles
from threatray.errors import ConfigError, DataError
from threatray.physics.pseudo_colour import DEFAULT_PALETTE
from threatray.pipeline.sources import Located, Sources
from threatray.tip.levels import Levels, StoredScan

_TIFF: Final = (".tif", ".tiff")


class ImageKind(StrEnum):
    """What composites are written as."""

    KEEP = "keep"
    PNG = "png"
    TIFF = "tiff"
    JPEG = "jpeg"


@dataclass(frozen=True)
class ImageOutput:
    """How composites are written.

    Args:
        images: As the bag was stored (``keep``: a JPEG with the same quality and subsampling, else without loss), or always as
            ``png``, ``tiff`` or ``jpeg``. Sixteen bits are never reduced: they are written as PNG or TIFF whatever is asked.
        jpeg_quality: Of ``jpeg`` where the bag's own is unknown.
    """

    images: ImageKind = ImageKind.KEEP
    jpeg_quality: int = 92

    def __post_init__(self) -> None:
        if not 1 <= self.jpeg_quality <= 100:
            raise ConfigError(f"compose: jpeg_quality must lie in [1, 100], got {self.jpeg_quality}.")


@dataclass(frozen=True, eq=False)
class StoredBag:
    """A bag's stored levels and how they were stored.

    Args:
        scan: Its levels.
        white: (C,) level of empty air; None for a picture, whose air is found in it.
        encoding: Of a JPEG, else None.
        suffix: Of the file(s), lower case.
    """

    scan: StoredScan
    white: NDArray[np.float32] | None
    encoding: JpegEncoding | None
    suffix: str

    @classmethod
    def read(cls, sources: Sources, located: Located) -> tuple[StoredBag, dict[str, int]]:
        """Decode a bag as stored: its counts where the scans are transmissions, else its picture.

        Returns:
            The bag, and how many of its counts are no transmissions (see ``Loaded.clipped``).

        Raises:
            DataError: A file is missing, broken, of another size than annotated, or of another kind than its neighbours.
        """
        entry = located.entry
        if sources.quantity is Quantity.PSEUDO_COLOUR and entry.image_path is not None:
            return cls._picture(entry, entry.image_path), {}
        if sources.quantity is Quantity.PSEUDO_COLOUR:
            raise DataError(f"{entry.id}: has no colour image, only dual-energy counts, beside bags that have only colour. Leave it out.")
        loaded = sources.read(located, Quantity.TRANSMISSION)
        reading, path = loaded.reading, entry.low_path or entry.image_path
        assert reading is not None
        assert path is not None
        white = np.array(reading.white_levels, np.float32)
        return cls(StoredScan(reading.counts, reading.image.channels), white, None, path.suffix.lower()), loaded.clipped

    @classmethod
    def _picture(cls, entry: Entry, path: Path) -> StoredBag:
        plain = read_plain_jpeg(path)
        pixels, encoding = plain or (read_pixels(path), jpeg_encoding(path))
        _same_size(entry, path, pixels)
        levels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
        return cls(StoredScan(levels, GREY if pixels.ndim == 2 else COLOUR), None, encoding, path.suffix.lower())

    @property
    def white_level(self) -> int | None:
        """The one level of empty air; None for a picture, and where the energies have different ones."""
        if self.white is None or len(set(self.white.tolist())) > 1:
            return None
        return int(self.white[0])

    def as_screen(self, levels: Levels) -> NDArray[np.uint8]:
        """(H, W, 3) colours of a pair of energies, as the default palette shows them."""
        assert self.white is not None
        values = np.clip(levels / self.white.reshape(-1, 1, 1), TRANSMISSION_FLOOR, 1).astype(np.float32)
        shown = DEFAULT_PALETTE.render(XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY)).values
        return np.ascontiguousarray(np.rint(shown * np.float32(255)).astype(np.uint8).transpose(1, 2, 0))


def write_levels(folder: Path, item_id: str, bag: StoredBag, levels: Levels, output: ImageOutput) -> ImageFiles:
    """Write a composite's files into ``folder/images`` as its bag was stored.

    Args:
        folder: The dataset.
        item_id: Unique in the dataset; becomes the file name.
        bag: The bag that the levels were made from.
        levels: (C, H, W), of the bag's type.
        output: As what.

    Returns:
        The names of the files. A dual-energy pair gets a picture beside it: what the screen would show.

    Raises:
        DataError: Levels of another type than the bag's: bits were lost on the way.
        StorageError: The disk refused.
    """
    if levels.dtype != bag.scan.levels.dtype:
        raise DataError(f"{item_id}: the bag is {bag.scan.levels.dtype}, the composite {levels.dtype}. No bit may be lost on the way.")
    images = folder / IMAGES_NAME
    if bag.scan.channels == DUAL_ENERGY:
        names = [_write(images, f"{item_id}_{which}", plane, bag, output) for which, plane in zip(("low", "high"), levels, strict=True)]
        write_png(images / f"{item_id}.png", bag.as_screen(levels))
        return ImageFiles(f"{item_id}.png", *names)
    pixels = levels[0] if len(levels) == 1 else levels.transpose(1, 2, 0)
    return ImageFiles(_write(images, item_id, pixels, bag, output))


def _write(images: Path, stem: str, pixels: NDArray[Any], bag: StoredBag, output: ImageOutput) -> str:
    wanted, kind = output.images, ImageKind.PNG
    if bag.suffix in _TIFF and wanted in (ImageKind.KEEP, ImageKind.JPEG):
        kind = ImageKind.TIFF
    if wanted is ImageKind.JPEG or (wanted is ImageKind.KEEP and bag.encoding is not None):
        kind = kind if pixels.dtype == np.uint16 else ImageKind.JPEG
    elif wanted is not ImageKind.KEEP:
        kind = wanted
    if kind is ImageKind.JPEG:
        write_jpeg(images / f"{stem}.jpg", pixels, quality=output.jpeg_quality, like=bag.encoding)
        return f"{stem}.jpg"
    if kind is ImageKind.TIFF:
        write_tiff(images / f"{stem}.tif", pixels)
        return f"{stem}.tif"
    write_png(images / f"{stem}.png", pixels)
    return f"{stem}.png"


def _same_size(entry: Entry, path: Path, pixels: NDArray[Any]) -> None:
    if pixels.shape[:2] != (entry.height, entry.width):
        raise DataError(
            f"{path}: annotated as {entry.width}x{entry.height} pixels, holds {pixels.shape[1]}x{pixels.shape[0]}. "
            "Its boxes belong to another picture."
        )
