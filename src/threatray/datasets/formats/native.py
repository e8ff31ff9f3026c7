"""What the readers of published X-ray datasets share: the loop that sets broken images aside, small files, boxes, notes."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from threatray.core import Annotations, Provenance
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.claims import Claims
from threatray.datasets.formats.faults import Box, Faults, Locator, annotations_of, checked_box, is_unicode, safe_id
from threatray.datasets.formats.format import DatasetStream, ReadOptions
from threatray.datasets.masks import check_segmentation
from threatray.errors import DataError

PUBLISHED_SUFFIXES: Final = (".jpg", ".png", ".jpeg", ".tiff", ".tif", ".bmp", ".JPG", ".PNG", ".TIFF", ".TIF", ".JPEG")
"""How image files of the published datasets end, commonest first."""

_EVERY_BOX_BROKEN: Final = "every box of it is broken; without them it would pass for benign"

Job = tuple[str, Callable[[], Entry]]
"""What to call an image in a message, and how to read it."""


@dataclass(frozen=True)
class Published:
    """What a dataset's authors say about it.

    Args:
        name: As in ``--format``.
        title: What people call it.
        provenance: Source and terms, which every image of it carries.
        classes: Class names as its authors spell them.
        counts: Published number of images by part; the part ``""`` is all of them.
    """

    name: str
    title: str
    provenance: Provenance
    classes: tuple[str, ...]
    counts: Mapping[str, int] = field(default_factory=dict)


class _ToldError(DataError):
    """A complete message: reading is strict and has stopped."""


class Reading:
    """One reading of a published dataset: sets aside what is broken, counts what is sound.

    Args:
        published: The dataset.
        root: Its folder; no name and no link may lead out of it.
        options: How to read it.
    """

    def __init__(self, published: Published, root: Path, options: ReadOptions) -> None:
        self.published = published
        self.given = root
        self.root = root.resolve()
        self.options = options
        self.faults = Faults(root, strict=options.strict)
        self.counts: Counter[str] = Counter()
        self.unknown_classes: Counter[str] = Counter()
        self.inside: dict[str, bool] = {}
        self.claims = Claims()
        self._locators: dict[tuple[Path, ...], Locator] = {}

    def claim(self, own: str) -> str:
        """The id, which no other image may have; for readers whose files do not make ids unique by themselves.

        Raises:
            DataError: Another image has it.
        """
        _, new = self.claims.owner(own, 0)
        if not new:
            raise DataError(f"another image is called {own!r} already")
        return own

    def find(self, name: str, folders: tuple[Path, ...]) -> Path:
        """The image of this checked name in the first of the folders that holds it.

        Raises:
            DataError: In none of them, or a link leads out of the dataset.
        """
        locator = self._locators.get(folders)
        if locator is None:
            locator = self._locators[folders] = Locator(folders, self.root)
        return locator.find(name)

    def image_called(self, stem: str, folder: Path, suffixes: Sequence[str] = PUBLISHED_SUFFIXES) -> Path:
        """The image of this name, whatever its extension.

        Raises:
            DataError: There is none, or a link leads out of the dataset.
        """
        for suffix in suffixes:
            if os.path.lexists(f"{folder}/{stem}{suffix}"):
                return self.find(f"{stem}{suffix}", (folder,))
        raise DataError(f"its image {stem[:200]}{suffixes[0]} (or another type) is missing (looked in {folder.name}/)")

    def set_aside(self, item: str, reason: str) -> None:
        """Leave something out; with ``strict`` this ends the reading."""
        try:
            self.faults.add(item, reason)
        except DataError as error:
            raise _ToldError(str(error)) from None

    def clipped(self, item: str, overshoot: float) -> None:
        """A box was clipped to its image."""
        try:
            self.faults.clipped(item, overshoot)
        except DataError as error:
            raise _ToldError(str(error)) from None

    def stream(
        self, jobs: Iterable[Job], notes: Callable[[], Sequence[str]] = tuple, classes: tuple[str, ...] | None = None
    ) -> DatasetStream:
        """The entries that the jobs make, one at a time.

        Args:
            jobs: One for each image; ids of their entries are unique.
            notes: Further sentences for the user, asked for at the end.
            classes: Class names as this copy's files list them, if they do.
        """

        def all_notes() -> Sequence[str]:
            return (*self._count_notes(), *self._class_notes(), *notes())

        named = self.published.classes if classes is None else classes
        return DatasetStream(self.given, self.published.name, named, self._entries(jobs), self.faults, all_notes)

    def _entries(self, jobs: Iterable[Job]) -> Iterator[Entry]:
        sound = 0
        for item, make in jobs:
            try:
                entry = make()
            except _ToldError:
                raise
            except DataError as error:
                self.set_aside(item, str(error))
                continue
            except OSError as error:
                self.set_aside(item, f"cannot be read ({error.strerror or error})")
                continue
            sound += 1
            self.counts[entry.part] += 1
            self._remember_unknown(entry)
            yield entry
        if not sound:
            found = self.faults.found
            reason = f"{len(found)} set aside, the first: {found[0].item}: {found[0].reason}" if found else "none found"
            raise DataError(f"{self.given}: holds no usable {self.published.title} image ({reason}).")

    def _remember_unknown(self, entry: Entry) -> None:
        for label in (*entry.labels, *entry.image_labels):
            if self.published.classes and label not in self.published.classes:
                self.unknown_classes[label] += 1

    def _count_notes(self) -> Iterator[str]:
        published = self.published.counts
        here = {part: self.counts.total() if part == "" else self.counts[part] for part in published}
        if here != dict(published):
            said = ", ".join(f"{count:,}{' ' if part else ''}{part}" for part, count in published.items())
            read = ", ".join(f"{count:,}{' ' if part else ''}{part}" for part, count in here.items())
            yield f"{self.published.title} is published with {said} images; {read} were read here."

    def _class_notes(self) -> Iterator[str]:
        if self.unknown_classes:
            named = ", ".join(f"{name[:40]!r} ({count})" for name, count in sorted(self.unknown_classes.items())[:8])
            yield f"Classes that {self.published.title} does not publish were kept as they stand: {named}."


@dataclass
class Things:
    """The things of one image while they are read; a broken one is set aside as it comes."""

    reading: Reading
    width: int
    height: int
    boxes: list[Box] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    masks: list[object | None] = field(default_factory=list)
    broken: int = 0

    def add(self, item: str, label: object, corners: Sequence[object], mask: object | None = None) -> None:
        """Add a thing unless its box or label is broken.

        Args:
            item: What to call it in a message.
            label: Its class, as it stands in the file.
            corners: x0, y0, x1, y1 as they stand in the file.
            mask: COCO segmentation; a broken one is left out and its box kept.
        """
        try:
            if not isinstance(label, str) or not label.strip() or not is_unicode(label):
                raise DataError(f"its class is {str(label)[:40]!r}, no name")
            checked = checked_box(corners, self.width, self.height)
        except DataError as error:
            self.broken += 1
            self.reading.set_aside(item, str(error))
            return
        if checked.overshoot:
            self.reading.clipped(item, checked.overshoot)
        if mask is not None:
            try:
                check_segmentation(mask, self.height, self.width)
            except DataError as error:
                self.reading.set_aside(item, f"{error}; the box is kept, the mask is not")
                mask = None
        self.boxes.append(checked.box)
        self.labels.append(label.strip())
        self.masks.append(mask)

    def sound(self) -> Annotations:
        """Boxes and labels.

        Raises:
            DataError: There were boxes and every one is broken: without them the image would pass for benign.
        """
        if self.broken and not self.boxes:
            raise DataError(_EVERY_BOX_BROKEN)
        return annotations_of(self.boxes, self.labels)

    @property
    def segmentations(self) -> tuple[object | None, ...]:
        """For each thing its mask; empty if there is none at all."""
        return tuple(self.masks) if any(mask is not None for mask in self.masks) else ()


def own_id(*names: str) -> str:
    """A unique id from a part and a file name without extension, safe as a file name.

    Where a letter had to be replaced, a fingerprint of the true name is added: two names must not become one id.

    Example:
        >>> own_id("train", "009038"), own_id("a:b")
        ('train__009038', 'a_b-6783a31e')
    """
    text = "__".join(name for name in names if name)
    safe = safe_id(text)
    return safe if safe == text else f"{safe}-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:8]}"


def unknown_layout(published: Published, root: Path, expected: str) -> DataError:
    """The error for a folder that is not laid out as this dataset."""
    return DataError(f"{root}: is not laid out as {published.title}: expected {expected}.")
