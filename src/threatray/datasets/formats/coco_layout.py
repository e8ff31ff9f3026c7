"""Where COCO files and their pictures lie."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from threatray.core.manifest import MANIFEST_NAME
from threatray.errors import DataError

ANNOTATIONS_NAME: Final = "annotations.json"

_WHOLE_FILE_BYTES: Final = 1_000_000
_GLANCE: Final = 65_536
_ANNOTATION_FOLDERS: Final = ("annotations", "annotation", "labels")
_PARTS: Final = frozenset({"train", "training", "val", "valid", "validation", "test", "testing"})
_KEYS: Final = ("images", "annotations", "categories")


@dataclass(frozen=True)
class CocoFile:
    """One COCO JSON and the published part that it holds; empty if none."""

    path: Path
    part: str = ""


@dataclass(frozen=True)
class CocoLayout:
    """A dataset's folder and its COCO files, one a part."""

    root: Path
    files: tuple[CocoFile, ...]

    def image_folders(self, file: CocoFile) -> Iterator[Path]:
        """Where users put the images, seen from the JSON; nothing above the dataset."""
        root = self.root.resolve()
        stem = file.path.stem.removeprefix("instances_")
        last = stem.rpartition("_")[2]  # test/ beside annotations/full_test.json
        for base in (file.path.parent, file.path.parent.parent):
            if base.resolve().is_relative_to(root):
                yield from (
                    base / "images",
                    base,
                    base / "JPEGImages",
                    base / "image",
                    base / "data",
                    base / stem,
                    base / "images" / stem,
                    base / last,
                )

    def clash(self, first: int, second: int, picture: Path) -> str:
        """What to say where two files list one picture."""
        names = ", ".join(one.path.relative_to(self.root).as_posix() for one in self.files[:6])
        both = " and ".join(self.files[number].path.relative_to(self.root).as_posix() for number in (first, second))
        return (
            f"{self.root}: holds {len(self.files)} COCO files ({names}), which would be the parts of one dataset,"
            f" but {both} both list {picture.name}. Give the one to read instead of the folder."
        )


def find_coco(path: Path) -> CocoLayout | None:
    """The COCO files of a folder, or of a JSON given itself; None if there are none.

    ``annotations.json`` alone counts where it exists; then ``instances*.json`` and ``*.coco.json`` (also one folder down, as
    Roboflow writes them); then every JSON that begins like COCO.
    """
    if path.is_file():
        if path.suffix.lower() != ".json":
            return None
        inside = path.parent.name.lower() in _ANNOTATION_FOLDERS
        return CocoLayout(path.parent.parent if inside else path.parent, (CocoFile(path, _part_of(path)),))
    if not path.is_dir():
        return None
    if (path / ANNOTATIONS_NAME).is_file():
        return CocoLayout(path, (CocoFile(path / ANNOTATIONS_NAME),))
    places = [folder for folder in (path, path / "annotations", path / "Annotations", path / "images") if folder.is_dir()]
    listed = {file.resolve(): file for place in places for file in _files(place, ".json")}
    candidates = [file for file in listed.values() if file.name != MANIFEST_NAME]
    named = [file for file in candidates if file.name.startswith("instances") or file.name.endswith(".coco.json")]
    named += [file for folder in folders_in(path) for file in _files(folder, ".coco.json") if file not in named]
    found = named or [file for file in candidates if begins_like_coco(file)]
    if not found:
        return None
    parts = [_part_of(file) for file in found] if len(found) == 1 else _parts_of(found, path)
    return CocoLayout(path, tuple(CocoFile(file, part) for file, part in zip(found, parts, strict=True)))


def folders_in(folder: Path) -> list[Path]:
    """The folders directly in a folder, sorted; nothing is kept of the files, of which there may be a million."""
    with os.scandir(folder) as found:
        links = (one for one in found if one.is_dir(follow_symlinks=False) or one.is_symlink())
        return sorted(folder / one.name for one in links if (folder / one.name).is_dir())  # a link to itself is none


def _files(folder: Path, ending: str) -> list[Path]:
    with os.scandir(folder) as found:
        names = [one.name for one in found if one.name.endswith(ending) and not one.name.startswith(".")]
    return sorted(folder / name for name in names if (folder / name).is_file())  # no folder, no link that goes in circles


def begins_like_coco(file: Path) -> bool:
    """Whether a JSON has the three lists of a COCO file; of a large one only its two ends are looked at."""
    try:
        size = file.stat().st_size
        with file.open("rb") as handle:
            if size <= _WHOLE_FILE_BYTES:
                document = json.loads(handle.read())
                return isinstance(document, dict) and all(isinstance(document.get(key), list) for key in _KEYS)
            head = handle.read(_GLANCE).decode("utf-8", "replace")
            handle.seek(size - _GLANCE)
            tail = handle.read().decode("utf-8", "replace")
    except (OSError, ValueError, RecursionError):
        return False
    seen = [key for key in _KEYS if re.search(rf'"{key}"\s*:\s*\[', head + tail)]
    return head.lstrip().startswith("{") and bool(seen) and re.search(r'"(file_name|bbox|image_id)"\s*:', head + tail) is not None


def _part_of(file: Path) -> str:
    """The part that a single file names: ``instances_train.json``, ``train.json``, ``train/_annotations.coco.json``."""
    stem = file.stem.removeprefix("instances_")
    if stem != file.stem:
        return "" if stem == "default" else stem
    if file.name.endswith(".coco.json") and file.parent.name.lower() in _PARTS:
        return file.parent.name
    return stem if stem.lower() in _PARTS else ""


def _parts_of(files: list[Path], root: Path) -> list[str]:
    """A name for each of several files; they differ."""
    parts = []
    for file in files:
        name = file.name.removesuffix(".json").removesuffix(".coco").removeprefix("instances_")
        lone = sum(other.parent == file.parent for other in files) == 1 and file.parent != root
        parts.append(file.parent.name if lone and file.parent.name.lower() not in _ANNOTATION_FOLDERS else name)
    if len(set(parts)) != len(parts):
        shown = ", ".join(file.relative_to(root).as_posix() for file in files[:6])
        raise DataError(f"{root}: holds {len(files)} COCO files ({shown}) of one name. Give the one to read instead of the folder.")
    return parts
