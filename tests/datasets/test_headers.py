"""Sizes from the first bytes agree with Pillow, or nothing is said."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from threatray.datasets import pixels
from threatray.datasets.headers import quick_size
from threatray.errors import DataError

SAVINGS = [
    ("PNG", "RGB", {}),
    ("PNG", "L", {"optimize": True}),
    ("PNG", "I;16", {}),
    ("PNG", "P", {}),
    ("PNG", "1", {}),
    ("PNG", "RGBA", {"dpi": (72, 72)}),
    ("JPEG", "RGB", {"quality": 90}),
    ("JPEG", "L", {"progressive": True}),
    ("JPEG", "CMYK", {}),
    ("JPEG", "RGB", {"comment": b"x" * 500, "dpi": (1, 1)}),
]


def saved(kind: str, mode: str, options: dict[str, object], width: int = 31, height: int = 37) -> bytes:
    if mode == "I;16":
        picture = Image.fromarray(np.arange(width * height, dtype=np.uint16).reshape(height, width))
    else:
        noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
        picture = Image.fromarray(noise).convert(mode)
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("saving", SAVINGS, ids=lambda saving: f"{saving[0]} {saving[1]}")
def test_a_plain_picture_is_measured_without_opening_it(tmp_path: Path, saving: tuple[str, str, dict[str, object]]) -> None:
    (tmp_path / "a").write_bytes(saved(*saving))
    assert quick_size(tmp_path / "a") == (37, 31)


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    saving=st.sampled_from(SAVINGS),
    size=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    place=st.integers(0, 700),
    value=st.integers(0, 255),
    cut=st.none() | st.integers(0, 900),
)
def test_whatever_is_said_pillow_says_too(
    tmp_path: Path, saving: tuple[str, str, dict[str, object]], size: tuple[int, int], place: int, value: int, cut: int | None
) -> None:
    content = bytearray(saved(*saving, *size))
    content[min(place, len(content) - 1)] = value
    (tmp_path / "a").write_bytes(content[:cut])
    quick = quick_size(tmp_path / "a")
    try:
        opened = pixels._opened_size(tmp_path / "a")
    except DataError:
        return  # a table of the JPEG is damaged: decoding it will say so
    assert quick in (None, opened)


def test_everything_else_needs_a_closer_look(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for number, (kind, options) in enumerate([("JPEG", {"exif": exif}), ("TIFF", {}), ("WEBP", {}), ("BMP", {})]):
        (tmp_path / str(number)).write_bytes(saved(kind, "RGB", options))
        assert quick_size(tmp_path / str(number)) is None
    assert quick_size(tmp_path / "gone") is None
    assert pixels.image_size(tmp_path / "0") == (31, 37)
    for kind in ("JPEG", "PNG"):
        whole = saved(kind, "RGB", {})
        (tmp_path / kind).write_bytes(whole[:-30])
        assert quick_size(tmp_path / kind) is None
        with pytest.raises(DataError, match="is broken or cut off"):
            pixels.image_size(tmp_path / kind)


def test_a_picture_of_too_many_pixels_is_refused(tmp_path: Path) -> None:
    import zlib

    content = bytearray(saved("PNG", "L", {}))
    content[16:24] = (65_535).to_bytes(4) * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4)
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match="has 65535x65535 pixels, more than"):
        pixels.image_size(tmp_path / "a.png")
