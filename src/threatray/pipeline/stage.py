"""A stage is a pure function from input folders, settings and a seed to one folder.

It works under a temporary name that survives a kill, writes ``manifest.json`` last, then renames. Running it again does
nothing if nothing changed, resumes if it was killed, and stops with the differences if it was made with other settings.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, is_dataclass
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from threatray import __version__
from threatray.core.files import UNFINISHED, read_json, sha256_of_file, write_json
from threatray.core.manifest import MANIFEST_NAME, RunManifest, SetAside
from threatray.errors import ConfigError, DataError, StorageError
from threatray.pipeline.progress import Progress
from threatray.pipeline.workers import LEDGER_SUFFIX, available_cores

_ASKED: Final = ".asked.json"
_VERSIONED: Final = ("numpy", "opencv-python-headless", "pillow", "scipy", "torch", "torchvision")
_STORAGE_FAULTS: Final = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EFBIG}


@dataclass(frozen=True)
class Run:
    """How a stage is carried out; none of it may change what it writes, except the seed.

    Args:
        seed: The run's seed.
        progress: Where to report.
        workers: Processes (or threads in training) to use. Fixed at 2 where a different number would change the bits.
        redo: Make a folder anew if it was made with other settings, instead of stopping.
        strict: A broken input file is an error, instead of being set aside.
    """

    seed: int = 0
    progress: Progress = field(default_factory=Progress)
    workers: int = field(default_factory=available_cores)
    redo: bool = False
    strict: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a stage has to say when it is done: counts for the summary and what it left out."""

    summary: Mapping[str, Any]
    set_aside: tuple[SetAside, ...] = ()


def run_stage(
    name: str,
    config: object,
    inputs: Mapping[str, Path],
    out: Path,
    run: Run,
    body: Callable[[Path], Outcome],
    *,
    identify: Callable[[Path], str] | None = None,
) -> RunManifest:
    """Carry out a stage once.

    Args:
        name: The stage's name.
        config: Its settings, a dataclass.
        inputs: Name -> folder or file that it reads.
        out: The folder to make.
        run: How.
        body: Writes everything into the folder it is given (which may hold its own earlier, unfinished work) and
            returns its outcome.
        identify: What an input is known by; ``fingerprint``, which reads every byte, if not given.

    Returns:
        The manifest, fresh or found.

    Raises:
        ConfigError: ``out`` holds something else: another stage's folder, other settings (the differences are listed).
        DataError: An input is missing.
        StorageError: Disk full, no permission.
    """
    asked = identity(name, config, inputs, run, identify)
    with storage_faults(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        with _alone(out):
            found = _found(asked, out, run)
            if found is not None:
                run.progress.say(f"{name}: already done ({out})")
                return found
            work = _working_folder(asked, out)
            run.progress.say(f"{name}: working ({out})")
            outcome = body(work)
            # a kill may have left a file half written whose writer did not come back to it
            for path in (work / _ASKED, *work.rglob(f"*{LEDGER_SUFFIX}"), *work.rglob(UNFINISHED)):
                path.unlink()
            made = RunManifest(
                stage=asked.stage,
                config=asked.config,
                seed=asked.seed,
                inputs=asked.inputs,
                versions=_versions(),
                outputs={path: sha256_of_file(work / path) for path in _files(work)},
                summary=plain(outcome.summary),
                set_aside=tuple(outcome.set_aside),
            )
            made.write(work)
            work.rename(out)
            return made


def identity(name: str, config: object, inputs: Mapping[str, Path], run: Run, identify: Callable[[Path], str] | None = None) -> RunManifest:
    """What a stage is asked for, with nothing made yet: its settings, its seed and the content of its inputs.

    Raises:
        DataError: An input is missing.
    """
    for label, path in inputs.items():
        if not path.exists():
            raise DataError(f"{name}: the input {label} is missing: {path} does not exist.")
    known = {label: (identify or fingerprint)(path) for label, path in sorted(inputs.items())}
    return RunManifest(stage=name, config=plain(config), seed=run.seed, inputs=known)


def plain(value: Any) -> Any:
    """A value as JSON would hold it: dataclasses and mappings as dicts, tuples as lists, enums by value, paths as text."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain({key: getattr(value, key) for key in value.__dataclass_fields__})
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return value.as_posix()
    return value


def fingerprint(path: Path) -> str:
    """Sha256 of a file, of a stage folder's manifest, or of every name and content below a folder."""
    if path.is_file():
        return sha256_of_file(path)
    digest = hashlib.sha256()
    for name, content in _contents(path):
        digest.update(f"{name}\0{content}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def listing_fingerprint(path: Path) -> str:
    """A word for every name, size and time of change below a folder: for stages that do not read the files themselves.

    The hashes of the files are added up, so that their order does not matter and none of a million names need be kept.
    """
    if path.is_file():
        return sha256_of_file(path)
    total = 0
    for name, found in _below(path, ""):
        known = f"{name}\0{found.st_size}\0{found.st_mtime_ns}".encode("utf-8", "surrogateescape")
        total += int.from_bytes(hashlib.sha256(known).digest(), "big")
    return f"{total % 2**256:064x}"


def _below(folder: Path | str, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    """Relative name and state of every file but manifests; links to folders are not followed, links to files are."""
    inner = []
    with os.scandir(folder) as listing:
        for one in listing:
            if one.is_dir(follow_symlinks=False):
                inner.append(one.name)
            elif one.name != MANIFEST_NAME and _is_file(one):
                yield prefix + one.name, one.stat()
    for name in inner:
        yield from _below(f"{folder}/{name}", f"{prefix}{name}/")


def _is_file(one: os.DirEntry[str]) -> bool:
    try:
        return one.is_file()
    except OSError:  # a link that goes in circles
        return False


def _contents(folder: Path) -> Iterator[tuple[str, str]]:
    """(relative name, sha256) of every file; taken from a manifest, in the folder or above it, where there is one."""
    for parent in (folder, folder.parent):
        if (parent / MANIFEST_NAME).is_file():
            inside = folder.relative_to(parent).as_posix()
            prefix = "" if inside == "." else f"{inside}/"
            for name, content in sorted(RunManifest.read(parent).outputs.items()):
                if name.startswith(prefix):
                    yield name.removeprefix(prefix), content
            return
    for name in _files(folder):
        yield name, sha256_of_file(folder / name)


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file() and path.name != MANIFEST_NAME)


def _versions() -> dict[str, str]:
    return {"threatray": __version__, **{package: metadata.version(package) for package in _VERSIONED}}


def _found(asked: RunManifest, out: Path, run: Run) -> RunManifest | None:
    """The manifest of finished equal work; None if there is work to do; an error if something else is there."""
    if not out.exists():
        return None
    if not (out / MANIFEST_NAME).is_file():
        if out.is_dir() and not any(out.iterdir()):
            out.rmdir()
            return None
        raise ConfigError(f"{out}: exists but was not made by threatray (no {MANIFEST_NAME}). Choose another --out; nothing was touched.")
    made = RunManifest.read(out)
    lost = [path for path in made.outputs if not (out / path).is_file()]
    if made.key == asked.key and not lost:
        return made
    if run.redo:
        shutil.rmtree(out)
        return None
    if lost:
        raise DataError(f"{out}: {len(lost)} of its files are gone, {lost[0]} among them. Run again with --redo to make the folder anew.")
    changes = "\n".join(f"  {line}" for line in differences(asdict(made), asdict(asked)))
    raise ConfigError(f"{out}: was made with other settings or inputs:\n{changes}\nChoose another --out, or run with --redo to replace it.")


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Lines ``config.steps: 600 -> 800`` for every setting, seed or input that changed.

    Example:
        >>> differences({"config": {"steps": 1}, "seed": 7}, {"config": {"steps": 2}, "seed": 7})
        ['config.steps: 1 -> 2']
    """
    old, new = _flat({key: before.get(key) for key in _IDENTITY}), _flat({key: after.get(key) for key in _IDENTITY})
    return [f"{key}: {_brief(old.get(key))} -> {_brief(new.get(key))}" for key in sorted({*old, *new}) if old.get(key) != new.get(key)]


_IDENTITY: Final = ("stage", "config", "seed", "inputs")


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(value, Mapping) and value:
        return {key: leaf for name, item in value.items() for key, leaf in _flat(item, f"{prefix}.{name}" if prefix else str(name)).items()}
    return {prefix: value}


def _brief(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text[:12] + "..." if len(text) == 64 else text


def _working_folder(asked: RunManifest, out: Path) -> Path:
    """The folder under its temporary name; kept from a killed run if it asked for the same."""
    work = out.with_name(f".{out.name}.partial")
    note = work / _ASKED
    if work.exists() and not (note.is_file() and read_json(note).get("key") == asked.key):
        shutil.rmtree(work)
    work.mkdir(exist_ok=True)
    write_json(note, {"key": asked.key})
    return work


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Two programs never make the same folder at once."""
    lock = out.with_name(f".{out.name}.lock")
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"{out}: another threatray is making this folder now. Wait for it, or choose another --out.") from None
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


@contextmanager
def storage_faults(out: Path) -> Iterator[None]:
    """Turn the machine's refusals into an error that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in _STORAGE_FAULTS:
            raise
        where = error.filename or out
        raise StorageError(
            f"{where}: {error.strerror}. What was finished is kept; free some space or choose another --out, then run again to go on."
        ) from None
