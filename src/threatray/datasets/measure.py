"""What one picture's pixels say: air, bag, colours, and how hidden each annotated thing is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.datasets.bag_region import BagRegion, bag_region
from threatray.datasets.dataset import Entry
from threatray.datasets.fingerprints import Fingerprint, fingerprint_of
from threatray.datasets.reduced import read_reduced
from threatray.errors import DataError

HUE_BINS: Final = 36
"""10 degrees each, from red."""

_COLOURED: Final = 40
"""Saturation of 255 from which a pixel's hue means something."""

_DARKEST: Final = 1 / 255
_DENSE: Final = 0.8
"""Mean attenuation from which what is boxed is metal for the most part; below it, equally dense matter is anything."""


_Cells = tuple[int, int, int, int]


@dataclass(frozen=True)
class ThingMeasure:
    """How hidden one annotated thing is: proxies from the picture, not truth.

    Args:
        attenuation: Mean -ln(brightness / air) inside the box.
        around: The same in the ring around it, a quarter of the box wide: what else lies there.
        edges: Mean brightness step between neighbouring pixels inside the box, of 1: clutter.
    """

    attenuation: float
    around: float
    edges: float


@dataclass(frozen=True)
class Measurement:
    """What one entry's pixels say.

    Args:
        fingerprint: For finding copies; its fault says why nothing else was measured.
        air: Red, green, blue of the air, 0 to 255.
        grey: Whether the shown file is grey.
        bag_area: Share of the picture that is not air.
        saturation: Mean saturation of the bag, 0 to 1.
        hues: Shares of the bag's coloured pixels over ``HUE_BINS`` bins: the palette.
        things: One for each annotated thing.
        dark_outside: How much of the picture lets through as little as what is boxed (in the mean) but lies outside all boxes,
            as a multiple of what lies inside; 0 without boxes, or where what is boxed is not dense enough to tell.
    """

    fingerprint: Fingerprint
    air: tuple[float, float, float] = (0.0, 0.0, 0.0)
    grey: bool = False
    bag_area: float = 0.0
    saturation: float = 0.0
    hues: tuple[float, ...] = (0.0,) * HUE_BINS
    things: tuple[ThingMeasure, ...] = ()
    dark_outside: float = 0.0


def measure(entry: Entry) -> Measurement:
    """Read one entry's files to their ends and measure its small picture. Pure, so that workers can share the work.

    Example:
        >>> from pathlib import Path
        >>> from threatray.core import Annotations
        >>> gone = Entry(id="a", image_path=Path("gone.png"), width=8, height=8, things=Annotations.none(), group="a")
        >>> measure(gone).fingerprint.fault
        'gone.png: no such image file.'
    """
    try:
        read = read_reduced(entry)
    except DataError as error:
        return Measurement(Fingerprint("", 0, str(error)))
    region = bag_region(read.pixels)
    saturation, hues = (0.0, (0.0,) * HUE_BINS) if read.grey else _palette(read.pixels, region.mask)
    red, green, blue = region.air.tolist()
    things, dark = _things(entry, region)
    return Measurement(fingerprint_of(read, region), (red, green, blue), read.grey, region.area, saturation, hues, things, dark)


def _palette(pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> tuple[float, tuple[float, ...]]:
    import cv2

    tones = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2HSV)
    saturation = tones[..., 1]
    coloured = tones[..., 0][mask & (saturation > _COLOURED)]
    counts = np.bincount(coloured.astype(np.int64) * HUE_BINS // 180, minlength=HUE_BINS)[:HUE_BINS]
    total = max(int(counts.sum()), 1)
    mean = cv2.mean(saturation, mask=mask.view(np.uint8))[0]
    return float(mean) / 255, tuple(round(float(count) / total, 4) for count in counts)


def _things(entry: Entry, region: BagRegion) -> tuple[tuple[ThingMeasure, ...], float]:
    """Sums over boxes from summed-area tables, so that many boxes cost no more than one."""
    if not len(entry.things):
        return (), 0.0
    import cv2

    height, width = region.mask.shape
    grey = region.brightness / np.float32(max(float(region.air.mean()), 1.0))
    attenuation = -np.log(np.clip(grey, _DARKEST, 1.0))
    steps = np.zeros_like(grey)
    steps[:, :-1] += np.abs(np.diff(grey, axis=1))
    steps[:-1, :] += np.abs(np.diff(grey, axis=0))
    sums, step_sums = cv2.integral(attenuation, sdepth=cv2.CV_64F), cv2.integral(steps, sdepth=cv2.CV_64F)
    across, down = width / entry.width, height / entry.height
    found, boxes = [], []
    for x0, y0, x1, y1 in entry.boxes.tolist():
        inner = _cells(x0 * across, y0 * down, x1 * across, y1 * down, width, height)
        wide, high = 0.25 * (x1 - x0), 0.25 * (y1 - y0)
        outer = _cells((x0 - wide) * across, (y0 - high) * down, (x1 + wide) * across, (y1 + high) * down, width, height)
        inside, area = _sum(sums, inner), _area(inner)
        ring = _area(outer) - area
        around = (_sum(sums, outer) - inside) / ring if ring else 0.0
        boxes.append(inner)
        found.append(ThingMeasure(round(inside / area, 5), round(max(around, 0.0), 5), round(_sum(step_sums, inner) / area, 5)))
    return tuple(found), _dark_outside(attenuation, boxes, np.mean([one.attenuation for one in found]))


def _dark_outside(attenuation: NDArray[np.float32], boxes: list[_Cells], mean: np.floating[Any]) -> float:
    if mean < _DENSE:
        return 0.0
    dark = attenuation >= float(mean)
    everywhere = int(dark.sum())
    for left, top, right, bottom in boxes:
        dark[top:bottom, left:right] = False
    outside = int(dark.sum())
    return round(outside / max(everywhere - outside, 1), 3)


def _cells(x0: float, y0: float, x1: float, y1: float, width: int, height: int) -> _Cells:
    """Whole pixels of a box, at least one."""
    left, top = min(max(round(x0), 0), width - 1), min(max(round(y0), 0), height - 1)
    return left, top, max(min(round(x1), width), left + 1), max(min(round(y1), height), top + 1)


def _area(cells: _Cells) -> int:
    return (cells[2] - cells[0]) * (cells[3] - cells[1])


def _sum(table: NDArray[Any], cells: _Cells) -> float:
    left, top, right, bottom = cells
    return float(table[bottom, right] - table[top, right] - table[bottom, left] + table[top, left])
