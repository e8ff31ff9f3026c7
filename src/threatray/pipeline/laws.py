"""By which law threats go into which bag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from threatray.core import COLOUR
from threatray.pipeline.palettes import ScannerPalettes
from threatray.pipeline.stored_bag import StoredBag
from threatray.tip.bag_map import BagMap
from threatray.tip.colour import ColourTip
from threatray.tip.levels import ChannelLaw, EnergyLaw, Law


class Laws(Protocol):
    """Chooses a bag's law; sent to every worker, so it must pickle."""

    def of(self, bag: StoredBag, known: BagMap) -> Law:
        """The law for this bag.

        Raises:
            DataError: Threats cannot be projected into it.
        """
        ...


@dataclass(frozen=True)
class ChannelLaws:
    """Every channel by itself, whatever the bag: exact for counts, an approximation for colour."""

    def of(self, bag: StoredBag, known: BagMap) -> Law:
        """See ``Laws``."""
        return ChannelLaw()


@dataclass(frozen=True)
class PaletteLaws:
    """Coloured bags by way of their two energies, each with the palette that has its air; bags of counts by their own channels.

    Args:
        palettes: Of the dataset's scanners.
    """

    palettes: ScannerPalettes

    def of(self, bag: StoredBag, known: BagMap) -> Law:
        """See ``Laws``."""
        if bag.scan.channels != COLOUR:
            return ChannelLaw()
        return EnergyLaw(ColourTip(self.palettes.of(known.air / np.float32(np.iinfo(bag.scan.levels.dtype).max))))
