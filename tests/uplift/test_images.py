from __future__ import annotations

import numpy as np
import pytest

from threatray.errors import DataError
from threatray.uplift.images import LazyPool, TrainingImage

EMPTY = np.zeros((0, 4), np.float32)


def make(**changes: object) -> TrainingImage:
    given = {"pixels": np.zeros((3, 10, 20), np.uint8), "boxes": EMPTY, "labels": (), "group": "bag", "synthetic": False, "id": "a"}
    return TrainingImage(**(given | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pixels": np.zeros((10, 20, 3), np.uint8)}, r"image 'a': pixels must be uint8 of shape \(3, H, W\), got uint8 \(10, 20, 3\)"),
        ({"pixels": np.zeros((3, 10, 20), np.float32)}, "got float32"),
        ({"boxes": np.zeros((0, 4))}, r"boxes must be float32 of shape \(N, 4\), got float64"),
        ({"labels": ("gun",)}, "0 boxes but 1 labels"),
        ({"boxes": np.array([[1, 1, 21, 5]], np.float32), "labels": ("gun",)}, "box of 'gun' must be xyxy inside 20 x 10"),
        ({"boxes": np.array([[5, 1, 5, 5]], np.float32), "labels": ("gun",)}, "box of 'gun'"),
        ({"boxes": np.array([[np.nan, 1, 5, 5]], np.float32), "labels": ("gun",)}, "box of 'gun'"),
    ],
)
def test_refuses_what_is_no_labelled_picture(changes: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        make(**changes)


def test_a_lazy_pool_loads_only_what_is_asked_for() -> None:
    asked: list[int] = []

    def load(index: int) -> TrainingImage:
        asked.append(index)
        return make(id=str(index))

    pool = LazyPool(("bag", "bag", "bag"), load)
    assert len(pool) == 3
    assert asked == []
    assert pool[2].id == "2"
    assert asked == [2]


def test_a_lazy_pool_refuses_a_picture_of_another_group_than_listed() -> None:
    with pytest.raises(DataError, match="its group is 'bag', the pool's list says 'other'"):
        LazyPool(("other",), lambda _: make())[0]
