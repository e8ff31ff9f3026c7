"""What labels mean: the shipped vocabulary of threats over all public datasets, and a project's own classes on top of it."""

from __future__ import annotations

import difflib
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Final

from threatray.errors import ConfigError

SHIPPED: Final = Path(__file__).parent / "data" / "taxonomy.toml"
_FORMAT: Final = 1
_SEPARATORS: Final = re.compile(r"[\s_\-./,]+")


def plain_name(label: str) -> str:
    """A label without what people spell differently: case, width, spaces, underscores, hyphens.

    Example:
        >>> plain_name("Folding_Knife"), plain_name("SwissArmyKnife") == plain_name("swiss-army knife")
        ('foldingknife', True)
    """
    return _SEPARATORS.sub("", unicodedata.normalize("NFKC", label).casefold())


@dataclass(frozen=True)
class ThreatClass:
    """A class of the vocabulary.

    Args:
        name: Its name.
        is_a: Its wider class, or empty.
        threat: Whether screeners look for it.
        aliases: What datasets call it.
    """

    name: str
    is_a: str = ""
    threat: bool = True
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vocabulary:
    """What the labels of datasets mean.

    Args:
        classes: Name -> class.
        datasets: Format -> (its label -> class), where a dataset's word means something else than the same word elsewhere.

    Raises:
        ConfigError: A word stands for two classes, or a class or wider class that there is not.

    Example:
        >>> known = Vocabulary.shipped()
        >>> known.find("Spanner"), known.find("Folding_Knife"), known.wider("folding knife")
        ('wrench', 'folding knife', ('knife',))
        >>> known.find("CO", "hixray"), known.find("CO", "ldxray"), known.find("CO")
        ('cosmetic', 'cylindrical orange liquid', None)
    """

    classes: Mapping[str, ThreatClass]
    datasets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for one in self.classes.values():
            if one.is_a and one.is_a not in self.classes:
                raise ConfigError(f"taxonomy: {one.name!r} is_a {one.is_a!r}, which is not a class.{_meant(one.is_a, self.classes)}")
        for name in self.classes:
            self.wider(name)
        for dataset, words in self.datasets.items():
            for word, name in words.items():
                if name not in self.classes:
                    raise ConfigError(
                        f"taxonomy, [dataset.{dataset}]: {word!r} stands for {name!r}, which is not a class.{_meant(name, self.classes)}"
                    )
        _ = self._words

    @classmethod
    def shipped(cls) -> Vocabulary:
        """The one that comes with threatray."""
        return _shipped()

    @classmethod
    def read(cls, path: Path) -> Vocabulary:
        """Read a taxonomy file; ``threatray init --taxonomy FILE`` writes the shipped one to start from.

        Raises:
            ConfigError: No such file, not TOML, an unknown key, a word that stands for two classes.
        """
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(f"{path}: no such taxonomy. `threatray init --taxonomy {path}` writes one to change.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: not valid TOML: {error}.") from None
        try:
            return cls._of(table)
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from None

    @classmethod
    def _of(cls, table: Mapping[str, Any]) -> Vocabulary:
        unknown = sorted(set(table) - {"format", "class", "dataset"})
        if unknown or table.get("format") != _FORMAT:
            raise ConfigError(f"taxonomy: expected format = {_FORMAT} and tables [class.NAME], [dataset.FORMAT]; got {sorted(table)}.")
        classes = {name: _class(name, entry) for name, entry in table.get("class", {}).items()}
        datasets = {name: _words(name, entry) for name, entry in table.get("dataset", {}).items()}
        return cls(classes, datasets)

    @cached_property
    def _words(self) -> dict[str, str]:
        """Plain word -> class."""
        words: dict[str, str] = {}
        for one in self.classes.values():
            for word in (one.name, *one.aliases):
                other = words.setdefault(plain_name(word), one.name)
                if other != one.name:
                    raise ConfigError(
                        f"taxonomy: {word!r} stands for both {other!r} and {one.name!r}. Keep one, or say it under [dataset.FORMAT]."
                    )
        return words

    def find(self, label: str, dataset: str = "") -> str | None:
        """The class a label stands for in a dataset; None if it is not known."""
        plain = plain_name(label)
        for word, name in self.datasets.get(dataset, {}).items():
            if plain_name(word) == plain:
                return name
        return self._words.get(plain)

    def wider(self, name: str) -> tuple[str, ...]:
        """The wider classes of a class, nearest first.

        Raises:
            ConfigError: A class is its own wider class.
        """
        chain: list[str] = []
        above = self.classes[name].is_a
        while above:
            if above == name or above in chain:
                raise ConfigError(f"taxonomy: {name!r} is_a itself, by way of {' is_a '.join([*chain, above])}.")
            chain.append(above)
            above = self.classes[above].is_a
        return tuple(chain)

    def nearest(self, label: str) -> str | None:
        """The class whose name or alias is spelled most like a label; None if none is near."""
        near = difflib.get_close_matches(plain_name(label), list(self._words), n=1, cutoff=0.7)
        return self._words[near[0]] if near else None


@cache
def _shipped() -> Vocabulary:
    return Vocabulary.read(SHIPPED)


def _class(name: str, entry: Any) -> ThreatClass:
    where = f"taxonomy, [class.{name}]"
    if not isinstance(entry, Mapping) or set(entry) - {"is_a", "threat", "aliases"}:
        got = sorted(entry) if isinstance(entry, Mapping) else repr(entry)
        raise ConfigError(f"{where}: expected the keys is_a, threat, aliases; got {got}.")
    is_a, threat, aliases = entry.get("is_a", ""), entry.get("threat", True), entry.get("aliases", [])
    if not isinstance(is_a, str) or not isinstance(threat, bool) or not _all_text(aliases):
        raise ConfigError(f'{where}: expected is_a = "CLASS", threat = true or false, aliases = ["WORD", ...]; got {dict(entry)}.')
    return ThreatClass(name, is_a, threat, tuple(aliases))


def _words(name: str, entry: Any) -> dict[str, str]:
    if not isinstance(entry, Mapping) or not _all_text(list(entry.values())):
        raise ConfigError(f'taxonomy, [dataset.{name}]: expected LABEL = "CLASS" lines, got {entry!r}.')
    return dict(entry)


def _all_text(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _meant(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""


@dataclass(frozen=True)
class Taxonomy:
    """Which classes count in a project, and under which other names they appear.

    A label is looked up in this order: the project's aliases, its classes, both without regard to case and separators, then the
    vocabulary, where a narrow class counts for the nearest wider one that the project names. Nothing is guessed by likeness.

    Args:
        classes: The threat classes of this project, in order; empty takes every label as it stands.
        aliases: Another name -> class, e.g. ``{"Gun": "gun", "handgun": "gun"}``.
        vocabulary: What labels mean; None takes the shipped one where ``classes`` are given, and changes no name where not.
        white_level: Count of empty air in pairs and grey scans whose dataset does not say; None takes it from each scan's own air.
        mislabelled: Ids of images that pass for benign but hold a threat; they are set aside wherever datasets are read.

    Raises:
        ConfigError: A class named twice, an alias for a class that is not named, a white level out of range.

    Example:
        >>> mine = Taxonomy(("gun", "knife"))
        >>> mine.name_of("Pistol"), mine.name_of("Folding_Knife"), mine.name_of("Wrench")
        ('gun', 'knife', None)
        >>> Taxonomy().name_of("Wrench")
        'Wrench'
    """

    classes: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    vocabulary: Vocabulary | None = None
    white_level: int | None = None
    mislabelled: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.white_level is not None and not 1 <= self.white_level <= 65535:
            raise ConfigError(f"white_level: expected the count of empty air, in [1, 65535], got {self.white_level}.")
        if len(set(self.classes)) != len(self.classes):
            raise ConfigError(f"classes: a class is named twice in {list(self.classes)}.")
        for other, name in self.aliases.items():
            if self.classes and name not in self.classes:
                raise ConfigError(f"aliases: {other!r} stands for {name!r}, which is not among the classes {list(self.classes)}.")

    def name_of(self, label: str, dataset: str = "") -> str | None:
        """The class a label stands for; None if it does not count here.

        Args:
            label: As it stands in the file.
            dataset: The format it was read as, for words that mean different things in different datasets.
        """
        key = (label, dataset)
        if key not in self._known:
            self._known[key] = self._find(label, dataset)
        return self._known[key]

    def why_not(self, label: str, dataset: str = "") -> str:
        """Why a label does not count, in words that help.

        Example:
            >>> Taxonomy(("gun",)).why_not("Wrnch")
            "unknown label; the nearest class is 'wrench'. Name it under aliases if it should count"
        """
        words = self.vocabulary or Vocabulary.shipped()
        known = words.find(label, dataset)
        if known is not None:
            return f"it is {known!r}, which is not among the classes {', '.join(self.classes)}"
        near = _nearest([*self.classes, *self.aliases], label) or words.nearest(label)
        hint = f"; the nearest class is {near!r}" if near else ""
        return f"unknown label{hint}. Name it under aliases if it should count"

    @cached_property
    def _known(self) -> dict[tuple[str, str], str | None]:
        return {}

    def _find(self, label: str, dataset: str) -> str | None:
        if label in self.aliases:
            return self.aliases[label]
        if label in self.classes:
            return label
        plain = plain_name(label)
        meant = {name for word, name in (*self.aliases.items(), *((name, name) for name in self.classes)) if plain_name(word) == plain}
        if len(meant) == 1:
            return meant.pop()
        if meant:
            return None  # two classes that differ in case only: only the exact spelling counts
        if not self.classes:
            return (self.vocabulary.find(label, dataset) or label) if self.vocabulary is not None else label
        words = self.vocabulary or Vocabulary.shipped()
        found = words.find(label, dataset)
        for name in () if found is None else (found, *words.wider(found)):
            wanted = [one for one in self.classes if words.find(one) == name]
            if wanted:
                return wanted[0] if len(wanted) == 1 else None
        return None


def read_id_list(path: Path) -> tuple[str, ...]:
    """Ids of images from a text file: one a line, with or without an image's extension; blank lines and ``#`` comments are left out.

    Raises:
        ConfigError: No such file, not UTF-8 text, or nothing in it.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such list of mislabelled images.") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: expected a UTF-8 text file with one image id a line.") from None
    words = [line.split("#")[0].strip() for line in lines]
    ids = {_IMAGE_SUFFIX.sub("", word) for word in words if word}
    if not ids:
        raise ConfigError(f"{path}: holds no image id; expected one a line.")
    return tuple(sorted(ids))


_IMAGE_SUFFIX: Final = re.compile(r"\.(png|jpe?g|bmp|tiff?|webp)$", re.IGNORECASE)


def _nearest(names: list[str], label: str) -> str | None:
    near = difflib.get_close_matches(plain_name(label), [plain_name(name) for name in names], n=1, cutoff=0.7)
    return next((name for name in names if near and plain_name(name) == near[0]), None)
