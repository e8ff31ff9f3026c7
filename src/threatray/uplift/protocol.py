"""What the experiment asks of a detector; nothing here imports torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from threatray.uplift.images import ImagePool, TrainingImage
from threatray.uplift.predictions import Detections

OnStep = Callable[[int, float], None]
"""Called after each step with the step (from 1) and its loss."""


class Batches(Protocol):
    """A fixed number of batches of pictures."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[list[TrainingImage]]: ...


class Detector(Protocol):
    """Anything that can be trained on a stream of batches and then finds boxes."""

    def fit(self, batches: Batches, on_step: OnStep | None = None) -> None:
        """Train on exactly these batches, once through: the budget of the arm."""
        ...

    def predict(self, images: ImagePool) -> tuple[Detections, ...]:
        """What is found in each picture, in order, boxes in the picture's own pixels."""
        ...


class DetectorConfig(Protocol):
    """The settings of a detector, and how to make it."""

    @property
    def steps(self) -> int:
        """Batches to train on."""
        ...

    @property
    def batch_size(self) -> int:
        """Pictures a batch."""
        ...

    def build(self, classes: tuple[str, ...], seed: int) -> Detector:
        """A fresh, untrained detector."""
        ...

    def as_json(self) -> dict[str, Any]:
        """Plain values; arms are compared only where these are equal."""
        ...
