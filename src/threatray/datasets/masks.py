"""Run-length and polygon masks of COCO files, checked before a single pixel is written."""

from __future__ import annotations

from collections.abc import Mapping
from operator import ne
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import BoolArray
from threatray.errors import DataError

_LONGEST_RUN_CHARACTERS: Final = 6
"""Six characters hold 30 bits: no picture that is read has a longer run."""


def encode_mask(mask: BoolArray) -> dict[str, Any]:
    """A mask as compressed COCO run lengths.

    Args:
        mask: (H, W) bool.

    Returns:
        ``{"size": [H, W], "counts": text}``; equal masks give equal text.

    Source:
        The COCO API's ``maskApi.c`` (Lin et al., "Microsoft COCO", ECCV 2014), through pycocotools.

    Example:
        >>> mask = np.zeros((3, 4), bool); mask[1, 2] = True
        >>> encode_mask(mask)
        {'size': [3, 4], 'counts': '714'}
    """
    from pycocotools import mask as coco_mask

    encoded = coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
    return {"size": [int(side) for side in encoded["size"]], "counts": encoded["counts"].decode("ascii")}


def check_segmentation(segmentation: object, height: int, width: int) -> None:
    """Refuse a segmentation that does not describe an image of this size.

    Args:
        segmentation: Run lengths (``{"size", "counts"}``, compressed or not) or a list of polygons ``[x0, y0, x1, y1, ...]``.
        height: Of the image.
        width: Of the image.

    Raises:
        DataError: Malformed. The pycocotools decoder does not look: runs that end early leave it returning memory it never set.
    """
    if isinstance(segmentation, Mapping):
        _runs(segmentation, height, width)
    else:
        _polygons(segmentation, height, width)


def decode_mask(segmentation: object, height: int, width: int) -> BoolArray:
    """The mask that a COCO segmentation describes.

    Args:
        segmentation: Run lengths or polygons, see ``check_segmentation``.
        height: Of the image.
        width: Of the image.

    Returns:
        (H, W) bool.

    Raises:
        DataError: Malformed, or made for an image of another size.

    Example:
        >>> decode_mask({"size": [2, 3], "counts": [2, 3, 1]}, 2, 3).astype(int).tolist()
        [[0, 1, 1], [0, 1, 0]]
    """
    if not isinstance(segmentation, Mapping):
        from pycocotools import mask as coco_mask

        filled = coco_mask.merge(coco_mask.frPyObjects(_polygons(segmentation, height, width), height, width))
        segmentation = {"size": [height, width], "counts": filled["counts"].decode("ascii")}
    runs = _runs(segmentation, height, width)
    values = np.arange(len(runs)) % 2 == 1
    return np.ascontiguousarray(np.repeat(values, runs).reshape(width, height).T)


def _runs(segmentation: Mapping[Any, Any], height: int, width: int) -> NDArray[np.int64]:
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not isinstance(size, list) or size != [height, width]:
        raise DataError(f"its mask is made for size {size!r}, the image has [{height}, {width}]")
    if isinstance(counts, list):
        if not all(type(count) is int and 0 <= count <= height * width for count in counts):
            raise DataError("its mask has a run length that is no whole number within the image")
        runs = np.array(counts, np.int64)
    elif isinstance(counts, str):
        runs = _decompressed(counts)
    else:
        raise DataError(f"its mask's counts must be a text or a list, got {type(counts).__name__}")
    if (runs < 0).any() or int(runs.sum()) != height * width:
        raise DataError(f"its mask's runs cover {int(runs.sum())} pixels, the image has {height * width}")
    return runs


def _decompressed(counts: str) -> NDArray[np.int64]:
    """COCO's text: five bits a character, lowest first, bit 5 says more follow; from the fourth run on, differences to two back."""
    codes = np.frombuffer(counts.encode("utf-8"), np.uint8).astype(np.int64) - 48
    if codes.size == 0 or codes.min() < 0 or codes.max() > 63 or codes[-1] & 32:
        raise DataError("its mask's counts are not COCO run lengths")
    ends = np.flatnonzero((codes & 32) == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > _LONGEST_RUN_CHARACTERS:
        raise DataError("its mask's counts hold a run longer than any image")
    place = np.arange(codes.size) - np.repeat(starts, lengths)
    values = np.add.reduceat((codes & 31) << (5 * place), starts)
    values -= np.where(codes[ends] & 16, 1 << (5 * lengths), 0)
    runs = values.copy()
    runs[1::2] = np.cumsum(values[1::2])
    runs[2::2] = np.cumsum(values[2::2])
    return runs


def _polygons(segmentation: object, height: int, width: int) -> list[list[float]]:
    if not isinstance(segmentation, list) or not segmentation:
        raise DataError(f"its segmentation must be run lengths or polygons, got {type(segmentation).__name__}")
    for polygon in segmentation:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            raise DataError("its segmentation has a polygon that is no list of three or more x, y pairs")
        if not {*map(type, polygon)} <= {int, float}:
            raise DataError("its segmentation has a polygon with something that is no number")
        # far-off corners would make the rasteriser walk (and allocate) every pixel on the way to them
        if _any_nan(polygon) or not (_within(polygon[0::2], width) and _within(polygon[1::2], height)):
            raise DataError("its segmentation has a polygon far outside the image")
    return [[float(number) for number in polygon] for polygon in segmentation]


def _any_nan(numbers: list[float]) -> bool:
    return any(map(ne, numbers, numbers))


def _within(numbers: list[float], side: int) -> bool:
    return -side <= min(numbers) and max(numbers) <= 2 * side
