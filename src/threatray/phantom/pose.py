"""How a thing lies: a rotation and a place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from threatray.phantom.solids import rotation


@dataclass(frozen=True)
class Pose:
    """Rotation about x, then y, then z (radians), then a shift (cm).

    Example:
        >>> Pose(turn=np.pi / 2, x_cm=1.0).place(np.array([[2.0, 0.0, 0.0]])).round(6).tolist()
        [[1.0, 2.0, 0.0]]
    """

    turn: float = 0.0
    tilt: float = 0.0
    roll: float = 0.0
    x_cm: float = 0.0
    y_cm: float = 0.0

    def place(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """The points (N, 3) of the object where it lies."""
        turned = points @ rotation(self.turn, self.tilt, self.roll).T
        return np.asarray(turned + np.array([self.x_cm, self.y_cm, 0.0]), np.float64)

    def moved(self, x_cm: float, y_cm: float) -> Pose:
        """The same attitude elsewhere."""
        return Pose(self.turn, self.tilt, self.roll, x_cm, y_cm)


def draw_pose(rng: np.random.Generator, *, tilt_sigma: float = 0.12, standing: float = 0.0) -> Pose:
    """A thing that lies flat, any way round and either side up, tilted a little.

    Args:
        rng: Source of randomness.
        tilt_sigma: Spread of the tilt out of the plane, radians.
        standing: Chance that it stands on its end instead.
    """
    upended = np.pi / 2 if rng.random() < standing else 0.0
    flipped = np.pi if rng.random() < 0.5 else 0.0
    return Pose(
        turn=float(rng.uniform(0, 2 * np.pi)),
        tilt=float(np.clip(rng.normal(0, tilt_sigma), -3 * tilt_sigma, 3 * tilt_sigma) + upended),
        roll=float(np.clip(rng.normal(0, tilt_sigma), -3 * tilt_sigma, 3 * tilt_sigma) + flipped),
    )
