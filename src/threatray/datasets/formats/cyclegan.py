"""Folders that CycleGAN code trains on: trainA, trainB, testA, testB."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from threatray.core import Annotations, SetAside
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.faults import Faults, locate, safe_id
from threatray.datasets.formats.format import DatasetStream, Format, ReadOptions
from threatray.datasets.formats.sound import copy_picture, file_stem, sound_entries
from threatray.datasets.pixels import IMAGE_SUFFIXES, image_size
from threatray.errors import DataError

DOMAIN_A: Final = "domain_a"
DOMAIN_B: Final = "domain_b"
"""Labels of whole images: photos and X-rays. Every picture has one, so that none passes for a benign bag."""

_PARTS: Final = ("train", "val", "test")
_DOMAINS: Final = {"A": DOMAIN_A, "B": DOMAIN_B}


def looks_like_cyclegan(root: Path) -> bool:
    """Whether a folder has one of trainA, trainB, valA, valB, testA and testB: nothing else is spelt so."""
    return root.is_dir() and any((root / f"{part}{domain}").is_dir() for part in _PARTS for domain in _DOMAINS)


def read_cyclegan(root: Path, options: ReadOptions) -> DatasetStream:
    """Read the folders of an unpaired translation.

    The part is the folder's beginning, the domain its end, kept as a label of the whole image. Ids are the file names' stems,
    with the folder before them where two folders use one stem. What is in a picture is unknown.

    Args:
        root: The folder.
        options: How.
    """
    faults = Faults(root, strict=options.strict)
    folders = [root / f"{part}{domain}" for part in _PARTS for domain in _DOMAINS]
    reader = _Reader(root, root.resolve(), faults, [folder for folder in folders if folder.is_dir()])
    return DatasetStream(root, "cyclegan", (DOMAIN_A, DOMAIN_B), sound_entries(reader.entries(), root, faults), faults, _notes)


def _notes() -> tuple[str, ...]:
    return (
        "Folders ending in A are domain_a (photos), in B domain_b (X-rays): labels of whole images, not things that were found in them.",
    )


@dataclass
class _Reader:
    root: Path
    resolved: Path
    faults: Faults
    folders: Sequence[Path]

    def entries(self) -> Iterator[Entry]:
        shared = self._shared_stems()
        for folder in self.folders:
            part, domain = folder.name[:-1], _DOMAINS[folder.name[-1]]
            for name in self._images(folder):
                stem = _stem(name)
                own = safe_id(f"{folder.name}__{stem}" if stem in shared else stem) or "_"
                try:
                    path = locate(folder.name / name, [self.root], self.resolved)
                    height, width = image_size(path)
                except DataError as error:
                    self.faults.add(f"{folder.name}/{name}", str(error))
                    continue
                yield Entry(
                    id=own,
                    image_path=path,
                    width=width,
                    height=height,
                    things=Annotations.none(),
                    group=own,
                    part=part,
                    image_labels=(domain,),
                )

    def _shared_stems(self) -> frozenset[str]:
        met = Counter(_stem(name) for folder in self.folders for name in self._images(folder))
        return frozenset(stem for stem, count in met.items() if count > 1)

    def _images(self, folder: Path) -> Iterator[PurePosixPath]:
        """Images at any depth, as the original code finds them, in the order of their names."""
        for name, below, files in os.walk(folder):
            below[:] = sorted(one for one in below if not one.startswith("."))
            for file in sorted(files):
                if not file.startswith(".") and PurePosixPath(file).suffix.lower() in IMAGE_SUFFIXES:
                    yield PurePosixPath(Path(name).relative_to(folder)) / file


def _stem(name: PurePosixPath) -> str:
    return "__".join(name.with_suffix("").parts)


def write_cyclegan(folder: Path, classes: Sequence[str], entries: Iterable[Entry]) -> Sequence[SetAside]:
    """Write the folders of an unpaired translation.

    The rule: an image labelled ``domain_a`` goes to A; every other is an X-ray and goes to B. Part ``test`` goes to testA or
    testB, ``val`` to valA or valB, every other to trainA or trainB.

    Args:
        folder: Empty.
        classes: Not used: there is no place for them.
        entries: What to write; boxes, labels and all else but the picture are left out.

    Returns:
        Images without a colour file.
    """
    refused = []
    for entry in entries:
        part = entry.part if entry.part in ("test", "val") else "train"
        place = f"{part}{'A' if DOMAIN_A in entry.image_labels else 'B'}"
        try:
            if entry.image_path is None:
                raise DataError("has no colour image, which CycleGAN folders need")
            copy_picture(entry.image_path, folder / place, file_stem(entry.id))
        except DataError as error:
            refused.append(SetAside(entry.id, str(error)))
    return tuple(refused)


FORMAT: Final = Format(
    name="cyclegan",
    title="CycleGAN folders",
    layout="trainA/, trainB/, testA/, testB/ (also valA/, valB/) with images",
    holds=frozenset(),
    detect=looks_like_cyclegan,
    read=read_cyclegan,
    write=write_cyclegan,
    drops=(
        "parts other than train, val and test, and none: written as train",
        "boxes and labels; domains are kept as labels of whole images",
    ),
    faults=("the same stem in two folders", "broken pictures and links out of the folder"),
)
