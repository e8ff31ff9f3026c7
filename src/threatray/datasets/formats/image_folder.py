"""A folder of images without annotations, such as benign bags; pairs ``*_low`` and ``*_high`` are dual-energy scans."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from threatray.core import Annotations
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.claims import Claims
from threatray.datasets.formats.faults import Faults, Locator, image_id
from threatray.datasets.formats.format import DatasetStream, Format, Holds, ReadOptions
from threatray.datasets.pixels import IMAGE_SUFFIXES, image_size
from threatray.errors import DataError


def find_images(root: Path) -> list[PurePosixPath]:
    """Image files directly in a folder, else in its ``images``, else anywhere below it; sorted, hidden ones left out."""
    return [PurePosixPath(name) for name in _names(root)]


def _names(root: Path) -> list[str]:
    for folder, prefix in ((root, ""), (root / "images", "images/")):
        direct = [prefix + name for name in _listing(folder) if _is_image(name)] if folder.is_dir() else []
        if direct:
            return sorted(direct)
    return sorted(_below(root))


def _below(root: Path) -> Iterator[str]:
    for folder, inner, names in os.walk(root):
        inner[:] = [name for name in inner if not name.startswith(".")]
        below = Path(folder).relative_to(root).as_posix()
        prefix = "" if below == "." else f"{below}/"
        yield from (prefix + name for name in names if _is_image(name))


def _listing(folder: Path) -> list[str]:
    return os.listdir(folder)  # noqa: PTH208 - names only: a path object for each would take five times the memory


def _is_image(name: str) -> bool:
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")


def read_image_folder(root: Path, options: ReadOptions) -> DatasetStream:
    """Read a folder of images; none has anything in it as far as is known. Headers are always read: nothing else tells the size.

    Args:
        root: The folder.
        options: How.

    Returns:
        The images in the order of their names. Memory holds the names only, no entries.

    Raises:
        DataError: (While the entries are read) no sound image.
    """
    faults = Faults(root, strict=options.strict)
    return DatasetStream(root, "image_folder", (), _entries(root, options, faults), faults)


def _entries(root: Path, options: ReadOptions, faults: Faults) -> Iterator[Entry]:
    locator = Locator([root], root.resolve())
    names = _names(root)
    claims = Claims()
    any_sound = False
    for files in _together(names):
        try:
            entry = _entry(files, locator, options.white_level)
            if not claims.owner(entry.id, 0)[1]:
                raise DataError(f"another image is called {entry.id!r} already")
        except DataError as error:
            faults.add(files.item, str(error))
            continue
        any_sound = True
        yield entry
    if not any_sound:
        reason = f"the first: {faults.found[0].item}: {faults.found[0].reason}" if faults.found else "none found"
        raise DataError(f"{root}: holds no usable image ({reason}). Images end in {', '.join(IMAGE_SUFFIXES)}.")


@dataclass(frozen=True)
class _Files:
    """The files of one view."""

    stem: str
    colour: str | None = None
    low: str | None = None
    high: str | None = None

    @property
    def item(self) -> str:
        return str(self.colour or self.low or self.high)


def _together(names: list[str]) -> Iterator[_Files]:
    """Group ``a.png``, ``a_low.png``, ``a_high.png``; a lone ``*_low`` is a picture that happens to be called so."""
    highs = {name for name in names if _stem(name).endswith("_high")}
    pairs: dict[str, tuple[str, str]] = {}
    in_pairs: set[str] = set()
    for name in names:
        stem = _stem(name)
        if not stem.endswith("_low") or stem.endswith("/_low") or stem == "_low":
            continue
        base = stem.removesuffix("_low")
        partner = f"{base}_high{name[len(stem) :]}"
        if partner in highs:
            pairs[base] = (name, partner)
            in_pairs |= {name, partner}
    for name in names:
        if name not in in_pairs:
            low, high = pairs.pop(_stem(name), (None, None))
            yield _Files(_stem(name), name, low, high)
    for stem, (low, high) in pairs.items():
        yield _Files(stem, None, low, high)


def _stem(name: str) -> str:
    """A relative name without its suffix."""
    return name.rpartition(".")[0]


def _entry(files: _Files, locator: Locator, white_level: int | None) -> Entry:
    paths = [None if name is None else locator.find(PurePosixPath(name)) for name in (files.colour, files.low, files.high)]
    sizes = {path.name: image_size(path) for path in paths if path is not None}
    if len(set(sizes.values())) > 1:
        shown = ", ".join(f"{name} {width}x{height}" for name, (height, width) in sizes.items())
        raise DataError(f"its files differ in size: {shown}. Cut the padding off so that both energies show the same view")
    height, width = next(iter(sizes.values()))
    own = image_id(PurePosixPath(f"{files.stem}.x"))
    return Entry(
        id=own,
        image_path=paths[0],
        low_path=paths[1],
        high_path=paths[2],
        width=width,
        height=height,
        things=Annotations.none(),
        group=own,
        white_level=white_level,
    )


def _detect(path: Path) -> bool:
    if not path.is_dir():
        return False
    return any(_is_image(name) for name in _listing(path)) or any(True for _ in _below(path))


FORMAT: Final = Format(
    name="image_folder",
    title="Image folder",
    layout=f"files that end in {', '.join(IMAGE_SUFFIXES)}",
    holds=frozenset({Holds.DUAL_ENERGY}),
    detect=_detect,
    read=read_image_folder,
    drops=("everything that is said beside the pictures",),
    faults=("the two energies of one view differ in size", "pictures that are cut off"),
)
