"""Run lengths of a mask that is known in a window of its picture only: the picture itself is never filled."""

from __future__ import annotations

from typing import Any

import numpy as np

from threatray.core import BoolArray
from threatray.errors import DataError


def encode_window(mask: BoolArray, x: int, y: int, height: int, width: int) -> dict[str, Any]:
    """A window's mask as compressed COCO run lengths of the whole picture; the same as ``encode_mask`` of the filled picture.

    Args:
        mask: (h, w) bool.
        x: Column of the window's left edge.
        y: Row of its top edge.
        height: Rows of the picture.
        width: Columns of the picture.

    Returns:
        ``{"size": [height, width], "counts": text}``.

    Raises:
        DataError: The window leaves the picture.

    Example:
        >>> from threatray.datasets.masks import decode_mask
        >>> found = decode_mask(encode_window(np.ones((2, 3), bool), 4, 1, 5, 9), 5, 9)
        >>> int(found.sum()), bool(found[1:3, 4:7].all())
        (6, True)
    """
    from pycocotools import mask as coco_mask

    rows, columns = mask.shape
    if not (0 <= x <= width - columns and 0 <= y <= height - rows):
        raise DataError(f"mask: its {columns}x{rows} window at ({x}, {y}) leaves the {width}x{height} picture.")
    # COCO runs go down the columns. A row of False above and below ends every run within its column.
    padded = np.zeros((columns, rows + 2), np.bool_)
    padded[:, 1:-1] = mask.T
    flat = padded.ravel()
    across, down = np.divmod(np.flatnonzero(flat[1:] != flat[:-1]), rows + 2)
    edges = (across + x) * height + down + y  # where runs begin and end, in turn
    # A run that ends at the bottom of one column goes on at the top of the next.
    joined = np.flatnonzero(edges[1:-1:2] == edges[2::2])
    edges = np.delete(edges, np.concatenate([2 * joined + 1, 2 * joined + 2]))
    counts = np.diff(np.concatenate([[0], edges, [height * width]]))
    if counts[-1] == 0:  # the mask goes on to the last pixel
        counts = counts[:-1]
    runs = coco_mask.frPyObjects({"size": [height, width], "counts": counts.tolist()}, height, width)
    return {"size": [height, width], "counts": runs["counts"].decode("ascii")}
