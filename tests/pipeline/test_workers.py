"""Work over many items: order, resume, one or two processes alike."""

from __future__ import annotations

import json
import operator
from collections.abc import Iterator
from pathlib import Path

import pytest

from threatray.pipeline.workers import run_jobs, run_jobs_to_disk


def scaled(factor: int, item: int) -> int:
    if item < 0:
        raise ValueError(f"item {item}")
    return factor * item


def quiet(done: int, total: int) -> None: ...


@pytest.mark.parametrize("workers", [1, 2])
def test_results_keep_the_order_of_the_items(workers: int) -> None:
    assert run_jobs(operator.mul, 3, [5, 1, 4], workers=workers, update=quiet) == [15, 3, 12]


def test_progress_ends_at_the_total() -> None:
    seen: list[tuple[int, int]] = []
    run_jobs(scaled, 3, [1, 2], workers=1, update=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 2), (1, 2), (2, 2)]


def test_a_killed_run_goes_on_after_its_last_finished_item(tmp_path: Path) -> None:
    ledger = tmp_path / ".items.ledger"
    with pytest.raises(ValueError, match="item -1"):
        run_jobs(scaled, 3, [1, 2, -1, 4], workers=1, update=quiet, ledger=ledger)
    assert [json.loads(line) for line in ledger.read_text().splitlines()] == [3, 6]
    # Items that are in the ledger are not done again: other values would show.
    assert run_jobs(scaled, 100, [1, 2, 3, 4], workers=1, update=quiet, ledger=ledger) == [3, 6, 300, 400]


def test_a_line_that_the_kill_cut_off_is_done_again(tmp_path: Path) -> None:
    ledger = tmp_path / ".items.ledger"
    ledger.write_text("3\n6\n3")
    assert run_jobs(scaled, 3, [1, 2, 3], workers=1, update=quiet, ledger=ledger) == [3, 6, 9]
    assert ledger.read_text() == "3\n6\n9\n"


@pytest.mark.parametrize("workers", [1, 2])
def test_results_on_disk_are_those_in_memory(tmp_path: Path, workers: int) -> None:
    items = list(range(40))
    found = run_jobs_to_disk(operator.mul, 3, items, workers=workers, update=quiet, ledger=tmp_path / ".a.ledger")
    assert list(found) == list(found) == [3 * item for item in items]
    with found.reader() as at:
        assert [at(offset) for offset, _ in found.offsets()] == list(found)


def test_work_on_disk_goes_on_after_a_kill_and_draws_its_items_when_needed(tmp_path: Path) -> None:
    ledger = tmp_path / ".a.ledger"
    ledger.write_text("3\n6\n9")
    asked: list[int] = []

    class Items(list[int]):
        def __getitem__(self, place):  # type: ignore[no-untyped-def]
            asked.append(place)
            return super().__getitem__(place)

    assert list(run_jobs_to_disk(scaled, 3, Items([1, 2, 3, 4]), workers=1, update=quiet, ledger=ledger)) == [3, 6, 9, 12]
    assert asked == [2, 3]


def test_streamed_jobs_come_in_order_and_read_no_further_ahead_than_they_must() -> None:
    from itertools import count, islice

    from threatray.pipeline.workers import stream_jobs

    taken = []

    def source() -> Iterator[int]:
        for number in count():
            taken.append(number)
            yield number

    assert list(islice(stream_jobs(abs, source(), workers=1), 5)) == [(number, number) for number in range(5)]
    assert len(taken) == 5
    taken.clear()
    found = list(islice(stream_jobs(abs, source(), workers=2, batch=4), 30))
    assert found == [(number, number) for number in range(30)]
    assert len(taken) <= 30 + 2 * 3 * 4 + 4
    assert list(stream_jobs(abs, iter([]), workers=2)) == []
