"""Independent random streams by name, so that the order of work and the number of workers never matter."""

from __future__ import annotations

import hashlib

import numpy as np


def derive(seed: int, *key: str | int) -> int:
    """A 64-bit seed for the stream called ``key`` under the run's ``seed``.

    Example:
        >>> derive(7, "bag", 3) == derive(7, "bag", 3), derive(7, "bag", 3) == derive(7, "bag", 4)
        (True, False)
    """
    text = "\x1f".join([str(seed), *(f"{type(part).__name__}:{part}" for part in key)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def stream(seed: int, *key: str | int) -> np.random.Generator:
    """A generator for the stream called ``key`` under the run's ``seed``."""
    return np.random.default_rng(derive(seed, *key))
