"""The same pure function over many items, in processes that never outlive their parent."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from threatray.pipeline.progress import Update

Item = TypeVar("Item")
Result = TypeVar("Result")


def available_cores() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def run_jobs(function: Callable[[Item], Result], items: Sequence[Item], *, workers: int, update: Update) -> list[Result]:
    """``[function(item) for item in items]``, in up to ``workers`` spawned processes; results keep the items' order.

    With one worker, or one item, everything runs in this process. ``function`` and the items must pickle.
    """
    if workers <= 1 or len(items) <= 1:
        results = []
        for done, item in enumerate(items):
            update(done, len(items))
            results.append(function(item))
        update(len(items), len(items))
        return results

    import multiprocessing

    context = multiprocessing.get_context("spawn")  # fork would copy torch's thread pools in an unknown state
    pool = ProcessPoolExecutor(min(workers, len(items)), mp_context=context, initializer=_start_worker, initargs=(os.getpid(),))
    try:
        results = []
        for done, result in enumerate(pool.map(function, items)):
            results.append(result)
            update(done + 1, len(items))
        return results
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _start_worker(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means

    def leave_with_parent() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=leave_with_parent, daemon=True).start()
