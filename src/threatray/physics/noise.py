"""What the detector adds: blur, photon noise, electronic noise and the unequal gain of its elements."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from threatray.core.image import TRANSMISSION_FLOOR, FloatArray, Quantity, XrayImage
from threatray.errors import ConfigError, DataError


def detector_blur(image: XrayImage, sigma_px: float) -> XrayImage:
    """Spread of light in the detector: a Gaussian over intensity, so that a thin wire never transmits less than it should.

    Args:
        image: A transmission.
        sigma_px: Standard deviation in pixels; 0 changes nothing.

    Returns:
        A transmission of the same channels; uniform regions keep their value.

    Raises:
        ConfigError: The sigma is negative or not finite.
        DataError: The image is not a transmission.

    Example:
        >>> from threatray.core.image import GREY
        >>> edge = XrayImage(np.array([[[1, 1, 0.5, 0.5]]], np.float32), Quantity.TRANSMISSION, GREY)
        >>> [round(float(value), 2) for value in detector_blur(edge, 0.5).values[0, 0]]
        [1.0, 0.95, 0.55, 0.5]
    """
    _require_transmission(image)
    if not (math.isfinite(sigma_px) and sigma_px >= 0):
        raise ConfigError(f"blur sigma_px must be finite and at least 0 pixels, got {sigma_px}.")
    if sigma_px == 0:
        return image
    from scipy.ndimage import gaussian_filter1d

    rows = gaussian_filter1d(image.values, sigma_px, axis=1, mode="nearest", truncate=3.0)
    return _within_bounds(gaussian_filter1d(rows, sigma_px, axis=2, mode="nearest", truncate=3.0), image)


@dataclass(frozen=True)
class NoiseParams:
    """The one number that a scan's noise grows from; JSON-able."""

    seed: int


@dataclass(frozen=True)
class PhotonNoise:
    r"""Counting noise, electronic noise and the gain left over from calibration.

    .. math:: T' = \frac{\mathrm{Poisson}(N\,g\,T)}{N} + \sigma_e\,\xi, \qquad g \sim \mathcal{N}(1, \sigma_g^2)\ \text{one a row}

    Args:
        photons_per_pixel: Photons N that one pixel counts in air, one number a channel. The noise of a real dual-energy
            scanner in air, 0.73 % and 1.15 %, is that of 19,000 and 7,600 photons.
        electronic_sigma: Standard deviation of the electronic noise as a share of the signal in air.
        gain_sigma: Standard deviation of the gain of the detector's elements. The belt moves along a row, so each row of the
            image has been seen by one element, and an unequal gain is a faint line along it.

    Raises:
        ConfigError: A number of photons is under 1, or a sigma is negative or not finite.

    Note:
        The real files hold nothing brighter than white, so that two fifths of their air are exactly white: its plain standard
        deviation is too small. ``benchmarks/physics.py`` takes that of the darker side.

    Example:
        >>> from threatray.core.image import DUAL_ENERGY
        >>> image = XrayImage(np.full((2, 64, 64), 0.25, np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)
        >>> noise = PhotonNoise((10_000, 10_000), electronic_sigma=0.0, gain_sigma=0.0)
        >>> params = noise.draw((64, 64), np.random.default_rng(0))
        >>> f"{noise.apply(image, params).values.std():.4f}"  # sqrt(0.25 / 10000) = 0.005
        '0.0050'
    """

    photons_per_pixel: tuple[float, ...] = (19_000.0, 7_600.0)
    electronic_sigma: float = 0.0005
    gain_sigma: float = 0.001

    def __post_init__(self) -> None:
        if not self.photons_per_pixel or not all(math.isfinite(count) and count >= 1 for count in self.photons_per_pixel):
            raise ConfigError(f"photons_per_pixel must hold one number of at least 1 a channel, got {self.photons_per_pixel}.")
        for name in ("electronic_sigma", "gain_sigma"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"{name} must be finite and at least 0, got {value}.")

    def draw(self, size: tuple[int, int], rng: np.random.Generator) -> NoiseParams:
        """Choose the noise of one scan; a seed stands for it whatever the size."""
        return NoiseParams(int(rng.integers(0, 2**63)))

    def apply(self, image: XrayImage, params: NoiseParams) -> XrayImage:
        """The image as this detector would count it; the same parameters always give the same noise.

        Args:
            image: A transmission with as many channels as ``photons_per_pixel`` has numbers.
            params: From ``draw``.

        Returns:
            A transmission of the same channels, clipped to [``TRANSMISSION_FLOOR``, 1].

        Raises:
            DataError: Not a transmission, or another number of channels.
        """
        _require_transmission(image)
        channels, height, width = image.values.shape
        if channels != len(self.photons_per_pixel):
            raise DataError(f"noise: expected {len(self.photons_per_pixel)} channels, one for each number of photons, got {channels}.")
        rng = np.random.default_rng(params.seed)
        # First, because counting takes more or fewer random numbers by the scene: the same parameters give the same gains.
        gains = np.maximum(1.0 + self.gain_sigma * rng.standard_normal((channels, height, 1)), 0.0)
        noisy = np.empty((channels, height, width), np.float32)
        for channel, count in enumerate(self.photons_per_pixel):
            counts = rng.poisson(image.values[channel] * gains[channel] * count)
            noisy[channel] = counts / count
            noisy[channel] += np.float32(self.electronic_sigma) * rng.standard_normal((height, width), np.float32)
        return _within_bounds(noisy, image)


def _require_transmission(image: XrayImage) -> None:
    if image.quantity is not Quantity.TRANSMISSION:
        raise DataError(f"expected a transmission, got {image.quantity.value}.")


def _within_bounds(values: FloatArray, like: XrayImage) -> XrayImage:
    bounded = np.clip(values, np.float32(TRANSMISSION_FLOOR), np.float32(1.0)).astype(np.float32, copy=False)
    return XrayImage(bounded, Quantity.TRANSMISSION, like.channels)
