"""What a person sees while work is under way: bars on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

Update = Callable[[int, int], None]
"""Called with (done, total); a total of 0 is one that is not known."""

_SECONDS_BETWEEN_LINES = 15.0


@dataclass(frozen=True)
class Progress:
    """Reports on stderr, so that stdout stays free for results.

    Args:
        quiet: Say nothing.
        stream: Where to write; stderr unless told otherwise.
    """

    quiet: bool = False
    stream: TextIO = field(default_factory=lambda: sys.stderr)

    def say(self, text: str) -> None:
        """One line."""
        if not self.quiet:
            print(text, file=self.stream, flush=True)

    @contextmanager
    def task(self, label: str, unit: str = "item") -> Iterator[Update]:
        """A piece of work; yields the function to call with (done, total)."""
        if self.quiet:
            yield lambda done, total: None
        elif self.stream.isatty():
            yield from self._bar(label, unit)
        else:
            yield self._lines(label, unit)

    def _bar(self, label: str, unit: str) -> Iterator[Update]:
        from tqdm import tqdm

        with tqdm(desc=label, unit=unit, file=self.stream, leave=False, dynamic_ncols=True, initial=0) as bar:

            def update(done: int, total: int) -> None:
                bar.total = total or None
                bar.update(done - bar.n)

            yield update

    def _lines(self, label: str, unit: str) -> Update:
        started = time.monotonic()
        last = started
        first_done: int | None = None

        def update(done: int, total: int) -> None:
            nonlocal last, first_done
            if first_done is None:
                first_done = done
            now = time.monotonic()
            if now - last < _SECONDS_BETWEEN_LINES:
                return
            last = now
            rate = (done - first_done) / (now - started)
            left = f"{(total - done) / rate:.0f} s left" if rate > 0 and total else "time left unknown"
            self.say(f"  {label}: {done}{f'/{total}' if total else ''} {unit}s, {rate:.3g} {unit}s/s, {left}")

        return update
