"""What things are made of, and how strongly it attenuates X-rays."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.errors import ConfigError

ENERGY_RANGE_KEV: Final = (1.0, 500.0)
"""Energies that the tables are trusted at; a baggage scanner uses 20 to 160 keV."""

Z_EFF_EXPONENT: Final = 2.94


@dataclass(frozen=True)
class Material:
    """A homogeneous material.

    Args:
        name: Its name in ``MATERIALS``.
        formula: Chemical formula; amounts may be fractions, e.g. ``Fe0.71Cr0.20Ni0.09`` for an alloy.
        density_g_cm3: Mass density in g/cm3, of the thing as packed (cloth holds air).

    Raises:
        ConfigError: The density is not a positive number or the formula is empty.

    Example:
        >>> Material("ice", "H2O", 0.92).density_g_cm3
        0.92
    """

    name: str
    formula: str
    density_g_cm3: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.density_g_cm3) and self.density_g_cm3 > 0):
            raise ConfigError(f"material {self.name}: density_g_cm3 must be a positive number, got {self.density_g_cm3}.")
        if not self.formula:
            raise ConfigError(f"material {self.name}: the formula is empty. Give one such as 'H2O'.")


def _table(*materials: Material) -> Mapping[str, Material]:
    return MappingProxyType({material.name: material for material in materials})


# Alloys and mixtures are written as atom fractions computed from the usual mass fractions given in the comment.
MATERIALS: Final[Mapping[str, Material]] = _table(
    Material("steel", "Fe0.965C0.023Mn0.012", 7.85),
    Material("stainless_steel", "Fe0.69Cr0.20Ni0.09Mn0.01Si0.01", 7.93),  # 18/8: 19 % Cr, 9 % Ni by mass
    Material("aluminium", "Al", 2.70),
    Material("brass", "Cu0.64Zn0.357Pb0.003", 8.45),
    Material("copper", "Cu", 8.96),
    Material("lead", "Pb", 11.34),
    Material("zinc_alloy", "Zn0.90Al0.09Cu0.01", 6.60),  # die-cast: 96 % Zn, 4 % Al by mass
    Material("polyethylene", "CH2", 0.94),
    Material("polypropylene", "C3H6", 0.91),
    Material("abs", "C15H17N", 1.05),
    Material("polyamide", "C6H11NO", 1.14),
    Material("glass_filled_polyamide", "C6H11NO2.614Si0.807", 1.37),  # 30 % glass by mass: frames, grips, tool handles
    Material("pvc", "C2H3Cl", 1.38),
    Material("rubber", "C5H8Zn0.02O0.02S0.06", 1.15),  # vulcanised, zinc oxide filler
    Material("water", "H2O", 1.00),
    Material("wood", "C6H10O5", 0.60),
    Material("paper", "C6H10O5Ca0.12C0.12O0.36", 0.80),  # cellulose and 7 % chalk
    Material("cotton", "C6H10O5", 0.30),
    Material("leather", "C4.1H6.6N1.25O1.5S0.02Cr0.04", 0.86),  # collagen, chrome tanned
    Material("glass", "Si0.72Na0.27Ca0.10Mg0.06O1.73", 2.50),  # soda-lime
    Material("fr4", "Si0.54Ca0.21Al0.17B0.14O2.10C2.1H2.3Br0.06Cu0.08", 1.95),  # glass cloth, brominated epoxy, copper tracks
    Material("lithium_battery", "Li0.40Co0.39O1.26C2.43H1.20Al0.50Cu0.14P0.013F0.08", 2.30),  # the wound cell with its foils
    Material("silicon", "Si", 2.33),
    Material("gunpowder", "C6H7.5N2.5O10", 0.90),  # nitrocellulose, as poured
    Material("sugar_food", "C12H22O11", 0.85),
    Material("soap", "C17H35COONa", 1.05),
)
"""The materials that things are made of, by name."""


def material(name: str) -> Material:
    """The material called ``name``.

    Raises:
        ConfigError: There is none; the message names the nearest ones.

    Example:
        >>> material("water").formula
        'H2O'
    """
    try:
        return MATERIALS[name]
    except KeyError:
        near = difflib.get_close_matches(name, MATERIALS, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(MATERIALS)}."
        raise ConfigError(f"there is no material called {name!r}. {hint}") from None


def linear_attenuation(material: Material, energies_kev: NDArray[Any]) -> NDArray[np.float64]:
    r"""Linear attenuation coefficient, coherent scattering included.

    .. math:: \mu(E) = \rho \sum_i w_i \, (\mu/\rho)_i(E)

    Args:
        material: What.
        energies_kev: (E,) photon energies in keV.

    Returns:
        (E,) float64, 1/cm.

    Raises:
        ConfigError: The formula cannot be read, or an energy is outside ``ENERGY_RANGE_KEV``.

    Source:
        Elam, Ravel, Sieber, Radiation Physics and Chemistry 63 (2002) 121, through ``xraydb``.

    Example:
        >>> f"{linear_attenuation(Material('iron', 'Fe', 1.0), np.array([60.0]))[0]:.4f}"
        '1.2049'
    """
    energies = np.asarray(energies_kev, np.float64)
    low, high = ENERGY_RANGE_KEV
    if energies.ndim != 1 or energies.size == 0 or not (energies.min() >= low and energies.max() <= high):
        raise ConfigError(f"energies_kev must be a list of energies in [{low:g}, {high:g}] keV, got {energies_kev!r}.")
    return np.frombuffer(_mu_bytes(material, energies.tobytes()), np.float64)


@lru_cache(maxsize=1024)
def _mu_bytes(material: Material, energies: bytes) -> bytes:
    """Cached on bytes because arrays cannot be keys; read back with ``frombuffer``, which is also read-only."""
    from xraydb import mu_elam

    energies_ev = np.frombuffer(energies, np.float64) * 1000.0
    total = np.zeros_like(energies_ev)
    for element, fraction in mass_fractions(material).items():
        total += fraction * mu_elam(element, energies_ev)
    return (total * material.density_g_cm3).tobytes()


@lru_cache(maxsize=256)
def mass_fractions(material: Material) -> Mapping[str, float]:
    """Share of the mass that each element has; sums to 1.

    Raises:
        ConfigError: The formula cannot be read.

    Example:
        >>> {element: round(share, 4) for element, share in mass_fractions(MATERIALS["water"]).items()}
        {'H': 0.1119, 'O': 0.8881}
    """
    from xraydb import atomic_mass

    atoms = _atoms(material)
    masses = {element: count * float(atomic_mass(element)) for element, count in atoms.items()}
    whole = sum(masses.values())
    return MappingProxyType({element: mass / whole for element, mass in masses.items()})


def z_eff(material: Material) -> float:
    r"""Effective atomic number for photoelectric absorption.

    .. math:: Z_\mathrm{eff} = \Big( \sum_i f_i Z_i^{2.94} \Big)^{1/2.94}

    where :math:`f_i` is the share of the electrons that belong to element i.

    Raises:
        ConfigError: The formula cannot be read.

    Source:
        W. V. Mayneord, "The significance of the Roentgen", Acta Int. Union Against Cancer 2 (1937) 271.

    Example:
        >>> f"{z_eff(MATERIALS['water']):.2f}"
        '7.42'
    """
    from xraydb import atomic_number

    numbers = {element: int(atomic_number(element)) for element in _atoms(material)}
    electrons = {element: count * numbers[element] for element, count in _atoms(material).items()}
    whole = sum(electrons.values())
    power = sum(share / whole * numbers[element] ** Z_EFF_EXPONENT for element, share in electrons.items())
    return float(power ** (1 / Z_EFF_EXPONENT))


def _atoms(material: Material) -> dict[str, float]:
    from xraydb import chemparse

    try:
        return {element: float(count) for element, count in chemparse(material.formula).items()}
    except ValueError as error:
        raise ConfigError(f"material {material.name}: cannot read the formula {material.formula!r} ({error}).") from None
