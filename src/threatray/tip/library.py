"""The signature library on disk: 16-bit transmissions with masks, and an index of what they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from threatray.core.files import read_json, whole_file, write_json
from threatray.core.image import TRANSMISSION_FLOOR, FloatArray, Quantity, XrayImage
from threatray.core.image_file import read_pixels, write_png
from threatray.core.sample import Provenance
from threatray.core.signature import Origin, OriginKind, Signature
from threatray.errors import DataError, StorageError

INDEX_NAME: Final = "index.json"
_WHITE: Final = 65535
_GRAIN_ZERO: Final = 128
_GRAIN_STEP: Final = np.float32(1 / 64)  # of luma, so up to twice of it: what is nearly black lies far off the palette
_SAFE_NAME: Final = re.compile(r"[^\W_.][\w .+\-]*", re.UNICODE)


@dataclass(frozen=True)
class LibraryEntry:
    """What the index says of one signature, without its pixels.

    Args:
        id: The signature's name and file name.
        class_name: Its class and folder.
        channels: Channel names.
        width: Pixels.
        height: Pixels.
        origin: Where it comes from.
        quality: In [0, 1], or None where nothing was measured.
        extra: Anything else worth keeping, JSON-able.
        grain: Whether the colours of its own scan that no palette explains are stored too.
        noise: How noisy it is (``Signature.noise``), or None where that is not known.
    """

    id: str
    class_name: str
    channels: tuple[str, ...]
    width: int
    height: int
    origin: Origin
    quality: float | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    grain: bool = False
    noise: tuple[float, ...] | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain values, for the index."""
        origin = self.origin
        return {
            "id": self.id,
            "class_name": self.class_name,
            "channels": list(self.channels),
            "width": self.width,
            "height": self.height,
            "origin": {
                "kind": origin.kind.value,
                "source_id": origin.source_id,
                "group": origin.group,
                "checkpoint": origin.checkpoint,
                "source": origin.provenance.source,
                "licence": origin.provenance.licence,
            },
            "quality": self.quality,
            "extra": dict(self.extra),
            "grain": self.grain,
            "noise": None if self.noise is None else list(self.noise),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any], where: str) -> Self:
        """The inverse of ``as_json``.

        Raises:
            DataError: A key is missing or a value cannot be right.
        """
        try:
            origin = value["origin"]
            return cls(
                id=_safe(value["id"], "signature id"),
                class_name=_safe(value["class_name"], "class name"),
                channels=tuple(str(name) for name in value["channels"]),
                width=int(value["width"]),
                height=int(value["height"]),
                origin=Origin(
                    OriginKind(origin["kind"]),
                    str(origin["source_id"]),
                    str(origin["group"]),
                    str(origin["checkpoint"]),
                    Provenance(str(origin["source"]), str(origin["licence"])),
                ),
                quality=None if value["quality"] is None else float(value["quality"]),
                extra=dict(value["extra"]),
                grain=bool(value.get("grain", False)),  # libraries of before there was any
                noise=None if value.get("noise") is None else tuple(float(each) for each in value["noise"]),
            )
        except DataError as error:
            raise DataError(f"{where}: {error}") from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(f"{where}: not an entry of a signature library ({type(error).__name__}: {error}).") from None


def write_signature(folder: Path, signature: Signature, extra: Mapping[str, Any] | None = None) -> LibraryEntry:
    """Write ``<class>/<id>.tif``, ``<class>/<id>_mask.png`` and, where there is grain, ``<class>/<id>_grain.png``.

    Args:
        folder: The library.
        signature: What to write; transmissions are rounded to 16 bit, grain to 8 (``quantised`` says to what).
        extra: More to keep in the index; ``quality`` in [0, 1] becomes the entry's own.

    Returns:
        The entry for ``write_index``.

    Raises:
        DataError: An id or class name that cannot be a file name.
        StorageError: Disk full, no permission.
    """
    import tifffile

    path, mask_path = signature_paths(folder, signature.class_name, signature.id)
    try:
        with whole_file(path) as temporary:
            # Neither date nor software name: equal signatures give equal bytes.
            tifffile.imwrite(
                temporary,
                _to_levels(signature.image.values),
                photometric="minisblack",
                compression="zlib",
                predictor=True,
                metadata=None,
                software=False,
            )
    except OSError as error:
        raise StorageError(f"{path}: could not be written ({error.strerror}). Free some space, then run again.") from None
    write_png(mask_path, signature.mask.astype(np.uint8) * 255)
    if signature.grain is not None:
        write_png(_grain_path(path), _to_grain_levels(signature.grain))
    notes = dict(extra or {})
    quality = notes.pop("quality", None)
    return LibraryEntry(
        signature.id,
        signature.class_name,
        signature.image.channels,
        signature.image.width,
        signature.image.height,
        signature.origin,
        None if quality is None else float(quality),
        notes,
        signature.grain is not None,
        signature.noise,
    )


def write_index(folder: Path, entries: Iterable[LibraryEntry]) -> None:
    """Write ``index.json``, sorted by id.

    Raises:
        DataError: Two entries of one id.
    """
    ordered = sorted(entries, key=lambda entry: entry.id)
    _no_twins(ordered, folder / INDEX_NAME)
    write_json(folder / INDEX_NAME, [entry.as_json() for entry in ordered])


def quantised(signature: Signature) -> Signature:
    """The signature as the library gives it back: transmissions rounded to 16 bit, grain to 8.

    Example:
        >>> values = np.full((1, 1, 1), 0.5, np.float32)
        >>> thing = Signature("a", XrayImage(values, Quantity.TRANSMISSION, ("grey",)), np.ones((1, 1), bool), "gun",
        ...                   Origin(OriginKind.RENDERED, "a", "a"))
        >>> round(float(quantised(thing).image.values[0, 0, 0]) * 65535)
        32768
    """
    image = XrayImage(_from_levels(_to_levels(signature.image.values)), Quantity.TRANSMISSION, signature.image.channels)
    grain = None if signature.grain is None else _from_grain_levels(_to_grain_levels(signature.grain))
    return replace(signature, image=image, grain=grain)


@dataclass(frozen=True, eq=False)
class SignatureLibrary:
    """A library opened for reading: the index at once, pixels on demand.

    Args:
        folder: Where it lies.
        entries: What it holds, sorted by id.
    """

    folder: Path
    entries: tuple[LibraryEntry, ...]

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read the index.

        Raises:
            DataError: No index, a broken one, or two entries of one id.
        """
        path = folder / INDEX_NAME
        rows = read_json(path)
        if not isinstance(rows, list):
            raise DataError(f"{path}: expected a list of signatures, got {type(rows).__name__}.")
        entries = tuple(
            sorted((LibraryEntry.from_json(row, f"{path}, entry {place}") for place, row in enumerate(rows)), key=lambda entry: entry.id)
        )
        _no_twins(entries, path)
        return cls(folder, entries)

    def __len__(self) -> int:
        return len(self.entries)

    @cached_property
    def _by_id(self) -> dict[str, LibraryEntry]:
        return {entry.id: entry for entry in self.entries}

    def ids(self, class_name: str | None = None) -> tuple[str, ...]:
        """Ids, of one class or of all, in ascending order."""
        return tuple(entry.id for entry in self.entries if class_name in (None, entry.class_name))

    def by_class(self) -> dict[str, tuple[str, ...]]:
        """Class name -> ids, both in ascending order."""
        return {name: self.ids(name) for name in sorted({entry.class_name for entry in self.entries})}

    def select(self, *, kind: OriginKind | None = None, min_quality: float = 0.0) -> Self:
        """The part of the library of this origin and at least this quality; unmeasured quality passes only at 0."""
        kept = tuple(
            entry
            for entry in self.entries
            if kind in (None, entry.origin.kind) and (0.0 if entry.quality is None else entry.quality) >= min_quality
        )
        return type(self)(self.folder, kept)

    def entry(self, signature_id: str) -> LibraryEntry:
        """The index entry of a signature.

        Raises:
            DataError: No such id.
        """
        try:
            return self._by_id[signature_id]
        except KeyError:
            raise DataError(f"{self.folder}: no signature {signature_id!r} among the {len(self)} of this library.") from None

    def load(self, signature_id: str) -> Signature:
        """Read a signature's pixels.

        Raises:
            DataError: No such id; a file missing, broken, or of another size than the index says.
        """
        entry = self.entry(signature_id)
        path, mask_path = signature_paths(self.folder, entry.class_name, entry.id)
        levels = _read_levels(path)
        expected = (len(entry.channels), entry.height, entry.width)
        if levels.shape != expected:
            raise DataError(f"{path}: expected {expected} (channels, rows, columns) as the index says, got {levels.shape}.")
        mask = read_pixels(mask_path)
        if mask.shape != expected[1:]:
            raise DataError(f"{mask_path}: expected {expected[1:]} (rows, columns) as the index says, got {mask.shape}.")
        image = XrayImage(_from_levels(levels), Quantity.TRANSMISSION, entry.channels)
        grain = _read_grain(_grain_path(path), expected[1:]) if entry.grain else None
        try:
            return Signature(entry.id, image, mask > 127, entry.class_name, entry.origin, grain, entry.noise)
        except DataError as error:
            raise DataError(f"{path}: {error}") from None


def contact_sheet(signatures: Sequence[Signature], *, tile: int = 128, columns: int = 8) -> NDArray[np.uint8]:
    """All signatures side by side on white, each fitted into its tile.

    Args:
        signatures: What to show; pairs of energies show as grey (their mean), colour as colour.
        tile: Side of a tile in pixels.
        columns: Tiles in a row.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        DataError: Nothing to show.
    """
    import cv2

    if not signatures:
        raise DataError("contact sheet: no signatures to show.")
    rows = -(-len(signatures) // columns)
    sheet = np.full((rows * tile, min(columns, len(signatures)) * tile, 3), 255, np.uint8)
    for number, signature in enumerate(signatures):
        values = signature.image.values
        picture = values if len(values) == 3 else np.repeat(values.mean(axis=0, keepdims=True), 3, axis=0)
        shrink = min(1.0, (tile - 8) / max(signature.image.size))
        size = (max(1, round(signature.image.width * shrink)), max(1, round(signature.image.height * shrink)))
        small = cv2.resize(np.ascontiguousarray(picture.transpose(1, 2, 0)), size, interpolation=cv2.INTER_AREA)
        top = number // columns * tile + (tile - size[1]) // 2
        left = number % columns * tile + (tile - size[0]) // 2
        sheet[top : top + size[1], left : left + size[0]] = np.round(small * 255).astype(np.uint8)
    return sheet


def _to_levels(values: FloatArray) -> NDArray[np.uint16]:
    return np.round(values * _WHITE).astype(np.uint16)


def _from_levels(levels: NDArray[np.uint16]) -> FloatArray:
    # Level 0 stands for the floor, half a level: nothing transmits nothing.
    values: FloatArray = np.maximum(levels.astype(np.float32) / np.float32(_WHITE), np.float32(TRANSMISSION_FLOOR))
    return values


def _to_grain_levels(grain: FloatArray) -> NDArray[np.uint8]:
    """(H, W, 3), no grain in the middle."""
    steps = np.clip(np.rint(grain / _GRAIN_STEP), -_GRAIN_ZERO, 255 - _GRAIN_ZERO) + _GRAIN_ZERO
    return np.ascontiguousarray(steps.transpose(1, 2, 0)).astype(np.uint8)


def _from_grain_levels(levels: NDArray[np.uint8]) -> FloatArray:
    grain: FloatArray = np.ascontiguousarray((levels.astype(np.float32) - _GRAIN_ZERO).transpose(2, 0, 1)) * _GRAIN_STEP
    return grain


def _read_grain(path: Path, size: tuple[int, ...]) -> FloatArray:
    levels = read_pixels(path)
    if levels.dtype != np.uint8 or levels.shape != (*size, 3):
        expected = f"uint8 {(*size, 3)} (rows, columns, colours)"
        raise DataError(f"{path}: expected {expected} as the index says, got {levels.dtype} {levels.shape}.")
    return _from_grain_levels(levels)


def _read_levels(path: Path) -> NDArray[np.uint16]:
    import tifffile

    if not path.is_file():
        raise DataError(f"{path}: the index lists this signature, but there is no such file.")
    try:
        with tifffile.TiffFile(path) as file:
            levels = np.stack([page.asarray() for page in file.pages])
    except Exception as error:  # the decoder raises many kinds for a broken file
        raise DataError(f"{path}: cannot be read as TIFF ({type(error).__name__}: {error}). The file is broken or cut off.") from None
    if levels.dtype != np.uint16 or levels.ndim != 3:
        raise DataError(f"{path}: expected 16-bit pages of one channel each, got {levels.dtype} {levels.shape}.")
    return np.asarray(levels, np.uint16)


def signature_paths(folder: Path, class_name: str, signature_id: str) -> tuple[Path, Path]:
    """Where a signature's pixels and its mask lie, whether they are there or not.

    Raises:
        DataError: A name that cannot be a file name.
    """
    stem = folder / _safe(class_name, "class name") / _safe(signature_id, "signature id")
    return stem.with_name(stem.name + ".tif"), stem.with_name(stem.name + "_mask.png")


def signature_files(folder: Path, entry: LibraryEntry) -> tuple[Path, ...]:
    """All files of a signature: its pixels, its mask and, if it has one, its grain."""
    path, mask_path = signature_paths(folder, entry.class_name, entry.id)
    return (path, mask_path, _grain_path(path)) if entry.grain else (path, mask_path)


def _grain_path(path: Path) -> Path:
    return path.with_name(f"{path.stem}_grain.png")


def _safe(name: str, what: str) -> str:
    if not isinstance(name, str) or not _SAFE_NAME.fullmatch(name) or name.endswith((" ", ".")):
        raise DataError(f"{what} {name!r} cannot be a file name: use letters, digits, '-', '_', '+', '.' and inner spaces.")
    return name


def _no_twins(ordered: Sequence[LibraryEntry], where: Path) -> None:
    for first, second in pairwise(ordered):
        if first.id == second.id:
            raise DataError(f"{where}: two signatures are called {first.id!r}; ids are unique within a library.")
