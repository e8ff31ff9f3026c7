"""The air of a scan and where the bag lies in it, from a small picture: rough, fast, for figures and for finding copies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

_FROM_AIR: Final = 24
"""Grey levels of 255 by which a pixel differs from air in its strongest channel to count as bag."""

_LEAST_SHARE: Final = 0.02
"""Rows and columns with less bag than this are belt, noise or a stray mark."""

_LEAST_SIDE: Final = 8

_DENSE: Final = 80
"""Grey levels of 255 that a pixel is darker than air to count as dense."""


@dataclass(frozen=True, eq=False)
class BagRegion:
    """Where the bag lies.

    Args:
        air: (3,) the commonest colour among the brighter half of the pixels.
        brightness: (h, w) mean of the three channels, 0 to 255.
        mask: (h, w) bool, pixels that differ from air.
        crop: Rows and columns that hold the bag; the whole picture if there is none.
        dense_crop: Rows and columns that hold what is much darker than air, without straps and cloth, which lie anew in every scan.
    """

    air: NDArray[np.float64]
    brightness: NDArray[np.float32]
    mask: NDArray[np.bool_]
    crop: tuple[slice, slice]
    dense_crop: tuple[slice, slice]

    @property
    def area(self) -> float:
        """Share of the picture that is not air."""
        return float(self.mask.mean())


def brightness_of(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(h, w) mean of the three channels; summed plane by plane, which is several times faster than along the last axis."""
    planes = pixels.astype(np.float32)
    brightness: NDArray[np.float32] = (planes[..., 0] + planes[..., 1] + planes[..., 2]) * np.float32(1 / 3)
    return brightness


def bag_region(pixels: NDArray[np.uint8]) -> BagRegion:
    """Find air and bag in a small picture.

    Args:
        pixels: (h, w, 3) RGB.

    Note:
        A picture without air (a bag that fills it) gives its commonest light colour instead.

    Example:
        >>> picture = np.full((40, 60, 3), 250, np.uint8); picture[10:30, 20:50] = (200, 120, 60)
        >>> found = bag_region(picture)
        >>> found.air.tolist(), found.area, found.crop, found.crop == found.dense_crop
        ([250.0, 250.0, 250.0], 0.25, (slice(10, 30, None), slice(20, 50, None)), True)
    """
    codes = ((pixels[..., 0] >> 3).astype(np.uint16) << 10) | ((pixels[..., 1] >> 3).astype(np.uint16) << 5) | (pixels[..., 2] >> 3)
    light = brightness_of(pixels)
    commonest = int(np.bincount(codes[light >= np.median(light[::2, ::2])]).argmax())
    air = np.median(pixels[codes == commonest][::2], axis=0).astype(np.float64)
    mask = np.zeros(codes.shape, np.bool_)
    for channel, level in enumerate(air.round().astype(int).tolist()):
        plane = pixels[..., channel]
        mask |= plane < max(level - _FROM_AIR, 0)
        if level + _FROM_AIR < 255:
            mask |= plane > level + _FROM_AIR
    dense = light < float(air.mean()) - _DENSE
    return BagRegion(air, light, mask, _bounds(mask), _bounds(dense))


def _bounds(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns that hold more than a little of a mask; everything where these are hardly any."""
    rows, columns = np.flatnonzero(mask.mean(axis=1) > _LEAST_SHARE), np.flatnonzero(mask.mean(axis=0) > _LEAST_SHARE)
    if len(rows) < _LEAST_SIDE or len(columns) < _LEAST_SIDE:
        return slice(0, mask.shape[0]), slice(0, mask.shape[1])
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
