"""Pascal VOC: one XML an image; the reader. The writer is in ``voc_writer``."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element  # nosec: the type alone; voc_xml parses, and refuses every DTD

from threatray.core import Provenance
from threatray.core.image_file import MAX_PIXELS
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.claims import Claims
from threatray.datasets.formats.coco_layout import folders_in
from threatray.datasets.formats.faults import Box, Faults, Locator, annotations_of, checked_box, checked_name, image_id
from threatray.datasets.formats.format import DatasetStream, Format, Holds, ReadOptions
from threatray.datasets.formats.listing import Listing
from threatray.datasets.formats.voc_lists import PartLists, read_part_lists
from threatray.datasets.formats.voc_writer import write
from threatray.datasets.formats.voc_xml import parse_annotation
from threatray.datasets.pixels import IMAGE_SUFFIXES, image_size
from threatray.errors import DataError

_CORNERS: Final = ("xmin", "ymin", "xmax", "ymax")
_MOST_SOURCES_REMEMBERED: Final = 1000
_ANNOTATION_FOLDERS: Final = ("Annotations", "annotations", "Annotation", "annotation", "xml", "labels", ".")
_IMAGE_FOLDERS: Final = ("JPEGImages", "images", "Images", "JPEGImage", "image", ".")


@dataclass(frozen=True)
class VocLayout:
    """The two folders of a VOC dataset, which may be one, and the folder that holds ``ImageSets``."""

    annotations: Path
    images: Path
    base: Path


def find_voc(root: Path) -> VocLayout | None:
    """The VOC folders below ``root``: as users lay them out, or inside ``VOCdevkit/VOC2007``; None if there are none."""
    if not root.is_dir():
        return None
    years = [root, root / "VOCdevkit"]
    bases = [root, *(path for one in years if one.is_dir() for path in folders_in(one) if re.match(r"VOC\d", path.name))]
    for base in bases:
        for name in _ANNOTATION_FOLDERS:
            folder = base / name
            if not folder.is_dir() or not _holds_xml(folder):
                continue
            for images in _IMAGE_FOLDERS:
                if (base / images).is_dir() and (images != "." or name == "."):
                    return VocLayout(folder, base / images, base)
            return VocLayout(folder, folder, base)
    return None


def _holds_xml(folder: Path) -> bool:
    with os.scandir(folder) as listing:
        return any(_is_annotation(one.name) for one in listing)


def read_voc(root: Path, options: ReadOptions) -> DatasetStream:
    """Read VOC annotations, one XML at a time.

    The image of ``0004.xml`` is ``0004.jpg``; if there is none, the one that ``<filename>`` names, unless that has an XML of its own.
    Where the two differ, ``<filename>`` is an older id and becomes the group (SIXray parts are renumbered, and neighbouring old ids
    are one bag scanned again, see ``split.assign_groups``). Coordinates are taken as they stand, whole or not. ``ImageSets/Main``
    gives the part. Things marked ``difficult`` or ``truncated`` are things like any other, and their number is noted.

    An image whose every box is broken is set aside as a whole: without them it would pass for benign.

    Args:
        root: The dataset's folder.
        options: How.

    Returns:
        The sound images, in the order of their XML names. Memory holds the two folder listings (the stems only, a few bytes each)
        and the lists of ``ImageSets``, no entries.

    Raises:
        DataError: No VOC layout, or (while the entries are read) nothing sound in it.
    """
    layout = find_voc(root)
    if layout is None:
        raise DataError(f"{root}: holds no VOC annotations. Looked for {FORMAT.layout}.")
    faults = Faults(layout.annotations, strict=options.strict)
    reader = _Reader(layout, root, options, faults, read_part_lists(layout.base / "ImageSets" / "Main", layout.annotations))
    return DatasetStream(root, "voc", (), reader.entries(), faults, reader.notes)


@dataclass
class _Counts:
    """What is said in the notes, while the files are read."""

    images: int = 0
    used: int = 0
    difficult: int = 0
    truncated: int = 0


class _Reader:
    def __init__(self, layout: VocLayout, root: Path, options: ReadOptions, faults: Faults, parts: PartLists) -> None:
        self.layout = layout
        self.annotations = str(layout.annotations)
        self.root = root
        self.resolved = root.resolve()
        self.options = options
        self.faults = faults
        self.parts = parts
        self.images = Locator([layout.images], self.resolved)
        self.by_filename = Claims()
        self.provenances: dict[tuple[str, str], Provenance] = {}
        self.counts = _Counts()

    def entries(self) -> Iterator[Entry]:
        folder = os.open(self.annotations, os.O_RDONLY)
        try:
            for name, candidates in self._paired():
                try:
                    entry = self._entry(name, candidates, folder)
                except DataError as error:
                    self.faults.add(name, str(error))
                    continue
                self.counts.used += 1
                yield entry
        finally:
            os.close(folder)
        if not self.counts.used:
            first = self.faults.found[0] if self.faults.found else None
            reason = f"{len(self.faults.found)} set aside, the first: {first.item}: {first.reason}" if first else "it has no XML files"
            raise DataError(f"{self.layout.annotations}: holds no usable annotation ({reason}).")

    def notes(self) -> tuple[str, ...]:
        counts = self.counts
        notes = list(self.parts.notes)
        if counts.difficult or counts.truncated:
            notes.append(
                f"{counts.difficult} box(es) are marked difficult and {counts.truncated} truncated: kept as any other, the marks are not."
            )
        unread = counts.images - counts.used
        if unread:
            notes.append(f"{unread} image(s) in {self.layout.images.name}/ have no usable annotation and were not read.")
        read = {self.layout.annotations, self.layout.images}
        for folder in sorted(child for child in self.root.iterdir() if child.is_dir() and child not in read):
            with os.scandir(folder) as listing:
                count = sum(_is_image(one.name) for one in listing)
            if count:
                notes.append(f"{folder.name}/ holds {count} images that were not read; give it as a dataset of its own.")
        return tuple(notes)

    def _paired(self) -> Iterator[tuple[str, list[str]]]:
        """Every XML with the images of its stem: the two listings, sorted by stem, are merged."""
        pictures = Listing(self.layout.images, _is_image)
        self.counts.images = len(pictures)
        following = iter(pictures)
        ahead = next(following, None)
        for stem, name in Listing(self.layout.annotations, _is_annotation):
            while ahead is not None and ahead[0] < stem:
                ahead = next(following, None)
            candidates = []
            while ahead is not None and ahead[0] == stem:
                candidates.append(ahead[1])
                ahead = next(following, None)
            yield name, sorted(candidates) if len(candidates) > 1 else candidates

    def _entry(self, name: str, candidates: list[str], folder: int) -> Entry:
        tree = parse_annotation(f"{self.annotations}/{name}", self.resolved, folder)
        objects = tree.findall("object")
        filename = _said(tree, "filename")
        stem = name[:-4]
        image = self._image(stem, filename, candidates)
        height, width = self._size(tree.find("size"), image)
        boxes: list[Box] = []
        labels: list[str] = []
        for place, thing in enumerate(objects, 1):
            try:
                label, corners = _thing(thing)
                checked = checked_box(corners, width, height)
            except DataError as error:
                self.faults.add(f"{name}, object {place}", str(error))
                continue
            if checked.overshoot:
                self.faults.clipped(f"{name}, object {place}", checked.overshoot)
            self.counts.difficult += _said(thing, "difficult") == "1"
            self.counts.truncated += _said(thing, "truncated") == "1"
            boxes.append(checked.box)
            labels.append(label)
        if objects and not boxes:
            raise DataError("every box of it is broken; without them it would pass for benign")
        own = image_id(image.name)
        older = filename.replace("\\", "/").rpartition("/")[2]
        source = tree.find("source")
        words = (_said(source, "database") or "unknown", _said(source, "licence") or "unknown")
        return Entry(
            id=own,
            image_path=image,
            width=width,
            height=height,
            things=annotations_of(boxes, labels),
            group=_said(tree, "group") or _stem(older) or own,
            provenance=self._provenance(words),
            part=self.parts.of(stem),
        )

    def _provenance(self, words: tuple[str, str]) -> Provenance:
        """One value for all images of a source, unless every image has a source of its own."""
        if len(self.provenances) > _MOST_SOURCES_REMEMBERED:
            self.provenances.clear()
        found = self.provenances.get(words)
        if found is None:
            found = self.provenances[words] = Provenance(*words)
        return found

    def _image(self, stem: str, filename: str, candidates: list[str]) -> Path:
        if len(candidates) > 1 and filename not in candidates:
            raise DataError(f"its image could be {candidates[0]} or {candidates[1]}; keep one")
        if candidates:
            return self.images.find(filename if filename in candidates else candidates[0])
        if not filename:
            raise DataError(f"its image {stem}.jpg (or .png, ...) is missing from {self.layout.images.name}/, and it has no <filename>")
        image = self.images.find(checked_name(filename))
        if (self.layout.annotations / f"{image.stem}.xml").exists() or not self.by_filename.owner(image.name, 0)[1]:
            raise DataError(f"another annotation describes {image.name} already")
        return image

    def _size(self, given: Element | None, image: Path) -> tuple[int, int]:
        """(height, width): of the file, or as annotated where headers shall not be read."""
        high, wide = _said(given, "height") or "0", _said(given, "width") or "0"
        if not self.options.headers and high.isdecimal() and wide.isdecimal() and len(high) < 8 and len(wide) < 8:
            height, width = int(high), int(wide)
            if height > 0 and width > 0:
                if height * width > MAX_PIXELS:
                    raise DataError(f"its image {image.name} has {width}x{height} pixels, more than the {MAX_PIXELS} that are read")
                return height, width
        height, width = image_size(image)
        if (high not in ("0", "0.0") or wide not in ("0", "0.0")) and (high, wide) != (str(height), str(width)):
            raise DataError(f"annotates a picture of {wide[:20]}x{high[:20]} pixels, but {image.name} has {width}x{height}")
        return height, width


def _is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")


def _is_annotation(name: str) -> bool:
    return name.endswith(".xml") and not name.startswith(".")  # "._0001.xml" is what a Mac leaves beside 0001.xml


def _said(element: Element | None, tag: str) -> str:
    """The text of the first child of a name without white space at its ends; empty if there is no such child."""
    return "" if element is None else (element.findtext(tag) or "").strip()


def _stem(name: str) -> str:
    """A file name without its suffix."""
    dot = name.rfind(".")
    return name[:dot] if 0 < dot < len(name) - 1 else name


def _thing(thing: Element) -> tuple[str, tuple[float, ...]]:
    name = _said(thing, "name")
    if not name:
        raise DataError("has no <name>")
    frame = thing.find("bndbox")
    texts = [_said(frame, tag) for tag in _CORNERS]
    try:
        return name, tuple(map(float, texts))
    except ValueError:
        for tag, text in zip(_CORNERS, texts, strict=True):
            if not _is_number(text):
                raise DataError(f"{name}: <{tag}> must be a number, got {text[:40]!r}") from None
        raise


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


FORMAT: Final = Format(
    name="voc",
    title="Pascal VOC",
    layout="Annotations/*.xml or annotations/*.xml with JPEGImages/ or images/, also inside VOCdevkit/VOC2007/",
    holds=frozenset({Holds.BOXES, Holds.GROUP, Holds.PART, Holds.PROVENANCE}),
    detect=lambda path: find_voc(path) is not None,
    read=read_voc,
    write=write,
    drops=(
        "the marks difficult, truncated, occluded and pose (the boxes are kept)",
        "segmentation pictures",
        "things inside things (part)",
    ),
    faults=(
        "images renumbered against <filename>: the older id becomes the group",
        "XML bombs, external entities and any DTD (refused)",
        "sizes that are not the picture's",
        "two images of one stem",
        "an image in several lists of ImageSets",
    ),
)
