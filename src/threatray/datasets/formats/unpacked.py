"""Pictures that live inside archives, as files: a cache addressed by content, outside every dataset.

Entries name files, but tar shards and parquet files hold pictures as bytes. They are written once to
``$THREATRAY_CACHE/unpacked`` (default ``$XDG_CACHE_HOME/threatray`` or ``~/.cache/threatray``) under the hash of their bytes,
so that reading the same shards again writes nothing, equal pictures are stored once, and nothing is written into a dataset.
The folder may be deleted at any time; the next reading fills it again.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from threatray.errors import DataError, StorageError

CACHE_VARIABLE: Final = "THREATRAY_CACHE"
"""Environment variable that moves the cache."""

LARGEST_PICTURE: Final = 512_000_000
"""Bytes of one encoded picture; larger ones are refused."""

_MAGIC: Final = (
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"BM", ".bmp"),
    (b"II*\0", ".tif"),
    (b"MM\0*", ".tif"),
)


def cache_folder() -> Path:
    """Where unpacked pictures go."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        return Path(named) / "unpacked"
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache") / "threatray" / "unpacked"


def picture_suffix(data: bytes) -> str:
    """The suffix that fits an encoded picture's first bytes.

    Raises:
        DataError: None of the kinds that are read.

    Example:
        >>> picture_suffix(b"BM6...")
        '.bmp'
    """
    for magic, suffix in _MAGIC:
        if data.startswith(magic):
            return suffix
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return ".webp"
    raise DataError("its picture is no PNG, JPEG, BMP, TIFF or WebP")


def unpacked(data: bytes) -> Path:
    """The file with these bytes, written now unless it is there.

    Args:
        data: An encoded picture.

    Returns:
        A path below ``cache_folder()``; equal bytes give equal paths.

    Raises:
        DataError: No picture, or too large.
        StorageError: The cache cannot be written.
    """
    if len(data) > LARGEST_PICTURE:
        raise DataError(f"its picture has {len(data):,} bytes, more than the {LARGEST_PICTURE:,} that are read")
    suffix = picture_suffix(data)
    name = hashlib.sha256(data).hexdigest()
    path = cache_folder() / name[:2] / (name + suffix)
    try:
        if path.is_file() and path.stat().st_size == len(data):
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{name}.{os.getpid()}.tmp")  # two processes may unpack the same picture
        try:
            temporary.write_bytes(data)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(
            f"{path}: the picture could not be unpacked ({error.strerror}). Free some space or set {CACHE_VARIABLE} to another folder."
        ) from None
    return path
