"""Quantiles of any number of values in constant memory."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

EXACT_UP_TO: Final = 20_000
RELATIVE_ERROR: Final = 0.005

_QUANTILES: Final = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
_GROWTH: Final = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)


@dataclass(frozen=True)
class Quantiles:
    """Minimum, 5, 25, 50, 75, 95 % and maximum of something."""

    minimum: float
    q05: float
    q25: float
    median: float
    q75: float
    q95: float
    maximum: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Quantiles:
        """Of one value or more, rounded to six digits.

        Example:
            >>> Quantiles.of([1.0, 2.0, 9.0]).median
            2.0
        """
        return cls(*(round(float(value), 6) for value in np.quantile(np.array(values, np.float64), _QUANTILES)))


class QuantileSketch:
    """Collects values that are not negative: exact for the first ``EXACT_UP_TO``, then within ``RELATIVE_ERROR`` of each value.

    Above the limit values are counted in bins whose edges grow by a constant factor, so that every quantile is known to half a
    per cent of itself; minimum and maximum stay exact.

    Args:
        exact_up_to: How many values are kept as they are; ``EXACT_UP_TO`` if None.

    Source:
        Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019.

    Example:
        >>> sketch = QuantileSketch()
        >>> sketch.extend([1.0, 2.0, 9.0])
        >>> sketch.quantiles().median, len(sketch)
        (2.0, 3)
    """

    def __init__(self, exact_up_to: int | None = None) -> None:
        self._waiting = array("d")
        self._most_waiting = EXACT_UP_TO if exact_up_to is None else exact_up_to
        self._binned = False
        self._bins: Counter[int | None] = Counter()
        self._in_bins = 0
        self._low, self._high = math.inf, -math.inf

    def __len__(self) -> int:
        return self._in_bins + len(self._waiting)

    def add(self, value: float) -> None:
        """One value, not negative."""
        waiting = self._waiting
        waiting.append(value)
        if len(waiting) > self._most_waiting:
            self._to_bins()

    def extend(self, values: Iterable[float]) -> None:
        """Several values."""
        for value in values:
            self.add(value)

    def _to_bins(self) -> None:
        """Count what waits in bins; from the first time on nothing is kept as it is."""
        values = np.array(self._waiting, np.float64)
        self._waiting, self._most_waiting, self._binned = array("d"), _AT_ONCE, True
        if not len(values):
            return
        self._low, self._high = min(self._low, float(values.min())), max(self._high, float(values.max()))
        self._bins += _in_bins(values)
        self._in_bins += len(values)

    def counted(self) -> Counter[int | None]:
        """Values in each bin, whether or not they are still known exactly; None is the bin of zero."""
        return self._bins + _in_bins(np.array(self._waiting, np.float64))

    @property
    def exact(self) -> NDArray[np.float64] | None:
        """All values, as long as they are kept as they are."""
        return None if self._binned else np.array(self._waiting, np.float64)

    def quantiles(self) -> Quantiles | None:
        """The quantiles; None without values."""
        if len(self) == 0:
            return None
        if not self._binned:
            return Quantiles.of(self._waiting)
        self._to_bins()
        ordered = sorted(self._bins.items(), key=_bin_order)
        values = np.array([0.0 if key is None else 2 * _GROWTH**key / (_GROWTH + 1) for key, _ in ordered])
        reached = np.cumsum([amount for _, amount in ordered])
        places = np.searchsorted(reached, np.array(_QUANTILES) * (len(self) - 1), side="right")
        found = np.clip(values[np.minimum(places, len(values) - 1)], self._low, self._high)
        found[0], found[-1] = self._low, self._high
        return Quantiles(*(round(float(value), 6) for value in found))


_LOG_GROWTH: Final = math.log(_GROWTH)
_ZERO: Final = 1e-12
_AT_ONCE: Final = 4096


def _in_bins(values: NDArray[np.float64]) -> Counter[int | None]:
    above = values > _ZERO
    keys, counts = np.unique(np.ceil(np.log(values[above]) / _LOG_GROWTH).astype(np.int64), return_counts=True)
    found: Counter[int | None] = Counter(dict(zip(keys.tolist(), counts.tolist(), strict=True)))
    if len(values) > int(above.sum()):
        found[None] = len(values) - int(above.sum())
    return found


def _bin_order(item: tuple[int | None, Any]) -> float:
    return -math.inf if item[0] is None else float(item[0])


def separability(first: QuantileSketch, second: QuantileSketch) -> float:
    """The chance that a random value of the first is larger than one of the second (ties count half): the area under the ROC curve.

    Args:
        first: At least one value.
        second: At least one value.

    Returns:
        Exact while both sketches are; else values within a bin, which is one per cent wide, count as ties.

    Example:
        >>> one, other = QuantileSketch(), QuantileSketch()
        >>> one.extend([3.0, 4.0]); other.extend([1.0, 3.0])
        >>> separability(one, other)
        0.875
    """
    if first.exact is not None and second.exact is not None:
        ordered = np.sort(second.exact)
        below = np.searchsorted(ordered, first.exact, "left") + np.searchsorted(ordered, first.exact, "right")
        return float(below.sum() / 2 / (len(first) * len(second)))
    ours, theirs = first.counted(), second.counted()
    won, passed = 0.0, 0
    for key, _ in sorted((ours | theirs).items(), key=_bin_order):
        won += ours[key] * (passed + theirs[key] / 2)
        passed += theirs[key]
    return won / (len(first) * len(second))
