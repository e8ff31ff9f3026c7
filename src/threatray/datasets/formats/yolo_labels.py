"""Lines of YOLO label files: boxes, outlines and rotated boxes, as numbers and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from threatray.datasets.formats.faults import CheckedBox, checked_box
from threatray.datasets.masks import check_segmentation
from threatray.errors import DataError

_MOST_OUTSIDE: Final = 2.0
"""Fractions beyond this are pixels, not a box that reaches out of its image."""

_DECIMALS: Final = 9
"""Corners of outlines come back to this many decimals of a pixel: 2.1 stays 2.1 after division and multiplication by a width."""


@dataclass(frozen=True)
class Thing:
    """One line: class number, box in pixels, and the outline if the line is one."""

    number: int
    box: CheckedBox
    outline: list[float] | None
    columns: int


def parse_line(line: str, width: int, height: int, keypoint_numbers: int = 0) -> Thing:
    """Read one line.

    Args:
        line: Class, then centre x, centre y, width and height, or the corners x, y of an outline; all as fractions of the image.
        width: Of the image.
        height: Of the image.
        keypoint_numbers: How many numbers of a pose follow the box; they are left out.

    Raises:
        DataError: Another count of numbers, no numbers, pixels instead of fractions, or no area inside the image.

    Example:
        >>> parse_line("2 0.5 0.5 0.25 0.5", 40, 20).box.box
        (15.0, 5.0, 25.0, 15.0)
    """
    words = line.split()
    columns = len(words)
    if keypoint_numbers and columns == 5 + keypoint_numbers:
        words, columns = words[:5], 5
    if columns != 5 and (columns < 7 or columns % 2 == 0):
        raise DataError(
            f"expected a class and 4 numbers (box) or 6, 8, ... (outline), got {columns} in all ({line.strip()[:60]!r}). "
            "Re-export the labels"
        )
    try:
        numbers = [float(word) for word in words]
    except ValueError:
        raise DataError(f"holds something that is no number ({line.strip()[:60]!r})") from None
    if not numbers[0].is_integer() or not 0 <= numbers[0] < 1e9:
        raise DataError(f"its class must be a whole number from 0, got {words[0][:20]!r}")
    fractions = numbers[1:]
    if not all(math.isfinite(number) for number in fractions):
        raise DataError(f"holds a number that is not finite ({line.strip()[:60]!r})")
    largest = max(fractions, key=abs)
    if abs(largest) > _MOST_OUTSIDE:
        raise DataError(f"numbers must be fractions of the image from 0 to 1, got {largest:g}. Are these pixels?")
    number = int(numbers[0])
    if columns == 5:
        return Thing(number, _box(fractions, width, height), None, columns)
    outline = [round(fraction * side, _DECIMALS) for fraction, side in zip(fractions, (width, height) * (len(fractions) // 2), strict=True)]
    across, down = outline[0::2], outline[1::2]
    box = checked_box([float(np.float32(edge)) for edge in (min(across), min(down), max(across), max(down))], width, height)
    if says_only_a_box(outline):
        return Thing(number, box, None, 5)
    check_segmentation([outline], height, width)
    return Thing(number, box, outline, columns)


def _box(fractions: Sequence[float], width: int, height: int) -> CheckedBox:
    x, y, w, h = fractions
    corners = ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
    return checked_box([float(np.float32(corner)) for corner in corners], width, height)


def box_line(number: int, box: Sequence[float], width: int, height: int) -> str:
    """A box as a line with every digit of its float64 fractions.

    Note:
        A corner comes back bit for bit as float32 if it is 0 or more than 2^-26 of the side; a smaller one within 2^-52 of the side.
    """
    x0, y0, x1, y1 = (float(corner) for corner in box)
    fractions = ((x0 + x1) / 2 / width, (y0 + y1) / 2 / height, (x1 - x0) / width, (y1 - y0) / height)
    return " ".join((str(number), *(repr(fraction) for fraction in fractions)))


def outline_line(number: int, outline: Sequence[float], width: int, height: int) -> str:
    """An outline as a line; corners that have up to 9 decimals come back exactly."""
    fractions = (corner / side for corner, side in zip(outline, (width, height) * (len(outline) // 2), strict=True))
    return " ".join((str(number), *(repr(fraction) for fraction in fractions)))


def corners_of(box: Sequence[float]) -> list[float]:
    """The four corners of a box as an outline, clockwise from the upper left."""
    x0, y0, x1, y1 = (float(corner) for corner in box)
    return [x0, y0, x1, y0, x1, y1, x0, y1]


def closed_corners_of(box: Sequence[float]) -> list[float]:
    """A box among outlines: its corners and the first of them again, see ``says_only_a_box``."""
    corners = corners_of(box)
    return [*corners, *corners[:2]]


def says_only_a_box(outline: Sequence[float]) -> bool:
    """Whether an outline is an upright rectangle that is closed by its first corner once more.

    Labels of outlines cannot hold plain boxes (Ultralytics would take their four numbers for two corners), so a box is written as
    such a ring. An outline that happens to be a rectangle has four corners and stays an outline.

    Example:
        >>> says_only_a_box([1, 2, 5, 2, 5, 9, 1, 9, 1, 2]), says_only_a_box([1, 2, 5, 2, 5, 9, 1, 9])
        (True, False)
    """
    if len(outline) != 10 or outline[:2] != outline[8:]:
        return False
    steps = [(outline[i + 2] == outline[i], outline[i + 3] == outline[i + 1]) for i in range(0, 8, 2)]
    return all(same_x != same_y for same_x, same_y in steps) and all(one != two for one, two in pairwise(steps))


def kinds_met(columns: Mapping[int, int]) -> str:
    """What lines of these numbers of columns hold, as a sentence; empty for no lines.

    Example:
        >>> kinds_met({5: 12, 9: 3})
        'Its labels hold 12 box(es), 3 outline(s) of four corners (rotated boxes, or outlines that happen to have four).'
    """
    boxes, rotated = columns.get(5, 0), columns.get(9, 0)
    outlines = sum(count for number, count in columns.items() if number not in (5, 9))
    said = [f"{boxes} box(es)"] if boxes else []
    if rotated:
        said.append(f"{rotated} outline(s) of four corners (rotated boxes, or outlines that happen to have four)")
    if outlines:
        said.append(f"{outlines} outline(s)")
    return f"Its labels hold {', '.join(said)}." if said else ""
