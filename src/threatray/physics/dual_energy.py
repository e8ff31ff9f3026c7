"""One tube and a sandwich detector: two energies in one exposure, and what their ratio tells of the material."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from threatray.core.image import DUAL_ENERGY, TRANSMISSION_FLOOR, BoolArray, FloatArray, Quantity, XrayImage
from threatray.errors import ConfigError, DataError
from threatray.physics.materials import MATERIALS, Material, linear_attenuation, z_eff
from threatray.physics.spectrum import Spectrum, tube_spectrum
from threatray.physics.transmission import ThicknessMaps, common_size, transmission

GADOLINIUM_OXYSULPHIDE: Final = Material("gadolinium_oxysulphide", "Gd2O2S", 7.32)
CAESIUM_IODIDE: Final = Material("caesium_iodide", "CsI", 4.51)

LEAST_ATTENUATION: Final = 0.02
"""High-energy attenuation below which a ratio of two attenuations is mostly noise."""


@dataclass(frozen=True)
class SandwichDetector:
    """A thin front scintillator that stops low energies, a copper filter, and a thick back scintillator.

    Args:
        front_cm: Thickness of the front layer, cm.
        filter_cm: Thickness of the copper between the layers, cm.
        back_cm: Thickness of the back layer, cm.
        front: The front scintillator.
        back: The back scintillator.

    Raises:
        ConfigError: A thickness is negative or not finite, or a scintillator has none.

    Note:
        The defaults were fitted to real pairs of one scanner. Median r_value: steel of 1-3 mm 2.30 (real knives 2.25), glass-filled
        polyamide 1.32 (real replica guns 1.31). Unfilled polymers are lower, 1.16.

    Example:
        >>> low, high = SandwichDetector().weights(tube_spectrum(160))
        >>> bool((low * tube_spectrum(160).energies_kev).sum() < (high * tube_spectrum(160).energies_kev).sum())
        True
    """

    front_cm: float = 0.02
    filter_cm: float = 0.08
    back_cm: float = 0.4
    front: Material = GADOLINIUM_OXYSULPHIDE
    back: Material = CAESIUM_IODIDE

    def __post_init__(self) -> None:
        for name, least in (("front_cm", 1e-6), ("filter_cm", 0.0), ("back_cm", 1e-6)):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= least):
                raise ConfigError(f"detector: {name} must be a finite thickness of at least {least:g} cm, got {value}.")

    def weights(self, spectrum: Spectrum) -> NDArray[np.float64]:
        r"""Share of each channel's signal in air that each energy carries.

        .. math:: w_\mathrm{low} \propto E\,S\,(1-e^{-\mu_f d_f}), \qquad
                  w_\mathrm{high} \propto E\,S\,e^{-\mu_f d_f - \mu_\mathrm{Cu} d_\mathrm{Cu}}\,(1-e^{-\mu_b d_b})

        Args:
            spectrum: The tube's photons S by energy.

        Returns:
            (2, E) float64, rows ``DUAL_ENERGY``, each summing to 1. The detector integrates energy, hence the factor E.
        """
        energies = spectrum.energies_kev
        past_front = np.exp(-linear_attenuation(self.front, energies) * self.front_cm)
        past_filter = np.exp(-linear_attenuation(MATERIALS["copper"], energies) * self.filter_cm)
        past_back = np.exp(-linear_attenuation(self.back, energies) * self.back_cm)
        light = energies * spectrum.fluence
        signals = np.stack([light * (1 - past_front), light * past_front * past_filter * (1 - past_back)])
        return np.asarray(signals / signals.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class DualEnergyScanner:
    """A tube and a sandwich detector, without noise or blur.

    Args:
        tube_kv: Tube voltage, one of ``TUBE_KVS``.
        detector: The detector.

    Raises:
        ConfigError: No spectrum is embedded for the voltage.

    Example:
        >>> image = DualEnergyScanner().transmit({"steel": np.full((1, 1), 0.2)})
        >>> image.channels, f"{r_value(image)[0, 0]:.2f}"
        (('low_energy', 'high_energy'), '2.30')
    """

    tube_kv: int = 160
    detector: SandwichDetector = SandwichDetector()

    def __post_init__(self) -> None:
        tube_spectrum(self.tube_kv)

    def transmit(self, thickness_cm: ThicknessMaps) -> XrayImage:
        """What the two layers see through these materials, as a share of what they see in air.

        Args:
            thickness_cm: Material name -> (H, W) path length in cm; at least one.

        Returns:
            Transmission with channels ``DUAL_ENERGY``; exactly 1 in air.

        Raises:
            ConfigError: No map, or an unknown material.
            DataError: Maps of different shapes, or a path length that is negative or not finite.
        """
        common_size(thickness_cm)
        spectrum = tube_spectrum(self.tube_kv)
        values = transmission(thickness_cm, _weights(self), spectrum.energies_kev)
        return XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY)


@lru_cache(maxsize=16)
def _weights(scanner: DualEnergyScanner) -> NDArray[np.float64]:
    weights = scanner.detector.weights(tube_spectrum(scanner.tube_kv))
    weights.flags.writeable = False
    return weights


def dual_attenuation(image: XrayImage) -> tuple[FloatArray, FloatArray]:
    """The (low, high) attenuations of a dual-energy image, each (H, W) float32.

    Raises:
        DataError: The image's channels are not ``DUAL_ENERGY``.
    """
    if image.channels != DUAL_ENERGY:
        raise DataError(f"expected a dual-energy image with channels {DUAL_ENERGY}, got {image.channels}.")
    values = image.attenuation().values
    return values[0], values[1]


def r_value(image: XrayImage, *, least_attenuation: float = LEAST_ATTENUATION) -> FloatArray:
    r"""Ratio of the two attenuations, the scanner's sign of the material.

    .. math:: r = A_\mathrm{low} / A_\mathrm{high}

    Args:
        image: A dual-energy image.
        least_attenuation: High-energy attenuation below which r is not defined.

    Returns:
        (H, W) float32, NaN where the high-energy attenuation is below ``least_attenuation``.

    Raises:
        DataError: The image's channels are not ``DUAL_ENERGY``.

    Note:
        r falls with thickness as the beam hardens, most for metals: compare at equal high-energy attenuation.

    Example:
        >>> values = np.exp(-np.array([1.3, 1.0], np.float32)).reshape(2, 1, 1)
        >>> f"{r_value(XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY))[0, 0]:.3f}"
        '1.300'
    """
    low, high = dual_attenuation(image)
    seen = high >= max(least_attenuation, 1e-6)
    return np.where(seen, low / np.where(seen, high, np.float32(1)), np.float32(np.nan)).astype(np.float32)


_CALIBRATION: Final = (
    MATERIALS["polyethylene"],
    MATERIALS["water"],
    Material("magnesium", "Mg", 1.74),
    MATERIALS["aluminium"],
    Material("sulphur", "S", 2.07),
    Material("calcium", "Ca", 1.55),
    Material("titanium", "Ti", 4.51),
    Material("iron", "Fe", 7.87),
    MATERIALS["copper"],
)
"""Pure materials of rising effective atomic number, whose r rises with it at every attenuation."""


def z_eff_proxy(image: XrayImage, scanner: DualEnergyScanner | None = None) -> FloatArray:
    """Effective atomic number of the pure material that would give this pixel's two attenuations.

    Args:
        image: A dual-energy image.
        scanner: The scanner it is read with; the default scanner if none is given.

    Returns:
        (H, W) float32 within the calibration's range (polyethylene to copper, 5.5 to 29); NaN in air and where starved.

    Raises:
        DataError: The image's channels are not ``DUAL_ENERGY``.

    Note:
        A proxy: for several materials along the ray it is some value between theirs, and beyond the K-edge metals
        (tin, lead, gold) it is too low. Only on images of this very scanner is it calibrated.

    Example:
        >>> image = DualEnergyScanner().transmit({"aluminium": np.full((1, 1), 2.0)})
        >>> f"{z_eff_proxy(image)[0, 0]:.1f}"
        '13.0'
    """
    low, high = dual_attenuation(image)
    numbers, grid, curves = _calibration(scanner or DualEnergyScanner())
    known: BoolArray = (high >= LEAST_ATTENUATION) & (low < -math.log(TRANSMISSION_FLOOR * 1.01))
    result = np.full(high.shape, np.nan, np.float32)
    ratio = low[known] / high[known]
    expected = np.stack([np.interp(high[known], grid, curve) for curve in curves])  # (M, P), rising along M
    after = np.clip((expected < ratio).sum(axis=0), 1, len(numbers) - 1)
    pixel = np.arange(ratio.size)
    below, above = expected[after - 1, pixel], expected[after, pixel]
    share = np.clip((ratio - below) / (above - below), 0.0, 1.0)
    result[known] = numbers[after - 1] + share * (numbers[after] - numbers[after - 1])
    return result


@lru_cache(maxsize=16)
def _calibration(scanner: DualEnergyScanner) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Z of each material (M,), a grid of high-energy attenuations (G,), and r of each material on it (M, G)."""
    spectrum, weights = tube_spectrum(scanner.tube_kv), _weights(scanner)
    grid = np.geomspace(LEAST_ATTENUATION / 2, -math.log(TRANSMISSION_FLOOR), 96)
    curves = []
    for material in _CALIBRATION:
        mu = linear_attenuation(material, spectrum.energies_kev)
        thickness = np.geomspace(1e-3, 60.0, 192) / (mu @ weights[1])
        low, high = -np.log(np.exp(-thickness[:, None] * mu) @ weights.T).T
        curves.append(np.interp(grid, high, low / high))
    return np.array([z_eff(material) for material in _CALIBRATION]), grid, np.stack(curves)
