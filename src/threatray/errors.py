"""What can go wrong, and the exit code each kind of failure has on the command line."""

from __future__ import annotations

from typing import ClassVar


class ThreatrayError(Exception):
    """Any failure that threatray foresees; the message says what, where, expected, got and what to do."""

    exit_code: ClassVar[int] = 1


class ConfigError(ThreatrayError):
    """The command line, a project file or a parameter is wrong."""

    exit_code: ClassVar[int] = 2


class DataError(ThreatrayError):
    """A file or folder that the user gave holds something that cannot be right."""

    exit_code: ClassVar[int] = 3


class CheckFailed(ThreatrayError):  # noqa: N818  (a verdict, not a fault)
    """A gate or check that the user asked for did not pass."""

    exit_code: ClassVar[int] = 4


class StorageError(ThreatrayError):
    """The machine could not hold the result: disk full, no permission, folder vanished."""

    exit_code: ClassVar[int] = 1
