"""How close the synthetic signatures are to real ones, in stated features, with intervals."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from threatray.report.folder import RunFolder
from threatray.report.paired import OURS, Paired, mean_of, value_of
from threatray.report.pictures import Picture, colour_view, embed
from threatray.report.plots import Estimate
from threatray.report.tables import Cell, Column, Table, count, figure, figure_text, label


@dataclass(frozen=True)
class Nearest:
    """A translation and the training signature nearest to it."""

    id: str
    words: str
    translated: Picture
    training: Picture


@dataclass(frozen=True)
class Fidelity:
    """The section on fidelity.

    Args:
        lead: The section in a sentence.
        scores: One row a score, with its interval, extractor and number of items.
        sets: One row a way of making signatures and features: KID, FID, precision and its like.
        alone: One row a figure of the translations by themselves.
        arms: KID by arm, closest first; for the plot.
        features: The features that the arms' KID was measured in; empty where not stated.
        paired: SSIM and PSNR, one row a class: likeness to the true X-ray of the same object, of the translations and of each control.
        control: The best control by SSIM, which the dots compare with; empty without pairs.
        dots: Class -> (that control's SSIM, translation's SSIM) of each object.
        nearest: The translations nearest to a training signature, beside it: whether they are copies is for the eye to say.
        notes: What the scoring had to say.
    """

    lead: str
    scores: Table
    sets: Table
    alone: Table
    arms: tuple[Estimate, ...]
    features: str
    paired: tuple[Table, ...]
    control: str
    dots: Mapping[str, tuple[tuple[float, float], ...]]
    nearest: tuple[Nearest, ...]
    notes: tuple[str, ...]


def build_fidelity(folder: RunFolder) -> Fidelity | None:
    """The section, or None where nothing was scored."""
    found = folder.record("score/score.json")
    if found is None:
        return None
    scores = [one for one in found.get("scores") or [] if isinstance(one, Mapping)]
    arms, features = _arms(found.get("kid_by_arm"))
    paired = Paired.read(folder)
    control = paired.best_control("ssim") or ""
    return Fidelity(
        lead=_lead(arms, paired, len(scores)),
        scores=Table("Every score", _SCORE_COLUMNS, tuple(_score_row(one) for one in scores)),
        sets=_sets(scores),
        alone=Table(
            "The translations by themselves",
            _SCORE_COLUMNS,
            tuple(
                _score_row(one) for one in scores if not _OF_SETS.match(str(one.get("name"))) and not _PAIRED.match(str(one.get("name")))
            ),
        ),
        arms=arms,
        features=features,
        paired=(_paired_table(paired, "ssim", ""), _paired_table(paired, "psnr", " (dB)")),
        control=control,
        dots=_dots(paired, control),
        nearest=_nearest(folder, found.get("memorisation")),
        notes=tuple(str(note) for note in found.get("notes") or []),
    )


def _nearest(folder: RunFolder, entries: Any) -> tuple[Nearest, ...]:
    known = folder.library("signatures")
    made = [folder.library(f"translate/{kind}") for kind in ("accepted", "rejected")]
    there, found = set(known.ids()), []
    for entry in entries if isinstance(entries, list) else ():
        name, other = str(entry.get("id")), str(entry.get("nearest"))
        library = next((one for one in made if name in set(one.ids())), None)
        if library is None or other not in there:
            continue
        mine, theirs = library.load(name), known.load(other)
        found.append(
            Nearest(
                name,
                f"{mine.class_name} {name}, nearest {theirs.class_name} {other}; distance {figure_text(float(entry.get('distance', 0.0)))}",
                embed(colour_view(mine.image), f"Translation {name} of class {mine.class_name}"),
                embed(colour_view(theirs.image), f"Training signature {other} of class {theirs.class_name}"),
            )
        )
    return tuple(found)


_OF_SETS: Final = re.compile(r"(KID|FID|precision|recall|density|coverage)\((.+), ([^,]+)\)$")
_PAIRED: Final = re.compile(r"(SSIM|PSNR)[ (]")
_MEASURES: Final = ("KID", "FID", "precision", "recall", "density", "coverage")


def _sets(scores: Sequence[Mapping[str, Any]]) -> Table:
    """The figures of pairs of sets, side by side."""
    rows: dict[tuple[str, str], dict[str, Cell]] = {}
    against = ""
    for one in scores:
        if found := _OF_SETS.match(str(one.get("name"))):
            measure, arm, against = found.groups()
            row = rows.setdefault((str(one.get("extractor")), arm), {})
            row[measure] = figure(one.get("value"), one.get("low"), one.get("high"))
    extractors = tuple(dict.fromkeys(extractor for extractor, _ in rows))  # the domain encoder's first, as they were written
    several = len(extractors) > 1
    of_features = (Column("Features", numeric=False, hint="figures in different features cannot be compared"),) if several else ()
    columns = (
        Column("Made by", numeric=False),
        *(Column(name, hint=f"{'lower' if name in ('KID', 'FID') else 'higher'} is closer") for name in _MEASURES),
        *of_features,
    )
    cells = tuple(
        (label(arm), *(row.get(measure, label(None)) for measure in _MEASURES), *([label(extractor)] if several else []))
        for name in extractors
        for (extractor, arm), row in rows.items()
        if extractor == name
    )
    where = "" if several or not extractors else f", in the features {extractors[0]}"
    return Table(f"Each way of making signatures against {against}, with 95 % intervals{where}", columns, cells)


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
    """KID by arm, lowest first, and the features if they are the same for all."""
    found, features = [], set()
    for arm, score in value.items() if isinstance(value, Mapping) else ():
        if isinstance(score, Mapping) and isinstance(score.get("value"), int | float):
            found.append(Estimate(str(arm), float(score["value"]), score.get("low"), score.get("high")))
            features.add(str(score.get("extractor") or ""))
    return tuple(sorted(found, key=lambda one: (one.value, one.name))), features.pop() if len(features) == 1 else ""


def _lead(arms: Sequence[Estimate], paired: Paired, scores: int) -> str:
    parts = []
    ours = next((arm for arm in arms if arm.name == OURS), None)
    controls = [arm for arm in arms if not arm.name.startswith(OURS)]
    if ours and controls:
        best = min(controls, key=lambda arm: arm.value)
        verdict = "closer to X-rays than every control" if ours.value < best.value else f"not closer to X-rays than “{best.name}”"
        overlap = "; their intervals overlap" if _overlap(ours, best) else ""
        figures = f"{figure_text(ours.value)} against {figure_text(best.value)} for “{best.name}”; lower is closer{overlap}"
        parts.append(f"by KID translations are {verdict} ({figures})")
    control = paired.best_control("ssim")
    mine, theirs = mean_of(paired.rows, "ssim", OURS), mean_of(paired.rows, "ssim", control or "")
    if mine is not None and theirs is not None:
        verdict = "more like the true X-ray of the same object than every control" if mine > theirs else f"not more so than “{control}”"
        parts.append(f"by SSIM they are {verdict} ({figure_text(mine)} against {figure_text(theirs)} for “{control}”; higher is closer)")
    if parts:
        sentence = "; ".join(parts)
        return f"{sentence[0].upper()}{sentence[1:]}."
    return f"How close synthetic signatures are to real ones, by {scores} measures, each in stated features."


def _overlap(one: Estimate, other: Estimate) -> bool:
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return False
    return one.low <= other.high and other.low <= one.high


def _paired_table(paired: Paired, measure: str, unit: str) -> Table:
    arms = paired.arms(measure)
    rows = tuple(
        (label(name), count(len(mine)), *(figure(mean_of(mine, measure, arm)) for arm in arms))
        for name, mine in [*paired.by_class().items(), ("all", paired.rows)]
        if mine and arms
    )
    columns = (Column("Class", numeric=False), Column("Objects"), *(Column(arm) for arm in arms))
    return Table(f"{measure.upper()}{unit} to the true X-ray of the same object, means", columns, rows)


def _dots(paired: Paired, control: str) -> dict[str, tuple[tuple[float, float], ...]]:
    found = {
        name: tuple(
            (theirs, mine)
            for row in rows
            if (theirs := value_of(row, "ssim", control)) is not None and (mine := value_of(row, "ssim", OURS)) is not None
        )
        for name, rows in paired.by_class().items()
    }
    return {name: dots for name, dots in found.items() if dots}
