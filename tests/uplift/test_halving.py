from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core import stream
from threatray.errors import ConfigError
from threatray.uplift.halving import successive_halving


@given(st.integers(1, 12), st.integers(1, 400), st.integers(1, 100), st.integers(0, 9))
@settings(deadline=None)
def test_the_best_wins_where_figures_do_not_depend_on_the_budget(candidates: int, last: int, least: int, seed: int) -> None:
    worth = stream(seed, "worth").random(candidates)
    rounds = successive_halving(candidates, lambda candidate, steps: [worth[candidate]], last_steps=last, least_steps=least)
    assert rounds[-1].kept[0] == int(np.argmax(worth))
    assert rounds[-1].steps == last
    assert all(before.steps <= after.steps <= last for before, after in itertools.pairwise(rounds))


def test_only_survivors_are_trained_again_and_on_twice_as_much() -> None:
    asked: list[tuple[int, int]] = []

    def evaluate(candidate: int, steps: int) -> list[float]:
        asked.append((candidate, steps))
        return [float(candidate)]

    successive_halving(5, evaluate, last_steps=800)
    assert asked == [(0, 200), (1, 200), (2, 200), (3, 200), (4, 200), (4, 400), (3, 400), (2, 400), (4, 800), (3, 800)]


def test_a_late_bloomer_can_win_the_last_round() -> None:
    worth = {0: lambda steps: 0.5, 1: lambda steps: steps / 100, 2: lambda steps: 0.1, 3: lambda steps: 0.0}
    rounds = successive_halving(4, lambda candidate, steps: [worth[candidate](steps)], last_steps=100)
    assert rounds[-1].kept[0] == 1


def test_ties_go_to_the_lower_number_and_unknown_figures_lose() -> None:
    assert successive_halving(3, lambda candidate, steps: [0.3], last_steps=4)[-1].kept[0] == 0
    assert successive_halving(2, lambda candidate, steps: [float("nan") if candidate == 0 else -1.0], last_steps=4)[-1].kept[0] == 1


def test_nothing_to_try_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs candidates and steps"):
        successive_halving(0, lambda candidate, steps: [0.0], last_steps=10)
