"""Scans and benign bags into training, validation and test; no group is cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from threatray.core.files import write_json
from threatray.core.manifest import RunManifest, SetAside
from threatray.datasets.few import few_threats
from threatray.datasets.split import split_by_group
from threatray.errors import ConfigError, DataError
from threatray.pipeline.sources import SPLIT_FILE, PartName, Role, Sources, Taxonomy
from threatray.pipeline.stage import Outcome, Run, run_stage


@dataclass(frozen=True)
class SplitConfig:
    """How scans are divided where no validation or test set is given.

    Args:
        validation_share: Share of the scans (by group) kept to choose operating points on.
        test_share: Share kept untouched to the end.
        near_duplicates: Put images that look nearly the same into one group.
        most_train_threats: Train on no more than this many threats of each class, as if no more had been collected; 0 for all. Subsets
            of one seed are nested. Scans left over are in no part.
        block_size: Put neighbouring numbered groups into one, e.g. 10 for SIXray, where a bag scanned again gets the next number.
    """

    validation_share: float = 0.15
    test_share: float = 0.3
    near_duplicates: bool = True
    block_size: int = 1
    most_train_threats: int = 0

    def __post_init__(self) -> None:
        if not (0 < self.validation_share < 1 and 0 < self.test_share < 1 and self.validation_share + self.test_share < 1):
            raise ConfigError(
                f"split: validation_share and test_share must be over 0 and leave something to train on, "
                f"got {self.validation_share} and {self.test_share}."
            )
        if self.most_train_threats < 0:
            raise ConfigError(f"split: most_train_threats must be 0 (all) or more, got {self.most_train_threats}.")


def split(config: SplitConfig, taxonomy: Taxonomy, paths: Mapping[Role, Path], out: Path, run: Run) -> RunManifest:
    """Write ``split.json``: which image of which dataset belongs to which part.

    Args:
        config: Shares.
        taxonomy: Classes that count.
        paths: Role -> dataset folder; labelled and benign are needed, validation and test are taken as given.
        out: Folder to make.
        run: How.
    """

    def body(work: Path) -> Outcome:
        sources = Sources.open(paths, taxonomy, strict=run.strict)
        parts = {
            name: {"threats": _given(sources, name, threats=True), "benign": _given(sources, name, threats=False)} for name in PartName
        }
        for role, kind in ((Role.LABELLED, "threats"), (Role.BENIGN, "benign")):
            for name, keys in _divide(config, sources, role, run.seed).items():
                parts[name][kind] = sorted([*parts[name][kind], *keys])
        if config.most_train_threats:
            found = {located.key: sources.labels_of(located.entry) for located in sources.located(Role.LABELLED)}
            train = parts[PartName.TRAIN]
            train["threats"] = list(few_threats({key: found[key] for key in train["threats"]}, config.most_train_threats, run.seed))
        for name, kinds in parts.items():
            for kind, keys in kinds.items():
                if not keys:
                    raise DataError(f"split: the {name.value} part has no {kind} images. Give more {kind} images, or other shares.")
        write_json(work / SPLIT_FILE, {"quantity": sources.quantity.value, "classes": list(sources.classes()), "parts": parts})
        counts = {name.value: {kind: len(keys) for kind, keys in kinds.items()} for name, kinds in parts.items()}
        set_aside = tuple(
            SetAside(f"{role.value}: {entry.item}", entry.reason)
            for role, dataset in sources.datasets.items()
            for entry in dataset.set_aside
        )
        return Outcome({"quantity": sources.quantity.value, "classes": list(sources.classes()), "parts": counts}, set_aside)

    inputs = {role.value: path for role, path in paths.items()}
    return run_stage("split", {"split": config, "taxonomy": taxonomy}, inputs, out, run, body)


def _given(sources: Sources, name: PartName, *, threats: bool) -> list[str]:
    """The images of a validation or test set that the user brought."""
    if name is PartName.TRAIN or Role(name.value) not in sources.datasets:
        return []
    return [located.key for located in sources.located(Role(name.value)) if bool(located.entry.labels) is threats]


def _divide(config: SplitConfig, sources: Sources, role: Role, seed: int) -> dict[PartName, list[str]]:
    """A labelled or benign dataset over those parts that no dataset was given for."""
    located = sources.located(role)
    if not located:
        raise DataError(f"split: the {role.value} dataset holds no image that counts (classes: {', '.join(sources.classes())}).")
    shares = {PartName.VALIDATION: config.validation_share, PartName.TEST: config.test_share}
    needed = {name.value: share for name, share in shares.items() if Role(name.value) not in sources.datasets}
    if not needed:
        return {PartName.TRAIN: [entry.key for entry in located]}
    fractions = {PartName.TRAIN.value: 1.0 - sum(needed.values()), **needed}
    wanted = {entry.entry.id for entry in located}
    divided = split_by_group(sources.datasets[role], fractions, seed, config.near_duplicates, block_size=config.block_size)
    return {PartName(name): [f"{role.value}:{item}" for item in ids if item in wanted] for name, ids in divided.items()}
