"""STCray: bags packed by a protocol of concealment, one folder a class.

Layout (from three third parties' loaders, which agree)::

    STCray_TrainSet/Images/Class 1_Explosive/*.jpg   STCray_TrainSet/Json_BB/Class 1_Explosive/*.json      (and STCray_TestSet)

A JSON is LabelMe's: ``{"imageWidth", "imageHeight", "shapes": [{"label", "shape_type": "rectangle", "points": [[x, y], [x, y]]}]}``,
corners in any order. The folder ``Class 22_Non Threat`` has no JSON: its images are harmless. Anywhere else an image without a JSON
is counted, not read. ``Jsonpolygon/`` and the captions are left out.

Source:
    Velayudhan et al., "STING-BEE: Towards Vision-Language Model for Real-World X-ray Baggage Security Inspection", CVPR 2025;
    huggingface.co/datasets/Naoufel555/STCray-Dataset.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from threatray.core import Annotations, Provenance
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.faults import number_of
from threatray.datasets.formats.format import DatasetStream, Format, Holds, ReadOptions
from threatray.datasets.formats.native import Job, Published, Reading, Things, own_id, unknown_layout
from threatray.datasets.formats.native_files import json_of, names_in, unannotated
from threatray.datasets.pixels import IMAGE_SUFFIXES, image_size
from threatray.errors import DataError

PUBLISHED: Final = Published(
    "stcray",
    "STCray",
    Provenance("STCray", "see huggingface.co/datasets/Naoufel555/STCray-Dataset"),
    (),
    {"": 46642},
)
_SETS: Final = {"STCray_TrainSet": "train", "STCray_TestSet": "test"}
_HARMLESS: Final = "Non Threat"


def _sets(root: Path) -> list[tuple[Path, str]]:
    folders = [(root / name, part) for name, part in _SETS.items()] + [(root, part) for name, part in _SETS.items() if root.name == name]
    return [(folder, part) for folder, part in folders if (folder / "Images").is_dir() and (folder / "Json_BB").is_dir()]


def is_stcray(root: Path) -> bool:
    """Whether a folder is laid out as STCray."""
    return bool(_sets(root))


def read_stcray(root: Path, options: ReadOptions = ReadOptions()) -> DatasetStream:  # noqa: B008 (frozen)
    """Read STCray.

    Raises:
        DataError: Another layout, or (from the entries) nothing sound in it.
    """
    sets = _sets(root)
    if not sets:
        raise unknown_layout(PUBLISHED, root, "STCray_TrainSet/ or STCray_TestSet/ with Images/ and Json_BB/")
    reading = Reading(PUBLISHED, root, options)

    def jobs() -> Iterator[Job]:
        for folder, part in sets:
            for kind in _kinds(folder):
                yield from _one_kind(folder, kind, part, reading)

    def notes() -> Sequence[str]:
        lost = [
            (f"{folder.name}/Images/{kind}", unannotated(folder / "Images" / kind, folder / "Json_BB" / kind, ".json"))
            for folder, _ in sets
            for kind in _kinds(folder)
            if not kind.endswith(_HARMLESS)
        ]
        return [f"{count} image(s) in {where}/ have no JSON and were not read." for where, count in lost if count]

    return reading.stream(jobs(), notes)


def _kinds(folder: Path) -> list[str]:
    """The class folders that have images or annotations."""
    names = set()
    for inner in ("Images", "Json_BB"):
        with os.scandir(folder / inner) as found:
            names |= {one.name for one in found if one.is_dir()}
    return sorted(names)


def _one_kind(folder: Path, kind: str, part: str, reading: Reading) -> Iterator[Job]:
    """The images of a class folder: those with a JSON, or in the harmless folder all."""
    where = f"{folder.name}/Images/{kind}"
    if kind.endswith(_HARMLESS):
        for name in sorted(name for suffix in IMAGE_SUFFIXES for name in names_in(folder / "Images" / kind, suffix)):

            def harmless(name: str = name) -> Entry:
                return _entry(reading.find(name, (folder / "Images" / kind,)), None, (kind, part), where, reading)

            yield f"{where}/{name}", harmless
        return
    for name in names_in(folder / "Json_BB" / kind, ".json"):

        def boxed(name: str = name) -> Entry:
            document = json_of(f"{folder}/Json_BB/{kind}/{name}", reading.root, reading.inside)
            image = reading.image_called(name.removesuffix(".json"), folder / "Images" / kind)
            return _entry(image, document, (kind, part), f"{folder.name}/Json_BB/{kind}/{name}", reading)

        yield f"{folder.name}/Json_BB/{kind}/{name}", boxed


def _entry(image: Path, document: Any, names: tuple[str, str], item: str, reading: Reading) -> Entry:
    kind, part = names
    height, width = image_size(image)
    own = reading.claim(own_id(part, kind, image.stem))
    return Entry(
        id=own,
        image_path=image,
        width=width,
        height=height,
        things=Annotations.none() if document is None else _things(document, item, width, height, reading),
        group=own,
        provenance=reading.published.provenance,
        part=part,
    )


def _things(document: Any, item: str, width: int, height: int, reading: Reading) -> Annotations:
    shapes = document.get("shapes") if isinstance(document, Mapping) else None
    if not isinstance(shapes, list):
        raise DataError(f"expected a list 'shapes', got {type(shapes).__name__}")
    if not shapes:
        raise DataError("boxes nothing, in a folder of threats; it would pass for benign")
    said = (document.get("imageWidth"), document.get("imageHeight"))
    if all(type(side) is int for side in said) and said != (width, height):
        raise DataError(f"annotates a picture of {said[0]}x{said[1]} pixels, but its image has {width}x{height}")
    things = Things(reading, width, height)
    for place, shape in enumerate(shapes, 1):
        at = f"{item}, shape {place}"
        if not isinstance(shape, Mapping) or shape.get("shape_type", "rectangle") != "rectangle":
            things.broken += 1
            reading.set_aside(
                at, f"expected a rectangle, got {str(shape.get('shape_type') if isinstance(shape, Mapping) else shape)[:40]!r}"
            )
            continue
        things.add(at, shape.get("label"), _corners(shape.get("points")))
    return things.sound()


def _corners(points: object) -> Sequence[object]:
    if not isinstance(points, list) or len(points) != 2 or not all(isinstance(point, list) and len(point) == 2 for point in points):
        return [str(points)[:20]]
    (x0, y0), (x1, y1) = ([number_of(value) for value in point] for point in points)
    return [min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)]


FORMAT = Format(
    name=PUBLISHED.name,
    title=PUBLISHED.title,
    layout="STCray_TrainSet/ or STCray_TestSet/ with Images/Class 1_Explosive/ and so on, and the same folders in Json_BB/",
    holds=frozenset({Holds.BOXES, Holds.PART, Holds.PROVENANCE}),
    detect=is_stcray,
    read=read_stcray,
    drops=("outlines (Jsonpolygon/)", "captions", "augmented threat items"),
    faults=("corners in any order", "images without JSON", "annotations without an image"),
)
