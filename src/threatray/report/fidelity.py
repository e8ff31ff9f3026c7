"""How close the synthetic signatures are to real ones, in stated features, with intervals."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from threatray.report.folder import RunFolder
from threatray.report.plots import Estimate
from threatray.report.tables import Cell, Column, Table, count, figure, figure_text, label

_ARMS = {
    "translated": "translated",
    "photo": "photos as they are",
    "photos": "photos as they are",
    "inverted": "photos, grey inverted",
    "mean_fill": "silhouette, mean fill",
    "truth": "true X-rays",
    "real": "real signatures",
}
_NOT_CONTROLS = ("translated", _ARMS["truth"], _ARMS["real"])


@dataclass(frozen=True)
class Fidelity:
    """The section on fidelity.

    Args:
        lead: The section in a sentence.
        scores: One row a score, with its interval, extractor and number of items.
        arms: KID by arm, best first; for the plot.
        features: The features that the arms' KID was measured in; empty where not stated.
        paired: One row a class: SSIM and PSNR to the true X-ray of the same object.
        dots: Class -> (inverted photo's SSIM, translation's SSIM) of each object.
        notes: What the scoring had to say.
    """

    lead: str
    scores: Table
    arms: tuple[Estimate, ...]
    features: str
    paired: Table
    dots: Mapping[str, tuple[tuple[float, float], ...]]
    notes: tuple[str, ...]


def build_fidelity(folder: RunFolder) -> Fidelity | None:
    """The section, or None where nothing was scored."""
    found = folder.record("score/score.json")
    if found is None:
        return None
    scores = [one for one in found.get("scores") or [] if isinstance(one, Mapping)]
    arms, features = _arms(found.get("kid_by_arm"))
    paired = [one for one in found.get("paired") or [] if isinstance(one, Mapping)]
    return Fidelity(
        lead=_lead(arms, paired, scores),
        scores=Table("Scores", _SCORE_COLUMNS, tuple(_score_row(one) for one in scores)),
        arms=arms,
        features=features,
        paired=_paired_table(paired),
        dots=_dots(paired),
        notes=tuple(str(note) for note in found.get("notes") or []),
    )


_SCORE_COLUMNS = (
    Column("Measure", numeric=False),
    Column("Value", hint="with its 95 % interval where one was computed"),
    Column("Better", numeric=False),
    Column("Items"),
    Column("Features", numeric=False, hint="what the measure looked at; figures in different features cannot be compared"),
)


def _score_row(score: Mapping[str, Any]) -> tuple[Cell, ...]:
    better = {True: "higher", False: "lower"}.get(score.get("higher_is_better"), "")  # type: ignore[arg-type]
    value = figure(score.get("value"), score.get("low"), score.get("high"))
    return label(score.get("name")), value, label(better), count(score.get("n")), label(score.get("extractor") or "none needed")


def _arms(value: Any) -> tuple[tuple[Estimate, ...], str]:
    """KID by arm from plain numbers or from scores, lowest first."""
    if not isinstance(value, Mapping):
        return (), ""
    found, features = [], set()
    for arm, score in value.items():
        name = _ARMS.get(str(arm), str(arm).replace("_", " "))
        if isinstance(score, Mapping) and isinstance(score.get("value"), int | float):
            found.append(Estimate(name, float(score["value"]), score.get("low"), score.get("high")))
            features.add(str(score.get("extractor") or ""))
        elif isinstance(score, int | float) and not isinstance(score, bool):
            found.append(Estimate(name, float(score)))
    return tuple(sorted(found, key=lambda one: (one.value, one.name))), features.pop() if len(features) == 1 else ""


def _lead(arms: tuple[Estimate, ...], paired: list[Mapping[str, Any]], scores: list[Mapping[str, Any]]) -> str:
    parts = []
    ours = next((arm for arm in arms if arm.name == "translated"), None)
    controls = [arm for arm in arms if arm.name not in _NOT_CONTROLS]
    if ours and controls:
        best = min(controls, key=lambda arm: arm.value)
        verdict = "closer to real X-rays than every control" if ours.value < best.value else f"not closer to real X-rays than “{best.name}”"
        overlap = "; their intervals overlap" if _overlap(ours, best) else ""
        figures = f"{figure_text(ours.value)} against {figure_text(best.value)} for “{best.name}”; lower is closer{overlap}"
        parts.append(f"by KID translations are {verdict} ({figures})")
    mine, control = _mean(paired, "ssim"), _mean(paired, "ssim_inverted")
    if mine is not None and control is not None:
        verdict = "more" if mine > control else "not more"
        figures = f"{figure_text(mine)} against {figure_text(control)}; higher is closer"
        parts.append(f"by SSIM they are {verdict} like the true X-ray of the same object than inverted photos are ({figures})")
    if parts:
        sentence = "; ".join(parts)
        return f"{sentence[0].upper()}{sentence[1:]}."
    return f"How close synthetic signatures are to real ones, by {len(scores)} measures, each in stated features."


def _overlap(one: Estimate, other: Estimate) -> bool:
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.low <= other.high and other.low <= one.high


def _paired_table(paired: list[Mapping[str, Any]]) -> Table:
    measures = (
        ("ssim", "SSIM, translated"),
        ("ssim_inverted", "SSIM, inverted photo"),
        ("ssim_mean_fill", "SSIM, mean fill"),
        ("ssim_photo", "SSIM, photo"),
        ("psnr", "PSNR, translated (dB)"),
    )
    known = [(key, title) for key, title in measures if any(isinstance(one.get(key), int | float) for one in paired)]
    rows = [
        (label(name), count(len(mine)), *(figure(_mean(mine, key)) for key, _ in known))
        for name, mine in [*sorted(_by_class(paired).items()), ("all", paired)]
        if mine
    ]
    columns = (Column("Class", numeric=False), Column("Objects"), *(Column(title) for _, title in known))
    return Table("Against the true X-ray of the same object (means)", columns, tuple(rows))


def _dots(paired: list[Mapping[str, Any]]) -> dict[str, tuple[tuple[float, float], ...]]:
    both = [one for one in paired if isinstance(one.get("ssim"), int | float) and isinstance(one.get("ssim_inverted"), int | float)]
    return {
        name: tuple((float(one["ssim_inverted"]), float(one["ssim"])) for one in mine) for name, mine in sorted(_by_class(both).items())
    }


def _by_class(paired: list[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for one in paired:
        groups[str(one.get("class_name"))].append(one)
    return groups


def _mean(entries: list[Mapping[str, Any]], key: str) -> float | None:
    values = [entry[key] for entry in entries if isinstance(entry.get(key), int | float)]
    return float(np.mean(values)) if values else None
