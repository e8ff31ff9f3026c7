"""Masks as one closed outline each, for formats that hold polygons only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from threatray.core import BoolArray
from threatray.datasets.masks import decode_mask

Outline = list[float]
"""x0, y0, x1, y1, ... in pixels."""


def outline_of(segmentation: object, height: int, width: int) -> Outline | None:
    """A COCO segmentation as one polygon.

    A single polygon is kept as it stands. Anything else is decoded and its pixel edges are traced: parts and holes are joined
    by bridges that run there and back, which the even-odd rule cancels, so that the COCO rasteriser gives back every pixel.

    Args:
        segmentation: Run lengths or polygons.
        height: Of the image.
        width: Of the image.

    Returns:
        The polygon, or None for an empty mask or a polygon without any area.

    Raises:
        DataError: Malformed.

    Example:
        >>> outline_of({"size": [3, 4], "counts": [4, 1, 2, 1, 4]}, 3, 4)
        [1.0, 1.0, 3.0, 1.0, 3.0, 2.0, 1.0, 2.0]
    """
    if isinstance(segmentation, list) and len(segmentation) == 1:
        corners = [float(number) for number in segmentation[0]]
        # a line encloses no pixel: written as an outline it would read back as a broken one
        flat = 0.0 in np.ptp(np.array(corners, np.float32).reshape(-1, 2), axis=0)
        return None if flat else corners
    loops = _loops(decode_mask(segmentation, height, width))
    if not loops:
        return None
    joined = list(loops[0])
    for loop in loops[1:]:
        joined += [loops[0][0], *loop, loop[0]]
    if len(loops) > 1:
        joined.append(loops[0][0])
    return [float(number) for point in joined for number in point]


Point = tuple[int, int]


def _loops(mask: BoolArray) -> list[list[Point]]:
    """Closed chains of pixel edges, corners only; their order follows the rows, so equal masks give equal loops."""
    padded = np.pad(mask, 1).astype(np.int8)
    ahead: dict[Point, list[Point]] = {}

    def add(start: Point, end: Point) -> None:
        ahead.setdefault(start, []).append(end)

    down = np.diff(padded, axis=0)  # +1: the mask begins below this edge
    for row, column in zip(*(places.tolist() for places in np.nonzero(down)), strict=True):
        left, right = (column - 1, row), (column, row)
        add(*((left, right) if down[row, column] > 0 else (right, left)))
    across = np.diff(padded, axis=1)  # +1: the mask begins right of this edge
    for row, column in zip(*(places.tolist() for places in np.nonzero(across)), strict=True):
        upper, lower = (column, row - 1), (column, row)
        add(*((lower, upper) if across[row, column] > 0 else (upper, lower)))
    loops = []
    for start in sorted(ahead, key=lambda point: (point[1], point[0])):
        while ahead[start]:
            loops.append(_corners(_walk(start, ahead)))
    return loops


def _walk(start: Point, ahead: dict[Point, list[Point]]) -> list[Point]:
    path = [start]
    while True:
        here = ahead[path[-1]].pop()
        if here == start:
            return path
        path.append(here)


def _corners(path: Sequence[Point]) -> list[Point]:
    kept = []
    for before, here, after in zip((path[-1], *path[:-1]), path, (*path[1:], path[0]), strict=True):
        if not (before[0] == here[0] == after[0] or before[1] == here[1] == after[1]):
            kept.append(here)
    return kept


def rotated_rectangle(outline: Sequence[float]) -> Outline:
    """The smallest rotated rectangle around an outline; one of four corners is kept as it stands.

    Example:
        >>> [round(number) for number in rotated_rectangle([0, 0, 4, 0, 4, 2, 2, 2, 0, 2])]
        [4, 2, 0, 2, 0, 0, 4, 0]
    """
    if len(outline) == 8:
        return list(outline)
    import cv2

    corners = cv2.boxPoints(cv2.minAreaRect(np.array(outline, np.float32).reshape(-1, 2)))
    return [float(number) for number in corners.ravel()]
