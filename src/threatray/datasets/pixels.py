"""Image files as X-ray images: sizes from the header, colour as shown, transmissions from counts."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import COLOUR, DUAL_ENERGY, GREY, TRANSMISSION_FLOOR, BoolArray, FloatArray, Quantity, XrayImage
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
                turned = kind in ("JPEG", "WEBP") and image.getexif().get(_EXIF_ORIENTATION, 1) in (5, 6, 7, 8)
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
    """A scan's counts as a transmission, and how many of its values had to be clipped.

    Args:
        image: Transmission; two channels with low energy first, or one grey channel.
        counts: (C, H, W) uint8 or uint16, as stored.
        white_levels: The count of empty air in each channel.
        over_white: Counts brighter than the white level (noise in air).
        under_floor: Counts under half a grey level (starved pixels).
    """

    image: XrayImage
    counts: NDArray[Any]
    white_levels: tuple[int, ...]
    over_white: int
    under_floor: int

    @property
    def values(self) -> int:
        """How many values there are, to hold the clipped ones against."""
        return int(self.counts.size)

    def counts_of(self, composite: XrayImage, changed: BoolArray) -> NDArray[Any]:
        """A composite made from this scan as the counts that its scanner would store, at the scan's own depth and white level.

        Args:
            composite: Transmission of the same channels and size.
            changed: (H, W) bool, where it differs from the scan; elsewhere the scan's counts are kept, bit for bit.

        Returns:
            (C, H, W) of the dtype of ``counts``; off by at most half a level where changed.

        Raises:
            DataError: Other channels or another size.
        """
        if composite.channels != self.image.channels or composite.size != self.image.size or changed.shape != composite.size:
            wanted, got = f"{self.image.channels} {self.image.size}", f"{composite.channels} {composite.size}, mask {changed.shape}"
            raise DataError(f"counts: expected a composite of this scan, {wanted}; got {got}.")
        white = np.array(self.white_levels, np.float64)[:, None]
        counts = self.counts.copy()
        counts[:, changed] = np.rint(composite.values[:, changed] * white).astype(counts.dtype)
        return counts


def read_transmission(low_path: Path, high_path: Path, white_level: int | None = None) -> TransmissionReading:
    """Two grey files of one view as a transmission T = count / white_level.

    Args:
        low_path: Low-energy counts.
        high_path: High-energy counts, of the same size.
        white_level: The count of empty air in both; None takes it from each file's own air (one level for both if they
            are within a hundredth).

    Returns:
        The transmission clipped to [``TRANSMISSION_FLOOR``, 1], with what was clipped.

    Raises:
        DataError: A file cannot be read, has colours, the sizes or depths differ, or there is no air.
    """
    low, high = read_counts(low_path), read_counts(high_path)
    if low.shape != high.shape:
        raise DataError(f"{low_path}: has {_size(low)} pixels, {high_path.name} has {_size(high)}; they must be of one size.")
    if low.dtype != high.dtype:
        raise DataError(f"{low_path}: has {low.itemsize * 8} bits, {high_path.name} has {high.itemsize * 8}; they must be of one depth.")
    whites = [white_level or _white_of(pixels, path) for pixels, path in ((low, low_path), (high, high_path))]
    if abs(whites[0] - whites[1]) <= _ONE_LEVEL * max(whites):
        whites = [round(sum(whites) / 2)] * 2
    return as_transmission(np.stack([low, high]), tuple(whites), DUAL_ENERGY)


def read_grey(path: Path, white_level: int | None = None) -> TransmissionReading:
    """A grey file of counts as a transmission T = count / white_level.

    Args:
        path: Counts of one energy, 8 or 16 bit.
        white_level: The count of empty air; None takes it from the file's own air.

    Returns:
        The transmission clipped to [``TRANSMISSION_FLOOR``, 1], with what was clipped.

    Raises:
        DataError: The file cannot be read, has colours, or there is no air.
    """
    pixels = read_counts(path)
    return as_transmission(pixels[None], (white_level or _white_of(pixels, path),), GREY)


def as_transmission(counts: NDArray[Any], white_levels: tuple[int, ...], channels: tuple[str, ...]) -> TransmissionReading:
    """Counts as a transmission, clipped and counted.

    Args:
        counts: (C, H, W) uint8 or uint16.
        white_levels: The count of empty air in each channel.
        channels: Their names.

    Example:
        >>> reading = as_transmission(np.array([[[0, 30_000, 61_000]]], np.uint16), (60_000,), GREY)
        >>> reading.image.values[0, 0].tolist(), reading.over_white, reading.under_floor
        ([7.62939453125e-06, 0.5, 1.0], 1, 1)
    """
    # Both are whole numbers below 2^24, so single precision divides them exactly rounded; a wide scan fits in memory but once.
    white = np.array(white_levels, np.float32)[:, None, None]
    values = np.divide(counts, white, dtype=np.float32)
    np.clip(values, np.float32(TRANSMISSION_FLOOR), np.float32(1), out=values)
    image = XrayImage(values, Quantity.TRANSMISSION, channels)
    over = sum(int(np.count_nonzero(plane > level)) for plane, level in zip(counts, white_levels, strict=True))
    under = sum(int(np.count_nonzero(plane < level * TRANSMISSION_FLOOR)) for plane, level in zip(counts, white_levels, strict=True))
    return TransmissionReading(image, counts, white_levels, over, under)


def read_counts(path: Path) -> NDArray[Any]:
    """A grey file's counts as stored, (H, W) uint8 or uint16.

    Raises:
        DataError: The file cannot be read, or has colours or alpha.
    """
    pixels = read_pixels(path)
    if pixels.ndim != 2:
        raise DataError(f"{path}: expected a grey image of counts, got colours (or alpha) of {pixels.itemsize * 8} bits.")
    return pixels


def white_level_of(counts: NDArray[Any]) -> int | None:
    """The count of empty air: the brightest level that fills a good part of the border, else of the picture.

    Args:
        counts: (H, W) uint8 or uint16, not negative.

    Returns:
        The middle of the air's counts, or their top where the file was cut off there; None for a picture without any count.

    Note:
        Where a bag fills the whole picture its thinnest part passes for air: give the white level instead.

    Example:
        >>> counts = np.full((40, 50), 60_000, np.uint16); counts[10:30, 10:40] = 20_000
        >>> white_level_of(counts)
        60000
    """
    top = int(counts.max())
    if top == 0:
        return None
    rim = max(1, min(counts.shape) // 100)
    border = np.concatenate([counts[:rim].ravel(), counts[-rim:].ravel(), counts[:, :rim].ravel(), counts[:, -rim:].ravel()])
    for pixels, least_share in ((border, 0.1), (counts.ravel(), 0.005), (counts.ravel(), 0.0)):
        air = _brightest_mode(pixels, top, least_share)
        if air is not None:
            return air
    return None


_ONE_LEVEL: Final = 0.01
"""Energies whose air differs by less than this share have one white level, of which noise has made two."""
_AIR_BINS: Final = 96
_DARKEST_AIR: Final = 0.5
_CUT_OFF_SHARE: Final = 0.1


def _brightest_mode(pixels: NDArray[Any], top: int, least_share: float) -> int | None:
    """The mode nearest to the top that holds a share of the pixels; nothing under half of the top is air."""
    place = np.minimum(pixels.astype(np.int64) * _AIR_BINS // (top + 1), _AIR_BINS - 1)
    found = np.bincount(place, minlength=_AIR_BINS)
    together = np.convolve(found, np.ones(3, np.int64), mode="same")  # a mode may straddle two bins
    strong = np.flatnonzero((together >= max(1.0, least_share * pixels.size)) & (found > 0))
    strong = strong[strong >= _DARKEST_AIR * _AIR_BINS]
    if strong.size == 0:
        return None
    best = int(strong[-1])
    while best > 0 and found[best - 1] > found[best]:  # the brightest strong bin may be the tail of a mode: climb to its top
        best -= 1
    near = pixels[np.abs(place - best) <= 1]
    brightest = int(near.max())
    cut_off = float((near == brightest).mean()) >= _CUT_OFF_SHARE  # a scanner that stores nothing brighter than its white
    return brightest if cut_off else int(np.median(near))


def _white_of(pixels: NDArray[Any], path: Path) -> int:
    found = white_level_of(pixels)
    if found is None:
        raise DataError(f"{path}: every pixel is 0, so there is no air to take the white level from. Leave the file out.")
    return found


def _size(pixels: NDArray[Any]) -> str:
    return f"{pixels.shape[1]}x{pixels.shape[0]}"
