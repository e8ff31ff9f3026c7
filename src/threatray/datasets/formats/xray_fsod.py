"""X-ray FSOD: twenty classes for few-shot detection, by the makers of OPIXray, HiXray and EDS.

Layout (from a third party's scripts that count and draw its boxes; the archive is sent on signed request)::

    train/images/*.jpg   train/annotations/*.txt
    test/images/*.jpg    test/annotations/*.txt

The class counts on the authors' page repeat HiXray's and are not used.

Source:
    Tao et al., "Few-shot X-ray Prohibited Item Detection", ACM MM 2022; github.com/DIG-Beihang/XrayDetection.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from threatray.core import Provenance
from threatray.datasets.formats.format import DatasetStream, Format, Holds, ReadOptions
from threatray.datasets.formats.native import Published, unknown_layout
from threatray.datasets.formats.txt_boxes import TxtPart, classes_in, read_txt

PUBLISHED: Final = Published(
    "xray_fsod",
    "X-ray FSOD",
    Provenance("X-ray FSOD", "academic use only, on signed request (Beihang University)"),
    (
        "laptop",
        "lighter",
        "portable_charger_2",
        "iron_shoe",
        "straight_knife",
        "folding_knife",
        "scissor",
        "multi-tool_knife",
        "umbrella",
        "glass_bottle",
        "battery",
        "metal_cup",
        "nail_clippers",
        "pressure_tank",
        "spray_alcohol",
        "portable_charger_1",
        "utility_knife",
        "mobile_phone",
        "metal_can",
        "drink_bottle",
    ),
    {"": 12333},
)


def _parts(root: Path) -> list[TxtPart]:
    bases = [(name, root / name) for name in ("train", "test")]
    return [TxtPart(name, base / "images", base / "annotations") for name, base in bases if (base / "annotations").is_dir()]


def is_xray_fsod(root: Path) -> bool:
    """Whether a folder is laid out as X-ray FSOD."""
    return any(not classes_in(part.annotations).isdisjoint(PUBLISHED.classes) for part in _parts(root))


def read_xray_fsod(root: Path, options: ReadOptions = ReadOptions()) -> DatasetStream:  # noqa: B008 (frozen)
    """Read X-ray FSOD.

    Raises:
        DataError: Another layout, or (from the entries) nothing sound in it.
    """
    parts = _parts(root)
    if not parts:
        raise unknown_layout(PUBLISHED, root, "train/annotations/*.txt with train/images/, or the same for test")
    return read_txt(PUBLISHED, parts, root, options, one_numbering=False)


FORMAT = Format(
    name=PUBLISHED.name,
    title=PUBLISHED.title,
    layout="train/annotations/*.txt with train/images/, the same for test, and the dataset's class names in them",
    holds=frozenset({Holds.BOXES, Holds.PART, Holds.PROVENANCE}),
    detect=is_xray_fsod,
    read=read_xray_fsod,
    drops=("images without an annotation file",),
    faults=("the class counts on the authors' page are HiXray's", "boxes that reach outside their image"),
)
