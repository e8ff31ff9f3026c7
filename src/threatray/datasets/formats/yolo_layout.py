"""Where a YOLO dataset keeps its images, labels and class names: Ultralytics, Roboflow, darknet and CVAT, labelImg."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path, PurePath, PurePosixPath
from typing import Any, Final

from threatray.datasets.formats.faults import relative_name, stays_inside
from threatray.datasets.formats.sound import bounded_text, class_name
from threatray.datasets.pixels import IMAGE_SUFFIXES
from threatray.errors import DataError

LARGEST_YAML: Final = 200_000
"""Bytes of a data.yaml: a thousand classes take 30,000, and the parser a second for 100,000."""

_LARGEST_NAMES: Final = 1_000_000

_PARTS: Final = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_NAME_FILES: Final = (
    "classes.txt",
    "obj.names",
    "labels/classes.txt",
    "data/obj.names",
    "predefined_classes.txt",
    "data/predefined_classes.txt",
)
_YAML_NAMES: Final = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_DEEPEST: Final = 3


@dataclass(frozen=True)
class Source:
    """Images of one published part.

    Args:
        part: ``train``, ``val``, ``test``, another name, or empty.
        folder: The folder that holds them, at any depth; or None.
        listing: The text file that lists them; or None.
    """

    part: str
    folder: Path | None = None
    listing: Path | None = None


@dataclass
class YoloLayout:
    """What is known before the first label file is read.

    Args:
        root: The dataset's folder.
        names: Class number -> name; empty if nothing names the classes.
        sources: Where images are.
        keypoint_numbers: Extra numbers at the end of each line (poses).
        notes: What the user should know.
    """

    root: Path
    names: Mapping[int, str]
    sources: list[Source] = field(default_factory=list)
    keypoint_numbers: int = 0
    notes: list[str] = field(default_factory=list)


def looks_like_yolo(root: Path) -> bool:
    """A data.yaml with names and parts, ``labels/`` beside ``images/``, obj.data, or a class list beside images and texts."""
    if root.is_file():
        return root.suffix.lower() in (".yaml", ".yml") and _names_classes(root)
    if any(_names_classes(file) for file in _yaml_files(root)) or (root / "obj.data").is_file():
        return True
    if any(next(labels.rglob("*.txt"), None) is not None for _, labels in _image_folders(root)):
        return True
    return any((root / name).is_file() for name in _NAME_FILES) and _texts_beside_images(root)


def find_layout(path: Path) -> YoloLayout:
    """Find names and sources.

    Args:
        path: The dataset's folder, or its data.yaml.

    Raises:
        DataError: A broken data.yaml, several of them, or no images.
    """
    root = path.parent if path.is_file() else path
    resolved = root.resolve()
    files = [path] if path.is_file() else [file for file in _yaml_files(root) if _names_classes(file)]
    if len(files) > 1:
        raise DataError(f"{root}: holds {len(files)} YOLO data files ({', '.join(file.name for file in files[:6])}). Give the one to read.")
    layout = YoloLayout(root, {})
    if files:
        _read_yaml(files[0], layout, resolved)
    elif (root / "obj.data").is_file():
        _read_darknet(root / "obj.data", layout, resolved)
    if not layout.names:
        layout.names = _names_from_files(root, resolved)
    if not layout.sources:
        layout.sources = [Source(part_in(images.relative_to(root)), folder=images) for images, _ in _image_folders(root)]
        if not layout.sources:
            layout.sources = [Source("", folder=root)]
    if not layout.names:
        layout.notes.append("Nothing names the classes (no data.yaml, classes.txt or obj.names): they are called by their numbers.")
    return layout


def label_path(image: PurePosixPath) -> PurePosixPath:
    """The label file of an image, as Ultralytics finds it: the last folder called ``images`` becomes ``labels``.

    Example:
        >>> str(label_path(PurePosixPath("images/train/images/a.b.png")))
        'images/train/labels/a.b.txt'
    """
    parts = list(image.parts[:-1])
    for place in reversed(range(len(parts))):
        if parts[place] == "images":
            parts[place] = "labels"
            break
    return PurePosixPath(*parts, image.stem + ".txt")


def places_below(name: str, root: Path) -> Iterator[Path]:
    """Where a path that was written on another machine may be in this dataset: without more and more of its first folders."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    while ".." in parts:
        parts = parts[parts.index("..") + 1 :]
    for first in range(min(len(parts), 40)):
        yield root.joinpath(*parts[first:])


def _yaml_files(root: Path) -> list[Path]:
    named = [root / name for name in _YAML_NAMES if (root / name).is_file()]
    return named[:1] or sorted(path for pattern in ("*.yaml", "*.yml") for path in islice(root.glob(pattern), 50) if path.is_file())


def stated_task(path: Path) -> str:
    """What a data.yaml says its labels are for (``detect``, ``segment``, ``obb``); empty if it does not."""
    for file in [path] if path.is_file() else _yaml_files(path):
        try:
            with file.open("rb") as handle:
                found = re.search(rb"(?m)^task\s*:\s*(\w+)\s*$", handle.read(LARGEST_YAML))
        except OSError:
            continue
        if found:
            return found[1].decode("ascii", "replace")
    return ""


def _names_classes(file: Path) -> bool:
    """Whether a line begins with ``names:``; the file is not parsed."""
    try:
        with file.open("rb") as handle:
            return re.search(rb"(?m)^[\"']?names[\"']?\s*:", handle.read(LARGEST_YAML)) is not None
    except OSError:
        return False


def parse_yaml(text: str, where: str) -> Any:
    """Parse YAML of up to ``LARGEST_YAML`` characters into texts, lists and mappings of texts; nothing else is ever built.

    Scalars stay texts, so that a class called ``no`` or ``1e3`` keeps its name. Anchors and aliases are refused: a few lines
    of them describe a billion items.

    Raises:
        DataError: Not YAML, too long or too deep, or with aliases.
    """
    import yaml

    if len(text) > LARGEST_YAML:
        raise DataError(f"{where}: its YAML is longer than {LARGEST_YAML:,} characters, too long for what it should hold.")

    class Loader(yaml.BaseLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise DataError(f"{where}: refused: it uses YAML aliases, which a dataset file never needs")
            return super().compose_node(parent, index)

    try:
        return yaml.load(text, Loader)  # noqa: S506  # a BaseLoader builds even less than the SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise DataError(f"{where}{line}: not valid YAML ({getattr(error, 'problem', None) or 'unreadable characters'}).") from None
    except (ValueError, TypeError) as error:  # a mapping as a key
        raise DataError(f"{where}: not valid YAML ({str(error)[:80]}).") from None
    except RecursionError:
        raise DataError(f"{where}: YAML nested too deeply to be a dataset file.") from None


def _read_yaml(file: Path, layout: YoloLayout, resolved: Path) -> None:
    try:
        text = bounded_text(file, resolved, most_bytes=LARGEST_YAML)
    except DataError as error:
        raise DataError(f"{file}: {error}.") from None
    document = parse_yaml(text, str(file))
    if not isinstance(document, dict):
        raise DataError(f"{file}: expected 'names', 'train' and 'val', got {type(document).__name__}.")
    layout.names = _class_names(document.get("names"), file)
    layout.keypoint_numbers = _keypoint_numbers(document.get("kpt_shape"), file)
    base = document.get("path")
    base = base + "/" if isinstance(base, str) and base else ""
    own = document.get("parts")
    parts = [(_text(one, "name"), _text(one, "images")) for one in own] if isinstance(own, list) else []
    wanted: list[tuple[str, Any]] = [one for one in parts if one[1]] or [(key, document.get(key)) for key in ("train", "val", "test")]
    if not parts and document.get("valid") and not document.get("val"):
        wanted.insert(1, ("val", document["valid"]))
    for part, value in wanted:
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str) and one.strip() not in ("", "null", "~"):
                _add_source(layout, part, base + one.strip(), file)


def _add_source(layout: YoloLayout, part: str, name: str, file: Path) -> None:
    resolved = layout.root.resolve()
    for place in (*places_below(name, layout.root), *([layout.root] if name.rstrip("/") in ("", ".", "./") else [])):
        try:
            found = place.is_dir() or place.is_file()
        except (OSError, ValueError):
            continue
        if not found:
            continue
        if not stays_inside(place, resolved):
            layout.notes.append(f"{file.name}: {name[:200]!r} is a link out of the dataset and was not read.")
            return
        if place != layout.root / name:
            shown = place.relative_to(layout.root).as_posix()
            layout.notes.append(f"{file.name} points to {name[:200]!r}; read {shown!r} of this folder.")
        layout.sources.append(Source(part, folder=place) if place.is_dir() else Source(part, listing=place))
        return
    layout.notes.append(f"{file.name}: {part} is to be in {name[:200]!r}, which is not in this folder; nothing was read for it.")


def _read_darknet(file: Path, layout: YoloLayout, resolved: Path) -> None:
    try:
        text = bounded_text(file, resolved, most_bytes=LARGEST_YAML)
    except DataError as error:
        raise DataError(f"{file}: {error}.") from None
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    values = {key.strip(): value.strip() for key, value in values.items()}
    for place in places_below(values.get("names", ""), layout.root):
        if _is_file(place):
            layout.names = _names_in(place, resolved)
            break
    for key, part in (("train", "train"), ("valid", "val"), ("test", "test")):
        if values.get(key):
            _add_source(layout, part, values[key], file)


def _class_names(value: object, file: Path) -> dict[int, str]:
    if isinstance(value, list):
        numbered = dict(enumerate(value))
    elif isinstance(value, dict):
        try:
            numbered = {int(key): name for key, name in value.items()}
        except ValueError:
            raise DataError(f"{file}: expected 'names' numbered 0, 1, ..., got the keys {[str(key)[:20] for key in value][:5]}.") from None
    else:
        raise DataError(f"{file}: expected 'names' as a list or numbered, got {type(value).__name__}.")
    try:
        names = {number: class_name(name) for number, name in numbered.items()}
    except DataError as error:
        raise DataError(f"{file}: {error}.") from None
    if not names or min(names) < 0:
        raise DataError(f"{file}: 'names' must name at least one class, numbered from 0.")
    return dict(sorted(names.items()))


def _keypoint_numbers(value: object, file: Path) -> int:
    if value is None:
        return 0
    try:
        count, each = (int(one) for one in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        raise DataError(f"{file}: kpt_shape must be [points, 2 or 3], got {str(value)[:40]}.") from None
    if not (0 < count < 10_000 and each in (2, 3)):
        raise DataError(f"{file}: kpt_shape must be [points, 2 or 3], got [{count}, {each}].")
    return count * each


def _names_from_files(root: Path, resolved: Path) -> dict[int, str]:
    candidates = [root / name for name in _NAME_FILES] + sorted(islice(root.glob("*.names"), 5))
    for file in candidates:
        if _is_file(file):
            return _names_in(file, resolved)
    return {}


def _names_in(file: Path, resolved: Path) -> dict[int, str]:
    try:
        lines = bounded_text(file, resolved, most_bytes=_LARGEST_NAMES).rstrip().splitlines()
        return {number: class_name(line.strip()) for number, line in enumerate(lines)}
    except DataError as error:
        raise DataError(f"{file}: {error}.") from None


def _image_folders(root: Path) -> list[tuple[Path, Path]]:
    """Folders ``images`` that have a sibling ``labels``, each with its sibling."""
    found = []
    level = [root]
    for _ in range(_DEEPEST):
        below = []
        for folder in level:
            children = sorted(child for child in islice(folder.iterdir(), 10_000) if child.is_dir() and not child.is_symlink())
            if folder / "images" in children and folder / "labels" in children:
                found.append((folder / "images", folder / "labels"))
            below += [child for child in children if child.name not in ("images", "labels") and not child.name.startswith(".")]
        level = below[:1000]
    return found


def part_in(path: PurePath) -> str:
    """The part that a path's folders name, or an empty text; years are passed over.

    Example:
        >>> part_in(PurePosixPath("images/train2017"))
        'train'
    """
    for part in path.parts:
        stem = re.sub(r"\d{4}$", "", part.lower())
        if stem in _PARTS:
            return _PARTS[stem]
    return ""


def _texts_beside_images(root: Path) -> bool:
    for folder in (root, root / "obj_train_data", root / "images"):
        if folder.is_dir():
            stems = {path.stem for path in islice(folder.iterdir(), 2000) if path.suffix == ".txt"}
            if any(path.stem in stems for path in islice(folder.iterdir(), 2000) if is_picture(path.name)):
                return True
    return False


def is_picture(name: str) -> bool:
    """Whether a file name is that of a visible image."""
    return name.lower().endswith(IMAGE_SUFFIXES) and not name.startswith(".")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _text(value: object, key: str) -> str:
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""


def listed_names(file: Path, resolved: Path) -> Iterator[tuple[int, PurePosixPath | DataError]]:
    """Line number and image name of each line of a list; a name that is refused comes as its error."""
    if not stays_inside(file, resolved):
        raise DataError(f"{file}: is a link that leads out of the dataset.")
    with file.open("rb") as handle:
        number = 0
        while line := handle.readline(10_000):
            number += 1
            try:
                text = line.decode("utf-8-sig").strip()
                if text:
                    yield number, _listed(text)
            except UnicodeDecodeError:
                yield number, DataError("is not UTF-8 text")
            except DataError as error:
                yield number, error


def _listed(text: str) -> PurePosixPath:
    """A listed name with only what keeps it inside: absolute beginnings are dropped, a climb is refused."""
    return relative_name(re.sub(r"^([A-Za-z]:)?[/\\]+", "", text))
