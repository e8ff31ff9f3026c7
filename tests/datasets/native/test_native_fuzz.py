"""Damaged copies of every native layout: right, set aside, or a clear error; never another exception."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from dataset_fuzz import copy_of, damage
from native_miniatures import MINIATURES, OTHER_LAYOUTS

from threatray.datasets.formats.format import ReadOptions
from threatray.datasets.formats.published import PUBLISHED_FORMATS
from threatray.errors import ThreatrayError

FORMATS = {each.name: each for each in PUBLISHED_FORMATS}
LAYOUTS = {**MINIATURES, **OTHER_LAYOUTS}


def _try(sound: Path, scratch: Path, name: str, seed: int) -> None:
    rng = random.Random(f"{name} {seed}")
    root = copy_of(sound, scratch)
    done = [damage(root, rng) for _ in range(rng.choice((1, 1, 1, 2, 5)))]
    options = ReadOptions(strict=rng.random() < 0.1, headers=rng.random() < 0.7, mislabelled=frozenset({"N0000001", "N00001_OL"}))
    try:
        for each in PUBLISHED_FORMATS:
            each.detect(root)
        dataset = FORMATS[name.split(":")[0]].read(root, options).collect()
    except ThreatrayError:
        return
    except Exception as error:
        raise AssertionError(f"{name}, seed {seed}: {done} gave {type(error).__name__}: {error}") from error
    ids = [entry.id for entry in dataset.entries]
    assert len(set(ids)) == len(ids), (name, seed, done)
    for entry in dataset.entries:
        boxes = entry.boxes
        assert (boxes[:, :2] >= 0).all() and (boxes[:, 2] <= entry.width).all() and (boxes[:, 3] <= entry.height).all(), (name, seed, done)
        assert all(path.resolve().is_relative_to(root.resolve()) for path in entry.paths), (name, seed, done)
    "".join((*dataset.notes, *(one.item + one.reason for one in dataset.set_aside))).encode()  # every message can be written


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_a_damaged_copy_is_read_or_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "sound").mkdir()
    LAYOUTS[name](tmp_path / "sound")
    for seed in range(40):
        _try(tmp_path / "sound", tmp_path / "damaged", name, seed)
