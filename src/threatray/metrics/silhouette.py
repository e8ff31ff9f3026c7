"""Whether an object stayed where it was."""

from __future__ import annotations

from threatray.core import BoolArray
from threatray.errors import DataError


def silhouette_iou(first: BoolArray, second: BoolArray) -> float:
    """Intersection over union of two masks.

    Args:
        first: (H, W) bool.
        second: (H, W) bool.

    Returns:
        In [0, 1]; 1 where both are empty.

    Raises:
        DataError: Shapes differ or the masks are not bool.

    Example:
        >>> import numpy as np
        >>> silhouette_iou(np.array([[True, True, False]]), np.array([[False, True, True]]))
        0.3333333333333333
    """
    if first.shape != second.shape or first.dtype != bool or second.dtype != bool:
        raise DataError(f"silhouette: expected bool masks of one shape, got {first.dtype} {first.shape} and {second.dtype} {second.shape}.")
    union = int((first | second).sum())
    return 1.0 if union == 0 else int((first & second).sum()) / union
