"""Bytes that only ever grow: the newest in memory, the others in a file without a name that vanishes with its owner."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from threatray.errors import StorageError

_BLOCK: Final = 1 << 18


class Spool:
    """Appends bytes and gives any of them back; memory holds one block, however many there are.

    Args:
        folder: Where the file goes; None for the system's temporary folder.
        block: Bytes up to which they are kept in memory, so that small sets make no file at all; None for a quarter of a megabyte.

    Example:
        >>> spool = Spool(block=4)
        >>> spool.append(b"gun"); spool.append(b"knife")
        >>> len(spool), spool.read(2, 5), list(spool.blocks(4))
        (8, b'nkn', [b'gunk', b'nife'])
    """

    def __init__(self, folder: Path | None = None, block: int | None = None) -> None:
        self._folder = folder
        self._block = block or _BLOCK
        self._new = bytearray()
        self._stored = 0
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        return self._stored + len(self._new)

    def append(self, data: bytes) -> None:
        """Put bytes at the end.

        Raises:
            StorageError: The disk refused.
        """
        self._new += data
        if len(self._new) >= self._block:
            self._store()

    def read(self, start: int, end: int) -> bytes:
        """The bytes from one place up to another, as a slice."""
        end = min(end, len(self))
        if self._file is None or start >= self._stored:
            return bytes(self._new[start - self._stored : max(end - self._stored, 0)])
        found = os.pread(self._file.fileno(), min(end, self._stored) - start, start)
        return found + bytes(self._new[: end - self._stored]) if end > self._stored else found

    def blocks(self, size: int) -> Iterator[bytes]:
        """All of it, in pieces that are whole multiples of ``size`` (the last as it comes)."""
        step = max(self._block // size, 1) * size
        for start in range(0, len(self), step):
            yield self.read(start, start + step)

    def _store(self) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115
                weakref.finalize(self, self._file.close)
            view, done = memoryview(self._new), 0
            while done < len(view):
                done += os.pwrite(self._file.fileno(), view[done:], self._stored + done)
            view.release()
        except OSError as error:
            raise StorageError(
                f"What is counted cannot be kept in a temporary file: {error.strerror}. Free some space, or set TMPDIR to another folder."
            ) from None
        self._stored += len(self._new)
        self._new = bytearray()
