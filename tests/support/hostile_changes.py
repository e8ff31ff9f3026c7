"""Seeded changes of bytes, of structure and of files: what the hostile tests do to a dataset."""

from __future__ import annotations

import io
import json
import random
import re
import struct
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

Files = dict[str, bytes]
"""A dataset as names and bytes."""

LARGEST = 200_000
"""Bytes that a changed file may have: the engine itself must not be what takes time and memory."""

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
