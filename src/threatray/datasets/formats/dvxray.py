"""DvXray: every bag from above and from the side, boxes in both views.

Layout (read from the authors' split script, and from a third party's loader for the two folders and the keys of the boxes)::

    DvXray_Positive_Samples/P00001_OL.png, P00001_SD.png, P00001.json
    DvXray_Negative_Samples/N00001_OL.png, N00001_SD.png, N00001.json

or the same files in one folder. A JSON is ``{"objects": "None"}`` for a harmless bag, else a list of
``{"label", "ol_bb": [x0, y0, x1, y1], "sd_bb": [...]}``. Corners come in any order. A box that is the word ``difficult`` marks a
thing that is in the bag but could not be boxed in that view: it becomes a label of the whole image. Both views carry the bag as
their group, which no split may cut. No split is published: the authors draw one at random.

Source:
    Ma et al., "Towards Dual-View X-Ray Baggage Inspection", IEEE TIFS 2024; github.com/Mbwslib/DvXray, ``get_split.py``.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from threatray.core import Provenance
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.faults import number_of
from threatray.datasets.formats.format import DatasetStream, Format, Holds, ReadOptions
from threatray.datasets.formats.native import Job, Published, Reading, Things, own_id, unknown_layout
from threatray.datasets.formats.native_files import json_of, names_in
from threatray.datasets.pixels import image_size
from threatray.errors import DataError

PUBLISHED: Final = Published(
    "dvxray",
    "DvXray",
    Provenance("DvXray", "no terms published"),
    (
        "Gun",
        "Knife",
        "Wrench",
        "Pliers",
        "Scissors",
        "Lighter",
        "Battery",
        "Bat",
        "Razor_blade",
        "Saw_blade",
        "Fireworks",
        "Hammer",
        "Screwdriver",
        "Dart",
        "Pressure_vessel",
    ),
    {"": 32000},
)
FOLDERS: Final = ("DvXray_Positive_Samples", "DvXray_Negative_Samples")
VIEWS: Final = {"OL": ("overlook", "ol_bb"), "SD": ("side", "sd_bb")}
"""Ending of the file -> name of the view, key of its boxes."""

_UNBOXED: Final = "difficult"


def _folders(root: Path) -> list[Path]:
    found = [root / name for name in FOLDERS if (root / name).is_dir()]
    return found or ([root] if _has_pair(root) else [])


def _has_pair(folder: Path, most: int = 200) -> bool:
    """Whether a JSON stands beside an image of one view, among the first files the disk returns."""
    try:
        with os.scandir(folder) as found:
            for place, one in enumerate(found):
                stem, ending = one.name[:-7], one.name[-7:]
                if ending in ("_OL.png", "_SD.png") and (folder / f"{stem}.json").is_file():
                    return True
                if place >= most:
                    break
    except OSError:
        pass
    return False


def is_dvxray(root: Path) -> bool:
    """Whether a folder is laid out as DvXray."""
    return bool(_folders(root))


def read_dvxray(root: Path, options: ReadOptions = ReadOptions()) -> DatasetStream:  # noqa: B008 (frozen)
    """Read DvXray; each bag gives two entries of one group.

    Raises:
        DataError: Another layout, or (from the entries) nothing sound in it.
    """
    folders = _folders(root)
    if not folders:
        raise unknown_layout(PUBLISHED, root, f"{FOLDERS[0]}/ or {FOLDERS[1]}/ with *_OL.png, *_SD.png and *.json")
    reading = Reading(PUBLISHED, root, options)
    said: Counter[str] = Counter()

    def jobs() -> Iterator[Job]:
        for folder in folders:
            for name in names_in(folder, ".json"):
                yield from _bag(folder, name, reading, said)

    return reading.stream(jobs(), lambda: _notes(said))


def _notes(said: Mapping[str, int]) -> Sequence[str]:
    if not said[_UNBOXED]:
        return ()
    return (f"{said[_UNBOXED]} thing(s) could not be boxed in one view (marked difficult); they are labels of that whole image.",)


def _bag(folder: Path, name: str, reading: Reading, said: Counter[str]) -> Iterator[Job]:
    """The two views of a bag; the JSON is read once."""
    bag = name.removesuffix(".json")
    try:
        objects = _objects(json_of(folder / name, reading.root, reading.inside))
    except DataError as error:
        reason = str(error)

        def fail() -> Entry:
            raise DataError(reason)

        yield f"{folder.name}/{name}", fail
        return
    for ending in VIEWS:

        def make(ending: str = ending) -> Entry:
            return _view(folder, bag, ending, objects, reading, said)

        yield f"{folder.name}/{bag}_{ending}", make


def _objects(document: Any) -> list[Any]:
    objects = document.get("objects") if isinstance(document, Mapping) else None
    if objects == "None":
        return []
    if not isinstance(objects, list):
        raise DataError(f"expected 'objects' to be a list or the word None, got {type(objects).__name__}")
    return objects


def _view(folder: Path, bag: str, ending: str, objects: list[Any], reading: Reading, said: Counter[str]) -> Entry:
    view, key = VIEWS[ending]
    image = reading.image_called(f"{bag}_{ending}", folder, (".png", ".jpg"))
    height, width = image_size(image)
    things = Things(reading, width, height)
    unboxed: list[str] = []
    for place, thing in enumerate(objects, 1):
        item = f"{folder.name}/{bag}.json, object {place}, {view} view"
        if not isinstance(thing, Mapping):
            things.broken += 1
            reading.set_aside(item, f"expected a label and two boxes, got {str(thing)[:40]!r}")
            continue
        label, box = thing.get("label"), thing.get(key)
        if box == _UNBOXED and isinstance(label, str) and label.strip():
            unboxed.append(label.strip())
            said[_UNBOXED] += 1
        else:
            things.add(item, label, _corners(box))
    if things.broken and not things.boxes and unboxed:
        things.broken = 0  # the label of the whole image says already that it is not benign
    return Entry(
        id=own_id(f"{bag}_{ending}"),
        image_path=image,
        width=width,
        height=height,
        things=things.sound(),
        group=own_id(bag),
        provenance=reading.published.provenance,
        view=view,
        image_labels=tuple(dict.fromkeys(unboxed)),
    )


def _corners(box: object) -> Sequence[object]:
    """Two corners as left, top, right, bottom; what is no box stays as it is for the message."""
    if not isinstance(box, list) or len(box) != 4:
        return [str(box)[:20]]
    x0, y0, x1, y1 = (number_of(value) for value in box)
    return [min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)]


FORMAT = Format(
    name=PUBLISHED.name,
    title=PUBLISHED.title,
    layout="DvXray_Positive_Samples/ and DvXray_Negative_Samples/ with *_OL.png, *_SD.png and one *.json a bag; or all in one folder",
    holds=frozenset({Holds.BOXES, Holds.IMAGE_LABELS, Holds.GROUP, Holds.VIEW, Holds.PROVENANCE}),
    detect=is_dvxray,
    read=read_dvxray,
    drops=("which box of one view is which of the other",),
    faults=("corners in any order", "things marked 'difficult' instead of a box", "a bag with one view missing"),
)
