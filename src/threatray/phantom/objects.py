"""Every family of things by name: threats and benign things."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from threatray.errors import ConfigError
from threatray.phantom import electronics, household
from threatray.phantom.blades import knife, scissors
from threatray.phantom.guns import gun
from threatray.phantom.parts import Maker, SolidObject
from threatray.phantom.tools import hammer, pliers, wrench

THREATS: Final[Mapping[str, Maker]] = MappingProxyType(
    {"gun": gun, "knife": knife, "scissors": scissors, "wrench": wrench, "pliers": pliers, "hammer": hammer}
)
"""Threat class -> maker of individuals."""

BENIGN: Final[Mapping[str, Maker]] = MappingProxyType(
    {
        "bottle": household.bottle,
        "can": household.can,
        "toiletry": household.toiletry,
        "book": household.book,
        "shoe": household.shoe,
        "umbrella": household.umbrella,
        "keys": household.keys,
        "coins": household.coins,
        "glasses_case": household.glasses_case,
        "belt": household.belt,
        "food": household.food,
        "small_thing": household.small_things,
        "laptop": electronics.laptop,
        "phone": electronics.phone,
        "power_bank": electronics.power_bank,
        "charger": electronics.charger,
        "cable": electronics.cable,
        "headphones": electronics.headphones,
        "torch": electronics.torch_lamp,
        "hair_dryer": electronics.hair_dryer,
    }
)
"""Benign family -> maker of individuals."""


def make(family: str, rng: np.random.Generator) -> SolidObject:
    """An individual of a family; the same stream gives the same individual.

    Raises:
        ConfigError: There is no such family.

    Example:
        >>> make("knife", np.random.default_rng(1)).class_name
        'knife'
    """
    maker = THREATS.get(family) or BENIGN.get(family)
    if maker is None:
        raise ConfigError(f"there is no family {family!r} of phantom objects. Known: {', '.join([*THREATS, *BENIGN])}.")
    return maker(rng)
