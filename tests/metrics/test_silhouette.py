import numpy as np
import pytest

from threatray.errors import DataError
from threatray.metrics.silhouette import silhouette_iou


def test_by_hand():
    first, second = np.zeros((4, 4), bool), np.zeros((4, 4), bool)
    first[:2], second[1:] = True, True  # 8 and 12 pixels, 4 in common
    assert silhouette_iou(first, second) == 4 / 16


def test_nothing_and_nothing_agree():
    nothing = np.zeros((2, 2), bool)
    assert silhouette_iou(nothing, nothing) == 1.0
    assert silhouette_iou(nothing, ~nothing) == 0.0


def test_refuses_masks_that_are_not_masks():
    with pytest.raises(DataError, match="expected bool masks of one shape"):
        silhouette_iou(np.zeros((2, 2), bool), np.zeros((2, 3), bool))
    with pytest.raises(DataError, match="expected bool masks of one shape"):
        silhouette_iou(np.zeros((2, 2)), np.zeros((2, 2)))
