"""The user's datasets under their roles, read through one taxonomy, and the parts that a split made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from threatray.core import COLOUR, DUAL_ENERGY, GREY, Quantity, Sample, SetAside
from threatray.core.files import read_json
from threatray.core.image_file import is_grey
from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.formats.registry import read_dataset
from threatray.datasets.pixels import TransmissionReading
from threatray.datasets.taxonomy import Taxonomy as Taxonomy
from threatray.datasets.taxonomy import Vocabulary, plain_name
from threatray.errors import DataError


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
        """Read every dataset (annotations only).

        Words that mean something of their own in a dataset are put into the vocabulary's words; where the taxonomy names no
        classes, spellings that differ in case and separators only ("Gun", "gun") are made one.
        """
        chosen = formats or {}
        mislabelled = frozenset(taxonomy.mislabelled)
        read = {role: read_dataset(path, chosen.get(role), strict=strict, mislabelled=mislabelled) for role, path in paths.items()}
        if taxonomy.classes or taxonomy.vocabulary is not None:
            words = taxonomy.vocabulary or Vocabulary.shipped()
            return cls({role: _in_common_words(dataset, words) for role, dataset in read.items()}, taxonomy)
        return cls(read, _joining_spellings(taxonomy, read))

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
        found = {self.taxonomy.name_of(name) for dataset in self.datasets.values() for name in dataset.classes}
        return tuple(sorted(name for name in found if name is not None))

    def labels_of(self, entry: Entry) -> tuple[str, ...]:
        """The classes in an image that count here."""
        named = (self.taxonomy.name_of(label) for label in entry.labels)
        return tuple(name for name in named if name is not None)

    def located(self, role: Role) -> tuple[Located, ...]:
        """The images of a role that can be used: with a label that counts, or benign.

        An image whose labels all do not count is left out, and so is one that is labelled as a whole without a box: neither is benign.
        """
        if role not in self.datasets:
            return ()
        return tuple(Located(role, entry) for entry in self.datasets[role].entries if entry.is_benign or self.labels_of(entry))

    def uncounted(self) -> tuple[SetAside, ...]:
        """What the taxonomy leaves out, label by label, so that nothing is dropped in silence."""
        left = []
        for role, dataset in self.datasets.items():
            things = Counter(label for entry in dataset.entries for label in entry.labels)
            whole = Counter(label for entry in dataset.entries if not entry.labels for label in set(entry.image_labels))
            for label, count in sorted(things.items()):
                if self.taxonomy.name_of(label) is None:
                    left.append(SetAside(f"{role.value}: label {label!r}", f"{count} box(es) do not count: {self.taxonomy.why_not(label)}"))
            for label, count in sorted(whole.items()):
                reason = f"{count} image(s) say it without a box: neither benign nor usable as a threat"
                left.append(SetAside(f"{role.value}: label {label!r} of whole images", reason))
        return tuple(left)

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


def _in_common_words(dataset: Dataset, words: Vocabulary) -> Dataset:
    """A dataset whose own words are replaced by the vocabulary's, where it has any."""
    if dataset.format_name not in words.datasets:
        return dataset
    own = {plain_name(word): name for word, name in words.datasets[dataset.format_name].items()}

    def common(labels: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(own.get(plain_name(label), label) for label in labels)

    entries = tuple(
        replace(entry, things=replace(entry.things, labels=common(entry.labels)), image_labels=common(entry.image_labels))
        for entry in dataset.entries
    )
    return replace(dataset, entries=entries, classes=tuple(dict.fromkeys(common(dataset.classes))))


def _joining_spellings(taxonomy: Taxonomy, datasets: Mapping[Role, Dataset]) -> Taxonomy:
    """The taxonomy with an alias for every spelling that another dataset spells first."""
    first: dict[str, str] = {}
    joined: dict[str, str] = {}
    for dataset in datasets.values():
        here: dict[str, list[str]] = {}
        for name in dataset.classes:
            here.setdefault(plain_name(name), []).append(name)
        for plain, names in here.items():
            known = first.setdefault(plain, names[0])
            if len(names) == 1 and names[0] != known and names[0] not in taxonomy.aliases:
                joined[names[0]] = known
    return replace(taxonomy, aliases={**joined, **taxonomy.aliases}) if joined else taxonomy


def _with_classes(sample: Sample, taxonomy: Taxonomy) -> Sample:
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
