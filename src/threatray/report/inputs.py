"""What went in, what was set aside and why, and the imbalance before and after."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from threatray.report.folder import RunFolder
from threatray.report.tables import Cell, Column, Table, count, figure, label, listed, percent, plural

_DATASET_NAMES: Final = {"labelled": "labelled scans", "benign": "benign bags", "validation": "validation scans", "test": "test scans"}
_MOST_SET_ASIDE: Final = 60


@dataclass(frozen=True)
class Positions:
    """Where a dataset's threats lie in the picture: counts on a grid, top left first."""

    dataset: str
    grid: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Inputs:
    """The section on what went in.

    Args:
        lead: The section in a sentence.
        datasets: One row a dataset.
        classes: One row a class.
        sources: Photos, crops, signatures: how many came through.
        set_aside: What was left out and why; the first of many.
        set_aside_count: How many were left out in all.
        positions: Heat maps.
        sizes: Class -> quantiles of the labelled scans' box sizes: square root of box area over picture area.
        notes: What the readers had to say.
    """

    lead: str
    datasets: Table
    classes: Table
    sources: Table
    set_aside: Table
    set_aside_count: int
    positions: tuple[Positions, ...]
    sizes: Mapping[str, tuple[float, ...]]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Balance:
    """The section on imbalance before and after.

    Args:
        lead: The section in a sentence.
        before: Class -> real threats.
        after: Class -> real and synthetic threats.
        divergence: How far the planned shares of the classes are from the original ones; None where not stated.
        table: One row a class.
        shortfalls: Classes that get fewer threats than asked, and why.
    """

    lead: str
    before: Mapping[str, int]
    after: Mapping[str, int]
    divergence: float | None
    table: Table
    shortfalls: Table

    @property
    def divergence_text(self) -> str:
        """The divergence as it is read."""
        return figure(self.divergence).text


def build_inputs(folder: RunFolder) -> Inputs | None:
    """The section, or None where neither inspection nor intake has run."""
    inspected = (folder.record("inspect/inspect.json") or {}).get("datasets") or {}
    sources = _sources(folder)
    if not inspected and not sources.rows:
        return None
    aside = _all_set_aside(folder)
    names = [*(name for name in _DATASET_NAMES if name in inspected), *sorted(set(inspected) - set(_DATASET_NAMES))]
    parts = [f"{_whole(inspected[name].get('images')):,} {_DATASET_NAMES.get(name, name)}" for name in names]
    crops = len(folder.records("photos/index.json", "crops"))
    parts += [plural(crops, "photo crop")] if crops else []
    lead = f"The work started from {listed(parts)}; " + (
        f"{plural(len(aside), 'item was', 'items were')} set aside, each with its reason." if aside else "nothing had to be set aside."
    )
    return Inputs(
        lead=lead,
        datasets=_datasets(names, inspected),
        classes=_classes(names, inspected),
        sources=sources,
        set_aside=Table(
            "Set aside",
            (Column("Stage", numeric=False), Column("Item", numeric=False), Column("Reason", numeric=False)),
            tuple((label(stage), label(item), label(reason)) for stage, item, reason in aside[:_MOST_SET_ASIDE]),
        ),
        set_aside_count=len(aside),
        positions=tuple(
            Positions(_DATASET_NAMES.get(name, name), grid)
            for name in names
            if (grid := _grid(inspected[name].get("positions"))) is not None
        ),
        sizes=_sizes(inspected.get("labelled") or {}),
        notes=tuple(f"{_DATASET_NAMES.get(name, name)}: {note}" for name in names for note in inspected[name].get("notes") or []),
    )


def build_balance(folder: RunFolder) -> Balance | None:
    """The section, or None where no plan was made."""
    plan = folder.record("plan/plan.json")
    if plan is None:
        return None
    before, after = _counts(plan.get("before")), _counts(plan.get("after"))
    classes = sorted({*before, *after}, key=lambda known: (-before.get(known, 0), known))
    synthetic = sum(after.values()) - sum(before.values())
    divergence = plan.get("divergence_bits", plan.get("divergence"))
    lead = (
        f"The plan (strategy “{plan.get('strategy', 'not stated')}”) adds {plural(synthetic, 'synthetic threat')} to "
        f"{plural(sum(before.values()), 'real one')}"
    )
    ratio_before, ratio_after = _ratio(before), _ratio(after)
    if ratio_before and ratio_after:
        lead += f"; the commonest class was {ratio_before:.1f} times the rarest and is now {ratio_after:.1f} times"
    rows = tuple(
        (
            label(known),
            count(before.get(known, 0)),
            count(after.get(known, 0) - before.get(known, 0)),
            count(after.get(known, 0)),
            percent((after.get(known, 0) - before.get(known, 0)) / after[known] if after.get(known) else None),
        )
        for known in classes
    )
    columns = (Column("Class", numeric=False), Column("Real"), Column("Synthetic"), Column("Both"), Column("Synthetic share"))
    return Balance(
        lead=f"{lead}.",
        before=before,
        after=after,
        divergence=float(divergence) if isinstance(divergence, int | float) and not isinstance(divergence, bool) else None,
        table=Table("Threats of each class", columns, rows),
        shortfalls=_shortfalls(plan.get("shortfalls") or []),
    )


def _shortfalls(entries: list[Mapping[str, Any]]) -> Table:
    columns = (Column("Class", numeric=False), Column("Asked"), Column("Planned"), Column("Why", numeric=False))
    rows = tuple(
        (label(one.get("class_name")), count(one.get("asked")), count(one.get("planned")), label(one.get("reason"))) for one in entries
    )
    return Table("Classes that get fewer than asked", columns, rows)


def _datasets(names: list[str], inspected: Mapping[str, Any]) -> Table:
    def row(name: str) -> tuple[Cell, ...]:
        one = inspected[name]
        measured = one if one.get("pixels_read", True) else {}
        return (
            label(_DATASET_NAMES.get(name, name)),
            count(one.get("images")),
            count(sum(_counts(one.get("instances_per_class")).values())),
            figure(one.get("imbalance_ratio")),
            *(
                count(_amount(measured.get(key)))
                for key in ("exact_duplicates", "near_duplicates", "contradictory_duplicates", "unreadable")
            ),
            count(_amount(one.get("boxes_outside"))),
        )

    columns = (
        Column("Dataset", numeric=False),
        Column("Images"),
        Column("Threats"),
        Column("Imbalance", hint="threats of the commonest class for each of the rarest"),
        Column("Exact copies", hint="groups of images with the same bytes"),
        Column("Near copies", hint="groups of images that look nearly the same"),
        Column("Contradictions", hint="pairs with the same bytes and different boxes or labels"),
        Column("Unreadable"),
        Column("Boxes outside", hint="boxes that reached outside the image"),
    )
    rows = [row(name) for name in names]
    kept = [place for place in range(len(columns)) if place < 3 or any(cells[place].value is not None for cells in rows)]
    return Table("Datasets", tuple(columns[place] for place in kept), tuple(tuple(cells[place] for place in kept) for cells in rows))


def _classes(names: list[str], inspected: Mapping[str, Any]) -> Table:
    counts = {name: _counts(inspected[name].get("instances_per_class")) for name in names}
    used = [name for name in names if counts[name]]
    classes = sorted({known for name in used for known in counts[name]}, key=lambda known: (-counts[used[0]].get(known, 0), known))
    columns = (Column("Class", numeric=False), *(Column(_DATASET_NAMES.get(name, name)) for name in used))
    rows = tuple((label(known), *(count(counts[name].get(known, 0)) for name in used)) for known in classes)
    return Table("Threats of each class", columns, rows)


def _sources(folder: RunFolder) -> Table:
    rows: list[tuple[Cell, ...]] = []
    crops = folder.records("photos/index.json", "crops")
    rejected = folder.records("photos/index.json", "rejected")
    if folder.has("photos/index.json"):
        rows.append((label("object crops from photos"), count(len(crops)), count(len(rejected)), label(_terms(crops))))
    if folder.has("signatures/index.json"):
        entries = folder.records("signatures/index.json", "signatures")
        refused = len(folder.records("signatures/refused.json"))
        rows.append((label("real signatures from labelled scans"), count(len(entries)), count(refused), label(_terms(entries))))
    columns = (
        Column("Made from the inputs", numeric=False),
        Column("Kept"),
        Column("Set aside"),
        Column("Source and licence", numeric=False),
    )
    return Table("Crops and signatures", columns, tuple(rows))


def _terms(entries: list[dict[str, Any]]) -> str:
    """Every distinct source and licence among the entries' provenance."""
    found: set[str] = set()
    for entry in entries:
        provenance = entry.get("provenance") or entry.get("origin") or {}
        if isinstance(provenance, Mapping) and provenance:
            found.add(f"{provenance.get('source', 'unknown')} ({provenance.get('licence', 'unknown')})")
    shown = sorted(found)
    return "; ".join(shown[:3]) + (f"; and {len(shown) - 3} more" if len(shown) > 3 else "")


def _all_set_aside(folder: RunFolder) -> list[tuple[str, str, str]]:
    found: dict[tuple[str, str, str], None] = {}
    for stage in folder.stages:
        manifest = folder.manifest(stage)
        for entry in manifest.set_aside if manifest else ():
            found[stage, entry.item, entry.reason] = None
    for stage, file, key in (
        ("photos", "photos/index.json", "rejected"),
        ("signatures", "signatures/refused.json", ""),
        ("compose", "compose/refused.json", ""),
    ):
        for one in folder.records(file, key):
            found[stage, str(one.get("item", one.get("id", "?"))), str(one.get("reason", "no reason given"))] = None
    return list(found)


def _grid(value: Any) -> tuple[tuple[float, ...], ...] | None:
    """An 8x8 heat map, or the sum of one for each class; None where there is none or nothing lies on it."""
    if isinstance(value, Mapping):
        grids = [grid for one in value.values() if (grid := _grid(one)) is not None]
        if not grids or len({(len(grid), len(grid[0])) for grid in grids}) > 1:
            return None
        return tuple(tuple(sum(cells) for cells in zip(*rows, strict=True)) for rows in zip(*grids, strict=True))
    if not isinstance(value, list) or not value or not all(isinstance(row, list) and len(row) == len(value[0]) for row in value):
        return None
    grid = tuple(tuple(float(cell) for cell in row) for row in value)
    return grid if any(any(row) for row in grid) else None


def _sizes(labelled: Mapping[str, Any]) -> dict[str, tuple[float, ...]]:
    """Class -> ascending quantiles, from a list or from a mapping of quantile names."""
    found: dict[str, tuple[float, ...]] = {}
    for known, values in sorted((labelled.get("relative_size") or {}).items()):
        numbers = values.values() if isinstance(values, Mapping) else values if isinstance(values, list) else ()
        kept = sorted(float(number) for number in numbers if isinstance(number, int | float))
        if kept:
            found[str(known)] = tuple(kept)
    return found


def _counts(value: Any) -> dict[str, int]:
    return {str(known): _whole(number) for known, number in value.items()} if isinstance(value, Mapping) else {}


def _whole(value: Any) -> int:
    return int(value) if isinstance(value, int | float) else 0


def _amount(value: Any) -> int | None:
    """How many, from a number or from a list."""
    if isinstance(value, list | tuple | dict):
        return len(value)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _ratio(counts: Mapping[str, int]) -> float | None:
    values = [value for value in counts.values() if value > 0]
    return max(values) / min(values) if len(values) > 1 else None
