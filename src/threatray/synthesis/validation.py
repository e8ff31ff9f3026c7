"""When to stop: what is held back, when a model is examined, and which of its states was the best. Imports no torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from threatray.core import BoolArray
from threatray.errors import ConfigError

CRITERION: Final = "kid"
"""The figure that decides which state is the best; lower is better. It needs no truth, so it is there for anyone's data."""

Examine = Callable[[Any, int], Mapping[str, float]]
"""What is measured of a model after a step on the held-back share: name -> figure, ``kid`` among them."""


@dataclass(frozen=True)
class ValidationConfig:
    """Whether and when a training is examined on objects that it does not learn from.

    Args:
        every: Steps between examinations; 0 trains on everything and keeps the last state. The last step is examined too.
        share: Share of each class's photos and signatures that is held back, by whole photos and bags; a class with too few gives none.
        patience: Stop after this many examinations without a new best; 0 never stops early.

    Raises:
        ConfigError: A value is out of range, or patience without examinations.

    Example:
        >>> ValidationConfig(every=100).due(100, 1000), ValidationConfig(every=100).due(150, 1000), ValidationConfig().due(1000, 1000)
        (True, False, False)
    """

    every: int = 0
    share: float = 0.15
    patience: int = 0

    def __post_init__(self) -> None:
        if self.every < 0 or self.patience < 0:
            raise ConfigError(f"validation: every and patience must be 0 or more, got {self.every} and {self.patience}.")
        if not 0.0 < self.share <= 0.5:
            raise ConfigError(f"validation: share must lie in (0, 0.5], got {self.share}.")
        if self.patience and not self.every:
            raise ConfigError("validation: patience counts examinations, and every is 0, so there are none. Set every, or patience to 0.")

    def due(self, step: int, steps: int) -> bool:
        """Whether the model is examined after this step."""
        return self.every > 0 and (step % self.every == 0 or step == steps)


class BestSoFar:
    """Which examination was the best and how many came since; its state lives in the checkpoint, so that a resume decides alike."""

    def __init__(self) -> None:
        self.step, self.value, self.waited = 0, float("inf"), 0

    def note(self, step: int, value: float) -> bool:
        """Take an examination; whether it is the new best. A figure that is no number never is.

        Example:
            >>> best = BestSoFar()
            >>> [best.note(1, 0.5), best.note(2, 0.6), best.note(3, 0.4)], best.step, best.waited
            ([True, False, True], 3, 0)
        """
        if value < self.value:
            self.step, self.value, self.waited = step, value, 0
            return True
        self.waited += 1
        return False

    def spent(self, patience: int) -> bool:
        """Whether patience is at its end."""
        return patience > 0 and self.waited >= patience

    def state(self) -> str:
        """As text for the checkpoint."""
        return json.dumps([self.step, self.value if np.isfinite(self.value) else None, self.waited])

    def restore(self, state: str) -> None:
        """From what ``state`` gave."""
        self.step, value, self.waited = json.loads(state)
        self.value = float("inf") if value is None else value


def held_back(members: Sequence[tuple[str, str]], share: float, rng: np.random.Generator) -> BoolArray:
    """Choose what is not learned from: whole groups, about ``share`` of each class's, never more and never a class's last.

    Args:
        members: (group, class name) of each object; a group is what must not be cut: a photo with several objects, a bag, an individual.
        share: Of each class's groups; what is not whole is rounded down.
        rng: Draws the groups.

    Returns:
        (N,) True where the object is held back.

    Example:
        >>> members = [(f"photo {n}", "gun") for n in range(10)] + [("photo 0", "knife"), ("photo 11", "knife")]
        >>> out = held_back(members, 0.2, np.random.default_rng(0))
        >>> int(out.sum()), bool(out[0]), bool(out[10:].any())
        (2, False, False)
    """
    classes: dict[str, set[str]] = {}
    groups: dict[str, set[str]] = {}
    for group, name in members:
        classes.setdefault(group, set()).add(name)
        groups.setdefault(name, set()).add(group)
    left = {name: int(share * len(some) + 1e-9) for name, some in groups.items()}
    names = sorted(classes)
    out: set[str] = set()
    for place in rng.permutation(len(names)):
        group = names[place]
        if all(left[name] > 0 for name in classes[group]):
            out.add(group)
            for name in classes[group]:
                left[name] -= 1
    return np.array([group in out for group, _ in members], np.bool_)
