"""From results to verdicts: figures of each arm, paired differences with intervals, and a plain sentence for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import stream
from threatray.errors import ConfigError
from threatray.uplift.arms import BASELINE
from threatray.uplift.figures import CLASS_PREFIX, LEVEL_PREFIXES, Measure, Resampler, SummarySettings, levels_of
from threatray.uplift.guards import check_comparable
from threatray.uplift.label_doubts import label_doubts
from threatray.uplift.results import JobResult
from threatray.uplift.score_curves import ScoreCurves, score_curves
from threatray.uplift.statistics import Interval, interval, sign_flip_p
from threatray.uplift.suspects import Suspect, suspects

Figures = NDArray[np.float64]

NO_EFFECT: Final = "no effect shown"


@dataclass(frozen=True)
class ArmFigure:
    """One figure of one arm.

    Args:
        arm: Name of the arm.
        measure: Name of the measure.
        mean: Over the seeds.
        low: Lower end of the mean's interval.
        high: Upper end.
        per_seed: Seed -> figure.
    """

    arm: str
    measure: str
    mean: float
    low: float
    high: float
    per_seed: Mapping[int, float]


@dataclass(frozen=True)
class Difference:
    """One figure of one arm less that of another, paired by seed and by test group.

    Args:
        arm: The arm.
        baseline: What it is compared with.
        measure: Name of the measure.
        value: Mean difference over the seeds both have.
        low: Lower end of its interval.
        high: Upper end.
        p: Sign-flip p-value over seeds; of S seeds it cannot fall below 2 / 2^S.
        per_seed: Seed -> difference.
        verdict: "better", "worse" or "no effect shown".
        sentence: All of it in words.
    """

    arm: str
    baseline: str
    measure: str
    value: float
    low: float
    high: float
    p: float
    per_seed: Mapping[int, float]
    verdict: str
    sentence: str


@dataclass(frozen=True)
class UpliftSummary:
    """Everything the table and the report need.

    Args:
        baseline: The arm that the others are compared with.
        measures: What was measured, the most telling first.
        figures: Of each arm.
        differences: Each arm against its baseline.
        pictures: Counts of the validation and test sets.
        budget: What every arm was trained with.
        settings: How results were summed up.
        missing: Sentences on jobs that are not there yet.
        notes: How to read the figures.
        suspects: Benign pictures that look most like threats: labels to check.
        curves: ROC curve and reliability of each arm.
    """

    baseline: str
    measures: tuple[Measure, ...]
    figures: tuple[ArmFigure, ...]
    differences: tuple[Difference, ...]
    pictures: Mapping[str, int]
    budget: Mapping[str, int]
    settings: SummarySettings
    missing: tuple[str, ...]
    notes: tuple[str, ...]
    suspects: tuple[Suspect, ...] = ()
    curves: tuple[ScoreCurves, ...] = ()

    def figure(self, arm: str, measure: str) -> ArmFigure:
        """The figure of one arm."""
        return next(one for one in self.figures if (one.arm, one.measure) == (arm, measure))

    def difference(self, arm: str, measure: str, baseline: str = BASELINE) -> Difference:
        """The difference of one arm from a baseline."""
        return next(one for one in self.differences if (one.arm, one.measure, one.baseline) == (arm, measure, baseline))

    def as_json(self) -> dict[str, Any]:
        """The fields as plain values, for JSON: the file ``uplift.json`` that the report reads. What cannot be told is None."""
        return {name: _plain(value) for name, value in asdict(self).items()}

    @property
    def verdicts(self) -> tuple[str, ...]:
        """A sentence for each overall measure against the baseline, the most telling first."""
        return tuple(one.sentence for one in self.differences if one.baseline == self.baseline and not _of_part(one.measure))


def summarise(
    results: Sequence[JobResult],
    settings: SummarySettings | None = None,
    *,
    compare: Sequence[tuple[str, str]] | None = None,
) -> UpliftSummary:
    """Sum up the results that are there, in any order and however incomplete.

    Args:
        results: One an (arm, seed).
        settings: How; the usual if None.
        compare: Pairs (arm, baseline). If None: every other arm with ``real_only`` where that is there.

    Raises:
        ConfigError: Unequal budgets or detector settings, or ``compare`` names an arm that has no result.
        DataError: Results that cannot be compared; see `check_comparable`.
    """
    check_comparable(results)
    how = settings or SummarySettings()
    ordered = sorted(results, key=lambda result: result.seed)
    names = list(dict.fromkeys(result.arm.name for result in results))
    pairs = [(name, BASELINE) for name in names if name != BASELINE and BASELINE in names] if compare is None else list(compare)
    for name in {name for pair in pairs for name in pair}:
        if name not in names:
            raise ConfigError(f"uplift: no result of an arm called {name!r}; there are {', '.join(names)}.")
    resampler = Resampler.of(ordered[0], how)
    by_arm: dict[str, dict[int, Mapping[str, Figures]]] = {name: {} for name in names}
    for result in ordered:
        by_arm[result.arm.name][result.seed] = resampler.figures(result)
    measures = how.measures(ordered[0].classes, levels_of(ordered[0]))
    figures = tuple(_figure(name, measure, by_arm[name], resampler) for name in names for measure in measures)
    differences = tuple(_difference(pair, measure, by_arm, resampler) for pair in pairs if _shared(pair, by_arm) for measure in measures)
    test = ordered[0].test
    pictures = {
        "validation": len(ordered[0].validation),
        "test": len(test),
        "test_with_threat": sum(one.has_threat for one in test),
        "test_groups": resampler.group_count,
    }
    budget = {"steps": ordered[0].steps, "batch_size": ordered[0].batch_size, "pictures_shown": ordered[0].steps * ordered[0].batch_size}
    baseline = BASELINE if BASELINE in names or not pairs else pairs[0][1]
    return UpliftSummary(
        baseline,
        measures,
        figures,
        differences,
        pictures,
        budget,
        how,
        tuple(_missing(names, by_arm)),
        (*label_doubts(ordered), *_notes(how, budget, by_arm, len(measures), pairs)),
        suspects(ordered),
        score_curves(ordered),
    )


def _of_part(measure: str) -> bool:
    return measure.startswith((CLASS_PREFIX, *LEVEL_PREFIXES))


def _figure(name: str, measure: Measure, seeds: Mapping[int, Mapping[str, Figures]], resampler: Resampler) -> ArmFigure:
    drawn = np.stack([figures[measure.name] for figures in seeds.values()])
    found = interval(drawn[:, 0], drawn[:, 1:], resampler.group_count, resampler.settings.confidence)
    # A share of pictures lies in [0, 1]; Student's t does not know that.
    low, high = max(0.0, found.low), min(1.0, found.high)
    return ArmFigure(name, measure.name, found.value, low, high, dict(zip(seeds, drawn[:, 0].tolist(), strict=True)))


def _shared(pair: tuple[str, str], by_arm: Mapping[str, Mapping[int, object]]) -> list[int]:
    return [seed for seed in by_arm[pair[0]] if seed in by_arm[pair[1]]]


def _difference(
    pair: tuple[str, str], measure: Measure, by_arm: Mapping[str, Mapping[int, Mapping[str, Figures]]], resampler: Resampler
) -> Difference:
    arm, baseline = pair
    seeds = _shared(pair, by_arm)
    drawn = np.stack([by_arm[arm][seed][measure.name] - by_arm[baseline][seed][measure.name] for seed in seeds])
    found = interval(drawn[:, 0], drawn[:, 1:], resampler.group_count, resampler.settings.confidence)
    verdict = _verdict(found, measure)
    return Difference(
        arm,
        baseline,
        measure.name,
        found.value,
        found.low,
        found.high,
        sign_flip_p(drawn[:, 0], stream(resampler.settings.seed, "signs")),
        dict(zip(seeds, drawn[:, 0].tolist(), strict=True)),
        verdict,
        _sentence(pair, measure, found, verdict, len(seeds)),
    )


def _verdict(found: Interval, measure: Measure) -> str:
    if found.holds_zero:
        return NO_EFFECT
    return "better" if (found.value > 0) == measure.higher_is_better else "worse"


def _sentence(pair: tuple[str, str], measure: Measure, found: Interval, verdict: str, seeds: int) -> str:
    if not np.isfinite(found.value):
        return f"{pair[0]}: {measure.title} cannot be told on this test set."
    within = f"[{_points(found.low)}, {_points(found.high)}]" if np.isfinite(found.low) else "[interval unknown]"
    alone = " (one seed: says nothing on other trainings)" if seeds == 1 else ""
    return f"{pair[0]}: {measure.title} changed by {_points(found.value)} points {within} against {pair[1]}: {verdict}{alone}."


def _points(share: float) -> str:
    """Percentage points with a sign, and a zero that has none.

    Example:
        >>> _points(-0.0312), _points(0.0), _points(-0.0001)
        ('-3.1', '0.0', '0.0')
    """
    points = round(100 * share, 1)
    return f"{points:+.1f}" if points else "0.0"


def _missing(names: Sequence[str], by_arm: Mapping[str, Mapping[int, object]]) -> list[str]:
    every = sorted({seed for seeds in by_arm.values() for seed in seeds})
    lacking = {name: [seed for seed in every if seed not in by_arm[name]] for name in names}
    return [f"arm {name!r} has no result yet for seed {', '.join(map(str, seeds))}" for name, seeds in lacking.items() if seeds]


def _notes(
    how: SummarySettings,
    budget: Mapping[str, int],
    by_arm: Mapping[str, Mapping[int, object]],
    measures: int,
    pairs: Sequence[tuple[str, str]],
) -> tuple[str, ...]:
    fewest = min(len(seeds) for seeds in by_arm.values())
    ratios = ", ".join(map(str, how.benign_per_threat))
    notes = [
        f"Every arm was trained on the same budget: {budget['steps']} steps of {budget['batch_size']} pictures.",
        f"Operating points were chosen on validation pictures alone: the highest threshold with TPR >= {how.target_tpr:.2f} there. "
        "Figures 'of the test ROC' are readings of the test set's own curve, for comparison at exactly equal detection.",
        f"Intervals are {100 * how.confidence:g} %, from {how.resamples} resamples of groups (equal for all arms) and the spread of seeds.",
        "The calibration error compares an image's score with the share of threats among images of like score, in ten bins of equal size "
        "on the test set; it is positive by noise alone. Scaling (Platt) is fitted on validation images alone.",
        f"AP50 at {ratios} benign per threat weights each benign picture; the FPR does not depend on that ratio, and no new bags are seen.",
        f"{measures * len(pairs)} intervals are shown; one in {round(1 / (1 - how.confidence))} excludes 0 by chance. "
        "Decide beforehand which one counts.",
    ]
    if fewest < 5:
        notes.append(f"Only {fewest} seed{'s' * (fewest > 1)}: intervals are wide or too narrow by luck; 5 or more are advised.")
    return tuple(notes)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
