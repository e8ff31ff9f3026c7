"""Test sets of growing imbalance: 10, 100, 1000 benign images for each with a threat, one inside the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from threatray.core import stream
from threatray.errors import ConfigError


@dataclass(frozen=True)
class BenignSubsets:
    """Nested subsets of the benign images.

    Args:
        order: Benign ids in a drawn order; the subset of a ratio is its first so many.
        sizes: Ratio -> images of the subset, for those ratios there are enough benign images for.
        short: Ratio -> images it would have needed, for the others. Nothing is repeated to make up for them.
    """

    order: tuple[str, ...]
    sizes: Mapping[int, int]
    short: Mapping[int, int]

    def subset(self, ratio: int) -> tuple[str, ...]:
        """The benign images of a ratio.

        Raises:
            ConfigError: There were too few, or the ratio was not asked for.
        """
        if ratio not in self.sizes:
            needed = f"it needs {self.short[ratio]} benign images, there are {len(self.order)}" if ratio in self.short else "not asked for"
            raise ConfigError(f"benign subset {ratio}:1: {needed}.")
        return self.order[: self.sizes[ratio]]


def benign_subsets(benign: Sequence[str], threat_images: int, ratios: Sequence[int], seed: int, name: str = "") -> BenignSubsets:
    """Draw an order and cut it at each ratio.

    Args:
        benign: Ids.
        threat_images: Images with threats that they are set against.
        ratios: Benign images for each image with a threat.
        seed: The run's seed.
        name: Of the part, so that parts are drawn independently.

    Raises:
        ConfigError: A ratio below 1.

    Source:
        SIXray10, SIXray100 and SIXray1000: Miao et al., "SIXray: A Large-scale Security Inspection X-ray Benchmark", CVPR 2019.

    Example:
        >>> made = benign_subsets([f"b{number}" for number in range(25)], 2, (1, 10, 100), seed=0)
        >>> dict(made.sizes), dict(made.short), set(made.subset(1)) < set(made.subset(10))
        ({1: 2, 10: 20}, {100: 200}, True)
    """
    check_ratios(ratios)
    ordered = sorted(benign)
    order = tuple(ordered[place] for place in stream(seed, "benign subsets", name).permutation(len(ordered)).tolist())
    needed = {ratio: ratio * threat_images for ratio in sorted(set(ratios))}
    return BenignSubsets(
        order,
        {ratio: count for ratio, count in needed.items() if count <= len(order)},
        {ratio: count for ratio, count in needed.items() if count > len(order)},
    )


def check_ratios(ratios: Sequence[int]) -> None:
    """Refuse ratios below 1.

    Raises:
        ConfigError: Which.
    """
    for ratio in ratios:
        if ratio < 1:
            raise ConfigError(f"benign_ratios: expected whole numbers from 1, got {ratio}.")
