"""Pixels from and to files: 8 and 16 bit, grey and colour, never silently converted."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core.files import whole_file
from threatray.core.jpeg import JpegEncoding
from threatray.errors import DataError, StorageError

MAX_PIXELS = 500_000_000
"""Larger pictures are refused: no scanner makes them, decompression bombs do."""

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

_EXIF_ORIENTATION: Final = 0x0112
_TIFF_BITS: Final = 258
_TIFF_PHOTOMETRIC: Final = 262


def read_pixels(path: Path) -> NDArray[Any]:
    """Decode an image file as stored, at the depth it is stored with.

    Returns:
        (H, W) or (H, W, 3) in RGB order, uint8 or uint16. Palettes and CMYK become RGB, alpha is laid over white,
        one-bit images become 0 and 255, files in which 0 is white are turned over; EXIF rotation is applied.

    Raises:
        DataError: Missing, truncated, not an image, several pages, levels that are no whole numbers of up to 16 bit,
            or over ``MAX_PIXELS``.
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
            orientation = image.getexif().get(_EXIF_ORIENTATION, 1)  # Pillow turns a TIFF as it loads and forgets that it did
            if image.format == "TIFF":
                _refuse_tiff(path, image, orientation)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                image.load()
            if image.mode.startswith(("I", "F")):
                return _upright(_deep_grey(path, image), 1 if image.format == "TIFF" else orientation)
            if _stored_bits(path, image) > 8:
                return _upright(_deep_colour(path, image), orientation)
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


def is_grey(path: Path) -> bool:
    """Whether an image file holds one channel without a palette or alpha, from its header.

    Raises:
        DataError: Not an image.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_png(Path(folder, "a.png"), np.zeros((2, 3), np.uint16))
        ...     is_grey(Path(folder, "a.png"))
        True
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return image.mode in ("1", "L", "F") or image.mode.startswith("I")
    except Exception as error:  # Pillow's parsers raise many kinds for a broken file
        raise DataError(f"{path}: cannot be opened as an image ({type(error).__name__}).") from None


def _refuse_tiff(path: Path, image: Any, orientation: int) -> None:
    pages = getattr(image, "n_frames", 1)
    if pages > 1:
        raise DataError(
            f"{path}: expected one picture, got a TIFF of {pages} pages. Write each page to a file of its own "
            "(the two energies of a scan as *_low and *_high)."
        )
    if orientation in (5, 6, 7, 8):  # Pillow 13 scrambles the rows of such files
        raise DataError(f"{path}: a TIFF that lies on its side (orientation {orientation}). Save it upright.")


def _stored_bits(path: Path, image: Any) -> int:
    """Bits of one channel as stored; Pillow opens deep colour as if it had 8."""
    if image.format == "PNG":
        with path.open("rb") as handle:
            return int(handle.read(25)[24])
    if image.format == "TIFF":
        return int(max(image.tag_v2.get(_TIFF_BITS, (1,))))
    return 8


def _deep_grey(path: Path, image: Any) -> NDArray[np.uint16]:
    values = np.asarray(image)
    if values.dtype.kind != "u" and (
        not np.isfinite(values).all() or values.min() < 0 or values.max() > 65535 or (values != np.round(values)).any()
    ):
        raise DataError(f"{path}: expected whole grey levels in [0, 65535], got {values.dtype} in [{values.min()}, {values.max()}].")
    levels = values.astype(np.uint16)
    zero_is_white = image.format == "TIFF" and image.tag_v2.get(_TIFF_PHOTOMETRIC) == 0
    return 65535 - levels if zero_is_white else levels


def _deep_colour(path: Path, image: Any) -> NDArray[np.uint16]:
    """Colour of more than 8 bits a channel, which Pillow would cut down to 8."""
    if image.format == "PNG":
        import cv2

        pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
        pixels = None if pixels is None else pixels[..., [2, 1, 0, *range(3, pixels.shape[2])]] if pixels.ndim == 3 else pixels
    else:
        import tifffile

        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            pixels = page.asarray()
            pixels = pixels.transpose(1, 2, 0) if "S" in page.axes and page.axes.index("S") == 0 else pixels
    if pixels is None or pixels.dtype != np.uint16 or (pixels.ndim == 3 and pixels.shape[2] not in (3, 4)):
        got = "nothing" if pixels is None else f"{pixels.dtype} {pixels.shape}"
        raise DataError(f"{path}: expected grey or RGB of 8 or 16 bits, got {got}. Save it as PNG of 16 bits.")
    if pixels.ndim == 2 or pixels.shape[2] == 3:
        return np.ascontiguousarray(pixels)
    share = pixels[..., 3:].astype(np.float64) / 65535
    return np.asarray(np.rint(pixels[..., :3] * share + 65535 * (1 - share)), np.uint16)


def _upright(pixels: NDArray[np.uint16], orientation: int) -> NDArray[np.uint16]:
    """Turned as EXIF says, for arrays that did not go through Pillow."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)


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
