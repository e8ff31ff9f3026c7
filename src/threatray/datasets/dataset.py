"""A dataset on disk as one value: what is annotated now, pixels and masks when they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from threatray.core import GREY, Annotations, FloatArray, Provenance, Quantity, Sample, SetAside, XrayImage
from threatray.core.image_file import read_pixels
from threatray.datasets.masks import decode_mask
from threatray.datasets.pixels import TransmissionReading, as_pseudo_colour, read_grey, read_transmission
from threatray.errors import DataError

WHITE_LEVEL = 65535
"""Count of empty air in the files that are written here."""


_MOST_MASK_PIXELS = 4_000_000_000


@dataclass(frozen=True, eq=False, kw_only=True)
class Entry:
    """One image of a dataset, not yet decoded.

    Args:
        id: Unique within the dataset; safe as a file name.
        image_path: 8-bit colour or grey file, or None.
        low_path: Low-energy counts, or None.
        high_path: High-energy counts, or None; both or neither.
        width: Columns.
        height: Rows.
        things: Boxes and labels, without masks.
        segmentations: For each thing its undecoded COCO run lengths or polygons, or None.
        group: The physical bag or object, which no split may cut.
        provenance: Source and licence.
        white_level: Count of empty air in the two energies, or in a grey image; None if the dataset does not say.
        part: The published part it belongs to (``train``, ``test``, ...); empty if none is published.
        difficulty: The published level (``easy``, ``hidden``, ``OL2``, ...); empty if there is none.
        view: Which of several views of one bag, e.g. ``side``; empty for a single view. Views of one bag share a group.
        image_labels: Classes known to be somewhere in the image without a box. Such an image is not benign.

    Raises:
        DataError: No file at all, one energy without the other, an empty size, or a number of segmentations that differs.

    Example:
        >>> entry = Entry(id="a", image_path=Path("a.png"), width=31, height=37, things=Annotations.none(), group="a")
        >>> entry.labels, entry.has_dual_energy
        ((), False)
    """

    id: str
    image_path: Path | None = None
    low_path: Path | None = None
    high_path: Path | None = None
    width: int
    height: int
    things: Annotations
    segmentations: tuple[object | None, ...] = ()
    group: str
    provenance: Provenance = Provenance()
    white_level: int | None = None
    part: str = ""
    difficulty: str = ""
    view: str = ""
    image_labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if (self.low_path is None) != (self.high_path is None):
            raise DataError(f"{self.id}: has one energy only; low and high are needed.")
        if self.image_path is None and self.low_path is None:
            raise DataError(f"{self.id}: names neither an image nor a dual-energy pair.")
        if self.width < 1 or self.height < 1 or (self.white_level is not None and self.white_level < 1):
            raise DataError(
                f"{self.id}: size {self.width}x{self.height} and white level {self.white_level} must be positive whole numbers."
            )
        if self.segmentations and len(self.segmentations) != len(self.things):
            raise DataError(f"{self.id}: {len(self.things)} boxes but {len(self.segmentations)} segmentations.")

    @property
    def labels(self) -> tuple[str, ...]:
        """The class name of each thing."""
        return self.things.labels

    @property
    def boxes(self) -> FloatArray:
        """(N, 4) float32 xyxy in pixels."""
        return self.things.boxes

    @property
    def is_benign(self) -> bool:
        """Whether nothing is known to be in it: neither a box nor a label of the whole image."""
        return not self.labels and not self.image_labels

    @property
    def has_dual_energy(self) -> bool:
        """Whether both energies are there."""
        return self.low_path is not None

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files of this image that exist: colour, low, high."""
        return tuple(path for path in (self.image_path, self.low_path, self.high_path) if path is not None)

    def annotations(self) -> Annotations:
        """Boxes and labels with their masks decoded.

        Returns:
            With masks only if every thing has one: a stack with blanks would say that an object covers nothing.

        Raises:
            DataError: A segmentation does not fit the image, or the masks together do not fit into memory.
        """
        if not self.segmentations or any(segmentation is None for segmentation in self.segmentations):
            return self.things
        pixels = len(self.segmentations) * self.height * self.width
        if pixels > _MOST_MASK_PIXELS:
            raise DataError(
                f"{self.id}: {len(self.segmentations)} masks of {self.width}x{self.height} pixels, {pixels:,} in all, "
                f"more than the {_MOST_MASK_PIXELS:,} that are decoded at once. Cut the scan, or drop the masks."
            )
        masks = [decode_mask(segmentation, self.height, self.width) for segmentation in self.segmentations]
        return Annotations(self.things.boxes, self.things.labels, np.stack(masks))


@dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset as read: every entry sound as far as its header and annotation say.

    All entries are in memory; ``formats.stream_dataset`` gives them one at a time.

    Args:
        root: The folder it was read from.
        format_name: The name of its format, such as ``coco``, see ``formats.FORMATS``.
        classes: Class names in the file's order.
        entries: Images, sorted by id.
        set_aside: What was left out or changed, and why.
        notes: What a user should know, one sentence each.
    """

    root: Path
    format_name: str
    classes: tuple[str, ...]
    entries: tuple[Entry, ...]
    set_aside: tuple[SetAside, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def has_dual_energy(self) -> bool:
        """Whether every image has both energies."""
        return bool(self.entries) and all(entry.has_dual_energy for entry in self.entries)

    def load_colour(self, entry: Entry, white_level: int | None = None) -> Sample:
        """Decode an image as shown on the screen.

        Args:
            entry: One of this dataset.
            white_level: Count of empty air in deep grey files whose entry does not say; None takes it from their own air.

        Returns:
            Pseudo-colour in [0, 1], three channels or one. Deep grey is shown with air as white, whatever its counts are; two energies
            without a picture are shown in the default palette.

        Raises:
            DataError: A file is broken, or of another size than annotated.
        """
        if entry.image_path is None:
            from threatray.physics.pseudo_colour import DEFAULT_PALETTE

            pair = self.load_dual_energy(entry, white_level)
            return replace(pair, image=DEFAULT_PALETTE.render(pair.image))
        pixels = read_pixels(entry.image_path)
        if pixels.ndim == 2 and pixels.dtype == np.uint16:
            reading = self.read_grey(entry, white_level)
            shown = np.minimum(reading.counts / np.float32(reading.white_levels[0]), np.float32(1))
            image = XrayImage(shown.astype(np.float32), Quantity.PSEUDO_COLOUR, GREY)
        else:
            image = as_pseudo_colour(pixels)
        _same_size(entry, entry.image_path, image.size)
        return Sample(entry.id, image, entry.annotations(), entry.group, entry.provenance)

    def load_dual_energy(self, entry: Entry, white_level: int | None = None) -> Sample:
        """Decode an image's two energies as transmissions, clipped to what a transmission may be.

        Raises:
            DataError: No pair, broken, or another size than annotated.
        """
        return self.sample_of(entry, self.read_dual_energy(entry, white_level))

    def read_dual_energy(self, entry: Entry, white_level: int | None = None) -> TransmissionReading:
        """The two energies with the number of values that were clipped.

        Args:
            entry: One of this dataset.
            white_level: Count of empty air where the entry does not say; None takes it from each file's own air.

        Raises:
            DataError: As for ``load_dual_energy``.
        """
        if entry.low_path is None or entry.high_path is None:
            raise DataError(f"{self.root}, {entry.id}: has no dual-energy pair. Use its colour image instead.")
        reading = read_transmission(entry.low_path, entry.high_path, entry.white_level or white_level)
        _same_size(entry, entry.low_path, reading.image.size)
        return reading

    def read_grey(self, entry: Entry, white_level: int | None = None) -> TransmissionReading:
        """A grey scan of one energy, with the number of values that were clipped.

        Args:
            entry: One of this dataset.
            white_level: Count of empty air where the entry does not say; None takes it from the file's own air.

        Raises:
            DataError: No grey file, broken, or another size than annotated.
        """
        if entry.image_path is None:
            raise DataError(f"{self.root}, {entry.id}: has no image of one energy, only a pair.")
        reading = read_grey(entry.image_path, entry.white_level or white_level)
        _same_size(entry, entry.image_path, reading.image.size)
        return reading

    def sample_of(self, entry: Entry, reading: TransmissionReading) -> Sample:
        """A reading with what is annotated in it."""
        return Sample(entry.id, reading.image, entry.annotations(), entry.group, entry.provenance)


def _same_size(entry: Entry, path: Path, size: tuple[int, int]) -> None:
    if size != (entry.height, entry.width):
        raise DataError(
            f"{path}: annotated as {entry.width}x{entry.height} pixels, holds {size[1]}x{size[0]}. Its boxes belong to another picture."
        )
