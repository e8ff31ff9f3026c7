"""Scans and benign bags into training, validation and test; no bag is cut, and what is where is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final

from cyclopts import Parameter

from threatray.core.files import write_json, write_text
from threatray.core.manifest import RunManifest, SetAside
from threatray.datasets.benign_subsets import BenignSubsets, benign_subsets, check_ratios
from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.few import few_threats
from threatray.datasets.fingerprints import Fingerprint, fingerprint
from threatray.datasets.split import assign_groups, bag_clusters, check_no_leak, divide
from threatray.errors import ConfigError, DataError
from threatray.pipeline.sources import SPLIT_FILE, Located, PartName, Role, Sources, Taxonomy
from threatray.pipeline.split_report import Leak, PartCounts, SplitReport
from threatray.pipeline.stage import Outcome, Run, run_stage
from threatray.pipeline.workers import run_jobs

REPORT_FILE: Final = "split.txt"
_GIVEN: Final = (Role.VALIDATION, Role.TEST)


def _numbers(kind: Any, tokens: Sequence[Any]) -> tuple[int, ...]:
    """``10,100,1000`` on the command line."""
    del kind
    words = [word.strip() for token in tokens for word in token.value.split(",")]
    if not all(word.isdecimal() for word in words):
        raise ConfigError(f"--benign-ratios: expected whole numbers with commas between, as 10,100,1000; got {','.join(words)!r}.")
    return tuple(int(word) for word in words)


@dataclass(frozen=True)
class SplitConfig:
    """How scans are divided where no validation or test set is given.

    Args:
        validation_share: Share of the images (by whole bags) kept to choose operating points on.
        test_share: Share kept untouched to the end.
        near_duplicates: Keep images together that show one bag as far as their pixels tell; over all datasets.
        most_train_threats: Train on no more than this many threats of each class, as if no more had been collected; 0 for all. Subsets
            of one seed are nested. Scans left over are in no part.
        block_size: Put neighbouring numbered groups into one, e.g. 10 for SIXray, where a bag scanned again gets the next number.
        benign_ratios: Also list nested benign subsets of each part, so many benign images for each with a threat: 10,100,1000.
    """

    validation_share: float = 0.15
    test_share: float = 0.3
    near_duplicates: bool = True
    block_size: int = 1
    most_train_threats: int = 0
    benign_ratios: Annotated[tuple[int, ...], Parameter(converter=_numbers, n_tokens=1, negative="")] = ()

    def __post_init__(self) -> None:
        if not (0 < self.validation_share < 1 and 0 < self.test_share < 1 and self.validation_share + self.test_share < 1):
            raise ConfigError(
                f"split: validation_share and test_share must be over 0 and leave something to train on, "
                f"got {self.validation_share} and {self.test_share}."
            )
        if self.most_train_threats < 0:
            raise ConfigError(f"split: most_train_threats must be 0 (all) or more, got {self.most_train_threats}.")
        check_ratios(self.benign_ratios)


def split(config: SplitConfig, taxonomy: Taxonomy, paths: Mapping[Role, Path], out: Path, run: Run) -> RunManifest:
    """Write ``split.json``, which image of which dataset belongs to which part, and ``split.txt``, what is where in words.

    Args:
        config: Shares.
        taxonomy: Classes that count.
        paths: Role -> dataset folder; labelled is needed, benign too unless the labelled set holds benign images or none are
            wanted; validation and test are taken as given.
        out: Folder to make.
        run: How.
    """

    def body(work: Path) -> Outcome:
        sources = Sources.open(paths, taxonomy, strict=run.strict)
        located = {one.key: one for role in paths for one in sources.located(role)}
        if not any(one.role is Role.LABELLED for one in located.values()):
            raise DataError(f"split: the labelled dataset holds no image that counts (classes: {', '.join(sources.classes())}).")
        joint = assign_groups(_joint(paths[Role.LABELLED], located.values()), config.block_size)
        prints = _fingerprints(joint, run) if config.near_duplicates else {}
        unreadable = [SetAside(key, one.fault) for key, one in sorted(prints.items()) if one.fault]
        if unreadable and run.strict:
            raise DataError(f"split: {unreadable[0].item}: {unreadable[0].reason} Read without --strict to set it aside.")
        parts, leaks, number = _divided(config, joint, located, prints, run.seed)
        written = {name.value: _kinds(sources, located, parts[name]) for name in PartName}
        if config.most_train_threats:
            train = written[PartName.TRAIN.value]
            labels = {key: sources.labels_of(located[key].entry) for key in train["threats"]}
            train["threats"] = list(few_threats(labels, config.most_train_threats, run.seed))
        _check_filled(written, wants_benign=Role.BENIGN in paths)
        subsets = {
            name: benign_subsets(kinds["benign"], len(kinds["threats"]), config.benign_ratios, run.seed, name)
            for name, kinds in written.items()
        }
        report = _report(sources, located, written, joint, subsets, leaks, number, config)
        write_json(work / SPLIT_FILE, {
            "quantity": sources.quantity.value,
            "classes": list(sources.classes()),
            "parts": written,
            "benign_subsets": {name: _as_json(one) for name, one in subsets.items()} if config.benign_ratios else {},
            "leaks_in_given_sets": [{"image": leak.image, "part": leak.part, "like": leak.like} for leak in leaks],
        })  # fmt: skip
        write_text(work / REPORT_FILE, report.text())
        run.progress.say(report.text().rstrip())
        return Outcome(_summary(sources, written, report), _set_aside(sources, leaks, unreadable))

    inputs = {role.value: path for role, path in paths.items()}
    return run_stage("split", {"split": config, "taxonomy": taxonomy}, inputs, out, run, body)


def _joint(root: Path, located: Any) -> Dataset:
    """All images as one dataset: ids are keys, groups are those of their own dataset."""
    entries = (replace(one.entry, id=one.key, group=f"{one.role.value}:{one.entry.group}") for one in located)
    return Dataset(root, "joint", (), tuple(sorted(entries, key=lambda entry: entry.id)))


def _fingerprints(joint: Dataset, run: Run) -> dict[str, Fingerprint]:
    with run.progress.task("split: looking for bags scanned again", "image") as update:
        found = run_jobs(_fingerprint, None, joint.entries, workers=run.workers, update=update)
    return {entry.id: one for entry, one in zip(joint.entries, found, strict=True)}


def _fingerprint(shared: None, entry: Entry) -> Fingerprint:
    del shared
    return fingerprint(entry)


def _divided(
    config: SplitConfig, joint: Dataset, located: Mapping[str, Located], prints: Mapping[str, Fingerprint], seed: int
) -> tuple[dict[PartName, list[str]], list[Leak], int]:
    """Part -> keys; what was left out because a given set shows the same bag; and how many independent bags there are."""
    parts: dict[PartName, list[str]] = {name: [] for name in PartName}
    leaks: list[Leak] = []
    free: list[list[Entry]] = []
    clusters = bag_clusters(joint, prints)
    for cluster in clusters:
        given = [entry for entry in cluster if located[entry.id].role in _GIVEN]
        for entry in given:
            parts[PartName(located[entry.id].role.value)].append(entry.id)
        if not given:
            free.append(cluster)
            continue
        # a given set is taken as it is; what else shows one of its bags may not be trained on
        leaks += [Leak(entry.id, located[given[0].id].role.value, given[0].id) for entry in cluster if entry not in given]
        roles = {located[entry.id].role for entry in given}
        leaks += [Leak(entry.id, Role.TEST.value, given[0].id, given=True) for entry in given if len(roles) > 1]
    present = {one.role for one in located.values()}
    shares = {PartName.VALIDATION: config.validation_share, PartName.TEST: config.test_share}
    needed = {name.value: share for name, share in shares.items() if Role(name.value) not in present}
    if needed:
        fractions = {PartName.TRAIN.value: 1.0 - sum(needed.values()), **needed}
        divided: Mapping[str, Sequence[str]] = divide(free, fractions, seed, str(joint.root))
        check_no_leak(joint, divided, found=prints)
    else:
        divided = {PartName.TRAIN.value: [entry.id for cluster in free for entry in cluster]}
    for name, keys in divided.items():
        parts[PartName(name)] += keys
    return {name: sorted(keys) for name, keys in parts.items()}, leaks, len(clusters)


def _kinds(sources: Sources, located: Mapping[str, Located], keys: Sequence[str]) -> dict[str, list[str]]:
    """Images with a threat that counts, and benign ones."""
    threats = [key for key in keys if sources.labels_of(located[key].entry)]
    return {"threats": threats, "benign": [key for key in keys if located[key].entry.is_benign]}


def _check_filled(written: Mapping[str, Mapping[str, Sequence[str]]], *, wants_benign: bool) -> None:
    for name, kinds in written.items():
        for kind, keys in kinds.items():
            if not keys and (kind == "threats" or wants_benign):
                raise DataError(f"split: the {name} part has no {kind} images. Give more {kind} images, or other shares.")


def _report(
    sources: Sources,
    located: Mapping[str, Located],
    written: Mapping[str, Mapping[str, Sequence[str]]],
    joint: Dataset,
    subsets: Mapping[str, BenignSubsets],
    leaks: Sequence[Leak],
    bags: int,
    config: SplitConfig,
) -> SplitReport:
    groups = {entry.id: entry.group for entry in joint.entries}
    counts = {}
    for name, kinds in written.items():
        labels: dict[str, int] = dict.fromkeys(sources.classes(), 0)
        for key in kinds["threats"]:
            for label in set(sources.labels_of(located[key].entry)):
                labels[label] += 1
        keys = [*kinds["threats"], *kinds["benign"]]
        counts[name] = PartCounts(labels, len(kinds["threats"]), len(kinds["benign"]), len({groups[key] for key in keys}))
    return SplitReport(counts, subsets if config.benign_ratios else {}, tuple(leaks), bags, config.near_duplicates, config.block_size)


def _as_json(one: BenignSubsets) -> dict[str, Any]:
    largest = max(one.sizes.values(), default=0)
    return {
        "order": list(one.order[:largest]),
        "sizes": {str(ratio): size for ratio, size in one.sizes.items()},
        "too_few_benign_for": {str(ratio): needed for ratio, needed in one.short.items()},
    }


def _summary(sources: Sources, written: Mapping[str, Mapping[str, Sequence[str]]], report: SplitReport) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "quantity": sources.quantity.value,
        "classes": list(sources.classes()),
        "parts": {name: {kind: len(keys) for kind, keys in kinds.items()} for name, kinds in written.items()},
        "independent bags": report.bags,
    }
    if report.subsets:
        summary["benign subsets"] = {name: report.subset_words(name) for name in report.subsets}
    return summary


def _set_aside(sources: Sources, leaks: Sequence[Leak], unreadable: Sequence[SetAside]) -> tuple[SetAside, ...]:
    read = [SetAside(f"{role.value}: {one.item}", one.reason) for role, dataset in sources.datasets.items() for one in dataset.set_aside]
    return (*read, *unreadable, *(SetAside(leak.image, leak.reason) for leak in leaks), *sources.uncounted())
