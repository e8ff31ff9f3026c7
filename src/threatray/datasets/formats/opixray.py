"""OPIXray: occluded cutters, with the occlusion level of each test image.

Layout (read from the authors' loader and README)::

    train/train_image/*.jpg   train/train_annotation/*.txt   train/train_knife.txt
    test/test_image/*.jpg     test/test_annotation/*.txt     test/test_knife.txt, test_knife-1.txt, -2.txt, -3.txt

``test_knife-N.txt`` lists the images of occlusion level N, which becomes the difficulty ``OLN``. Coordinates are taken as they
stand, clipped to the image as the authors' loader does. How version 2 lays out its 10,000 background images is not published:
images without an annotation file are counted, not read.

Source:
    Wei et al., "Occluded Prohibited Items Detection", ACM MM 2020; github.com/OPIXray-author/OPIXray, ``DOAM/data/OPIXray.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from threatray.core import Provenance
from threatray.datasets.formats.format import DatasetStream, Format, Holds, ReadOptions
from threatray.datasets.formats.native import Published, Reading, unknown_layout
from threatray.datasets.formats.txt_boxes import beihang_parts, is_beihang, read_txt

PUBLISHED: Final = Published(
    "opixray",
    "OPIXray",
    Provenance("OPIXray", "academic use only, no commercial use (Beihang University)"),
    ("Folding_Knife", "Straight_Knife", "Scissor", "Utility_Knife", "Multi-tool_Knife"),
    {"train": 7109, "test": 1776},
)
_MISPRINTED: Final = 7019


def is_opixray(root: Path) -> bool:
    """Whether a folder is laid out as OPIXray."""
    return is_beihang(root, PUBLISHED.classes, "knife")


def read_opixray(root: Path, options: ReadOptions = ReadOptions()) -> DatasetStream:  # noqa: B008 (frozen)
    """Read OPIXray.

    Raises:
        DataError: Another layout, a list that cannot be read, or (from the entries) nothing sound in it.
    """
    parts = beihang_parts(root)
    if not parts:
        raise unknown_layout(PUBLISHED, root, "train/train_annotation/ with train/train_image/, or the same for test")
    return read_txt(PUBLISHED, parts, root, options, one_numbering=True, notes=_notes)


def _notes(reading: Reading) -> Sequence[str]:
    train = reading.counts["train"]
    right = f"{PUBLISHED.counts['train']:,} is right, for with {PUBLISHED.counts['test']:,} test images it makes the 8,885 of the paper"
    return (f"OPIXray's README says {_MISPRINTED:,} training images, this copy has {train:,}; {right}.",) if train else ()


FORMAT = Format(
    name=PUBLISHED.name,
    title=PUBLISHED.title,
    layout="train/train_annotation/*.txt with train/train_image/, the same for test, lists train_knife.txt and test_knife-1..3.txt",
    holds=frozenset({Holds.BOXES, Holds.GROUP, Holds.PART, Holds.DIFFICULTY, Holds.PROVENANCE}),
    detect=is_opixray,
    read=read_opixray,
    drops=("images without an annotation file (version 2's backgrounds are not laid out in a published way)",),
    faults=(
        "the README's 7,019 training images are 7,109",
        "boxes that reach outside their image",
        "ids on a list without an annotation, annotations without an image",
    ),
)
