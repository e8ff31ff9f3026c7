"""What the health panel looks for, where health ends, and what was found; imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from threatray.errors import ConfigError


class Disease(StrEnum):
    """What can be wrong."""

    DRAWS_NOTHING = "draws_nothing"
    MODE_COLLAPSE = "mode_collapse"
    STEGANOGRAPHY = "steganography"
    MEMORISED = "memorised"
    CHECKERBOARD = "checkerboard"
    IMBALANCE = "imbalance"


@dataclass(frozen=True)
class HealthLimits:
    """Where health ends.

    Args:
        least_drawn: Attenuation of the translations as a share of that of real signatures.
        least_diversity: Difference between translations of one class as a share of that between real signatures.
        most_gain: Error on the way back to the photo, for each unit of noise on the X-ray.
        least_distance: Distance of a translation to the nearest signature it learned from, as a share of a held-back real one's.
        most_pattern: Energy of what repeats every 2 or 4 pixels, as a share of the energy of real signatures' fine detail.
        most_told_apart: Chance that the X-ray discriminator prefers a real patch to a made one.
        noise: Standard deviation of the noise on the encoded X-ray; 0.016 is two grey levels of 255.
    """

    least_drawn: float = 0.05
    least_diversity: float = 0.3
    most_gain: float = 8.0
    least_distance: float = 0.3
    most_pattern: float = 0.15
    most_told_apart: float = 0.97
    noise: float = 0.016

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0.0 <= value < float("inf"):
                raise ConfigError(f"health: {name} must be 0 or more, got {value}.")


@dataclass(frozen=True)
class Finding:
    """One detector's answer.

    Args:
        disease: What was looked for.
        figure: What was measured; None where there was too little to measure it on.
        limit: Where health ends.
        higher_is_worse: Which side of the limit is ill.
        what: The figure in words.
        advice: What to do if ill.
    """

    disease: Disease
    figure: float | None
    limit: float
    higher_is_worse: bool
    what: str
    advice: str

    @property
    def ill(self) -> bool:
        """Whether the figure is beyond the limit."""
        if self.figure is None:
            return False
        return self.figure > self.limit if self.higher_is_worse else self.figure < self.limit

    @property
    def verdict(self) -> str:
        """In one word or two."""
        return "not measured" if self.figure is None else "ill" if self.ill else "healthy"

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        figure = None if self.figure is None else round(self.figure, 4)
        return {
            "disease": self.disease.value,
            "figure": figure,
            "limit": self.limit,
            "higher_is_worse": self.higher_is_worse,
            "verdict": self.verdict,
            "what": self.what,
            "advice": self.advice,
        }
