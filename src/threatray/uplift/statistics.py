"""Operating points, rates, resampling and intervals: arithmetic on scores, no detector, no torch.

Two things vary from one repeat of the experiment to the next: the training seed and the bags that happen to be in the test set. The
interval of a difference allows for both: groups by a bootstrap that draws the same groups for every arm, seeds by their spread with
Student's t.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from threatray.errors import ConfigError, DataError

Figures = NDArray[np.float64]

_ROUNDING: Final = 1e-9
_MOST_EXACT_SEEDS: Final = 12


def operating_thresholds(threat_scores: Figures, target_tpr: float, weights: Figures | None = None) -> Figures:
    """The highest threshold at which at least ``target_tpr`` of the threat pictures score on or above it.

    Args:
        threat_scores: (N,) scores of pictures with a threat, of the *validation* set for an operating point.
        target_tpr: In (0, 1].
        weights: (resamples, N) weights of the pictures; one resample with all 1 if None.

    Returns:
        (resamples,) thresholds; NaN where no picture has weight.

    Raises:
        ConfigError: ``target_tpr`` out of range.
        DataError: No picture with a threat.

    Example:
        >>> operating_thresholds(np.array([0.9, 0.2, 0.8, 0.7]), 0.75).tolist()
        [0.7]
    """
    if not 0 < target_tpr <= 1:
        raise ConfigError(f"operating point: the target TPR must lie in (0, 1], got {target_tpr}.")
    if len(threat_scores) == 0:
        raise DataError("operating point: no picture with a threat to choose it on. Add some to the validation set.")
    order = np.argsort(-threat_scores, kind="stable")
    drawn = np.ones((1, len(order))) if weights is None else weights[:, order]
    reached = np.cumsum(drawn, axis=1)
    total = reached[:, -1]
    at = np.argmax(reached >= target_tpr * total[:, None] - _ROUNDING, axis=1)
    return np.where(total > 0, threat_scores[order][at], np.nan)


def rates_at(scores: Figures, thresholds: Figures, weights: Figures | None = None) -> Figures:
    """Share of pictures that score on or above each resample's threshold: TPR of threat pictures, FPR of benign ones.

    Args:
        scores: (N,) scores of pictures of one kind.
        thresholds: (resamples,).
        weights: (resamples, N); all 1 if None.

    Returns:
        (resamples,) rates; NaN where nothing has weight or the threshold is NaN.

    Example:
        >>> rates_at(np.array([0.1, 0.5, 0.6, 0.2]), np.array([0.5, 0.9])).tolist()
        [0.5, 0.0]
    """
    drawn = np.ones((len(thresholds), len(scores))) if weights is None else weights
    total = drawn.sum(axis=1)
    flagged = (drawn * (scores[None, :] >= thresholds[:, None])).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((total > 0) & np.isfinite(thresholds), flagged / total, np.nan)


def fpr_at_tpr(threat_scores: Figures, benign_scores: Figures, target_tpr: float) -> float:
    """A reading of one set's ROC curve: its FPR where its own TPR reaches the target. Not an operating point: that is chosen elsewhere.

    Example:
        >>> fpr_at_tpr(np.array([0.9, 0.8, 0.3]), np.array([0.1, 0.2, 0.85, 0.4]), 0.66)
        0.25
    """
    return float(rates_at(benign_scores, operating_thresholds(threat_scores, target_tpr))[0])


def benign_weights(has_threat: NDArray[np.bool_], benign_per_threat: float) -> Figures:
    """Weights of pictures that make the set hold ``benign_per_threat`` benign bags for each picture with a threat.

    Each benign picture stands for many like it; nothing new is learnt about benign bags by this, and intervals do not shrink.

    Raises:
        DataError: One of the two kinds is missing.

    Example:
        >>> benign_weights(np.array([True, False, False]), 100).tolist()
        [1.0, 50.0, 50.0]
    """
    threats = int(has_threat.sum())
    benign = len(has_threat) - threats
    if threats == 0 or benign == 0:
        raise DataError(f"benign per threat: the set needs both kinds, got {threats} pictures with a threat and {benign} without.")
    return np.where(has_threat, 1.0, benign_per_threat * threats / benign)


@dataclass(frozen=True, eq=False)
class Groups:
    """The groups of a set of pictures, split into those that hold a threat and those that do not.

    Args:
        of_picture: (pictures,) index of each picture's group.
        has_threat: (groups,) whether any of its pictures has one.
    """

    of_picture: NDArray[np.int64]
    has_threat: NDArray[np.bool_]

    @classmethod
    def of(cls, names: Sequence[str], threat: Sequence[bool]) -> Groups:
        """From the group name of each picture and whether it shows a threat.

        Example:
            >>> Groups.of(["b", "a", "b"], [False, False, True]).of_picture.tolist()
            [1, 0, 1]
        """
        known = {name: index for index, name in enumerate(sorted(set(names)))}
        of_picture = np.array([known[name] for name in names], np.int64)
        has_threat = np.zeros(len(known), np.bool_)
        np.logical_or.at(has_threat, of_picture, np.array(threat, np.bool_))
        return cls(of_picture, has_threat)

    def __len__(self) -> int:
        return len(self.has_threat)

    def resample(self, times: int, rng: np.random.Generator) -> Figures:
        """(times, groups): how often each group is drawn when as many are drawn with replacement, threat and benign groups apart."""
        drawn = np.zeros((times, len(self)))
        for kind in (True, False):
            members = np.flatnonzero(self.has_threat == kind)
            if members.size:
                drawn[:, members] = rng.multinomial(members.size, np.full(members.size, 1 / members.size), size=times)
        return drawn


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its interval.

    Args:
        value: The mean.
        low: Lower end; NaN where it cannot be told.
        high: Upper end.
        degrees: Degrees of freedom of the t used.
    """

    value: float
    low: float
    high: float
    degrees: float

    @property
    def holds_zero(self) -> bool:
        """Whether 0 is inside, i.e. nothing has been shown; also where the interval is unknown."""
        return not (self.low > 0 or self.high < 0)


def interval(per_seed: Figures, resampled: Figures, groups: int, confidence: float = 0.95) -> Interval:
    r"""The interval of a mean over seeds, for other seeds and other groups.

    With $V_g$ the bootstrap variance of the seeds' mean, $V_s$ the variance of that mean between seeds, and $V_{sg}$ the part that both
    count (what a seed does to single groups), the variance is $V = V_g + \max(0, V_s - V_{sg})$; Student's t has Satterthwaite's degrees
    of freedom. One seed alone gives an interval for that one training, which says nothing on other seeds.

    Note:
        On simulated nulls the 95 % interval holds 0 in 92 to 98.5 % of repeats with five seeds, by what varies; with two seeds that
        differ much among themselves it can fall to about 90 %.

    Args:
        per_seed: (seeds,) figure, or paired difference, of each seed on the set as it is.
        resampled: (seeds, resamples) the same on each resample of the groups.
        groups: Number of groups resampled.
        confidence: In (0, 1).

    Raises:
        ConfigError: ``confidence`` out of range.

    Source:
        Satterthwaite, Biometrics Bulletin 2(6), 1946; crossed random effects as in Owen, Annals of Applied Statistics 1(2), 2007.

    Example:
        >>> same = interval(np.zeros(5), np.zeros((5, 100)), groups=40)
        >>> same.value, same.low, same.high, same.holds_zero
        (0.0, 0.0, 0.0, True)
    """
    if not 0 < confidence < 1:
        raise ConfigError(f"interval: confidence must lie in (0, 1), got {confidence}.")
    seeds, value = len(per_seed), float(np.mean(per_seed))
    usable = resampled[:, np.isfinite(resampled).all(axis=0)]
    if not np.isfinite(value) or usable.shape[1] < 20 or groups < 2:
        return Interval(value, float("nan"), float("nan"), float("nan"))
    by_groups = float(usable.mean(axis=0).var(ddof=1))
    excess = known = 0.0
    if seeds > 1:
        within = float(usable.var(axis=1, ddof=1).mean())
        shared = min(max(0.0, (within - by_groups) / (seeds - 1)), by_groups)
        between = float(np.var(per_seed, ddof=1)) / seeds
        excess = max(0.0, between - shared)
        # Two or three seeds often agree by chance; all of their spread keeps the degrees of freedom low enough (coverage simulated).
        known = between if seeds < 4 else excess
    total = by_groups + excess
    if total == 0:
        return Interval(value, value, value, float(groups - 1))
    degrees = total**2 / (by_groups**2 / (groups - 1) + (known**2 / (seeds - 1) if seeds > 1 else 0.0))
    reach = float(stdtrit(degrees, 0.5 + confidence / 2)) * total**0.5
    return Interval(value, value - reach, value + reach, degrees)


def sign_flip_p(differences: Figures, rng: np.random.Generator, draws: int = 9999) -> float:
    """Two-sided p-value of the mean of paired differences when the sign of each is as likely to be the other.

    Exact up to 12 differences; the smallest p that n of them can give is 2 / 2^n, so five seeds alone never reach 0.05.

    Args:
        differences: (n,) paired differences, e.g. one a seed.
        rng: Draws the signs where there are too many to go through.
        draws: How many then.

    Example:
        >>> sign_flip_p(np.array([1.0, 2.0, 3.0]), np.random.default_rng(0))
        0.25
    """
    count = len(differences)
    if count == 0 or not np.isfinite(differences).all():
        return float("nan")
    observed = abs(differences.mean()) - _ROUNDING * (1 + np.abs(differences).max())
    if count <= _MOST_EXACT_SEEDS:
        signs = np.array(list(product((1.0, -1.0), repeat=count)))
        return float((np.abs(signs @ differences) / count >= observed).mean())
    signs = rng.choice((-1.0, 1.0), size=(draws, count))
    return float((1 + (np.abs(signs @ differences) / count >= observed).sum()) / (draws + 1))
