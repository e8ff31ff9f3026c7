"""A small mutation engine: datasets changed as in ``hostile_changes``, and the oracle that judges what a reader made of them."""

from __future__ import annotations

import json
import random
import resource
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hostile_miniatures as mini
import numpy as np
from hostile_changes import Files, mutate

from threatray.datasets.dataset import Dataset
from threatray.datasets.formats import read_dataset
from threatray.datasets.formats.unpacked import cache_folder
from threatray.errors import ThreatrayError

MOST_SECONDS = 20
"""Processor seconds that reading a miniature may take before it counts as a hang; a sound one takes milliseconds."""

MOST_GROWTH = 600_000_000
"""Bytes by which the process may grow over all mutations of one miniature."""

MOST_MASK_PIXELS = 50_000_000
"""Masks are decoded into a stack of things x height x width, which is for its caller to afford."""


# ---------------------------------------------------------------- trees


class Tree:
    """A miniature on disk that is changed and put back."""

    def __init__(self, root: Path, files: Files) -> None:
        self.root, self.files = root, files
        for name, data in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)

    @classmethod
    def of(cls, one: mini.Miniature, folder: Path) -> Tree:
        source = folder / "source"
        source.mkdir(parents=True)
        one.write(source)
        files = {path.relative_to(source).as_posix(): path.read_bytes() for path in sorted(source.rglob("*")) if path.is_file()}
        shutil.rmtree(source)
        root = folder / "data"
        root.mkdir()
        return cls(root, files)

    @contextmanager
    def changed(self, changes: dict[str, bytes | str | None]) -> Iterator[Path]:
        try:
            for name, value in changes.items():
                self._put(name, value)
            yield self.root
        finally:
            for name in changes:
                self._remove(self.root / name.rstrip("/"))
            for name in changes:
                if name in self.files:
                    (self.root / name).write_bytes(self.files[name])

    def _put(self, name: str, value: bytes | str | None) -> None:
        path = self.root / name.rstrip("/")
        self._remove(path)
        if name.endswith("/"):
            path.mkdir()
        elif isinstance(value, bytes):
            path.write_bytes(value)
        elif isinstance(value, str):
            path.symlink_to(path.name if value == name else value)

    def _remove(self, path: Path) -> None:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)


# ---------------------------------------------------------------- oracle


class HangError(BaseException):
    """Reading took too long; no reader may catch it."""


@contextmanager
def no_hang(seconds: float = MOST_SECONDS) -> Iterator[None]:
    """Raise ``HangError`` when the block uses more than so much processor time."""

    def ring(*_: object) -> None:
        raise HangError(f"more than {seconds} processor seconds")

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def examine(format_name: str | None, root: Path, *, strict: bool = False) -> str:
    """Read a dataset; it is either sound or refused.

    Returns:
        ``refused`` or ``read``.

    Raises:
        AssertionError: What was read cannot be trusted.
        Exception: Anything a reader raised that is no ThreatrayError: a find.
    """
    with no_hang():
        try:
            if format_name is None:
                dataset = read_dataset(root)
            else:
                mini.detect(format_name, root)
                dataset = mini.read(format_name, root, strict=strict)
        except ThreatrayError:
            return "refused"
        sound(dataset, root)
    return "read"


def sound(dataset: Dataset, root: Path) -> None:
    """What every dataset that was read must be."""
    inside, cache = root.resolve(), cache_folder().resolve()
    assert dataset.entries
    assert len({entry.id for entry in dataset.entries}) == len(dataset.entries)
    json.dumps([[one.item, one.reason] for one in dataset.set_aside] + list(dataset.notes), ensure_ascii=False).encode()
    for label in dataset.classes:
        label.encode()
    for entry in dataset.entries:
        json.dumps([entry.id, entry.group, entry.part, entry.view, entry.difficulty, *entry.labels], ensure_ascii=False).encode()
        assert entry.id and not entry.id.startswith(".") and not set(entry.id) & set("/\\\0\n"), repr(entry.id)
        assert entry.width > 0 and entry.height > 0
        if len(entry.boxes):
            low, high = entry.boxes[:, :2], entry.boxes[:, 2:]
            assert (low >= 0).all() and (high <= np.array([entry.width, entry.height])).all() and (high > low).all()
        for path in entry.paths:
            assert path.resolve().is_relative_to(inside) or path.resolve().is_relative_to(cache), path
    for entry in dataset.entries[:3]:
        try:
            if entry.width * entry.height * max(1, len(entry.things)) < MOST_MASK_PIXELS:
                entry.annotations()
                dataset.load_colour(entry)
        except ThreatrayError:
            pass


def megabytes_used() -> int:
    """The most memory this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def run(one: mini.Miniature, folder: Path, first: int, count: int) -> dict[str, int]:
    """Mutate a miniature ``count`` times, from seed ``first`` on.

    Raises:
        AssertionError: A find, with the seed that repeats it.
    """
    tree = Tree.of(one, folder)
    outcomes = {"read": 0, "refused": 0}
    before = megabytes_used()
    for seed in range(first, first + count):
        rng = random.Random(f"{one.name} {seed}")
        changes = mutate(tree.files, rng)
        with tree.changed(changes) as root:
            try:
                outcomes[examine(one.format_name if seed % 8 else None, root, strict=seed % 4 == 1)] += 1
            except (Exception, HangError) as error:
                raise AssertionError(f"{one.name}, seed {seed}: {type(error).__name__}: {error}; changed {shown(changes)}") from error
    grown = megabytes_used() - before
    assert grown * 1_000_000 < MOST_GROWTH, f"{one.name}: grew by {grown} MB over seeds {first} to {first + count - 1}"
    return outcomes


def shown(changes: dict[str, bytes | str | None]) -> str:
    return ", ".join(f"{name!r}: {value[:300]!r}" if value is not None else f"{name!r} removed" for name, value in changes.items())
