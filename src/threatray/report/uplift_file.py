"""Reading ``uplift.json``, which the uplift package writes (``UpliftSummary.as_json``), without importing what writes it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from threatray.report.folder import RunFolder

_CONTROLS: Final = ("real_reprojected", "opaque_paste", "alpha_blend")
_PER_CLASS: Final = "ap50/"
_PER_LEVEL: Final = ("tpr_at/", "ap50_at/")


@dataclass(frozen=True)
class Measure:
    """A figure between 0 and 1: its key, what a reader sees, and its sense."""

    name: str
    title: str
    higher_is_better: bool

    @property
    def is_false_alarms(self) -> bool:
        """Whether it is the share of benign bags that raise an alarm."""
        return self.name.startswith("fpr")

    @property
    def short_title(self) -> str:
        """The title without what it says in brackets, for headings."""
        return self.title.partition(" (")[0]

    @property
    def class_name(self) -> str:
        """The class that it is the AP50 of; empty for a measure of all classes."""
        return self.name.removeprefix(_PER_CLASS) if self.name.startswith(_PER_CLASS) else ""

    @property
    def of_level(self) -> bool:
        """Whether it is taken over the threats of one level of difficulty."""
        return self.name.startswith(_PER_LEVEL)

    @property
    def better(self) -> str:
        """Its sense in words."""
        return "higher is better" if self.higher_is_better else "lower is better"


@dataclass(frozen=True)
class ArmFigure:
    """One measure of one arm: mean over seeds, 95 % interval, and each seed's own."""

    arm: str
    measure: str
    value: float
    low: float | None
    high: float | None
    per_seed: tuple[float, ...]


@dataclass(frozen=True)
class Difference:
    """One arm's paired difference from its baseline in one measure."""

    arm: str
    baseline: str
    measure: Measure
    value: float
    low: float | None
    high: float | None
    p: float | None
    per_seed: tuple[float, ...]

    @property
    def excludes_zero(self) -> bool:
        """Whether the 95 % interval lies on one side of 0; without an interval nothing is shown."""
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)

    @property
    def is_control(self) -> bool:
        """Whether the arm is there to show what physics is worth."""
        return self.arm in _CONTROLS


@dataclass(frozen=True)
class Suspect:
    """A benign picture that looks like a threat to the detectors of every arm."""

    id: str
    part: str
    share_above: float
    label: str


@dataclass(frozen=True)
class ScoreCurves:
    """What the scores of an arm say of whole pictures: its ROC curve, and (probability, share with a threat) of bins of pictures."""

    arm: str
    tpr: tuple[float, ...]
    fpr: tuple[float, ...]
    reliability: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class UpliftFile:
    """The experiment's summary; the first measure is the most telling one.

    Args:
        measures: What was measured.
        figures: (arm, measure name) -> figure, arms in the file's order.
        differences: Each arm from its baseline, in the order of the measures.
        seeds: Training seeds.
        pictures: Counts of the validation and test sets.
        notes: How to read the figures, and what is missing.
        suspects: Benign pictures whose labels are worth checking, the surest first.
        curves: ROC curve and reliability of each arm; empty in the files of older versions.
    """

    measures: tuple[Measure, ...]
    figures: Mapping[tuple[str, str], ArmFigure]
    differences: tuple[Difference, ...]
    seeds: int
    pictures: Mapping[str, int]
    notes: tuple[str, ...]
    suspects: tuple[Suspect, ...] = ()
    curves: tuple[ScoreCurves, ...] = ()

    @property
    def arms(self) -> tuple[str, ...]:
        """Names of the arms, in the file's order."""
        return tuple(dict.fromkeys(arm for arm, _ in self.figures))

    @property
    def overall(self) -> tuple[Measure, ...]:
        """The measures of all classes together."""
        return tuple(measure for measure in self.measures if not (measure.class_name or measure.of_level))

    @property
    def of_levels(self) -> tuple[Measure, ...]:
        """TPR and AP50 of each level of difficulty."""
        return tuple(measure for measure in self.measures if measure.of_level)

    @property
    def of_classes(self) -> tuple[Measure, ...]:
        """AP50 of each class."""
        return tuple(measure for measure in self.measures if measure.class_name)

    def of(self, measure: str) -> tuple[Difference, ...]:
        """Every arm's difference in one measure."""
        return tuple(one for one in self.differences if one.measure.name == measure)


def read_uplift(folder: RunFolder) -> UpliftFile | None:
    """The summary in ``uplift/uplift.json``, or None where the experiment has not run.

    Raises:
        DataError: The file is not a JSON object.
    """
    found = folder.record("uplift/uplift.json")
    if found is None:
        return None
    measures = {
        str(one["name"]): Measure(str(one["name"]), str(one.get("title", one["name"])), bool(one.get("higher_is_better", True)))
        for one in found.get("measures") or []
    }
    figures = [figure for entry in found.get("figures") or [] if (figure := _figure(entry))]
    order = {name: place for place, name in enumerate(measures)}
    differences = [one for entry in found.get("differences") or [] if (one := _difference(entry, measures))]
    return UpliftFile(
        measures=tuple(measures.values()),
        figures={(one.arm, one.measure): one for one in figures},
        differences=tuple(sorted(differences, key=lambda one: order[one.measure.name])),
        seeds=len({seed for entry in found.get("figures") or [] for seed in entry.get("per_seed") or {}}),
        pictures={str(name): int(number) for name, number in (found.get("pictures") or {}).items()},
        notes=tuple(str(note) for note in [*(found.get("missing") or []), *(found.get("notes") or []), *_shortcuts(folder)]),
        suspects=tuple(
            Suspect(str(one.get("id")), str(one.get("part")), share, str(one.get("label")))
            for one in found.get("suspects") or []
            if (share := _number(one.get("share_above"))) is not None
        ),
        curves=tuple(_curves(entry) for entry in found.get("curves") or []),
    )


def _curves(entry: Mapping[str, Any]) -> ScoreCurves:
    points = [(x, y) for tpr, fpr in zip(entry.get("tpr") or [], entry.get("fpr") or [], strict=False) if (x := _number(tpr)) is not None
              and (y := _number(fpr)) is not None]  # fmt: skip
    bins = [(x, y) for one in entry.get("reliability") or [] if (x := _number(one[0])) is not None and (y := _number(one[1])) is not None]
    return ScoreCurves(str(entry.get("arm")), tuple(x for x, _ in points), tuple(y for _, y in points), tuple(bins))


def _shortcuts(folder: RunFolder) -> list[str]:
    """What the shortcut probe found, a sentence a pool."""
    found = folder.records("uplift/shortcuts.json")
    return [f"Shortcut probe, {one.get('sentence')}" for one in found if isinstance(one, Mapping)]


def _figure(entry: Mapping[str, Any]) -> ArmFigure | None:
    value = _number(entry.get("mean"))
    if value is None:
        return None
    ends = _number(entry.get("low")), _number(entry.get("high"))
    return ArmFigure(str(entry.get("arm")), str(entry.get("measure")), value, *ends, _per_seed(entry))


def _difference(entry: Mapping[str, Any], measures: Mapping[str, Measure]) -> Difference | None:
    value, measure = _number(entry.get("value")), measures.get(str(entry.get("measure")))
    if value is None or measure is None:
        return None
    ends = _number(entry.get("low")), _number(entry.get("high"))
    names = str(entry.get("arm")), str(entry.get("baseline", "real_only"))
    return Difference(*names, measure, value, *ends, _number(entry.get("p")), _per_seed(entry))


def _per_seed(entry: Mapping[str, Any]) -> tuple[float, ...]:
    values = entry.get("per_seed") or []
    return tuple(number for one in (values.values() if isinstance(values, Mapping) else values) if (number := _number(one)) is not None)


def _number(value: Any) -> float | None:
    """A finite number, else None: what could not be told is null in the file."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
