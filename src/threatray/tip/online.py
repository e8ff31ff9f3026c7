"""Fresh composites as they are needed, without writing a dataset: the part that knows arrays only (``uplift.online`` knows tensors)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from threatray.core.image import COLOUR, DUAL_ENERGY, GREY
from threatray.core.seeding import derive
from threatray.errors import ConfigError, DataError
from threatray.tip.bag_map import BagMap
from threatray.tip.draw import ComposeConfig, draw_composite, scanner_noise
from threatray.tip.levels import ChannelLaw, Law, LevelsComposite, StoredScan, compose_levels
from threatray.tip.placement import RelativePosition
from threatray.tip.refusal import Reason, Refused
from threatray.tip.signature_cache import CachedLibrary

Box = tuple[float, float, float, float]

_CHANNELS = {1: GREY, 2: DUAL_ENERGY, 3: COLOUR}


@dataclass(frozen=True, eq=False)
class OnlineProjection:
    """Projects threats of a library into whatever bag it is given.

    Args:
        library: The signatures.
        classes: Class name -> relative frequency; every class of the library alike if empty.
        count_weights: Relative frequency of none, one, two, ... threats in a bag.
        config: How threats are put into bags.
        relative_lengths: Class name -> lengths of real threats as shares of their bags'; one is drawn for each threat.
        positions: Class name -> relative positions of real threats, for ``match``.
        white: Level of empty air by channel; found in the picture if None.
        law: How a transmission changes levels.

    Raises:
        ConfigError: A class without signatures, or weights that are none.
    """

    library: CachedLibrary
    classes: Mapping[str, float] = field(default_factory=dict)
    count_weights: Sequence[float] = (0.0, 1.0)
    config: ComposeConfig = field(default_factory=ComposeConfig)
    relative_lengths: Mapping[str, Sequence[float]] = field(default_factory=dict)
    positions: Mapping[str, Sequence[RelativePosition]] = field(default_factory=dict)
    white: Sequence[float] | None = None
    law: Law = field(default_factory=ChannelLaw)

    def __post_init__(self) -> None:
        known = self.library.library.by_class()
        for name, weight in self.classes.items():
            if name not in known or not weight >= 0:
                raise ConfigError(f"online projection: class {name!r} (weight {weight}) has no signatures; there are {sorted(known)}.")
        for what, weights in (
            ("classes", list((self.classes or dict.fromkeys(known, 1.0)).values())),
            ("count_weights", self.count_weights),
        ):
            if not weights or min(weights) < 0 or not sum(weights) > 0:
                raise ConfigError(f"online projection: {what} must be some weights, not negative and not all 0, got {list(weights)}.")

    def project(self, levels: NDArray[Any], rng: np.random.Generator, occupied: Sequence[Box] = ()) -> LevelsComposite | Refused | None:
        """Draw threats for a bag and project them.

        Args:
            levels: (C, H, W) uint8 or uint16 of one (grey), two (low and high energy) or three (colour) channels; not changed.
            rng: Source of all randomness.
            occupied: Boxes of what is in the bag already, which stays uncovered.

        Returns:
            The composite; None if the draw was to leave the bag as it is; or why there is none.

        Raises:
            DataError: Other channels or types.
        """
        if len(levels) not in _CHANNELS:
            raise DataError(f"online projection: expected 1, 2 or 3 channels, got {len(levels)}.")
        count = _pick(self.count_weights, rng)
        if count == 0:
            return None
        by_class = self.library.library.by_class()
        weights = self.classes or dict.fromkeys(by_class, 1.0)
        names = [list(weights)[_pick(list(weights.values()), rng)] for _ in range(count)]
        ids = [by_class[name][int(rng.integers(len(by_class[name])))] for name in names]
        drawn_lengths = [self._length(name, rng) for name in names]
        scan = StoredScan(levels, _CHANNELS[len(levels)])
        try:
            bag = BagMap.of_levels(levels, None if self.white is None else np.asarray(self.white, np.float32), self.config.bag)
        except DataError as error:
            return Refused(Reason.NO_BAG, str(error))
        params = draw_composite(
            bag,
            "online",
            [self.library.load(name) for name in ids],
            rng,
            self.config,
            relative_lengths=drawn_lengths,
            positions=self.positions,
            occupied=occupied,
            levels_per_photon=scanner_noise(self.config, self.law, scan, bag.air),
        )
        return params if isinstance(params, Refused) else compose_levels(scan, params, self.library.load, self.law)

    def _length(self, name: str, rng: np.random.Generator) -> float | None:
        known = self.relative_lengths.get(name, ())
        return float(known[int(rng.integers(len(known)))]) if known else None


def draw_seed(seed: int, epoch: int | None, worker: int | str, item: int | str) -> int:
    """The seed of one item's draw: the same again for the same four, another for any other.

    Example:
        >>> draw_seed(7, 0, 0, 12) == draw_seed(7, 0, 0, 12), draw_seed(7, 0, 0, 12) == draw_seed(7, 1, 0, 12)
        (True, False)
    """
    return derive(seed, "online", -1 if epoch is None else epoch, worker, item)


def _pick(weights: Sequence[float], rng: np.random.Generator) -> int:
    shares = np.asarray(weights, np.float64)
    return int(rng.choice(len(shares), p=shares / shares.sum()))
