"""What a stage was asked, what it read and what it wrote: enough to repeat it and to tell whether it was repeated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from threatray.core.files import read_json, sha256_of_text, write_json
from threatray.errors import DataError

MANIFEST_NAME: Final = "manifest.json"
MANIFEST_FORMAT: Final = 1


@dataclass(frozen=True)
class SetAside:
    """A broken item that was left out, and why."""

    item: str
    reason: str


@dataclass(frozen=True)
class RunManifest:
    """The record of one finished stage; holds no clock time, so that repeating a stage gives the same bytes.

    Args:
        stage: The stage's name.
        config: Its settings, JSON-able.
        seed: The run's seed.
        inputs: Name of each input -> sha256 of its content.
        versions: Package -> version.
        outputs: Relative path -> sha256 of every file the stage wrote.
        summary: The stage's own counts, JSON-able.
        set_aside: What was left out, and why.
    """

    stage: str
    config: Mapping[str, Any]
    seed: int
    inputs: Mapping[str, str]
    versions: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    set_aside: tuple[SetAside, ...] = ()

    @property
    def key(self) -> str:
        """Identity of the work: equal keys must give equal outputs."""
        asked = {"stage": self.stage, "config": self.config, "seed": self.seed, "inputs": self.inputs}
        return sha256_of_text(json.dumps(asked, sort_keys=True))

    def write(self, folder: Path) -> None:
        """Write ``manifest.json`` into the folder."""
        write_json(folder / MANIFEST_NAME, {"format": MANIFEST_FORMAT, **asdict(self)})

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a folder's ``manifest.json``.

        Raises:
            DataError: Missing, broken, or written by a later version.
        """
        path = folder / MANIFEST_NAME
        value = read_json(path)
        if not isinstance(value, dict) or value.get("format") != MANIFEST_FORMAT:
            raise DataError(f"{path}: expected a threatray manifest of format {MANIFEST_FORMAT}. Make the folder again with this version.")
        try:
            fields = {name: value[name] for name in cls.__dataclass_fields__}
            fields["set_aside"] = tuple(SetAside(**entry) for entry in fields["set_aside"])
        except (KeyError, TypeError) as error:
            raise DataError(f"{path}: not a whole manifest ({error}). Remove the folder and run again.") from None
        return cls(**fields)
