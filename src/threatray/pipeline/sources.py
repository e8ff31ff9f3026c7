"""The user's datasets under their roles, read through one taxonomy, and the parts that a split made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from threatray.core import COLOUR, DUAL_ENERGY, GREY, Quantity, Sample
from threatray.core.files import read_json
from threatray.core.image_file import is_grey
from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.formats.registry import read_dataset
from threatray.datasets.pixels import TransmissionReading
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
    """What the data mean: which classes count, under which other names they appear, and what white is.

    Args:
        classes: The threat classes of this project, in order.
        aliases: Another name -> class, e.g. ``{"Gun": "gun", "handgun": "gun"}``.
        white_level: Count of empty air in pairs and grey scans whose dataset does not say; None takes it from each scan's own air.
    """

    classes: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    white_level: int | None = None

    def __post_init__(self) -> None:
        if self.white_level is not None and not 1 <= self.white_level <= 65535:
            raise ConfigError(f"white_level: expected the count of empty air, in [1, 65535], got {self.white_level}.")
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


@dataclass(frozen=True, eq=False)
class Loaded:
    """A decoded scan.

    Args:
        sample: Image and annotations.
        reading: The counts it was read from; None for pseudo-colour.
    """

    sample: Sample
    reading: TransmissionReading | None = None

    @property
    def clipped(self) -> dict[str, int]:
        """Values of the scan that were clipped to be a transmission; JSON-able, for ``clipping_summary``."""
        if self.reading is None:
            return {}
        return {"values": self.reading.values, "over_white": self.reading.over_white, "under_floor": self.reading.under_floor}


def clipping_summary(clipped: Iterable[Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """What a manifest says of clipped values: nothing for pseudo-colour, else their sums.

    Example:
        >>> clipping_summary([{"values": 4, "over_white": 1, "under_floor": 0}, {}, {"values": 4, "over_white": 2, "under_floor": 0}])
        {'clipped': {'values': 8, 'over_white': 3, 'under_floor': 0}}
    """
    counts = [each for each in clipped if each]
    return {"clipped": {key: sum(each[key] for each in counts) for key in ("values", "over_white", "under_floor")}} if counts else {}


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

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """What the scans have in common: two energies if every dataset has them, one if every picture is grey, else colour.

        Pictures are looked at by their headers, up to 64 of each dataset; one that turns out otherwise is refused when it is loaded.
        """
        if all(dataset.has_dual_energy for dataset in self.datasets.values()):
            return DUAL_ENERGY
        paths = [_spread([entry.image_path for entry in dataset.entries], 64) for dataset in self.datasets.values()]
        grey = all(path is not None and is_grey(path) for some in paths for path in some)
        return GREY if grey else COLOUR

    @property
    def quantity(self) -> Quantity:
        """Transmission where every dataset has two energies or every picture is grey, else pseudo-colour."""
        return Quantity.PSEUDO_COLOUR if self.channels == COLOUR else Quantity.TRANSMISSION

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
        return self.read(located, quantity).sample

    def read(self, located: Located, quantity: Quantity) -> Loaded:
        """Decode one image, and keep the counts that a transmission was read from.

        Args:
            located: Which.
            quantity: Transmission of two energies, or of one where there is only one; or pseudo-colour.

        Raises:
            DataError: Broken, of another size than annotated, or of another kind than its neighbours.
        """
        dataset, entry, white = self.datasets[located.role], located.entry, self.taxonomy.white_level
        if quantity is not Quantity.TRANSMISSION:
            return Loaded(_with_classes(dataset.load_colour(entry, white), self.taxonomy))
        reading = dataset.read_dual_energy(entry, white) if self.channels == DUAL_ENERGY else dataset.read_grey(entry, white)
        return Loaded(_with_classes(dataset.sample_of(entry, reading), self.taxonomy), reading)


def _spread(paths: Sequence[Path | None], most: int) -> list[Path | None]:
    """Up to so many, evenly over the list."""
    step = max(1, -(-len(paths) // most))
    return list(paths[::step])


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
