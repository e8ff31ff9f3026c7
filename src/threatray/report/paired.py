"""Likeness of each object's translation, and of its controls, to the object's true X-ray."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from threatray.report.folder import RunFolder

OURS: Final = "translated"
"""What the scoring calls the translations, among the arms that it compares them with."""


@dataclass(frozen=True)
class Paired:
    """Rows of ``score.json`` with keys like ``ssim: translated`` and ``psnr: photo, grey inverted``."""

    rows: tuple[Mapping[str, Any], ...]

    @classmethod
    def read(cls, folder: RunFolder) -> Paired:
        """The rows of a run; none where no truth was known or nothing was scored."""
        return cls(tuple(folder.records("score/score.json", "paired")))

    def arms(self, measure: str) -> tuple[str, ...]:
        """Arms that a measure was taken of, the translations first."""
        prefix = f"{measure}: "
        found = {key.removeprefix(prefix) for row in self.rows for key in row if key.startswith(prefix)}
        return tuple(sorted(found, key=lambda arm: (arm != OURS, arm)))

    def best_control(self, measure: str) -> str | None:
        """The control with the highest mean."""
        controls = [arm for arm in self.arms(measure) if arm != OURS]
        return max(controls, key=lambda arm: (mean_of(self.rows, measure, arm) or -np.inf, arm), default=None)

    def by_class(self) -> dict[str, tuple[Mapping[str, Any], ...]]:
        """Class -> its rows, classes in order."""
        names = sorted({str(row.get("class_name")) for row in self.rows})
        return {name: tuple(row for row in self.rows if str(row.get("class_name")) == name) for name in names}

    def of(self, item: str) -> Mapping[str, Any] | None:
        """The row of one object, or None."""
        return next((row for row in self.rows if str(row.get("id")) == item), None)


def value_of(row: Mapping[str, Any] | None, measure: str, arm: str) -> float | None:
    """One figure of a row, or None where it was not taken.

    Example:
        >>> value_of({"ssim: translated": 0.5}, "ssim", "translated"), value_of(None, "ssim", "translated")
        (0.5, None)
    """
    value = None if row is None else row.get(f"{measure}: {arm}")
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def mean_of(rows: Sequence[Mapping[str, Any]], measure: str, arm: str) -> float | None:
    """Mean over the rows that have the figure."""
    values = [value for row in rows if (value := value_of(row, measure, arm)) is not None]
    return float(np.mean(values)) if values else None
