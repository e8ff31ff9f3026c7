"""Write a dataset in another format."""

from __future__ import annotations

from pathlib import Path

from threatray.core.manifest import RunManifest
from threatray.datasets.convert import convert as convert_dataset
from threatray.datasets.formats.registry import read_dataset
from threatray.pipeline.stage import Outcome, Run, run_stage


def convert(dataset: Path, to: str, out: Path, run: Run, *, format_name: str | None = None) -> RunManifest:
    """Convert a dataset.

    Args:
        dataset: Folder or annotation file.
        to: The format to write.
        out: Folder to make.
        run: How.
        format_name: The dataset's own format, if it shall not be detected.
    """

    def body(work: Path) -> Outcome:
        source = read_dataset(dataset, format_name, strict=run.strict)
        convert_dataset(source, work, to)
        return Outcome({"from": source.format_name, "to": to, "images": len(source.entries)}, source.set_aside)

    return run_stage("convert", {"to": to, "format": format_name}, {"dataset": dataset}, out, run, body)
