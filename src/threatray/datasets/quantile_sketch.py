"""Quantiles of any number of values in constant memory."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

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
        exact_up_to: How many values are kept as they are.

    Source:
        Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019.

    Example:
        >>> sketch = QuantileSketch()
        >>> sketch.extend([1.0, 2.0, 9.0])
        >>> sketch.quantiles().median, len(sketch)
        (2.0, 3)
    """

    def __init__(self, exact_up_to: int = EXACT_UP_TO) -> None:
        self._limit = exact_up_to
        self._exact: array[float] | None = array("d")
        self._bins: Counter[int | None] = Counter()
        self._count = 0
        self._low, self._high = math.inf, -math.inf

    def __len__(self) -> int:
        return self._count

    def add(self, value: float) -> None:
        """One value, not negative."""
        self._count += 1
        if self._exact is not None:
            self._exact.append(value)
            if len(self._exact) > self._limit:
                self._to_bins()
            return
        self._bin(value)

    def extend(self, values: Iterable[float]) -> None:
        """Several values."""
        for value in values:
            self.add(value)

    def _bin(self, value: float) -> None:
        self._bins[math.ceil(math.log(value) / _LOG_GROWTH) if value > _ZERO else None] += 1
        self._low, self._high = min(self._low, value), max(self._high, value)

    def _to_bins(self) -> None:
        assert self._exact is not None
        kept, self._exact = self._exact, None
        for value in kept:
            self._bin(value)

    def quantiles(self) -> Quantiles | None:
        """The quantiles; None without values."""
        if self._count == 0:
            return None
        if self._exact is not None:
            return Quantiles.of(self._exact)
        ordered = sorted(self._bins.items(), key=_bin_order)
        values = np.array([0.0 if key is None else 2 * _GROWTH**key / (_GROWTH + 1) for key, _ in ordered])
        reached = np.cumsum([amount for _, amount in ordered])
        places = np.searchsorted(reached, np.array(_QUANTILES) * (self._count - 1), side="right")
        found = np.clip(values[np.minimum(places, len(values) - 1)], self._low, self._high)
        found[0], found[-1] = self._low, self._high
        return Quantiles(*(round(float(value), 6) for value in found))


_LOG_GROWTH: Final = math.log(_GROWTH)
_ZERO: Final = 1e-12


def _bin_order(item: tuple[int | None, Any]) -> float:
    return -math.inf if item[0] is None else float(item[0])
