"""A journal goes on where the checkpoint was, and its files do not tell how often it was broken off."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from threatray.core.image_file import write_png
from threatray.pipeline.training_journal import EVENTS, HISTORY, VALIDATION, TrainingJournal


@dataclass(frozen=True)
class Losses:
    cycle_a: float
    disc_a: float


class Told:
    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def scalars(self, step: int, values: Any) -> None:
        self.heard.append((step, dict(values)))

    def picture(self, step: int, name: str, path: Path) -> None:
        self.heard.append((step, name, path.name))

    def close(self, *, finished: bool) -> None:
        self.heard.append(("closed", finished))


def keep(journal: TrainingJournal, steps: range) -> None:
    for step in steps:
        journal.losses(step, Losses(1 / (step + 1), 0.1 * step))
        if step % 2 == 0:
            write_png(journal.picture_path(step), np.full((4, 4, 3), step, np.uint8))
            journal.picture(step)
            journal.examined(step, {"kid": 1.0 / (1 + step), "fid": 3.0})


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_what_was_written_after_the_checkpoint_is_written_again_to_the_same_bytes(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        folder.mkdir()
    undisturbed = TrainingJournal(whole, 0)
    keep(undisturbed, range(1, 9))
    undisturbed.finish()
    keep(TrainingJournal(broken, 0), range(1, 7))
    with (broken / HISTORY).open("a") as handle:
        handle.write('{"cycle_a": 0.1')  # the kill came here
    again = TrainingJournal(broken, 3)
    assert [json.loads(line)["step"] for line in (broken / HISTORY).read_text().splitlines()] == [1, 2, 3]
    assert [json.loads(line)["step"] for line in (broken / VALIDATION).read_text().splitlines()] == [2]
    assert not (broken / "samples" / "step_000006.png").exists()
    keep(again, range(4, 9))
    again.finish()
    assert contents(broken) == contents(whole)
    assert {HISTORY, VALIDATION, EVENTS, "samples/step_000008.png"} <= set(contents(whole))


def test_trackers_are_told_what_is_new_and_nothing_twice(tmp_path: Path) -> None:
    keep(TrainingJournal(tmp_path, 0), range(1, 4))
    told = Told()
    keep(TrainingJournal(tmp_path, 3, [told]), range(4, 5))
    assert told.heard == [
        (4, {"loss/cycle_a": 0.2, "loss/disc_a": 0.4}),
        (4, "samples", "step_000004.png"),
        (4, {"validation/fid": 3.0, "validation/kid": 0.2}),
    ]
