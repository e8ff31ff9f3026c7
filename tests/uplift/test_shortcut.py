"""The probe finds a trace that only augmented bags carry, and finds nothing where only the threat differs."""

from __future__ import annotations

import numpy as np
import pytest

from threatray.core import stream
from threatray.errors import DataError
from threatray.uplift.images import MemoryPool, TrainingImage
from threatray.uplift.shortcut import ProbeConfig, probe

QUICK = ProbeConfig(side=32, steps=60)
SIDE = 48


def bag(number: int) -> np.ndarray:
    rng = stream(number, "bag")
    pixels = np.full((3, SIDE, SIDE), 255, np.uint8)
    for _ in range(6):
        x, y, size = (int(value) for value in rng.integers(4, 34, 3))
        pixels[:, y : y + size // 3, x : x + size // 3] = rng.integers(60, 200, (3, 1, 1))
    return pixels


def pools(trace: int) -> tuple[MemoryPool, MemoryPool]:
    """Forty bags without and with a black square, whose labelled box says where it is; ``trace`` darkens the augmented ones."""
    plain, made = [], []
    for number in range(40):
        pixels = bag(number)
        plain.append(TrainingImage(pixels, np.zeros((0, 4), np.float32), (), f"bag-{number}", synthetic=False, id=f"p{number}"))
        x, y = (int(value) for value in stream(number, "place").integers(6, 30, 2))
        darker = np.maximum(pixels.astype(int) - trace, 0).astype(np.uint8)
        darker[:, y : y + 10, x : x + 10] = 0
        box = np.array([[x, y, x + 10, y + 10]], np.float32)
        made.append(TrainingImage(darker, box, ("gun",), f"bag-{number}", synthetic=True, id=f"m{number}"))
    return MemoryPool(tuple(made)), MemoryPool(tuple(plain))


def test_a_trace_outside_the_threat_is_found() -> None:
    found = probe("translated", *pools(trace=20), seed=1, config=QUICK)
    assert found.auc > 0.9
    assert found.low > 0.5
    assert found.sentence.endswith("a shortcut.")


def test_the_threat_itself_is_no_shortcut() -> None:
    found = probe("translated", *pools(trace=0), seed=1, config=QUICK)
    assert found.low <= 0.5 <= found.high
    assert found.sentence.endswith("no shortcut shown.")


def test_equal_seeds_give_equal_scores() -> None:
    assert probe("a", *pools(trace=4), seed=3, config=QUICK) == probe("a", *pools(trace=4), seed=3, config=QUICK)


def test_too_few_bags_are_refused() -> None:
    made, plain = pools(trace=0)
    with pytest.raises(DataError, match="3 bags are too few"):
        probe("a", MemoryPool(made.images[:3]), MemoryPool(plain.images[:3]), seed=0, config=QUICK)
    with pytest.raises(DataError, match="each hold a threat"):
        probe("a", plain, plain, seed=0, config=QUICK)
