"""Where synthesis stops paying: the whole way again for each number of real threats, and several synthetic multiples in each."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from threatray.core.files import read_json, write_json, write_text
from threatray.errors import ConfigError
from threatray.pipeline.project import Project
from threatray.pipeline.sources import SPLIT_FILE, PartName
from threatray.pipeline.stage import Run
from threatray.pipeline.stages.compose_stage import compose
from threatray.pipeline.stages.photos_stage import photos
from threatray.pipeline.stages.plan_stage import plan
from threatray.pipeline.stages.signatures_stage import signatures
from threatray.pipeline.stages.split_stage import split
from threatray.pipeline.stages.train_stage import train
from threatray.pipeline.stages.translate_stage import ACCEPTED, translate
from threatray.pipeline.stages.uplift_stage import RESULTS, uplift
from threatray.uplift.arms import BASELINE, Arm, Pool, proportional_arm

SWEEP_FILE: Final = "sweep.json"
TRANSFORMATION: Final = "transformation"


@dataclass(frozen=True)
class SweepConfig:
    """The grid.

    Args:
        real_counts: Real threats of each class to train on; 0 is all there are. The translator too sees only these.
        multiples: Synthetic threats as a multiple of the real ones.
        transformed: Whether the synthetic arm is transformed too; it is then compared with the transformed real arm as well.

    Raises:
        ConfigError: An empty or negative grid.

    Example:
        >>> SweepConfig(multiples=(1.0,)).arm(1.0).shares[Pool.TRANSLATED]
        0.35
    """

    real_counts: tuple[int, ...] = (10, 30, 100, 0)
    multiples: tuple[float, ...] = (1.0, 4.0)
    transformed: bool = True

    def __post_init__(self) -> None:
        if not self.real_counts or min(self.real_counts) < 0 or len(set(self.real_counts)) < len(self.real_counts):
            raise ConfigError(f"sweep: real_counts must be different numbers, 0 for all, got {self.real_counts}.")
        if not self.multiples or min(self.multiples) <= 0 or len(set(self.multiples)) < len(self.multiples):
            raise ConfigError(f"sweep: multiples must be different numbers above 0, got {self.multiples}.")

    def arm(self, multiple: float) -> Arm:
        """The synthetic arm of a multiple: real and synthetic pictures are shown in the proportion in which they are there."""
        return proportional_arm(multiple, transformed=self.transformed)


@dataclass(frozen=True)
class Swept:
    """What a sweep found.

    Args:
        file: ``sweep.json``.
        rows: One for each cell and measure, as in the file.
        text: The table for people.
    """

    file: Path
    rows: tuple[Mapping[str, Any], ...]
    text: str


def run_sweep(project: Project, config: SweepConfig, out: Path, run: Run) -> Swept:
    """Run every cell into ``out/real-<count>/`` and write ``sweep.json`` and ``sweep.txt``.

    For each number of real threats everything is done anew: signatures, translator, gate, plan, composites. So a cell shows what
    someone would have got who had collected no more. Photos are the same in all. Every arm has the same optimisation budget.

    Args:
        project: The project; its plan's ``multiple``, the split's ``most_train_threats`` and the uplift's arms are the sweep's.
        config: The grid.
        out: Folder to make.
        run: How. Finished stages are not done again.
    """
    data, taxonomy, datasets = project.data, project.data.meaning, project.data.datasets
    out.mkdir(parents=True, exist_ok=True)
    crops = out / "photos"
    photos(project.photos, taxonomy, data.photos, crops, run, masks=data.photo_masks)
    rows: list[dict[str, Any]] = []
    for count in config.real_counts:
        cell = out / f"real-{count or 'all'}"
        parts, isolated, trained, translated = (cell / name for name in ("split", "signatures", "train", "translate"))
        split(replace(project.split, most_train_threats=count), taxonomy, datasets, parts, run)
        signatures(project.signatures, taxonomy, datasets, parts, isolated, run)
        train(project.train, crops, isolated, trained, run)
        translate(project.translate, crops, isolated, trained, translated, run)
        base = replace(project.uplift, arms=(BASELINE, TRANSFORMATION) if config.transformed else (BASELINE,))
        uplift(base, taxonomy, datasets, parts, {}, cell / "uplift", run)
        files = [cell / "uplift" / RESULTS]
        for multiple in config.multiples:
            suffix, arm = f"x{multiple:g}", config.arm(multiple)
            wanted = replace(project.plan, multiple=multiple, total=None, targets={})
            planned, composed, judged = (cell / f"{name}-{suffix}" for name in ("plan", "compose", "uplift"))
            plan(wanted, taxonomy, datasets, parts, isolated, translated / ACCEPTED, planned, run)
            compose(project.compose, taxonomy, datasets, planned, isolated, translated / ACCEPTED, composed, run, project.output)
            alone = replace(base, arms=(arm.name,), own_arms=(arm,))
            uplift(alone, taxonomy, datasets, parts, {Pool.TRANSLATED: composed}, judged, run)
            files.append(judged / RESULTS)
        rows += _rows(count, _threats(parts), files)
    text = sweep_table(rows)
    write_json(out / SWEEP_FILE, {"real_counts": list(config.real_counts), "multiples": list(config.multiples), "rows": rows})
    write_text(out / "sweep.txt", text + "\n")
    return Swept(out / SWEEP_FILE, tuple(rows), text)


def _threats(parts: Path) -> int:
    return len(read_json(parts / SPLIT_FILE)["parts"][PartName.TRAIN.value]["threats"])


def _rows(count: int, scans: int, files: list[Path]) -> list[dict[str, Any]]:
    """Each synthetic arm of one number of real threats against the real arms of the same number."""
    from threatray.uplift.results import JobResult
    from threatray.uplift.summary import summarise

    results = [JobResult.from_json(json.loads(line)) for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    names = list(dict.fromkeys(result.arm.name for result in results))
    bases = [name for name in (BASELINE, TRANSFORMATION) if name in names]
    found = summarise(results, compare=[(name, base) for name in names if name not in bases for base in bases])
    rows = []
    for one in found.differences:
        row = {"real_count": count, "training_scans": scans, "arm": one.arm, "against": one.baseline, "measure": one.measure}
        figures = {
            "there": found.figure(one.baseline, one.measure).mean,
            "value": one.value,
            "low": one.low,
            "high": one.high,
            "p": one.p,
            "seeds": len(one.per_seed),
            "verdict": one.verdict,
        }
        rows.append(row | {key: None if isinstance(value, float) and value != value else value for key, value in figures.items()})
    return rows


def sweep_table(rows: list[dict[str, Any]]) -> str:
    """The headline measures of a sweep, a line a cell, in points.

    Example:
        >>> row = {"real_count": 10, "training_scans": 20, "arm": "synthesis_x1", "against": "real_only", "measure": "ap50",
        ...        "there": 0.2, "value": 0.05, "low": -0.01, "high": 0.11, "p": 0.1, "seeds": 5, "verdict": "no effect shown"}
        >>> print(sweep_table([row]))
        measure  real  scans  arm           against    there  change  interval       verdict
        ap50       10     20  synthesis_x1  real_only   20.0    +5.0  [-1.0, +11.0]  no effect shown
    """
    shown = [row for row in rows if not any(word in row["measure"] for word in ("/", "benign", "ece"))]
    lines = [("measure", "real", "scans", "arm", "against", "there", "change", "interval", "verdict")]
    for row in sorted(shown, key=lambda one: one["measure"]):
        interval = "unknown" if row["low"] is None else f"[{100 * row['low']:+.1f}, {100 * row['high']:+.1f}]"
        there, change = ("?" if row[key] is None else format(100 * row[key], form) for key, form in (("there", ".1f"), ("value", "+.1f")))
        lines.append(
            (
                row["measure"],
                str(row["real_count"] or "all"),
                str(row["training_scans"]),
                row["arm"],
                row["against"],
                there,
                change,
                interval,
                row["verdict"],
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    right = {1, 2, 5, 6}
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place in right else cell.ljust(width) for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
