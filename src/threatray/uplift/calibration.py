"""Whether a score of 0.7 means that seven in ten such pictures hold a threat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from threatray.errors import DataError

Figures = NDArray[np.float64]

_EDGE: Final = 1e-4
"""Scores are kept this far from 0 and 1, where the logit has no end."""
_STEPS: Final = 50


@dataclass(frozen=True)
class PlattScaling:
    r"""A score to a probability, :math:`1 / (1 + e^{-(a \, \mathrm{logit}(s) + b)})`, fitted on the *validation* set alone.

    Args:
        slope: a; never below 0, so that the order of scores stays.
        offset: b.

    Source:
        J. Platt, "Probabilistic Outputs for Support Vector Machines", 1999: with his smoothed targets.
    """

    slope: float
    offset: float

    @classmethod
    def fit(cls, scores: Figures, threat: NDArray[np.bool_]) -> Self:
        """Fit by Newton's method.

        Args:
            scores: (N,) in [0, 1].
            threat: (N,) what the pictures hold.

        Raises:
            DataError: One kind of picture is missing.

        Example:
            >>> scaled = PlattScaling.fit(np.array([0.1, 0.2, 0.6, 0.4, 0.8, 0.9]), np.array([False, False, False, True, True, True]))
            >>> scaled(np.array([0.1, 0.9])).round(2).tolist()
            [0.2, 0.8]
        """
        threats, benign = int(threat.sum()), int((~threat).sum())
        if threats == 0 or benign == 0:
            raise DataError(f"calibration: needs pictures with a threat and without, got {threats} and {benign}.")
        x = np.stack([_logit(scores), np.ones(len(scores))], axis=1)
        wanted = np.where(threat, (threats + 1) / (threats + 2), 1 / (benign + 2))
        found = np.array([1.0, 0.0])
        for _ in range(_STEPS):
            said = _sigmoid(x @ found)
            gradient = x.T @ (said - wanted) + _EDGE * found
            curve = (x * (said * (1 - said))[:, None]).T @ x + _EDGE * np.eye(2)
            step = np.linalg.solve(curve, gradient)
            found = found - step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
            if float(np.abs(step).max()) < 1e-10:
                break
        if found[0] < 0:  # scores that run the wrong way tell nothing: the base rate is the best there is
            rate = float(wanted.mean())
            return cls(0.0, float(np.log(rate / (1 - rate))))
        return cls(float(found[0]), float(found[1]))

    def __call__(self, scores: Figures) -> Figures:
        """Probabilities of scores."""
        return _sigmoid(self.slope * _logit(scores) + self.offset)


def calibration_error(said: Figures, threat: NDArray[np.bool_], weights: Figures | None = None, *, bins: int = 10) -> Figures:
    r"""Expected calibration error, :math:`\sum_b \frac{w_b}{w} |\mathrm{said}_b - \mathrm{threat}_b|`, over bins that hold equally many pictures.

    Args:
        said: (N,) probabilities of a threat.
        threat: (N,) what the pictures hold.
        weights: (resamples, N); one resample with all 1 if None.
        bins: How many; equal probabilities stay together, so that there may be fewer.

    Returns:
        (resamples,) errors. Noise alone makes it positive, the more the fewer pictures a bin has: compare arms, on the same pictures.

    Source:
        M. Naeini et al., "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015; equal-mass bins.

    Example:
        >>> float(calibration_error(np.array([0.0, 0.0, 0.5, 0.5]), np.array([False, False, True, True]), bins=2)[0])
        0.25
    """  # noqa: E501  (a formula on one line)
    drawn = np.ones((1, len(said))) if weights is None else weights
    place = bins_of(said, bins)
    total = np.zeros(len(drawn))
    for one in range(int(place.max(initial=-1)) + 1):
        within = place == one
        total += np.abs(drawn[:, within] @ (said[within] - threat[within]))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(drawn.sum(axis=1) > 0, total / drawn.sum(axis=1), np.nan)


def reliability(said: Figures, threat: NDArray[np.bool_], *, bins: int = 10) -> tuple[tuple[float, float, int], ...]:
    """Mean probability, share of threats and number of pictures of each bin, from the lowest: the points of a reliability diagram.

    Example:
        >>> reliability(np.array([0.1, 0.3, 0.8, 1.0]), np.array([False, False, True, True]), bins=2)
        ((0.2, 0.0, 2), (0.9, 1.0, 2))
    """
    place = bins_of(said, bins)
    groups = [place == one for one in range(int(place.max(initial=-1)) + 1)]
    return tuple((float(said[one].mean()), float(threat[one].mean()), int(one.sum())) for one in groups if one.any())


def bins_of(said: Figures, bins: int) -> NDArray[np.int64]:
    """The bin of each picture, 0 the lowest: as equally filled as ties allow."""
    edges = np.unique(np.quantile(said, np.linspace(0, 1, bins + 1)[1:-1], method="higher")) if said.size else np.zeros(0)
    return np.asarray(np.unique(np.searchsorted(edges, said, side="right"), return_inverse=True)[1], np.int64)


def _logit(scores: Figures) -> Figures:
    kept = np.clip(scores, _EDGE, 1 - _EDGE)
    return np.asarray(np.log(kept / (1 - kept)), np.float64)


def _sigmoid(values: Figures) -> Figures:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -50, 50))), np.float64)
