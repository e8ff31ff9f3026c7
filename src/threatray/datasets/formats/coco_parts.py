"""Published datasets whose parts are COCO files, each with its own folder of images (PIDray, CLCXray, PIXray, LDXray)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from threatray.datasets.dataset import Entry
from threatray.datasets.formats import coco_store
from threatray.datasets.formats.coco_store import CocoStore, Placed, key_of, open_coco
from threatray.datasets.formats.faults import checked_name, is_unicode, number_of
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
class _Lists:
    """A COCO file's lists, and its classes by id."""

    store: CocoStore
    classes: Mapping[int, str]

    @classmethod
    def read(cls, file: Path) -> _Lists:
        """Read a file; a large one is joined on disk.

        Raises:
            DataError: Not JSON, not COCO, or categories without ids and names.
        """
        store = open_coco(file, spill=_is_large(file))
        return cls(store, _classes(file, store.categories))


def _is_large(file: Path) -> bool:
    return file.stat().st_size > coco_store.SPILL_BYTES


def _classes(file: Path, categories: Sequence[Any]) -> dict[int, str]:
    classes: dict[int, str] = {}
    for category in categories:
        number, name = (category.get("id"), category.get("name")) if isinstance(category, Mapping) else (None, None)
        if type(number) is not int or not isinstance(name, str) or not name.strip() or not is_unicode(name):
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
    """Read a dataset whose parts are COCO files; one file is in memory at a time, and a large one is joined on disk.

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
    ahead: list[_Lists | DataError] = [_read(parts[0])]  # it says which classes there are
    if len(parts) == 1 and isinstance(ahead[0], DataError):
        raise ahead[0]
    classes = tuple(dict.fromkeys(ahead[0].classes.values())) if isinstance(ahead[0], _Lists) else published.classes

    def jobs() -> Iterator[Job]:
        for part in parts:
            lists = ahead.pop() if ahead else _read(part)
            if isinstance(lists, DataError):
                reading.set_aside(part.file.name, f"the whole part {part.name}: {lists}")
                continue
            for listed in _listed(lists, part.file, reading):
                if jobs_of is None:
                    yield listed.item, _one_job(listed, part, reading, counted, named)
                else:
                    yield from jobs_of(listed, part, reading)

    def all_notes() -> Sequence[str]:
        crowds = counted["crowds"]
        said = [f"{crowds} crowd annotation(s) (iscrowd) were left out: they outline groups, not things."] if crowds else []
        return (*said, *notes(reading))

    return reading.stream(jobs(), all_notes, classes)


def _read(part: CocoPart) -> _Lists | DataError:
    try:
        return _Lists.read(part.file)
    except DataError as error:
        return error


def _one_job(listed: Listed, part: CocoPart, reading: Reading, counted: Counter[str], named: Named) -> Callable[[], Entry]:
    return lambda: entry_of(listed, part, reading, counted, named)


def _listed(lists: _Lists, file: Path, reading: Reading) -> Iterator[Listed]:
    """The images that can be told apart; the others, and annotations of no image, are set aside."""
    for image in lists.store.images():
        name = image.value.get("file_name") if isinstance(image.value, Mapping) else None
        shown = name[:200] if isinstance(name, str) and name.strip() else f"image number {image.place + 1}"
        item, key = f"{file.name}, {shown}", key_of(image.value)
        if key is None:
            reading.set_aside(item, "is no COCO image: it needs an 'id' (whole number or text) and a 'file_name'")
        elif image.repeated:
            reading.set_aside(item, f"the image id {key!r} is used more than once, so its annotations cannot be told apart")
        else:
            annotations = [(_called(file, one), one.value) for one in lists.store.annotations(key)]
            yield Listed(item, image.value, annotations, lists.classes)
    for orphan in lists.store.orphans():
        owner = orphan.value.get("image_id") if isinstance(orphan.value, Mapping) else None
        reading.set_aside(_called(file, orphan), f"belongs to image {str(owner)[:50]!r}, which the file does not list")


def _called(file: Path, annotation: Placed) -> str:
    return f"{file.name}, annotation number {annotation.place + 1}"


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
    name = checked_name(named(listed.record))
    image = reading.find(name, part.folders)
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
    own = reading.claim(own_id(part.difficulty or part.name, *_stem(name)))
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


def _stem(name: str) -> tuple[str, ...]:
    """A checked name's folders, and itself without extension."""
    path = PurePosixPath(name)
    return (*path.parent.parts, path.stem)


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
