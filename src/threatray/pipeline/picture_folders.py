"""Photos and X-ray pictures without masks, in the folders that CycleGAN code trains on: trainA and testA, trainB and testB.

Each picture counts as one object of one class that fills it: nothing is known about what is where.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from threatray.core import (
    COLOUR,
    GREY,
    TRANSMISSION_FLOOR,
    Origin,
    OriginKind,
    Provenance,
    Quantity,
    SetAside,
    Signature,
    XrayImage,
)
from threatray.core.image_file import read_pixels
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.cyclegan import DOMAIN_A, DOMAIN_B, looks_like_cyclegan, read_cyclegan
from threatray.datasets.formats.format import ReadOptions
from threatray.errors import DataError
from threatray.photos.crop import ObjectCrop
from threatray.photos.library import read_crops
from threatray.tip.library import SignatureLibrary

ANYTHING: Final = "object"
"""The class of every picture in such folders."""

_Item = TypeVar("_Item")


def holds_pictures(folder: Path) -> bool:
    """Whether a folder has the layout of CycleGAN code, not a library of ours."""
    return looks_like_cyclegan(folder)


def photos_in(folder: Path, part: str, *, strict: bool = False) -> tuple[tuple[ObjectCrop, ...], tuple[SetAside, ...]]:
    """Object crops of a library of ours, or the pictures of ``trainA`` (``testA``) whole.

    Args:
        folder: Of ``threatray photos``, or one that holds trainA.
        part: ``train`` or ``test``; where there are no test pictures, those of training.
        strict: A broken picture is an error instead of being set aside.

    Returns:
        The crops, sorted by id, and the pictures that could not be read.

    Raises:
        DataError: Neither layout, or no picture.
    """
    if not holds_pictures(folder):
        return read_crops(folder), ()
    return _pictures(folder, DOMAIN_A, part, strict, _photo)


def signatures_in(folder: Path, *, strict: bool = False) -> tuple[tuple[Signature, ...], tuple[SetAside, ...]]:
    """The real signatures of a library of ours, or the pictures of ``trainB`` whole: white is air.

    Raises:
        DataError: Neither layout, or no picture.
    """
    if not holds_pictures(folder):
        library = SignatureLibrary.open(folder)
        return tuple(library.load(name) for name in library.select(kind=OriginKind.REAL).ids()), ()
    return _pictures(folder, DOMAIN_B, "train", strict, _signature)


def _pictures(
    folder: Path, domain: str, part: str, strict: bool, make: Callable[[Entry, NDArray[Any]], _Item]
) -> tuple[tuple[_Item, ...], tuple[SetAside, ...]]:
    dataset = read_cyclegan(folder, ReadOptions(strict=strict)).collect()
    entries = [entry for entry in dataset.entries if domain in entry.image_labels]
    wanted = [entry for entry in entries if entry.part == part] or [entry for entry in entries if entry.part == "train"]
    letter = "A" if domain == DOMAIN_A else "B"
    items, refused = [], [one for one in dataset.set_aside if one.item.split("/")[0].endswith(letter)]
    for entry in sorted(wanted, key=lambda one: one.id):
        try:
            assert entry.image_path is not None
            items.append(make(entry, read_pixels(entry.image_path)))
        except DataError as error:
            if strict:
                raise
            refused.append(SetAside(entry.id, str(error)))
    if not items:
        raise DataError(f"{folder}: no readable picture in train{letter}. Expected photos in trainA and X-ray pictures in trainB.")
    return tuple(items), tuple(refused)


def _photo(entry: Entry, pixels: NDArray[Any]) -> ObjectCrop:
    if pixels.dtype != np.uint8:
        raise DataError(f"{entry.image_path}: a photo of {pixels.dtype.itemsize * 8} bits. Save photos with 8 bits a channel.")
    colour = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    whole = np.ones(colour.shape[:2], np.bool_)
    return ObjectCrop(id=entry.id, class_name=ANYTHING, pixels=colour, mask=whole, source_id=entry.id)


def _signature(entry: Entry, pixels: NDArray[Any]) -> Signature:
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    values = np.clip(planes.astype(np.float32) / np.iinfo(pixels.dtype).max, TRANSMISSION_FLOOR, 1.0)
    image = XrayImage(values.astype(np.float32), Quantity.TRANSMISSION, GREY if pixels.ndim == 2 else COLOUR)
    origin = Origin(OriginKind.REAL, entry.id, entry.group, "", Provenance())
    return Signature(entry.id, image, np.ones(image.size, np.bool_), ANYTHING, origin)


def in_channels(signatures: Sequence[Signature], channels: Sequence[str]) -> tuple[Signature, ...]:
    """Grey pictures as coloured ones where colour is wanted, or where others are coloured; everything else as it is.

    Args:
        signatures: Any.
        channels: What the network makes; empty where it is not known yet.

    Example:
        >>> in_channels((), COLOUR)
        ()
    """
    wanted = {tuple(channels), *(signature.image.channels for signature in signatures)}
    if COLOUR not in wanted:
        return tuple(signatures)
    return tuple(_coloured(signature) if signature.image.channels == GREY else signature for signature in signatures)


def _coloured(signature: Signature) -> Signature:
    image = XrayImage(np.repeat(signature.image.values, 3, axis=0), Quantity.TRANSMISSION, COLOUR)
    return Signature(signature.id, image, signature.mask, signature.class_name, signature.origin)
