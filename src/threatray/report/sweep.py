"""Where synthesis stops paying: what it added for each number of real threats and each multiple, from ``sweep.json`` alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from threatray.report.folder import RunFolder
from threatray.report.headline import arm_name
from threatray.report.plots import Estimate
from threatray.report.tables import Cell, Column, Table, count, label, listed, percent, points

SWEEP_FILES: Final = ("sweep.json", "sweep/sweep.json")
"""In the folder of ``threatray sweep``, or beside a run's stages."""
_PLOTTED: Final = 2


@dataclass(frozen=True)
class SweepPlot:
    """One measure: for each synthetic arm its change at each number of real threats."""

    title: str
    axis: str
    counts: tuple[str, ...]
    lines: Mapping[str, tuple[Estimate, ...]]


@dataclass(frozen=True)
class Sweep:
    """The section on how many real threats synthesis pays for.

    Args:
        lead: The section in a sentence.
        table: A row for each measure, number of real threats, arm and baseline.
        plots: The two most telling measures.
    """

    lead: str
    table: Table
    plots: tuple[SweepPlot, ...]


def build_sweep(folder: RunFolder) -> Sweep | None:
    """The section, or None where no sweep has run."""
    name = next((name for name in SWEEP_FILES if folder.has(name)), None)
    if name is None:
        return None
    rows = [row for row in folder.records(name, "rows") if _is_overall(row)]
    measures = sorted({str(row["measure"]) for row in rows}, key=_order)
    rows.sort(key=lambda row: (measures.index(str(row["measure"])), _rank(row), str(row.get("arm")), str(row.get("against"))))
    return Sweep(_lead(rows, measures), _table(rows), tuple(_plot(rows, measure) for measure in measures[:_PLOTTED]))


def _is_overall(row: Mapping[str, Any]) -> bool:
    measure = str(row.get("measure", ""))
    return bool(measure) and not any(part in measure for part in ("/", "benign", "ece", "test_roc"))


def _order(measure: str) -> tuple[int, str]:
    first = ("fpr", "ap50", "tpr")
    at = next(
        (place for place, start in enumerate(first) if measure == start or (start == "fpr" and measure.startswith("fpr"))), len(first)
    )
    return at, measure


def _rank(row: Mapping[str, Any]) -> float:
    """Numbers of real threats in order; 0 stands for all there are."""
    count = row.get("real_count")
    return float(count) if isinstance(count, int | float) and count > 0 else math.inf


def _count_text(row: Mapping[str, Any]) -> str:
    return "all" if math.isinf(_rank(row)) else f"{_rank(row):,.0f}"


def _title(measure: str) -> str:
    if measure.startswith("fpr_at_tpr_"):
        return f"FPR at TPR {float(measure.removeprefix('fpr_at_tpr_')):.2f}"
    return {"ap50": "AP50", "ap50_95": "AP50-95", "tpr": "TPR at the operating point"}.get(measure, measure)


def _lead(rows: Sequence[Mapping[str, Any]], measures: Sequence[str]) -> str:
    if not rows:
        return "The sweep has left no figure yet."
    sentences = []
    for measure in measures[:_PLOTTED]:
        mine = [row for row in rows if row["measure"] == measure]
        counts = list(dict.fromkeys(_count_text(row) for row in mine))
        by_verdict = {
            verdict: [count for count in counts if any(row.get("verdict") == verdict for row in mine if _count_text(row) == count)]
            for verdict in ("better", "worse")
        }
        said = [f"{verdict} at {listed(found)}" for verdict, found in by_verdict.items() if found]
        rest = [count for count in counts if all(count not in found for found in by_verdict.values())]
        said += [f"no effect shown at {listed(rest)}"] if rest else []
        sentences.append(f"{_title(measure)}: {', '.join(said)}")
    return f"What synthesis adds, by the number of real threats of each class that there are to learn from. {'; '.join(sentences)}."


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    columns = (
        Column("Measure", numeric=False),
        Column("Real threats a class", hint="all: as many as there are"),
        Column("Training scans"),
        Column("Arm", numeric=False),
        Column("Against", numeric=False),
        Column("There", hint="the figure of what it is compared with"),
        Column("Change", hint="in points, paired by seed and test group, with 95 % interval"),
        Column("Verdict", numeric=False),
        Column("Seeds"),
    )

    def counted(row: Mapping[str, Any]) -> Cell:
        rank = _rank(row)
        return Cell(_count_text(row), None if math.isinf(rank) else rank)

    return Table(
        "Every cell of the sweep",
        columns,
        tuple(
            (
                label(_title(str(row["measure"]))),
                counted(row),
                count(row.get("training_scans")),
                label(arm_name(str(row.get("arm")))),
                label(arm_name(str(row.get("against")))),
                percent(row.get("there")),
                points(row.get("value"), row.get("low"), row.get("high")),
                label(row.get("verdict")),
                count(row.get("seeds")),
            )
            for row in rows
        ),
    )


def _plot(rows: Sequence[Mapping[str, Any]], measure: str) -> SweepPlot:
    mine = [row for row in rows if row["measure"] == measure and isinstance(row.get("value"), int | float)]
    counts = tuple(dict.fromkeys(_count_text(row) for row in mine))
    lines: dict[str, list[Estimate]] = {}
    several = len({row.get("against") for row in mine}) > 1
    for row in mine:
        against = f" against {arm_name(str(row.get('against')))}" if several else ""
        estimate = Estimate(_count_text(row), float(row["value"]), row.get("low"), row.get("high"))
        lines.setdefault(arm_name(str(row.get("arm"))) + against, []).append(estimate)
    better = "down" if measure.startswith("fpr") else "up"
    return SweepPlot(_title(measure), f"change in points, {better} is better", counts, {name: tuple(line) for name, line in lines.items()})
