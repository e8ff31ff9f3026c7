"""What makes an experiment worthless, refused before it runs or before its figures are compared."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations
from typing import Final

from threatray.errors import ConfigError, DataError
from threatray.uplift.predictions import Judged
from threatray.uplift.results import JobResult

_NAMED: Final = 5


def check_no_shared_group(groups: Mapping[str, Collection[str]]) -> None:
    """Refuse if one group (bag or object individual) is in two splits.

    Args:
        groups: Split -> the groups in it, e.g. ``{"training": ..., "validation": ..., "test": ...}``.

    Raises:
        DataError: Names the splits and the groups.

    Example:
        >>> check_no_shared_group({"training": ["bag-1", "bag-2"], "test": ["bag-2"]})
        Traceback (most recent call last):
        threatray.errors.DataError: training and test share 1 group: 'bag-2'. A detector judged on what it saw proves nothing; split by group.
    """  # noqa: E501  (a message on one line)
    for (first, ours), (second, theirs) in combinations(groups.items(), 2):
        if shared := sorted(set(ours) & set(theirs)):
            named = ", ".join(repr(group) for group in shared[:_NAMED]) + (" ..." if len(shared) > _NAMED else "")
            raise DataError(
                f"{first} and {second} share {len(shared)} group{'s' * (len(shared) > 1)}: {named}. "
                "A detector judged on what it saw proves nothing; split by group."
            )


def check_comparable(results: Sequence[JobResult]) -> None:
    """Refuse to compare jobs that differ in more than their arm and seed.

    Raises:
        ConfigError: A different number of steps or pictures a step, or other detector settings; names the arms.
        DataError: No result, the same (arm, seed) twice, two arms under one name, or other classes, validation or test pictures.
    """
    if not results:
        raise DataError("uplift: there is no result yet. Run at least one arm.")
    first = results[0]
    seen: set[tuple[str, int]] = set()
    arms = {first.arm.name: first.arm}
    reference = (_truth(first.validation), _truth(first.test))
    settings = json.dumps(first.detector, sort_keys=True)
    for result in results:
        if result.key in seen:
            raise DataError(f"uplift: arm {result.arm.name!r} with seed {result.seed} is there twice. Keep one line of the two.")
        seen.add(result.key)
        if arms.setdefault(result.arm.name, result.arm) != result.arm:
            raise DataError(f"uplift: two different arms are called {result.arm.name!r}. Give one of them another name.")
        ours, theirs = (result.steps, result.batch_size), (first.steps, first.batch_size)
        if ours != theirs:
            raise ConfigError(
                f"uplift: unequal optimisation budgets: arm {first.arm.name!r} (seed {first.seed}) was trained on {theirs[0]} steps "
                f"of {theirs[1]} pictures, arm {result.arm.name!r} (seed {result.seed}) on {ours[0]} of {ours[1]}. Train every arm alike."
            )
        if json.dumps(result.detector, sort_keys=True) != settings:
            raise ConfigError(f"uplift: arms {first.arm.name!r} and {result.arm.name!r} were trained with different detector settings.")
        if result.classes != first.classes:
            raise DataError(
                f"uplift: arms {first.arm.name!r} and {result.arm.name!r} have different classes: {first.classes}, {result.classes}."
            )
        for name, expected, got in zip(("validation", "test"), reference, (_truth(result.validation), _truth(result.test)), strict=True):
            if expected != got:
                raise DataError(
                    f"uplift: arm {result.arm.name!r} (seed {result.seed}) was judged on another {name} set than arm {first.arm.name!r} "
                    f"(seed {first.seed}). Only the same pictures with the same labels can be compared."
                )


def _truth(judged: Sequence[Judged]) -> tuple[object, ...]:
    return tuple((one.id, one.group, one.truth_boxes, one.truth_labels) for one in judged)
