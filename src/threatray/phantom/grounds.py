"""What photographed things lie on."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from threatray.phantom.fields import smooth_noise


class Ground(StrEnum):
    """Kinds of ground."""

    WHITE = "white"
    GREY = "grey"
    COLOURED = "coloured"
    WOOD = "wood"
    CLOTH = "cloth"
    STONE = "stone"


def ground_image(ground: Ground, size: tuple[int, int], pitch_cm: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """(H, W, 3) linear RGB in [0, 1] with a light gradient."""
    height, width = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    slope = (np.cos(angle) * (x / width - 0.5) + np.sin(angle) * (y / height - 0.5)) * rng.uniform(0.02, 0.3)
    light = 1 + slope + 0.02 * smooth_noise(size, 60, rng)
    match ground:
        case Ground.WHITE:
            return _shown(np.full((height, width, 3), rng.uniform(0.88, 1.0)) * (1 + slope * rng.uniform(0, 0.4))[..., None])
        case Ground.GREY:
            base = np.full(3, rng.uniform(0.15, 0.7)) + rng.normal(0, 0.01, 3)
            return _shown(base * light[..., None])
        case Ground.COLOURED:
            base = _muted(rng) * rng.uniform(0.8, 1.4)
            return _shown(base * (light + 0.015 * smooth_noise(size, 2, rng))[..., None])
        case Ground.WOOD:
            return _planks(size, pitch_cm, light, rng)
        case Ground.CLOTH:
            base, other = _muted(rng), _muted(rng)
            weave = 0.5 + 0.5 * np.sign(np.sin(x * pitch_cm * rng.uniform(2, 9)) * np.sin(y * pitch_cm * rng.uniform(2, 9)))
            mixed = base + (other - base) * (weave * rng.uniform(0, 0.6))[..., None]
            return _shown(mixed * (light + 0.06 * smooth_noise(size, 22, rng) + 0.05 * rng.standard_normal(size))[..., None])
        case Ground.STONE:
            base = np.array([0.42, 0.39, 0.35]) * rng.uniform(0.5, 1.4)
            grain = 0.10 * smooth_noise(size, 2.2, rng) + 0.08 * smooth_noise(size, 7, rng)
            return _shown(base * (light + grain)[..., None])


def _muted(rng: np.random.Generator) -> NDArray[np.float64]:
    """A colour that table tops and cloth have: mostly grey."""
    colour = rng.uniform(0.08, 0.65, 3)
    return np.asarray(colour + (colour.mean() - colour) * rng.uniform(0.35, 0.9), np.float64)


def _shown(colour: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.clip(colour, 0, 1), np.float64)


def _planks(size: tuple[int, int], pitch_cm: float, light: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    height, width = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) * pitch_cm
    angle = rng.uniform(0, np.pi)
    along, across = np.cos(angle) * x + np.sin(angle) * y, -np.sin(angle) * x + np.cos(angle) * y
    board = rng.uniform(6, 14)
    number = np.floor(across / board)
    tone = 1 + 0.12 * np.sin(number * 12.9898 + 3)
    bend = smooth_noise(size, 40, rng)
    grain = 0.10 * np.sin(across * 5.0 + bend * 2.2 + number * 9 + 0.25 * np.sin(along * 0.4)) + 0.05 * np.sin(
        across * 19.0 + bend * 5 + along * 0.3
    )
    seam = 1 - 0.6 * np.exp(-(((across / board - number) * board / 0.12) ** 2))
    pale = rng.uniform(0, 1)
    base = (1 - pale) * np.array([0.20, 0.09, 0.04]) + pale * np.array([0.60, 0.40, 0.20])
    return _shown(base * (light * (tone + grain) * seam)[..., None])
