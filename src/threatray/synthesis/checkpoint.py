"""One file that holds everything a training is: kill it at any moment, resume, and nothing is different."""

from __future__ import annotations

import pickle
import sys
import zipfile
from pathlib import Path
from typing import Any, Final

import torch

from threatray.core.files import whole_file
from threatray.errors import DataError

CHECKPOINT_FORMAT: Final = 1


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
