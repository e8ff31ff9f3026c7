"""A few composites by every method, beside a real scan: the pictures that the report's gallery shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from threatray.core import FloatArray, XrayImage
from threatray.core.files import write_json
from threatray.core.image_file import write_png
from threatray.errors import ThreatrayError
from threatray.physics.pseudo_colour import DEFAULT_PALETTE
from threatray.pipeline.palettes import ScannerPalettes
from threatray.pipeline.sources import Located, Role, Sources
from threatray.pipeline.views import TransmissionView
from threatray.tip.compose import CompositeParams
from threatray.tip.library import SignatureLibrary
from threatray.tip.methods import Shown, by_every_method, shown

GALLERY: Final = "gallery"
GALLERY_FILE: Final = "gallery.json"
MOST_EXHIBITS: Final = 3
_AROUND: Final = 0.3
"""Bag shown on each side of a threat, as a share of the box's long side: enough to see what it lies on."""

Made = tuple[str, str, CompositeParams]
"""A composite's id, the class of its first threat, and what was drawn."""

Drawn = TypeVar("Drawn")

Box = tuple[float, float, float, float]


def write_gallery(
    folder: Path,
    sources: Sources,
    bags: Mapping[str, Located],
    made: Sequence[Made],
    library: SignatureLibrary,
    palettes: ScannerPalettes | None = None,
) -> None:
    """Write ``gallery/gallery.json`` and its pictures: up to one composite a class, the middle one, so that none is picked by its looks.

    Args:
        folder: The stage's folder.
        sources: The datasets.
        bags: Bag id -> image.
        made: The composites.
        library: The signatures that they hold.
        palettes: Of the scanners that colour was read with; the default palette if None.
    """
    exhibits = [_exhibit(folder / GALLERY, sources, bags, one, library, palettes) for one in chosen(made)]
    write_json(folder / GALLERY / GALLERY_FILE, exhibits)


def chosen(made: Sequence[tuple[str, str, Drawn]]) -> list[tuple[str, str, Drawn]]:
    """The middle composite of each of the first classes by name; further ones of one class where there are too few classes.

    Example:
        >>> none = CompositeParams("bag", ())
        >>> [one for one, _, _ in chosen([("a", "gun", none), ("b", "gun", none), ("c", "gun", none), ("d", "knife", none)])]
        ['b', 'd']
    """
    by_class: dict[str, list[tuple[str, str, Drawn]]] = {}
    for one in sorted(made, key=lambda entry: entry[0]):
        by_class.setdefault(one[1], []).append(one)
    classes = sorted(by_class)
    places = np.linspace(0, len(classes) - 1, min(MOST_EXHIBITS, len(classes))).round().astype(int)
    return [by_class[classes[place]][(len(by_class[classes[place]]) - 1) // 2] for place in places]


def _exhibit(
    folder: Path,
    sources: Sources,
    bags: Mapping[str, Located],
    made: Made,
    library: SignatureLibrary,
    palettes: ScannerPalettes | None,
) -> dict[str, Any]:
    name, class_name, params = made
    located = bags[params.bag_id]
    view = TransmissionView.of(sources.read(located, sources.quantity).sample, palettes)
    bag, palette = _transmission(view), view.palette or DEFAULT_PALETTE
    methods = by_every_method(bag, params, library.load, view.air, palette)
    whole = shown(bag, view.air, palette)
    window = around(_changed(whole, next(iter(methods.values()))), bag.size)
    panels = [_panel(folder, name, "bag", whole, window)]
    panels += [_panel(folder, name, method.value, one, window) for method, one in methods.items()]
    real = _real(sources, class_name, palettes)
    if real is not None:
        panels.append(_panel(folder, name, "real", *real))
    insertions = [each.signature_id for each in params.insertions]
    return {"id": name, "class_name": class_name, "bag_id": params.bag_id, "signatures": insertions, "panels": panels}


def _transmission(view: TransmissionView) -> XrayImage:
    """The scan's energies, or its three colours divided by air, however the stage read it."""
    return view.sample.image if view.air is None else view.stored.as_channel_transmission(view.air)


def _changed(before: Shown, after: Shown) -> Box:
    moved = np.abs(before.screen.values - after.screen.values).max(axis=0) > 0.02
    if not moved.any():
        return (0.0, 0.0, float(moved.shape[1]), float(moved.shape[0]))
    rows, columns = np.flatnonzero(moved.any(axis=1)), np.flatnonzero(moved.any(axis=0))
    return (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def around(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """A square about a box, a part of the picture, as large as the picture allows: (left, top, right, bottom).

    Example:
        >>> around((40, 40, 60, 50), (100, 200))
        (34, 29, 66, 61)
    """
    side = (1 + 2 * _AROUND) * max(box[2] - box[0], box[3] - box[1])
    edges = []
    for low, high, length in ((box[0], box[2], size[1]), (box[1], box[3], size[0])):
        span = min(round(side), length)
        start = round(min(max((low + high - span) / 2, 0), length - span))
        edges.append((start, start + span))
    return edges[0][0], edges[1][0], edges[0][1], edges[1][1]


def _real(sources: Sources, class_name: str, palettes: ScannerPalettes | None) -> tuple[Shown, tuple[int, int, int, int]] | None:
    """A labelled scan with a threat of this class, the one of middling size; None where none can be shown."""
    sized = []
    for located in sources.located(Role.LABELLED):
        for label, box in zip(located.entry.labels, located.entry.boxes.tolist(), strict=True):
            if sources.taxonomy.name_of(label) == class_name:
                share = (box[2] - box[0]) * (box[3] - box[1]) / (located.entry.width * located.entry.height)
                sized.append((share, located.key, located, box))
    sized.sort(key=lambda entry: entry[:2])
    middle = len(sized) // 2
    for _, _, located, box in [*sized[middle:], *sized[:middle]]:
        try:
            view = TransmissionView.of(sources.read(located, sources.quantity).sample, palettes)
            return shown(_transmission(view), view.air, view.palette or DEFAULT_PALETTE), around(box, view.stored.size)
        except ThreatrayError:
            continue
    return None


def _panel(folder: Path, name: str, what: str, one: Shown, window: tuple[int, int, int, int]) -> dict[str, Any]:
    """Write one scan's pictures: what the screen shows with 8 bits, the energies with 16."""
    left, top, right, bottom = window
    files: dict[str, str | None] = {"screen": f"{name}_{what}.png", "low": None, "high": None}
    screen = np.rint(_part(one.screen, window) * 255).astype(np.uint8)
    write_png(folder / str(files["screen"]), screen[0] if len(screen) == 1 else np.ascontiguousarray(screen.transpose(1, 2, 0)))
    if one.energies is not None:
        for plane, energy in zip(_part(one.energies, window), ("low", "high"), strict=True):
            files[energy] = f"{name}_{what}_{energy}.png"
            write_png(folder / str(files[energy]), np.rint(plane * 65535).astype(np.uint16))
    return {"name": what, "proxy": one.proxy, "window": [left, top, right, bottom], **files}


def _part(image: XrayImage, window: tuple[int, int, int, int]) -> FloatArray:
    left, top, right, bottom = window
    return image.values[:, top:bottom, left:right]
