"""How a JPEG was compressed, so that a picture made from it can be compressed alike."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from threatray.errors import ConfigError

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
    from PIL import Image, JpegImagePlugin

    if path.suffix.lower() not in (".jpg", ".jpeg"):
        return None
    try:
        with Image.open(path) as image:
            if image.format != "JPEG" or image.mode not in ("L", "RGB"):
                return None
            tables = _tables(image)
            sampling = JpegImagePlugin.get_sampling(image)
    except (OSError, SyntaxError, ValueError):  # whoever decodes it says what is wrong
        return None
    if not tables or any(min(table) < 1 for table in tables):
        return None
    return JpegEncoding(tables, sampling if image.mode == "RGB" and sampling in _SUBSAMPLINGS else (2 if image.mode == "RGB" else None))
