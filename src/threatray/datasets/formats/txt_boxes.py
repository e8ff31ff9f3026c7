"""The text annotation of Beihang University's X-ray datasets (OPIXray, HiXray, X-ray FSOD): one file an image, one box a line.

A line is ``image class x1 y1 x2 y2``, separated by blanks. An empty file says that nothing is in the image.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from threatray.datasets.dataset import Entry
from threatray.datasets.formats.format import DatasetStream, ReadOptions
from threatray.datasets.formats.native import Job, Published, Reading, Things, own_id
from threatray.datasets.formats.native_files import listed_ids, names_in, number_in, some_names, text_of, unannotated, without_suffix
from threatray.datasets.pixels import image_size

_FIELDS = 6


@dataclass(frozen=True)
class TxtPart:
    """One published part.

    Args:
        name: ``train`` or ``test``.
        images: Its folder of images.
        annotations: Its folder of text files.
        lists: Files that list the ids of the part.
        levels: Difficulty -> the file that lists its ids.
    """

    name: str
    images: Path
    annotations: Path
    lists: tuple[Path, ...] = ()
    levels: Mapping[str, Path] = field(default_factory=dict)


def classes_in(folder: Path, most: int = 5) -> set[str]:
    """The classes that a few annotations of a folder name first: tells the datasets of one layout apart."""
    found = set()
    for name in some_names(folder, ".txt", most):
        try:
            with (folder / name).open(encoding="utf-8-sig") as handle:
                fields = handle.readline(4096).split()
        except (OSError, UnicodeDecodeError):
            continue
        if len(fields) == _FIELDS:
            found.add(fields[1])
    return found


def read_txt(
    published: Published,
    parts: Sequence[TxtPart],
    root: Path,
    options: ReadOptions,
    *,
    one_numbering: bool,
    notes: Callable[[Reading], Sequence[str]] = lambda reading: (),
) -> DatasetStream:
    """Read a dataset of text annotations.

    Args:
        published: What its authors say about it.
        parts: Its parts that are there.
        root: The folder; no link may lead out of it.
        options: How to read it.
        one_numbering: Whether the parts share one numbering, so that neighbouring numbers across parts may be one bag.
        notes: Further sentences for the user.

    Returns:
        Entries in order of part and name. An image without an annotation file is not read: it may be background or have lost it.

    Raises:
        DataError: A list cannot be read, or (from the entries) nothing sound in it.
    """
    reading = Reading(published, root, options)
    said: list[str] = []
    lists = [_Lists.of(part, reading) for part in parts]

    def jobs() -> Iterator[Job]:
        for part, listed in zip(parts, lists, strict=True):
            yield from _jobs(part, listed, reading, said, one_numbering=one_numbering)

    return reading.stream(jobs(), lambda: (*said, *notes(reading)))


@dataclass(frozen=True)
class _Lists:
    """What the list files of a part say."""

    ids: frozenset[str]
    level: Mapping[str, str]
    in_two_levels: int

    @classmethod
    def of(cls, part: TxtPart, reading: Reading) -> _Lists:
        ids = frozenset(name for path in part.lists for name in listed_ids(path, reading.root))
        level: dict[str, str] = {}
        twice = 0
        for difficulty, path in part.levels.items():
            for name in listed_ids(path, reading.root):
                twice += level.setdefault(name, difficulty) != difficulty
        return cls(ids, level, twice)


def _jobs(part: TxtPart, listed: _Lists, reading: Reading, said: list[str], *, one_numbering: bool) -> Iterator[Job]:
    counted: Counter[str] = Counter()
    where = part.annotations.relative_to(reading.given).as_posix()
    for name in names_in(part.annotations, ".txt"):
        stem = name.removesuffix(".txt")
        counted["listed"] += stem in listed.ids
        counted["read"] += 1

        def make(name: str = name, stem: str = stem) -> Entry:
            own = own_id(part.name, stem)
            group = own_id(stem) if one_numbering else own
            return _entry(part, f"{where}/{name}", stem, (own, group, listed.level.get(stem, "")), reading, counted)

        yield f"{where}/{name}", make
    unread = unannotated(part.images, part.annotations, ".txt")
    images = part.images.relative_to(reading.given).as_posix()
    if unread:
        said.append(
            f"{unread} image(s) in {images}/ have no annotation file and were not read: backgrounds"
            " added later look like this, and so do images that lost theirs. Give backgrounds as a dataset of their own."
        )
    if len(listed.ids) > counted["listed"]:
        said.append(f"{len(listed.ids) - counted['listed']} id(s) that the {part.name} list names have no annotation file.")
    if listed.ids and counted["read"] > counted["listed"]:
        extra = counted["read"] - counted["listed"]
        said.append(f"{extra} annotation(s) in {where}/ are not on the {part.name} list; they were read.")

    if listed.in_two_levels:
        said.append(f"{listed.in_two_levels} id(s) are listed under two difficulty levels; the first one is kept.")
    if counted["renamed"]:
        said.append(f"{counted['renamed']} line(s) in {where}/ name another image than their file; the file's name counts.")


def _entry(part: TxtPart, item: str, stem: str, said: tuple[str, str, str], reading: Reading, counted: Counter[str]) -> Entry:
    own, group, difficulty = said
    text = text_of(f"{part.annotations}/{stem}.txt", reading.root, reading.inside)
    image = reading.image_called(stem, part.images)
    height, width = image_size(image)
    things = Things(reading, width, height)
    for number, line in enumerate(text.split("\n"), 1):
        fields = line.split()
        if not fields:
            continue
        at = f"{item}, line {number}"
        if len(fields) != _FIELDS:
            things.broken += 1
            reading.set_aside(at, f"expected 'image class x1 y1 x2 y2', got {len(fields)} fields ({line.strip()[:60]!r})")
            continue
        counted["renamed"] += without_suffix(fields[0]) != stem
        things.add(at, fields[1], [number_in(text) for text in fields[2:]])
    return Entry(
        id=own,
        image_path=image,
        width=width,
        height=height,
        things=things.sound(),
        group=group,
        provenance=reading.published.provenance,
        part=part.name,
        difficulty=difficulty,
    )


def beihang_parts(root: Path) -> list[TxtPart]:
    """The parts of OPIXray and HiXray: ``train/train_annotation`` beside ``train/train_image``; also if one part's folder is given."""
    found = []
    for name in ("train", "test"):
        for base in (root / name, root):
            if (base / f"{name}_annotation").is_dir():
                found.append(
                    TxtPart(
                        name,
                        base / f"{name}_image",
                        base / f"{name}_annotation",
                        tuple(base / f"{name}_{kind}.txt" for kind in ("knife", "name") if (base / f"{name}_{kind}.txt").is_file()),
                        {f"OL{level}": base / f"{name}_knife-{level}.txt" for level in (1, 2, 3)},
                    )
                )
                break
    return found


def is_beihang(root: Path, classes: Sequence[str], list_kind: str) -> bool:
    """Whether a folder has the parts of OPIXray or HiXray, and the classes (or, without any, the lists) of this one."""
    parts = beihang_parts(root)
    named = {name for part in parts for name in classes_in(part.annotations)}
    if named:
        return not named.isdisjoint(classes)
    return any(path.name.endswith(f"_{list_kind}.txt") for part in parts for path in part.lists)
