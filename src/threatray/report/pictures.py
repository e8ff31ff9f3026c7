"""Pictures for the page: X-rays as a screener sees them, photos small, all as text inside the file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core.image import DUAL_ENERGY, Quantity, XrayImage
from threatray.errors import DataError

Rgb = NDArray[np.uint8]

THUMBNAIL: Final = 168
"""Longest side of a small picture, in pixels: twice the 84 that it is shown at, for sharp screens."""

_INK: Final = (28, 30, 34)
_PAPER: Final = (255, 255, 255)
_GAP: Final = 12
_CAPTION: Final = 30


@dataclass(frozen=True)
class Picture:
    """A picture inside the page.

    Args:
        uri: ``data:`` address with the whole content.
        alt: What it shows, for those who cannot see it.
        width: Pixels of the content.
        height: Pixels of the content.
    """

    uri: str
    alt: str
    width: int
    height: int


def embed(pixels: Rgb, alt: str, *, longest: int = THUMBNAIL, quality: int = 88) -> Picture:
    """Shrink a picture (never enlarge it) and put it into a ``data:`` address as JPEG with whole colour resolution.

    Args:
        pixels: (H, W, 3) RGB uint8.
        alt: What it shows.
        longest: Longest side in pixels.
        quality: JPEG quality.

    Example:
        >>> picture = embed(np.zeros((40, 80, 3), np.uint8), "black", longest=40)
        >>> picture.width, picture.height, picture.uri[:23]
        (40, 20, 'data:image/jpeg;base64,')
    """
    import cv2

    small = fit(pixels, longest, enlarge=False)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    done, encoded = cv2.imencode(".jpg", np.ascontiguousarray(small[..., ::-1]), options)
    if not done:
        raise DataError(f"report: a picture of shape {pixels.shape} ({alt}) cannot be encoded as JPEG.")
    uri = "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode("ascii")
    return Picture(uri, alt, small.shape[1], small.shape[0])


def fit(pixels: Rgb, longest: int, *, enlarge: bool = True) -> Rgb:
    """Scale so that the longest side has so many pixels."""
    import cv2

    height, width = pixels.shape[:2]
    factor = longest / max(height, width)
    if factor == 1 or (factor > 1 and not enlarge):
        return pixels
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC), np.uint8)


def colour_view(image: XrayImage) -> Rgb:
    """An X-ray as a screener's screen shows it: dual energy through the palette, colour as it is, grey as grey.

    Args:
        image: Transmission of two energies, one or three channels, or pseudo-colour.

    Returns:
        (H, W, 3) RGB uint8.
    """
    if image.channels == DUAL_ENERGY:
        from threatray.physics.pseudo_colour import DEFAULT_PALETTE

        image = DEFAULT_PALETTE.render(image)
    elif image.quantity is Quantity.ATTENUATION:
        image = image.transmission()
    values = image.values if image.values.shape[0] == 3 else np.repeat(image.values[:1], 3, axis=0)
    return to_rgb(values)


def channel_view(image: XrayImage, channel: int) -> Rgb:
    """One channel's transmission as grey: air white, opaque black."""
    return to_rgb(np.repeat(image.transmission().values[channel : channel + 1], 3, axis=0))


def to_rgb(values: NDArray[Any]) -> Rgb:
    """(3, H, W) in [0, 1] to (H, W, 3) uint8."""
    return np.ascontiguousarray(np.round(np.clip(values, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0))


def square(pixels: Rgb, side: int, ground: tuple[int, int, int] = _PAPER) -> Rgb:
    """Scale to fit a square and centre on plain ground."""
    small = fit(pixels, side)
    canvas = np.full((side, side, 3), ground, np.uint8)
    top, left = (side - small.shape[0]) // 2, (side - small.shape[1]) // 2
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas


def picture_strip(panels: Sequence[tuple[str, Rgb]], *, height: int = 240) -> Rgb:
    """Pictures side by side at one height, each with its caption below: for a README.

    Args:
        panels: Caption and (H, W, 3) RGB uint8 picture of each.
        height: Height of the pictures in pixels.

    Returns:
        (height + caption, W, 3) RGB uint8 on white.

    Raises:
        DataError: No panels.

    Example:
        >>> black = np.zeros((60, 30, 3), np.uint8)
        >>> picture_strip([("photo", black), ("X-ray", black)], height=120).shape
        (174, 212, 3)
    """
    if not panels:
        raise DataError("picture_strip: expected at least one panel, got none.")
    font = _font(15)
    scaled = [(caption, _to_height(pixels, height)) for caption, pixels in panels]
    widths = [max(pixels.shape[1], 88, _text_width(caption, font) + 4) for caption, pixels in scaled]
    canvas = np.full((height + _CAPTION + 2 * _GAP, sum(widths) + _GAP * (len(widths) + 1), 3), _PAPER, np.uint8)
    left = _GAP
    middles: list[tuple[str, int]] = []
    for (caption, pixels), width in zip(scaled, widths, strict=True):
        start = left + (width - pixels.shape[1]) // 2
        canvas[_GAP : _GAP + height, start : start + pixels.shape[1]] = pixels
        middles.append((caption, left + width // 2))
        left += width + _GAP
    return _write_captions(canvas, middles, _GAP + height + _CAPTION // 2 + 2, font)


def contact_sheet(images: Sequence[Rgb], *, columns: int = 8, side: int = 128) -> Rgb:
    """Many pictures in a grid of squares.

    Args:
        images: (H, W, 3) RGB uint8 each, of any size.
        columns: Pictures a row.
        side: Side of a square in pixels.

    Raises:
        DataError: No images.

    Example:
        >>> contact_sheet([np.zeros((30, 20, 3), np.uint8)] * 5, columns=4, side=32).shape
        (68, 140, 3)
    """
    if not images:
        raise DataError("contact_sheet: expected at least one image, got none.")
    gap = 4
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    sheet = np.full((rows * side + (rows - 1) * gap, columns * side + (columns - 1) * gap, 3), _PAPER, np.uint8)
    for place, image in enumerate(images):
        top, left = place // columns * (side + gap), place % columns * (side + gap)
        sheet[top : top + side, left : left + side] = square(image, side)
    return sheet


def _to_height(pixels: Rgb, height: int) -> Rgb:
    import cv2

    factor = height / pixels.shape[0]
    size = max(1, round(pixels.shape[1] * factor)), height
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC), np.uint8)


def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _text_width(text: str, font: Any) -> int:
    return int(np.ceil(font.getlength(text)))


def _write_captions(canvas: Rgb, captions: Sequence[tuple[str, int]], y: int, font: Any) -> Rgb:
    from PIL import Image, ImageDraw

    sheet = Image.fromarray(canvas)
    pen = ImageDraw.Draw(sheet)
    for caption, x in captions:
        pen.text((x, y), caption, fill=_INK, font=font, anchor="mm")
    return np.asarray(sheet)
