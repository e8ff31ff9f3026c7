"""Write a dataset in another format."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from threatray.core.manifest import RunManifest
from threatray.datasets.convert import Converted, writable
from threatray.datasets.convert import convert as convert_dataset
from threatray.datasets.formats.registry import read_dataset
from threatray.errors import ConfigError, DataError
from threatray.pipeline.stage import Outcome, Run, run_stage


def convert(dataset: Path, to: str, out: Path, run: Run, *, format_name: str | None = None) -> RunManifest:
    """Convert a dataset.

    Args:
        dataset: Folder or annotation file.
        to: The format to write.
        out: Folder to make.
        run: How.
        format_name: The dataset's own format, if it shall not be detected.

    Raises:
        ConfigError: ``to`` cannot be written, or ``out`` lies inside the dataset.
        DataError: Nothing to read or to write; with ``run.strict`` also an image that the format cannot hold.
    """
    if to not in writable():
        raise ConfigError(f"--to: expected one of {', '.join(writable())}, got {to!r}.")
    if dataset.is_dir() and out.resolve().is_relative_to(dataset.resolve()):
        raise ConfigError(f"--out {out}: lies inside the dataset {dataset}, which would change it. Choose another folder.")

    def body(work: Path) -> Outcome:
        _clear(work)
        source = read_dataset(dataset, format_name, strict=run.strict)
        with run.progress.task("convert", "image") as update:
            done = convert_dataset(source, work, to, progress=update)
        if run.strict and done.set_aside:
            _clear(work)
            first = done.set_aside[0]
            raise DataError(f"{dataset}, {first.item}: {first.reason}. Run without --strict to set it aside.")
        return Outcome(_summary(source.format_name, to, done, source.notes), (*source.set_aside, *done.set_aside))

    return run_stage("convert", {"to": to, "format": format_name}, {"dataset": dataset}, out, run, body)


def _summary(found: str, to: str, done: Converted, notes: tuple[str, ...]) -> dict[str, Any]:
    summary: dict[str, Any] = {"from": found, "to": to, "images": done.images}
    if done.lost:
        summary["no_place_for"] = {one.what.value: {"things": one.things, "images": one.images} for one in done.lost}
    if done.boxes_rounded:
        summary["boxes"] = "kept within half a pixel"
    if notes:
        summary["notes"] = list(notes)
    return summary


def _clear(work: Path) -> None:
    """Take away what an earlier, killed run left: copying again is quicker than checking every copy."""
    for path in work.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif not path.name.startswith("."):
            path.unlink()
