"""SIXray: a million scans of a subway's scanners, 8,929 of them with prohibited items.

Layout (read from the authors' loader and download list; numbered folders from a third party's loader)::

    JPEGImage/P00001.jpg, N0000001.jpg   (or folders 0/ to 20/)
    Annotation/P00001.xml   positive-Annotation/P00001.xml      Pascal VOC, positives only
    ImageSet/10/train.csv, test.csv      (and 100/, 1000/)      name,Gun,Knife,Wrench,Pliers,Scissors with 1 or -1

An image's label in a list that has no box in its XML becomes a label of the whole image. The part is the list's; an image that
different lists put into different parts has none. Images that begin with N are harmless as far as is known: those on the user's list
of mislabelled negatives are set aside. Ids number the scans in turn and are the group, so that neighbours can be kept together.

Source:
    Miao et al., "SIXray: A Large-scale Security Inspection X-ray Benchmark", CVPR 2019; github.com/MeioJane/SIXray;
    github.com/MeioJane/CHR, ``CHR/ray.py``. Lists of mislabelled negatives: github.com/jodumagpi/Xray-ObjSep-v1.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from threatray.core import Annotations, Provenance
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.format import DatasetStream, Format, Holds, ReadOptions
from threatray.datasets.formats.native import Job, Published, Reading, Things, unknown_layout
from threatray.datasets.formats.native_files import any_name, names_in
from threatray.datasets.formats.sixray_lists import SixrayLists, list_files
from threatray.datasets.formats.voc_things import add_objects, check_size
from threatray.datasets.formats.voc_xml import parse_annotation
from threatray.datasets.pixels import image_size
from threatray.errors import DataError

PUBLISHED: Final = Published(
    "sixray",
    "SIXray",
    Provenance("SIXray", "academic use only, no commercial use (UCAS-PRISDL)"),
    ("Gun", "Knife", "Wrench", "Pliers", "Scissors", "Hammer"),
    {"": 1059231},
)
_MOST_NAMED: Final = 100
"""Annotations without an image that are listed one by one: where the archive of positives is missing, all 8,929 have none."""

_ANNOTATIONS: Final = ("Annotation", "positive-Annotation")
_IMAGES: Final = ("JPEGImage", "JPEGImages")
_NUMBERED: Final = re.compile(r"\d{1,2}")
_NAME: Final = re.compile(r"[PN]\d{5,7}\.jpg", re.ASCII)


def _image_folders(root: Path) -> list[Path]:
    """Folders of images; the first file that the disk returns tells that they are SIXray's."""
    try:
        with os.scandir(root) as found:
            names = [one.name for one in found if one.is_dir() and (one.name in _IMAGES or _NUMBERED.fullmatch(one.name))]
    except OSError:
        return []
    ordered = sorted(names, key=lambda name: (len(name), name))
    return [root / name for name in ordered if _NAME.fullmatch(any_name(root / name, ".jpg") or "")]


def is_sixray(root: Path) -> bool:
    """Whether a folder is laid out as SIXray: its images by their names, and lists or annotations of positives."""
    annotated = any(_NAME.fullmatch(f"{(any_name(root / name, '.xml') or '')[:-4]}.jpg") for name in _ANNOTATIONS)
    return (annotated or bool(list_files(root))) and bool(_image_folders(root))


def read_sixray(root: Path, options: ReadOptions = ReadOptions()) -> DatasetStream:  # noqa: B008 (frozen)
    """Read SIXray.

    Raises:
        DataError: Another layout, a list that cannot be read, or (from the entries) nothing sound in it.
    """
    folders = _image_folders(root)
    if not folders:
        raise unknown_layout(PUBLISHED, root, "JPEGImage/ with P00001.jpg or N0000001.jpg, and Annotation/ or ImageSet/10/train.csv")
    reading = Reading(PUBLISHED, root, options)
    lists = SixrayLists.read(root, reading)
    annotated = {name[:-4]: root / folder / name for folder in reversed(_ANNOTATIONS) for name in names_in(root / folder, ".xml")}
    state = _State(reading, lists, annotated)

    def jobs() -> Iterator[Job]:
        for folder in folders:
            for name in names_in(folder, ".jpg"):

                def make(folder: Path = folder, name: str = name) -> Entry:
                    return state.entry(folder / name)

                yield f"{folder.name}/{name}", make
        absent = sorted(set(annotated) - state.met)
        state.unnamed = max(0, len(absent) - _MOST_NAMED)
        for stem in absent[:_MOST_NAMED]:
            reading.set_aside(f"{annotated[stem].parent.name}/{stem}.xml", f"its image {stem}.jpg is missing")

    return reading.stream(jobs(), state.notes)


class _State:
    """What is known while the images go by; of the negatives only what the lists keep."""

    def __init__(self, reading: Reading, lists: SixrayLists, annotated: dict[str, Path]) -> None:
        self.reading = reading
        self.lists = lists
        self.annotated = annotated
        self.met: set[str] = set()
        self.unboxed = 0
        self.denied = 0
        self.listed = 0
        self.unnamed = 0

    def entry(self, image: Path) -> Entry:
        """One image with its boxes and what the lists say of it."""
        stem = image.stem
        if not _NAME.fullmatch(image.name):
            raise DataError("is not called P or N and a number, as SIXray's images are")
        image = self.reading.find(image.name, (image.parent,))
        first = self.lists.meet(stem)
        if not first:
            raise DataError(f"another image is called {stem!r} already")
        xml = self.annotated.get(stem)
        if xml is not None:
            self.met.add(stem)
        labels = self.lists.labels(stem)
        height, width = image_size(image)
        things = Things(self.reading, width, height)
        if xml is not None:
            tree = parse_annotation(xml, self.reading.root)
            check_size(tree, image, width, height)
            add_objects(tree, things, f"{xml.parent.name}/{xml.name}")
        found = Annotations.none() if labels and not things.boxes else things.sound()
        without = tuple(label for label in labels if label not in found.labels)
        if stem.startswith("P") and not found.labels and not without:
            raise DataError("is numbered as a positive, but no annotation and no list says what is in it; it would pass for benign")
        self.unboxed += bool(without)
        self.denied += bool(labels) and any(label not in labels and label in self.lists.columns for label in found.labels)
        self.listed += self.lists.is_listed(stem)
        return Entry(
            id=stem,
            image_path=image,
            width=width,
            height=height,
            things=found,
            group=stem,
            provenance=self.reading.published.provenance,
            part=self.lists.part(stem),
            image_labels=without,
        )

    def notes(self) -> tuple[str, ...]:
        """What a user should know about this copy."""
        notes = []
        absent = self.lists.count - self.listed
        if absent > 0:
            notes.append(
                f"{absent:,} of the {self.lists.count:,} images that ImageSet/ lists are not here: archives of SIXray are missing"
                " (the links that its authors give hold 548,167 images, none of them positive)."
            )
        if self.unnamed:
            notes.append(f"{self.unnamed:,} further annotation(s) have no image here either; only the first {_MOST_NAMED} are listed.")
        if self.unboxed:
            notes.append(f"{self.unboxed} image(s) hold a class that a list names and no box shows; it is a label of the whole image.")
        if self.denied:
            notes.append(f"{self.denied} image(s) have a box of a class that the lists deny; the box is kept.")
        if self.lists.conflicts:
            notes.append(
                f"{self.lists.conflicts} image(s) are in the training list of one subset and the test list of another; no part is kept."
            )
        cut, neighbours = self.lists.neighbours()
        if cut:
            notes.append(
                f"The published split cuts {cut} of {neighbours} pairs of neighbouring positive ids; neighbours are often one bag scanned"
                " again, so it leaks. Split by groups of neighbouring ids instead."
            )
        if not self.reading.options.mislabelled:
            notes.append(
                "SIXray's negatives hold mislabelled ones (188 in SIXray10, 1,926 in SIXray100, 3,018 in SIXray1000 are known);"
                " give the list of their ids to leave them out."
            )
        return tuple(notes)


FORMAT = Format(
    name=PUBLISHED.name,
    title=PUBLISHED.title,
    layout="JPEGImage/ (or 0/ to 20/) with P00001.jpg and N0000001.jpg, Annotation/*.xml, ImageSet/10|100|1000/train.csv and test.csv",
    holds=frozenset({Holds.BOXES, Holds.IMAGE_LABELS, Holds.PART, Holds.PROVENANCE}),
    detect=is_sixray,
    read=read_sixray,
    drops=("which of SIXray10, SIXray100 and SIXray1000 list an image",),
    faults=(
        "negatives that hold a threat, by the user's list of ids",
        "archives that are missing",
        "positives with labels of the whole image and no box",
        "a split that puts neighbouring scans of one bag in both parts",
    ),
)
