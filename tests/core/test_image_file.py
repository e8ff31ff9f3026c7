"""Pixels as scanners and tools leave them: each is read at its own depth, or refused with the reason."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from threatray.core.image_file import is_grey, read_pixels, write_jpeg, write_png
from threatray.errors import DataError

DEEP = np.random.default_rng(0).integers(0, 65536, (37, 31, 3), dtype=np.uint16)


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(["png", "tif", "big_endian", "planar", "deflate"]), st.booleans(), st.integers(0, 2**32 - 1))
def test_sixteen_bits_stay_sixteen_bits(tmp_path_factory: pytest.TempPathFactory, kind: str, colour: bool, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 65536, (37, 31, 3) if colour else (37, 31), dtype=np.uint16)
    folder, light = tmp_path_factory.mktemp("deep"), "rgb" if colour else "minisblack"
    path = folder / ("a.png" if kind == "png" else "a.tif")
    if kind == "png":
        write_png(path, pixels)
    elif kind == "planar" and colour:
        tifffile.imwrite(path, pixels.transpose(2, 0, 1), photometric=light, planarconfig="separate")
    else:
        tifffile.imwrite(
            path,
            pixels,
            photometric=light,
            byteorder=">" if kind == "big_endian" else "<",
            compression="zlib" if kind == "deflate" else None,
        )
    found = read_pixels(path)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, pixels)
    assert is_grey(path) is not colour


def interlaced_png(pixels: np.ndarray[Any, Any]) -> bytes:
    """A 16-bit grey PNG in the seven passes of Adam7, written by hand."""
    height, width = pixels.shape
    raw = b""
    for top, left, down, right in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)):
        for row in pixels[top::down, left::right]:
            raw += b"\0" + row.astype(">u2").tobytes() if row.size else b""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def test_an_interlaced_sixteen_bit_png_is_read_exactly(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(interlaced_png(DEEP[..., 0]))
    np.testing.assert_array_equal(read_pixels(tmp_path / "a.png"), DEEP[..., 0])


def test_deep_alpha_is_laid_over_white(tmp_path: Path) -> None:
    pixels = np.array([[[3, 2, 1, 65535], [9, 9, 9, 0], [0, 0, 0, 32768]]], np.uint16)  # blue, green, red, alpha
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    np.testing.assert_array_equal(read_pixels(tmp_path / "a.png"), [[[1, 2, 3], [65535] * 3, [32767] * 3]])


def test_a_tiff_in_which_zero_is_white_is_turned_over(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", DEEP[..., 0], photometric="miniswhite")
    np.testing.assert_array_equal(read_pixels(tmp_path / "a.tif"), 65535 - DEEP[..., 0])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("colour", [False, True])
def test_deep_pictures_are_turned_as_shallow_ones(tmp_path: Path, orientation: int, colour: bool) -> None:
    deep = DEEP if colour else DEEP[..., 0]
    shallow = Image.fromarray((deep >> 8).astype(np.uint8))
    exif = shallow.getexif()
    exif[274] = orientation
    expected = np.asarray(ImageOps.exif_transpose(shallow))
    if not colour:
        Image.fromarray(deep).save(tmp_path / "a.png", exif=exif)
        np.testing.assert_array_equal(read_pixels(tmp_path / "a.png") >> 8, expected)
    light = "rgb" if colour else "minisblack"
    tifffile.imwrite(tmp_path / "a.tif", deep, photometric=light, extratags=[(274, 3, 1, orientation, True)])
    if orientation > 4:
        with pytest.raises(DataError, match=f"a TIFF that lies on its side .orientation {orientation}.. Save it upright"):
            read_pixels(tmp_path / "a.tif")
    else:
        np.testing.assert_array_equal(read_pixels(tmp_path / "a.tif") >> 8, expected)


def test_a_tiff_of_two_pages_is_refused_rather_than_halved(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "pair.tif", DEEP[..., :2].transpose(2, 0, 1), photometric="minisblack")
    with pytest.raises(DataError, match=r"pair.tif: expected one picture, got a TIFF of 2 pages. Write each page to a file of its own"):
        read_pixels(tmp_path / "pair.tif")


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf, -1.0, 65536.0])
def test_a_float_tiff_holds_whole_levels_or_is_refused(tmp_path: Path, value: float) -> None:
    whole = DEEP[..., 0].astype(np.float32)
    tifffile.imwrite(tmp_path / "whole.tif", whole)
    np.testing.assert_array_equal(read_pixels(tmp_path / "whole.tif"), DEEP[..., 0])
    whole[3, 5] = value
    tifffile.imwrite(tmp_path / "part.tif", whole)
    with pytest.raises(DataError, match=r"part.tif: expected whole grey levels in \[0, 65535\], got float32"):
        read_pixels(tmp_path / "part.tif")


@pytest.mark.parametrize(("dtype", "level"), [(np.int16, -3), (np.uint32, 70_000)])
def test_levels_beyond_sixteen_bits_are_refused(tmp_path: Path, dtype: Any, level: int) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.full((3, 4), level, dtype))
    with pytest.raises(DataError, match="expected whole grey levels"):
        read_pixels(tmp_path / "a.tif")


def test_a_cmyk_jpeg_shows_its_colours(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 128, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    np.testing.assert_allclose(read_pixels(tmp_path / "a.jpg").reshape(-1, 3), np.tile([255, 127, 0], (64, 1)), atol=6)


def test_a_palette_keeps_its_colours(tmp_path: Path) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putdata([0, 1])
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_pixels(tmp_path / "a.png"), [[[10, 20, 30], [200, 100, 50]]])
    assert not is_grey(tmp_path / "a.png")


def test_the_widest_scans_are_read(tmp_path: Path) -> None:
    wide = np.tile(np.arange(256, dtype=np.uint8), 254)[None].repeat(3, axis=0)  # 65,024 columns
    write_jpeg(tmp_path / "a.jpg", wide)
    assert read_pixels(tmp_path / "a.jpg").shape == wide.shape
    write_png(tmp_path / "a.png", np.pad(wide, ((0, 0), (0, 9000))))  # beyond what JPEG can
    assert read_pixels(tmp_path / "a.png").shape == (3, 74_024)


def test_what_is_no_image_is_not_grey(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"a.png: cannot be opened as an image"):
        is_grey(tmp_path / "a.png")


def test_a_deep_picture_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", DEEP)
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="broken or cut off"):
        read_pixels(tmp_path / "a.png")
