"""What a training writes beside its checkpoints: losses, examinations, sample grids, and TensorBoard's file of all three."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from threatray.core.files import whole_file
from threatray.pipeline.event_file import EventFile
from threatray.pipeline.stage import plain
from threatray.pipeline.trackers import Tracker

HISTORY: Final = "history.jsonl"
VALIDATION: Final = "validation.jsonl"
SAMPLES: Final = "samples"
EVENTS: Final = "tensorboard/events.out.tfevents.0.threatray"
OWN: Final = (HISTORY, VALIDATION, SAMPLES, "tensorboard")
"""All that a journal writes, files and folders."""


class TrainingJournal:
    """Goes on where a killed training's last checkpoint was: what was written after it is forgotten and will be written again.

    Args:
        folder: The training's folder.
        step: Of the checkpoint; 0 to begin.
        trackers: Also told, of what is new.
    """

    def __init__(self, folder: Path, step: int, trackers: Sequence[Tracker] = ()) -> None:
        self._folder, self._trackers = folder, trackers
        for name in (HISTORY, VALIDATION):
            if (folder / name).is_file():
                _forget_after(folder / name, step)
        for picture in (folder / SAMPLES).glob("*.png"):
            if _step_of(picture) > step:
                picture.unlink()
        self._events = _written_again(folder)

    def losses(self, step: int, losses: Any) -> None:
        """Note the losses of a step."""
        self._note(HISTORY, step, plain(losses), "loss")

    def examined(self, step: int, figures: Mapping[str, float]) -> None:
        """Note an examination."""
        self._note(VALIDATION, step, figures, "validation")

    def picture_path(self, step: int) -> Path:
        """Where the sample grid of a step belongs."""
        return self._folder / SAMPLES / f"step_{step:06d}.png"

    def picture(self, step: int) -> None:
        """Note that the grid of a step is drawn."""
        path = self.picture_path(step)
        self._events.picture(step, SAMPLES, path.read_bytes())
        for tracker in self._trackers:
            tracker.picture(step, SAMPLES, path)

    def finish(self) -> None:
        """Write TensorBoard's file in the order of the steps, whichever way the training came here."""
        self._events = _written_again(self._folder)

    def _note(self, name: str, step: int, figures: Mapping[str, float], tag: str) -> None:
        with (self._folder / name).open("a", encoding="utf-8") as handle:
            handle.write(json.dumps({"step": step, **figures}, sort_keys=True) + "\n")
        tagged = _tagged(tag, figures)
        self._events.scalars(step, tagged)
        for tracker in self._trackers:
            tracker.scalars(step, tagged)


def _tagged(tag: str, figures: Mapping[str, float]) -> dict[str, float]:
    return {f"{tag}/{key}": float(figures[key]) for key in sorted(figures)}


def _written_again(folder: Path) -> EventFile:
    events = EventFile(folder / EVENTS)
    found: list[tuple[int, int, Any]] = []
    for rank, (name, tag) in enumerate(((HISTORY, "loss"), (VALIDATION, "validation"))):
        for row in _rows(folder / name):
            step = row.pop("step")
            found.append((step, rank, _tagged(tag, row)))
    found += [(_step_of(path), 2, path) for path in (folder / SAMPLES).glob("*.png")]
    for step, _, what in sorted(found, key=lambda entry: entry[:2]):
        if isinstance(what, Path):
            events.picture(step, SAMPLES, what.read_bytes())
        else:
            events.scalars(step, what)
    return events


def _rows(path: Path) -> list[dict[str, Any]]:
    """The lines that are whole; a kill may have cut off the last."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return rows


def _forget_after(path: Path, step: int) -> None:
    kept = [json.dumps(row, sort_keys=True) + "\n" for row in _rows(path) if row["step"] <= step]
    with whole_file(path) as temporary:
        temporary.write_text("".join(kept), encoding="utf-8")


def _step_of(picture: Path) -> int:
    digits = re.search(r"(\d+)", picture.stem)
    return int(digits[1]) if digits else 0
