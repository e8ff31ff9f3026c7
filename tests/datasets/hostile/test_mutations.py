"""Mutations of every miniature: a reader is right, or says what is wrong; nothing else.

The default run takes the first seeds of each miniature, always the same. ``make fuzz`` takes ten minutes of others.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import hostile_miniatures as mini
import hostile_mutations as mutations
import pytest

QUICK_CASES = 250
FUZZ_SECONDS = "THREATRAY_FUZZ_SECONDS"
FUZZ_FIRST_SEED = "THREATRAY_FUZZ_FIRST_SEED"
_CHUNK = 200


@pytest.mark.parametrize("one", mini.MINIATURES, ids=lambda one: one.name)
def test_a_mutated_dataset_is_read_or_refused(one: mini.Miniature, tmp_path: Path) -> None:
    outcomes = mutations.run(one, tmp_path, 0, QUICK_CASES)
    assert sum(outcomes.values()) == QUICK_CASES
    assert min(outcomes.values()) > 0, f"the mutations of {one.name} are all alike: {outcomes}"


@pytest.mark.fuzz
@pytest.mark.skipif(FUZZ_SECONDS not in os.environ, reason=f"`make fuzz` sets {FUZZ_SECONDS}")
@pytest.mark.parametrize("one", mini.MINIATURES, ids=lambda one: one.name)
def test_a_dataset_mutated_for_minutes_is_read_or_refused(one: mini.Miniature, tmp_path: Path) -> None:
    """Each find names its seed, which repeats it."""
    share = float(os.environ[FUZZ_SECONDS]) / len(mini.MINIATURES)
    seed = int(os.environ.get(FUZZ_FIRST_SEED, QUICK_CASES))
    end = time.process_time() + share
    cases = 0
    while time.process_time() < end:
        mutations.run(one, tmp_path / str(seed), seed, _CHUNK)
        seed += _CHUNK
        cases += _CHUNK
    print(f"{one.name}: {cases} cases")  # noqa: T201  # shown with -s
