"""The X-ray tube: how many photons it gives at each energy."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray

from threatray.errors import ConfigError

TUBE_KVS: Final = (120, 140, 160)
"""Tube voltages that a spectrum is embedded for."""


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Photons by energy.

    Args:
        energies_kev: (E,) float64 bin centres, rising.
        fluence: (E,) float64 share of the photons in each bin; sums to 1.

    Raises:
        ConfigError: Shapes differ, energies do not rise, or a share is negative or all are 0.
    """

    energies_kev: NDArray[np.float64]
    fluence: NDArray[np.float64]

    def __post_init__(self) -> None:
        energies, fluence = self.energies_kev, self.fluence
        if energies.ndim != 1 or energies.size == 0 or energies.shape != fluence.shape:
            raise ConfigError(f"spectrum: energies and fluence must both have shape (E,), got {energies.shape} and {fluence.shape}.")
        if not ((np.diff(energies) > 0).all() and energies[0] > 0):
            raise ConfigError("spectrum: energies_kev must be positive and rise from bin to bin.")
        if not (np.isfinite(fluence).all() and (fluence >= 0).all() and fluence.sum() > 0):
            raise ConfigError("spectrum: fluence must be finite, not negative and not all 0.")
        object.__setattr__(self, "fluence", fluence / fluence.sum())
        for array in (self.energies_kev, self.fluence):
            array.flags.writeable = False


@lru_cache(maxsize=8)
def tube_spectrum(tube_kv: int = 160) -> Spectrum:
    """Spectrum of a tungsten tube behind its own filtration, before any bag.

    Args:
        tube_kv: One of ``TUBE_KVS``, in kV.

    Returns:
        2.5 keV bins from 15 keV up to the tube voltage; empty bins are left out.

    Raises:
        ConfigError: No spectrum is embedded for this voltage.

    Note:
        The 1 % of photons below 15 keV do not reach a detector behind a bag.

    Source:
        Poludniowski et al., "SpekPy v2.0", Medical Physics 48 (2021) 3630; table made by ``tools/make_spectrum_table.py``.

    Example:
        >>> spectrum = tube_spectrum(160)
        >>> float(spectrum.energies_kev[-1]), f"{spectrum.fluence.sum():.6f}"
        (158.75, '1.000000')
    """
    if tube_kv not in TUBE_KVS:
        raise ConfigError(f"tube_kv must be one of {', '.join(map(str, TUBE_KVS))} kV, got {tube_kv}.")
    text = files("threatray.physics").joinpath("data/tungsten_spectra.csv").read_text(encoding="utf-8")
    rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")]
    table = np.array(rows[1:], np.float64)
    fluence = table[:, rows[0].index(f"kv{tube_kv}")]
    lit = fluence > 0
    return Spectrum(table[lit, 0], fluence[lit])
