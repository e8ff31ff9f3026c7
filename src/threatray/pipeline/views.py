"""Scans as the transmissions that signatures are multiplied into, and back to what a dataset stores."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from threatray.core import DUAL_ENERGY, BoolArray, FloatArray, Quantity, Sample, XrayImage
from threatray.physics.pseudo_colour import DEFAULT_PALETTE
from threatray.tip.bag import air_colour


@dataclass(frozen=True, eq=False)
class TransmissionView:
    """A scan as transmission, with what is needed to turn it back.

    Args:
        sample: The scan; its image is a transmission.
        stored: The scan as it was read.
        air: (3,) colour of air that a pseudo-colour scan was divided by; None for a scan with real transmissions.
    """

    sample: Sample
    stored: XrayImage
    air: FloatArray | None

    @classmethod
    def of(cls, sample: Sample) -> TransmissionView:
        """Dual-energy and grey scans are transmissions already; colour is divided by its air, channel by channel."""
        if sample.image.quantity is not Quantity.PSEUDO_COLOUR:
            return cls(replace(sample, image=sample.image.transmission()), sample.image, None)
        air = air_colour(sample.image)
        return cls(replace(sample, image=sample.image.as_channel_transmission(air)), sample.image, air)

    def colour_of(self, composite: XrayImage, changed: BoolArray) -> XrayImage:
        """A composite made from this scan as the pseudo-colour image a dataset stores.

        Args:
            composite: Transmission in this scan's frame.
            changed: (H, W) bool, where it differs from the scan; elsewhere a pseudo-colour scan keeps its pixels bit for bit.
        """
        if self.air is not None:
            values = np.clip(composite.values * self.air.reshape(-1, 1, 1), 0.0, 1.0)
            kept = np.where(changed, values, self.stored.values).astype(np.float32)
            return XrayImage(kept, Quantity.PSEUDO_COLOUR, composite.channels)
        if composite.channels == DUAL_ENERGY:
            return DEFAULT_PALETTE.render(composite)
        return XrayImage(composite.values, Quantity.PSEUDO_COLOUR, composite.channels)
