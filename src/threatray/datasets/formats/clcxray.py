"""CLCXray: cutters and liquid containers, real bags and packed ones.

Layout (two third parties' loaders, which differ; both are read)::

    annotation/CLCXray_train.json   image/train/*.png                    (and test, val)
    annotations/instances_train2017.json   train2017/*.png               (and test2017, val2017)

The second form is told from any other COCO folder by the dataset's class names. Which images are real and which packed for the
dataset is in no file that is known. The 16-bit raw images are another download of unknown layout and are not read.

The training JSON names one image ``.png`` (id 7547, truly ``20_40_04_140.png``; issue 2 of the authors' repository).

Source:
    Zhao et al., "Detecting Overlapped Objects in X-ray Security Imagery by a Label-aware Mechanism", IEEE TIFS 2022;
    github.com/GreysonPhoenix/CLCXray.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from threatray.core import Provenance
from threatray.datasets.formats.coco_parts import CocoPart, read_coco_parts
from threatray.datasets.formats.format import DatasetStream, Format, Holds, ReadOptions
from threatray.datasets.formats.native import Published, unknown_layout
from threatray.datasets.formats.native_files import mentions

PUBLISHED: Final = Published(
    "clcxray",
    "CLCXray",
    Provenance("CLCXray", "academic use only, no commercial use (Tongji University)"),
    (
        "blade",
        "scissors",
        "knife",
        "dagger",
        "SwissArmyKnife",
        "PlasticBottle",
        "Cans",
        "VacuumCup",
        "GlassBottle",
        "CartonDrinks",
        "Tin",
        "SprayCans",
    ),
    {"": 9565},
)
NAMELESS: Final = {7547: "20_40_04_140.png"}
"""Image id -> the file that its empty name means."""

_TELLING: Final = ("SwissArmyKnife", "CartonDrinks")
_NAMES: Final = ("train", "val", "test")


def _parts(root: Path) -> list[CocoPart]:
    found = []
    for name in _NAMES:
        own = [root / folder / f"CLCXray_{name}.json" for folder in ("annotation", "annotations")]
        common = [root / "annotations" / f"instances_{name}2017.json"]
        for file in [one for one in own if one.is_file()] or [one for one in common if one.is_file() and mentions(one, _TELLING)]:
            folders = (root / "image" / name, root / "images" / name, root / f"{name}2017", root / name)
            found.append(CocoPart(file, folders, name))
            break
    return found


def is_clcxray(root: Path) -> bool:
    """Whether a folder is laid out as CLCXray."""
    return bool(_parts(root))


def read_clcxray(root: Path, options: ReadOptions = ReadOptions()) -> DatasetStream:  # noqa: B008 (frozen)
    """Read CLCXray.

    Raises:
        DataError: Another layout, or (from the entries) nothing sound in it.
    """
    parts = _parts(root)
    if not parts:
        raise unknown_layout(PUBLISHED, root, "annotation/CLCXray_train.json with image/train/, or annotations/instances_train2017.json")
    renamed: list[str] = []

    def named(record: Mapping[str, Any]) -> object:
        name = record.get("file_name")
        meant = NAMELESS.get(record["id"]) if type(record.get("id")) is int else None
        if meant is None or name not in (".png", ""):
            return name
        renamed.append(meant)
        return meant

    def notes(reading: object) -> Sequence[str]:
        return tuple(f"An image without a name was read as {name}, as the authors were told it is called." for name in renamed)

    return read_coco_parts(PUBLISHED, parts, root, options, named=named, notes=notes)


FORMAT = Format(
    name=PUBLISHED.name,
    title=PUBLISHED.title,
    layout="annotation/CLCXray_train.json with image/train/; or annotations/instances_train2017.json with its class names and train2017/",
    holds=frozenset({Holds.BOXES, Holds.MASKS, Holds.PART, Holds.PROVENANCE}),
    detect=is_clcxray,
    read=read_clcxray,
    drops=("whether a bag is real or packed for the dataset", "the separate 16-bit raw images"),
    faults=("one image listed as '.png' is 20_40_04_140.png", "images listed but absent"),
)
