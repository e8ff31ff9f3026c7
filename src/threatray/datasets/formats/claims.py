"""Who took a name first: in memory for the first names, on disk for a million; and the temporary databases that readers use."""

from __future__ import annotations

import sqlite3
from typing import Final

from threatray.errors import StorageError

MOST_IN_MEMORY: Final = 50_000
"""Names up to which no database is opened."""

_CACHE_KILOBYTES: Final = 16_000


def temporary_database() -> sqlite3.Connection:
    """A database without a name: SQLite keeps it on disk where temporary files go, and removes it itself."""
    base = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    for setting in ("journal_mode=OFF", "synchronous=OFF", "temp_store=FILE", f"cache_size=-{_CACHE_KILOBYTES}"):
        base.execute(f"PRAGMA {setting}")
    base.execute("BEGIN")
    return base


def no_room(error: sqlite3.OperationalError) -> StorageError:
    """What to say where such a database cannot grow."""
    return StorageError(
        f"The temporary database for a large dataset cannot be kept: {error}. Free some space, or set SQLITE_TMPDIR to another folder."
    )


class Claims:
    """A register of names; memory does not grow beyond the first ``MOST_IN_MEMORY``.

    Example:
        >>> claims = Claims()
        >>> claims.owner("scan-1", 7), claims.owner("scan-1", 8)
        ((7, True), (7, False))
    """

    def __init__(self) -> None:
        self._taken: dict[str, int] = {}
        self._base: sqlite3.Connection | None = None

    def owner(self, name: str, claimant: int) -> tuple[int, bool]:
        """The claimant that has the name now, and whether it is new.

        Raises:
            StorageError: No room for the temporary database.
        """
        if self._base is None:
            before = len(self._taken)
            found = self._taken.setdefault(name, claimant)
            new = len(self._taken) > before
            if new and before >= MOST_IN_MEMORY:
                self._move()
            return found, new
        try:
            stored = _stored(name)
            if self._base.execute("INSERT OR IGNORE INTO taken VALUES (?, ?)", (stored, claimant)).rowcount == 1:
                return claimant, True
            (known,) = self._base.execute("SELECT claimant FROM taken WHERE name = ?", (stored,)).fetchone()
        except sqlite3.OperationalError as error:
            raise no_room(error) from None
        return known, False

    def _move(self) -> None:
        try:
            self._base = temporary_database()
            self._base.execute("CREATE TABLE taken (name BLOB PRIMARY KEY, claimant INTEGER) WITHOUT ROWID")
            self._base.executemany("INSERT INTO taken VALUES (?, ?)", sorted((_stored(name), who) for name, who in self._taken.items()))
        except sqlite3.OperationalError as error:
            raise no_room(error) from None
        self._taken = {}


def _stored(name: str) -> bytes:
    """Halves of characters too, which SQLite would refuse as text."""
    return name.encode("utf-8", "surrogatepass")
