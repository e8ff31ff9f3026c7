"""PIXray: prohibited items with their outlines.

Layout (the first read from the authors' script, the second from several third parties' configurations, which agree)::

    train_set/*.png with *.json beside each     {"objects": [{"label": "Gun", "polygon": [[x, y], ...]}]}
    annotations/pixray_train.json, pixray_test.json (COCO)   train/   test/

In the first form a box is the frame of its outline. The authors' script names ``train_set`` only; ``val_set`` and ``test_set`` are
taken too.

Source:
    Ma et al., "Automated Segmentation of Prohibited Items in X-ray Baggage Images Using Dense De-overlap Attention Snake",
    IEEE TMM 2022; github.com/Mbwslib/DDoAS, ``generate_data.py``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from threatray.core import Provenance
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.coco_parts import CocoPart, read_coco_parts
from threatray.datasets.formats.dvxray import PUBLISHED as SAME_CLASSES
from threatray.datasets.formats.faults import number_of
from threatray.datasets.formats.format import DatasetStream, Format, Holds, ReadOptions
from threatray.datasets.formats.native import Job, Published, Reading, Things, own_id, unknown_layout
from threatray.datasets.formats.native_files import any_name, json_of, names_in, unannotated
from threatray.datasets.pixels import image_size
from threatray.errors import DataError

PUBLISHED: Final = Published("pixray", "PIXray", Provenance("PIXray", "no terms published"), SAME_CLASSES.classes, {"": 5046})
_SETS: Final = {"train_set": "train", "val_set": "val", "test_set": "test"}


def _folders(root: Path) -> list[tuple[Path, str]]:
    return [(root / folder, part) for folder, part in _SETS.items() if any_name(root / folder, ".json") is not None]


def _parts(root: Path) -> list[CocoPart]:
    return [
        CocoPart(root / "annotations" / f"pixray_{name}.json", (root / name, root / "images" / name), name)
        for name in ("train", "val", "test")
        if (root / "annotations" / f"pixray_{name}.json").is_file()
    ]


def is_pixray(root: Path) -> bool:
    """Whether a folder is laid out as PIXray."""
    return bool(_parts(root) or _folders(root))


def read_pixray(root: Path, options: ReadOptions = ReadOptions()) -> DatasetStream:  # noqa: B008 (frozen)
    """Read PIXray in either layout.

    Raises:
        DataError: Another layout, or (from the entries) nothing sound in it.
    """
    parts = _parts(root)
    if parts:
        return read_coco_parts(PUBLISHED, parts, root, options)
    folders = _folders(root)
    if not folders:
        raise unknown_layout(PUBLISHED, root, "train_set/ with a JSON beside each image, or annotations/pixray_train.json")
    reading = Reading(PUBLISHED, root, options)

    def jobs() -> Iterator[Job]:
        for folder, part in folders:
            for name in names_in(folder, ".json"):

                def make(folder: Path = folder, part: str = part, name: str = name) -> Entry:
                    return _entry(folder, part, name, reading)

                yield f"{folder.name}/{name}", make

    def notes() -> list[str]:
        lost = [(folder.name, unannotated(folder, folder, ".json")) for folder, _ in folders]
        return [f"{count} image(s) in {name}/ have no JSON and were not read." for name, count in lost if count]

    return reading.stream(jobs(), notes)


def _entry(folder: Path, part: str, name: str, reading: Reading) -> Entry:
    document = json_of(folder / name, reading.root, reading.inside)
    objects = document.get("objects") if isinstance(document, Mapping) else None
    if not isinstance(objects, list):
        raise DataError(f"expected a list 'objects', got {type(objects).__name__}")
    stem = name.removesuffix(".json")
    image = reading.image_called(stem, folder, (".png", ".jpg"))
    height, width = image_size(image)
    things = Things(reading, width, height)
    for place, thing in enumerate(objects, 1):
        item = f"{folder.name}/{name}, object {place}"
        outline = _outline(thing.get("polygon")) if isinstance(thing, Mapping) else None
        if not outline:
            things.broken += 1
            reading.set_aside(item, "has no outline of x, y points")
            continue
        frame = [min(outline[0::2]), min(outline[1::2]), max(outline[0::2]), max(outline[1::2])]
        things.add(item, thing.get("label"), frame, [outline])
    own = own_id(part, stem)
    return Entry(
        id=own,
        image_path=image,
        width=width,
        height=height,
        things=things.sound(),
        segmentations=things.segmentations,
        group=own,
        provenance=reading.published.provenance,
        part=part,
    )


def _outline(points: object) -> list[float]:
    """x, y, x, y, ...; empty for anything but a list of points."""
    if not isinstance(points, list) or not all(isinstance(point, list) and len(point) == 2 for point in points):
        return []
    return [number_of(value) for point in points for value in point]


FORMAT = Format(
    name=PUBLISHED.name,
    title=PUBLISHED.title,
    layout="train_set/ with a JSON of outlines beside each image; or annotations/pixray_train.json with train/",
    holds=frozenset({Holds.BOXES, Holds.MASKS, Holds.PART, Holds.PROVENANCE}),
    detect=is_pixray,
    read=read_pixray,
    faults=("outlines of fewer than three points: the box is kept", "images without JSON"),
)
