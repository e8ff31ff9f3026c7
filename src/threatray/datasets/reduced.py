"""Pictures decoded small: enough for their figures, several times faster than whole, and a broken file is still found."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core.files import sha256_of_text
from threatray.core.image_file import MAX_PIXELS, read_pixels
from threatray.datasets.dataset import Entry
from threatray.errors import DataError

SMALL_SIDE: Final = 224
"""Longest side of the small picture; smaller pictures stay as they are."""

_LEAST_DECODED: Final = 192
"""A JPEG is decoded at a half as long as its longest side stays at least this."""

_EXIF_ORIENTATION: Final = 0x0112


@dataclass(frozen=True, eq=False)
class Reduced:
    """One entry's files, read whole, and its shown image small.

    Args:
        sha256: Of the bytes of all its files.
        pixels: (h, w, 3) RGB uint8; a grey or dual-energy scan (its high energy) has three equal channels.
        grey: Whether the shown file is grey.
    """

    sha256: str
    pixels: NDArray[np.uint8]
    grey: bool


def read_reduced(entry: Entry) -> Reduced:
    """Read every file of an entry to its end, and decode the shown one small.

    JPEG is decoded at a half, quarter or eighth by the decoder itself, which still reads the file to its end; all else is
    decoded whole and averaged down.

    Raises:
        DataError: A file is missing, broken, cut off, or of another size than annotated.
    """
    shown_path = entry.image_path if entry.image_path is not None else entry.high_path
    digests, shown = [], None
    for path in entry.paths:
        content = _content(path)
        digests.append(hashlib.sha256(content).hexdigest())
        pixels, (height, width) = _decoded(path, content)
        if (height, width) != (entry.height, entry.width):
            raise DataError(f"{path}: annotated as {entry.width}x{entry.height} pixels, holds {width}x{height}.")
        if path == shown_path:
            shown = pixels
    assert shown is not None
    grey = shown.ndim == 2
    return Reduced(sha256_of_text(" ".join(digests)), np.repeat(shown[..., None], 3, axis=2) if grey else shown, grey)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path}: no such image file.") from None
    except OSError as error:
        raise DataError(f"{error.filename}: {error.strerror}.") from None


def _decoded(path: Path, content: bytes) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Small pixels, and (height, width) of the whole picture."""
    if content.startswith(b"\xff\xd8\xff"):
        return _jpeg(path, content)
    pixels = read_pixels(path)
    return _averaged(pixels), (pixels.shape[0], pixels.shape[1])


def _jpeg(path: Path, content: bytes) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(BytesIO(content))
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise DataError(f"{path}: {width}x{height} pixels, more than the {MAX_PIXELS} that are read.")
            divisor = _divisor(width, height)
            image.draft("L" if image.mode == "L" else "RGB", (width // divisor, height // divisor))
            image.load()
            upright: Image.Image = ImageOps.exif_transpose(image) or image
            if image.getexif().get(_EXIF_ORIENTATION, 1) in (5, 6, 7, 8):
                width, height = height, width
            pixels = np.asarray(upright.convert("L" if upright.mode == "L" else "RGB"))
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise DataError(f"{path}: refused, {error}.") from None
    except Exception as error:  # Pillow's decoders raise many kinds for a broken file
        raise DataError(
            f"{path}: cannot be decoded as an image ({type(error).__name__}: {error}). The file is broken or cut off."
        ) from None
    return _averaged(pixels), (height, width)


def _divisor(width: int, height: int) -> int:
    """1, 2, 4 or 8: what a JPEG decoder can reduce by.

    Example:
        >>> _divisor(800, 600), _divisor(206, 300), _divisor(3251, 900)
        (4, 1, 8)
    """
    divisor = 1
    while divisor < 8 and max(width, height) // (2 * divisor) >= _LEAST_DECODED:
        divisor *= 2
    return divisor


def _averaged(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    import cv2

    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    height, width = pixels.shape[:2]
    factor = SMALL_SIDE / max(height, width)
    if factor >= 1:
        return np.asarray(pixels, np.uint8)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
