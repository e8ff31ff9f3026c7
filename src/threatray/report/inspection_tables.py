"""Tables of the inspection page."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

from threatray.report.tables import ABSENT, Cell, Column, Table, count, figure, label, percent

_MOST_SET_ASIDE: Final = 60
_MOST_TOGETHER: Final = 12
_MOST_CLASSES: Final = 400
_FILES: Final = r"\S+\.(?:png|jpe?g|xml|tiff?|bmp|webp|txt)\b"
_VARIES: Final = re.compile(rf"{_FILES}|'[^']*'|\"[^\"]*\"|\[[^\]]*\]|\d+(?:\.\d+)?", re.IGNORECASE)


def class_table(one: Mapping[str, Any]) -> Table:
    """One row a label: what it stands for, how many, how large."""
    instances = one["instances_per_class"]
    rows = []
    for name in sorted(instances, key=lambda known: (-instances[known], known))[:_MOST_CLASSES]:
        means = (one.get("labels") or {}).get(name) or {}
        known = means.get("class")
        detail = f"a kind of {means['wider'][0]}" if means.get("wider") else ""
        near = f"nearest: {means['nearest']}" if means.get("nearest") else ""
        rows.append(
            (
                Cell(name, None, "" if means.get("counts_as") is not None else "does not count in this project"),
                Cell(known, None, detail) if known else Cell("unknown", None, near),
                Cell({True: "threat", False: "not by itself", None: ABSENT}[means.get("threat")]),
                count(instances[name]),
                count(one["images_per_class"].get(name)),
                percent(_middle(one["relative_size"], name)),
                figure(_middle(one["aspect"], name)),
                count(one["whole_images_per_class"].get(name, 0)),
            )
        )
    columns = (
        Column("Label", numeric=False),
        Column("Stands for", numeric=False, hint="the class of the taxonomy; threatray init --taxonomy FILE writes it to change"),
        Column("Threat", numeric=False),
        Column("Things"),
        Column("Images"),
        Column("Size", hint="median of the side of the box over the side of the picture (square roots of their areas)"),
        Column("Aspect", hint="median of box width over height"),
        Column("Without box", hint="images that name the class as a whole, without a box"),
    )
    return _without_empty(Table("Labels and what they stand for", columns, tuple(rows)), keep=7)


def hidden_table(one: Mapping[str, Any]) -> Table:
    """Occlusion proxies, one row a class."""
    names = sorted(one["attenuation"], key=lambda known: (-one["instances_per_class"][known], known))[:_MOST_CLASSES]
    rows = [
        (label(name), *(_spread(one[key], name) for key in ("attenuation", "around", "edges")), percent(_upper(one["covered"], name)))
        for name in names
    ]
    columns = (
        Column("Class", numeric=False),
        Column("Inside", hint="mean of -ln(brightness / air) in the box: 0 is air, 1 lets 37 % through; median, and the middle half"),
        Column("Around", hint="the same in a ring around the box, a quarter of the box wide: what it lies among"),
        Column("Edges", hint="mean brightness step between neighbouring pixels in the box, of 1: clutter"),
        Column("Overlap", hint="share of the box that one other box covers: the highest twentieth, in images with several things"),
    )
    return _without_empty(Table("How hidden the things are (proxies)", columns, tuple(rows)), keep=4)


def together_table(one: Mapping[str, Any], legend: Sequence[str]) -> Table:
    """Images with both of two classes; empty where nothing ever occurs together."""
    counts = one["co_occurrence"]
    names = [name for name in legend if name in counts][:_MOST_TOGETHER]
    if len(names) < 2:
        return Table("Together in one image", (), ())
    rows = tuple(
        (label(name), *(Cell(ABSENT) if other == name else count(counts[name].get(other, 0)) for other in names)) for name in names
    )
    return Table("Together in one image", (Column("Images with", numeric=False), *(Column(name) for name in names)), rows)


def part_table(one: Mapping[str, Any]) -> Table:
    """Published parts, levels and views."""
    rows = tuple(
        (label(kind), label(name), count(found["images"]), count(found["threats"]), count(found["benign"]))
        for kind, key in (("part", "parts"), ("difficulty", "difficulties"), ("view", "views"))
        for name, found in one[key].items()
    )
    columns = (Column("Kind", numeric=False), Column("Name", numeric=False), Column("Images"), Column("With threats"), Column("Benign"))
    return Table("As published", columns, rows)


def scanner_table(one: Mapping[str, Any]) -> Table:
    """One row a cluster."""
    rows = tuple(
        (
            label(f"Look {number}"),
            count(scanner["images"]),
            percent(scanner["images"] / max(one["images"], 1)),
            count(scanner["benign"]),
            label("{:.0f}, {:.0f}, {:.0f}".format(*scanner["air"])),
            *(count(hue) for hue in scanner["hues"]),
            figure(scanner["separation"]),
            label(scanner["sureness"]),
        )
        for number, scanner in enumerate(one["scanners"], 1)
    )
    columns = (
        Column("Look", numeric=False),
        Column("Images"),
        Column("Share"),
        Column("Benign"),
        Column("Air", numeric=False, hint="red, green, blue of 255"),
        Column("Organic", hint="median hue in degrees of what is orange on the usual palettes"),
        Column("Mixed", hint="median hue in degrees of what is green"),
        Column("Metal", hint="median hue in degrees of what is blue"),
        Column("Silhouette", hint="how far apart from the other looks, -1 to 1"),
        Column("Apart", numeric=False),
    )
    return Table("Scanner looks in figures", columns, rows)


def reason_table(set_aside: Sequence[Mapping[str, str]]) -> Table:
    """How many were set aside for what kind of reason."""
    kinds = Counter(kind_of(one["reason"]) for one in set_aside)
    rows = tuple((label(kind), count(number)) for kind, number in sorted(kinds.items(), key=lambda item: (-item[1], item[0])))
    return Table("Set aside, by kind", (Column("Reason", numeric=False), Column("Items")), rows)


def kind_of(reason: str) -> str:
    """A reason without what differs from item to item.

    Example:
        >>> kind_of("box [1, 2, 3, nan] is not four finite numbers"), kind_of("its image 0017.jpg is missing (looked in images/)")
        ('box … is not four finite numbers', 'its image … is missing (looked in images/)')
    """
    return _VARIES.sub("…", reason)[:160]


def set_aside_table(set_aside: Sequence[Mapping[str, str]]) -> Table:
    """The first of what was set aside."""
    rows = tuple((label(one["item"]), label(one["reason"])) for one in set_aside[:_MOST_SET_ASIDE])
    return Table("Set aside, one by one", (Column("Item", numeric=False), Column("Reason", numeric=False)), rows)


def _middle(quantiles: Mapping[str, Any], name: str) -> Any:
    return (quantiles.get(name) or {}).get("median")


def _upper(quantiles: Mapping[str, Any], name: str) -> Any:
    return (quantiles.get(name) or {}).get("q95")


def _spread(quantiles: Mapping[str, Any], name: str) -> Cell:
    found = quantiles.get(name) or {}
    return figure(found.get("median"), found.get("q25"), found.get("q75"))


def _without_empty(table: Table, *, keep: int) -> Table:
    """Without the columns after the first ``keep`` that hold nothing but zeros and blanks."""
    kept = [place for place in range(len(table.columns)) if place < keep or any(row[place].value for row in table.rows)]
    return Table(
        table.caption, tuple(table.columns[place] for place in kept), tuple(tuple(row[place] for place in kept) for row in table.rows)
    )
