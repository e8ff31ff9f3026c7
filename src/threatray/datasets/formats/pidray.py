"""PIDray: prohibited items, some deliberately hidden; boxes and masks.

Layout (read from the authors' archive by several third parties' loaders, which agree; the archive is what the authors link)::

    annotations/xray_train.json, xray_test_easy.json, xray_test_hard.json, xray_test_hidden.json
    train/*.png   easy/*.png   hard/*.png   hidden/*.png

``easy`` (one item), ``hard`` (several) and ``hidden`` are the difficulty; all three are of the part ``test``. Version 2 (read from its
authors' configuration) may instead have ``annotations/train.json`` and ``test.json`` with ``train/`` and ``test/``, told from any
other COCO folder by the dataset's class names; it then has no difficulty.

The paper's figure 4 counts classes in another order than the JSON numbers them (issue 3 of the authors' repository): names are taken
from the JSON by id.

Source:
    Wang et al., "Towards Real-World Prohibited Item Detection", ICCV 2021; github.com/bywang2018/security-dataset.
    Zhang et al., "PIDray: A Large-scale X-ray Benchmark", IJCV 2023; github.com/lutao2021/PIDray.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from threatray.core import Provenance
from threatray.datasets.formats.coco_parts import CocoPart, read_coco_parts
from threatray.datasets.formats.format import DatasetStream, Format, Holds, ReadOptions
from threatray.datasets.formats.native import Published, Reading, unknown_layout
from threatray.datasets.formats.native_files import mentions

PUBLISHED: Final = Published(
    "pidray",
    "PIDray",
    Provenance("PIDray", "academic use only, no commercial use (ISCAS, UCAS)"),
    (
        "Baton",
        "Pliers",
        "Hammer",
        "Powerbank",
        "Scissors",
        "Wrench",
        "Gun",
        "Bullet",
        "Sprayer",
        "HandCuffs",
        "Knife",
        "Lighter",
    ),
)
VERSIONS: Final = {"version 1": (29457, 18220), "version 2": (76913, 24758 + 9746 + 13069)}
"""Published numbers of training and test images."""

_TELLING: Final = ("HandCuffs", "Powerbank", "Sprayer")
_FILES: Final = (
    ("xray_train.json", "train", "train", ""),
    ("xray_test_easy.json", "easy", "test", "easy"),
    ("xray_test_hard.json", "hard", "test", "hard"),
    ("xray_test_hidden.json", "hidden", "test", "hidden"),
)


def _parts(root: Path) -> list[CocoPart]:
    base = root if (root / "annotations").is_dir() or not (root / "pidray" / "annotations").is_dir() else root / "pidray"
    found = [
        CocoPart(base / "annotations" / file, (base / folder,), name, level)
        for file, folder, name, level in _FILES
        if (base / "annotations" / file).is_file()
    ]
    return found or [
        CocoPart(base / "annotations" / f"{name}.json", (base / name,), name)
        for name in ("train", "test")
        if mentions(base / "annotations" / f"{name}.json", _TELLING)
    ]


def is_pidray(root: Path) -> bool:
    """Whether a folder is laid out as PIDray."""
    return bool(_parts(root))


def read_pidray(root: Path, options: ReadOptions = ReadOptions()) -> DatasetStream:  # noqa: B008 (frozen)
    """Read PIDray.

    Raises:
        DataError: Another layout, or (from the entries) nothing sound in it.
    """
    parts = _parts(root)
    if not parts:
        raise unknown_layout(PUBLISHED, root, "annotations/xray_train.json with train/, or one of the three tests")
    return read_coco_parts(PUBLISHED, parts, root, options, notes=_notes)


def _notes(reading: Reading) -> Sequence[str]:
    here = (reading.counts["train"], reading.counts["test"])
    known = [version for version, counts in VERSIONS.items() if counts == here]
    if known:
        return (f"These are the published numbers of PIDray {known[0]}.",)
    said = "; ".join(f"{version} has {train:,} training and {test:,} test images" for version, (train, test) in VERSIONS.items())
    return (f"PIDray {said}; {here[0]:,} and {here[1]:,} were read here.",)


FORMAT = Format(
    name=PUBLISHED.name,
    title=PUBLISHED.title,
    layout="annotations/xray_train.json, xray_test_easy|hard|hidden.json with train/, easy/, hard/, hidden/; or train.json",
    holds=frozenset({Holds.BOXES, Holds.MASKS, Holds.PART, Holds.DIFFICULTY, Holds.PROVENANCE}),
    detect=is_pidray,
    read=read_pidray,
    drops=("crowd annotations",),
    faults=("the paper lists classes in another order than the JSON numbers them", "images listed but absent"),
)
