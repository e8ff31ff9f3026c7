"""The embedded tube spectra."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from threatray.errors import ConfigError
from threatray.physics.spectrum import TUBE_KVS, Spectrum, tube_spectrum


@pytest.mark.parametrize("tube_kv", TUBE_KVS)
def test_no_photon_has_more_than_the_tube_voltage(tube_kv):
    spectrum = tube_spectrum(tube_kv)
    assert spectrum.energies_kev[-1] < tube_kv < spectrum.energies_kev[-1] + 2.5
    assert spectrum.fluence.sum() == pytest.approx(1.0)


def test_a_higher_voltage_gives_a_higher_mean_energy():
    means = [float(tube_spectrum(kv).energies_kev @ tube_spectrum(kv).fluence) for kv in TUBE_KVS]
    assert means == sorted(means)
    assert 55 < means[0] < means[-1] < 80


def test_the_lines_of_tungsten_stand_out():
    # K-alpha 58.0 and 59.3 keV, K-beta 67 keV
    spectrum = tube_spectrum(160)
    at = {float(energy): share for energy, share in zip(spectrum.energies_kev, spectrum.fluence, strict=True)}
    assert at[58.75] > 1.5 * at[53.75]
    assert at[66.25] + at[68.75] > 1.2 * (at[63.75] + at[73.75])


def test_the_spectrum_is_read_only():
    with pytest.raises(ValueError, match="read-only"):
        tube_spectrum(160).fluence[0] = 1.0


def test_a_voltage_that_is_not_embedded_is_refused():
    with pytest.raises(ConfigError, match="tube_kv must be one of 120, 140, 160 kV, got 90"):
        tube_spectrum(90)


@pytest.mark.parametrize(
    ("energies", "fluence", "message"),
    [
        ([20.0, 30.0], [1.0], "must both have shape"),
        ([30.0, 20.0], [1.0, 1.0], "rise from bin to bin"),
        ([20.0, 30.0], [1.0, -1.0], "not negative"),
        ([20.0, 30.0], [0.0, 0.0], "not all 0"),
    ],
)
def test_a_spectrum_that_cannot_be_is_refused(energies, fluence, message):
    with pytest.raises(ConfigError, match=message):
        Spectrum(np.array(energies), np.array(fluence))


@pytest.mark.reference
def test_the_table_is_what_the_tool_makes():
    pytest.importorskip("spekpy")
    path = Path(__file__).parents[2] / "tools" / "make_spectrum_table.py"
    spec = importlib.util.spec_from_file_location("make_spectrum_table", path)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    edges = np.arange(tool.FIRST_KEV, 160 + tool.BIN_KEV, tool.BIN_KEV)
    spectrum = tube_spectrum(160)
    np.testing.assert_allclose(tool.binned(160, edges)[: spectrum.fluence.size], spectrum.fluence, rtol=1e-4)
