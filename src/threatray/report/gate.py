"""What the gate let through, what it turned away, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from threatray.report.crops import Crops
from threatray.report.folder import RunFolder
from threatray.report.pictures import Picture, colour_view, embed
from threatray.report.tables import Column, Table, count, evenly, figure, label, percent, percent_text, plural
from threatray.tip.library import SignatureLibrary

_MOST_REJECTED: Final = 24


@dataclass(frozen=True)
class Rejected:
    """A translation that the gate turned away, and why."""

    id: str
    class_name: str
    reason: str
    photo: Picture | None
    translated: Picture


@dataclass(frozen=True)
class Gate:
    """The section on the gate."""

    lead: str
    table: Table
    reasons: Table
    rejected: tuple[Rejected, ...]
    rejected_count: int


def build_gate(folder: RunFolder) -> Gate | None:
    """The section, or None where no verdicts were passed."""
    if not folder.has("translate/verdicts.json"):
        return None
    verdicts = sorted(folder.records("translate/verdicts.json", "verdicts"), key=lambda one: str(one.get("id")))
    kept, away = [one for one in verdicts if one.get("accepted")], [one for one in verdicts if not one.get("accepted")]
    why = Counter(_reason(one) for one in away)
    lead = f"The gate looked at {plural(len(verdicts), 'translation')}, kept {len(kept):,}"
    lead += f" ({percent_text(len(kept) / len(verdicts))}) and turned away {len(away):,}." if verdicts else "."
    rows = []
    for known in sorted({str(one.get("class_name")) for one in verdicts}):
        mine = [one for one in verdicts if str(one.get("class_name")) == known]
        good = [one for one in mine if one.get("accepted")]
        rows.append(
            (
                label(known),
                count(len(good)),
                count(len(mine) - len(good)),
                percent(len(good) / len(mine)),
                figure(_median(mine, "silhouette_iou")),
                figure(_median(mine, "class_probability")),
            )
        )
    columns = (
        Column("Class", numeric=False),
        Column("Kept"),
        Column("Turned away"),
        Column("Share kept"),
        Column("Silhouette IoU", hint="median over all translations of the class: overlap of the translated silhouette with the photo's"),
        Column(
            "Class probability", hint="median over all translations of the class: how sure a classifier of real signatures is of the class"
        ),
    )
    crops, library = Crops.read(folder), folder.library("translate/rejected")
    there = set(library.ids())
    shown = [one for one in away if str(one.get("id")) in there]
    return Gate(
        lead=lead,
        table=Table("Verdicts of the gate", columns, tuple(rows)),
        reasons=Table(
            "Why they were turned away",
            (Column("Reason", numeric=False), Column("Translations")),
            tuple((label(reason), count(number)) for reason, number in why.most_common()),
        ),
        rejected=tuple(_rejected(one, crops, library) for one in evenly(shown, _MOST_REJECTED)),
        rejected_count=len(away),
    )


def _rejected(verdict: Mapping[str, Any], crops: Crops, library: SignatureLibrary) -> Rejected:
    name, class_name = str(verdict.get("id")), str(verdict.get("class_name"))
    photo = crops.pixels(name)
    return Rejected(
        id=name,
        class_name=class_name,
        reason=_reason(verdict),
        photo=None if photo is None else embed(photo, f"Photo of {class_name} {name}"),
        translated=embed(colour_view(library.load(name).image), f"Rejected translation of {class_name} {name}"),
    )


def _reason(verdict: Mapping[str, Any]) -> str:
    return str(verdict.get("reason") or "no reason given").replace("_", " ")


def _median(entries: Sequence[Mapping[str, Any]], key: str) -> float | None:
    values = [entry[key] for entry in entries if isinstance(entry.get(key), int | float)]
    return float(np.median(values)) if values else None
