"""What a screen does for the eye: steps of their own, so that a palette's colours stay exactly invertible."""

from __future__ import annotations

import math

import numpy as np

from threatray.core.image import TRANSMISSION_FLOOR, Quantity, XrayImage
from threatray.errors import ConfigError, DataError
from threatray.physics.dual_energy import dual_attenuation


def smooth_material(dual: XrayImage, *, sigma_px: float = 1.5) -> XrayImage:
    r"""Material taken from a neighbourhood, attenuation from the pixel itself: hues lose their grain, edges stay sharp.

    .. math:: A_\mathrm{low}' = A_\mathrm{low}, \qquad A_\mathrm{high}' = A_\mathrm{low} \frac{G * A_\mathrm{high}}{G * A_\mathrm{low}}

    A pixel half covered by steel looks organic by itself; its neighbours tell that it is metal.

    Args:
        dual: A dual-energy image.
        sigma_px: Standard deviation of the Gaussian G in pixels; 0 changes nothing.

    Returns:
        A dual-energy transmission whose low-energy channel is that of ``dual``. For showing only: its high-energy channel is no
        measurement any more.

    Raises:
        ConfigError: ``sigma_px`` is negative or not finite.
        DataError: The image's channels are not ``DUAL_ENERGY``.

    Example:
        >>> from threatray.core.image import DUAL_ENERGY
        >>> values = np.exp(-np.array([1.5, 1.0], np.float32)).reshape(2, 1, 1) * np.ones((2, 5, 5), np.float32)
        >>> image = XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY)
        >>> bool(np.allclose(smooth_material(image).values, values))  # one material: nothing to smooth
        True
    """
    low, high = dual_attenuation(dual)
    if not (math.isfinite(sigma_px) and sigma_px >= 0):
        raise ConfigError(f"smooth_material: sigma_px must be finite and at least 0 pixels, got {sigma_px}.")
    if sigma_px == 0:
        return dual.transmission()
    from scipy.ndimage import gaussian_filter

    near_low, near_high = (gaussian_filter(values, sigma_px, mode="nearest") for values in (low, high))
    share = np.where(near_low > 1e-6, near_high / np.maximum(near_low, np.float32(1e-6)), np.float32(1))
    values = np.stack([dual.transmission().values[0], np.exp(-low * share)]).astype(np.float32)
    return XrayImage(np.clip(values, np.float32(TRANSMISSION_FLOOR), np.float32(1)), Quantity.TRANSMISSION, dual.channels)


def sharpen_for_display(colour: XrayImage, *, amount: float = 0.6, sigma_px: float = 1.2) -> XrayImage:
    """Edge enhancement as screens do it: adds back what a blur removes.

    Args:
        colour: Pseudo-colour.
        amount: How much of the difference is added; 0 changes nothing.
        sigma_px: Standard deviation of the blur in pixels.

    Returns:
        Pseudo-colour of the same channels. For looking at only: a sharpened picture no longer inverts.

    Raises:
        ConfigError: ``amount`` is negative or ``sigma_px`` is not positive.
        DataError: Not a pseudo-colour image.

    Example:
        >>> from threatray.core.image import COLOUR
        >>> flat = XrayImage(np.full((3, 4, 4), 0.5, np.float32), Quantity.PSEUDO_COLOUR, COLOUR)
        >>> bool(np.allclose(sharpen_for_display(flat).values, 0.5))
        True
    """
    if colour.quantity is not Quantity.PSEUDO_COLOUR:
        raise DataError(f"expected pseudo-colour, got {colour.quantity.value}.")
    if not (math.isfinite(amount) and amount >= 0 and math.isfinite(sigma_px) and sigma_px > 0):
        raise ConfigError(f"sharpen_for_display: needs amount >= 0 and sigma_px > 0, got {amount} and {sigma_px}.")
    from scipy.ndimage import gaussian_filter

    soft = gaussian_filter(colour.values, (0, sigma_px, sigma_px), mode="nearest")
    return XrayImage(np.clip(colour.values + np.float32(amount) * (colour.values - soft), 0, 1), Quantity.PSEUDO_COLOUR, colour.channels)
