"""Published datasets whose parts are COCO files, each with its own folder of images (PIDray, CLCXray, PIXray, LDXray)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from threatray.core.files import read_json
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.faults import locate, number_of, relative_name
from threatray.datasets.formats.format import DatasetStream, ReadOptions
from threatray.datasets.formats.native import Job, Published, Reading, Things, own_id
from threatray.datasets.pixels import image_size
from threatray.errors import DataError

Named = Callable[[Mapping[str, Any]], object]
"""What an image record names as its file."""


@dataclass(frozen=True)
class CocoPart:
    """One part.

    Args:
        file: Its JSON.
        folders: Where its images are, in order.
        name: ``train`` or ``test``.
        difficulty: Its published level, if it has one.
    """

    file: Path
    folders: tuple[Path, ...]
    name: str
    difficulty: str = ""


@dataclass(frozen=True)
class Listed:
    """An image that a COCO file lists, with what it says about it."""

    item: str
    record: Mapping[str, Any]
    annotations: Sequence[tuple[str, Any]]
    classes: Mapping[int, str]


@dataclass(frozen=True)
class CocoLists:
    """The three lists of a COCO file, joined."""

    file: Path
    classes: Mapping[int, str]
    images: list[Any]
    annotations: Mapping[object, list[tuple[str, Any]]]

    @classmethod
    def read(cls, file: Path) -> CocoLists:
        """Read a file whole.

        Raises:
            DataError: Not JSON, not COCO, or categories without ids and names.
        """
        document = read_json(file)
        lists = [document.get(key) if isinstance(document, Mapping) else None for key in ("images", "annotations", "categories")]
        if not all(isinstance(one, list) for one in lists):
            raise DataError(f"{file}: expected a COCO file with lists 'images', 'annotations' and 'categories'.")
        images, annotations, categories = lists
        joined: dict[object, list[tuple[str, Any]]] = {}
        for place, annotation in enumerate(annotations or (), 1):
            owner = annotation.get("image_id") if isinstance(annotation, Mapping) else None
            key = owner if type(owner) in (int, str) else None
            joined.setdefault(key, []).append((f"{file.name}, annotation number {place}", annotation))
        return cls(file, _classes(file, categories or []), images or [], joined)


def _classes(file: Path, categories: list[Any]) -> dict[int, str]:
    classes: dict[int, str] = {}
    for category in categories:
        number, name = (category.get("id"), category.get("name")) if isinstance(category, Mapping) else (None, None)
        if type(number) is not int or not isinstance(name, str) or not name.strip():
            raise DataError(f"{file}: expected categories with a whole 'id' and a 'name', got {str(category)[:100]}.")
        if classes.setdefault(number, name) != name:
            raise DataError(f"{file}: two categories have the id {number}: {classes[number]!r} and {name!r}.")
    return classes


def read_coco_parts(
    published: Published,
    parts: Sequence[CocoPart],
    root: Path,
    options: ReadOptions,
    *,
    jobs_of: Callable[[Listed, CocoPart, Reading], Iterator[Job]] | None = None,
    named: Named = lambda record: record.get("file_name"),
    notes: Callable[[Reading], Sequence[str]] = lambda reading: (),
) -> DatasetStream:
    """Read a dataset whose parts are COCO files; one file is in memory at a time.

    Classes are found by the name that the file gives to an id, never by place: papers list them in another order.

    Args:
        published: What its authors say about it.
        parts: Its parts that are there.
        root: The folder; no name and no link may lead out of it.
        options: How to read it.
        jobs_of: What an image becomes, if not one entry.
        named: What a record names as its file.
        notes: Further sentences for the user.

    Raises:
        DataError: Its only file is not COCO, or (from the entries) nothing sound in it.
    """
    reading = Reading(published, root, options)
    counted: Counter[str] = Counter()
    ahead: list[CocoLists | DataError] = [_read(parts[0])]  # it says which classes there are
    if len(parts) == 1 and isinstance(ahead[0], DataError):
        raise ahead[0]
    classes = tuple(dict.fromkeys(ahead[0].classes.values())) if isinstance(ahead[0], CocoLists) else published.classes

    def jobs() -> Iterator[Job]:
        for part in parts:
            lists = ahead.pop() if ahead else _read(part)
            if isinstance(lists, DataError):
                reading.set_aside(part.file.name, f"the whole part {part.name}: {lists}")
                continue
            for listed in _listed(lists, reading):
                if jobs_of is None:
                    yield listed.item, _one_job(listed, part, reading, counted, named)
                else:
                    yield from jobs_of(listed, part, reading)

    def all_notes() -> Sequence[str]:
        crowds = counted["crowds"]
        said = [f"{crowds} crowd annotation(s) (iscrowd) were left out: they outline groups, not things."] if crowds else []
        return (*said, *notes(reading))

    return reading.stream(jobs(), all_notes, classes)


def _read(part: CocoPart) -> CocoLists | DataError:
    try:
        return CocoLists.read(part.file)
    except DataError as error:
        return error


def _one_job(listed: Listed, part: CocoPart, reading: Reading, counted: Counter[str], named: Named) -> Callable[[], Entry]:
    return lambda: entry_of(listed, part, reading, counted, named)


def _listed(lists: CocoLists, reading: Reading) -> Iterator[Listed]:
    """The images that can be told apart; the others, and annotations of no image, are set aside."""
    ids = Counter(_key(record) for record in lists.images)
    names: set[str] = set()
    for place, record in enumerate(lists.images, 1):
        item = f"{lists.file.name}, image number {place}"
        name = record.get("file_name") if isinstance(record, Mapping) else None
        key = _key(record)
        if isinstance(name, str) and name.strip():
            item = f"{lists.file.name}, {name[:200]}"
        if key is None:
            reading.set_aside(item, "is no COCO image: it needs an 'id' (whole number or text) and a 'file_name'")
        elif ids[key] > 1:
            reading.set_aside(item, f"the image id {key!r} is used more than once, so its annotations cannot be told apart")
        elif isinstance(name, str) and name in names:
            reading.set_aside(item, "its file is listed more than once")
        else:
            names.add(name if isinstance(name, str) else "")
            yield Listed(item, record, lists.annotations.get(key, ()), lists.classes)
    for owner, orphans in lists.annotations.items():
        if owner is None or owner not in ids:
            for item, _ in orphans:
                reading.set_aside(item, f"belongs to image {str(owner)[:50]!r}, which the file does not list")


def _key(record: Any) -> int | str | None:
    number = record.get("id") if isinstance(record, Mapping) else None
    return number if type(number) in (int, str) else None


def entry_of(
    listed: Listed,
    part: CocoPart,
    reading: Reading,
    counted: Counter[str],
    named: Named = lambda record: record.get("file_name"),
) -> Entry:
    """A listed image with its boxes and masks.

    Raises:
        DataError: Its image is missing or of another size, or every box of it is broken.
    """
    name = relative_name(named(listed.record))
    image = locate(name, part.folders, reading.root)
    width, height = _size(listed.record, image, check=reading.options.headers)
    things = Things(reading, width, height)
    for item, annotation in listed.annotations:
        if annotation.get("iscrowd") == 1:
            counted["crowds"] += 1
            continue
        category = annotation.get("category_id")
        if type(category) is not int or category not in listed.classes:
            things.broken += 1
            reading.set_aside(f"{item} of {name}", f"category {str(category)[:50]!r} is not among the file's categories")
            continue
        things.add(f"{item} of {name}", listed.classes[category], _corners(annotation.get("bbox")), annotation.get("segmentation") or None)
    own = reading.claim(own_id(part.difficulty or part.name, *name.parent.parts, name.stem))
    return Entry(
        id=own,
        image_path=image,
        width=width,
        height=height,
        things=things.sound(),
        segmentations=things.segmentations,
        group=own,
        provenance=reading.published.provenance,
        part=part.name,
        difficulty=part.difficulty,
    )


def _size(record: Mapping[str, Any], image: Path, *, check: bool) -> tuple[int, int]:
    """Width and height: from the file, or as annotated if headers are not wanted."""
    width, height = record.get("width"), record.get("height")
    whole = type(width) is int and type(height) is int and width > 0 and height > 0
    if whole and not check:
        return width, height  # type: ignore[return-value]
    rows, columns = image_size(image)
    if whole and (width, height) != (columns, rows):
        raise DataError(f"is annotated as {width}x{height} pixels, but its file has {columns}x{rows}")
    return columns, rows


def _corners(box: object) -> Sequence[object]:
    if not isinstance(box, list) or len(box) != 4:
        return [str(box)[:20]]
    x, y, width, height = (number_of(value) for value in box)
    return [x, y, x + width, y + height]
