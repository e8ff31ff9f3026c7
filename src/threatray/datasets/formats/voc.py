"""Pascal VOC: one XML an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent  # nosec: building only; parsing is defusedxml's

from threatray.core import Provenance
from threatray.core.files import whole_file
from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.formats.faults import Box, Faults, annotations_of, checked_box, image_id, locate, relative_name, stays_inside
from threatray.datasets.pixels import IMAGE_SUFFIXES, image_size
from threatray.errors import DataError

_MOST_BYTES: Final = 50_000_000


@dataclass(frozen=True)
class VocLayout:
    """The two folders of a VOC dataset; they may be one."""

    annotations: Path
    images: Path


def find_voc(root: Path) -> VocLayout | None:
    """The VOC folders below ``root``: as users lay them out, or inside ``VOCdevkit/VOC2007``; None if there are none."""
    bases = [root, *sorted(path for pattern in ("VOC[0-9]*", "VOCdevkit/VOC*") for path in root.glob(pattern) if path.is_dir())]
    for base in bases:
        for name in ("Annotations", "annotations", "Annotation", "annotation", "xml", "labels", "."):
            folder = base / name
            if not folder.is_dir() or not any(folder.glob("*.xml")):
                continue
            for images in ("JPEGImages", "images", "Images", "JPEGImage", "image", "."):
                if (base / images).is_dir() and (images != "." or name == "."):
                    return VocLayout(folder, base / images)
            return VocLayout(folder, folder)
    return None


def read_voc(layout: VocLayout, root: Path, *, strict: bool = False) -> Dataset:
    """Read VOC annotations.

    The image of ``0004.xml`` is ``0004.jpg``; if there is none, the one that ``<filename>`` names. Where the two differ,
    ``<filename>`` is an older id and becomes the group (SIXray parts are renumbered, and neighbouring old ids are one bag
    scanned again, see ``split.assign_groups``). Coordinates are taken as they stand, whole or not.

    Args:
        layout: From ``find_voc``.
        root: The dataset's folder; no file name may lead out of it.
        strict: The first broken item is an error instead of being set aside.

    Returns:
        The sound images. One whose every box is broken is set aside as a whole: without them it would pass for benign.

    Raises:
        DataError: Nothing sound in it.
    """
    reader = _Reader(layout, root.resolve(), Faults(layout.annotations, strict=strict), _by_stem(layout.images))
    return reader.dataset(root)


def _by_stem(folder: Path) -> dict[str, list[str]]:
    """Stem -> image file names."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in IMAGE_SUFFIXES:
            found.setdefault(path.stem, []).append(path.name)
    return found


@dataclass(frozen=True)
class _Reader:
    layout: VocLayout
    root: Path
    faults: Faults
    by_stem: Mapping[str, list[str]]

    def dataset(self, root: Path) -> Dataset:
        entries: dict[str, Entry] = {}
        used: set[str] = set()
        for path in sorted(self.layout.annotations.glob("*.xml")):
            try:
                entry = self._entry(path)
                if entry.id in entries:
                    raise DataError(f"another annotation describes {entry.paths[0].name} already")
            except DataError as error:
                self.faults.add(path.name, str(error))
                continue
            entries[entry.id] = entry
            used.add(entry.paths[0].name)
        if not entries:
            first = self.faults.found[0] if self.faults.found else None
            reason = f"{len(self.faults.found)} set aside, the first: {first.item}: {first.reason}" if first else "it has no XML files"
            raise DataError(f"{self.layout.annotations}: holds no usable annotation ({reason}).")
        unread = sum(name not in used for names in self.by_stem.values() for name in names)
        notes = self.faults.notes()
        if unread:
            notes += (f"{unread} image(s) in {self.layout.images.name}/ have no usable annotation and were not read.",)
        classes = tuple(sorted({label for entry in entries.values() for label in entry.labels}))
        ordered = tuple(sorted(entries.values(), key=lambda entry: entry.id))
        return Dataset(root, "voc", classes, ordered, self.faults.found, notes)

    def _entry(self, path: Path) -> Entry:
        tree = _parse(path, self.root)
        filename = tree.findtext("filename", "").strip()
        image = self._image(path, filename)
        height, width = image_size(image)
        annotated = tuple((tree.findtext(f"size/{side}") or "0").strip() for side in ("height", "width"))
        if any(text not in ("0", "0.0") for text in annotated) and annotated != (str(height), str(width)):
            raise DataError(f"annotates a picture of {annotated[1][:20]}x{annotated[0][:20]} pixels, but {image.name} has {width}x{height}")
        boxes: list[Box] = []
        labels: list[str] = []
        objects = tree.findall("object")
        for place, thing in enumerate(objects, 1):
            item = f"{path.name}, object {place}"
            try:
                name, box, overshoot = _thing(thing, width, height)
            except DataError as error:
                self.faults.add(item, str(error))
                continue
            if overshoot:
                self.faults.clipped(item, overshoot)
            boxes.append(box)
            labels.append(name)
        if objects and not boxes:
            raise DataError("every box of it is broken; without them it would pass for benign")
        own = image_id(PurePosixPath(image.name))
        older = PurePosixPath(filename.replace("\\", "/")).stem
        return Entry(
            id=own,
            image_path=image,
            width=width,
            height=height,
            things=annotations_of(boxes, labels),
            group=tree.findtext("group", "").strip() or older or own,
            provenance=Provenance(
                tree.findtext("source/database", "").strip() or "unknown", tree.findtext("source/licence", "").strip() or "unknown"
            ),
        )

    def _image(self, path: Path, filename: str) -> Path:
        candidates = self.by_stem.get(path.stem, [])
        if len(candidates) > 1 and filename not in candidates:
            raise DataError(f"its image could be {candidates[0]} or {candidates[1]}; keep one")
        if candidates:
            name = filename if filename in candidates else candidates[0]
            return locate(PurePosixPath(name), [self.layout.images], self.root)
        if not filename:
            raise DataError(
                f"its image {path.stem}.jpg (or .png, ...) is missing from {self.layout.images.name}/, and it has no <filename>"
            )
        return locate(relative_name(filename), [self.layout.images], self.root)


def _parse(path: Path, root: Path) -> Any:
    from defusedxml.common import DefusedXmlException
    from defusedxml.ElementTree import parse

    if not stays_inside(path, root):
        raise DataError("is a link that leads out of the dataset")
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise DataError(f"is larger than {_MOST_BYTES:,} bytes, too large for an annotation")
        tree = parse(path, forbid_dtd=True).getroot()
    except DefusedXmlException as error:
        raise DataError(f"refused: it declares entities or a DTD ({type(error).__name__}), which annotations never need") from None
    except (SyntaxError, ValueError, LookupError, OSError) as error:  # ParseError is a SyntaxError; odd encodings raise the others
        raise DataError(f"is not valid XML ({error})") from None
    if tree is None or tree.tag != "annotation":
        raise DataError(f"expected the element <annotation>, got <{'' if tree is None else str(tree.tag)[:50]}>")
    return tree


def _thing(thing: Any, width: int, height: int) -> tuple[str, Box, float]:
    name = (thing.findtext("name") or "").strip()
    if not name:
        raise DataError("has no <name>")
    corners: list[object] = []
    for tag in ("xmin", "ymin", "xmax", "ymax"):
        text = (thing.findtext(f"bndbox/{tag}") or "").strip()
        try:
            corners.append(float(text))
        except ValueError:
            raise DataError(f"{name}: <{tag}> must be a number, got {text[:40]!r}") from None
    checked = checked_box(corners, width, height)
    return name, checked.box, checked.overshoot


def write_voc_annotation(path: Path, entry: Entry, image_name: str) -> None:
    """Write one XML; boxes with every digit they have, so that reading gives them back bit for bit.

    Args:
        path: The XML to write.
        entry: What to say. Masks have no place in VOC and are left out.
        image_name: The image's file name beside it.
    """
    top = Element("annotation")
    SubElement(top, "filename").text = image_name
    source = SubElement(top, "source")
    SubElement(source, "database").text = entry.provenance.source
    SubElement(source, "licence").text = entry.provenance.licence
    SubElement(top, "group").text = entry.group
    size = SubElement(top, "size")
    for tag, value in (("width", entry.width), ("height", entry.height), ("depth", 3)):
        SubElement(size, tag).text = str(value)
    for box, label in zip(entry.boxes, entry.labels, strict=True):
        thing = SubElement(top, "object")
        SubElement(thing, "name").text = label
        corners = SubElement(thing, "bndbox")
        for tag, corner in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True):
            SubElement(corners, tag).text = repr(float(corner))
    indent(top)
    with whole_file(path) as temporary:
        ElementTree(top).write(temporary, encoding="utf-8", xml_declaration=True)
