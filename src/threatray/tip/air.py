"""What empty air counts in a scan with a threat alone in it."""

from __future__ import annotations

from typing import Final

import numpy as np

from threatray.core.image import TRANSMISSION_FLOOR, FloatArray, Quantity, XrayImage
from threatray.errors import DataError

_BORDER_SHARE: Final = 0.05
_DARKEST_AIR: Final = 0.2


def air_transmission(image: XrayImage) -> FloatArray:
    """The transmission that a scan's own air shows, channel by channel: 1 if its white level is right.

    Args:
        image: Transmission (or attenuation), with air along its border.

    Returns:
        (C,) float32: the median of the border's brighter half.

    Raises:
        DataError: The border is dark: there is no air, or the white level is wrong (8-bit counts read as 16 bit).

    Example:
        >>> values = np.full((1, 30, 40), 0.9, np.float32); values[0, 10:20, 10:30] = 0.2
        >>> round(float(air_transmission(XrayImage(values, Quantity.TRANSMISSION, ("grey",)))[0]), 3)
        0.9
    """
    values = image.transmission().values
    rim = max(1, round(_BORDER_SHARE * min(image.size)))
    border = np.ones(image.size, np.bool_)
    border[rim:-rim, rim:-rim] = False
    edge = values[:, border]
    air = np.array([np.median(channel[channel >= np.median(channel)]) for channel in edge], np.float32)
    if air.min() < _DARKEST_AIR:
        raise DataError(
            f"the brightest part of its border transmits {float(air.min()):.3g} of the white level, at least {_DARKEST_AIR} is expected "
            "of air. Give the white level of these scans, or leave the picture out"
        )
    return air


def against_air(image: XrayImage, air: FloatArray) -> XrayImage:
    """The scan with its air at 1: noise brighter than air is clipped."""
    ratio = image.transmission().values / air.reshape(-1, 1, 1)
    return XrayImage(np.clip(ratio, TRANSMISSION_FLOOR, 1.0).astype(np.float32), Quantity.TRANSMISSION, image.channels)
