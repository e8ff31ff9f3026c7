"""A refusal is an answer, not a fault: this one cannot be done well, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why something was refused; counted in summaries."""

    TOO_SMALL = "too small"
    TOO_LARGE = "too large"
    NOTHING_STANDS_OUT = "nothing stands out in the box"
    LOW_CONTRAST = "too little contrast"
    NO_RING = "no bag around the box to guess the background from"
    DOES_NOT_FIT = "larger than the bag"
    NO_PLACE = "no place in the bag is both dark enough to matter and light enough to see"
    NO_CLUTTER = "no place of the wanted difficulty"
    NO_BAG = "no bag in the picture"


@dataclass(frozen=True)
class Refused:
    """What was refused and why.

    Args:
        reason: The kind, for counting.
        detail: The figures behind it.

    Example:
        >>> str(Refused(Reason.TOO_SMALL, "12 pixels, at least 64 are needed"))
        'too small: 12 pixels, at least 64 are needed'
    """

    reason: Reason
    detail: str

    def __str__(self) -> str:
        return f"{self.reason.value}: {self.detail}"
