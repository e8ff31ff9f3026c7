"""EDS: the same kinds of things through three X-ray machines.

Layout (read from the authors' loader; the archive is sent on signed request)::

    domain1/images/*.jpg   domain1/labels/*.xml   domain1/val.txt      (and domain2, domain3)

The XML is Pascal VOC's. The domain is the machine and becomes the part: the published experiments train on one and test on another.
Coordinates are taken as they stand (the authors' loader subtracts 1). Class names are kept as they stand; that loader compares them
in small letters.

Source:
    Tao et al., "Exploring Endogenous Shift for Cross-domain Detection", CVPR 2022; github.com/DIG-Beihang/PSN,
    ``lib/datasets/domain1.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from threatray.core import Provenance
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.format import DatasetStream, Format, Holds, ReadOptions
from threatray.datasets.formats.native import Job, Published, Reading, Things, own_id, unknown_layout
from threatray.datasets.formats.native_files import any_name, listed_ids, names_in, unannotated
from threatray.datasets.formats.voc_things import add_objects
from threatray.datasets.formats.voc_xml import parse_annotation
from threatray.datasets.pixels import image_size

PUBLISHED: Final = Published(
    "eds",
    "EDS",
    Provenance("EDS", "academic use only, on signed request (Beihang University)"),
    (
        "drinkbottle",
        "pressure",
        "lighter",
        "knife",
        "smallelectronicequipment",
        "powerbank",
        "umbrella",
        "glassbottle",
        "scissor",
        "laptop",
    ),
    {"": 14219},
)
DOMAINS: Final = ("domain1", "domain2", "domain3")


def _domains(root: Path) -> list[Path]:
    return [root / name for name in DOMAINS if (root / name / "images").is_dir() and any_name(root / name / "labels", ".xml") is not None]


def is_eds(root: Path) -> bool:
    """Whether a folder is laid out as EDS."""
    return bool(_domains(root))


def read_eds(root: Path, options: ReadOptions = ReadOptions()) -> DatasetStream:  # noqa: B008 (frozen)
    """Read EDS.

    Raises:
        DataError: Another layout, a list that cannot be read, or (from the entries) nothing sound in it.
    """
    domains = _domains(root)
    if not domains:
        raise unknown_layout(PUBLISHED, root, "domain1/images/ with domain1/labels/*.xml, or the same for domain2 or domain3")
    reading = Reading(PUBLISHED, root, options)
    listed = {folder: set(listed_ids(folder / "val.txt", reading.root)) for folder in domains}

    def jobs() -> Iterator[Job]:
        for folder in domains:
            for name in names_in(folder / "labels", ".xml"):

                def make(folder: Path = folder, name: str = name) -> Entry:
                    return _entry(folder, name, reading)

                yield f"{folder.name}/labels/{name}", make

    def notes() -> Iterator[str]:
        for folder in domains:
            lost = unannotated(folder / "images", folder / "labels", ".xml")
            if lost:
                yield f"{lost} image(s) in {folder.name}/images/ have no annotation and were not read."
            absent = len(listed[folder] - {name.removesuffix(".xml") for name in names_in(folder / "labels", ".xml")})
            if absent:
                yield f"{absent} id(s) that {folder.name}/val.txt names have no annotation file."

    return reading.stream(jobs(), lambda: tuple(notes()))


def _entry(folder: Path, name: str, reading: Reading) -> Entry:
    tree = parse_annotation(folder / "labels" / name, reading.root)
    stem = name.removesuffix(".xml")
    image = reading.image_called(stem, folder / "images")
    height, width = image_size(image)
    things = Things(reading, width, height)
    add_objects(tree, things, f"{folder.name}/labels/{name}")
    own = own_id(folder.name, stem)
    return Entry(
        id=own,
        image_path=image,
        width=width,
        height=height,
        things=things.sound(),
        group=own,
        provenance=reading.published.provenance,
        part=folder.name,
    )


FORMAT = Format(
    name=PUBLISHED.name,
    title=PUBLISHED.title,
    layout="domain1/images/ with domain1/labels/*.xml, the same for domain2 and domain3",
    holds=frozenset({Holds.BOXES, Holds.PART, Holds.PROVENANCE}),
    detect=is_eds,
    read=read_eds,
    drops=("images without an annotation file", "the flag 'difficult'"),
    faults=("annotations without an image", "boxes that reach outside their image"),
)
