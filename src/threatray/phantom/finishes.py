"""The looks that things are given: bare and blued steel, brass, polymer, coloured plastic, wood, rubber."""

from __future__ import annotations

from typing import Final

import numpy as np

from threatray.phantom.parts import Finish, Rgb, Texture

BRASS: Final = Finish((0.70, 0.52, 0.22), 0.35, 0.9)
COPPER: Final = Finish((0.72, 0.38, 0.22), 0.4, 0.9)
RUBBER: Final = Finish((0.03, 0.03, 0.032), 0.85)
HIDDEN: Final = Finish((0.4, 0.4, 0.4), 0.6)
"""For parts that lie inside others and are never seen."""

_PLASTICS: Final[tuple[Rgb, ...]] = (
    (0.62, 0.04, 0.03), (0.02, 0.02, 0.022), (0.03, 0.10, 0.42), (0.75, 0.24, 0.02), (0.70, 0.52, 0.03), (0.03, 0.26, 0.08),
    (0.02, 0.20, 0.26), (0.22, 0.22, 0.23), (0.35, 0.04, 0.20), (0.015, 0.015, 0.05), (0.55, 0.55, 0.52),
)  # fmt: skip


def bare_steel(rng: np.random.Generator) -> Finish:
    """Ground or polished steel, now and then a dull or dark one."""
    grey = rng.uniform(0.28, 0.62)
    tint = rng.normal(0, 0.012, 3)
    texture = Texture.BRUSHED if rng.random() < 0.6 else Texture.PLAIN
    return Finish(_clip(grey + tint), float(rng.uniform(0.18, 0.55)), 1.0, texture)


def gun_steel(rng: np.random.Generator) -> Finish:
    """Blued, parkerised or stainless."""
    if rng.random() < 0.25:
        return bare_steel(rng)
    grey = rng.uniform(0.02, 0.09)
    return Finish(_clip(grey * np.array([0.92, 0.97, 1.1])), float(rng.uniform(0.3, 0.6)), 0.7)


def gun_polymer(rng: np.random.Generator) -> Finish:
    """Black, now and then sand, green or grey."""
    kinds: tuple[Rgb, ...] = (
        (0.02, 0.02, 0.02),
        (0.025, 0.025, 0.028),
        (0.035, 0.035, 0.035),
        (0.28, 0.20, 0.11),
        (0.08, 0.09, 0.05),
        (0.14, 0.14, 0.14),
    )
    base = np.array(kinds[int(rng.integers(len(kinds)))]) * rng.uniform(0.8, 1.3)
    return Finish(_clip(base), float(rng.uniform(0.55, 0.85)), 0.0, Texture.CHECKERED if rng.random() < 0.5 else Texture.PLAIN)


def wood(rng: np.random.Generator) -> Finish:
    """From walnut to beech."""
    pale = rng.uniform(0, 1)
    base = (1 - pale) * np.array([0.12, 0.045, 0.018]) + pale * np.array([0.62, 0.40, 0.18])
    return Finish(_clip(base * rng.uniform(0.85, 1.15)), float(rng.uniform(0.35, 0.7)), 0.0, Texture.WOOD)


def plastic(rng: np.random.Generator) -> Finish:
    """A coloured plastic or paint."""
    base = np.array(_PLASTICS[int(rng.integers(len(_PLASTICS)))]) * rng.uniform(0.8, 1.25, 3) ** 0.5
    return Finish(_clip(base), float(rng.uniform(0.2, 0.7)))


def black_plastic(rng: np.random.Generator) -> Finish:
    """Black or nearly."""
    return Finish(_clip(np.full(3, rng.uniform(0.012, 0.05))), float(rng.uniform(0.25, 0.8)))


def _clip(colour: np.ndarray) -> Rgb:
    red, green, blue = np.clip(colour, 0.004, 0.95)
    return float(red), float(green), float(blue)
