"""As if only a few real threats had been collected: nested subsets, for finding out where synthesis stops paying."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from threatray.core import stream
from threatray.errors import ConfigError


def few_threats(labels: Mapping[str, Sequence[str]], most: int, seed: int) -> tuple[str, ...]:
    """Keep images, in an order drawn from the seed, until each class has been met ``most`` times.

    An image is kept if it shows a class that has not been met often enough. Subsets of one seed are nested: what is kept for 10 is
    kept for 30 too, so that a curve over the number of threats is one collection growing.

    Args:
        labels: Image -> class names of the threats in it.
        most: Threats a class; images that hold several can make it a few more.
        seed: The run's seed.

    Returns:
        The images kept, sorted.

    Raises:
        ConfigError: ``most`` below 1.

    Example:
        >>> scans = {f"scan-{number}": ["gun" if number % 3 else "knife"] for number in range(30)}
        >>> kept = few_threats(scans, 4, seed=0)
        >>> len(kept), set(few_threats(scans, 2, seed=0)) <= set(kept)
        (8, True)
    """
    if most < 1:
        raise ConfigError(f"few_threats: expected at least 1 threat a class, got {most}.")
    met: Counter[str] = Counter()
    kept = []
    ordered = sorted(labels)
    for place in stream(seed, "few").permutation(len(ordered)).tolist():
        name = ordered[place]
        if any(met[label] < most for label in labels[name]):
            kept.append(name)
            met.update(labels[name])
    return tuple(sorted(kept))
