"""Thumbnails of the user's images with their boxes, for the inspection page alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from threatray.core.image_file import read_pixels
from threatray.datasets.entry_table import EntryTable, Shown
from threatray.errors import DataError
from threatray.report.composites import Box
from threatray.report.pictures import Picture, Rgb, embed

_LONGEST: Final = 320


@dataclass(frozen=True)
class Shot:
    """One image: its thumbnail (None if it cannot be read), boxes, and words below it."""

    id: str
    picture: Picture | None
    boxes: tuple[Box, ...]
    words: str


class Album:
    """Finds and shrinks images by id, each once.

    Args:
        table: Entries; None for an album without pictures.
        legend: Classes in the order of their colours.
    """

    def __init__(self, table: EntryTable | None, legend: Sequence[str]) -> None:
        self._table = table
        self._colours = {name: place % 6 for place, name in enumerate(legend)}
        self._taken: dict[str, tuple[Picture | None, tuple[Box, ...], str]] = {}

    def shots(self, ids: Sequence[str], words: str = "") -> tuple[Shot, ...]:
        """Each with the words added to what it shows; none without a table."""
        if self._table is None:
            return ()
        shots = []
        for name in ids:
            picture, boxes, said = self._take(name)
            shots.append(Shot(name, picture, boxes, ", ".join(filter(None, (said, words)))))
        return tuple(shots)

    def _take(self, name: str) -> tuple[Picture | None, tuple[Box, ...], str]:
        assert self._table is not None
        if name not in self._taken:
            shown = self._table.shown(self._table.place_of(name))
            labels = ", ".join(label for label, _ in shown.things)
            self._taken[name] = (_thumbnail(shown, labels), self._boxes(shown), labels)
        return self._taken[name]

    def _boxes(self, shown: Shown) -> tuple[Box, ...]:
        across, down = 100 / shown.width, 100 / shown.height
        return tuple(
            Box(across * x0, down * y0, across * (x1 - x0), down * (y1 - y0), label, self._colours.get(label, 0))
            for label, (x0, y0, x1, y1) in shown.things
        )


def _thumbnail(shown: Shown, labels: str) -> Picture | None:
    pixels = _pixels(shown.path)
    if pixels is None:
        return None
    return embed(pixels, f"Image {shown.id}" + (f" with {labels}" if labels else ""), longest=_LONGEST, quality=80)


def _pixels(path: Path) -> Rgb | None:
    try:
        pixels = read_pixels(path)
    except DataError:
        return None
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    return np.ascontiguousarray(np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels)
