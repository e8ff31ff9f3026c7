"""How hard the threats of a test set are to see: the data set's own levels or, where it has none, thirds by the matter around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from threatray.uplift.images import TrainingImage

LEVELS: Final = ("1 open", "2 crowded", "3 buried")
"""Thirds of the pictures with a threat, by `surroundings`; numbered, so that they sort."""
_MARGIN: Final = 0.25
_LEAST: Final = 9
"""With fewer pictures than this no third says anything."""


def surroundings(image: TrainingImage) -> float:
    """How dark it is around the threats: what lies beside a threat mostly lies over it too.

    Mean over the ring around each box, a quarter of the box wide on each side and without any threat's box, of 1 - grey / 255.

    Returns:
        In [0, 1]; the largest over the threats, 0 for a benign bag or where no ring is left.

    Example:
        >>> pixels = np.full((3, 40, 40), 255, np.uint8); pixels[:, :, 20:] = 51
        >>> boxes = np.array([[24, 10, 36, 30]], np.float32)
        >>> round(surroundings(TrainingImage(pixels, boxes, ("gun",), "b", synthetic=False, id="1")), 2)
        0.8
    """
    dark = 1 - image.pixels.mean(axis=0) / 255
    free = np.ones(dark.shape, np.bool_)
    corners = [(int(x0), int(y0), int(np.ceil(x1)), int(np.ceil(y1))) for x0, y0, x1, y1 in image.boxes.tolist()]
    for x0, y0, x1, y1 in corners:
        free[y0:y1, x0:x1] = False
    found = [0.0]
    for x0, y0, x1, y1 in corners:
        across, down = max(1, round(_MARGIN * (x1 - x0))), max(1, round(_MARGIN * (y1 - y0)))
        ring = np.zeros(dark.shape, np.bool_)
        ring[max(0, y0 - down) : y1 + down, max(0, x0 - across) : x1 + across] = True
        ring &= free
        if ring.any():
            found.append(float(dark[ring].mean()))
    return max(found)


def with_difficulty(images: Sequence[TrainingImage]) -> tuple[TrainingImage, ...]:
    """The same pictures; where none with a threat has a level, each of them gets one of `LEVELS`, thirds by `surroundings`."""
    threats = [place for place, image in enumerate(images) if image.has_threat]
    if len(threats) < _LEAST or any(images[place].difficulty for place in threats):
        return tuple(images)
    order = np.argsort([surroundings(images[place]) for place in threats], kind="stable")
    level = {threats[int(which)]: LEVELS[rank * len(LEVELS) // len(threats)] for rank, which in enumerate(order)}
    return tuple(replace(image, difficulty=level[place]) if place in level else image for place, image in enumerate(images))
