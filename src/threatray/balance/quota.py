"""How many threats of each class to add: the four strategies, as arithmetic on counts."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import numpy as np

from threatray.balance.imbalance import BETA, effective_number
from threatray.errors import ConfigError


class Strategy(StrEnum):
    """What the class distribution should become."""

    PRESERVE = "preserve"
    EQUALISE = "equalise"
    EFFECTIVE = "effective"
    TARGETS = "targets"


def apportion(total: int, weights: Mapping[str, float]) -> dict[str, int]:
    """Split a whole number by weights, so that the parts sum to it (largest remainders; ties to the first name).

    Raises:
        ConfigError: A negative total or weight, or no weight above 0 for a total above 0.

    Example:
        >>> apportion(10, {"gun": 2, "knife": 1})
        {'gun': 7, 'knife': 3}
    """
    names = sorted(weights)
    values = np.array([weights[name] for name in names], np.float64)
    if total < 0 or (values < 0).any() or not np.isfinite(values).all() or (total > 0 and values.sum() <= 0):
        raise ConfigError(f"cannot split {total} by the weights {dict(weights)}.")
    if total == 0:
        return dict.fromkeys(names, 0)
    exact = values / values.sum() * total
    # A remainder that is a whole number but for rounding must not count as nearly one.
    parts = np.floor(exact + 1e-9).astype(int)
    left = total - int(parts.sum())
    for place in sorted(range(len(names)), key=lambda number: (-round(float(exact[number] - parts[number]), 9), names[number]))[:left]:
        parts[place] += 1
    return {name: int(part) for name, part in zip(names, parts, strict=True)}


def raise_lowest(before: Mapping[str, int], total: int) -> dict[str, int]:
    """Add ``total`` one by one, each to a class that has fewest so far (ties to the first name).

    Returns:
        Class name -> how many to add; afterwards no class that got any stands more than 1 above another.

    Example:
        >>> raise_lowest({"gun": 10, "knife": 4, "wrench": 1}, 8)
        {'gun': 0, 'knife': 3, 'wrench': 5}
    """
    names = sorted(before, key=lambda name: (before[name], name))
    if not names and total:
        raise ConfigError(f"cannot add {total} threats to no classes.")
    remaining = total
    level = before[names[0]] if names else 0
    raised = 0
    # Fill like water: the lowest classes rise together to the level of the next one.
    while raised < len(names):
        raised += 1
        step = (before[names[raised]] - level) * raised if raised < len(names) else remaining
        if step >= remaining:
            break
        remaining -= step
        level = before[names[raised]]
    added = {name: level - before[name] for name in names[:raised]}
    each, left = divmod(remaining, raised) if raised else (0, 0)
    for place, name in enumerate(sorted(names[:raised])):
        added[name] += each + (place < left)
    return {name: added.get(name, 0) for name in sorted(before)}


def quota(
    before: Mapping[str, int], strategy: Strategy, total: int | None, targets: Mapping[str, int], beta: float = BETA
) -> dict[str, int]:
    """How many threats of each class to add.

    - ``preserve``: ``total``, in the proportions there are.
    - ``equalise``: ``total`` where fewest are; without a total, until all classes have as many as the largest.
    - ``effective``: ``total`` in inverse proportion to the effective number of each class.
    - ``targets``: until the class has its target.

    Args:
        before: Class name -> threats there are.
        strategy: Which.
        total: Threats to add, or None.
        targets: Class name -> threats there should be, for ``targets``.
        beta: Of the effective number.

    Raises:
        ConfigError: A total that is missing or not wanted, a target that is below what is there or names no class.

    Example:
        >>> quota({"gun": 30, "knife": 10}, Strategy.EQUALISE, None, {})
        {'gun': 0, 'knife': 20}
    """
    if strategy is Strategy.TARGETS:
        return _to_targets(before, total, targets)
    if targets:
        raise ConfigError(f"plan: targets are given, but the strategy is {strategy.value!r}. Use the strategy 'targets' or drop them.")
    if strategy is Strategy.EQUALISE:
        full = sum(max(before.values(), default=0) - count for count in before.values())
        return raise_lowest(before, full if total is None else total)
    if total is None:
        raise ConfigError(f"plan: the strategy {strategy.value!r} needs a total or a multiple.")
    if strategy is Strategy.PRESERVE:
        return apportion(total, before)
    return apportion(total, {name: 1 / effective_number(max(1, count), beta) for name, count in before.items()})


def _to_targets(before: Mapping[str, int], total: int | None, targets: Mapping[str, int]) -> dict[str, int]:
    if total is not None:
        raise ConfigError("plan: with the strategy 'targets' the targets say how many; drop total and multiple.")
    if not targets:
        raise ConfigError("plan: the strategy 'targets' needs targets, e.g. {gun = 500, knife = 500}.")
    for name, target in sorted(targets.items()):
        if name not in before:
            raise ConfigError(f"plan: there is a target for {name!r}, but the classes are {sorted(before)}.")
        if target < before[name]:
            raise ConfigError(f"plan: the target of {name!r} is {target}, but there are {before[name]} already, and a plan never removes.")
    return {name: targets.get(name, before[name]) - before[name] for name in sorted(before)}
