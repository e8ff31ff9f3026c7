"""How a JPEG was compressed, so that a picture made from it can be compressed alike."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.errors import ConfigError

_SUFFIXES: Final = (".jpg", ".jpeg")
_ORIENTATION: Final = 0x0112
_END: Final = b"\xff\xd9"
_LARGEST: Final = 100_000_000

_SUBSAMPLINGS: Final = (0, 1, 2)
"""Pillow's names for 4:4:4, 4:2:2 and 4:2:0."""


@dataclass(frozen=True)
class JpegEncoding:
    """What decides the loss of a JPEG: its quantisation tables and how coarsely it stores the colours.

    Args:
        tables: Quantisation tables of 64 steps each, in row order; the first is the luminance's.
        subsampling: 0 for 4:4:4, 1 for 4:2:2, 2 for 4:2:0; None for grey.

    Raises:
        ConfigError: Tables of another size or steps that a JPEG cannot hold.

    Example:
        >>> JpegEncoding(((1,) * 64,), 0).subsampling
        0
    """

    tables: tuple[tuple[int, ...], ...]
    subsampling: int | None = None

    def __post_init__(self) -> None:
        if not 1 <= len(self.tables) <= 4 or any(len(table) != 64 or min(table) < 1 for table in self.tables):
            raise ConfigError("JPEG encoding: expected one to four quantisation tables of 64 steps of at least 1.")
        if self.subsampling is not None and self.subsampling not in _SUBSAMPLINGS:
            raise ConfigError(f"JPEG encoding: subsampling must be 0, 1 or 2, got {self.subsampling}.")

    @property
    def standard_quality(self) -> int | None:
        """The quality from 1 to 100 whose standard tables these are, as the common encoders count; None for tables of one's own.

        Example:
            >>> JpegEncoding(((1,) * 64, (1,) * 64), 0).standard_quality
            100
        """
        return _standard().get(self.tables)


@lru_cache(maxsize=1)
def _standard() -> dict[tuple[tuple[int, ...], ...], int]:
    from PIL import Image

    found: dict[tuple[tuple[int, ...], ...], int] = {}
    for quality in range(1, 101):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8)).save(buffer, "JPEG", quality=quality)
        buffer.seek(0)
        with Image.open(buffer) as image:
            tables = _tables(image)
        found[tables] = quality
        found[tables[:1]] = quality
    return found


def _tables(image: Any) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(step) for step in table) for _, table in sorted(image.quantization.items()))


def jpeg_encoding(path: Path) -> JpegEncoding | None:
    """How a file was compressed, from its header; None if it is no JPEG, or none that could be written again (CMYK).

    Example:
        >>> jpeg_encoding(Path("no-such-file.jpg")) is None
        True
    """
    from PIL import Image

    if path.suffix.lower() not in _SUFFIXES:
        return None
    try:
        with Image.open(path) as image:
            return _encoding_of(image)
    except (OSError, SyntaxError, ValueError):  # whoever decodes it says what is wrong
        return None


def read_plain_jpeg(path: Path) -> tuple[NDArray[np.uint8], JpegEncoding] | None:
    """Pixels and encoding of an ordinary JPEG in one go, faster than ``read_pixels`` and with the same pixels.

    Returns:
        (H, W) or (H, W, 3) RGB uint8 with the encoding; None for anything out of the ordinary (no JPEG, CMYK, turned by its EXIF,
        cut off, very large), which is ``read_pixels``'s to read or to complain about.
    """
    import cv2
    from PIL import Image

    if path.suffix.lower() not in _SUFFIXES:
        return None
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            encoding = _encoding_of(image)
            turned = image.getexif().get(_ORIENTATION, 1) != 1 if "exif" in image.info else False
            grey, size = image.mode == "L", image.size
    except (OSError, SyntaxError, ValueError):
        return None
    if encoding is None or turned or not content.endswith(_END) or size[0] * size[1] > _LARGEST:
        return None
    flags = cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or pixels.shape[1::-1] != size:
        return None
    return (pixels if grey else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)), encoding


def _encoding_of(image: Any) -> JpegEncoding | None:
    from PIL import JpegImagePlugin

    if image.format != "JPEG" or image.mode not in ("L", "RGB"):
        return None
    tables = _tables(image)
    if not tables or any(min(table) < 1 for table in tables):
        return None
    sampling = JpegImagePlugin.get_sampling(image)
    if image.mode == "L":
        return JpegEncoding(tables, None)
    return JpegEncoding(tables, sampling if sampling in _SUBSAMPLINGS else 2)
