"""The X-ray image: numbers together with what they mean."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from threatray.errors import DataError

FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]

TRANSMISSION_FLOOR: Final = 2.0**-17
"""The smallest transmission a value may hold: half a grey level of 16 bit, so that ``-ln T`` stays finite."""

DUAL_ENERGY: Final = ("low_energy", "high_energy")
GREY: Final = ("grey",)
COLOUR: Final = ("red", "green", "blue")


class Quantity(StrEnum):
    """What the numbers of an image are. Only transmissions may be multiplied, only attenuations added."""

    TRANSMISSION = "transmission"
    ATTENUATION = "attenuation"
    PSEUDO_COLOUR = "pseudo_colour"


_BOUNDS: Final = {
    Quantity.TRANSMISSION: (TRANSMISSION_FLOOR, 1.0),
    Quantity.ATTENUATION: (0.0, float(-np.log(TRANSMISSION_FLOOR)) * (1 + 1e-6)),
    Quantity.PSEUDO_COLOUR: (0.0, 1.0),
}


@dataclass(frozen=True, eq=False)
class XrayImage:
    """An X-ray image whose quantity is part of the value, so that colour is never multiplied by accident.

    Args:
        values: (C, H, W) float32. Transmission lies in [``TRANSMISSION_FLOOR``, 1], attenuation in [0, -ln floor],
            pseudo-colour in [0, 1]. Real air is brighter than white by noise and starved pixels are 0:
            readers clip and count, this type refuses.
        quantity: What the numbers are.
        channels: One name a channel, e.g. ``("low_energy", "high_energy")``, ``("grey",)``, ``("red", "green", "blue")``.

    Raises:
        DataError: Wrong shape, dtype, number of channel names, or a value out of range or not finite.

    Example:
        >>> image = XrayImage(np.full((1, 2, 3), 0.5, np.float32), Quantity.TRANSMISSION, GREY)
        >>> image.height, image.width, f"{image.attenuation().values[0, 0, 0]:.4f}"
        (2, 3, '0.6931')
    """

    values: FloatArray
    quantity: Quantity
    channels: tuple[str, ...]

    def __post_init__(self) -> None:
        values = self.values
        if not isinstance(values, np.ndarray) or values.ndim != 3 or values.dtype != np.float32:
            got = f"{values.dtype} {values.shape}" if isinstance(values, np.ndarray) else type(values).__name__
            raise DataError(f"X-ray image: expected a float32 array of shape (C, H, W), got {got}.")
        if values.size == 0:
            raise DataError(f"X-ray image: expected at least one pixel, got shape {values.shape}.")
        if len(self.channels) != values.shape[0]:
            raise DataError(f"X-ray image: {values.shape[0]} channels but {len(self.channels)} channel names {self.channels}.")
        low, high = _BOUNDS[self.quantity]
        smallest, largest = float(values.min()), float(values.max())
        if not (smallest >= np.float32(low) and largest <= np.float32(high)):  # also catches NaN
            raise DataError(
                f"X-ray image: {self.quantity.value} must lie in [{low:.3g}, {high:.3g}], got [{smallest:.3g}, {largest:.3g}]. "
                "Clip in the reader and count what was clipped."
            )
        frozen = values.view()
        frozen.flags.writeable = False
        object.__setattr__(self, "values", frozen)

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.values.shape[1])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.values.shape[2])

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width

    def transmission(self) -> Self:
        """The same image as transmission T = exp(-A); itself if it is one already."""
        if self.quantity is Quantity.TRANSMISSION:
            return self
        if self.quantity is Quantity.ATTENUATION:
            values = np.clip(np.exp(-self.values), TRANSMISSION_FLOOR, 1.0).astype(np.float32)
            return type(self)(values, Quantity.TRANSMISSION, self.channels)
        raise DataError("pseudo-colour is not a transmission: invert it with a scanner palette, or say as_channel_transmission().")

    def attenuation(self) -> Self:
        """The same image as attenuation A = -ln T; itself if it is one already."""
        if self.quantity is Quantity.ATTENUATION:
            return self
        values = np.maximum(-np.log(self.transmission().values), 0.0).astype(np.float32)
        return type(self)(values, Quantity.ATTENUATION, self.channels)

    def as_channel_transmission(self, air: NDArray[Any]) -> Self:
        """Pseudo-colour read as three independent transmissions, ``colour / air``: an approximation, chosen by name.

        Args:
            air: (3,) colour of empty air in this image, in (0, 1].

        Returns:
            A transmission image with the same channel names, clipped to [``TRANSMISSION_FLOOR``, 1].

        Note:
            Steel over organic keeps the product of the two colours instead of the scanner's own mix.
        """
        if self.quantity is not Quantity.PSEUDO_COLOUR:
            raise DataError(f"as_channel_transmission: expected pseudo-colour, got {self.quantity.value}.")
        ratio = self.values / np.asarray(air, np.float32).reshape(-1, 1, 1)
        return type(self)(np.clip(ratio, TRANSMISSION_FLOOR, 1.0).astype(np.float32), Quantity.TRANSMISSION, self.channels)
