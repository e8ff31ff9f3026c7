"""How a whole run says that it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from threatray.cli.common import Common
from threatray.pipeline.whole_way import Finished


def finish_whole_way(finished: Finished, common: Common) -> int:
    """Print the summary table, the verdicts and where the report is; the exit code."""
    summaries = {made.stage: dict(made.summary) for made in finished.stages}
    if common.json:
        common.print_result({"stage": "report", "out": finished.report.as_posix(), "summary": summaries})
        return 0
    set_aside = {made.stage: len(made.set_aside) for made in finished.stages}
    lines = [f"{'stage':<11} what came out", "-" * 72]
    for stage, summary in summaries.items():
        text = _TEXTS[stage](summary) if stage in _TEXTS else ""
        if text:
            aside = f"; {set_aside[stage]} set aside" if set_aside[stage] else ""
            lines.append(f"{stage:<11} {text}{aside}")
    lines += ["", *(f"* {sentence}" for sentence in finished.verdicts[:_VERDICTS_SHOWN]), "", f"Report: {finished.report}"]
    print("\n".join(lines))  # noqa: T201
    return 0


_VERDICTS_SHOWN: Final = 4


def _counts(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _split(summary: Mapping[str, Any]) -> str:
    return "; ".join(f"{part}: {kinds['threats']} with threats, {kinds['benign']} benign" for part, kinds in summary["parts"].items())


def _score(summary: Mapping[str, Any]) -> str:
    figures = [f"{name} = {value:.3f}" for name, value in summary["figures"].items() if "gain" not in name]
    return f"against {summary['against']}" + "".join(f"\n{'':<12}{figure}" for figure in figures)


_TEXTS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "phantom": lambda summary: f"{sum(summary['pictures'].values())} pictures by the embedded scanner and camera",
    "inspect": lambda summary: "; ".join(f"{role}: {found['images']} images" for role, found in summary.items()),
    "split": _split,
    "photos": lambda summary: f"crops: {_counts(summary['crops'])}",
    "signatures": lambda summary: f"isolated: {_counts(summary['signatures'])}",
    "train": lambda summary: (
        f"{summary['steps']} steps, preset {summary['preset']}, on {summary['photos']} photos and {summary['signatures']} signatures"
    ),
    "translate": lambda summary: f"accepted by the gate: {_counts(summary['accepted'])}; verdicts: {_counts(summary['verdicts'])}",
    "plan": lambda summary: f"before: {_counts(summary['before'])}; after: {_counts(summary['after'])}",
    "compose": lambda summary: f"{summary['composites']} composites: {_counts(summary['threats'])}",
    "score": _score,
    "uplift": lambda summary: f"{len(summary['arms'])} arms, {summary['seeds']} paired seeds",
}
