"""The user's datasets under their roles, read through one taxonomy, and the parts that a split made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from threatray.core import Quantity, Sample
from threatray.core.files import read_json
from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.formats.registry import read_dataset
from threatray.errors import ConfigError, DataError


class Role(StrEnum):
    """What a dataset is for."""

    LABELLED = "labelled"
    BENIGN = "benign"
    VALIDATION = "validation"
    TEST = "test"


class PartName(StrEnum):
    """What an image may be used for."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


SPLIT_FILE: Final = "split.json"


@dataclass(frozen=True)
class Taxonomy:
    """Which classes count, and under which other names they appear.

    Args:
        classes: The threat classes of this project, in order.
        aliases: Another name -> class, e.g. ``{"Gun": "gun", "handgun": "gun"}``.
    """

    classes: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(set(self.classes)) != len(self.classes):
            raise ConfigError(f"classes: a class is named twice in {list(self.classes)}.")
        for other, name in self.aliases.items():
            if self.classes and name not in self.classes:
                raise ConfigError(f"aliases: {other!r} stands for {name!r}, which is not among the classes {list(self.classes)}.")

    def name_of(self, label: str) -> str | None:
        """The class a label stands for; None if it does not count here."""
        name = self.aliases.get(label, label)
        return name if not self.classes or name in self.classes else None


@dataclass(frozen=True)
class Located:
    """One image of one dataset."""

    role: Role
    entry: Entry

    @property
    def key(self) -> str:
        """Unique over all roles."""
        return f"{self.role.value}:{self.entry.id}"


@dataclass(frozen=True)
class Sources:
    """The opened datasets of a project.

    Args:
        datasets: Role -> dataset.
        taxonomy: Which labels count.
    """

    datasets: Mapping[Role, Dataset]
    taxonomy: Taxonomy

    @classmethod
    def open(
        cls, paths: Mapping[Role, Path], taxonomy: Taxonomy, *, strict: bool = False, formats: Mapping[Role, str] | None = None
    ) -> Sources:
        """Read every dataset (annotations only)."""
        chosen = formats or {}
        return cls({role: read_dataset(path, chosen.get(role), strict=strict) for role, path in paths.items()}, taxonomy)

    @property
    def quantity(self) -> Quantity:
        """Dual-energy transmission if every dataset has it, else pseudo-colour."""
        dual = all(dataset.has_dual_energy for dataset in self.datasets.values())
        return Quantity.TRANSMISSION if dual else Quantity.PSEUDO_COLOUR

    def classes(self) -> tuple[str, ...]:
        """The taxonomy's classes, or every class of the labelled datasets if it names none."""
        if self.taxonomy.classes:
            return self.taxonomy.classes
        found = {self.taxonomy.aliases.get(name, name) for dataset in self.datasets.values() for name in dataset.classes}
        return tuple(sorted(found))

    def labels_of(self, entry: Entry) -> tuple[str, ...]:
        """The classes in an image that count here."""
        named = (self.taxonomy.name_of(label) for label in entry.labels)
        return tuple(name for name in named if name is not None)

    def located(self, role: Role) -> tuple[Located, ...]:
        """The images of a role that can be used: none of its labels counts -> left out, unless it has no labels at all."""
        if role not in self.datasets:
            return ()
        return tuple(Located(role, entry) for entry in self.datasets[role].entries if not entry.labels or self.labels_of(entry))

    def load(self, located: Located, quantity: Quantity) -> Sample:
        """Decode one image; labels are translated, and those that do not count are dropped."""
        dataset = self.datasets[located.role]
        sample = dataset.load_dual_energy(located.entry) if quantity is Quantity.TRANSMISSION else dataset.load_colour(located.entry)
        return _with_classes(sample, self.taxonomy)


def _with_classes(sample: Sample, taxonomy: Taxonomy) -> Sample:
    from dataclasses import replace

    annotations = sample.annotations
    names = [taxonomy.name_of(label) for label in annotations.labels]
    keep = [place for place, name in enumerate(names) if name is not None]
    kept = replace(
        annotations,
        boxes=annotations.boxes[keep],
        labels=tuple(name for name in names if name is not None),
        masks=None if annotations.masks is None else annotations.masks[keep],
    )
    return replace(sample, annotations=kept)


@dataclass(frozen=True)
class Part:
    """The images of one part of a split: those with threats, and benign bags."""

    threats: tuple[Located, ...]
    benign: tuple[Located, ...]


def read_parts(split_folder: Path, sources: Sources) -> dict[PartName, Part]:
    """The parts that ``threatray split`` wrote, against the same datasets.

    Raises:
        DataError: The split names images that the datasets do not hold.
    """
    path = split_folder / SPLIT_FILE
    written: dict[str, Any] = read_json(path)
    known = {located.key: located for role in sources.datasets for located in sources.located(role)}

    def find(keys: list[str]) -> tuple[Located, ...]:
        missing = [key for key in keys if key not in known]
        if missing:
            raise DataError(f"{path}: names {missing[0]!r}, which is not in the datasets. Split again from the same datasets.")
        return tuple(known[key] for key in keys)

    return {name: Part(find(written["parts"][name]["threats"]), find(written["parts"][name]["benign"])) for name in PartName}
