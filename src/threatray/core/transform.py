"""Draw first, record, then apply: the shape of every random operation."""

from __future__ import annotations

from typing import Protocol, TypeVar

import numpy as np

X = TypeVar("X")
Params = TypeVar("Params")


class Transform(Protocol[X, Params]):
    """All randomness in ``draw``, none in ``apply``; the parameters are JSON-able and replay the result."""

    def draw(self, x: X, rng: np.random.Generator) -> Params:
        """Choose the parameters for this value."""
        ...

    def apply(self, x: X, params: Params) -> X:
        """Carry them out; the same parameters always give the same bytes."""
        ...
