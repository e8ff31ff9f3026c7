"""A small mutation engine: seeded changes of bytes, of structure and of files, and the oracle that judges what a reader made of them."""

from __future__ import annotations

import io
import json
import random
import re
import resource
import shutil
import signal
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hostile_miniatures as mini
import numpy as np

from threatray.datasets.dataset import Dataset
from threatray.datasets.formats import read_dataset
from threatray.datasets.formats.unpacked import cache_folder
from threatray.errors import ThreatrayError

Files = dict[str, bytes]
"""A dataset as names and bytes."""

MOST_SECONDS = 20
"""Processor seconds that reading a miniature may take before it counts as a hang; a sound one takes milliseconds."""

MOST_GROWTH = 600_000_000
"""Bytes by which the process may grow over all mutations of one miniature."""

LARGEST = 200_000
"""Bytes that a changed file may have: the engine itself must not be what takes time and memory."""

MOST_MASK_PIXELS = 50_000_000
"""Masks are decoded into a stack of things x height x width, which is for its caller to afford."""

TOKENS = (
    "",
    "0",
    "-1",
    "nan",
    "NaN",
    "inf",
    "-Infinity",
    "1e400",
    "9" * 400,
    "9" * 5000,
    "-0.0",
    "1e-320",
    "0x10",
    "1_0",
    "true",
    "null",
    "[]",
    "{}",
    '"',
    "'",
    "\\",
    "\0",
    "\n",
    "\r\n",
    "\t",
    "\ufeff",
    "\u2028",
    "../../etc/passwd",
    "/etc/passwd",
    "C:\\windows\\win.ini",
    "\\\\host\\share",
    "file:///etc/passwd",
    "~root",
    "$HOME",
    "%n%s",
    "<script>alert(1)</script>",
    "칼",
    "刀具",
    "\U0001f52a",
    "a" * 5000,
    "&x;",
    "*x",
    "&x",
    "!!python/object/apply:os.system",
    "- - - -",
    "." * 300,
    "/" * 300,
)

VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    -(2**63),
    10**400,
    0.5,
    -0.0,
    1e-320,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "0",
    "../../etc/passwd",
    "/etc/passwd",
    "\ud800",
    "a\nb",
    "칼",
    "x" * 5000,
    [],
    {},
    [[]],
    [None],
    {"": None},
    [1, 2, 3],
    [0, 0, 1e9, 1e9],
    {"size": [37, 31], "counts": "0"},
    {"size": [2**40, 2**40], "counts": [2**80]},
    {"bytes": None, "path": "../../x"},
)


# ---------------------------------------------------------------- mutations


def mutate(files: Files, rng: random.Random) -> dict[str, bytes | str | None]:
    """One to three changes. A value of None deletes a file; a text makes it a link to there; a name ending in / makes a folder."""
    changed: dict[str, bytes | str | None] = {}
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        name = rng.choice(sorted(files))
        before = changed.get(name, files[name])
        if not isinstance(before, bytes):
            continue
        kind = rng.random()
        if kind < 0.08:
            changed.update(change_files(name, before, files, rng))
        elif kind < 0.45:
            changed[name] = change_bytes(before, files, rng)[:LARGEST]
        else:
            changed[name] = change_structure(name, before, files, rng)[:LARGEST]
    return changed


def change_files(name: str, data: bytes, files: Files, rng: random.Random) -> dict[str, bytes | str | None]:
    path = Path(name)
    other = rng.choice(sorted(files))
    return rng.choice(
        [
            {name: None},
            {name: b""},
            {name: "/etc/passwd"},
            {name: name},  # a link to itself
            {name: "../" * 12 + "etc/passwd"},
            {name: None, name + "/": None},
            {name: files[other]},
            {str(path.with_name(path.stem + rng.choice([".JPG", ".xml", ".txt", ".json", ".tar", ".png", ".yaml"]))): data},
            {str(path.with_name(rng.choice(["칼.png", "a\nb.jpg", "<script>.png", "x" * 240 + ".png", "'\".txt", " .png"]))): data},
            {str(path.with_name("\udcff.png")): data, str(path.with_name("\udcff.txt")): b"0 0.5 0.5 0.1 0.1"},
        ]
    )


def change_bytes(data: bytes, files: Files, rng: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        place = rng.randrange(len(out) + 1)
        end = min(len(out), place + rng.choice([1, 1, 2, 4, 8, 64, 512]))
        kind = rng.randrange(8)
        if kind == 0 and out:
            out[place % len(out)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            out[place:place] = rng.randbytes(rng.choice([1, 2, 4, 16]))
        elif kind == 2:
            del out[place:end]
        elif kind == 3:
            out[place:place] = out[place:end] * rng.choice([1, 2, 50])
        elif kind == 4 and rng.random() < 0.3:
            del out[place:]
        elif kind == 5:
            out[place:end] = rng.choice(TOKENS).encode("utf-8", "surrogatepass")
        elif kind == 6:
            out[place : place + 4] = struct.pack(rng.choice(["<I", ">I", "<i", ">q", "<q"]), rng.choice([0, 1, 2**16, 2**31 - 1]))
        else:
            other = files[rng.choice(sorted(files))]
            start = rng.randrange(len(other) + 1)
            out[place:end] = other[start : start + rng.choice([8, 64, 512])]
    return bytes(out)


def change_structure(name: str, data: bytes, files: Files, rng: random.Random) -> bytes:
    """By what the file is; bytes where it is nothing that is known."""
    suffix = Path(name).suffix.lower()
    change: Callable[[bytes, random.Random], bytes] = STRUCTURES.get(suffix, lambda data, rng: change_bytes(data, files, rng))
    try:
        return change(data, rng)
    except Exception:  # an earlier change broke it: no structure is left to change
        return change_bytes(data, files, rng)


def change_text(data: bytes, rng: random.Random) -> bytes:
    """Numbers, words and lines of a text."""
    text = data.decode("utf-8", "surrogateescape")
    for _ in range(rng.choice([1, 1, 2, 5])):
        text = text[:LARGEST]
        if rng.random() < 0.7:
            tokens = list(re.finditer(r"[\w.+-]+|[^\w\s]", text))
            if tokens:
                token = rng.choice(tokens)
                text = text[: token.start()] + rng.choice([*TOKENS, token.group() * 2]) + text[token.end() :]
        else:
            lines = text.splitlines(keepends=True)
            if lines:
                place = rng.randrange(len(lines))
                lines[place : place + 1] = rng.choice([[], [lines[place]] * 2, [lines[place]] * 300, [lines[place].strip()], lines[::-1]])
                text = "".join(lines)
    return text.encode("utf-8", "surrogateescape" if rng.random() < 0.9 else "replace")


def change_value(value: Any, rng: random.Random) -> Any:
    """One place of a JSON value."""
    if isinstance(value, (dict, list)) and value and rng.random() < 0.85:
        keys = sorted(value) if isinstance(value, dict) else range(len(value))
        key = rng.choice(list(keys))
        copy = dict(value) if isinstance(value, dict) else list(value)
        kind = rng.random()
        if kind < 0.75:
            copy[key] = change_value(value[key], rng)
        elif kind < 0.83:
            del copy[key]
        elif kind < 0.9 and isinstance(copy, list):
            copy += [value[key]] * rng.choice([1, 3, 200])
        elif isinstance(copy, dict):
            copy[rng.choice([*keys, "segmentation", "iscrowd", "part", "group", "white_level", "low_file_name", "entry_id", "id"])] = value[
                key
            ]
        else:
            rng.shuffle(copy)
        return copy
    if rng.random() < 0.1:
        deep: Any = value
        for _ in range(rng.choice([50, 900])):
            deep = [deep]
        return deep
    if isinstance(value, (int, float)) and not isinstance(value, bool) and rng.random() < 0.3:
        return rng.choice([-value, value * 1000, value + 0.5, str(value), [value]])
    if isinstance(value, str) and rng.random() < 0.3:
        return rng.choice([value.upper(), value * 300, "../" + value, value + "\0", [value], rng.choice(TOKENS)])
    return rng.choice(VALUES)


def change_json(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.2:
        return change_text(data, rng)
    return dumped(change_value(json.loads(data), rng))


def change_json_lines(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.2:
        return change_text(data, rng)
    lines = data.splitlines()
    place = rng.randrange(len(lines))
    lines[place] = dumped(change_value(json.loads(lines[place]), rng))
    return b"\n".join(lines)


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def change_png(data: bytes, rng: random.Random) -> bytes:
    """The size, depth and colour kind in the header, with its checksum put right; the pixels stay."""
    header = bytearray(data[12:29])
    place, kind = rng.choice([(4, ">I"), (8, ">I"), (12, "B"), (13, "B"), (16, "B")])
    value = rng.choice([0, 1, 2, 3, 6, 16, 255] if kind == "B" else [0, 1, 31, 37, 65_000, 70_000, 2**31 - 1, 2**32 - 1])
    struct.pack_into(kind, header, place, value)
    return data[:12] + bytes(header) + struct.pack(">I", zlib.crc32(header)) + data[33:]


def change_jpeg(data: bytes, rng: random.Random) -> bytes:
    """The size in the frame header."""
    place = data.index(b"\xff\xc0") + rng.choice([5, 7])
    return data[:place] + struct.pack(">H", rng.choice([0, 1, 31, 37, 65_000, 65_535])) + data[place + 2 :]


def change_tar(data: bytes, rng: random.Random) -> bytes:
    """Members of an archive: their names, kinds, order and what is in them."""
    members = []
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for info in archive:
            handle = archive.extractfile(info)
            members.append((info.name, b"" if handle is None else handle.read(), tarfile.REGTYPE, ""))
    place = rng.randrange(len(members))
    name, content, _, _ = members[place]
    inner = {one: two for one, two, _, _ in members}
    kind = rng.randrange(7)
    if kind == 0:
        members[place] = (
            rng.choice(["../../x.png", "/etc/x.png", "", ".", "..", "a/../../b.png", "x" * 300 + ".png", ".png", "\udcff.png"]),
            content,
            b"0",
            "",
        )
    elif kind == 1:
        members[place] = (name, b"", rng.choice([b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"S", b"x", b"g", b"L", b"Z"]), "/etc/passwd")
    elif kind == 2:
        members += [members[place]] * rng.choice([1, 70])
    elif kind == 3:
        rng.shuffle(members)
    elif kind == 4:
        del members[place]
    else:
        members[place] = (name, change_structure(name, content, inner, rng), b"0", "")
    buffer = io.BytesIO()
    with tarfile.open(
        fileobj=buffer, mode="w", format=rng.choice([tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
    ) as archive:
        for own, body, sort, target in members:
            info = tarfile.TarInfo(own)
            info.size, info.type, info.linkname = len(body), sort, target
            archive.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def change_parquet(data: bytes, rng: random.Random) -> bytes:
    """Rows of a table, written with whatever types they then have."""
    import pyarrow as pa
    from pyarrow.parquet import read_table, write_table

    table = read_table(io.BytesIO(data))
    rows = [strip_bytes(row) for row in table.to_pylist()]
    pictures = [row["image"] for row in table.to_pylist()]
    changed = change_value(rows, rng)
    for row, one in zip(changed if isinstance(changed, list) else [], pictures, strict=False):
        if isinstance(row, dict) and row.get("image") == "HERE":
            row["image"] = {**one, "bytes": change_bytes(one["bytes"], {"x": one["bytes"]}, rng) if rng.random() < 0.3 else one["bytes"]}
    buffer = io.BytesIO()
    try:
        new = pa.Table.from_pylist(changed)
        metadata = table.schema.metadata or {}
        if rng.random() < 0.3:
            metadata = {key: change_json(value, rng) for key, value in metadata.items()}
        write_table(new.replace_schema_metadata(metadata), buffer)
    except (pa.ArrowException, TypeError, AttributeError, UnicodeError) as error:
        raise ValueError("no table") from error
    return buffer.getvalue()


def strip_bytes(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "image": "HERE"}


STRUCTURES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    ".json": change_json,
    ".jsonl": change_json_lines,
    ".png": change_png,
    ".jpg": change_jpeg,
    ".tar": change_tar,
    ".parquet": change_parquet,
    **dict.fromkeys((".xml", ".txt", ".csv", ".yaml", ".md", ".names", ".data"), change_text),
}


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
