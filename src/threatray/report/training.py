"""How the translator was trained: settings, losses, and what it drew on the way."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from threatray.report.folder import RunFolder
from threatray.report.pictures import Picture, embed
from threatray.report.tables import Column, Table, evenly, figure, label, listed, plural

_TITLES: Final = {"cyclegan": "A CycleGAN", "cut": "A CUT", "fastcut": "A FastCUT"}
_MOST_POINTS: Final = 120
_MOST_GRIDS: Final = 3
_GRID_LONGEST: Final = 900


@dataclass(frozen=True)
class Losses:
    """A family of losses: line name -> (steps, means over equal blocks of steps)."""

    title: str
    lines: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]]


@dataclass(frozen=True)
class Training:
    """The section on training; the health table has no rows where a training left none."""

    lead: str
    validation: tuple[Losses, ...]
    validation_note: str
    health: Table
    health_lead: str
    ill: bool
    losses: tuple[Losses, ...]
    block: int
    last: Table
    grids: tuple[tuple[str, Picture], ...]
    settings: Table


def build_training(folder: RunFolder) -> Training | None:
    """The section, or None where nothing was trained."""
    settings, history = folder.record("train/train.json"), folder.lines("train/history.jsonl")
    examined = folder.lines("train/validation.jsonl")
    findings = folder.records("train/health.json", "findings")
    ill = [one for one in findings if one.get("verdict") == "ill"]
    if settings is None and not history:
        return None
    settings = settings or {}
    steps = settings.get("steps", history[-1].get("step") if history else None)
    size, batch = settings.get("image_size"), settings.get("batch_size")
    kind = str(settings.get("translator", "cyclegan"))
    lead = f"{_TITLES.get(kind, f'The translator {kind}')} was trained on unpaired photo crops and real signatures"
    lead += f" for {plural(steps, 'step')}" if isinstance(steps, int) else ""
    lead += f" of {plural(int(batch), 'pair')}" if isinstance(batch, int) else ""
    lead += f" at {size}×{size} pixels" if isinstance(size, int) else ""
    names = sorted(
        {key for one in history for key in one if key != "step" and isinstance(one[key], int | float) and not isinstance(one[key], bool)}
    )
    block = max(1, -(-len(history) // _MOST_POINTS))
    last = history[-1] if history else {}
    return Training(
        lead=f"{lead}.",
        validation=_examinations(examined),
        validation_note=_validation_note(settings.get("validation")),
        health=_health(findings),
        health_lead=_health_lead(findings, ill),
        ill=bool(ill),
        losses=_families(history, names, block),
        block=block,
        last=Table(
            f"Losses at the last recorded step ({last.get('step', '?')})",
            (Column("Loss", numeric=False), Column("Value")),
            tuple((label(name.replace("_", " ")), figure(last.get(name))) for name in names),
        ),
        grids=_grids(folder),
        settings=Table(
            "Training settings",
            (Column("Setting", numeric=False), Column("Value", numeric=False)),
            tuple(
                (label(key.replace("_", " ")), label(_plain(value)))
                for key, value in sorted(settings.items())
                if key != "images_per_second"
            ),
        ),
    )


_EXAMINED: Final = (
    ("kid", "KID on held-back objects"),
    ("fid", "FID on held-back objects"),
    ("silhouette_iou", "Silhouette IoU"),
    ("ssim", "SSIM to the true X-ray"),
)


def _examinations(rows: Sequence[Mapping[str, Any]]) -> tuple[Losses, ...]:
    """One plot a figure, every examination a point."""
    found = []
    for key, title in _EXAMINED:
        line = _blocks(rows, key, 1)
        if line:
            found.append(Losses(title, {key.replace("_", " "): line}))
    return tuple(found)


def _validation_note(facts: Any) -> str:
    """What was held back and which state was chosen, in a sentence or two."""
    if not isinstance(facts, Mapping):
        return ""
    words = f"Measured on {plural(int(facts.get('photos', 0)), 'photo')} and {plural(int(facts.get('signatures', 0)), 'signature')}"
    words += f" that were held back; the state of step {int(facts.get('best_step', 0)):,}, with the lowest KID, is the one that translates."
    words += " It was stopped early for lack of progress." if facts.get("stopped_early") else ""
    return f"{words} KID and FID are in the features “{facts.get('features', '?')}”: compare them within this training only."


def _health_lead(findings: Sequence[Mapping[str, Any]], ill: Sequence[Mapping[str, Any]]) -> str:
    if not findings:
        return ""
    if not ill:
        return f"None of {plural(len(findings), 'disease')} was found."
    names = listed(str(one.get("disease", "?")).replace("_", " ") for one in ill)
    return f"Found: {names}. {' '.join(str(one.get('advice', '')) for one in ill)}"


def _health(findings: Sequence[Mapping[str, Any]]) -> Table:
    columns = (
        Column("Looked for", numeric=False),
        Column("Verdict", numeric=False),
        Column("Figure"),
        Column("Ill if", numeric=False, hint="the limit, and which side of it is ill"),
        Column("What the figure is", numeric=False),
    )
    rows = []
    for one in findings:
        side = "over" if one.get("higher_is_worse") else "under"
        rows.append(
            (
                label(str(one.get("disease", "?")).replace("_", " ").capitalize()),
                label(one.get("verdict")),
                figure(one.get("figure")),
                label(f"{side} {one['limit']:g}" if isinstance(one.get("limit"), int | float) else None),
                label(one.get("what")),
            )
        )
    return Table("Health of the translator", columns, tuple(rows))


def _families(history: Sequence[Mapping[str, Any]], names: Sequence[str], block: int) -> tuple[Losses, ...]:
    """Losses that differ only in the direction (``cycle_a``, ``cycle_b``) share a plot; weights of the total stay out of it."""
    families: dict[str, list[str]] = {}
    for name in names:
        families.setdefault(re.sub(r"(_(a|b|ab|ba))+$", "", name), []).append(name)
    found = []
    for family, members in sorted(families.items()):
        lines = {name.replace("_", " "): line for name in members if (line := _blocks(history, name, block))}
        if lines:
            found.append(Losses(family.replace("_", " "), lines))
    return tuple(found)


def _blocks(history: Sequence[Mapping[str, Any]], name: str, block: int) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Means over blocks of entries; what is not finite or not there leaves a gap in no mean."""
    xs, ys = [], []
    for start in range(0, len(history), block):
        known = [one for one in history[start : start + block] if isinstance(one.get(name), int | float) and np.isfinite(one[name])]
        if known:
            xs.append(float(known[-1].get("step", start + len(known))))
            ys.append(float(np.mean([one[name] for one in known])))
    return (tuple(xs), tuple(ys)) if ys else None


def _grids(folder: RunFolder) -> tuple[tuple[str, Picture], ...]:
    files = sorted(path.name for path in (folder.path / "train" / "samples").glob("*.png"))
    found = []
    for name in evenly(files, _MOST_GRIDS):
        pixels = folder.pixels(f"train/samples/{name}")
        digits = re.search(r"(\d+)", name)
        title = f"Step {int(digits[1]):,}" if digits else name
        if pixels is not None:
            found.append((title, embed(pixels, f"Sample grid, {title.lower()}", longest=_GRID_LONGEST, quality=82)))
    return tuple(found)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_plain(inner)}" for key, inner in sorted(value.items()))
    if isinstance(value, list | tuple):
        return ", ".join(_plain(inner) for inner in value)
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "not set"}[value]
    return f"{value:,}" if isinstance(value, int) else str(value)
