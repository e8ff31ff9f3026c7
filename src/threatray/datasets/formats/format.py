"""What every format module offers: how it is recognised, read and written, and what it can hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from threatray.core import Provenance, SetAside
from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.formats.faults import Faults


class Holds(StrEnum):
    """Something that a dataset may say about an image, beside its pixels."""

    BOXES = "boxes"
    MASKS = "masks"
    ROTATED_BOXES = "rotated boxes"
    IMAGE_LABELS = "labels of whole images"
    GROUP = "group"
    PART = "published part"
    DIFFICULTY = "difficulty"
    VIEW = "views"
    DUAL_ENERGY = "dual energy"
    PROVENANCE = "source and licence"


@dataclass(frozen=True)
class ReadOptions:
    """How a dataset is read.

    Args:
        strict: The first broken item is an error instead of being set aside.
        headers: Open every image's header, so that missing, cut off and resized files are found now. Without it an annotated
            size is believed and of a file only its presence is looked at.
        white_level: Count of empty air in files that do not say; None: not known, so each scan's own air tells.
        mislabelled: Ids of images that pass for benign but hold a threat (a list the user points at); they are set aside.
    """

    strict: bool = False
    headers: bool = True
    white_level: int | None = None
    mislabelled: frozenset[str] = frozenset()


@dataclass(frozen=True)
class DatasetStream:
    """A dataset being read, one entry at a time, in memory that does not grow with their number where the format allows.

    What is set aside is kept, and readers may keep the names of the files; ``collect`` keeps every entry.

    Args:
        root: The folder.
        format_name: Which format.
        classes: Class names in the file's order, as far as the format declares them; else empty.
        entries: The sound entries. Ids are unique.
        faults: Collects what is set aside; whole only when ``entries`` is used up.
        notes: Sentences for the user; called when ``entries`` is used up.
    """

    root: Path
    format_name: str
    classes: tuple[str, ...]
    entries: Iterator[Entry]
    faults: Faults
    notes: Callable[[], Sequence[str]] = tuple

    def collect(self) -> Dataset:
        """All of it as one value, entries sorted by id; about two kilobytes of memory for each.

        Classes that the format does not declare are those met, sorted.
        """
        entries = sorted(self.entries, key=lambda entry: entry.id)
        met = {label for entry in entries for label in (*entry.labels, *entry.image_labels)}
        classes = (*self.classes, *sorted(met - set(self.classes)))
        notes = (*self.faults.notes(), *self.notes())
        return Dataset(self.root, self.format_name, classes, tuple(entries), self.faults.found, notes)


Detect = Callable[[Path], bool]
"""Whether a folder (or file) has this format's layout; looks at names and at most one small file."""

Read = Callable[[Path, ReadOptions], DatasetStream]
"""Start reading. Raises DataError where nothing can be read at all."""

Write = Callable[[Path, Sequence[str], Iterable[Entry]], Sequence[SetAside]]
"""Write entries with these classes into an empty folder, copying pictures byte for byte; returns what it cannot hold as a whole image."""


@dataclass(frozen=True)
class Format:
    """One format; its module ends with ``FORMAT = Format(...)``.

    Args:
        name: As in ``--format``.
        title: What people call it.
        layout: One line: files and folders that it is recognised by.
        holds: What it can hold and the reader keeps.
        detect: Recognises it.
        read: Reads it.
        write: Writes it, where threatray does.
        keeps_boxes_exactly: Whether written boxes come back bit for bit; else within half a pixel, as stated in ``drops``.
        drops: What published data of this format hold that the reader leaves out, one phrase each.
        faults: Known faults of the published data that the reader handles, one phrase each.
    """

    name: str
    title: str
    layout: str
    holds: frozenset[Holds]
    detect: Detect
    read: Read
    write: Write | None = None
    keeps_boxes_exactly: bool = True
    drops: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def held_by(entry: Entry) -> Mapping[Holds, int]:
    """What an entry says that not every format can hold, and how many of its things say it.

    Example:
        >>> from threatray.core import Annotations
        >>> dict(held_by(Entry(id="a", image_path=Path("a.png"), width=31, height=37, things=Annotations.none(), group="a")))
        {}
    """
    masks = sum(one is not None for one in entry.segmentations)
    counts = {
        Holds.BOXES: len(entry.things),
        Holds.MASKS: masks,
        Holds.IMAGE_LABELS: len(entry.image_labels),
        Holds.GROUP: int(entry.group != entry.id),
        Holds.PART: int(bool(entry.part)),
        Holds.DIFFICULTY: int(bool(entry.difficulty)),
        Holds.VIEW: int(bool(entry.view)),
        Holds.DUAL_ENERGY: int(entry.has_dual_energy),
        Holds.PROVENANCE: int(entry.provenance != Provenance()),
    }
    return {what: count for what, count in counts.items() if count}
