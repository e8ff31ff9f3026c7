"""TensorBoard's event file, written here: scalars and pictures need two messages of its format, not its forty megabytes."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_POLYNOMIAL: Final = 0x82F63B78
_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5


class EventFile:
    """Appends events to a file that TensorBoard reads while it grows.

    Equal events give equal bytes: the clock time that TensorBoard wants beside each is the step, as seconds. On its axis *relative* a
    step is therefore a second; the axis *step* is the one to read.

    Args:
        path: The file; its name must contain ``tfevents``. It is begun anew.

    Source:
        TFRecord framing and the messages ``Event`` and ``Summary`` of TensorFlow's ``event.proto`` and ``summary.proto``.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        path.write_bytes(_record(_event(0, _field(3, _BYTES, b"brain.Event:2"))))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers of a step, by tag."""
        parts = [_field(1, _BYTES, _field(1, _BYTES, tag.encode()) + _field(2, _FLOAT, struct.pack("<f", values[tag]))) for tag in values]
        self._append(_event(step, _field(5, _BYTES, b"".join(parts))))

    def picture(self, step: int, tag: str, png: bytes) -> None:
        """A PNG of a step."""
        width, height = struct.unpack(">II", png[16:24])
        image = (
            _field(1, _VARINT, _varint(height))
            + _field(2, _VARINT, _varint(width))
            + _field(3, _VARINT, _varint(3))  # RGB
            + _field(4, _BYTES, png)
        )
        self._append(_event(step, _field(5, _BYTES, _field(1, _BYTES, _field(1, _BYTES, tag.encode()) + _field(4, _BYTES, image)))))

    def _append(self, event: bytes) -> None:
        with self._path.open("ab") as handle:
            handle.write(_record(event))


def _event(step: int, content: bytes) -> bytes:
    return _field(1, _DOUBLE, struct.pack("<d", float(step))) + _field(2, _VARINT, _varint(step)) + content


def _field(number: int, kind: int, value: bytes) -> bytes:
    head = _varint(number << 3 | kind)
    return head + (_varint(len(value)) if kind == _BYTES else b"") + value


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + struct.pack("<I", _masked(length)) + data + struct.pack("<I", _masked(data))


def _table() -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        rows.append(value)
    return tuple(rows)


_TABLE: Final = _table()


def _masked(data: bytes) -> int:
    """CRC-32C, rotated and shifted as TFRecord wants it."""
    value = 0xFFFFFFFF
    for byte in data:
        value = value >> 8 ^ _TABLE[(value ^ byte) & 0xFF]
    value ^= 0xFFFFFFFF
    return ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF
