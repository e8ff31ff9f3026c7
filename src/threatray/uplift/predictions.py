"""What a detector said about a picture, next to what is in it: plain numbers, so that every figure can be made again without it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from threatray.errors import DataError
from threatray.uplift.images import TrainingImage

_BOX_DECIMALS: Final = 2
_SCORE_DECIMALS: Final = 6


@dataclass(frozen=True)
class Detections:
    """The boxes found in one picture, best first.

    Boxes are kept to a hundredth of a pixel and scores to a millionth *here*, not when written, so that figures made from memory and from
    the file are the same.

    Args:
        boxes: xyxy in pixels of the picture as it was given.
        scores: In [0, 1], falling.
        labels: Class names.

    Raises:
        DataError: Lengths disagree, or a score is outside [0, 1].

    Example:
        >>> found = Detections.of(np.array([[0, 0, 9, 9], [1, 1, 5, 5]]), np.array([0.25, 0.75]), ("gun", "knife"))
        >>> found.labels, found.image_score, Detections.none().image_score
        (('knife', 'gun'), 0.75, 0.0)
    """

    boxes: tuple[tuple[float, float, float, float], ...]
    scores: tuple[float, ...]
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if not len(self.boxes) == len(self.scores) == len(self.labels):
            raise DataError(f"detections: {len(self.boxes)} boxes, {len(self.scores)} scores and {len(self.labels)} labels.")
        if any(not 0 <= score <= 1 for score in self.scores):
            raise DataError(f"detections: scores must lie in [0, 1], got {self.scores}.")
        if any(after > before for before, after in zip(self.scores, self.scores[1:], strict=False)):
            raise DataError("detections: scores must fall; use Detections.of to sort them.")

    @classmethod
    def of(cls, boxes: NDArray[Any], scores: NDArray[Any], labels: tuple[str, ...]) -> Self:
        """From arrays (N, 4) and (N,), sorted and rounded."""
        rounded = np.round(np.asarray(scores, np.float64), _SCORE_DECIMALS)
        order = np.argsort(-rounded, kind="stable")
        corners = np.round(np.asarray(boxes, np.float64), _BOX_DECIMALS).reshape(-1, 4)[order].tolist()
        return cls(
            tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in corners),
            tuple(rounded[order].tolist()),
            tuple(labels[index] for index in order.tolist()),
        )

    @classmethod
    def none(cls) -> Self:
        """Nothing found."""
        return cls((), (), ())

    @property
    def image_score(self) -> float:
        """How suspicious the whole picture is: its best detection, 0 where nothing was found."""
        return self.scores[0] if self.scores else 0.0


@dataclass(frozen=True)
class Judged:
    """One picture of the validation or test set: what is in it and what was found.

    Args:
        id: The picture.
        group: Its physical bag; intervals resample groups, not pictures.
        truth_boxes: xyxy of what is in it.
        truth_labels: Their class names.
        found: What the detector said.
        difficulty: How hard its threats are to see; empty where not known.
    """

    id: str
    group: str
    truth_boxes: tuple[tuple[float, float, float, float], ...]
    truth_labels: tuple[str, ...]
    found: Detections
    difficulty: str = ""

    @classmethod
    def of(cls, image: TrainingImage, found: Detections) -> Self:
        """Truth of the picture with what was found in it."""
        corners = np.round(image.boxes.astype(np.float64), _BOX_DECIMALS).tolist()
        return cls(image.id, image.group, tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in corners), image.labels, found, image.difficulty)

    @property
    def has_threat(self) -> bool:
        """Whether a threat is in it."""
        return len(self.truth_labels) > 0

    def as_json(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "id": self.id,
            "group": self.group,
            "truth": {"boxes": [list(box) for box in self.truth_boxes], "labels": list(self.truth_labels)},
            "found": {
                "boxes": [list(box) for box in self.found.boxes],
                "scores": list(self.found.scores),
                "labels": list(self.found.labels),
            },
        } | ({"difficulty": self.difficulty} if self.difficulty else {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read back what `as_json` gave."""
        truth, found = data["truth"], data["found"]
        return cls(
            data["id"],
            data["group"],
            tuple(tuple(box) for box in truth["boxes"]),
            tuple(truth["labels"]),
            Detections(tuple(tuple(box) for box in found["boxes"]), tuple(found["scores"]), tuple(found["labels"])),
            data.get("difficulty", ""),
        )
