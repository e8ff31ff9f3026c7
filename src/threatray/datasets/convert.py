"""One format into another: pictures byte for byte, and a list of what the other format has no place for."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from threatray.core import SetAside
from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.fingerprints import ProgressCallback
from threatray.datasets.formats.format import Format, Holds, held_by
from threatray.datasets.formats.registry import FORMATS, format_of
from threatray.errors import ConfigError, DataError


@dataclass(frozen=True)
class Lost:
    """Something that the written format has no place for.

    Args:
        what: What it is.
        things: How many of them.
        images: In how many of the written images.
    """

    what: Holds
    things: int
    images: int


@dataclass(frozen=True)
class Converted:
    """What ``convert`` wrote.

    Args:
        images: How many were written.
        set_aside: Images the format cannot hold, and why.
        lost: What the written images said and the format cannot hold.
        boxes_rounded: Whether the format keeps boxes within half a pixel only.
    """

    images: int
    set_aside: tuple[SetAside, ...]
    lost: tuple[Lost, ...]
    boxes_rounded: bool = False


def writable() -> tuple[str, ...]:
    """The names of the formats that can be written.

    Example:
        >>> "coco" in writable(), "image_folder" in writable()
        (True, False)
    """
    return tuple(one.name for one in FORMATS if one.write is not None)


def convert(dataset: Dataset, out_folder: Path, format_name: str, *, progress: ProgressCallback | None = None) -> Converted:
    """Write a dataset in another format.

    Law: reading what was written gives back all that the format holds; the rest is counted in ``lost``, never dropped in silence.

    Args:
        dataset: As read.
        out_folder: Absent or empty. After an error it is again as it was.
        format_name: One of ``writable()``.
        progress: Called with (done, total).

    Raises:
        ConfigError: No such format, or the folder holds something already.
        DataError: Nothing could be written.

    Note:
        An image that is known to hold a threat without a box is set aside where the format would show it as benign.
    """
    target = _target(format_name)
    before = {path.name for path in out_folder.iterdir()} if out_folder.is_dir() else None
    taken = sorted(name for name in before or () if not name.startswith("."))
    if taken:
        raise ConfigError(f"{out_folder / taken[0]}: exists already. Choose another folder.")
    hidden = [entry for entry in dataset.entries if _would_pass_for_benign(entry, target)]
    left_out = {entry.id for entry in hidden}
    entries = [entry for entry in dataset.entries if entry.id not in left_out]
    labels = {label for entry in entries for label in (*entry.labels, *entry.image_labels)}
    classes = (*dataset.classes, *sorted(labels - set(dataset.classes)))
    out_folder.mkdir(parents=True, exist_ok=True)
    try:
        refused = _write(target, out_folder, classes, entries, progress)
        names = {one.item for one in refused}
        kept = [entry for entry in entries if entry.id not in names]
        if not kept:
            reason = f", e.g. {refused[0].item}: {refused[0].reason}" if refused else ""
            raise DataError(f"{dataset.root}: none of its {len(dataset.entries)} images can be written as {format_name}{reason}.")
    except BaseException:
        _remove(out_folder, before)
        raise
    reason = f"holds a threat without a box; as {format_name} it would pass for benign"
    unseen = tuple(SetAside(entry.id, reason) for entry in hidden)
    rounded = not target.keeps_boxes_exactly and any(len(entry.things) for entry in kept)
    return Converted(len(kept), (*unseen, *refused), lost_in(kept, target.holds), rounded)


def lost_in(entries: Iterable[Entry], holds: frozenset[Holds]) -> tuple[Lost, ...]:
    """What entries say that a format which holds this much cannot say.

    Args:
        entries: Those written.
        holds: See ``Format.holds``.

    Example:
        >>> from threatray.core import Annotations
        >>> entry = Entry(id="a", image_path=Path("a.png"), width=31, height=37, things=Annotations.none(), group="a", difficulty="easy")
        >>> [(one.what.value, one.things, one.images) for one in lost_in([entry], frozenset())]
        [('difficulty', 1, 1)]
    """
    things = dict.fromkeys(Holds, 0)
    images = dict.fromkeys(Holds, 0)
    for entry in entries:
        for what, count in held_by(entry).items():
            if what not in holds:
                things[what] += count
                images[what] += 1
    return tuple(Lost(what, things[what], images[what]) for what in Holds if images[what])


def _target(name: str) -> Format:
    if name not in writable():
        raise ConfigError(f"convert: expected one of {', '.join(writable())}, got {name!r}.")
    return format_of(name)


def _would_pass_for_benign(entry: Entry, target: Format) -> bool:
    unseen = bool(entry.image_labels) and not len(entry.things)
    return unseen and Holds.BOXES in target.holds and Holds.IMAGE_LABELS not in target.holds


def _write(
    target: Format, folder: Path, classes: Sequence[str], entries: Sequence[Entry], progress: ProgressCallback | None
) -> Sequence[SetAside]:
    def reported() -> Iterator[Entry]:
        for done, entry in enumerate(entries):
            if progress is not None:
                progress(done, len(entries))
            yield entry
        if progress is not None:
            progress(len(entries), len(entries))

    if target.write is None:
        raise ConfigError(f"{target.name}: has no writer.")
    return target.write(folder, classes, reported())


def _remove(folder: Path, before: set[str] | None) -> None:
    """Take away what an unfinished conversion left."""
    if before is None:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.iterdir():
        if path.name in before:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
