"""The phantom's scanner: from path lengths through materials to the image that a detector would give."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from threatray.core.image import TRANSMISSION_FLOOR, Quantity, XrayImage
from threatray.errors import ConfigError, DataError
from threatray.physics.dual_energy import DualEnergyScanner
from threatray.physics.noise import NoiseParams, PhotonNoise, detector_blur
from threatray.physics.pseudo_colour import DEFAULT_PALETTE, ScannerPalette
from threatray.physics.transmission import ThicknessMaps, common_size

GREY_LEVELS = 65535


@dataclass(frozen=True)
class ScanParams:
    """The randomness of one scan; JSON-able with ``dataclasses.asdict``.

    Args:
        height: Rows of the image that it was drawn for.
        width: Columns.
        noise_seed: Seed of the photon and electronic noise.
    """

    height: int
    width: int
    noise_seed: int


@dataclass(frozen=True)
class PhantomScanner:
    """A dual-energy baggage scanner with blur, noise and 16 bit levels.

    Args:
        scanner: Tube and detector.
        photons_per_pixel: Photons that a pixel counts in air, (low_energy, high_energy).
        blur_sigma_px: Standard deviation of the detector's blur, in pixels.
        palette: How pairs are shown in colour.
        electronic_sigma: Electronic noise as a share of the signal in air.
        gain_sigma: Spread of the gain of the detector's elements, one a row.

    Raises:
        ConfigError: A number is out of range, or there are not two numbers of photons.

    Example:
        >>> scanner = PhantomScanner()
        >>> thickness_cm = {"steel": np.pad(np.full((8, 8), 0.2), 4), "water": np.full((16, 16), 3.0)}
        >>> params = scanner.draw((16, 16), np.random.default_rng(0))
        >>> dual = scanner.scan(thickness_cm, params)
        >>> dual.channels, scanner.colour(dual).channels
        (('low_energy', 'high_energy'), ('red', 'green', 'blue'))
    """

    scanner: DualEnergyScanner = DualEnergyScanner()
    photons_per_pixel: tuple[float, float] = (19_000.0, 7_600.0)
    blur_sigma_px: float = 0.6
    palette: ScannerPalette = DEFAULT_PALETTE
    electronic_sigma: float = 0.0005
    gain_sigma: float = 0.001

    def __post_init__(self) -> None:
        if len(self.photons_per_pixel) != 2:
            raise ConfigError(f"photons_per_pixel must hold two numbers, for low_energy and high_energy, got {self.photons_per_pixel}.")
        if not (math.isfinite(self.blur_sigma_px) and self.blur_sigma_px >= 0):
            raise ConfigError(f"blur_sigma_px must be finite and at least 0, got {self.blur_sigma_px}.")
        _ = self.noise  # refuses bad numbers now rather than at the first scan

    @property
    def noise(self) -> PhotonNoise:
        """The detector's noise."""
        return PhotonNoise(self.photons_per_pixel, self.electronic_sigma, self.gain_sigma)

    def draw(self, size: tuple[int, int], rng: np.random.Generator) -> ScanParams:
        """Choose the noise of one scan of ``size`` (H, W)."""
        return ScanParams(int(size[0]), int(size[1]), self.noise.draw(size, rng).seed)

    def scan(self, thickness_cm: ThicknessMaps, params: ScanParams) -> XrayImage:
        """The scan with blur and noise, on 16 bit levels; the same parameters always give the same bytes.

        Args:
            thickness_cm: Material name -> (H, W) path length in cm; an empty mapping is an empty scanner.
            params: From ``draw``, for the same size.

        Returns:
            Transmission with channels ``DUAL_ENERGY``, each value a multiple of 1/65535 (0 becomes ``TRANSMISSION_FLOOR``).

        Raises:
            ConfigError: An unknown material.
            DataError: The parameters were drawn for another size, or a map is wrong.
        """
        drawn = (params.height, params.width)
        if not thickness_cm:
            thickness_cm = {"water": np.zeros(drawn, np.float32)}
        size = common_size(thickness_cm)
        if size != drawn:
            raise DataError(f"scan: the parameters were drawn for {drawn[0]}x{drawn[1]} pixels, the maps have {size[0]}x{size[1]}.")
        blurred = detector_blur(self.ideal(thickness_cm), self.blur_sigma_px)
        return _on_grey_levels(self.noise.apply(blurred, NoiseParams(params.noise_seed)))

    def ideal(self, thickness_cm: ThicknessMaps) -> XrayImage:
        """What a detector without blur and noise would see: the true transmission, ``DUAL_ENERGY``.

        Raises:
            ConfigError: No map, or an unknown material.
            DataError: A map is wrong.
        """
        return self.scanner.transmit(thickness_cm)

    def colour(self, dual: XrayImage) -> XrayImage:
        """The pair as the screen shows it: pseudo-colour with channels ``COLOUR``.

        Raises:
            DataError: Not a dual-energy image.
        """
        return self.palette.render(dual)


def _on_grey_levels(image: XrayImage) -> XrayImage:
    values = np.maximum(np.round(image.values * np.float32(GREY_LEVELS)) / np.float32(GREY_LEVELS), np.float32(TRANSMISSION_FLOOR))
    return XrayImage(values, Quantity.TRANSMISSION, image.channels)
