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
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from threatray.pipeline.progress import Update

Shared = TypeVar("Shared")
Item = TypeVar("Item")
Result = TypeVar("Result")

LEDGER_SUFFIX = ".ledger"
"""Files of this suffix in a stage's working folder are its memory of finished items; they are not outputs."""


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
    results: list[Result] = _remembered(ledger)
    left = items[len(results) :]
    update(len(results), len(items))
    with _Ledger(ledger) as remember:
        for result in _each(function, shared, left, workers):
            remember(result)
            results.append(result)
            update(len(results), len(items))
    return results


def _each(function: Callable[[Shared, Item], Result], shared: Shared, items: Sequence[Item], workers: int) -> Iterator[Result]:
    if workers <= 1 or len(items) <= 1:
        for item in items:
            yield function(shared, item)
        return
    import multiprocessing

    context = multiprocessing.get_context("spawn")  # fork would copy torch's thread pools in an unknown state
    pool = ProcessPoolExecutor(
        min(workers, len(items)), mp_context=context, initializer=_start_worker, initargs=(os.getpid(), function, shared)
    )
    try:
        yield from pool.map(_call, items)
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


def _remembered(ledger: Path | None) -> list[Any]:
    """The results of the whole lines; a line cut off by a kill is dropped from the file too."""
    if ledger is None or not ledger.is_file():
        return []
    whole = [line for line in ledger.read_text(encoding="utf-8").splitlines(keepends=True) if line.endswith("\n")]
    ledger.write_text("".join(whole), encoding="utf-8")
    return [json.loads(line) for line in whole]


_job: Callable[[Any], Any]


def _start_worker(parent: int, function: Callable[[Any, Any], Any], shared: Any) -> None:
    global _job

    def job(item: Any) -> Any:
        return function(shared, item)

    _job = job
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _call(item: Any) -> Any:
    return _job(item)
