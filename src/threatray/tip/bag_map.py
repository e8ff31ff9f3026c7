"""What placing a threat needs to know of a bag, found once and small enough to keep: its outline and how dark it is where."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from threatray.core.image import TRANSMISSION_FLOOR, BoolArray, FloatArray, XrayImage
from threatray.tip.bag import BagMaskConfig, air_of, silhouette

MAP_SIDE: Final = 160
"""Cells along a bag's long side: places are looked for at this resolution, then moved within a cell."""


@dataclass(frozen=True, eq=False)
class BagMap:
    """A bag on a grid of square cells.

    Args:
        size: (height, width) of the scan in pixels.
        step: Side of a cell in pixels.
        inside: (rows, columns) bool: the whole cell lies in the bag. Up to ``step - 1`` pixels at the right and lower
            edge belong to no cell.
        attenuation: (rows, columns) float32, mean over the cell and the channels.
        air: (C,) float32 level of empty air.
        pieces: (rows, columns) int32, 1, 2, ... for the bags that lie apart; 0 outside.

    Example:
        >>> levels = np.full((1, 60, 80), 60000, np.uint16); levels[0, 10:50, 20:70] = 30000
        >>> found = BagMap.of_levels(levels, np.array([60000.0]))
        >>> found.step, bool(found.inside[30, 40]), bool(found.inside[5, 5]), round(float(found.attenuation[30, 40]), 3)
        (1, True, False, 0.693)
    """

    size: tuple[int, int]
    step: int
    inside: BoolArray
    attenuation: FloatArray
    air: FloatArray
    pieces: NDArray[np.int32]

    @classmethod
    def of(cls, transmission: XrayImage, config: BagMaskConfig | None = None) -> Self:
        """The map of a transmission."""
        values = transmission.transmission().values
        return cls._of(values, np.ones(len(values), np.float32), config or BagMaskConfig())

    @classmethod
    def of_levels(cls, levels: NDArray[Any], white: NDArray[Any] | None, config: BagMaskConfig | None = None) -> Self:
        """The map of a scan as it is stored.

        Args:
            levels: (C, H, W) uint8 or uint16, any strides.
            white: (C,) level of empty air; None to find it in the picture.
            config: How the outline is found.

        Raises:
            DataError: ``white`` is None and no air can be found.
        """
        return cls._of(levels, None if white is None else np.asarray(white, np.float32), config or BagMaskConfig())

    @classmethod
    def _of(cls, values: NDArray[Any], white: FloatArray | None, config: BagMaskConfig) -> Self:
        height, width = values.shape[1:]
        step = max(1, -(-max(height, width) // MAP_SIDE))
        step = min(step, height, width)
        cells = _averaged(values, step)
        if white is None:
            top = float(np.iinfo(values.dtype).max)
            white = air_of(cells / np.float32(top)) * np.float32(top)
        transmission = np.clip(cells / white.reshape(-1, 1, 1), np.float32(TRANSMISSION_FLOOR), np.float32(1))
        attenuation = (-np.log(transmission)).mean(axis=0)
        inside = silhouette(np.ascontiguousarray(attenuation), config)
        if step > 1:
            inside = _eroded(inside)  # the outermost cells are air in part
        return cls((height, width), step, inside, attenuation, white, pieces_of(inside))

    @cached_property
    def piece_areas(self) -> NDArray[np.int64]:
        """Cells of each piece, the first one's first."""
        return np.bincount(self.pieces.ravel())[1:].astype(np.int64)

    def cell_box(self, box: tuple[float, float, float, float]) -> tuple[slice, slice]:
        """The cells that a box in pixels touches."""
        x0, y0, x1, y1 = box
        rows = slice(max(0, int(y0 // self.step)), max(0, int(np.ceil(y1 / self.step))))
        return rows, slice(max(0, int(x0 // self.step)), max(0, int(np.ceil(x1 / self.step))))


def pieces_of(inside: BoolArray) -> NDArray[np.int32]:
    """Numbers the bags that lie apart, from 1."""
    import cv2

    return np.asarray(cv2.connectedComponents(inside.astype(np.uint8), connectivity=8)[1], np.int32)


def _averaged(values: NDArray[Any], step: int) -> FloatArray:
    """(C, H // step, W // step) means over cells, as float32."""
    import cv2

    rows, columns = values.shape[1] // step, values.shape[2] // step
    last = np.ascontiguousarray(values[:, : rows * step, : columns * step].transpose(1, 2, 0))
    if step >= 4:
        # Four pixels a cell are plenty for an outline; they cost a fraction of all of them.
        last = cv2.resize(last, (2 * columns, 2 * rows), interpolation=cv2.INTER_NEAREST)
    shrunk = last if step == 1 else cv2.resize(last, (columns, rows), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(shrunk.reshape(rows, columns, -1).transpose(2, 0, 1), np.float32)


def _eroded(mask: BoolArray) -> BoolArray:
    import cv2

    # Beyond the picture's edge the bag goes on, for all that is known.
    return np.asarray(cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1), np.bool_)
