"""The law of Beer and Lambert over stacks of materials and a spectrum of energies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core.image import TRANSMISSION_FLOOR, FloatArray
from threatray.errors import ConfigError, DataError
from threatray.physics.materials import linear_attenuation, material

ThicknessMaps = Mapping[str, NDArray[Any]]
"""Material name -> (H, W) path length through it in cm, 0 where it is not."""

_CHUNK: Final = 4096  # pixels at once: chunk x energies of float32 stays in the second-level cache


def transmission(thickness_cm: ThicknessMaps, weights: NDArray[Any], energies_kev: NDArray[Any]) -> FloatArray:
    r"""Share of each channel's signal that passes.

    .. math:: T_c = \sum_E w_c(E) \, \exp\Big(-\sum_m \mu_m(E)\, t_m\Big), \qquad \sum_E w_c(E) = 1

    Args:
        thickness_cm: Material name -> (H, W) path length in cm; at least one.
        weights: (C, E) share of channel c's signal in air that energy E carries; each row sums to 1.
        energies_kev: (E,) photon energies in keV.

    Returns:
        (C, H, W) float32 in [``TRANSMISSION_FLOOR``, 1]; exactly 1 where every path length is 0.

    Raises:
        ConfigError: An unknown material, or weights that do not fit the energies or do not sum to 1.
        DataError: Maps of different shapes, or a path length that is negative or not finite.

    Note:
        Straight rays, no scatter, no detector blur.

    Example:
        >>> water = np.full((1, 1), 10.0)
        >>> f"{transmission({'water': water}, np.array([[1.0]]), np.array([60.0]))[0, 0, 0]:.4f}"
        '0.1276'
    """
    energies = np.asarray(energies_kev, np.float64)
    weights = np.asarray(weights, np.float64)
    if weights.ndim != 2 or weights.shape[1:] != energies.shape:
        raise ConfigError(f"weights must have shape (C, {energies.size}) for {energies.size} energies, got {weights.shape}.")
    if not ((weights >= 0).all() and np.allclose(weights.sum(axis=1), 1.0, atol=1e-6)):
        raise ConfigError("each row of weights must be at least 0 and sum to 1.")
    size = common_size(thickness_cm)
    maps = {name: np.asarray(values, np.float32).ravel() for name, values in thickness_cm.items() if np.any(values)}
    result = np.ones((weights.shape[0], size[0] * size[1]), np.float32)
    if maps:
        mu = np.stack([-linear_attenuation(material(name), energies) for name in maps]).astype(np.float32)  # (M, E)
        stack = np.stack(list(maps.values()), axis=1)  # (P, M)
        full = np.flatnonzero(stack.any(axis=1))
        share = weights.T.astype(np.float32)
        for start in range(0, full.size, _CHUNK):
            pixels = full[start : start + _CHUNK]
            result[:, pixels] = (np.exp(stack[pixels] @ mu) @ share).T
        np.clip(result, np.float32(TRANSMISSION_FLOOR), np.float32(1.0), out=result)
    return result.reshape(-1, *size)


def common_size(thickness_cm: ThicknessMaps) -> tuple[int, int]:
    """The (H, W) that all maps share.

    Raises:
        ConfigError: No map, or an unknown material.
        DataError: Maps of different shapes, or a path length that is negative or not finite.
    """
    if not thickness_cm:
        raise ConfigError("thickness_cm is empty: give at least one material's map (zeros for an empty scanner).")
    shapes = set()
    for name, values in thickness_cm.items():
        material(name)
        shapes.add(np.shape(values))
        if np.ndim(values) != 2 or not np.size(values):
            raise DataError(f"thickness of {name}: expected a map of shape (H, W), got {np.shape(values)}.")
        smallest, largest = float(np.min(values)), float(np.max(values))
        if not (smallest >= 0 and np.isfinite(largest)):
            raise DataError(f"thickness of {name}: path lengths must be finite and at least 0 cm, got [{smallest:g}, {largest:g}].")
    if len(shapes) > 1:
        listed = ", ".join(f"{name} {np.shape(values)}" for name, values in thickness_cm.items())
        raise DataError(f"thickness maps must share one shape, got {listed}.")
    height, width = shapes.pop()
    return int(height), int(width)
