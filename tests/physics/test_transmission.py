"""The law of Beer and Lambert: laws, the slow loop against the fast path, and refusals."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core.image import TRANSMISSION_FLOOR
from threatray.errors import ConfigError, DataError
from threatray.physics.materials import MATERIALS, linear_attenuation
from threatray.physics.spectrum import tube_spectrum
from threatray.physics.transmission import common_size, transmission

law = settings(deadline=None, max_examples=40)
names = st.sampled_from(sorted(MATERIALS))
centimetres = st.floats(0.0, 20.0, allow_subnormal=False)
SPECTRUM = tube_spectrum(160)
WEIGHTS = np.stack([SPECTRUM.fluence, np.roll(SPECTRUM.fluence, 4)])


def one(value: float) -> np.ndarray:
    return np.array([[value]])


def through(thickness_cm: dict[str, float], weights: np.ndarray = WEIGHTS, energies: np.ndarray = SPECTRUM.energies_kev) -> np.ndarray:
    return transmission({name: one(value) for name, value in thickness_cm.items()}, weights, energies)[:, 0, 0]


@law
@given(names, names, centimetres, centimetres, st.floats(0.0, 5.0))
def test_more_thickness_never_transmits_more(first, second, thickness, other, more):
    before, after = through({first: thickness, second: other}), through({first: thickness + more, second: other})
    assert (after <= before * (1 + 2e-6)).all()  # float32 rounding of a sum over energies


@law
@given(names, st.floats(0.0, 3.0), st.floats(20.0, 160.0))
def test_one_energy_obeys_beer_and_lambert_exactly(name, thickness, energy):
    mu = linear_attenuation(MATERIALS[name], np.array([energy]))[0]
    expected = max(math.exp(-mu * thickness), TRANSMISSION_FLOOR)
    found = through({name: thickness}, np.ones((1, 1)), np.array([energy]))[0]
    assert found == pytest.approx(expected, rel=2e-6 * (1 + mu * thickness))


# Lead's K-edge lies inside the spectrum, and past it more lead attenuates the wrong energies: only there the law can fail.
smooth = st.sampled_from(sorted(set(MATERIALS) - {"lead", "brass"}))


@law
@given(smooth, smooth, st.floats(0.01, 3.0), st.floats(0.01, 3.0))
def test_a_spectrum_hardens_so_that_a_stack_is_brighter_than_the_product(first, second, thickness, other):
    apart = through({first: thickness}) * through({second: other})
    stacked = through({first: thickness, second: other}) if first != second else through({first: thickness + other})
    assert (stacked >= apart * (1 - 5e-6)).all()


def test_hardening_is_visible_in_steel():
    thin, thick = -np.log(through({"steel": 0.2})[0]), -np.log(through({"steel": 0.8})[0])
    assert thick < 0.75 * 4 * thin


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1))
def test_the_fast_path_equals_the_manual_loop(seed):
    rng = np.random.default_rng(seed)
    chosen = rng.choice(sorted(MATERIALS), 3, replace=False)
    maps = {str(name): rng.uniform(0, 2, (3, 5)) * (rng.random((3, 5)) < 0.5) for name in chosen}
    fast = transmission(maps, WEIGHTS, SPECTRUM.energies_kev)
    mu = {name: linear_attenuation(MATERIALS[name], SPECTRUM.energies_kev) for name in maps}
    for channel in range(2):
        for row in range(3):
            for column in range(5):
                signal = 0.0
                for number in range(SPECTRUM.energies_kev.size):
                    depth = sum(float(mu[name][number]) * maps[name][row, column] for name in maps)
                    signal += WEIGHTS[channel, number] * math.exp(-depth)
                assert fast[channel, row, column] == pytest.approx(max(signal, TRANSMISSION_FLOOR), rel=2e-5)


def test_maps_larger_than_one_chunk_are_all_computed():
    water = np.linspace(0, 5, 101 * 97).reshape(101, 97)
    whole = transmission({"water": water}, WEIGHTS, SPECTRUM.energies_kev)
    assert whole.shape == (2, 101, 97)
    assert (np.diff(whole.reshape(2, -1), axis=1) < 0).all()
    np.testing.assert_allclose(whole[:, 60, 50], through({"water": water[60, 50]}), rtol=1e-6)


def test_air_is_exactly_one_and_the_densest_is_the_floor():
    maps = {"lead": np.array([[0.0, 100.0]]), "water": np.zeros((1, 2))}
    found = transmission(maps, WEIGHTS, SPECTRUM.energies_kev)
    assert (found[:, 0, 0] == 1.0).all()
    assert (found[:, 0, 1] == np.float32(TRANSMISSION_FLOOR)).all()


def test_the_order_of_the_materials_does_not_matter():
    there = through({"steel": 0.1, "water": 3.0, "cotton": 2.0})
    back = through({"cotton": 2.0, "water": 3.0, "steel": 0.1})
    np.testing.assert_allclose(there, back, rtol=1e-6)


@pytest.mark.parametrize(
    ("maps", "error", "message"),
    [
        ({}, ConfigError, "thickness_cm is empty"),
        ({"steal": one(1)}, ConfigError, "there is no material called 'steal'"),
        ({"steel": np.ones(3)}, DataError, r"thickness of steel: expected a map of shape \(H, W\), got \(3,\)"),
        ({"steel": one(-0.1)}, DataError, r"finite and at least 0 cm, got \[-0.1, -0.1\]"),
        ({"steel": one(math.nan)}, DataError, "finite and at least 0 cm"),
        ({"steel": one(math.inf)}, DataError, "finite and at least 0 cm"),
        ({"steel": np.ones((2, 3)), "water": np.ones((3, 2))}, DataError, r"must share one shape, got steel \(2, 3\), water \(3, 2\)"),
    ],
)
def test_wrong_maps_are_refused(maps, error, message):
    with pytest.raises(error, match=message):
        transmission(maps, WEIGHTS, SPECTRUM.energies_kev)
    with pytest.raises(error, match=message):
        common_size(maps)


@pytest.mark.parametrize(
    ("weights", "message"),
    [(np.ones((2, 3)), r"weights must have shape \(C, 57\)"), (np.full((1, 57), 0.5), "sum to 1")],
)
def test_wrong_weights_are_refused(weights, message):
    with pytest.raises(ConfigError, match=message):
        transmission({"steel": one(1)}, weights, np.linspace(20, 160, 57))
