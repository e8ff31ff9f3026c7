"""Count what is in the datasets."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from threatray.core.files import write_json
from threatray.core.manifest import RunManifest, SetAside
from threatray.datasets.inspect import inspect_dataset
from threatray.pipeline.sources import Role, Sources, Taxonomy
from threatray.pipeline.stage import Outcome, Run, run_stage

INSPECT_FILE: Final = "inspect.json"


def inspect(taxonomy: Taxonomy, paths: Mapping[Role, Path], out: Path, run: Run, *, format_name: str | None = None) -> RunManifest:
    """Write ``inspect.json``: counts, sizes, duplicates and faults of every dataset given.

    Args:
        taxonomy: Classes and aliases.
        paths: Role -> dataset folder.
        out: Folder to make.
        run: How.
        format_name: The labelled dataset's format, if it shall not be detected.
    """

    def body(work: Path) -> Outcome:
        formats = {Role.LABELLED: format_name} if format_name else None
        sources = Sources.open(paths, taxonomy, strict=run.strict, formats=formats)
        written: dict[str, object] = {}
        summary: dict[str, object] = {}
        set_aside: list[SetAside] = []
        for role, dataset in sources.datasets.items():
            with run.progress.task(f"inspect {role.value}", "image") as update:
                inspection = inspect_dataset(dataset, read_pixels=True, progress=update)
            written[role.value] = inspection.as_json()
            summary[role.value] = {
                "format": dataset.format_name,
                "images": len(dataset.entries),
                "instances": ", ".join(f"{name} {count}" for name, count in inspection.instances_per_class.items()) or "none",
                "exact duplicates": len(inspection.exact_duplicates),
                "near-duplicate groups": len(inspection.near_duplicates),
            }
            set_aside.extend(SetAside(f"{role.value}: {entry.item}", entry.reason) for entry in dataset.set_aside)
        write_json(work / INSPECT_FILE, {"datasets": written})
        return Outcome(summary, tuple(set_aside))

    inputs = {role.value: path for role, path in paths.items()}
    return run_stage("inspect", {"taxonomy": taxonomy, "format": format_name}, inputs, out, run, body)
