"""Contact sheets: a signature library as one picture to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from threatray.core.image import DUAL_ENERGY
from threatray.core.signature import Signature
from threatray.errors import DataError
from threatray.physics.pseudo_colour import DEFAULT_PALETTE
from threatray.tip.library import LibraryEntry

_LINES: Final = 3
_LINE_PIXELS: Final = 14
_INK: Final = (60, 60, 60)


def thumbnail(signature: Signature, side: int) -> NDArray[np.uint8]:
    """A signature on white, fitted into a square: colour as colour, two energies as a screen shows them.

    Args:
        signature: What to show.
        side: Pixels.

    Returns:
        (side, side, 3) uint8 RGB.
    """
    import cv2

    shown = DEFAULT_PALETTE.render(signature.image) if signature.image.channels == DUAL_ENERGY else signature.image
    picture = shown.values if len(shown.values) == 3 else np.repeat(shown.values.mean(axis=0, keepdims=True), 3, axis=0)
    scale = (side - 6) / max(signature.image.size)
    size = (max(1, round(signature.image.width * scale)), max(1, round(signature.image.height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(np.ascontiguousarray(picture.transpose(1, 2, 0)), size, interpolation=way)
    tile = np.full((side, side, 3), 255, np.uint8)
    top, left = (side - size[1]) // 2, (side - size[0]) // 2
    tile[top : top + size[1], left : left + size[0]] = np.round(np.clip(small, 0, 1) * 255).astype(np.uint8)
    return tile


def caption(entry: LibraryEntry) -> tuple[str, str, str]:
    """Class and quality; id; origin and size."""
    quality = "quality unknown" if entry.quality is None else f"quality {entry.quality:.2f}"
    return f"{entry.class_name}, {quality}", entry.id, f"{entry.origin.kind.value}, {entry.width}x{entry.height}"


def labelled_sheet(
    signatures: Sequence[Signature], entries: Sequence[LibraryEntry], *, tile: int = 160, columns: int = 8
) -> NDArray[np.uint8]:
    """All signatures side by side, each over its class, quality, id and origin.

    Args:
        signatures: What to show.
        entries: Their entries, in the same order.
        tile: Side of a picture in pixels.
        columns: Pictures in a row.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        DataError: Nothing to show.
    """
    import cv2

    if not signatures:
        raise DataError("contact sheet: no signatures to show.")
    tall = tile + _LINES * _LINE_PIXELS + 4
    rows = -(-len(signatures) // columns)
    sheet = np.full((rows * tall, min(columns, len(signatures)) * tile, 3), 255, np.uint8)
    for number, (signature, entry) in enumerate(zip(signatures, entries, strict=True)):
        top, left = number // columns * tall, number % columns * tile
        sheet[top : top + tile, left : left + tile] = thumbnail(signature, tile)
        for line, text in enumerate(caption(entry)):
            place = (left + 4, top + tile + (line + 1) * _LINE_PIXELS - 3)
            cv2.putText(sheet, _fitted(text, tile - 8), place, cv2.FONT_HERSHEY_SIMPLEX, 0.36, _INK, 1, cv2.LINE_AA)
    return sheet


def _fitted(text: str, width: int) -> str:
    """The text, its middle left out if it is too long; letters that the picture font lacks become question marks."""
    import cv2

    plain = text.encode("ascii", "replace").decode()
    shown = plain
    while cv2.getTextSize(shown, cv2.FONT_HERSHEY_SIMPLEX, 0.36, 1)[0][0] > width and len(plain) > 4:
        half = (len(plain) - 1) // 2
        plain = plain[:half] + plain[half + 1 :]
        shown = plain[: len(plain) // 2] + ".." + plain[len(plain) // 2 :]
    return shown
