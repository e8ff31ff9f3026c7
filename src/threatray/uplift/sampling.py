"""Which pictures are shown when: exact shares, whole epochs of each pool, the same number in every arm."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from threatray.core import stream
from threatray.errors import ConfigError, DataError
from threatray.uplift.arms import Arm, Pool
from threatray.uplift.images import ImagePool, TrainingImage
from threatray.uplift.transforms import ConventionalTransformation


def quotas(shares: Mapping[Pool, float], total: int) -> dict[Pool, int]:
    """How many of ``total`` pictures each pool supplies: exact shares, rounded by largest remainder.

    Example:
        >>> quotas({Pool.BENIGN: 0.5, Pool.REAL: 0.3, Pool.TRANSLATED: 0.2}, 9)
        {<Pool.BENIGN: 'benign'>: 4, <Pool.REAL: 'real'>: 3, <Pool.TRANSLATED: 'translated'>: 2}
    """
    ideal = {pool: share * total for pool, share in shares.items()}
    counts = {pool: int(value + 1e-9) for pool, value in ideal.items()}
    by_remainder = sorted(counts, key=lambda pool: counts[pool] - ideal[pool])
    for pool in by_remainder[: total - sum(counts.values())]:
        counts[pool] += 1
    return counts


def _epochs(size: int, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """``count`` indices in whole shuffled passes, so that no picture is shown twice more than another."""
    passes = [rng.permutation(size) for _ in range(-(-count // size))]
    return np.concatenate(passes)[:count].astype(np.int64) if passes else np.zeros(0, np.int64)


@dataclass(frozen=True)
class BatchStream:
    """The batches of one job: ``steps`` lists of ``batch_size`` pictures.

    The order depends on the seed and the pools alone, not on the arm's name: equal arms see equal batches.

    Args:
        arm: Shares of the pools and whether to transform.
        pools: The pictures.
        steps: Number of batches.
        batch_size: Pictures a batch.
        seed: The job's seed.
        transformation: What ``use_transformation`` means.

    Raises:
        ConfigError: The arm draws on a pool that is not given.
        DataError: A pool it draws on is empty.
    """

    arm: Arm
    pools: Mapping[Pool, ImagePool]
    steps: int
    batch_size: int
    seed: int
    transformation: ConventionalTransformation = ConventionalTransformation()

    def __post_init__(self) -> None:
        for pool in self.arm.shares:
            if pool not in self.pools:
                given = ", ".join(name.value for name in self.pools) or "none"
                raise ConfigError(f"arm {self.arm.name!r} draws on the pool {pool.value!r}, but only these were given: {given}.")
            if len(self.pools[pool]) == 0:
                raise DataError(f"arm {self.arm.name!r} draws on the pool {pool.value!r}, which is empty.")

    def __len__(self) -> int:
        return self.steps

    def order(self) -> list[tuple[Pool, int]]:
        """Pool and index of every picture shown, in order."""
        shown = []
        for pool, count in sorted(quotas(self.arm.shares, self.steps * self.batch_size).items()):
            rng = stream(self.seed, "epochs", pool.value)
            shown += [(pool, int(index)) for index in _epochs(len(self.pools[pool]), count, rng)]
        # Spread each pool evenly over the run (position plus jitter), so that every stretch of training has the arm's shares.
        rng = stream(self.seed, "order")
        counts = quotas(self.arm.shares, len(shown))
        place = np.concatenate([(np.arange(counts[pool]) + rng.random(counts[pool])) / counts[pool] for pool in sorted(counts)])
        return [shown[index] for index in np.argsort(place, kind="stable")]

    def __iter__(self) -> Iterator[list[TrainingImage]]:
        shown = self.order()
        for step in range(self.steps):
            batch = [self.pools[pool][index] for pool, index in shown[step * self.batch_size : (step + 1) * self.batch_size]]
            if self.arm.use_transformation:
                rng = stream(self.seed, "transformation", step)
                transformation = self.transformation.with_parity(odd=bool(rng.integers(2)))
                batch = [transformation.apply(image, transformation.draw(image, rng)) for image in batch]
            yield batch
