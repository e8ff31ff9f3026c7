"""Detectors that an earlier ``threatray uplift`` trained, taken over where everything that made them is the same."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from threatray.core.files import sha256_of_file
from threatray.core.manifest import RunManifest
from threatray.errors import ConfigError, DataError
from threatray.pipeline.stage import differences
from threatray.uplift.arms import Arm, Pool

_FREE: Final = ("arms", "seeds", "own_arms", "probe_shortcuts")
"""Settings of an experiment that say nothing about any one detector."""


def earlier_detectors(
    folders: Sequence[Path], asked: RunManifest, arms: Mapping[str, Arm], results: str
) -> dict[tuple[str, int], dict[str, Any]]:
    """(arm, seed) -> the line of its result, from finished experiments with the same data, split, classes, seed and detector.

    More seeds, or more arms, then cost what they cost and no more. A detector counts as the same only if its arm is defined the same
    and every pool of composites that it was shown has the same content; others are left to be trained. Where two folders hold the
    same one, the first counts; their lines are equal if both were made by the same versions on the same kind of machine.

    Args:
        folders: Folders of ``threatray uplift``.
        asked: What is to be made: the new experiment's settings, seed and inputs.
        arms: Name -> arm of the new experiment.
        results: Name of the results file in each folder.

    Raises:
        ConfigError: A folder is of another stage, or of other settings or data; the differences are listed.
        DataError: A folder has no manifest, or its results are not those that its manifest tells of.
    """
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for folder in folders:
        made = RunManifest.read(folder)
        if made.stage != asked.stage:
            raise ConfigError(
                f"{asked.stage}: {folder} was made by {made.stage!r}, not by {asked.stage!r}. Give folders of {asked.stage!r}."
            )
        if changes := differences(_common(made), _common(asked)):
            lines = "\n".join(f"  {line}" for line in changes)
            raise ConfigError(f"{asked.stage}: the detectors of {folder} were made otherwise:\n{lines}\nLeave that folder out.")
        path = folder / results
        if not path.is_file() or sha256_of_file(path) != made.outputs.get(results):
            raise DataError(f"{path}: is not the file that its manifest tells of. Make the folder again, or leave it out.")
        for text in path.read_text(encoding="utf-8").splitlines():
            line = json.loads(text)
            arm = arms.get(line["arm"]["name"])
            if arm is None or line["arm"] != json.loads(json.dumps(arm.as_json())):
                continue
            if all(made.inputs.get(pool.value) == asked.inputs.get(pool.value) for pool in arm.shares):
                found.setdefault((arm.name, line["seed"]), line)
    return found


def _common(manifest: RunManifest) -> dict[str, Any]:
    """What every detector of an experiment shares, in the form that `differences` takes."""
    pools = {pool.value for pool in Pool} - {"benign"}  # composites count arm by arm; benign bags are one of the datasets
    settings = {name: value for name, value in manifest.config["uplift"].items() if name not in _FREE}
    return {
        "stage": manifest.stage,
        "config": {**manifest.config, "uplift": settings},
        "seed": manifest.seed,
        "inputs": {name: value for name, value in manifest.inputs.items() if name not in pools and not name.startswith("earlier")},
    }
