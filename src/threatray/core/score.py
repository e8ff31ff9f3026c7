"""A measured figure with its interval and the extractor it was measured in."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Score:
    """One figure, e.g. a KID in stated features, with a 95 % interval where one was computed.

    Args:
        name: Which measure of what, e.g. ``kid(translated, truth)``.
        value: The figure.
        low: Lower end of the 95 % interval, or None.
        high: Upper end, or None.
        n: How many items it was measured on.
        extractor: The features it was measured in; part of the figure's identity. Empty where none is used.
        higher_is_better: The sense of the figure.
    """

    name: str
    value: float
    low: float | None
    high: float | None
    n: int
    extractor: str
    higher_is_better: bool

    @property
    def full_name(self) -> str:
        """The name with the features it was measured in: figures are compared only where this is the same.

        Example:
            >>> Score("KID(a, b)", 0.1, None, None, 9, "eyes", higher_is_better=False).full_name
            'KID(a, b) in eyes'
        """
        return f"{self.name} in {self.extractor}" if self.extractor else self.name

    def as_json(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def as_named(score: Score, name: str) -> Score:
    """The same figure under another name.

    Example:
        >>> as_named(Score("kid", 0.1, None, None, 9, "doc", higher_is_better=False), "kid(a, b)").name
        'kid(a, b)'
    """
    return replace(score, name=name)
