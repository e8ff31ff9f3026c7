"""A photo library and a signature library of two-part toys, small enough to train on within a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from threatray.core import DUAL_ENERGY, Origin, OriginKind, Quantity, Signature, XrayImage
from threatray.photos.crop import ObjectCrop
from threatray.photos.library import write_crop
from threatray.photos.library import write_index as write_photo_index
from threatray.tip.library import write_index, write_signature


def toy_parts(name: str, rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Masks of a head and a handle; a hammer's head lies across, a bar's along."""
    head, handle = np.zeros((height, width), bool), np.zeros((height, width), bool)
    top, thick = int(rng.integers(1, 4)), int(rng.integers(4, 8))
    if name == "hammer":
        head[top : height - 1, 1 : 1 + thick] = True
        handle[height // 2 - 3 : height // 2 + 3, 1 + thick : width - 1] = True
    else:
        head[height // 2 - 4 : height // 2 + 4, 1 : width // 2] = True
        handle[height // 2 - 4 : height // 2 + 4, width // 2 : width - 1 - top] = True
    return head, handle


def write_toys(
    folder: Path,
    photos: dict[str, int],
    signatures: dict[str, int],
    *,
    channels: tuple[str, ...] = DUAL_ENERGY,
    size: tuple[int, int] = (24, 36),
    seed: int = 0,
) -> tuple[Path, Path]:
    """Write ``photos/`` and ``signatures/``: how many of each class; the two folders."""
    rng = np.random.default_rng(seed)
    crops, entries = [], []
    for name, count in photos.items():
        for number in range(count):
            head, handle = toy_parts(name, rng, *size)
            pixels = np.full((*size, 3), 255, np.uint8)
            pixels[head], pixels[handle] = rng.integers(160, 230), rng.integers(30, 90)
            crops.append(ObjectCrop(f"photo-{name}-{number}", name, pixels, head | handle, f"{name}/photo-{name}-{number}.jpg"))
            write_crop(folder / "photos", crops[-1])
    write_photo_index(folder / "photos", crops)
    for name, count in signatures.items():
        for number in range(count):
            head, handle = toy_parts(name, rng, *size)
            values = np.ones((len(channels), *size), np.float32)
            for place in range(len(channels)):
                values[place][head] = (0.05 + 0.1 * place) * rng.uniform(0.8, 1.2)
                values[place][handle] = (0.7 + 0.05 * place) * rng.uniform(0.9, 1.1)
            one = f"{name}-{number}"
            image = XrayImage(values, Quantity.TRANSMISSION, channels)
            signature = Signature(one, image, head | handle, name, Origin(OriginKind.REAL, one, f"bag-{one}"))
            entries.append(write_signature(folder / "signatures", signature))
    write_index(folder / "signatures", entries)
    return folder / "photos", folder / "signatures"
