"""COMPASS-XP: single objects in a tray, each as colour, grey, density and both energies, with a photo of the same object.

Layout (from two third parties' loaders, which agree)::

    meta.txt (tab-separated: basename, class, dangerous, instance, pose, scan_tray, ...)
    Colour/0001.png   Grey/0001.png   Density/0001.png   High/0001.png   Low/0001.png   Photo/0001.jpg

The colour image is the entry's image (the grey one where it is missing); ``Low`` and ``High`` are its two energies where both are
grey files. There are no boxes: the class is a label of the whole image. Several scans show one physical object, which is the group.
The white level is not published: for 8-bit files 255 is taken, for deeper ones what the user gives.

Source:
    Griffin, Caldwell, Andrews, "COMPASS-XP Dataset", Zenodo 2654887, 2019.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from threatray.core import Annotations, Provenance
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.faults import checked_name
from threatray.datasets.formats.format import DatasetStream, Format, Holds, ReadOptions
from threatray.datasets.formats.native import Job, Published, Reading, own_id, unknown_layout
from threatray.datasets.formats.native_files import text_of
from threatray.datasets.pixels import image_size
from threatray.errors import DataError

META: Final = "meta.txt"
PUBLISHED: Final = Published("compass_xp", "COMPASS-XP", Provenance("COMPASS-XP", "CC-BY-4.0"), (), {"": 1901})

_COLUMNS: Final = ("basename", "class", "instance")
_SUFFIXES: Final = (".png", ".jpg", ".tif", ".tiff")
_LONGEST_LINE: Final = 100_000
_EIGHT_BIT_WHITE: Final = 255


def _base(root: Path) -> Path:
    """The folder of ``meta.txt``: the archive holds one folder ``COMPASS-XP`` in another."""
    return root if (root / META).is_file() or not (root / "COMPASS-XP" / META).is_file() else root / "COMPASS-XP"


def is_compass_xp(root: Path) -> bool:
    """Whether a folder is laid out as COMPASS-XP."""
    base = _base(root)
    if not (base / META).is_file() or not any((base / name).is_dir() for name in ("Colour", "Grey", "Low")):
        return False
    try:
        with (base / META).open(encoding="utf-8-sig") as handle:
            header = handle.readline(4096).rstrip("\r\n").split("\t")
    except (OSError, UnicodeDecodeError):
        return False
    return all(column in header for column in _COLUMNS)


def read_compass_xp(root: Path, options: ReadOptions = ReadOptions()) -> DatasetStream:  # noqa: B008 (frozen)
    """Read COMPASS-XP.

    Raises:
        DataError: Another layout, a table that cannot be read, or (from the entries) nothing sound in it.
    """
    base = _base(root)
    reading = Reading(PUBLISHED, root, options)
    try:
        lines = text_of(base / META, reading.root).splitlines()
    except (DataError, OSError) as error:
        raise unknown_layout(PUBLISHED, root, f"a table {META} ({error})") from None
    longest = max(map(len, lines), default=0)
    if longest > _LONGEST_LINE:
        raise DataError(f"{base / META}: a line of {longest:,} characters is no row of a table (at most {_LONGEST_LINE:,}).")
    table = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    missing = [column for column in _COLUMNS if column not in (table.fieldnames or ())]
    if missing:
        raise DataError(f"{base / META}, line 1: expected tab-separated columns {', '.join(_COLUMNS)}, found no {', '.join(missing)}.")
    said: Counter[str] = Counter()
    return reading.stream(_jobs(base, table, reading, said), lambda: _notes(base, said))


def _notes(base: Path, said: Mapping[str, int]) -> Sequence[str]:
    notes = []
    if said["dangerous"] or said["harmless"]:
        notes.append(
            f"COMPASS-XP calls {said['dangerous']} of these images dangerous and {said['harmless']} harmless;"
            " both carry their class as a label, and the taxonomy decides which is a threat."
        )
    if said["coloured"]:
        notes.append(
            f"{said['coloured']} image(s) have Low and High files in colour, which are no counts; their colour image alone is read."
        )
    if said["one energy"]:
        notes.append(f"{said['one energy']} image(s) lack one of Low and High; only their colour image is read.")
    if said["sizes"]:
        notes.append(f"{said['sizes']} image(s) have Low and High files of another size than the colour image, which was left out.")
    if (base / "Photo").is_dir():
        notes.append("Photo/ holds the camera photo of each object under the same name; give it as photos.")
    return notes


def _jobs(base: Path, table: csv.DictReader[str], reading: Reading, said: Counter[str]) -> Iterator[Job]:
    for number, row in enumerate(table, 2):

        def make(row: Mapping[str, object] = row) -> Entry:
            return _entry(base, row, reading, said)

        yield f"{META}, line {number}", make


def _entry(base: Path, row: Mapping[str, object], reading: Reading, said: Counter[str]) -> Entry:
    name, label, instance = (_text(row, column) for column in _COLUMNS)
    if not name or not label:
        raise DataError("has no basename or no class")
    if "/" in checked_name(name) or name != checked_name(name):
        raise DataError(f"its basename {name[:80]!r} is no plain file name")
    own = reading.claim(own_id(name))
    names = dict.fromkeys((name, name.zfill(4)))  # a table saved by a spreadsheet has lost leading zeros
    colour = _first(base, ("Colour", "Grey"), names, reading)
    low, high = (_first(base, (folder,), names, reading) for folder in ("Low", "High"))
    if (low is None) != (high is None):
        said["one energy"] += 1
        low = high = None
    white_level = reading.options.white_level
    if low is not None and high is not None:
        depths = [_depth(path) for path in (low, high)]
        if None in depths:
            said["coloured"] += 1
            low = high = None
        elif max(depth for depth in depths if depth is not None) <= 8:
            white_level = _EIGHT_BIT_WHITE
    sizes = {path: image_size(path) for path in (colour, low, high) if path is not None}
    if low is not None and high is not None and sizes[low] != sizes[high]:
        raise DataError("its Low and High files differ in size; cut the padding off so that both energies show the same view")
    if colour is not None and low is not None and sizes[colour] != sizes[low]:
        said["sizes"] += 1
        colour = None
    if colour is None and low is None:
        raise DataError(f"its image {name}.png is missing (looked in Colour/, Grey/, Low/ and High/)")
    height, width = sizes[colour or low]  # type: ignore[index]  # one of them is there
    danger = _text(row, "dangerous").lower()
    said["dangerous"] += danger == "true"
    said["harmless"] += danger == "false"
    return Entry(
        id=own,
        image_path=colour,
        low_path=low,
        high_path=high,
        width=width,
        height=height,
        things=Annotations.none(),
        group=f"{label}/{instance}" if instance else own,
        provenance=reading.published.provenance,
        white_level=white_level,
        image_labels=(label,),
    )


def _text(row: Mapping[str, object], column: str) -> str:
    value = row.get(column)
    return value.strip() if isinstance(value, str) else ""


def _first(base: Path, folders: Sequence[str], names: Mapping[str, None], reading: Reading) -> Path | None:
    """The first of the names in the first of the folders; None if there is none."""
    for folder in folders:
        for name in names:
            for suffix in _SUFFIXES:
                if (base / folder / f"{name}{suffix}").is_file():
                    return reading.image_called(name, base / folder, (suffix,))
    return None


def _depth(path: Path) -> int | None:
    """Bits of a grey file; None for colours or what cannot be opened."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            mode = image.mode
    except Exception as error:  # Pillow's parsers raise many kinds for a broken file
        raise DataError(f"its image {path.parent.name}/{path.name} cannot be opened ({type(error).__name__})") from None
    if mode in ("1", "L"):
        return 8
    return 16 if mode.startswith("I") else None


FORMAT = Format(
    name=PUBLISHED.name,
    title=PUBLISHED.title,
    layout="meta.txt with columns basename, class, instance, beside Colour/, Grey/, Low/, High/",
    holds=frozenset({Holds.IMAGE_LABELS, Holds.GROUP, Holds.DUAL_ENERGY, Holds.PROVENANCE}),
    detect=is_compass_xp,
    read=read_compass_xp,
    drops=("the photos (read them as photos)", "the density image", "pose and tray", "whether the class is dangerous"),
    faults=("names that lost their leading zeros", "one energy missing", "Low and High stored in colour"),
)
