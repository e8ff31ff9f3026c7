"""What is in a dataset, and what is wrong with it, in figures: entries stream by once, in memory that hardly grows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import SetAside
from threatray.core.near_duplicates import Looks, near_duplicate_groups
from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.entry_table import EntryTable
from threatray.datasets.fingerprints import ProgressCallback, looks_of
from threatray.datasets.measure import Measurement, measure
from threatray.datasets.quantile_sketch import Quantiles, QuantileSketch
from threatray.datasets.scanners import ScannerCluster, scanner_clusters
from threatray.datasets.tally import GRID as GRID
from threatray.datasets.tally import PartTally, Tally, co_occurrence
from threatray.datasets.traps import Evidence, Trap, contradictions, find_traps

_MOST_CLUSTER_EXAMPLES: Final = 6


@dataclass(frozen=True)
class Scanner:
    """A cluster of images that look as if one scanner made them.

    Args:
        images: How many.
        benign: Of these, benign.
        air: Red, green, blue of its air.
        hues: Median hue in degrees of orange, green and blue things; None where there are hardly any.
        width: Median columns.
        height: Median rows.
        separation: Mean silhouette, None for a lone cluster.
        sureness: The same in a word.
        examples: Ids, evenly spaced.
    """

    images: int
    benign: int
    air: tuple[float, float, float]
    hues: tuple[float | None, float | None, float | None]
    width: int
    height: int
    separation: float | None
    sureness: str
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Inspection:
    """The figures of one dataset.

    Args:
        format_name: How it was read.
        images: Usable images.
        threat_images: Those with at least one thing.
        benign_images: Those in which nothing is known to be: no box, no label of the whole image.
        whole_label_images: Those labelled as a whole only.
        threat_to_benign: Ratio of threat to benign images; None without benign images.
        images_per_class: Images with at least one of the class.
        instances_per_class: Things of the class.
        whole_images_per_class: Images that name the class without a box.
        imbalance_ratio: Instances of the commonest class for each of the rarest; None for fewer than two classes, or if one has none.
        things_per_image: Number of things -> images.
        width: Columns of the images.
        height: Rows of the images.
        relative_size: Class -> sqrt(box area / image area).
        aspect: Class -> box width / height.
        covered: Class -> the largest share of a box that one other box covers, in images with several things.
        positions: Class -> how many box centres lie in each cell of an 8x8 grid over the image, rows from the top.
        co_occurrence: Class -> class -> images with both; images with the class on the diagonal.
        parts: Published part -> images, threats, benign.
        difficulties: Published level -> the same.
        views: View -> the same.
        masks: Things with a mask.
        dual_energy_images: Images with both energies.
        provenance: "source (licence)" -> images.
        pixels_read: Whether the figures below were measured.
        bag_area: Share of the picture that is not air, of ``threat`` and ``benign`` images.
        attenuation: Class -> mean -ln(brightness / air) in the box, a proxy.
        around: Class -> the same in a ring around the box: what hides it.
        edges: Class -> mean brightness step in the box, a proxy of clutter.
        scanners: Clusters, largest first.
        exact_duplicates: Groups of ids with the same bytes.
        contradictory_duplicates: Pairs with the same bytes and different boxes or labels.
        contradictory_overlaps: For each of these pairs the best intersection over union of their boxes.
        near_duplicates: Groups of ids that show one bag, byte copies included.
        taken_apart: Sizes of chains of alike images that were too long to be one bag and were taken apart.
        unreadable: Images whose pixels cannot be decoded, and why.
        boxes_outside: Boxes that reached over one pixel outside, or lay outside, as the reader found.
        set_aside: What the reader set aside.
        notes: What the reader had to say.
        traps: What misleads who does not know it.
    """

    format_name: str
    images: int
    threat_images: int
    benign_images: int
    whole_label_images: int
    threat_to_benign: float | None
    images_per_class: Mapping[str, int]
    instances_per_class: Mapping[str, int]
    whole_images_per_class: Mapping[str, int]
    imbalance_ratio: float | None
    things_per_image: Mapping[str, int]
    width: Quantiles
    height: Quantiles
    relative_size: Mapping[str, Quantiles]
    aspect: Mapping[str, Quantiles]
    covered: Mapping[str, Quantiles]
    positions: Mapping[str, tuple[tuple[int, ...], ...]]
    co_occurrence: Mapping[str, Mapping[str, int]]
    parts: Mapping[str, PartTally]
    difficulties: Mapping[str, PartTally]
    views: Mapping[str, PartTally]
    masks: int
    dual_energy_images: int
    provenance: Mapping[str, int]
    pixels_read: bool
    bag_area: Mapping[str, Quantiles]
    attenuation: Mapping[str, Quantiles]
    around: Mapping[str, Quantiles]
    edges: Mapping[str, Quantiles]
    scanners: tuple[Scanner, ...]
    exact_duplicates: tuple[tuple[str, ...], ...]
    contradictory_duplicates: tuple[tuple[str, str], ...]
    contradictory_overlaps: tuple[float, ...]
    near_duplicates: tuple[tuple[str, ...], ...]
    taken_apart: tuple[int, ...]
    unreadable: tuple[SetAside, ...]
    boxes_outside: int
    set_aside: tuple[SetAside, ...]
    notes: tuple[str, ...]
    traps: tuple[Trap, ...]

    @property
    def images_without_annotations(self) -> int:
        """Images with nothing in them, as far as is known."""
        return self.benign_images

    def as_json(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain


class Inspector:
    """Takes entries one by one and gives the figures at the end.

    Args:
        root: The dataset's folder.
        classes: Classes that the format declares.
        pixels: Whether every entry comes with its measurement.
        scratch: Where what is remembered of the entries goes; None for the system's temporary folder.

    Example:
        >>> from threatray.core import Annotations
        >>> one = Entry(id="a", image_path=Path("a.png"), width=9, height=7, things=Annotations.none(), group="a")
        >>> inspector = Inspector(Path(), (), pixels=False)
        >>> inspector.add(one)
        >>> inspector.finish("image_folder").benign_images
        1
    """

    def __init__(self, root: Path, classes: Sequence[str], *, pixels: bool, scratch: Path | None = None) -> None:
        self.table = EntryTable(root, scratch)
        self._tally = Tally(tuple(classes))
        self._pixels = pixels
        self._unreadable: list[SetAside] = []

    def add(self, entry: Entry, measured: Measurement | None = None) -> None:
        """One entry, with what its pixels say where they are read."""
        self._tally.add(entry, measured)
        self.table.add(entry, measured)
        if measured is not None and measured.fingerprint.fault:
            self._unreadable.append(SetAside(entry.id, measured.fingerprint.fault))

    def finish(self, format_name: str, set_aside: Sequence[SetAside] = (), notes: Iterable[str] = ()) -> Inspection:
        """The figures.

        Args:
            format_name: How it was read.
            set_aside: What the reader set aside.
            notes: What the reader had to say.
        """
        tally, table = self._tally, self.table
        exact: list[list[int]] = []
        near: list[list[int]] = []
        taken_apart: tuple[int, ...] = ()
        clusters: tuple[ScannerCluster, ...] = ()
        if self._pixels and len(table):
            exact, near, taken_apart = find_copies(table)
            clusters = _clusters(table)
        contradictory = contradictions(table, exact)
        classes = {name: tally.classes[name] for name in sorted(tally.classes)}
        used = {name: one for name, one in classes.items() if one.instances}
        return Inspection(
            format_name=format_name,
            images=tally.images,
            threat_images=tally.threats,
            benign_images=tally.benign,
            whole_label_images=tally.whole_only,
            threat_to_benign=round(tally.threats / tally.benign, 6) if tally.benign else None,
            images_per_class={name: one.images for name, one in classes.items()},
            instances_per_class={name: one.instances for name, one in classes.items()},
            whole_images_per_class={name: one.whole_images for name, one in classes.items() if one.whole_images},
            imbalance_ratio=_imbalance([one.instances for one in classes.values()]),
            things_per_image={str(count): images for count, images in sorted(tally.things_per_image.items())},
            width=tally.width.quantiles() or Quantiles.of([0.0]),
            height=tally.height.quantiles() or Quantiles.of([0.0]),
            relative_size=_quantiles({name: one.relative_size for name, one in used.items()}),
            aspect=_quantiles({name: one.aspect for name, one in used.items()}),
            covered=_quantiles({name: one.covered for name, one in used.items()}),
            positions={name: tuple(tuple(row) for row in one.positions) for name, one in used.items()},
            co_occurrence=co_occurrence(tally),
            parts=dict(sorted(tally.parts.items())),
            difficulties=dict(sorted(tally.difficulties.items())),
            views=dict(sorted(tally.views.items())),
            masks=tally.masks,
            dual_energy_images=tally.dual_energy,
            provenance={f"{one.source} ({one.licence})": count for one, count in tally.provenance.most_common()},
            pixels_read=self._pixels,
            bag_area=_quantiles({"threat": tally.bag_area[False], "benign": tally.bag_area[True]}),
            attenuation=_quantiles({name: one.attenuation for name, one in used.items()}),
            around=_quantiles({name: one.around for name, one in used.items()}),
            edges=_quantiles({name: one.edges for name, one in used.items()}),
            scanners=tuple(_scanner(table, one) for one in clusters),
            exact_duplicates=_names(table, exact),
            contradictory_duplicates=tuple((table.id(first), table.id(second)) for first, second, _ in contradictory),
            contradictory_overlaps=tuple(round(overlap, 4) for _, _, overlap in contradictory),
            near_duplicates=_names(table, near),
            taken_apart=taken_apart,
            unreadable=tuple(sorted(self._unreadable, key=lambda one: one.item)),
            boxes_outside=sum("outside the" in one.reason and "box" in one.reason for one in set_aside),
            set_aside=tuple(set_aside),
            notes=tuple(notes),
            traps=find_traps(Evidence(tally, table, exact, near, clusters)),
        )


def inspect_dataset(dataset: Dataset, read_pixels: bool = True, progress: ProgressCallback | None = None) -> Inspection:
    """Count, measure and look for copies, in this process.

    Args:
        dataset: As read.
        read_pixels: Decode every image small, to find copies, scanners and broken files; else those figures stay empty.
        progress: Called with (done, total) images.

    Returns:
        The figures.
    """
    inspector = Inspector(dataset.root, dataset.classes, pixels=read_pixels)
    for done, entry in enumerate(dataset.entries, 1):
        inspector.add(entry, measure(entry) if read_pixels else None)
        if progress is not None:
            progress(done, len(dataset.entries))
    return inspector.finish(dataset.format_name, dataset.set_aside, dataset.notes)


def find_copies(table: EntryTable) -> tuple[list[list[int]], list[list[int]], tuple[int, ...]]:
    """Places with the same bytes, places that show one bag (each in groups of two or more), and the chains that were taken apart."""
    places = np.flatnonzero(table.readable)
    digests = np.ascontiguousarray(table.digests[places]).view(np.uint64).reshape(-1, 2)
    if not len(places):
        return [], [], ()
    _, same = np.unique(digests, axis=0, return_inverse=True)
    looks = (*looks_of(table.codes[places]), Looks(same.reshape(-1).astype(np.uint64), 0, least_set=0))
    found = near_duplicate_groups(looks, len(places))
    return _groups(places, same.reshape(-1)), _groups(places, np.array(found.numbers, np.int64)), found.taken_apart


def _groups(places: NDArray[np.int64], numbers: NDArray[np.int64]) -> list[list[int]]:
    """Places with one number, in groups of two or more, in order of their first."""
    order = np.argsort(numbers, kind="stable")
    parts = np.split(places[order], np.flatnonzero(np.diff(numbers[order])) + 1)
    return sorted(part.tolist() for part in parts if len(part) > 1)


def _clusters(table: EntryTable) -> tuple[ScannerCluster, ...]:
    readable = np.flatnonzero(table.readable)
    found = scanner_clusters(table.features[readable], table.sizes[readable])
    return tuple(
        ScannerCluster(one.images, one.air, one.hues, one.width, one.height, one.separation, readable[one.members]) for one in found
    )


def _scanner(table: EntryTable, one: ScannerCluster) -> Scanner:
    spaced = np.unique(np.linspace(0, len(one.members) - 1, min(len(one.members), _MOST_CLUSTER_EXAMPLES)).round().astype(np.int64))
    examples = tuple(table.id(int(place)) for place in one.members[spaced])
    benign = int(table.benign[one.members].sum())
    return Scanner(one.images, benign, one.air, one.hues, one.width, one.height, one.separation, one.sureness, examples)


def _names(table: EntryTable, groups: Iterable[Sequence[int]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(table.id(place) for place in group) for group in groups)


def _quantiles(sketches: Mapping[str, QuantileSketch]) -> dict[str, Quantiles]:
    found = {name: sketch.quantiles() for name, sketch in sketches.items()}
    return {name: one for name, one in found.items() if one is not None}


def _imbalance(counts: list[int]) -> float | None:
    return round(max(counts) / min(counts), 6) if len(counts) > 1 and min(counts) > 0 else None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
