"""Signature libraries out of signature libraries: a part, a union, one without near-duplicates. Inputs are never touched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from threatray.core import SetAside
from threatray.core.files import read_json, sha256_of_file, whole_file, write_json
from threatray.core.manifest import RunManifest
from threatray.errors import ConfigError, DataError
from threatray.pipeline.held_back import refuse_held_back
from threatray.pipeline.stage import Outcome, Run, run_stage
from threatray.pipeline.stages.signatures_stage import PLACES, REFUSED
from threatray.tip.library import LibraryEntry, SignatureLibrary, signature_files, write_index
from threatray.tip.selection import Selection, looks_of, near_duplicates


@dataclass(frozen=True)
class DedupeConfig:
    """What counts as the same signature twice.

    Args:
        most_bits: Bits of 64 in which two hashes may differ, for the transmission's and for the mask's.
    """

    most_bits: int = 5

    def __post_init__(self) -> None:
        if not 0 <= self.most_bits <= 64:
            raise ConfigError(f"dedupe: most_bits must lie in [0, 64], got {self.most_bits}.")


def filter_library(selection: Selection, library: Path, out: Path, run: Run) -> RunManifest:
    """Write the chosen part of a library as a library.

    Raises:
        DataError: Nothing is chosen.
    """
    refuse_held_back("library filter", library)
    opened = SignatureLibrary.open(library)
    chosen = selection.of(opened)
    if not chosen.entries:
        raise DataError(f"library filter: none of the {len(opened)} signatures of {library} is chosen. Loosen the filters.")

    def body(work: Path) -> Outcome:
        entries = [_copied(library, entry, entry.id, work) for entry in chosen.entries]
        _finish(work, entries, [library])
        return Outcome({"signatures": _counts(entries), "left_out": len(opened) - len(entries)})

    return run_stage("library filter", {"selection": selection}, {"library": library}, out, run, body)


def add_libraries(libraries: Sequence[Path], out: Path, run: Run, *, rename: bool = False) -> RunManifest:
    """Write the union of libraries as a library.

    Args:
        libraries: At least two. The same signature in several counts once.
        out: Folder to make.
        run: How.
        rename: Where different signatures have one id, the later one becomes ``<id>-2`` and so on; otherwise that is an error.

    Raises:
        ConfigError: Fewer than two libraries.
        DataError: Two signatures of one id, without ``rename``.
    """
    if len(libraries) < 2:
        raise ConfigError("library add: give at least two libraries.")
    refuse_held_back("library add", *libraries)

    def body(work: Path) -> Outcome:
        taken: dict[str, tuple[str, LibraryEntry, Path]] = {}
        twice: list[SetAside] = []
        for folder in libraries:
            for entry in SignatureLibrary.open(folder).entries:
                print_of = _fingerprint(folder, entry)
                name, number = entry.id, 1
                while name in taken and taken[name][0] != print_of:
                    if not rename:
                        raise DataError(
                            f"library add: {folder} and {taken[name][2]} hold different signatures called {entry.id!r}. "
                            "Run with --rename to keep both."
                        )
                    number += 1
                    name = f"{entry.id}-{number}"
                if name in taken:
                    twice.append(SetAside(f"{folder}: {entry.id}", f"the same signature is in {taken[name][2]}"))
                else:
                    taken[name] = (print_of, entry, folder)
        entries = [_copied(folder, entry, name, work) for name, (_, entry, folder) in taken.items()]
        _finish(work, entries, libraries)
        return Outcome({"signatures": _counts(entries), "held_twice": len(twice)}, tuple(twice))

    inputs = {f"library_{number}": folder for number, folder in enumerate(libraries, 1)}
    return run_stage("library add", {"rename": rename}, inputs, out, run, body)


def dedupe_library(config: DedupeConfig, library: Path, out: Path, run: Run) -> RunManifest:
    """Write a library with one of each group of near-duplicates; what is dropped is listed."""
    refuse_held_back("library dedupe", library)

    def body(work: Path) -> Outcome:
        opened = SignatureLibrary.open(library)
        dropped = {name: group[0] for group in find_duplicates(config, opened, run) for name in group[1:]}
        entries = [_copied(library, entry, entry.id, work) for entry in opened.entries if entry.id not in dropped]
        _finish(work, entries, [library])
        listed = tuple(SetAside(name, f"nearly the same as {kept}") for name, kept in sorted(dropped.items()))
        return Outcome({"signatures": _counts(entries), "dropped": len(dropped)}, listed)

    return run_stage("library dedupe", {"dedupe": config}, {"library": library}, out, run, body)


def find_duplicates(config: DedupeConfig, library: SignatureLibrary, run: Run) -> tuple[tuple[str, ...], ...]:
    """Groups of ids that nearly repeat each other, the one to keep first."""
    with run.progress.task("library", "signature") as update:
        looks = list(looks_of(library, update))
    return near_duplicates(library.entries, looks, most_bits=config.most_bits)


def _copied(folder: Path, entry: LibraryEntry, name: str, work: Path) -> LibraryEntry:
    """The entry under its new name, its files copied byte for byte."""
    for source, target in zip(signature_files(folder, entry), signature_files(work, replace(entry, id=name)), strict=True):
        if not source.is_file():
            raise DataError(f"{source}: the index lists this signature, but there is no such file.")
        with whole_file(target) as temporary:
            temporary.write_bytes(source.read_bytes())
    if name == entry.id:
        return entry
    return replace(entry, id=name, extra={**entry.extra, "renamed_from": entry.id})


def _fingerprint(folder: Path, entry: LibraryEntry) -> str:
    paths = signature_files(folder, entry)
    for path in paths:
        if not path.is_file():
            raise DataError(f"{path}: the index lists this signature, but there is no such file.")
    return " ".join([entry.class_name, *(sha256_of_file(path) for path in paths)])


def _finish(work: Path, entries: Sequence[LibraryEntry], libraries: Sequence[Path]) -> None:
    """The index, and what planning and composing want to know of where real threats lay."""
    write_index(work, entries)
    names = {entry.class_name for entry in entries}
    for file in (PLACES, REFUSED):
        rows = [row for folder in libraries if (folder / file).is_file() for row in read_json(folder / file)]
        write_json(work / file, [row for row in rows if row.get("class_name", next(iter(names))) in names])


def _counts(entries: Sequence[LibraryEntry]) -> dict[str, int]:
    return {name: sum(entry.class_name == name for entry in entries) for name in sorted({entry.class_name for entry in entries})}
