"""YOLO as Ultralytics, Roboflow, darknet, CVAT and labelImg write it: one text a picture; boxes, outlines, rotated boxes, mixed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Final

from threatray.datasets.dataset import Entry
from threatray.datasets.formats.faults import Box, Faults, Locator, annotations_of, image_id, stays_inside
from threatray.datasets.formats.format import DatasetStream, Format, Holds, ReadOptions
from threatray.datasets.formats.sound import MOST_THINGS, sound_entries, text_of
from threatray.datasets.formats.yolo_labels import kinds_met, parse_line
from threatray.datasets.formats.yolo_layout import (
    YoloLayout,
    find_layout,
    is_picture,
    label_path,
    listed_names,
    looks_like_yolo,
    part_in,
    places_below,
    stated_task,
)
from threatray.datasets.formats.yolo_writer import write_yolo
from threatray.datasets.pixels import image_size
from threatray.errors import DataError

UNLABELLED: Final = "has no label file. An empty one would say that it is benign; without one nothing is known"

_NO_LABELS: Final = ("classes.txt", "train.txt", "val.txt", "valid.txt", "test.txt", "readme.txt", "predefined_classes.txt")


def read_yolo(path: Path, options: ReadOptions, *, format_name: str = "yolo") -> DatasetStream:
    """Read a YOLO dataset of any of its kinds; which kind its lines are is said in the notes.

    An empty label file says that the image is benign. An image without one is set aside, since nothing is known about it. An
    outline's box is its extent; a rotated box is read as an outline of four corners.

    Args:
        path: The dataset's folder, or its data.yaml.
        options: How.
        format_name: What the stream is called.

    Raises:
        DataError: The data.yaml is broken or names no classes.
    """
    layout = find_layout(path)
    root = layout.root.resolve()
    reader = _Reader(layout, root, Faults(layout.root, strict=options.strict), Locator([layout.root], root))
    classes = tuple(dict.fromkeys(layout.names.values()))
    entries = sound_entries(reader.entries(), layout.root, reader.faults)
    return DatasetStream(layout.root, format_name, classes, entries, reader.faults, reader.notes)


@dataclass
class _Reader:
    layout: YoloLayout
    root: Path
    faults: Faults
    locator: Locator
    columns: Counter[int] = field(default_factory=Counter)
    twice: int = 0
    ids: dict[str, str] = field(default_factory=dict)
    walked: set[Path] = field(default_factory=set)

    def notes(self) -> tuple[str, ...]:
        kinds = kinds_met(self.columns)
        notes = [*self.layout.notes, *([kinds] if kinds else [])]
        if self.twice:
            notes.append(
                f"{self.twice} image(s) are listed in two parts: they were read once, for the first. A test on them would be a leak."
            )
        return tuple(notes)

    def entries(self) -> Iterator[Entry]:
        for source in self.layout.sources:
            if source.folder is not None:
                yield from self._below(source.folder, source.part)
            elif source.listing is not None:
                yield from self._listed(source.listing, source.part)

    def _below(self, top: Path, part: str) -> Iterator[Entry]:
        for name, folders, files in os.walk(top):
            folders[:] = sorted(folder for folder in folders if not folder.startswith(".") and folder != "labels")
            folder = Path(name)
            images = sorted(file for file in files if is_picture(file))
            if folder.resolve() in self.walked:
                self.twice += len(images)
                continue
            self.walked.add(folder.resolve())
            yield from self._folder(folder, top, part, images)

    def _folder(self, folder: Path, top: Path, part: str, images: Sequence[str]) -> Iterator[Entry]:
        if not stays_inside(folder, self.root):
            self.faults.add(folder.name, "is a link that leads out of the dataset")
            return
        place = PurePosixPath(folder.relative_to(self.layout.root))
        labels = label_path(place / "x.png").parent
        texts = _texts(self.layout.root / labels)
        if not texts:
            labels, texts = place, _texts(folder)
        outer, within, before = (_prefix(path) for path in (place, PurePosixPath(folder.relative_to(top)), labels))
        part = part or part_in(place)
        for image in images:
            text = image.rpartition(".")[0] + ".txt"
            known = text in texts
            texts.discard(text)
            yield from self._image(outer + image, within + image, part, before + text if known else None)
        for name in sorted(texts):
            if images and name.lower() not in _NO_LABELS:
                self.faults.add(before + name, "labels an image that is missing")

    def _listed(self, listing: Path, part: str) -> Iterator[Entry]:
        for number, listed in listed_names(listing, self.root):
            item = f"{listing.name}, line {number}"
            if isinstance(listed, DataError):
                self.faults.add(item, str(listed))
                continue
            found = next((place for place in places_below(listed.as_posix(), self.layout.root) if _exists(place)), None)
            if found is None:
                self.faults.add(item, f"its image {listed.as_posix()[:200]} is missing")
                continue
            name = PurePosixPath(found.relative_to(self.layout.root))
            inner = PurePosixPath(
                *(folder for folder in name.parts if not (folder in ("images", "obj_train_data") or part_in(Path(folder))))
            )
            text = next((text for text in (label_path(name), name.with_suffix(".txt")) if _exists(self.layout.root / text)), None)
            yield from self._image(str(name), str(inner if inner.name else name), part, None if text is None else str(text))

    def _image(self, name: str, inner: str, part: str, text: str | None) -> Iterator[Entry]:
        """One entry, or none if the image is set aside."""
        first, slash, rest = inner.partition("/")
        if slash and part and part_in(PurePosixPath(first)) == part:
            inner = rest
        own = image_id(inner)
        if self.ids.get(own, name) != name:
            own = f"{part}__{own}" if part else image_id(name)
        if self.ids.get(own) == name:
            self.twice += 1
            return
        self.ids.setdefault(own, name)
        try:
            if text is None:
                raise DataError(UNLABELLED)
            yield self._entry(own, self.locator.find(name), part, text)
        except DataError as error:
            self.faults.add(name, str(error))

    def _entry(self, own: str, image: Path, part: str, text: str) -> Entry:
        height, width = image_size(image)
        boxes: list[Box] = []
        labels: list[str] = []
        outlines: list[object | None] = []
        try:
            lines = text_of(self.locator.find(text)).splitlines()
        except DataError as error:
            raise DataError(f"its label file {text}: {error}") from None
        if len(lines) > MOST_THINGS:
            raise DataError(f"its label file {text} has {len(lines):,} lines, more than the {MOST_THINGS:,} that are read")
        spoilt = False
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            item = f"{text}, line {number}"
            try:
                thing = parse_line(line, width, height, self.layout.keypoint_numbers)
                label = self._label(thing.number)
            except DataError as error:
                self.faults.add(item, str(error))
                spoilt = True
                continue
            if thing.box.overshoot:
                self.faults.clipped(item, thing.box.overshoot)
            self.columns[thing.columns] += 1
            boxes.append(thing.box.box)
            labels.append(label)
            outlines.append(None if thing.outline is None else [thing.outline])
        if spoilt and not boxes:
            raise DataError("every line of its label file is broken; without them it would pass for benign")
        segmentations = tuple(outlines) if any(one is not None for one in outlines) else ()
        things = annotations_of(boxes, labels)
        return Entry(id=own, image_path=image, width=width, height=height, things=things, segmentations=segmentations, group=own, part=part)

    def _label(self, number: int) -> str:
        names = self.layout.names
        if not names:
            return str(number)
        if number not in names:
            raise DataError(f"class {number} is not among the {len(names)} classes ({', '.join(list(names.values())[:8])[:120]})")
        return names[number]


_OF_TASK: Final = {"detect": "yolo", "segment": "yolo_segments", "obb": "yolo_obb"}


def _prefix(place: PurePosixPath) -> str:
    return "" if str(place) == "." else f"{place}/"


def _texts(folder: Path) -> set[str]:
    return {child.name for child in os.scandir(folder) if child.name.endswith(".txt")} if folder.is_dir() else set()


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _kind(path: Path) -> str:
    """Which of the three formats a dataset is: as its data.yaml says, or by its first label file that holds anything."""
    folder = path.parent if path.is_file() else path
    task = stated_task(path)
    if task in _OF_TASK:
        return _OF_TASK[task]
    for file in islice((file for file in folder.rglob("*.txt") if file.name.lower() not in _NO_LABELS), 200):
        try:
            with file.open("rb") as handle:
                lines = [line.split() for line in handle.read(100_000).splitlines()]
        except OSError:
            continue
        columns = {len(words) for words in lines if words and words[0].replace(b".", b"").isdigit()}
        if columns:
            return "yolo_obb" if columns == {9} else "yolo_segments" if columns - {5} and all(number % 2 for number in columns) else "yolo"
    return "yolo"


def _detector(name: str) -> Callable[[Path], bool]:
    return lambda path: looks_like_yolo(path) and _kind(path) == name


_LAYOUT: Final = "data.yaml with names, or labels/*.txt beside images/, or classes.txt, obj.names or obj.data"
_DROPS: Final = ("key points of poses",)
_FAULTS: Final = (
    "paths in data.yaml and image lists that name another machine's folders, or climb with ..",
    "pixels instead of fractions",
    "class numbers beyond the names",
    "labels of images that are missing; images without a label file (not the same as benign)",
    "an image listed in two parts",
)

FORMAT: Final = Format(
    name="yolo",
    title="YOLO, boxes",
    layout=_LAYOUT,
    holds=frozenset({Holds.BOXES, Holds.PART}),
    detect=_detector("yolo"),
    read=read_yolo,
    write=partial(write_yolo, kind="boxes"),
    drops=(*_DROPS, "corners nearer to the border than 2^-26 of the side, but not on it: moved by less than 2^-52 of it"),
    faults=_FAULTS,
)

SEGMENTS: Final = Format(
    name="yolo_segments",
    title="YOLO, outlines",
    layout=f"{_LAYOUT}; lines of a class and 3 or more corners",
    holds=frozenset({Holds.BOXES, Holds.MASKS, Holds.ROTATED_BOXES, Holds.PART}),
    detect=_detector("yolo_segments"),
    read=partial(read_yolo, format_name="yolo_segments"),
    write=partial(write_yolo, kind="segments"),
    keeps_boxes_exactly=False,
    drops=(*_DROPS, "when written: boxes that are not their outline's extent; a thing without an outline gets its box as a closed ring"),
    faults=_FAULTS,
)

OBB: Final = Format(
    name="yolo_obb",
    title="YOLO, rotated boxes",
    layout=f"{_LAYOUT}; lines of a class and 4 corners",
    holds=frozenset({Holds.BOXES, Holds.ROTATED_BOXES, Holds.PART}),
    detect=_detector("yolo_obb"),
    read=partial(read_yolo, format_name="yolo_obb"),
    write=partial(write_yolo, kind="obb"),
    keeps_boxes_exactly=False,
    drops=(*_DROPS, "when written: the smallest rotated rectangle round an outline takes its place, and its box's"),
    faults=_FAULTS,
)

FORMATS: Final = (FORMAT, SEGMENTS, OBB)
