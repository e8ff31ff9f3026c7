"""Which scanners a set seems to come from: images in clusters of one air colour and one palette."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.datasets.measure import HUE_BINS, Measurement

FEATURES: Final = ("air red", "air green", "air blue", "hue of organic", "hue of mixed", "hue of metal")

_SCALES: Final = np.array([10.0, 10.0, 10.0, 6.0, 14.0, 9.0])
"""What differs within one scanner, about two standard deviations: grey levels of 255, degrees of hue (white-air scans of SIXray)."""

_REGIONS: Final = ((0, 70), (70, 170), (170, 270))
"""Degrees in which the usual palettes put organic (orange), mixed (green) and metal (blue)."""

_LEAST_COLOURED: Final = 0.02
_CUT: Final = 2.2
_MOST_SAMPLED: Final = 1500
_FEW: Final = 3


@dataclass(frozen=True)
class ScannerCluster:
    """Images that look as if one scanner, or one setting of it, made them.

    Args:
        images: How many.
        air: Red, green, blue of its air: the median.
        hues: Median hue in degrees of orange, green and blue things; None where there are hardly any.
        width: Median columns.
        height: Median rows.
        separation: Mean silhouette of its images, -1 to 1: over 0.5 clearly apart from the others, under 0.25 hardly; None for a
            lone cluster.
        members: Positions of its images in what was clustered.
    """

    images: int
    air: tuple[float, float, float]
    hues: tuple[float | None, float | None, float | None]
    width: int
    height: int
    separation: float | None
    members: NDArray[np.int64]

    @property
    def sureness(self) -> str:
        """How sure it is that these come from another scanner than the rest, in a word."""
        if self.separation is None:
            return "only one"
        return "clear" if self.separation > 0.5 else "likely" if self.separation > 0.25 else "doubtful"


def scanner_features(measured: Measurement) -> tuple[float, ...]:
    """Air colour and the mean hue in each region of the palette; NaN where too few pixels have one.

    Example:
        >>> from threatray.datasets.fingerprints import Fingerprint
        >>> hues = [0.0] * HUE_BINS; hues[3], hues[21] = 0.5, 0.5
        >>> scanner_features(Measurement(Fingerprint("", 0), (250.0, 250.0, 250.0), hues=tuple(hues)))[3:]
        (35.0, nan, 215.0)
    """
    width = 360 // HUE_BINS
    hues = []
    for start, end in _REGIONS:
        shares = measured.hues[start // width : end // width]
        total = sum(shares)
        mean = sum(share * (start + width * (place + 0.5)) for place, share in enumerate(shares)) / total if total else 0.0
        hues.append(mean if total > _LEAST_COLOURED else float("nan"))
    return (*measured.air, *hues)


def scanner_clusters(features: NDArray[np.float32], sizes: NDArray[np.int64]) -> tuple[ScannerCluster, ...]:
    """Cluster images by average linkage on scaled features, largest first.

    Args:
        features: (N, 6), see ``scanner_features``; NaN counts as the median.
        sizes: (N, 2) width and height.

    Returns:
        Clusters; those of fewer than three images are put to the nearest larger one.

    Note:
        Above 1,500 images, evenly spaced ones are clustered and the rest goes to the nearest centre. One scanner with two display
        settings makes two clusters; two scanners with one palette make one. A proxy, not a serial number.
    """
    from scipy.cluster.hierarchy import fcluster, linkage

    if not len(features):
        return ()
    known = np.array(features, np.float64)
    for column in range(known.shape[1]):
        seen = known[~np.isnan(known[:, column]), column]
        known[np.isnan(known[:, column]), column] = np.median(seen) if len(seen) else 0.0
    scaled = known / _SCALES
    chosen = np.unique(np.linspace(0, len(scaled) - 1, min(len(scaled), _MOST_SAMPLED)).round().astype(np.int64))
    sample = scaled[chosen]
    named = fcluster(linkage(sample, "average"), _CUT, "distance") if len(sample) > 1 else np.ones(1, np.int64)
    names, counts = np.unique(named, return_counts=True)
    kept = [name for name, count in zip(names, counts, strict=True) if count >= _FEW] or [names[int(np.argmax(counts))]]
    centres = np.stack([np.median(sample[named == name], axis=0) for name in kept])
    nearest = np.concatenate([_nearest(part, centres) for part in np.array_split(scaled, max(1, len(scaled) // 20_000))])
    separation = _silhouettes(sample, nearest[chosen])
    found = []
    for number in range(len(kept)):
        members = np.flatnonzero(nearest == number)
        if len(members):
            found.append(_cluster(features, sizes, members, separation.get(number)))
    return tuple(sorted(found, key=lambda one: (-one.images, one.air)))


def _nearest(points: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.asarray(np.linalg.norm(points[:, None] - centres[None], axis=2).argmin(axis=1), np.int64)


def _silhouettes(points: NDArray[np.float64], numbers: NDArray[np.int64]) -> dict[int, float]:
    """Mean silhouette of each cluster (Rousseeuw 1987); empty for a lone one."""
    present = np.unique(numbers)
    if len(present) < 2:
        return {}
    from scipy.spatial.distance import cdist

    distances = cdist(points, points)
    to = np.stack([distances[:, numbers == one].sum(axis=1) for one in present], axis=1)
    counts = np.array([(numbers == one).sum() for one in present])
    own = np.searchsorted(present, numbers)
    rows = np.arange(len(points))
    inside = to[rows, own] / np.maximum(counts[own] - 1, 1)
    means = to / counts
    means[rows, own] = np.inf
    outside = means.min(axis=1)
    values = (outside - inside) / np.maximum(np.maximum(inside, outside), 1e-12)
    return {int(one): round(float(values[numbers == one].mean()), 3) for one in present}


def _cluster(features: NDArray[Any], sizes: NDArray[Any], members: NDArray[np.int64], separation: float | None) -> ScannerCluster:
    own = np.array(features[members], np.float64)
    red, green, blue = (round(float(value), 1) for value in np.median(own[:, :3], axis=0))
    hues = [_median(own[:, column]) for column in (3, 4, 5)]
    width, height = np.median(sizes[members], axis=0).round().astype(int).tolist()
    return ScannerCluster(len(members), (red, green, blue), (hues[0], hues[1], hues[2]), width, height, separation, members)


def _median(values: NDArray[np.float64]) -> float | None:
    seen: Sequence[float] = values[~np.isnan(values)].tolist()
    return round(float(np.median(seen)), 1) if len(seen) >= len(values) / 10 else None
