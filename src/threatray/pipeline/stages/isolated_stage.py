"""Signatures from threats that were scanned alone: a folder of scans in, a signature library out."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from threatray.core import TRANSMISSION_FLOOR, Provenance, Quantity, SetAside
from threatray.core.files import write_json
from threatray.core.manifest import RunManifest
from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.formats.registry import read_dataset
from threatray.errors import ConfigError, DataError, ThreatrayError
from threatray.pipeline.sources import Taxonomy
from threatray.pipeline.stage import Outcome, Run, run_stage
from threatray.pipeline.stages.signatures_stage import DARKEST_LEVELS, PLACES, REFUSED, SignaturesConfig
from threatray.pipeline.views import TransmissionView
from threatray.pipeline.workers import run_jobs
from threatray.tip.air import against_air, air_transmission
from threatray.tip.isolate import isolate_in_air
from threatray.tip.library import LibraryEntry, write_index, write_signature
from threatray.tip.refusal import Refused


@dataclass(frozen=True)
class IsolatedConfig:
    """Where threats that were scanned alone come from.

    Args:
        class_name: Their class; if not given, each subfolder is a class.
        white_level: Count of empty air in dual-energy pairs; None takes it from each scan's own air.
        source: Where the scans come from, for the provenance.
        licence: Under which terms.
    """

    class_name: str | None = None
    white_level: int | None = None
    source: str = "unknown"
    licence: str = "unknown"

    def __post_init__(self) -> None:
        if self.white_level is not None and not 1 <= self.white_level <= 65535:
            raise ConfigError(f"isolated: white_level must lie in [1, 65535], got {self.white_level}.")


@dataclass(frozen=True)
class _Item:
    class_name: str
    entry: Entry


@dataclass(frozen=True)
class _Shared:
    config: SignaturesConfig
    isolated: IsolatedConfig
    datasets: dict[str, Dataset]
    folder: Path
    clashing: frozenset[str] = field(default_factory=frozenset)


def isolated_signatures(
    config: SignaturesConfig, isolated: IsolatedConfig, taxonomy: Taxonomy, folder: Path, out: Path, run: Run
) -> RunManifest:
    """Write a signature library of threats that lie alone in air.

    Args:
        config: Limits.
        isolated: Their class, white level and provenance.
        taxonomy: Which class folders count, and what they are called.
        folder: Scans of one class, or a folder for each class: colour or grey pictures, or pairs ``*_low`` and ``*_high``.
        out: Folder to make.
        run: How.

    Raises:
        DataError: No signature at all; no class folder.
    """

    def body(work: Path) -> Outcome:
        datasets = _datasets(isolated, taxonomy, folder, run)
        items = [_Item(name, entry) for name, dataset in datasets.items() for entry in dataset.entries]
        names = Counter(item.entry.id for item in items)
        shared = _Shared(config, isolated, datasets, work, frozenset(name for name, count in names.items() if count > 1))
        with run.progress.task("signatures", "scan") as update:
            found = run_jobs(_isolate_one, shared, items, workers=run.workers, update=update, ledger=work / ".scans.ledger")
        aside = [{"item": f"{name}/{each.item}", "reason": each.reason} for name, dataset in datasets.items() for each in dataset.set_aside]
        refused = [*aside, *(each["refused"] for each in found if "refused" in each)]
        entries = [LibraryEntry.from_json(each["entry"], "ledger") for each in found if "entry" in each]
        if run.strict and refused:
            raise DataError(f"signatures: {refused[0]['item']}: {refused[0]['reason']}.")
        if not entries:
            first = f"{refused[0]['item']}: {refused[0]['reason']}"
            raise DataError(f"signatures: none of the {len(items)} scans of {folder} gave a signature, e.g. {first}.")
        write_index(work, entries)
        write_json(work / REFUSED, refused)
        write_json(work / PLACES, [])  # alone in air: nothing is known of where such things lie in bags
        counts = {name: sum(entry.class_name == name for entry in entries) for name in datasets}
        return Outcome({"signatures": counts, "refused": len(refused)}, tuple(SetAside(**each) for each in refused))

    settings = {"signatures": config, "isolated": isolated, "taxonomy": taxonomy}
    return run_stage("signatures", settings, {"isolated": folder}, out, run, body)


def _datasets(isolated: IsolatedConfig, taxonomy: Taxonomy, folder: Path, run: Run) -> dict[str, Dataset]:
    if isolated.class_name is not None:
        name = taxonomy.name_of(isolated.class_name)
        if name is None:
            raise ConfigError(f"signatures: the class {isolated.class_name!r} is not among the classes {list(taxonomy.classes)}.")
        return {name: read_dataset(folder, "image_folder", strict=run.strict, white_level=isolated.white_level)}
    found: dict[str, Dataset] = {}
    for below in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        name = taxonomy.name_of(below.name)
        if name is not None:
            if name in found:
                raise ConfigError(
                    f"signatures: the folders {found[name].root.name} and {below.name} of {folder} are both of class {name!r}. Join them."
                )
            found[name] = read_dataset(below, "image_folder", strict=run.strict, white_level=isolated.white_level)
    if not found:
        raise DataError(f"signatures: {folder} holds no class folder. Give --class if its scans are all of one class.")
    return found


def _isolate_one(shared: _Shared, item: _Item) -> dict[str, Any]:
    key = f"{item.class_name}/{item.entry.id}"
    dataset, limits = shared.datasets[item.class_name], shared.config.isolate
    name = f"{item.class_name}-{item.entry.id}" if item.entry.id in shared.clashing else item.entry.id
    try:
        if item.entry.has_dual_energy:
            image = dataset.load_dual_energy(item.entry).image
            image = against_air(image, air_transmission(image))
            limits = replace(limits, darkest=min(limits.darkest, DARKEST_LEVELS / 65535))
        else:
            stored = dataset.load_colour(item.entry)
            if len(stored.image.channels) == 1:  # grey is a transmission by itself
                image = replace(
                    stored.image, quantity=Quantity.TRANSMISSION, values=np.maximum(stored.image.values, np.float32(TRANSMISSION_FLOOR))
                )
                image = against_air(image, air_transmission(image))
            else:
                image = TransmissionView.of(stored).sample.image
        provenance = Provenance(shared.isolated.source, shared.isolated.licence)
        found = isolate_in_air(image, name, item.class_name, item.entry.group, limits, provenance)
    except ThreatrayError as error:
        return {"refused": {"item": key, "reason": str(error)}}
    if isinstance(found, Refused):
        return {"refused": {"item": key, "reason": str(found)}}
    if found.quality < shared.config.min_quality:
        return {"refused": {"item": key, "reason": f"quality {found.quality:.2f}, at least {shared.config.min_quality} is wanted"}}
    entry = write_signature(shared.folder, found.signature, {"quality": found.quality, "contrast": found.contrast})
    return {"entry": json.loads(json.dumps(entry.as_json()))}
