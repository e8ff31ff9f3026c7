from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pytest

from threatray.uplift.images import MemoryPool, TrainingImage

Box = tuple[float, float, float, float]


def picture(
    name: str, things: Iterable[tuple[Box, str]] = (), *, group: str | None = None, size: tuple[int, int] = (48, 64)
) -> TrainingImage:
    """Noise on white; each thing a dark filled box, of another shade for another label."""
    rng = np.random.default_rng(sum(name.encode()))
    pixels = rng.integers(235, 256, (3, *size), dtype=np.uint8)
    boxes, labels = [], []
    for (x0, y0, x1, y1), label in things:
        pixels[:, int(y0) : int(y1), int(x0) : int(x1)] = np.array({"gun": (30, 60, 120), "knife": (150, 40, 40)}[label], np.uint8)[
            :, None, None
        ]
        boxes.append([x0, y0, x1, y1])
        labels.append(label)
    return TrainingImage(pixels, np.array(boxes, np.float32).reshape(-1, 4), tuple(labels), group or name, synthetic=False, id=name)


def pool(name: str, threats: int, benign: int, *, seed: int = 0, size: tuple[int, int] = (48, 64)) -> MemoryPool:
    """Threat pictures with one gun or knife each, then benign ones; every picture its own group."""
    rng = np.random.default_rng([seed, sum(name.encode())])
    images = []
    for index in range(threats + benign):
        things: list[tuple[Box, str]] = []
        if index < threats:
            width, height = rng.integers(14, 26, 2)
            x0, y0 = int(rng.integers(0, size[1] - width)), int(rng.integers(0, size[0] - height))
            things = [((x0, y0, x0 + int(width), y0 + int(height)), ("gun", "knife")[index % 2])]
        images.append(picture(f"{name}-{index}", things, size=size))
    return MemoryPool(tuple(images))


@pytest.fixture(scope="session")
def make_picture() -> Callable[..., TrainingImage]:
    return picture


@pytest.fixture(scope="session")
def make_pool() -> Callable[..., MemoryPool]:
    return pool
