"""What a detector is trained and judged on: labelled pictures, loaded when asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from threatray.core import FloatArray
from threatray.errors import DataError

ByteArray = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class TrainingImage:
    """One labelled picture as the detector sees it.

    Args:
        pixels: (3, H, W) uint8, RGB order.
        boxes: (N, 4) float32 xyxy in pixels inside the picture, x1 and y1 exclusive.
        labels: N class names; none in a benign bag.
        group: The physical bag (or object) it shows, which no split may cut.
        synthetic: Whether a threat in it was projected by us.
        id: Name of the picture, unique in its pool.
        difficulty: How hard its threats are to see: the data set's own level, or one that was measured; empty where not known.

    Raises:
        DataError: Wrong dtype or shape, a box that is empty, not finite or outside the picture, or labels that do not match.

    Example:
        >>> bag = TrainingImage(np.full((3, 24, 32), 255, np.uint8), np.zeros((0, 4), np.float32), (), "bag-1", synthetic=False, id="a")
        >>> bag.has_threat, bag.height, bag.width
        (False, 24, 32)
    """

    pixels: ByteArray
    boxes: FloatArray
    labels: tuple[str, ...]
    group: str
    synthetic: bool
    id: str
    difficulty: str = ""

    def __post_init__(self) -> None:
        pixels, boxes = self.pixels, self.boxes
        if pixels.ndim != 3 or pixels.shape[0] != 3 or pixels.dtype != np.uint8 or pixels.size == 0:
            raise DataError(f"image {self.id!r}: pixels must be uint8 of shape (3, H, W), got {pixels.dtype} {pixels.shape}.")
        if boxes.ndim != 2 or boxes.shape[1:] != (4,) or boxes.dtype != np.float32:
            raise DataError(f"image {self.id!r}: boxes must be float32 of shape (N, 4), got {boxes.dtype} {boxes.shape}.")
        if len(self.labels) != len(boxes):
            raise DataError(f"image {self.id!r}: {len(boxes)} boxes but {len(self.labels)} labels.")
        for box, label in zip(boxes.tolist(), self.labels, strict=True):
            x0, y0, x1, y1 = box
            if not (0 <= x0 < x1 <= self.width and 0 <= y0 < y1 <= self.height):  # also false for NaN
                raise DataError(f"image {self.id!r}: box of {label!r} must be xyxy inside {self.width} x {self.height}, got {box}.")

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[1])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[2])

    @property
    def has_threat(self) -> bool:
        """Whether anything is labelled in it."""
        return len(self.labels) > 0


class ImagePool(Protocol):
    """Pictures by index, loaded when asked for, with the group of each known beforehand."""

    @property
    def groups(self) -> Sequence[str]:
        """The group of each picture, in order; asked for before any training, so it must be cheap."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> TrainingImage: ...


@dataclass(frozen=True)
class LazyPool:
    """A pool that calls ``load(index)`` each time a picture is asked for.

    Example:
        >>> def load(index: int) -> TrainingImage:
        ...     return TrainingImage(np.zeros((3, 8, 8), np.uint8), np.zeros((0, 4), np.float32), (), "bag", synthetic=False, id=str(index))
        >>> pool = LazyPool(("bag", "bag"), load)
        >>> len(pool), pool[1].id
        (2, '1')
    """

    groups: tuple[str, ...]
    load: Callable[[int], TrainingImage]

    def __len__(self) -> int:
        return len(self.groups)

    def __getitem__(self, index: int, /) -> TrainingImage:
        image = self.load(index)
        if image.group != self.groups[index]:
            raise DataError(f"image {image.id!r}: its group is {image.group!r}, the pool's list says {self.groups[index]!r}.")
        return image


@dataclass(frozen=True)
class MemoryPool:
    """A pool of pictures already in memory."""

    images: tuple[TrainingImage, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """The group of each picture."""
        return tuple(image.group for image in self.images)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int, /) -> TrainingImage:
        return self.images[index]
