"""Two-part objects whose photo brightness is the wrong way round: dark wood lets X-rays through, bright steel does not."""

import numpy as np
import torch

from threatray.core import DUAL_ENERGY, Origin, OriginKind, Quantity, Signature, XrayImage
from threatray.synthesis.domain import DomainSet
from threatray.synthesis.encoding import Encoding

CLASSES = ("hammer", "bar")


def masks_of(name, rng, side=48):
    """Head (dense) and handle (light) of a toy object."""
    head, handle = np.zeros((side, side), bool), np.zeros((side, side), bool)
    width = int(rng.integers(3, 6))
    if name == "hammer":
        handle[side // 2 - width // 2 : side // 2 + width, 14:44] = True
        head[8:40, 4 : 14 + width] = True
    else:
        head[20 : 24 + width, 4:26] = True
        handle[20 : 24 + width, 26:44] = True
    return head, handle & ~head


def photo(name, rng):
    """(id, pixels, mask, class)."""
    head, handle = masks_of(name, rng)
    pixels = np.full((*head.shape, 3), 255, np.uint8)
    pixels[head] = rng.integers(180, 220)
    pixels[handle] = rng.integers(40, 80)
    return (f"{name}-{rng.integers(1 << 30)}", pixels, head | handle, name)


def signature(name, rng):
    head, handle = masks_of(name, rng)
    values = np.ones((2, *head.shape), np.float32)
    values[:, head] = np.array([0.05, 0.2])[:, None] * rng.uniform(0.8, 1.2)
    values[:, handle] = np.array([0.75, 0.8])[:, None] * rng.uniform(0.95, 1.05)
    image = XrayImage(values.astype(np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)
    identifier = f"{name}-{rng.integers(1 << 30)}"
    return Signature(identifier, image, head | handle, name, Origin(OriginKind.RENDERED, identifier, identifier))


def domains(count=6, size=16, seed=0):
    """Domain A of ``count`` photos a class, domain B of fewer signatures."""
    rng = np.random.default_rng(seed)
    photos = [photo(name, rng) for name in CLASSES for _ in range(count)]
    signatures = [signature(name, rng) for name in CLASSES for _ in range(max(2, count // 2))]
    encoding = Encoding()
    return DomainSet.of_photos(photos, CLASSES, size), DomainSet.of_signatures(signatures, CLASSES, size, encoding=encoding)


def equal(first, second):
    """Whether two states of nested dicts, lists and tensors are equal to the bit."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(equal(first[key], second[key]) for key in first)
    if isinstance(first, list | tuple):
        return len(first) == len(second) and all(equal(a, b) for a, b in zip(first, second, strict=True))
    return first == second
