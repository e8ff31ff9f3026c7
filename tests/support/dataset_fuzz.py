"""Damages a small dataset on disk the way downloads, spreadsheets and attackers do; every damage is drawn from a seed."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

TOKENS = (
    *(b"nan", b"-inf", b"1e400", b"9" * 5000, b"-1", b"0", b"1_0", b"null", b"true", b"None", b"difficult"),
    *(b"\xff\xfe", b"\x00", b"\n", b"\r", b"\t", b" ", b",", b'"', b"'", b"{", b"}", b"[", b"]", b"<", b"/>", b"[" * 3000),
    *(b"../../etc/passwd", b"/etc/passwd", b"C:\\x", b"<!DOCTYPE a [<!ENTITY b 'b'>]>", b"<script>", b"\x1b[2J"),
    *(b"\\ud800", b"\xef\xbb\xbf", "\u2028".encode(), "수화물".encode(), "刀".encode()),
)


def damage(root: Path, rng: random.Random) -> str:
    """Damage one file of a dataset; what was done, for the message of a failing test."""
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    if not files:
        return "nothing left to damage"
    annotations = [path for path in files if path.suffix.lower() not in (".png", ".jpg", ".tiff")]
    target = rng.choice(annotations if annotations and rng.random() < 0.8 else files)
    how = rng.choice((_flip, _cut, _insert, _insert, _swap, _repeat, _number, _number, _replace_file))
    how(target, rng)
    return f"{how.__name__[1:]} {target.relative_to(root)}"


def _flip(path: Path, rng: random.Random) -> None:
    data = bytearray(path.read_bytes())
    for _ in range(min(len(data), rng.randint(1, 8))):
        data[rng.randrange(len(data))] = rng.randrange(256)
    path.write_bytes(bytes(data))


def _cut(path: Path, rng: random.Random) -> None:
    data = path.read_bytes()
    start = rng.randint(0, len(data))
    path.write_bytes(data[:start] + data[start + rng.choice((1, 7, len(data))) :])


def _insert(path: Path, rng: random.Random) -> None:
    data = path.read_bytes()
    place = rng.randint(0, len(data))
    path.write_bytes(data[:place] + rng.choice(TOKENS) + data[place:])


def _swap(path: Path, rng: random.Random) -> None:
    lines = path.read_bytes().split(b"\n")
    rng.shuffle(lines)
    path.write_bytes(b"\n".join(lines))


def _repeat(path: Path, rng: random.Random) -> None:
    data = path.read_bytes()
    start = rng.randint(0, len(data))
    piece = data[start : start + rng.randint(1, 60)]
    path.write_bytes(data[:start] + piece * rng.randint(2, 5) + data[start:])


def _number(path: Path, rng: random.Random) -> None:
    """Put something else where a digit stands."""
    data = path.read_bytes()
    digits = [place for place, byte in enumerate(data) if 48 <= byte <= 57]
    if digits:
        place = rng.choice(digits)
        path.write_bytes(data[:place] + rng.choice(TOKENS) + data[place + 1 :])


def _replace_file(path: Path, rng: random.Random) -> None:
    """Another kind of thing in the file's place, or another name."""
    kinds: tuple[Callable[[], object], ...] = (
        path.mkdir,
        lambda: path.symlink_to("/etc/passwd"),
        lambda: path.symlink_to(path),
        lambda: path.write_bytes(b""),
        lambda: path.with_name("<img>\n" + path.name).write_bytes(b"x"),
        lambda: path.with_name("刀" * 60 + path.suffix).write_bytes(b"1"),
        lambda: None,
    )
    path.unlink()
    rng.choice(kinds)()


def copy_of(source: Path, target: Path) -> Path:
    """A fresh copy to damage."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target)
    return target
