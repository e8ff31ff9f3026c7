"""The same function over many items, in processes that never outlive their parent, resumable item by item."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

from threatray.pipeline.progress import Update

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")

LEDGER_SUFFIX = ".ledger"
"""Files of this suffix in a stage's working folder are its memory of finished items; they are not outputs."""

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
"""Names of ``mallopt``'s parameters, from malloc.h."""

_AHEAD: Final = 8
"""Jobs handed out for each process before the oldest is waited for."""


def available_cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def run_jobs(
    function: Callable[[Shared, Item], Result],
    shared: Shared,
    items: Sequence[Item],
    *,
    workers: int,
    update: Update,
    ledger: Path | None = None,
) -> list[Result]:
    """``[function(shared, item) for item in items]``, in up to ``workers`` spawned processes; results keep the items' order.

    Args:
        function: A module's own function; it, ``shared`` and the items must pickle.
        shared: What every call needs; sent to each process once.
        items: The work.
        workers: Processes; with one, everything runs in this process.
        update: Told (done, total).
        ledger: A file that remembers finished items, so that a killed run goes on after the last of them. Results must
            then be JSON-able, and the function's own files be written whole or not at all.

    Returns:
        The results, those from the ledger included.
    """
    results: list[Result] = list(_remembered(ledger))
    left = items[len(results) :]
    update(len(results), len(items))
    with _Ledger(ledger) as remember:
        for result in _each(function, shared, left, workers):
            remember(result)
            results.append(result)
            update(len(results), len(items))
    return results


def run_jobs_to_disk(
    function: Callable[[Shared, Item], Any],
    shared: Shared,
    items: Sequence[Item],
    *,
    workers: int,
    update: Update,
    ledger: Path,
) -> JobResults:
    """``run_jobs`` for more results than memory holds: they stay in the ledger, and memory does not grow with their number.

    Args:
        function: As for ``run_jobs``.
        shared: What every call needs.
        items: The work; a sequence that makes its items when asked keeps them out of memory too.
        workers: Processes.
        update: Told (done, total).
        ledger: Where the results go, a JSON line each, in the items' order; finished items are not done again.

    Returns:
        The results, read from disk as often as they are asked for.
    """
    done = sum(1 for _ in _remembered(ledger))
    update(done, len(items))
    with _Ledger(ledger) as remember:
        for result in _each(function, shared, _Rest(items, done), workers):
            remember(result)
            done += 1
            update(done, len(items))
    return JobResults(ledger)


@dataclass(frozen=True)
class JobResults:
    """Results in a ledger, in the items' order."""

    path: Path

    def __iter__(self) -> Iterator[Any]:
        with self.path.open("rb") as handle:
            for line in handle:
                yield json.loads(line)

    def offsets(self) -> Iterator[tuple[int, Any]]:
        """Each result with the byte at which its line begins, for ``at``."""
        offset = 0
        with self.path.open("rb") as handle:
            for line in handle:
                yield offset, json.loads(line)
                offset += len(line)

    @contextmanager
    def reader(self) -> Iterator[Callable[[int], Any]]:
        """A function from the byte at which a line begins to its result."""
        with self.path.open("rb") as handle:

            def at(offset: int) -> Any:
                handle.seek(offset)
                return json.loads(handle.readline())

            yield at


@dataclass(frozen=True)
class _Rest(Sequence[Item]):
    """The items from one on, without copying them."""

    items: Sequence[Item]
    first: int

    def __len__(self) -> int:
        return max(0, len(self.items) - self.first)

    def __getitem__(self, place: Any) -> Any:
        return self.items[self.first + place]

    def __iter__(self) -> Iterator[Item]:
        return (self.items[place] for place in range(self.first, len(self.items)))


def _each(function: Callable[[Shared, Item], Result], shared: Shared, items: Sequence[Item], workers: int) -> Iterator[Result]:
    if workers <= 1 or len(items) <= 1:
        for item in items:
            yield function(shared, item)
        return
    import multiprocessing

    context = multiprocessing.get_context("spawn")  # fork would copy torch's thread pools in an unknown state
    count = min(workers, len(items))
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_start_worker, initargs=(os.getpid(), function, shared))
    # A few jobs ahead of the one that is waited for: enough to keep every process busy, few enough to forget.
    ahead: deque[Future[Result]] = deque()
    try:
        for item in items:
            ahead.append(pool.submit(_call, item))
            if len(ahead) >= _AHEAD * count:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def stream_jobs(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int, batch: int = 32
) -> Iterator[tuple[Item, Result]]:
    """``(item, function(item))`` for each item as it comes, in order; never more than a few batches are under way or kept.

    Args:
        function: A module's own function; it, the items and the results must pickle.
        items: The work; may be endless.
        workers: Spawned processes; with one, everything runs in this process.
        batch: Items that go to a process at once.

    Example:
        >>> list(stream_jobs(abs, iter([-1, 2]), workers=1))
        [(-1, 1), (2, 2)]
    """
    if workers <= 1:
        for item in items:
            yield item, function(item)
        return
    import multiprocessing

    source = iter(items)
    under_way: deque[tuple[list[Item], Future[list[Result]]]] = deque()
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(os.getpid(), _all_of, function))
    try:
        while True:
            while len(under_way) < 3 * workers and (some := list(islice(source, batch))):
                under_way.append((some, pool.submit(_call, some)))
            if not under_way:
                return
            some, future = under_way.popleft()
            yield from zip(some, future.result(), strict=True)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _all_of(function: Callable[[Any], Any], items: list[Any]) -> list[Any]:
    return [function(item) for item in items]


class _Ledger:
    def __init__(self, path: Path | None) -> None:
        self._handle = path.open("a", encoding="utf-8") if path is not None else None

    def __enter__(self) -> Callable[[Any], None]:
        return self._remember

    def __exit__(self, *exception: object) -> None:
        if self._handle is not None:
            self._handle.close()

    def _remember(self, result: Any) -> None:
        if self._handle is not None:
            self._handle.write(json.dumps(result) + "\n")
            self._handle.flush()


def _remembered(ledger: Path | None) -> Iterator[Any]:
    """The results of the whole lines; a line cut off by a kill is dropped from the file first."""
    if ledger is None or not ledger.is_file():
        return
    with ledger.open("rb+") as handle:
        whole = 0
        for line in handle:
            whole += len(line) if line.endswith(b"\n") else 0
        handle.truncate(whole)
        handle.seek(0)
        for line in handle:
            yield json.loads(line)


_job: Callable[[Any], Any]


def _start_worker(parent: int, function: Callable[[Any, Any], Any], shared: Any) -> None:
    global _job

    def job(item: Any) -> Any:
        return function(shared, item)

    import cv2

    _job = job
    cv2.setNumThreads(1)  # the processes share the cores; threads of their own would only push each other aside
    _keep_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _keep_memory() -> None:
    """Let the C library keep what arrays free, instead of giving it back and asking again for each picture.

    Asking costs a page fault and a cleared page each time, which two processes do in each other's way; the most that is kept is what was in
    use at once.
    """
    import ctypes
    import ctypes.util

    name = ctypes.util.find_library("c")
    tune = getattr(ctypes.CDLL(name), "mallopt", None) if name else None
    if tune is not None:  # the GNU library has it
        for parameter, value in ((_M_MMAP_THRESHOLD, 1 << 30), (_M_TRIM_THRESHOLD, (1 << 31) - 1)):
            tune(parameter, value)


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _call(item: Any) -> Any:
    return _job(item)
