"""Reading a run folder: what is not there reads as absent, what is broken is an error."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core.files import read_json
from threatray.core.image_file import read_pixels
from threatray.core.manifest import MANIFEST_NAME, RunManifest
from threatray.errors import DataError
from threatray.tip.library import INDEX_NAME, SignatureLibrary

STAGES: Final = ("phantom", "inspect", "split", "photos", "signatures", "train", "translate", "plan", "compose", "score", "uplift")
"""Stage folders in the order in which they are made."""


@dataclass(frozen=True)
class RunFolder:
    """A run's folder with one folder a stage.

    Raises:
        DataError: It is not a folder, or no stage has left anything in it.
    """

    path: Path

    def __post_init__(self) -> None:
        if not self.path.is_dir():
            raise DataError(f"report: {self.path} is not a folder. Give the folder that `threatray demo` or `threatray run` made.")
        if not any((self.path / stage).is_dir() for stage in STAGES):
            raise DataError(
                f"report: {self.path} holds no stage folder; expected at least one of {', '.join(STAGES)}. "
                "Give the folder that `threatray demo` or `threatray run` made."
            )

    def has(self, relative: str) -> bool:
        """Whether a file or folder is there."""
        return (self.path / relative).exists()

    def record(self, relative: str) -> dict[str, Any] | None:
        """A JSON object, or None where the file is absent.

        Raises:
            DataError: Not JSON, or not an object.
        """
        value = self.value(relative)
        if value is None or isinstance(value, dict):
            return value
        raise DataError(f"{self.path / relative}: expected a JSON object, got {type(value).__name__}. Run the stage again.")

    def records(self, relative: str, key: str = "") -> list[dict[str, Any]]:
        """A list of JSON objects, at the top or under ``key``; empty where the file is absent.

        Raises:
            DataError: Not JSON, or not a list of objects.
        """
        value = self.value(relative)
        if key and isinstance(value, dict):
            value = value.get(key, [])
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
            raise DataError(
                f"{self.path / relative}: expected a list of JSON objects{f' under {key!r}' if key else ''}. Run the stage again."
            )
        return value

    def lines(self, relative: str) -> list[dict[str, Any]]:
        """The objects of a JSON-lines file; empty where the file is absent. A last line without its end is left out.

        Raises:
            DataError: A whole line that is not a JSON object.
        """
        path = self.path / relative
        if not path.is_file():
            return []
        found: list[dict[str, Any]] = []
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(keepends=True), 1):
            try:
                value = json.loads(line)
            except json.JSONDecodeError as error:
                if not line.endswith("\n"):
                    break
                raise DataError(f"{path}, line {number}: not valid JSON ({error.msg}). Run the stage again.") from None
            if not isinstance(value, dict):
                raise DataError(f"{path}, line {number}: expected a JSON object, got {type(value).__name__}.")
            found.append(value)
        return found

    def value(self, relative: str) -> Any:
        """Any JSON value, or None where the file is absent."""
        path = self.path / relative
        return read_json(path) if path.is_file() else None

    @property
    def stages(self) -> tuple[str, ...]:
        """Finished stages in the order in which they are made, further ones (a control's composites) after them; not the report itself."""
        found = {path.parent.name for path in self.path.glob(f"*/{MANIFEST_NAME}")} - {"report"}
        return (*(stage for stage in STAGES if stage in found), *sorted(found - set(STAGES)))

    def manifest(self, stage: str) -> RunManifest | None:
        """A stage's manifest, or None where the stage did not finish."""
        folder = self.path / stage
        return RunManifest.read(folder) if (folder / MANIFEST_NAME).is_file() else None

    def pixels(self, relative: str) -> NDArray[np.uint8] | None:
        """A picture as (H, W, 3) uint8, or None where it is absent or cannot be decoded: a page shows what it can."""
        try:
            found = read_pixels(self.inside(relative))
        except DataError:
            return None
        if found.dtype == np.uint16:
            found = (found >> 8).astype(np.uint8)
        return np.ascontiguousarray(found if found.ndim == 3 else np.repeat(found[..., None], 3, axis=2))

    def library(self, relative: str) -> SignatureLibrary:
        """A signature library; an empty one where there is none.

        Raises:
            DataError: Its index is broken.
        """
        folder = self.path / relative
        return SignatureLibrary.open(folder) if (folder / INDEX_NAME).is_file() else SignatureLibrary(folder, ())

    def inside(self, relative: str) -> Path:
        """The path of a name that a JSON file gave.

        Raises:
            DataError: A name that leads out of the run folder.
        """
        path = (self.path / relative).resolve()
        if not path.is_relative_to(self.path.resolve()):
            raise DataError(f"{relative}: leads out of the run folder.")
        return path
