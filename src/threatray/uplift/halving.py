"""Successive halving: many candidates on a small budget, the better half on twice as much, until one is left."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from threatray.errors import ConfigError

Evaluate = Callable[[int, int], Sequence[float]]
"""From (candidate, steps) to its figure for each seed, higher is better; the seeds are the same for every candidate."""


@dataclass(frozen=True)
class Rung:
    """One round.

    Args:
        steps: Budget of each candidate.
        figures: Candidate -> figure for each seed.
        kept: Candidates that go on, the best first.
    """

    steps: int
    figures: dict[int, tuple[float, ...]]
    kept: tuple[int, ...]


def successive_halving(candidates: int, evaluate: Evaluate, *, last_steps: int, least_steps: int = 1) -> tuple[Rung, ...]:
    """Find the best of several candidates for the price of about two full trainings of each survivor.

    Args:
        candidates: How many there are; they are numbered from 0.
        evaluate: Trains and judges one.
        last_steps: Budget of the last round; each round before it has half of the next one's.
        least_steps: No round has less: so early rounds are merged where halving would leave too little to tell anything.

    Returns:
        The rounds, in order; ``[-1].kept[0]`` is the winner. Ties go to the lower number.

    Raises:
        ConfigError: No candidate, or no budget.

    Source:
        K. Jamieson, A. Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization", AISTATS 2016.

    Example:
        >>> rounds = successive_halving(4, lambda candidate, steps: [candidate * steps], last_steps=100)
        >>> [(one.steps, one.kept) for one in rounds]
        [(50, (3, 2)), (100, (3, 2))]
    """
    if candidates < 1 or last_steps < 1 or least_steps < 1:
        raise ConfigError(f"search: needs candidates and steps of at least 1, got {candidates}, {last_steps} and {least_steps}.")
    halvings = max(0, math.ceil(math.log2(candidates)) - 1)
    left = tuple(range(candidates))
    rungs = []
    for number in range(halvings + 1):
        steps = max(least_steps, math.ceil(last_steps / 2 ** (halvings - number)))
        steps = min(steps, last_steps)
        figures = {candidate: tuple(float(figure) for figure in evaluate(candidate, steps)) for candidate in left}
        ordered = tuple(sorted(left, key=lambda candidate: (-_mean(figures[candidate]), candidate)))
        left = ordered if number == halvings else ordered[: math.ceil(len(ordered) / 2)]
        rungs.append(Rung(steps, figures, left))
    return tuple(rungs)


def _mean(figures: Sequence[float]) -> float:
    mean = float(np.mean(figures))
    return mean if math.isfinite(mean) else -math.inf
