"""One file that holds everything a training is: kill it at any moment, resume, and nothing is different."""

from __future__ import annotations

import os
import pickle
import shutil
import sys
import zipfile
from pathlib import Path
from typing import Any, Final

import torch

from threatray.core.files import whole_file
from threatray.errors import DataError

CHECKPOINT_FORMAT: Final = 1
BEST: Final = "best.pt"


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a state of tensors and plain values, whole or not at all."""
    with whole_file(path) as temporary:
        torch.save(_canonical({"format": CHECKPOINT_FORMAT, **state}), temporary)


def _canonical(value: Any) -> Any:
    """The same value built afresh, so that equal states are equal files.

    A pickle writes an object that it meets twice as a reference to the first. Whether two equal words are one object differs between
    a state that was built here (literals are shared) and one that was read from a file, which would show in the bytes after a resume.
    """
    if isinstance(value, str):
        return sys.intern(str(value))
    if isinstance(value, dict):
        return {_canonical(key): _canonical(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_canonical(entry) for entry in value]
    if isinstance(value, tuple):
        return tuple([_canonical(entry) for entry in value])
    return value


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; runs no code from the file.

    Raises:
        DataError: Missing, cut off, not a checkpoint of ours, or of another format.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such checkpoint. Train first, or give the path of a checkpoint file.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError, EOFError, zipfile.BadZipFile, ValueError, KeyError) as error:
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: not a readable checkpoint ({line}). The file is broken or was made by something else.") from None
    if not isinstance(state, dict) or state.get("format") != CHECKPOINT_FORMAT:
        raise DataError(f"{path}: not a threatray checkpoint of format {CHECKPOINT_FORMAT}. Train again with this version.")
    return state


class KeptCheckpoints:
    """The last checkpoint, the one before it, and the best, side by side.

    The one before is the last but one of the regular saves: what a Ctrl-C saved in between is replaced, so that a training that was
    interrupted ends with the same files as one that was not.

    Args:
        path: The last checkpoint. The one before it is ``<stem>_previous.pt``, the best ``best.pt``.
        every: Steps between regular saves.
    """

    def __init__(self, path: Path, every: int) -> None:
        self.path, self._every = path, every
        self.previous, self.best = path.with_name(f"{path.stem}_previous{path.suffix}"), path.with_name(BEST)
        self.saved: int | None = None

    def load(self) -> dict[str, Any] | None:
        """The state to go on from; the one before where the last cannot be read; None where nothing was saved.

        Raises:
            DataError: Neither of them can be read.
        """
        state = None
        if self.path.is_file():
            try:
                state = load_checkpoint(self.path)
            except DataError:
                if not self.previous.is_file():
                    raise
                self.path.unlink()
        if state is None and self.previous.is_file():
            state = load_checkpoint(self.previous)
        self.saved = None if state is None else int(state["step"])
        return state

    def save(self, state: dict[str, Any]) -> None:
        """Save the last state; what was the last becomes the one before."""
        if self.path.is_file() and self.saved is not None and self.saved % self._every == 0:
            _copy(self.path, self.previous)
        save_checkpoint(self.path, state)
        self.saved = int(state["step"])

    def save_best(self, state: dict[str, Any]) -> None:
        """Save a state that is better than all before."""
        save_checkpoint(self.best, state)


def _copy(path: Path, to: Path) -> None:
    """A second name for the same bytes, or a copy where the disk knows no second names."""
    with whole_file(to) as temporary:
        temporary.unlink(missing_ok=True)
        try:
            os.link(path, temporary)
        except OSError:
            shutil.copyfile(path, temporary)
