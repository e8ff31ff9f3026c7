"""What every subcommand shares: options, and how it says that it is done."""

from __future__ import annotations

import json as json_format
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from threatray.core.manifest import RunManifest
from threatray.pipeline.progress import Progress
from threatray.pipeline.stage import Run
from threatray.pipeline.workers import available_cores

Flag = Annotated[bool, Parameter(negative="")]


@Parameter(name="*")
@dataclass(frozen=True)
class Common:
    """Options of every subcommand.

    Args:
        seed: Seed of everything that is drawn; the same seed, inputs and settings give the same files. 0, or the project's, if not given.
        workers: Processes to use; 0 means as many as there are cores. Never changes the result.
        redo: Replace a folder that was made with other settings instead of stopping.
        strict: A broken input file is an error instead of being set aside.
        json: Print one JSON object on stdout and nothing else there.
        quiet: No progress on stderr.
        debug: Show the traceback of a failure.
    """

    seed: int | None = None
    workers: int = 0
    redo: Flag = False
    strict: Flag = False
    json: Flag = False
    quiet: Flag = False
    debug: Flag = False

    def run(self, *, seed: int = 0) -> Run:
        """How stages are carried out under these options; ``seed`` counts where --seed was not given."""
        return Run(
            seed=seed if self.seed is None else self.seed,
            progress=Progress(quiet=self.quiet),
            workers=self.workers if self.workers > 0 else available_cores(),
            redo=self.redo,
            strict=self.strict,
        )

    def finish(self, out: Path, manifest: RunManifest) -> int:
        """Print what a stage did; the exit code."""
        self.print_result(
            {
                "stage": manifest.stage,
                "out": out.as_posix(),
                "summary": manifest.summary,
                "set_aside": [{"item": entry.item, "reason": entry.reason} for entry in manifest.set_aside],
            }
        )
        return 0

    def print_result(self, result: dict[str, Any]) -> None:
        """One JSON object, or the same for a person."""
        if self.json:
            print(json_format.dumps(result, ensure_ascii=False, sort_keys=True))  # noqa: T201
            return
        lines = [f"{result.get('stage', 'done')}: {result['out']}", *_table(result.get("summary", {}))]
        set_aside = result.get("set_aside", [])
        if set_aside:
            lines.append(f"  set aside: {len(set_aside)} (reasons in manifest.json), e.g. {set_aside[0]['item']}: {set_aside[0]['reason']}")
        print("\n".join(lines))  # noqa: T201


def _table(summary: Any, indent: str = "  ") -> list[str]:
    lines = []
    for key, value in summary.items():
        if isinstance(value, dict) and any(isinstance(item, dict) for item in value.values()):
            lines.append(f"{indent}{key}:")
            lines.extend(_table(value, indent + "  "))
        elif isinstance(value, dict):
            lines.append(f"{indent}{key}: " + ", ".join(f"{name} {_number(item)}" for name, item in value.items()))
        elif isinstance(value, list | tuple) and value and all(isinstance(item, str) for item in value):
            lines.extend([f"{indent}{key}:", *(f"{indent}  {item}" for item in value)])
        else:
            lines.append(f"{indent}{key}: {_number(value)}")
    return lines


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
