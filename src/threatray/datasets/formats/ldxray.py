"""LDXray: pairs of views from transport hubs, boxes in the main view.

Layout (read from the authors' benchmark: configuration and loader)::

    train.json   train_A/000001.jpg   train_B/000001.jpg
    test.json    test_A/000001.jpg    test_B/000001.jpg

The JSON is COCO and boxes view A; view B is the file of the same name in the other folder. Its boxes are not published: what is
boxed in A is a label of the whole image in B. Both views carry the bag as their group. Class names are those of the JSON, in
whatever language.

Source:
    Guo et al., "LDXray: A Dataset for X-ray Prohibited Items Detection", NeurIPS 2025; github.com/SuZipei/LDXray-mmdetection,
    ``LDXray/config`` and ``Load2ImageFromFiles``; github.com/rstao-bjtu/LDXray.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from threatray.core import Annotations, Provenance
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.coco_parts import CocoPart, Listed, entry_of, read_coco_parts
from threatray.datasets.formats.faults import checked_name
from threatray.datasets.formats.format import DatasetStream, Format, Holds, ReadOptions
from threatray.datasets.formats.native import Job, Published, Reading, unknown_layout
from threatray.datasets.pixels import image_size
from threatray.errors import DataError

PUBLISHED: Final = Published("ldxray", "LDXray", Provenance("LDXray", "academic and non-commercial use only"), ())
_NAMES: Final = ("train", "test")


def _parts(root: Path) -> list[CocoPart]:
    return [
        CocoPart(root / f"{name}.json", (root / f"{name}_A",), name)
        for name in _NAMES
        if (root / f"{name}.json").is_file() and (root / f"{name}_A").is_dir()
    ]


def is_ldxray(root: Path) -> bool:
    """Whether a folder is laid out as LDXray."""
    return bool(_parts(root))


def read_ldxray(root: Path, options: ReadOptions = ReadOptions()) -> DatasetStream:  # noqa: B008 (frozen)
    """Read LDXray; each pair gives two entries of one group.

    Raises:
        DataError: Another layout, or (from the entries) nothing sound in it.
    """
    parts = _parts(root)
    if not parts:
        raise unknown_layout(PUBLISHED, root, "train.json with train_A/ and train_B/, or the same for test")
    return read_coco_parts(PUBLISHED, parts, root, options, jobs_of=_pair)


def _pair(listed: Listed, part: CocoPart, reading: Reading) -> Iterator[Job]:
    """The main view; then the side view, which needs to know what is in the bag."""
    main: list[Entry] = []

    def view_a() -> Entry:
        entry = entry_of(listed, part, reading, Counter())
        main.append(replace(entry, id=f"{entry.id}_A", group=entry.id, view="main"))
        return main[0]

    def view_b() -> Entry:
        if not main:
            raise DataError("its main view is set aside, so what is in the bag is not known")
        entry = main[0]
        image = reading.find(checked_name(listed.record.get("file_name")), (part.folders[0].with_name(f"{part.name}_B"),))
        height, width = image_size(image) if reading.options.headers else (entry.height, entry.width)
        return replace(
            entry,
            id=f"{entry.group}_B",
            image_path=image,
            width=width,
            height=height,
            things=Annotations.none(),
            segmentations=(),
            view="side",
            image_labels=tuple(dict.fromkeys(entry.labels)),
        )

    yield listed.item, view_a
    yield f"{listed.item}, view B", view_b


FORMAT = Format(
    name=PUBLISHED.name,
    title=PUBLISHED.title,
    layout="train.json with train_A/ and train_B/, test.json with test_A/ and test_B/",
    holds=frozenset({Holds.BOXES, Holds.MASKS, Holds.IMAGE_LABELS, Holds.GROUP, Holds.PART, Holds.VIEW, Holds.PROVENANCE}),
    detect=is_ldxray,
    read=read_ldxray,
    faults=("no boxes for the side view", "pairs with one view missing"),
)
