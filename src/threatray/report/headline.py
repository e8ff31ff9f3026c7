"""The answer at the top of the page: did synthesis help, by how much, how sure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from threatray.report.folder import RunFolder
from threatray.report.plots import Estimate
from threatray.report.tables import count, listed, percent_text, plural, points_text
from threatray.report.uplift_file import Difference, Measure, UpliftFile, read_uplift

_ARMS: Final = {
    "real_only": "real only",
    "transformation": "+ transformation",
    "synthesis": "+ synthesis",
    "synthesis_transformation": "+ synthesis and transformation",
    "real_reprojected": "control: real signatures re-projected",
    "opaque_paste": "control: photos pasted opaque",
    "alpha_blend": "control: photos alpha-blended",
}
_ASKED: Final = ("synthesis", "synthesis_transformation")
"""The arms whose difference from the baseline answers the question; the sentence is about the first that ran."""

BADGES: Final = {"helped": "synthesis helped", "harmed": "synthesis harmed", "undecided": "no effect shown", "unknown": "not measured"}


@dataclass(frozen=True)
class Headline:
    """The answer.

    Args:
        verdict: ``helped``, ``harmed``, ``undecided`` or ``unknown``.
        badge: The verdict in two words.
        sentence: The answer.
        detail: What it rests on.
        subtitle: Which run this is.
        tiles: Figures and what they are.
        estimates: Differences from the baseline, for the plot.
        plot_title: Above the plot.
        plot_axis: Below the plot.
        plot_words: The plot for those who cannot see it.
    """

    verdict: str
    badge: str
    sentence: str
    detail: str
    subtitle: str
    tiles: tuple[tuple[str, str], ...]
    estimates: tuple[Estimate, ...] = ()
    plot_title: str = ""
    plot_axis: str = ""
    plot_words: str = ""


def build_headline(folder: RunFolder) -> Headline:
    """The answer in a sentence; says so where there is none."""
    found = read_uplift(folder)
    asked = _asked(found) if found else None
    if found is None or asked is None:
        return Headline(
            verdict="unknown",
            badge=BADGES["unknown"],
            sentence="Whether synthesis helps was not measured in this run.",
            detail="The command threatray uplift trains a detector with and without the synthetic threats and fills this place.",
            subtitle=_subtitle(folder),
            tiles=_tiles(folder),
        )
    same = sorted((one for one in found.of(asked.measure.name) if one.baseline == asked.baseline), key=lambda one: _rank(one.arm))
    known = verdict(asked)
    return Headline(
        verdict=known,
        badge=BADGES[known],
        sentence=_sentence(found, asked),
        detail=_detail(found, asked),
        subtitle=_subtitle(folder),
        tiles=_tiles(folder),
        estimates=tuple(Estimate(arm_name(one.arm), one.value, one.low, one.high, one.per_seed) for one in same),
        plot_title=f"Change of {_quantity(asked.measure)} from “{arm_name(asked.baseline)}”",
        plot_axis=f"percentage points, {'right' if asked.measure.higher_is_better else 'left'} is better",
        plot_words=f"Paired differences in {asked.measure.title} from {arm_name(asked.baseline)}, in points with 95 % intervals: "
        + "; ".join(f"{arm_name(one.arm)} {points_text(one.value)} ({_interval(one)})" for one in same),
    )


def arm_name(arm: str) -> str:
    """An arm in words.

    Example:
        >>> arm_name("synthesis"), arm_name("my_arm")
        ('+ synthesis', 'my arm')
    """
    return _ARMS.get(arm, arm.replace("_", " "))


def verdict(one: Difference) -> str:
    """``helped``, ``harmed``, or ``undecided`` where the interval holds 0 or is unknown."""
    if not one.excludes_zero:
        return "undecided"
    return "helped" if (one.value > 0) == one.measure.higher_is_better else "harmed"


def _asked(found: UpliftFile) -> Difference | None:
    """The difference that the sentence is about: in the most telling measure, of the arm that was asked about."""
    for measure in found.overall:
        for arm in _ASKED:
            for one in found.of(measure.name):
                if one.arm == arm:
                    return one
    return None


def _sentence(found: UpliftFile, one: Difference) -> str:
    what = {"synthesis": "Synthesis", "synthesis_transformation": "Synthesis with transformation"}.get(one.arm, arm_name(one.arm))
    quantity, interval = _quantity(one.measure), _interval(one)
    if not one.excludes_zero:
        return f"No effect shown: {what[0].lower()}{what[1:]} changed {quantity} by {points_text(one.value)} points ({interval})."
    verb = "lowered" if one.value < 0 else "raised"
    amount = points_text(abs(one.value)).lstrip("+")
    before, after = (found.figures.get((arm, one.measure.name)) for arm in (one.baseline, one.arm))
    of = " of benign bags" if one.measure.is_false_alarms else ""
    levels = f", from {percent_text(before.value)} to {percent_text(after.value)}{of}" if before and after else ""
    return f"{what} {verb} {quantity} by {amount} points{levels} ({interval})."


def _quantity(measure: Measure) -> str:
    return "false alarms" if measure.is_false_alarms else measure.title


def _interval(one: Difference) -> str:
    if one.low is None or one.high is None:
        return "interval unknown"
    return f"95 % interval {points_text(one.low)} to {points_text(one.high)}"


def _detail(found: UpliftFile, asked: Difference) -> str:
    """What else must be known to believe the sentence: detection, the other arm, the controls, and what the figures rest on."""
    parts = []
    if asked.measure.is_false_alarms:
        tpr = next((one for one in found.of("tpr") if one.arm == asked.arm and one.baseline == asked.baseline), None)
        detection = f"; detection (TPR) there changed by {points_text(tpr.value)} points ({_interval(tpr)})" if tpr else ""
        parts.append(f"Measured as {asked.measure.title}{detection}.")
    same = [one for one in found.of(asked.measure.name) if one.baseline == asked.baseline]
    parts += [_sentence(found, one) for one in same if one.arm in _ASKED and one.arm != asked.arm]
    controls = [one for one in same if one.is_control]
    sign = 1 if asked.measure.higher_is_better else -1
    if controls:
        beaten = sum(sign * asked.value > sign * one.value for one in controls)
        parts.append(f"By the mean, synthesis does better than {beaten} of {plural(len(controls), 'control arm')}.")
    test = found.pictures.get("test")
    parts.append(f"{plural(found.seeds, 'paired training seed')}{', ' + plural(test, 'test scan') if test else ''}.")
    return " ".join(parts)


def _rank(arm: str) -> tuple[int, str]:
    order = list(_ARMS)
    return (order.index(arm) if arm in order else len(order)), arm


def _subtitle(folder: RunFolder) -> str:
    """Which run this is, from its manifests: data, classes and seed, never a path or the clock."""
    classes = sorted({str(entry.get("class_name")) for entry in folder.records("photos/index.json", "crops")})
    data = "Embedded phantom" if folder.has("phantom") else "User's scans and photos"
    stages = ("uplift", "score", "compose", "train", "photos", "inspect")
    manifest = next((known for stage in stages if (known := folder.manifest(stage))), None)
    return " · ".join(part for part in (data, listed(classes), f"seed {manifest.seed}" if manifest else "") if part)


def _tiles(folder: RunFolder) -> tuple[tuple[str, str], ...]:
    """A few figures for the size of the run."""
    verdicts = folder.records("translate/verdicts.json", "verdicts")
    passed = sum(bool(one.get("accepted")) for one in verdicts)
    coco: Mapping[str, Any] = folder.record("compose/annotations.json") or {}
    known = (
        (len(folder.records("photos/index.json", "crops")), "", "object crops from photos"),
        (len(folder.library("signatures")), "", "real signatures from scans"),
        (len(verdicts), f"{passed:,} of ", "translations passed the gate"),
        (len(coco.get("annotations") or []), "", "synthetic threats composed into bags"),
    )
    return tuple((f"{before}{count(number).text}", words) for number, before, words in known if number)
