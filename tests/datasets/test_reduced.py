"""Small decoding: as the whole picture, but faster, and no broken file passes."""

from __future__ import annotations

import hashlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from threatray.core import Annotations
from threatray.core.image_file import write_jpeg, write_png
from threatray.datasets.dataset import Entry
from threatray.datasets.reduced import SMALL_SIDE, read_reduced
from threatray.errors import DataError


def smooth(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[0:height, 0:width]
    planes = [rows * 200 / height + 20, columns * 200 / width + 20, (rows + columns) * 100 / (height + width) + 60]
    return np.stack(planes, axis=2).astype(np.uint8)


def entry(path: Path, width: int, height: int) -> Entry:
    return Entry(id="a", image_path=path, width=width, height=height, things=Annotations.none(), group="a")


@pytest.mark.parametrize(("height", "width"), [(600, 800), (601, 397), (120, 90), (90, 1500)])
def test_a_reduced_jpeg_is_the_averaged_picture(height: int, width: int, tmp_path: Path) -> None:
    import cv2

    pixels = smooth(height, width)
    write_jpeg(tmp_path / "a.jpg", pixels, quality=95)
    read = read_reduced(entry(tmp_path / "a.jpg", width, height))
    assert min(max(height, width), 192) <= max(read.pixels.shape) <= SMALL_SIDE
    expected = cv2.resize(pixels, read.pixels.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(read.pixels.astype(int) - expected).mean() < 2
    assert read.sha256 == hashlib.sha256(hashlib.sha256((tmp_path / "a.jpg").read_bytes()).hexdigest().encode()).hexdigest()


@pytest.mark.parametrize("kept", [0.3, 0.8, 0.97])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_file_cut_off_is_found_though_it_is_decoded_small(kept: float, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (600, 800, 3), dtype=np.uint8)
    (write_jpeg if suffix == ".jpg" else write_png)(path, noise)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(DataError, match="cannot be decoded as an image"):
        read_reduced(entry(path, 800, 600))


def test_another_size_than_annotated_is_found(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "a.jpg", smooth(60, 80), quality=90)
    with pytest.raises(DataError, match="annotated as 60x80 pixels, holds 80x60"):
        read_reduced(entry(tmp_path / "a.jpg", 60, 80))


def test_a_turned_photo_has_the_size_it_is_seen_in(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = BytesIO()
    Image.fromarray(smooth(60, 80)).save(buffer, "JPEG", exif=exif)
    (tmp_path / "a.jpg").write_bytes(buffer.getvalue())
    assert read_reduced(entry(tmp_path / "a.jpg", 60, 80)).pixels.shape == (80, 60, 3)


def test_both_energies_are_read_and_the_high_one_is_shown(tmp_path: Path) -> None:
    low, high = np.full((40, 30), 100 << 8, np.uint16), np.full((40, 30), 200 << 8, np.uint16)
    write_png(tmp_path / "l.png", low)
    write_png(tmp_path / "h.png", high)
    pair = Entry(
        id="a", low_path=tmp_path / "l.png", high_path=tmp_path / "h.png", width=30, height=40, things=Annotations.none(), group="a"
    )
    read = read_reduced(pair)
    assert (read.grey, int(read.pixels.min()), int(read.pixels.max())) == (True, 200, 200)
    (tmp_path / "l.png").write_bytes((tmp_path / "l.png").read_bytes()[:50])
    with pytest.raises(DataError, match=r"l\.png: cannot be decoded"):
        read_reduced(pair)


def test_a_missing_file_and_a_bomb_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.jpg: no such image file"):
        read_reduced(entry(tmp_path / "gone.jpg", 3, 3))
    buffer = BytesIO()
    Image.fromarray(smooth(8, 8)).save(buffer, "JPEG")
    bomb = bytearray(buffer.getvalue())
    frame = bomb.index(b"\xff\xc0")
    bomb[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    (tmp_path / "bomb.jpg").write_bytes(bytes(bomb))
    with pytest.raises(DataError, match=r"65535x65535 pixels, more than|refused"):
        read_reduced(entry(tmp_path / "bomb.jpg", 65535, 65535))
