"""What a composite was made of, as ground truth: the bag alone and each threat alone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import FloatArray
from threatray.core.image_file import write_png
from threatray.datasets.dataset import Entry
from threatray.tip.levels import LevelsComposite

LAYERS: Final = "layers"
_WHITE: Final = 65535


def write_layers(folder: Path, item_id: str, entry: Entry, made: LevelsComposite, size: tuple[int, int]) -> None:
    """Write ``layers/<id>_bag*``, the bag's own files byte for byte, and ``layers/<id>_threat<n>*.png``, transmissions with 16 bits.

    Args:
        folder: The dataset.
        item_id: The composite.
        entry: Its bag.
        made: The composite.
        size: (height, width) of the picture.

    Note:
        A threat's file holds ``round(65535 T)`` in the picture's frame, 65535 where the threat is not: one colour file for three
        channels, else a file a channel (``_low_energy``, ``_high_energy``, ``_grey``). In colour by energies the composite also
        carries the threats' grain, which is no transmission and not written here.
    """
    layers = folder / LAYERS
    layers.mkdir(exist_ok=True)
    if made.placed and len(made.placed[0].image.channels) == 2 and entry.low_path is not None and entry.high_path is not None:
        sources = {"_low": entry.low_path, "_high": entry.high_path}
    else:
        sources = {"": entry.image_path or entry.paths[0]}
    for which, path in sources.items():
        shutil.copyfile(path, layers / f"{item_id}_bag{which}{path.suffix.lower()}")
    for number, (thing, signature) in enumerate(zip(made.things, made.placed, strict=True)):
        values = signature.image.values
        stem = f"{item_id}_threat{number}"
        if len(values) == 3:
            write_png(layers / f"{stem}.png", _framed(values.transpose(1, 2, 0), thing.x, thing.y, size))
            continue
        for name, plane in zip(signature.image.channels, values, strict=True):
            write_png(layers / f"{stem}_{name}.png", _framed(plane, thing.x, thing.y, size))


def _framed(transmission: FloatArray, x: int, y: int, size: tuple[int, int]) -> NDArray[Any]:
    whole = np.full((*size, *transmission.shape[2:]), _WHITE, np.uint16)
    whole[y : y + transmission.shape[0], x : x + transmission.shape[1]] = np.rint(transmission * np.float64(_WHITE))
    return whole
