"""The outcome of one job, one (arm, seed): all its predictions, as one line of JSON, from which every table can be made again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from threatray.errors import DataError
from threatray.uplift.arms import Arm
from threatray.uplift.predictions import Judged

FORMAT: Final = 1


@dataclass(frozen=True)
class JobResult:
    """One trained detector, judged.

    Args:
        arm: What it was trained on.
        seed: Of everything random in the job; arms are paired by it.
        detector: The detector's settings.
        classes: What it tells apart.
        steps: Batches it was trained on.
        batch_size: Pictures in each.
        shown: Pool -> pictures shown from it, repeats counted.
        losses: Mean loss of each of at most 20 stretches of the training.
        validation: Predictions that operating points are chosen on.
        test: Predictions that the figures are made of.
    """

    arm: Arm
    seed: int
    detector: Mapping[str, Any]
    classes: tuple[str, ...]
    steps: int
    batch_size: int
    shown: Mapping[str, int]
    losses: tuple[float, ...]
    validation: tuple[Judged, ...]
    test: tuple[Judged, ...]

    @property
    def key(self) -> tuple[str, int]:
        """What a caller that resumes looks for: (arm, seed)."""
        return self.arm.name, self.seed

    def to_json(self) -> dict[str, Any]:
        """Plain values: one line of the results file."""
        return {
            "format": FORMAT,
            "arm": self.arm.as_json(),
            "seed": self.seed,
            "detector": dict(self.detector),
            "classes": list(self.classes),
            "steps": self.steps,
            "batch_size": self.batch_size,
            "shown": dict(self.shown),
            "losses": list(self.losses),
            "validation": [one.as_json() for one in self.validation],
            "test": [one.as_json() for one in self.test],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back one line.

        Raises:
            DataError: Another format, or a field is missing.
        """
        if data.get("format") != FORMAT:
            raise DataError(
                f"uplift result: expected format {FORMAT}, got {data.get('format')!r}. Run the experiment again with this version."
            )
        try:
            return cls(
                Arm.from_json(data["arm"]),
                int(data["seed"]),
                data["detector"],
                tuple(data["classes"]),
                int(data["steps"]),
                int(data["batch_size"]),
                {str(pool): int(count) for pool, count in data["shown"].items()},
                tuple(float(loss) for loss in data["losses"]),
                tuple(Judged.from_json(one) for one in data["validation"]),
                tuple(Judged.from_json(one) for one in data["test"]),
            )
        except KeyError as error:
            raise DataError(f"uplift result: the field {error} is missing; the line was cut or edited. Remove it and run again.") from error
