"""The phantom's scanner beside real pairs: the figures of ``benchmarks/physics.py``, held to what the benchmark's text says."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from threatray.phantom.scanner import PhantomScanner
from threatray.physics.dual_energy import DualEnergyScanner

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "dual_energy"
pytestmark = [pytest.mark.real, pytest.mark.skipif(not DATA.is_dir(), reason="the real data are not here")]


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("physics_benchmark", ROOT / "benchmarks" / "physics.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("folder", "material", "plates", "known"),
    [("knife", "steel", "STEEL_CM", 2.25), ("gun", "glass_filled_polyamide", "POLYMER_CM", 1.31)],
)
def test_the_ratio_of_steel_and_of_polymer_is_the_real_ones(
    bench: ModuleType, folder: str, material: str, plates: str, known: float
) -> None:
    real = float(np.median(bench.ratios(bench.readings(DATA / folder))))
    ours = float(np.median(bench.phantom_ratio(DualEnergyScanner(), material, getattr(bench, plates))))
    assert real == pytest.approx(known, rel=0.03), "the pairs are read as those who measured them before did"
    assert ours == pytest.approx(real, rel=0.10)


def test_the_white_level_is_found_in_the_air_of_every_pair(bench: ModuleType) -> None:
    for folder in ("knife", "gun", "bags"):
        assert {pair.white_levels for pair in bench.readings(DATA / folder)} == {(60_000, 60_000)}


def test_the_noise_of_air_is_the_real_ones(bench: ModuleType) -> None:
    low, _, high, _ = np.median(bench.air(bench.readings(DATA / "knife")), axis=0)
    ours = np.sqrt(1 / np.array(PhantomScanner().photons_per_pixel))
    np.testing.assert_allclose(ours, [low, high], rtol=0.15)


def test_a_composite_of_real_scans_is_off_the_law_by_half_a_level(bench: ModuleType) -> None:
    made, worst = bench.composite_error(bench.readings(DATA / "bags")[:2], bench.readings(DATA / "knife")[:6], 0)
    assert made >= 10
    assert worst <= 0.5 + 60_000 * 2**-23, "half a level, and the last bit of float32"
