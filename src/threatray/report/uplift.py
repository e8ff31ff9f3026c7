"""The figures of the detector experiment behind the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from threatray.report.folder import RunFolder
from threatray.report.headline import arm_name, verdict
from threatray.report.plots import Estimate
from threatray.report.tables import Cell, Column, Table, figure, label, listed, percent, plural, points
from threatray.report.uplift_file import Measure, UpliftFile, read_uplift

_PLOTTED: Final = 4
_WORDS: Final = {"helped": "better", "harmed": "worse", "undecided": "no effect shown"}


@dataclass(frozen=True)
class MeasurePlot:
    """One measure over all arms."""

    title: str
    axis: str
    estimates: tuple[Estimate, ...]


Lines = Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]]
"""Arm -> (x, y)."""


@dataclass(frozen=True)
class Uplift:
    """The section on the detector experiment.

    Args:
        lead: The section in a sentence.
        seeds: Paired training seeds.
        arms: Arms x measures.
        differences: Differences from the baseline, measures of all classes.
        class_differences: Differences from the baseline in the AP50 of each class.
        per_class: AP50 of each class in each arm.
        per_level: TPR and AP50 of each level of difficulty in each arm.
        level_differences: Differences from the baseline in them.
        plots: A few measures over all arms.
        roc: FPR and TPR of each arm.
        reliability: Probability and share of threats of each arm.
        suspects: Benign pictures whose labels are worth checking.
        notes: How to read the figures, and what is missing.
    """

    lead: str
    seeds: int
    arms: Table
    differences: Table
    class_differences: Table
    per_class: Table
    per_level: Table
    level_differences: Table
    plots: tuple[MeasurePlot, ...]
    roc: Lines
    reliability: Lines
    suspects: Table
    notes: tuple[str, ...]


def build_uplift(folder: RunFolder) -> Uplift | None:
    """The section, or None where the experiment has not run."""
    found = read_uplift(folder)
    if found is None:
        return None
    lead = (
        f"A detector was trained in {plural(len(found.arms), 'arm')} on equal budgets, with {plural(found.seeds, 'paired seed')}, "
        "and tested on scans that no arm had seen"
    )
    overall = [one for one in found.differences if one.measure in found.overall]
    if overall:
        decided = sum(one.excludes_zero for one in overall)
        baselines = listed(sorted({f"“{arm_name(one.baseline)}”" for one in overall}))
        lead += (
            f"; of {plural(len(overall), 'difference')} from {baselines}, {decided or 'none'} {'excludes' if decided == 1 else 'exclude'} 0"
        )
    return Uplift(
        lead=f"{lead}.",
        seeds=found.seeds,
        arms=_arms(found, found.overall, "Every arm on the test set: mean over seeds, 95 % interval"),
        differences=_differences(found, found.overall, "Differences from the baseline, in points"),
        class_differences=_differences(found, found.of_classes, "Differences of each class, in points"),
        per_class=_arms(found, found.of_classes, "AP50 of each class: mean over seeds, 95 % interval"),
        per_level=_arms(found, found.of_levels, "By difficulty: mean over seeds, 95 % interval"),
        level_differences=_differences(found, found.of_levels, "Differences by difficulty, in points"),
        plots=tuple(_plot(found, measure) for measure in found.overall[:_PLOTTED]),
        roc={arm_name(one.arm): (one.fpr, one.tpr) for one in found.curves},
        reliability={arm_name(one.arm): _split(one.reliability) for one in found.curves},
        suspects=_suspects(found),
        notes=found.notes,
    )


def _arms(found: UpliftFile, measures: tuple[Measure, ...], caption: str) -> Table:
    def cell(arm: str, measure: Measure) -> Cell:
        known = found.figures.get((arm, measure.name))
        return label(None) if known is None else percent(known.value, known.low, known.high)

    columns = (
        Column("Arm", numeric=False),
        *(Column(measure.class_name or measure.short_title, hint=f"{measure.title}; {measure.better}") for measure in measures),
    )
    rows = tuple((label(arm_name(arm)), *(cell(arm, measure) for measure in measures)) for arm in found.arms) if measures else ()
    return Table(caption, columns, rows)


def _differences(found: UpliftFile, measures: tuple[Measure, ...], caption: str) -> Table:
    columns = (
        Column("Measure", numeric=False),
        Column("Arm", numeric=False),
        Column("Difference", hint="paired by seed and by test group, with 95 % interval"),
        Column("Verdict", numeric=False),
        Column("p over seeds", hint="two-sided sign-flip test; of S seeds it cannot fall below 2 / 2^S"),
    )
    rows = tuple(
        (
            label(one.measure.short_title),
            label(arm_name(one.arm)),
            points(one.value, one.low, one.high),
            label(_WORDS[verdict(one)]),
            figure(one.p),
        )
        for one in found.differences
        if one.measure in measures
    )
    return Table(caption, columns, rows)


def _suspects(found: UpliftFile) -> Table:
    columns = (
        Column("Benign image", numeric=False),
        Column("Part", numeric=False),
        Column("Taken for", numeric=False),
        Column("Above", hint="share of the threat images that score lower, mean over every arm and seed"),
    )
    rows = tuple((label(one.id), label(one.part), label(one.label), percent(one.share_above)) for one in found.suspects)
    return Table("Benign images that look most like threats: check their labels first", columns, rows)


def _plot(found: UpliftFile, measure: Measure) -> MeasurePlot:
    known = [one for arm in found.arms if (one := found.figures.get((arm, measure.name))) is not None]
    estimates = tuple(Estimate(arm_name(one.arm), one.value, one.low, one.high, one.per_seed) for one in known)
    return MeasurePlot(measure.short_title, f"per cent, {measure.better}", estimates)


def _split(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    return tuple(x for x, _ in points), tuple(y for _, y in points)
