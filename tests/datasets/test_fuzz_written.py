"""Every format that is written, damaged at random and read again: right, or a clear error, and nothing outside the folder."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from threatray.core import Annotations, Provenance
from threatray.core.image_file import write_png
from threatray.datasets.convert import convert
from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.formats import FORMATS, read_dataset
from threatray.datasets.formats.format import Format
from threatray.errors import ThreatrayError

WRITERS = [one for one in FORMATS if one.write is not None]
HOSTILE = [
    b"../../etc/passwd", b"/etc/passwd", b"NaN", b"-1e999", b"9" * 400, b"\xff\xfe", b"\x00", b"\\ud800", b"null", b"[]", b"{}", b'"',
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;", b"[[[[[[[[", b"</annotation>", b"\n\n", b"-", b"1e308", b"true", "총".encode(), b"0", b"",
]  # fmt: skip
PICTURES = (".png", ".jpg")


def small(folder: Path) -> Dataset:
    entries = []
    for number, name in enumerate(("bag 1", "가방", "c")):
        path = folder / "in" / f"{number}.png"
        write_png(path, np.full((37, 31), number, np.uint8))
        boxes = np.array([[1, 2, 9, 9], [2, 3, 20, 30]][:number], np.float32).reshape(-1, 4)
        runs = {"size": [37, 31], "counts": [40, 5, 37 * 31 - 45]}
        entry = Entry(
            id=name,
            image_path=path,
            width=31,
            height=37,
            things=Annotations(boxes, ("gun", "총기")[:number]),
            segmentations=(runs,) * number,
            group="case",
            provenance=Provenance("us", "CC0"),
            part="train",
        )
        entries.append(entry)
    return Dataset(folder / "in", "made", ("gun", "총기"), tuple(entries))


def damaged(content: bytes, dice: random.Random) -> bytes:
    """Some bytes changed, cut out, repeated, or replaced by something hostile; numbers and names are the likeliest place."""
    for _ in range(dice.randint(1, 3)):
        start = dice.randrange(len(content) + 1)
        end = min(len(content), start + dice.choice([0, 1, 1, 2, 5, 40]))
        middle = dice.choice([*HOSTILE, bytes([dice.randrange(256)]), content[start:end] * 2])
        content = content[:start] + middle + content[end:]
    return content[: dice.randrange(len(content) + 1)] if dice.random() < 0.05 else content


def fuzz(target: Format, folder: Path, rounds: int, seed: int) -> int:
    out = folder / "out"
    convert(small(folder), out, target.name)
    files = sorted(path for path in out.rglob("*") if path.is_file() and path.suffix not in PICTURES)
    sound = {path: path.read_bytes() for path in files}
    dice = random.Random(seed)
    read = 0
    for _ in range(rounds if files else 0):
        path = dice.choice(files)
        path.write_bytes(damaged(sound[path], dice))
        try:
            dataset = read_dataset(out, target.name, headers=dice.random() < 0.5)
        except ThreatrayError as error:
            assert "\n" not in str(error).rstrip() or "Looked for" in str(error) or len(str(error)) < 2000
        else:
            read += 1
            for entry in dataset.entries:
                assert entry.id.isprintable() and "/" not in entry.id and not entry.id.startswith(".")
                assert all(one.resolve().is_relative_to(folder.resolve()) or target.name in UNPACKS for one in entry.paths)
                assert np.isfinite(entry.boxes).all() and (entry.boxes >= 0).all()
                assert (entry.boxes <= [entry.width, entry.height] * 2).all()
                entry.annotations()
            json.dumps([(one.item, one.reason) for one in dataset.set_aside], ensure_ascii=False).encode("utf-8")
        path.write_bytes(sound[path])
    return read


UNPACKS = ("webdataset", "hugging_face_parquet")
"""Formats whose pictures lie in archives: they are unpacked to a temporary folder."""


@pytest.mark.parametrize("target", WRITERS, ids=lambda one: one.name)
def test_damage_gives_a_clear_error_or_a_sound_dataset(tmp_path: Path, target: Format) -> None:
    fuzz(target, tmp_path, 150, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("target", WRITERS, ids=lambda one: one.name)
def test_much_damage_gives_a_clear_error_or_a_sound_dataset(tmp_path: Path, target: Format) -> None:
    fuzz(target, tmp_path, 5000, seed=2)
