"""Materials: reference coefficients, effective numbers, and refusals."""

import math

import numpy as np
import pytest

from threatray.errors import ConfigError
from threatray.physics.materials import MATERIALS, Material, linear_attenuation, mass_fractions, material, z_eff


@pytest.mark.reference
@pytest.mark.parametrize(
    ("formula", "energy_kev", "cm2_per_g"),
    [
        ("Fe", 60.0, 1.2049),
        ("Fe", 100.0, 0.3717),
        ("Al", 100.0, 0.1704),
        ("H2O", 60.0, 0.2059),
        ("H2O", 150.0, 0.1505),
        ("Cu", 80.0, 0.7630),
        ("Pb", 100.0, 5.549),
    ],
)
def test_agrees_with_the_published_mass_attenuation_within_two_per_cent(formula, energy_kev, cm2_per_g):
    # NIST XCOM / Hubbell and Seltzer; the iron value at 60 keV is xraydb's and xraylib's own.
    found = linear_attenuation(Material("x", formula, 1.0), np.array([energy_kev]))[0]
    assert found == pytest.approx(cm2_per_g, rel=0.02)


def test_iron_at_60_kev_is_the_known_number():
    assert linear_attenuation(Material("iron", "Fe", 1.0), np.array([60.0]))[0] == pytest.approx(1.2049, abs=1e-4)


def test_attenuation_is_proportional_to_density():
    energies = np.array([40.0, 80.0, 120.0])
    packed, loose = (linear_attenuation(Material("wood", "C6H10O5", density), energies) for density in (1.2, 0.3))
    np.testing.assert_allclose(packed, 4 * loose, rtol=1e-12)


def test_a_mixture_attenuates_as_its_parts_by_mass():
    # water: 2.016 g hydrogen and 15.999 g oxygen in 18.015 g
    energies = np.array([30.0, 60.0, 140.0])
    hydrogen, oxygen = (linear_attenuation(Material(element, element, 1.0), energies) for element in ("H", "O"))
    by_hand = (2.016 * hydrogen + 15.999 * oxygen) / 18.015
    np.testing.assert_allclose(linear_attenuation(MATERIALS["water"], energies), by_hand, rtol=1e-3)


def test_z_eff_of_water_by_hand_is_7_42():
    # electrons: 2 of hydrogen, 8 of oxygen
    by_hand = (0.2 * 1**2.94 + 0.8 * 8**2.94) ** (1 / 2.94)
    assert z_eff(MATERIALS["water"]) == pytest.approx(by_hand, rel=1e-9)
    assert by_hand == pytest.approx(7.42, abs=0.005)


def test_z_eff_of_an_element_is_its_atomic_number():
    assert z_eff(MATERIALS["aluminium"]) == pytest.approx(13)
    assert z_eff(MATERIALS["lead"]) == pytest.approx(82)


@pytest.mark.parametrize("name", MATERIALS)
def test_every_material_is_sound(name):
    thing = MATERIALS[name]
    assert thing.name == name
    assert math.isclose(sum(mass_fractions(thing).values()), 1.0)
    assert 5 < z_eff(thing) < 83
    mu = linear_attenuation(thing, np.array([20.0, 60.0, 150.0]))
    assert (mu > 0).all()
    assert mu[0] > mu[1] > mu[2]


def test_the_cache_cannot_be_written_through():
    mu = linear_attenuation(MATERIALS["water"], np.array([60.0]))
    with pytest.raises(ValueError, match="read-only"):
        mu[0] = 0


def test_an_unknown_material_names_the_nearest():
    with pytest.raises(ConfigError, match=r"there is no material called 'alluminium'\. Did you mean aluminium"):
        material("alluminium")


def test_an_unknown_material_with_nothing_near_lists_all():
    with pytest.raises(ConfigError, match="Known: steel, stainless_steel"):
        material("xyzzy")


@pytest.mark.parametrize("density", [0.0, -1.0, math.nan, math.inf])
def test_a_density_that_cannot_be_is_refused(density):
    with pytest.raises(ConfigError, match="density_g_cm3 must be a positive number"):
        Material("x", "Fe", density)


def test_a_formula_that_cannot_be_read_is_refused():
    with pytest.raises(ConfigError, match="material x: cannot read the formula 'Qq2'"):
        z_eff(Material("x", "Qq2", 1.0))
    with pytest.raises(ConfigError, match="the formula is empty"):
        Material("x", "", 1.0)


@pytest.mark.parametrize("energies", [[], [0.0], [60.0, 900.0], [[60.0]]])
def test_energies_out_of_range_are_refused(energies):
    with pytest.raises(ConfigError, match="energies_kev must be a list of energies in"):
        linear_attenuation(MATERIALS["water"], np.array(energies))
