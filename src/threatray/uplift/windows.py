"""Training on windows: a square cut out of each picture, so that a second of CPU time shows the detector several times as many threats.

The network is convolutional: what it learns on windows it finds in whole pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from threatray.uplift.images import TrainingImage

LEAST_VISIBLE: Final = 0.4
"""A thing of which the window shows less than this share of its box is not labelled in it."""


@dataclass(frozen=True)
class RandomWindow:
    """A window of at most ``size`` pixels a side, which holds one of the picture's things whole if it has any and they fit.

    Args:
        size: Side in pixels.

    Example:
        >>> pixels, boxes = np.zeros((3, 50, 80), np.uint8), np.array([[60, 10, 75, 30]], np.float32)
        >>> image = TrainingImage(pixels, boxes, ("gun",), "b", synthetic=False, id="1")
        >>> window = RandomWindow(32)
        >>> cut = window.apply(image, window.draw(image, np.random.default_rng(0)))
        >>> cut.pixels.shape, cut.labels, (cut.boxes[:, 2:] - cut.boxes[:, :2]).tolist()
        ((3, 32, 32), ('gun',), [[15.0, 20.0]])
    """

    size: int

    def draw(self, x: TrainingImage, rng: np.random.Generator) -> tuple[int, int]:
        """The window's first column and row; three draws, whatever the picture holds."""
        which, across, down = rng.random(3)
        thing = x.boxes[int(which * len(x.boxes))] if x.has_threat else None
        corner = []
        for extent, share, low, high in ((x.width, across, 0, 2), (x.height, down, 1, 3)):
            first, last = 0, max(0, extent - self.size)
            if thing is not None:
                near, far = int(np.floor(thing[low])), int(np.ceil(thing[high]))
                first, last = sorted((max(0, min(far - self.size, last)), min(near, last)))
            corner.append(first + int(share * (last - first + 1)))
        return corner[0], corner[1]

    def apply(self, x: TrainingImage, params: tuple[int, int]) -> TrainingImage:
        """Cut the window out; what is mostly outside loses its label."""
        column, row = params
        pixels = x.pixels[:, row : row + self.size, column : column + self.size]
        shift = np.array([column, row, column, row], np.float32)
        limit = np.array([pixels.shape[2], pixels.shape[1]] * 2, np.float32)
        cut = np.clip(x.boxes - shift, 0, limit)
        whole, seen = ((boxes[:, 2:] - boxes[:, :2]).prod(axis=1) for boxes in (x.boxes, cut))
        kept = (seen > 0) & (seen >= LEAST_VISIBLE * whole)
        labels = tuple(label for label, keep in zip(x.labels, kept.tolist(), strict=True) if keep)
        return replace(x, pixels=np.ascontiguousarray(pixels), boxes=cut[kept], labels=labels)
