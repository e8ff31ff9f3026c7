"""GDXray+: series of grey X-rays taken in a laboratory; the series of baggage are read.

Layout (read from the authors' toolboxes Xvis and pyxvis)::

    Baggages/B0046/B0046_0001.png, B0046_0002.png, ...   Baggages/B0046/ground_truth.txt

or the series' folders directly. ``ground_truth.txt`` has one row a box: number of the image in the series, then ``x0 x1 y0 y1``
(in this order), or four corners ``x y`` of a turned box, of which the upright frame is kept. Rows of two numbers are points and are
left out. Coordinates count pixels from 1, as the toolboxes do; they are taken as they stand.

The file names no class. By the authors' own examples series B0049 shows guns, B0050 shuriken and B0051 razor blades, alone; their
images carry that class, everything else is an ``object``. Images that the ground truth does not mention are counted, not read: a
laboratory's bags are not benign for want of a row.

A series shows one bag, turned; it is the group.

Source:
    Mery et al., "GDXray: The Database of X-ray Images for Nondestructive Testing", J. Nondestr. Eval. 2015;
    github.com/domingomery/Xvis, ``XshowGT.m``, ``Xgdxstats.m``; pyxvis, ``gdxraydb.py`` and its example of series 46, 49, 50, 51.
"""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from threatray.core import Provenance
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.format import DatasetStream, Format, Holds, ReadOptions
from threatray.datasets.formats.native import Job, Published, Reading, Things, own_id, unknown_layout
from threatray.datasets.formats.native_files import names_in, text_of
from threatray.datasets.pixels import image_size
from threatray.errors import DataError

PUBLISHED: Final = Published(
    "gdxray",
    "GDXray+",
    Provenance("GDXray+", "research and education only, no redistribution"),
    ("object", "Gun", "Shuriken", "Razor Blade"),
)
SHOWN_ALONE: Final = {"B0049": "Gun", "B0050": "Shuriken", "B0051": "Razor Blade"}
"""What the authors' examples say is in a series."""

GROUND_TRUTH: Final = "ground_truth.txt"
_SERIES: Final = re.compile(r"B\d{4}")
_POINT_FIELDS: Final = 3

Row = tuple[int, Sequence[float]]
"""Line number, and its numbers after the image's."""


def _base(root: Path) -> Path:
    return root / "Baggages" if (root / "Baggages").is_dir() else root


def _series(root: Path) -> list[Path]:
    base = _base(root)
    if _SERIES.fullmatch(base.name) and (base / GROUND_TRUTH).is_file():
        return [base]
    try:
        with os.scandir(base) as found:
            return sorted(Path(one.path) for one in found if _SERIES.fullmatch(one.name) and one.is_dir())
    except OSError:
        return []


def is_gdxray(root: Path) -> bool:
    """Whether a folder is laid out as GDXray: a series' folder that holds an image named after it."""
    series = _series(root)
    return bool(series) and any(name.startswith(f"{series[0].name}_") for name in names_in(series[0], ".png")[:3])


def read_gdxray(root: Path, options: ReadOptions = ReadOptions()) -> DatasetStream:  # noqa: B008 (frozen)
    """Read the baggage series of GDXray+.

    Raises:
        DataError: Another layout, or (from the entries) nothing sound in it.
    """
    series = _series(root)
    if not series:
        raise unknown_layout(PUBLISHED, root, f"Baggages/B0001/ and so on, with B0001_0001.png and {GROUND_TRUTH}")
    reading = Reading(PUBLISHED, root, options)
    said: Counter[str] = Counter()

    def jobs() -> Iterator[Job]:
        for folder in series:
            yield from _one_series(folder, reading, said)

    return reading.stream(jobs(), lambda: _notes(root, said))


def _notes(root: Path, said: Mapping[str, int]) -> Sequence[str]:
    notes = []
    if said["object"]:
        notes.append(f"GDXray+ names no classes: {said['object']} box(es) are called 'object'.")
    if said["unmentioned"]:
        notes.append(
            f"{said['unmentioned']} image(s) that no {GROUND_TRUTH} mentions were not read: the dataset does not say what is in them."
        )
    if said["turned"]:
        notes.append(f"{said['turned']} turned box(es) were read as their upright frame.")
    if said["points"]:
        notes.append(f"{said['points']} point(s) were left out: they bound nothing.")
    others = [name for name in ("Castings", "Welds", "Nature", "Settings") if (root / name).is_dir()]
    if others:
        notes.append(f"{', '.join(others)}: not baggage, not read.")
    return notes


def _one_series(folder: Path, reading: Reading, said: Counter[str]) -> Iterator[Job]:
    alone = SHOWN_ALONE.get(folder.name)
    rows: dict[int, list[Row]] = {}
    if (folder / GROUND_TRUTH).is_file():
        try:
            text = text_of(folder / GROUND_TRUTH, reading.root)
        except DataError as error:
            reading.set_aside(f"{folder.name}/{GROUND_TRUTH}", str(error))
            text = ""
        rows = _rows(folder, text, reading, said)
    present = set()
    for name in names_in(folder, ".png"):
        number = _number_in(name, folder.name)
        if number is None:
            continue
        present.add(number)
        if number not in rows and alone is None:
            said["unmentioned"] += 1
            continue

        def make(name: str = name, number: int = number) -> Entry:
            return _entry(folder, name.removesuffix(".png"), rows.get(number, []), alone, reading, said)

        yield f"{folder.name}/{name}", make
    for number in sorted(set(rows) - present):
        reading.set_aside(
            f"{folder.name}/{GROUND_TRUTH}, line {rows[number][0][0]}", f"its image {folder.name}_{number:04d}.png is missing"
        )


def _number_in(name: str, series: str) -> int | None:
    found = re.fullmatch(rf"{series}_(\d{{4,6}})\.png", name)
    return int(found[1]) if found else None


def _rows(folder: Path, table: str, reading: Reading, said: Counter[str]) -> dict[int, list[Row]]:
    """Image number -> its rows."""
    rows: dict[int, list[Row]] = {}
    for line, text in enumerate(table.split("\n"), 1):
        fields = text.replace(",", " ").split()
        if not fields:
            continue
        try:
            values = [float(one) for one in fields]
        except ValueError:
            values = []
        whole = bool(values) and math.isfinite(values[0]) and 0 < values[0] < 1e6
        if len(values) == _POINT_FIELDS and whole:
            said["points"] += 1
            rows.setdefault(round(values[0]), [])
        elif len(values) not in (5, 9) or not whole:
            reading.set_aside(
                f"{folder.name}/{GROUND_TRUTH}, line {line}",
                f"expected an image's number and x0 x1 y0 y1 or four corners, got {text.strip()[:60]!r}",
            )
            rows.setdefault(round(values[0]), []).append((line, ())) if whole else None
        else:
            rows.setdefault(round(values[0]), []).append((line, values[1:]))
    return {number: found for number, found in rows.items() if found}


def _entry(folder: Path, stem: str, rows: Sequence[Row], alone: str | None, reading: Reading, said: Counter[str]) -> Entry:
    image = reading.image_called(stem, folder, (".png",))
    height, width = image_size(image)
    things = Things(reading, width, height)
    label = alone or "object"
    for line, values in rows:
        if len(values) == 8:
            said["turned"] += 1
            corners = [min(values[0::2]), min(values[1::2]), max(values[0::2]), max(values[1::2])]
        elif len(values) == 4:
            corners = [min(values[:2]), min(values[2:]), max(values[:2]), max(values[2:])]
        else:
            things.broken += 1  # told already, by its line
            continue
        before = len(things.boxes)
        things.add(f"{folder.name}/{GROUND_TRUTH}, line {line}", label, corners)
        said["object"] += label == "object" and len(things.boxes) > before
    return Entry(
        id=own_id(stem),
        image_path=image,
        width=width,
        height=height,
        things=things.sound(),
        group=folder.name,
        provenance=reading.published.provenance,
        image_labels=() if rows or alone is None else (alone,),
    )


FORMAT = Format(
    name=PUBLISHED.name,
    title=PUBLISHED.title,
    layout="Baggages/B0001/ and so on (or these folders directly) with B0001_0001.png and ground_truth.txt",
    holds=frozenset({Holds.BOXES, Holds.IMAGE_LABELS, Holds.GROUP, Holds.PROVENANCE}),
    detect=is_gdxray,
    read=read_gdxray,
    drops=(
        "the turn of turned boxes",
        "points",
        "images that no ground truth mentions",
        "ideal segmentations and .mat files",
        "other groups than baggage",
    ),
    faults=("no class names in the file", "columns in the order x0 x1 y0 y1", "rows that name absent images"),
)
