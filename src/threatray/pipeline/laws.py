"""By which law threats go into which bag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from threatray.pipeline.stored_bag import StoredBag
from threatray.tip.bag_map import BagMap
from threatray.tip.levels import ChannelLaw, Law


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
