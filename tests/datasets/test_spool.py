"""Bytes that are kept on disk come back as they were put in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.datasets.spool import Spool
from threatray.errors import StorageError


@settings(deadline=None, max_examples=100)
@given(
    pieces=st.lists(st.binary(max_size=9), max_size=12),
    block=st.integers(1, 20),
    start=st.integers(0, 60),
    length=st.integers(0, 60),
    size=st.integers(1, 7),
)
def test_it_is_one_long_text_however_much_is_on_disk(pieces: list[bytes], block: int, start: int, length: int, size: int) -> None:
    spool, whole = Spool(block=block), b"".join(pieces)
    for piece in pieces:
        spool.append(piece)
    assert len(spool) == len(whole)
    assert spool.read(start, start + length) == whole[start : start + length]
    blocks = list(spool.blocks(size))
    assert b"".join(blocks) == whole
    assert all(len(one) % size == 0 for one in blocks[:-1])


def test_no_file_is_seen_and_memory_holds_one_block(tmp_path: Path) -> None:
    spool = Spool(tmp_path, block=1000)
    for number in range(5000):
        spool.append(b"%04d" % number)
    assert list(tmp_path.iterdir()) == []
    assert len(spool._new) < 1000
    assert spool.read(4 * 4321, 4 * 4322) == b"4321"


def test_a_refusing_disk_is_a_storage_error(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "gone", block=2)
    with pytest.raises(StorageError, match=r"temporary file: No such file or directory\. Free some space, or set TMPDIR"):
        spool.append(b"abc")
