"""TensorBoard's file: its own reader gets back what was written, and equal events are equal bytes."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from threatray.core.image_file import write_png
from threatray.pipeline import event_file
from threatray.pipeline.event_file import EventFile


def written(path: Path) -> EventFile:
    events = EventFile(path)
    events.scalars(5, {"loss/a": 0.25, "loss/b": -3.5})
    events.scalars(300, {"loss/a": 0.125})
    write_png(path.parent / "grid.png", np.full((6, 9, 3), 77, np.uint8))
    events.picture(300, "samples", (path.parent / "grid.png").read_bytes())
    return events


def test_the_checksum_is_crc_32c() -> None:
    value = (event_file._masked(b"123456789") - 0xA282EAD8) & 0xFFFFFFFF
    assert (value << 15 | value >> 17) & 0xFFFFFFFF == 0xE3069283  # the check value in the catalogue of CRCs


def test_records_are_framed_and_equal_events_are_equal_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    for name in ("a", "b"):
        written(tmp_path / name / "events.tfevents")
    data = (tmp_path / "a" / "events.tfevents").read_bytes()
    assert data == (tmp_path / "b" / "events.tfevents").read_bytes()
    count, place = 0, 0
    while place < len(data):
        (length,) = struct.unpack("<Q", data[place : place + 8])
        place += 8 + 4 + length + 4
        count += 1
    assert (count, place) == (4, len(data))


@pytest.mark.parametrize(("value", "expected"), [(0, b"\x00"), (127, b"\x7f"), (300, b"\xac\x02")])
def test_numbers_are_varints(value: int, expected: bytes) -> None:
    assert event_file._varint(value) == expected


@pytest.mark.reference
def test_tensorboard_reads_it(tmp_path: Path) -> None:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    written(tmp_path / "events.out.tfevents.0.test")
    found = reader.EventAccumulator(str(tmp_path), size_guidance={"tensors": 0, "images": 0, "scalars": 0})
    found.Reload()
    assert sorted(found.Tags()["scalars"]) == ["loss/a", "loss/b"]
    assert [(one.step, one.value, one.wall_time) for one in found.Scalars("loss/a")] == [(5, 0.25, 5.0), (300, 0.125, 300.0)]
    (picture,) = found.Images("samples")
    assert (picture.step, picture.width, picture.height) == (300, 9, 6)
    assert picture.encoded_image_string == (tmp_path / "grid.png").read_bytes()
