"""How unequal the classes of a dataset are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from threatray.errors import ConfigError, DataError

BETA: Final = 0.999
"""Default of the effective number: the thousandth threat of a class tells about a third of what the first one did."""


def effective_number(count: float, beta: float = BETA) -> float:
    r"""How many samples ``count`` of them are worth: :math:`E_n = (1 - \beta^n) / (1 - \beta)`.

    Source:
        Y. Cui et al., "Class-Balanced Loss Based on Effective Number of Samples", CVPR 2019.

    Raises:
        ConfigError: ``beta`` outside [0, 1) or a negative count.

    Example:
        >>> effective_number(1), round(effective_number(3, 0.5), 3)
        (1.0, 1.75)
    """
    if not 0 <= beta < 1:
        raise ConfigError(f"effective number: beta must lie in [0, 1), got {beta}.")
    if count < 0:
        raise ConfigError(f"effective number: a count must not be negative, got {count}.")
    return float((1 - beta**count) / (1 - beta))


def js_divergence(first: Mapping[str, float], second: Mapping[str, float]) -> float:
    """Jensen-Shannon divergence between two class distributions, in bits: 0 for equal ones, 1 for disjoint ones.

    Args:
        first: Class name -> count; scaled to sum to 1. A missing class counts 0.
        second: The same.

    Raises:
        DataError: Negative counts, or all zero.

    Example:
        >>> js_divergence({"gun": 3, "knife": 1}, {"gun": 30, "knife": 10}), js_divergence({"gun": 1}, {"knife": 1})
        (0.0, 1.0)
    """
    names = sorted({*first, *second})
    shares = []
    for counts in (first, second):
        values = np.array([counts.get(name, 0) for name in names], np.float64)
        if (values < 0).any() or values.sum() <= 0:
            raise DataError(f"js_divergence: expected counts that are not negative and not all zero, got {dict(counts)}.")
        shares.append(values / values.sum())
    middle = (shares[0] + shares[1]) / 2
    return max(0.0, _entropy(middle) - (_entropy(shares[0]) + _entropy(shares[1])) / 2)


def _entropy(shares: np.ndarray[Any, np.dtype[np.float64]]) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log2(positive)).sum())


@dataclass(frozen=True)
class Imbalance:
    """The counts of a dataset and what follows from them.

    Args:
        images: How many images there are.
        threat_images: How many hold at least one threat.
        images_per_class: Class name -> images that hold it.
        instances_per_class: Class name -> how often it occurs; classes that were named but never occur count 0.
    """

    images: int
    threat_images: int
    images_per_class: Mapping[str, int]
    instances_per_class: Mapping[str, int]

    @classmethod
    def of(cls, labels: Sequence[tuple[str, ...]], classes: Sequence[str] = ()) -> Self:
        """Count.

        Args:
            labels: For each image the class names of its threats; empty for a benign bag.
            classes: Classes that should be counted even if they never occur.

        Raises:
            DataError: No images, or a class that ``classes`` does not list.

        Example:
            >>> found = Imbalance.of([("gun", "gun"), ("knife",), (), (), ("gun",)])
            >>> found.instances_per_class, found.max_to_min, found.benign_per_threat
            ({'gun': 3, 'knife': 1}, 3.0, 0.6666666666666666)
        """
        if not labels:
            raise DataError("imbalance: the dataset has no images.")
        instances = Counter(label for image in labels for label in image)
        holding = Counter(label for image in labels for label in set(image))
        unknown = sorted(set(instances) - set(classes)) if classes else []
        if unknown:
            raise DataError(
                f"imbalance: the labels hold {unknown}, which are not among the classes {sorted(classes)}. Add them or map them."
            )
        names = sorted({*instances, *classes})
        return cls(
            len(labels),
            sum(bool(image) for image in labels),
            {name: holding[name] for name in names},
            {name: instances[name] for name in names},
        )

    @property
    def benign_images(self) -> int:
        """Images without any threat."""
        return self.images - self.threat_images

    @property
    def benign_per_threat(self) -> float | None:
        """Benign images for each image with a threat; None if there is no threat."""
        return self.benign_images / self.threat_images if self.threat_images else None

    @property
    def max_to_min(self) -> float | None:
        """Instances of the most frequent class for each of the rarest; None if a class never occurs or there is none."""
        counts = self.instances_per_class.values()
        return max(counts) / min(counts) if counts and min(counts) > 0 else None

    @property
    def evenness(self) -> float | None:
        """Entropy of the class distribution over its greatest possible value: 1 if all are equal; None without threats."""
        counts = np.array(list(self.instances_per_class.values()), np.float64)
        if counts.size == 0 or counts.sum() == 0:
            return None
        return 1.0 if counts.size == 1 else _entropy(counts / counts.sum()) / float(np.log2(counts.size))

    def effective_numbers(self, beta: float = BETA) -> dict[str, float]:
        """Class name -> effective number of its instances."""
        return {name: effective_number(count, beta) for name, count in self.instances_per_class.items()}

    def as_json(self) -> dict[str, Any]:
        """Plain values, for JSON: the counts and every figure that follows."""
        return {
            "images": self.images,
            "threat_images": self.threat_images,
            "benign_images": self.benign_images,
            "images_per_class": dict(self.images_per_class),
            "instances_per_class": dict(self.instances_per_class),
            "benign_per_threat": self.benign_per_threat,
            "max_to_min": self.max_to_min,
            "evenness": self.evenness,
            "effective_numbers": self.effective_numbers(),
        }
