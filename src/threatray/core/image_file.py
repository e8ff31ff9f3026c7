"""Pixels from and to files: 8 and 16 bit, grey and colour, never silently converted."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from threatray.core.files import whole_file
from threatray.core.jpeg import JpegEncoding
from threatray.errors import DataError, StorageError

MAX_PIXELS = 500_000_000
"""Larger pictures are refused: no scanner makes them, decompression bombs do."""

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


def read_pixels(path: Path) -> NDArray[Any]:
    """Decode an image file as stored.

    Returns:
        (H, W) or (H, W, 3) in RGB order, uint8 or uint16. Palettes and CMYK become RGB, alpha is laid over white
        (8 bit), one-bit images become 0 and 255; EXIF rotation is applied.

    Raises:
        DataError: Missing, truncated, not an image, or over ``MAX_PIXELS``.
    """
    from PIL import Image, ImageOps

    if not path.is_file():
        raise DataError(f"{path}: no such image file.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(path)
        with image:
            if image.width * image.height > MAX_PIXELS:
                raise DataError(f"{path}: {image.width}x{image.height} pixels, more than the {MAX_PIXELS} that are read.")
            if image.mode.startswith(("I", "F")):
                return _deep_pixels(path, np.asarray(image))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                image.load()
            upright: Image.Image = ImageOps.exif_transpose(image) or image
            if "A" in upright.mode or "transparency" in upright.info or upright.mode == "P":
                layered = upright.convert("RGBA")
                ground = Image.new("RGBA", layered.size, (255, 255, 255, 255))
                return np.asarray(Image.alpha_composite(ground, layered).convert("RGB"))
            return np.asarray(upright.convert("L" if upright.mode in ("1", "L") else "RGB"))
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise DataError(f"{path}: refused, {error}.") from None
    except Exception as error:  # Pillow's decoders raise many kinds for a broken file
        raise DataError(
            f"{path}: cannot be decoded as an image ({type(error).__name__}: {error}). The file is broken or cut off."
        ) from None


def _deep_pixels(path: Path, values: NDArray[Any]) -> NDArray[Any]:
    if values.dtype == np.uint16:
        return values
    if values.size and (not np.isfinite(values).all() or values.min() < 0 or values.max() > 65535 or (values != np.round(values)).any()):
        raise DataError(f"{path}: expected whole grey levels in [0, 65535], got {values.dtype} in [{values.min()}, {values.max()}].")
    return values.astype(np.uint16)


def write_png(path: Path, pixels: NDArray[Any], *, compression: int = 3) -> None:
    """Write (H, W) or (H, W, 3) RGB, uint8 or uint16, as PNG; the same pixels always give the same bytes.

    Raises:
        StorageError: The file could not be written (full disk, no permission).
    """
    import cv2

    _write(path, ".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, compression])


def write_jpeg(path: Path, pixels: NDArray[np.uint8], *, quality: int = 92, like: JpegEncoding | None = None) -> None:
    """Write (H, W) or (H, W, 3) RGB uint8 as JPEG.

    Args:
        path: The file.
        pixels: What to write.
        quality: Of the encoder's own scale, where ``like`` is not given.
        like: Compress with these tables and this subsampling, those of another file: ``jpeg_encoding``.

    Raises:
        DataError: Not uint8: sixteen bits do not go into a JPEG.
        StorageError: The file could not be written (full disk, no permission).
    """
    import cv2

    if pixels.dtype != np.uint8:
        raise DataError(f"{path}: a JPEG holds 8 bits, got {pixels.dtype}. Write PNG or TIFF, so that no level is lost.")
    standard = None if like is None else like.standard_quality
    if like is None or (standard is not None and pixels.ndim == 3 and like.subsampling is not None):
        options = [cv2.IMWRITE_JPEG_QUALITY, quality if standard is None else standard]
        if like is not None:
            factors = (cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420)
            options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, factors[like.subsampling or 0]]
        _write(path, ".jpg", pixels, options)
        return
    from PIL import Image

    buffer = io.BytesIO()
    tables = [list(table) for table in like.tables]
    if pixels.ndim == 2:
        Image.fromarray(pixels).save(buffer, "JPEG", qtables=tables[:1])
    else:
        Image.fromarray(pixels).save(buffer, "JPEG", qtables=tables, subsampling=2 if like.subsampling is None else like.subsampling)
    _write_bytes(path, buffer.getvalue())


def write_tiff(path: Path, pixels: NDArray[Any]) -> None:
    """Write (H, W) or (H, W, 3), uint8 or uint16, as TIFF without loss; the same pixels always give the same bytes.

    Raises:
        StorageError: The file could not be written (full disk, no permission).
    """
    import tifffile

    buffer = io.BytesIO()
    photometric = "rgb" if pixels.ndim == 3 else "minisblack"
    tifffile.imwrite(buffer, pixels, photometric=photometric, compression="zlib", predictor=True, metadata=None, software=False)
    _write_bytes(path, buffer.getvalue())


def _write(path: Path, extension: str, pixels: NDArray[Any], options: list[int]) -> None:
    import cv2

    ordered = pixels if pixels.ndim == 2 else cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2BGR)
    done, encoded = cv2.imencode(extension, ordered, options)
    if not done:
        raise DataError(f"{path}: {pixels.dtype} {pixels.shape} cannot be encoded as {extension}.")
    _write_bytes(path, encoded.tobytes())


def _write_bytes(path: Path, content: bytes) -> None:
    try:
        with whole_file(path) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise StorageError(
            f"{path}: could not be written ({error.strerror}). Free some space or choose another --out, then run again."
        ) from None
