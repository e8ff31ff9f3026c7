"""Image files as X-ray images: sizes from the header, colour as shown, transmissions from counts."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import COLOUR, DUAL_ENERGY, GREY, TRANSMISSION_FLOOR, FloatArray, Quantity, XrayImage
from threatray.core.image_file import MAX_PIXELS, read_pixels
from threatray.datasets.headers import quick_size
from threatray.errors import DataError

IMAGE_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")

_EXIF_ORIENTATION: Final = 0x0112
_JPEG_END: Final = b"\xff\xd9"
_PNG_END: Final = b"IEND"


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) of an image file as it will be read, from its header; a file cut off at its end is noticed too.

    Raises:
        DataError: No image, cut off, or too large.
    """
    quick = quick_size(path)
    height, width = quick if quick is not None else _opened_size(path)
    if width * height > MAX_PIXELS:
        raise DataError(f"its image {path.name} has {width}x{height} pixels, more than the {MAX_PIXELS} that are read")
    return height, width


def _opened_size(path: Path) -> tuple[int, int]:
    """The same with Pillow, for every kind of file."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                kind, (width, height) = image.format, image.size
                # PNG keeps its EXIF after the pixels: asking for it would decode the whole picture
                turned = kind in ("JPEG", "TIFF", "WEBP") and image.getexif().get(_EXIF_ORIENTATION, 1) in (5, 6, 7, 8)
    except Exception as error:  # Pillow's parsers raise many kinds for a broken file
        raise DataError(f"its image {path.name} cannot be opened ({type(error).__name__})") from None
    if width * height <= MAX_PIXELS and not _ends_well(path, kind):
        try:
            read_pixels(path)
        except DataError:
            raise DataError(f"its image {path.name} is broken or cut off") from None
    return (width, height) if turned else (height, width)


def _ends_well(path: Path, kind: str | None) -> bool:
    """Whether the file has its format's end mark; an exact answer for all but files with something appended."""
    if kind not in ("JPEG", "PNG"):
        return True
    with path.open("rb") as handle:
        handle.seek(0, 2)
        handle.seek(max(0, handle.tell() - 16))
        tail = handle.read()
    return tail.endswith(_JPEG_END) if kind == "JPEG" else _PNG_END in tail


def as_pseudo_colour(pixels: NDArray[Any]) -> XrayImage:
    """Decoded pixels as an image in [0, 1].

    Args:
        pixels: (H, W) grey or (H, W, 3) RGB, uint8 or uint16.

    Returns:
        Pseudo-colour with channels red, green, blue, or grey for a grey file.

    Example:
        >>> as_pseudo_colour(np.full((2, 3), 255, np.uint8)).channels
        ('grey',)
    """
    white = np.float32(np.iinfo(pixels.dtype).max)
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    values: FloatArray = np.ascontiguousarray(planes, np.float32) / white
    return XrayImage(values, Quantity.PSEUDO_COLOUR, GREY if pixels.ndim == 2 else COLOUR)


@dataclass(frozen=True, eq=False)
class TransmissionReading:
    """A dual-energy transmission, and how many of its values had to be clipped.

    Args:
        image: (2, H, W) transmission, low energy first.
        over_white: Counts brighter than the white level (noise in air).
        under_floor: Counts under half a grey level (starved pixels).
    """

    image: XrayImage
    over_white: int
    under_floor: int


def read_transmission(low_path: Path, high_path: Path, white_level: int) -> TransmissionReading:
    """Two grey files of one view as a transmission T = count / white_level.

    Args:
        low_path: Low-energy counts.
        high_path: High-energy counts, of the same size.
        white_level: The count of empty air.

    Returns:
        The transmission clipped to [``TRANSMISSION_FLOOR``, 1], with what was clipped.

    Raises:
        DataError: A file cannot be read, has colours, or the sizes differ.
    """
    planes = []
    for path in (low_path, high_path):
        pixels = read_pixels(path)
        if pixels.ndim != 2:
            raise DataError(f"{path}: expected a grey image of counts, got colours.")
        planes.append(pixels)
    if planes[0].shape != planes[1].shape:
        raise DataError(f"{low_path}: has {_size(planes[0])} pixels, {high_path.name} has {_size(planes[1])}; they must be of one size.")
    raw = np.stack(planes).astype(np.float64) / white_level
    values = np.clip(raw, TRANSMISSION_FLOOR, 1.0).astype(np.float32)
    image = XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY)
    return TransmissionReading(image, int((raw > 1).sum()), int((raw < TRANSMISSION_FLOOR).sum()))


def _size(pixels: NDArray[Any]) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]}"
