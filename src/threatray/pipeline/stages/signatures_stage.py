"""Isolate every threat of the training scans as a signature, and note how large and where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from threatray.core import Quantity, SetAside
from threatray.core.files import read_json, write_json
from threatray.core.manifest import RunManifest
from threatray.errors import ConfigError, DataError, ThreatrayError
from threatray.pipeline.sources import Located, PartName, Role, Sources, Taxonomy, clipping_summary, read_parts
from threatray.pipeline.stage import Outcome, Run, run_stage
from threatray.pipeline.views import TransmissionView
from threatray.pipeline.workers import run_jobs
from threatray.tip.bag import bag_mask
from threatray.tip.isolate import IsolateConfig, isolate
from threatray.tip.library import LibraryEntry, write_index, write_signature
from threatray.tip.placement import relative_length, relative_position
from threatray.tip.refusal import Refused

REFUSED: Final = "refused.json"
PLACES: Final = "places.json"
_ALONE: Final = 0.9
"""A threat as long as what it lies in was scanned alone: that says nothing of its place and size in bags."""
_DARKEST_LEVELS: Final = 4
"""A count below so many levels is noise."""


@dataclass(frozen=True)
class SignaturesConfig:
    """How signatures are taken out of labelled scans.

    Args:
        min_quality: Signatures below this quality are refused.
        isolate: How one is isolated.
    """

    min_quality: float = 0.3
    isolate: IsolateConfig = field(default_factory=IsolateConfig)

    def __post_init__(self) -> None:
        if not 0 <= self.min_quality <= 1:
            raise ConfigError(f"signatures: min_quality must lie in [0, 1], got {self.min_quality}.")


@dataclass(frozen=True)
class _Shared:
    config: SignaturesConfig
    sources: Sources
    quantity: Quantity
    folder: Path


def signatures(config: SignaturesConfig, taxonomy: Taxonomy, paths: Mapping[Role, Path], split: Path, out: Path, run: Run) -> RunManifest:
    """Write a signature library of the training scans' threats, ``refused.json`` and ``places.json``.

    Raises:
        DataError: No signature could be isolated for a class of the split.
    """

    def body(work: Path) -> Outcome:
        sources = Sources.open(paths, taxonomy, strict=run.strict)
        threats = read_parts(split, sources)[PartName.TRAIN].threats
        shared = _Shared(config, sources, sources.quantity, work)
        with run.progress.task("signatures", "scan") as update:
            found = run_jobs(_isolate_all, shared, threats, workers=run.workers, update=update, ledger=work / ".scans.ledger")
        entries = [LibraryEntry.from_json(entry, "ledger") for each in found for entry in each["entries"]]
        refused = [entry for each in found for entry in each["refused"]]
        write_index(work, entries)
        write_json(work / REFUSED, refused)
        write_json(work / PLACES, [entry for each in found for entry in each["places"]])
        counts = {name: sum(entry.class_name == name for entry in entries) for name in sources.classes()}
        for name, count in counts.items():
            wanted = sum(name in sources.labels_of(located.entry) for located in threats)
            if count == 0 and wanted > 0:
                reasons = ", ".join(sorted({entry["reason"].split(":")[0] for entry in refused}))
                raise DataError(
                    f"signatures: of {wanted} scans with {name!r} none gave a signature ({reasons}). "
                    "Lower [signatures] min_quality, give masks, or leave the class out."
                )
        summary = {"signatures": counts, "refused": len(refused), **clipping_summary(each["clipped"] for each in found)}
        return Outcome(summary, tuple(SetAside(**entry) for entry in refused))

    inputs = {"split": split, **{role.value: path for role, path in paths.items()}}
    return run_stage("signatures", {"signatures": config, "taxonomy": taxonomy}, inputs, out, run, body)


def _isolate_all(shared: _Shared, located: Located) -> dict[str, Any]:
    """Every threat of one scan."""
    try:
        loaded = shared.sources.read(located, shared.quantity)
        view = TransmissionView.of(loaded.sample)
    except ThreatrayError as error:
        return {"entries": [], "places": [], "clipped": {}, "refused": [{"item": located.key, "reason": str(error)}]}
    sample, bag = view.sample, bag_mask(view.sample.image)
    entries, refused, places = [], [], []
    limits = shared.config.isolate
    if loaded.reading is not None:
        limits = replace(limits, darkest=min(limits.darkest, _DARKEST_LEVELS / max(loaded.reading.white_levels)))
    for index, label in enumerate(sample.annotations.labels):
        x0, y0, x1, y1 = (float(edge) for edge in sample.annotations.boxes[index])
        box = (x0, y0, x1, y1)
        length = relative_length(bag, box) if bag.any() else _ALONE
        if length < _ALONE:
            places.append({"class_name": label, "relative_length": length, "position": list(relative_position(bag, box))})
        found = isolate(sample, index, limits)
        if isinstance(found, Refused):
            refused.append({"item": f"{located.key}-{index} ({label})", "reason": str(found)})
        elif found.quality < shared.config.min_quality:
            reason = f"quality {found.quality:.2f}, at least {shared.config.min_quality} is wanted"
            refused.append({"item": f"{located.key}-{index} ({label})", "reason": reason})
        else:
            entry = write_signature(shared.folder, found.signature, {"quality": found.quality, "contrast": found.contrast})
            entries.append(json.loads(json.dumps(entry.as_json())))
    return {"entries": entries, "refused": refused, "places": places, "clipped": loaded.clipped}


def read_places(folder: Path) -> tuple[dict[str, list[float]], dict[str, list[tuple[float, float]]]]:
    """Relative lengths and positions of the real threats, by class."""
    lengths: dict[str, list[float]] = {}
    positions: dict[str, list[tuple[float, float]]] = {}
    for entry in read_json(folder / PLACES):
        lengths.setdefault(entry["class_name"], []).append(float(entry["relative_length"]))
        positions.setdefault(entry["class_name"], []).append((float(entry["position"][0]), float(entry["position"][1])))
    return lengths, positions
