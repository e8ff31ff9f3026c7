"""Dual energy: the order of r, the calibration of the proxy, and agreement with real scans."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core.image import DUAL_ENERGY, GREY, Quantity, XrayImage
from threatray.errors import ConfigError, DataError
from threatray.physics.dual_energy import DualEnergyScanner, SandwichDetector, dual_attenuation, r_value, z_eff_proxy
from threatray.physics.materials import MATERIALS, linear_attenuation, z_eff
from threatray.physics.spectrum import tube_spectrum

REAL = Path(__file__).parents[3] / "shared" / "data" / "dual_energy"
law = settings(deadline=None, max_examples=30)
SCANNER = DualEnergyScanner()


def wedge(name: str, centimetres) -> XrayImage:
    return SCANNER.transmit({name: np.atleast_2d(np.asarray(centimetres, float))})


def r_at(name: str, attenuation: float) -> float:
    """The r of a material at one high-energy attenuation."""
    mean = float(linear_attenuation(MATERIALS[name], np.array([90.0]))[0])
    image = wedge(name, np.geomspace(0.02, 40.0, 400) / mean)
    low, high = (values[0] for values in dual_attenuation(image))
    return float(np.interp(attenuation, high, low / high))


@law
@given(st.floats(0.05, 5.0))
def test_r_of_steel_is_over_aluminium_is_over_water_is_over_polyethylene_at_equal_attenuation(attenuation):
    metal, light, water, polymer = (r_at(name, attenuation) for name in ("steel", "aluminium", "water", "polyethylene"))
    assert metal > light + 0.05 > light > water + 0.03 > water > polymer > 1


@law
@given(st.sampled_from(["steel", "aluminium", "water"]), st.floats(0.1, 2.0), st.floats(1.05, 3.0))
def test_r_falls_as_the_beam_hardens(name, attenuation, factor):
    assert r_at(name, attenuation * factor) < r_at(name, attenuation)


@pytest.mark.parametrize(
    ("name", "centimetres", "low", "high"),
    [("steel", 0.1, 2.3, 2.7), ("steel", 0.3, 2.0, 2.3), ("aluminium", 0.3, 1.7, 1.95), ("water", 5.0, 1.2, 1.3), ("abs", 3.0, 1.12, 1.3)],
)
def test_r_is_what_such_scanners_show(name, centimetres, low, high):
    assert low < float(r_value(wedge(name, centimetres))[0, 0]) < high


@pytest.mark.real
@pytest.mark.parametrize(
    ("folder", "name", "thicknesses"), [("knife", "steel", (0.1, 0.15, 0.2, 0.25, 0.3)), ("gun", "glass_filled_polyamide", (1, 2, 4))]
)
def test_median_r_agrees_with_real_pairs_within_eight_per_cent(folder, name, thicknesses):
    if not REAL.is_dir():
        pytest.skip("the real dual-energy pairs are not here")
    import cv2

    medians = []
    for path in sorted((REAL / folder).glob("*_high.png")):
        high, low = (cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in (path, path.with_name(path.name.replace("_high", "_low"))))
        if high.ndim != 2 or high.dtype != np.uint16 or low.shape != high.shape:
            continue
        pair = -np.log(np.clip(np.stack([low, high]) / 60000.0, 1e-4, 1.0))
        inside = pair[1] > 0.1
        medians.append(float(np.median(pair[0][inside] / pair[1][inside])))
    assert len(medians) > 5
    ours = float(np.median(r_value(wedge(name, thicknesses))))
    assert ours == pytest.approx(float(np.median(medians)), rel=0.08)


@pytest.mark.parametrize("name", ["polyethylene", "water", "aluminium", "copper"])
def test_the_proxy_of_a_calibration_material_is_its_effective_number(name):
    centimetres = np.array([0.3, 1.0, 2.5]) * (0.1 if name == "copper" else 1.0)
    np.testing.assert_allclose(z_eff_proxy(wedge(name, centimetres)), z_eff(MATERIALS[name]), rtol=0.02)


def test_the_proxy_lies_between_two_stacked_materials():
    both = SCANNER.transmit({"steel": np.array([[0.1]]), "water": np.array([[5.0]])})
    assert z_eff(MATERIALS["water"]) < float(z_eff_proxy(both)[0, 0]) < z_eff(MATERIALS["steel"])


def test_ratio_and_proxy_are_undefined_in_air_and_the_proxy_where_starved():
    image = wedge("steel", [0.0, 0.2, 30.0])
    assert np.isnan(r_value(image)).tolist() == [[True, False, False]]
    assert np.isnan(z_eff_proxy(image)).tolist() == [[True, False, True]]


def test_r_by_hand_is_two():
    image = XrayImage(np.array([0.25, 0.5], np.float32).reshape(2, 1, 1), Quantity.TRANSMISSION, DUAL_ENERGY)
    assert r_value(image)[0, 0] == pytest.approx(2.0)


def test_the_weights_are_the_shares_that_the_layers_absorb():
    detector, spectrum = SandwichDetector(front_cm=0.01, filter_cm=0.05, back_cm=0.3), tube_spectrum(140)
    low, high = [], []
    for energy, share in zip(spectrum.energies_kev, spectrum.fluence, strict=True):
        front, copper, back = (
            math.exp(-float(linear_attenuation(material, np.array([energy]))[0]) * depth)
            for material, depth in ((detector.front, 0.01), (MATERIALS["copper"], 0.05), (detector.back, 0.3))
        )
        low.append(energy * share * (1 - front))
        high.append(energy * share * front * copper * (1 - back))
    expected = np.array([np.array(low) / sum(low), np.array(high) / sum(high)])
    np.testing.assert_allclose(detector.weights(spectrum), expected, rtol=1e-9)


def test_the_high_channel_sees_more_through_steel():
    low, high = wedge("steel", 0.3).values[:, 0, 0]
    assert low < high


def test_other_tubes_and_detectors_give_other_images():
    maps = {"steel": np.full((1, 1), 0.2)}
    images = [DualEnergyScanner(), DualEnergyScanner(tube_kv=120), DualEnergyScanner(detector=SandwichDetector(filter_cm=0.2))]
    assert len({scanner.transmit(maps).values.tobytes() for scanner in images}) == 3


@pytest.mark.parametrize("field", ["front_cm", "filter_cm", "back_cm"])
def test_a_detector_that_cannot_be_is_refused(field):
    with pytest.raises(ConfigError, match=f"detector: {field} must be a finite thickness"):
        SandwichDetector(**{field: -0.1})


def test_an_unknown_tube_voltage_is_refused_at_once():
    with pytest.raises(ConfigError, match="tube_kv must be one of"):
        DualEnergyScanner(tube_kv=50)


@pytest.mark.parametrize("question", [r_value, z_eff_proxy, dual_attenuation])
def test_a_single_energy_image_is_refused(question):
    with pytest.raises(DataError, match="expected a dual-energy image"):
        question(XrayImage(np.ones((1, 2, 2), np.float32), Quantity.TRANSMISSION, GREY))
