"""Small bags and signatures for the laws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from threatray.core import COLOUR, DUAL_ENERGY, GREY, TRANSMISSION_FLOOR, Origin, OriginKind, Quantity, Signature, XrayImage

CHANNELS = {1: GREY, 2: DUAL_ENERGY, 3: COLOUR}


def make_bag(seed: int, channels: int = 2, height: int = 31, width: int = 37) -> XrayImage:
    """A bag of random transmissions, a few pixels starved."""
    rng = np.random.default_rng(seed)
    values = rng.uniform(0.05, 1, (channels, height, width)).astype(np.float32)
    values[:, rng.random((height, width)) < 0.02] = TRANSMISSION_FLOOR
    return XrayImage(values, Quantity.TRANSMISSION, CHANNELS[channels])


def make_signature(seed: int, channels: int = 2, height: int = 9, width: int = 13, name: str = "") -> Signature:
    """A signature with a ragged mask."""
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < 0.6
    mask[height // 2, width // 2] = True
    values = np.where(mask, rng.uniform(0.01, 0.9, (channels, height, width)), 1).astype(np.float32)
    image = XrayImage(values, Quantity.TRANSMISSION, CHANNELS[channels])
    return Signature(name or f"s{seed}", image, mask, "gun", Origin(OriginKind.RENDERED, "phantom", "g"))


def grainy(signature: Signature, seed: int = 0) -> Signature:
    """The same with colours of its own that no palette explains, as a library can hold them."""
    levels = np.random.default_rng(seed + 99).integers(-40, 41, (3, *signature.mask.shape))
    return replace(signature, grain=levels.astype(np.float32) * np.float32(1 / 64) * signature.mask)


def make_bar(length: int = 40, breadth: int = 8, transmission: float = 0.4, channels: int = 2) -> Signature:
    """A plain bar lying across."""
    values = np.full((channels, breadth, length), transmission, np.float32)
    image = XrayImage(values, Quantity.TRANSMISSION, CHANNELS[channels])
    return Signature("bar", image, np.ones((breadth, length), np.bool_), "knife", Origin(OriginKind.RENDERED, "bar", "bar"))


@pytest.fixture(scope="session")
def bag_of() -> Callable[..., XrayImage]:
    return make_bag


@pytest.fixture(scope="session")
def signature_of() -> Callable[..., Signature]:
    return make_signature


@pytest.fixture(scope="session")
def grainy_of() -> Callable[..., Signature]:
    return grainy


@pytest.fixture(scope="session")
def bar_of() -> Callable[..., Signature]:
    return make_bar


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real scans are not here")
    return folder
