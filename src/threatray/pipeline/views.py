"""Scans as the transmissions that signatures are multiplied into, and back to what a dataset stores."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from threatray.core import DUAL_ENERGY, BoolArray, FloatArray, Quantity, Sample, XrayImage
from threatray.physics.pseudo_colour import DEFAULT_PALETTE, ScannerPalette
from threatray.pipeline.palettes import ScannerPalettes
from threatray.tip.bag import air_colour
from threatray.tip.colour import ColourTip

_NOISE: Final = 0.01
"""Attenuation below which nothing was taken out."""


@dataclass(frozen=True, eq=False)
class TransmissionView:
    """A scan as transmission, with what is needed to turn it back.

    Args:
        sample: The scan; its image is a transmission.
        stored: The scan as it was read.
        air: (3,) colour of air of a pseudo-colour scan; None for a scan with real transmissions.
        palette: The palette that a pseudo-colour scan was read with; None if it was divided by its air, channel by channel.
    """

    sample: Sample
    stored: XrayImage
    air: FloatArray | None
    palette: ScannerPalette | None = None

    @classmethod
    def of(cls, sample: Sample, palettes: ScannerPalettes | None = None) -> TransmissionView:
        """Dual-energy and grey scans are transmissions already; colour becomes a pair of energies, or three channels without palettes.

        Raises:
            DataError: A pseudo-colour scan without air, or with air that none of the palettes has.
        """
        if sample.image.quantity is not Quantity.PSEUDO_COLOUR:
            return cls(replace(sample, image=sample.image.transmission()), sample.image, None)
        air = air_colour(sample.image)
        if palettes is None:
            return cls(replace(sample, image=sample.image.as_channel_transmission(air)), sample.image, air)
        palette = palettes.of(air)
        return cls(replace(sample, image=ColourTip(palette).energies(sample.image)), sample.image, air, palette)

    def colour_of(self, composite: XrayImage, changed: BoolArray) -> XrayImage:
        """A composite made from this scan as the pseudo-colour image a dataset stores.

        Args:
            composite: Transmission in this scan's frame.
            changed: (H, W) bool, where it differs from the scan; elsewhere a pseudo-colour scan keeps its pixels bit for bit.
        """
        if self.palette is not None:
            return self._shown(composite, changed, self.palette)
        if self.air is not None:
            values = np.clip(composite.values * self.air.reshape(-1, 1, 1), 0.0, 1.0)
            kept = np.where(changed, values, self.stored.values).astype(np.float32)
            return XrayImage(kept, Quantity.PSEUDO_COLOUR, composite.channels)
        if composite.channels == DUAL_ENERGY:
            return DEFAULT_PALETTE.render(composite)
        return XrayImage(composite.values, Quantity.PSEUDO_COLOUR, composite.channels)

    def _shown(self, composite: XrayImage, changed: BoolArray, palette: ScannerPalette) -> XrayImage:
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        if rows.size == 0:
            return self.stored
        window = np.s_[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        added = np.log(self.sample.image.values[window]) - np.log(composite.values[window])
        added = np.where(changed[window[1:]], added, 0).astype(np.float32)
        bag = np.rint(self.stored.values[window].transpose(1, 2, 0) * np.float32(255)).astype(np.uint8)
        made = ColourTip(palette).window(np.ascontiguousarray(bag), np.maximum(added, 0)).transpose(2, 0, 1)
        shown = np.where((added > 0).any(axis=0), made.astype(np.float32) / np.float32(255), self.stored.values[window])
        lighter = (added < -_NOISE).any(axis=0)
        if lighter.any():  # something was taken out: what lies behind is made up, so there is no colour of its own to keep
            part = XrayImage(np.ascontiguousarray(composite.values[window]), Quantity.TRANSMISSION, composite.channels)
            shown = np.where(lighter, palette.render(part).values, shown)
        values = self.stored.values.copy()
        values[window] = shown
        return XrayImage(values, Quantity.PSEUDO_COLOUR, self.stored.channels)
