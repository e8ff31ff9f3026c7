"""HiXray: everyday things from an international airport.

Layout (read from the authors' loader and README)::

    train/train_image/*.jpg (or .TIFF)   train/train_annotation/*.txt   train/train_name.txt
    test/test_image/*                    test/test_annotation/*.txt     test/test_name.txt

Source:
    Tao et al., "Towards Real-world X-ray Security Inspection", ICCV 2021; github.com/HiXray-author/HiXray, ``MuBo/data/HiXray.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from threatray.core import Provenance
from threatray.datasets.formats.format import DatasetStream, Format, Holds, ReadOptions
from threatray.datasets.formats.native import Published, unknown_layout
from threatray.datasets.formats.txt_boxes import beihang_parts, is_beihang, read_txt

PUBLISHED: Final = Published(
    "hixray",
    "HiXray",
    Provenance("HiXray", "academic use only, on signed request (Beihang University)"),
    ("Portable_Charger_1", "Portable_Charger_2", "Water", "Laptop", "Mobile_Phone", "Tablet", "Cosmetic", "Nonmetallic_Lighter"),
    {"train": 36295, "test": 9069},
)


def is_hixray(root: Path) -> bool:
    """Whether a folder is laid out as HiXray."""
    return is_beihang(root, PUBLISHED.classes, "name")


def read_hixray(root: Path, options: ReadOptions = ReadOptions()) -> DatasetStream:  # noqa: B008 (frozen)
    """Read HiXray.

    Raises:
        DataError: Another layout, a list that cannot be read, or (from the entries) nothing sound in it.
    """
    parts = beihang_parts(root)
    if not parts:
        raise unknown_layout(PUBLISHED, root, "train/train_annotation/ with train/train_image/, or the same for test")
    return read_txt(PUBLISHED, parts, root, options, one_numbering=True)


FORMAT = Format(
    name=PUBLISHED.name,
    title=PUBLISHED.title,
    layout="train/train_annotation/*.txt with train/train_image/, the same for test, lists train_name.txt and test_name.txt",
    holds=frozenset({Holds.BOXES, Holds.GROUP, Holds.PART, Holds.PROVENANCE}),
    detect=is_hixray,
    read=read_hixray,
    drops=("images without an annotation file",),
    faults=("boxes that reach outside their image", "ids on a list without an annotation, annotations without an image"),
)
