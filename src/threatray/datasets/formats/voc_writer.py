"""Pascal VOC: the writer."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent  # nosec: building only

from threatray.core import SetAside
from threatray.core.files import whole_file, write_text
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.copying import Pictures, cannot_be_a_name, check_name

ANNOTATIONS_NAME: Final = "Annotations"
IMAGES_NAME: Final = "JPEGImages"
_NO_XML: Final = re.compile("[^\t\n\x20-\x7e\x80-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(folder: Path, classes: Sequence[str], entries: Iterable[Entry]) -> tuple[SetAside, ...]:
    """Write ``Annotations/``, ``JPEGImages/`` and, where parts are known, ``ImageSets/Main/``.

    Args:
        folder: Empty.
        classes: Not needed: VOC names the class at each thing.
        entries: What to write.

    Returns:
        Images that VOC cannot hold: without a colour picture, with an id that is no file name, or with a text that XML cannot
        give back (control codes, or white space at an end).
    """
    del classes
    set_aside: list[SetAside] = []
    pictures = Pictures(folder / IMAGES_NAME)
    parts: dict[str, list[str]] = {}
    for entry in entries:
        reason = _cannot_hold(entry)
        if reason is not None or entry.image_path is None:
            set_aside.append(SetAside(entry.id, reason or "has no colour image, which VOC needs"))
            continue
        name = pictures.copy(entry.image_path, entry.id)
        write_voc_annotation(folder / ANNOTATIONS_NAME / f"{entry.id}.xml", entry, name)
        if entry.part:
            check_name(entry.part)
            parts.setdefault(entry.part, []).append(entry.id)
    for part, ids in sorted(parts.items()):
        write_text(folder / "ImageSets" / "Main" / f"{part}.txt", "".join(f"{one}\n" for one in sorted(ids)))
    return tuple(set_aside)


def _cannot_hold(entry: Entry) -> str | None:
    for text in (*entry.labels, entry.group, entry.provenance.source, entry.provenance.licence):
        if text != text.strip() or _NO_XML.search(text):
            return f"XML cannot give the text {text[:80]!r} back: it has control codes, or white space at an end"
    if entry.id != entry.id.strip():
        return "its id begins or ends with white space, which a list of VOC cannot hold"
    return cannot_be_a_name(entry.id)


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
