"""A folder of images without annotations, such as benign bags; pairs ``*_low`` and ``*_high`` are dual-energy scans."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from threatray.core import Annotations
from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.formats.faults import Faults, image_id, locate
from threatray.datasets.pixels import IMAGE_SUFFIXES, image_size
from threatray.errors import DataError

_ENERGIES = ("_low", "_high")


def find_images(root: Path) -> list[PurePosixPath]:
    """Image files directly in a folder, else in its ``images``, else anywhere below it; sorted, hidden ones left out."""
    for folder in (root, root / "images"):
        direct = [path for path in folder.iterdir() if _is_image(path)] if folder.is_dir() else []
        if direct:
            return sorted(PurePosixPath(path.relative_to(root)) for path in direct)
    below = (PurePosixPath(path.relative_to(root)) for path in root.rglob("*") if _is_image(path))
    return sorted(name for name in below if not any(part.startswith(".") for part in name.parts))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def read_image_folder(root: Path, *, strict: bool = False, white_level: int | None = None) -> Dataset:
    """Read a folder of images; none has anything in it as far as is known.

    Args:
        root: The folder.
        strict: The first broken image is an error instead of being set aside.
        white_level: Count of empty air in dual-energy pairs and grey scans; None: not known.

    Raises:
        DataError: No sound image.
    """
    faults = Faults(root, strict=strict)
    resolved = root.resolve()
    entries: dict[str, Entry] = {}
    for files in _together(find_images(root)):
        try:
            entry = _entry(files, root, resolved, white_level)
            if entry.id in entries:
                raise DataError(f"another image is called {entry.id!r} already")
            entries[entry.id] = entry
        except DataError as error:
            faults.add(files.item, str(error))
    if not entries:
        reason = f"the first: {faults.found[0].item}: {faults.found[0].reason}" if faults.found else "none found"
        raise DataError(f"{root}: holds no usable image ({reason}). Images end in {', '.join(IMAGE_SUFFIXES)}.")
    return Dataset(root, "image_folder", (), tuple(sorted(entries.values(), key=lambda entry: entry.id)), faults.found, faults.notes())


@dataclass(frozen=True)
class _Files:
    """The files of one view."""

    stem: PurePosixPath
    colour: PurePosixPath | None = None
    low: PurePosixPath | None = None
    high: PurePosixPath | None = None

    @property
    def item(self) -> str:
        return str(self.colour or self.low or self.high)


def _together(names: list[PurePosixPath]) -> list[_Files]:
    """Group ``a.png``, ``a_low.png``, ``a_high.png``; a lone ``*_low`` is a picture that happens to be called so."""
    present = set(names)
    pairs: dict[PurePosixPath, tuple[PurePosixPath, PurePosixPath]] = {}
    for name in names:
        partner = name.with_name(name.stem.removesuffix("_low") + "_high" + name.suffix)
        if name.stem.endswith("_low") and name.stem != "_low" and partner in present:
            pairs[name.with_name(name.stem.removesuffix("_low"))] = (name, partner)
    in_pairs = {name for pair in pairs.values() for name in pair}
    found = []
    for name in names:
        if name not in in_pairs:
            low, high = pairs.pop(name.with_suffix(""), (None, None))
            found.append(_Files(name.with_suffix(""), name, low, high))
    found += [_Files(stem, None, low, high) for stem, (low, high) in pairs.items()]
    return found


def _entry(files: _Files, root: Path, resolved: Path, white_level: int | None) -> Entry:
    paths = [None if name is None else locate(name, [root], resolved) for name in (files.colour, files.low, files.high)]
    sizes = {path.name: image_size(path) for path in paths if path is not None}
    if len(set(sizes.values())) > 1:
        shown = ", ".join(f"{name} {width}x{height}" for name, (height, width) in sizes.items())
        raise DataError(f"its files differ in size: {shown}. Cut the padding off so that both energies show the same view")
    height, width = next(iter(sizes.values()))
    own = image_id(files.stem.with_name(files.stem.name + ".x"))
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
