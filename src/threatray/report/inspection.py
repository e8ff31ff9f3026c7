"""The inspection page: what is in datasets and what misleads, from the figures of ``threatray inspect``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from threatray.datasets.entry_table import EntryTable
from threatray.report.inspection_pictures import Album, Shot
from threatray.report.inspection_tables import (
    class_table,
    hidden_table,
    part_table,
    reason_table,
    scanner_table,
    set_aside_table,
    together_table,
)
from threatray.report.tables import Column, Table, count, evenly, label, listed, plural

_MOST_GROUPS: Final = 12
_MOST_IN_GROUP: Final = 6
_MOST_MAPS: Final = 9
_MOST_SIZES: Final = 24
_FORMAT_NAMES: Final = {"coco": "COCO", "voc": "Pascal VOC (one XML an image)", "image_folder": "a folder of images without annotations"}
_SET_NAMES: Final = {"labelled": "Labelled scans", "benign": "Benign bags", "validation": "Validation scans", "test": "Test scans"}


@dataclass(frozen=True)
class TrapCard:
    """A trap as it is shown.

    Args:
        sureness: ``seen``, ``likely`` or ``possible``.
        headline: What it is.
        advice: What to do.
        groups: Pictures that show it.
    """

    sureness: str
    headline: str
    advice: str
    groups: tuple[tuple[Shot, ...], ...]


@dataclass(frozen=True)
class Swatch:
    """A scanner cluster with its colours and pictures."""

    title: str
    colours: tuple[str, ...]
    words: str
    shots: tuple[Shot, ...]


@dataclass(frozen=True)
class HeatMap:
    """Where one class lies."""

    title: str
    grid: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class DatasetPart:
    """Everything about one dataset.

    Args:
        key: Its role; goes into anchors.
        title: What it is for.
        lead: The dataset in two sentences.
        tiles: (figure, words) at a glance.
        traps: What misleads.
        classes: One row a label.
        legend: Classes in the order of their colours.
        heat_maps: Where the things of each class lie.
        sizes: Class -> quantiles of relative size.
        hidden: Occlusion proxies.
        together: Co-occurrence.
        parts: Published parts, levels and views.
        scanners: Clusters.
        scanner_table: The same as a table.
        contradictions: Byte-identical pairs with different boxes.
        contradictions_count: How many there are.
        near: Groups of images of one bag.
        near_count: How many there are.
        taken_apart: Sentence on chains that were taken apart, or empty.
        reasons: Set aside, by kind of reason.
        set_aside: Set aside, one by one.
        set_aside_count: How many.
        notes: What the reader had to say.
        provenance: Sources and licences.
        pixels_read: Whether pixels were looked at.
    """

    key: str
    title: str
    lead: str
    tiles: tuple[tuple[str, str], ...]
    traps: tuple[TrapCard, ...]
    classes: Table
    legend: tuple[str, ...]
    heat_maps: tuple[HeatMap, ...]
    sizes: Mapping[str, tuple[float, ...]]
    hidden: Table
    together: Table
    parts: Table
    scanners: tuple[Swatch, ...]
    scanner_table: Table
    contradictions: tuple[tuple[Shot, ...], ...]
    contradictions_count: int
    near: tuple[tuple[Shot, ...], ...]
    near_count: int
    taken_apart: str
    reasons: Table
    set_aside: Table
    set_aside_count: int
    notes: tuple[str, ...]
    provenance: Table
    pixels_read: bool


@dataclass(frozen=True)
class InspectionPage:
    """The page.

    Args:
        title: Names of the datasets.
        parts: One a dataset.
        over_sets: Traps that show when the datasets are looked at together.
    """

    title: str
    parts: tuple[DatasetPart, ...]
    over_sets: tuple[TrapCard, ...]


def build_inspection(written: Mapping[str, Any], tables: Mapping[str, EntryTable | None]) -> InspectionPage:
    """The page's data from ``inspect.json``.

    Args:
        written: The JSON.
        tables: Role -> entries, for pictures; "" for the datasets together. Empty for a page without pictures.
    """
    datasets = written["datasets"]
    parts = tuple(_part(role, one, Album(tables.get(role), _legend(one))) for role, one in datasets.items())
    legend = tuple(dict.fromkeys(name for one in datasets.values() for name in _legend(one)))
    album = Album(tables.get(""), legend)
    over = tuple(_trap(trap, album) for trap in written.get("together", {}).get("traps", []))
    return InspectionPage(listed(one.get("name") or role for role, one in datasets.items()), parts, over)


def render_inspection(page: InspectionPage) -> str:
    """The whole page as one HTML text: self-contained, every value escaped, equal data to equal text."""
    from threatray.report import plots
    from threatray.report.html import render_template

    drawn: dict[str, str] = {}
    for part in page.parts:
        for place, one in enumerate(part.heat_maps):
            drawn[f"{part.key}-map{place}"] = plots.heat_map(one.grid, name=f"{part.key}map{place}", title=one.title)
        if part.sizes:
            drawn[f"{part.key}-sizes"] = plots.quantile_plot(
                part.sizes, name=f"{part.key}sizes", title="Size", axis="side of the box over side of the picture"
            )
    return render_template("inspection.html.j2", page=page, plots=drawn)


def _legend(one: Mapping[str, Any]) -> tuple[str, ...]:
    counts = one["instances_per_class"]
    return tuple(sorted((name for name, count in counts.items() if count), key=lambda name: (-counts[name], name)))


def _part(role: str, one: Mapping[str, Any], album: Album) -> DatasetPart:
    legend = _legend(one)
    near = [group for group in one["near_duplicates"] if len(group) > 1]
    copies = set(map(tuple, one["exact_duplicates"]))
    only_near = [group for group in near if tuple(group) not in copies]
    order = list(zip(one["contradictory_duplicates"], one["contradictory_overlaps"], strict=True))
    order.sort(key=lambda pair: pair[1])
    set_aside = [*one["set_aside"], *one["unreadable"]]
    return DatasetPart(
        key=role,
        title=_SET_NAMES.get(role, role),
        lead=_lead(one),
        tiles=_tiles(one, set_aside),
        traps=tuple(_trap(trap, album) for trap in one["traps"]),
        classes=class_table(one),
        legend=legend,
        heat_maps=tuple(
            HeatMap(name, tuple(map(tuple, one["positions"][name]))) for name in legend[:_MOST_MAPS] if name in one["positions"]
        ),
        sizes={name: tuple(one["relative_size"][name].values()) for name in legend[:_MOST_SIZES] if name in one["relative_size"]},
        hidden=hidden_table(one),
        together=together_table(one, legend),
        parts=part_table(one),
        scanners=tuple(_swatch(number, scanner, one, album) for number, scanner in enumerate(one["scanners"], 1)),
        scanner_table=scanner_table(one),
        contradictions=_groups([pair for pair, _ in order], album, [f"overlap {overlap:.2f}" for _, overlap in order]),
        contradictions_count=len(order),
        near=_groups(only_near, album),
        near_count=len(near),
        taken_apart=_taken_apart(one["taken_apart"]),
        reasons=reason_table(set_aside),
        set_aside=set_aside_table(set_aside),
        set_aside_count=len(set_aside),
        notes=tuple(one["notes"]),
        provenance=_provenance(one),
        pixels_read=bool(one["pixels_read"]),
    )


def _lead(one: Mapping[str, Any]) -> str:
    named = _FORMAT_NAMES.get(one["format_name"], one["format_name"])
    things = sum(one["instances_per_class"].values())
    kinds = sum(count > 0 for count in one["instances_per_class"].values())
    text = f"Read as {named}: {plural(one['images'], 'image')}"
    if things:
        text += f", {plural(things, 'boxed thing')} of {plural(kinds, 'class', 'classes')} in {plural(one['threat_images'], 'image')}"
    text += f", {plural(one['benign_images'], 'benign image')}" if one["benign_images"] else ", no benign image"
    if one["whole_label_images"]:
        text += f", {plural(one['whole_label_images'], 'image')} labelled as a whole without a box"
    return text + "." + ("" if one["pixels_read"] else " Annotations only: no picture was decoded.")


def _tiles(one: Mapping[str, Any], set_aside: Sequence[Any]) -> tuple[tuple[str, str], ...]:
    tiles = [(f"{one['images']:,}", "images"), (f"{sum(one['instances_per_class'].values()):,}", "boxed things")]
    if one["imbalance_ratio"]:
        tiles.append((f"{one['imbalance_ratio']:.1f} : 1", "commonest to rarest class"))
    if one["pixels_read"]:
        sure = sum(scanner["sureness"] in ("clear", "only one") for scanner in one["scanners"])
        looks, groups = len(one["scanners"]), one["near_duplicates"]
        tiles.append((str(looks), f"scanner looks, {sure} of them clearly apart" if looks > 1 else "scanner look"))
        tiles.append((f"{sum(map(len, groups)):,}", f"images that share a bag with others, in {len(groups):,} groups"))
        tiles.append((f"{len(one['contradictory_duplicates']):,}", "byte-identical pairs with different boxes"))
    tiles.append((f"{len(set_aside):,}", "set aside"))
    return tuple(tiles)


def _trap(trap: Mapping[str, Any], album: Album) -> TrapCard:
    groups = evenly([group for group in trap["examples"] if group], 4 if any(len(group) > 1 for group in trap["examples"]) else 8)
    return TrapCard(trap["sureness"], trap["headline"], trap["advice"], tuple(album.shots(group[:_MOST_IN_GROUP]) for group in groups))


def _groups(groups: Sequence[Sequence[str]], album: Album, words: Sequence[str] = ()) -> tuple[tuple[Shot, ...], ...]:
    chosen = evenly(range(len(groups)), _MOST_GROUPS)
    return tuple(album.shots(groups[place][:_MOST_IN_GROUP], words[place] if words else "") for place in chosen)


def _swatch(number: int, scanner: Mapping[str, Any], one: Mapping[str, Any], album: Album) -> Swatch:
    share = scanner["images"] / max(one["images"], 1)
    tones = [_rgb(scanner["air"])]
    tones += [f"hsl({hue:.0f} 75% {light}%)" for hue, light in zip(scanner["hues"], (55, 40, 45), strict=True) if hue is not None]
    size = f"typically {scanner['width']} × {scanner['height']} pixels"
    words = f"{plural(scanner['images'], 'image')} ({f'{share:.0%}' if share >= 0.005 else 'under 1%'}), {size}; "
    words += {
        "only one": "the only look in this set",
        "clear": "clearly apart from the others",
        "likely": "likely another scanner or setting",
        "doubtful": "hardly apart from the others",
    }[scanner["sureness"]]
    return Swatch(f"Look {number}", tuple(tones), words, album.shots(scanner["examples"]))


def _rgb(colour: Sequence[float]) -> str:
    red, green, blue = (round(value) for value in colour)
    return f"rgb({red} {green} {blue})"


def _taken_apart(sizes: Sequence[int]) -> str:
    if not sizes:
        return ""
    return (
        f"{plural(len(sizes), 'chain')} of alike images ({', '.join(f'{size:,}' for size in sizes[:5])}) joined too much to be one bag and "
        "was taken apart by asking for closer likeness."
    )


def _provenance(one: Mapping[str, Any]) -> Table:
    rows = tuple((label(source), count(images)) for source, images in one["provenance"].items())
    return Table("Source and licence, as far as the files say", (Column("Source (licence)", numeric=False), Column("Images")), rows)
