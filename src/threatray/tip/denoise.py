"""Photon noise taken out of a scan by its own law, edges kept, so that a signature does not carry it into every bag."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from threatray.core.image import TRANSMISSION_FLOOR, FloatArray
from threatray.errors import DataError

_SIDE: Final = 4
_SURE: Final = np.float32(3.0)
"""Noise is larger than so many of its standard deviations once in 370 times; what is larger is taken for structure."""
_ANSCOMBE: Final = np.float32(3 / 8)
_BAND_VALUES: Final = 2_000_000
"""Numbers that are held at once, whatever the size of the scan."""


def without_photon_noise(transmission: FloatArray, photon: tuple[float, ...]) -> tuple[FloatArray, FloatArray]:
    r"""A scan with less of its photon noise, and how much of it is left.

    Twice the root of a count has the noise 1 at every darkness. There every 4x4 patch is taken apart into cosines; what is no larger than
    noise is left out, and the patches that lie over a pixel are averaged, the plainer the more. Two energies see the same things, so each
    patch is first turned to the one direction in which both change together: what is across it is nearly all noise.

    .. math:: s = 2\sqrt{T/g + 3/8}, \qquad \operatorname{var} s \approx 1, \qquad T = g\,(s^2/4 - 1/8)

    Args:
        transmission: (C, H, W) float32, one or two energies.
        photon: What one photon adds to the transmission, one number above 0 a channel (``match.levels_per_photon`` with an air of 1).

    Returns:
        (C, H, W) float32 transmission within [``TRANSMISSION_FLOOR``, 1], and (C, H, W) float32, the share of the noise's variance that
        each pixel still holds at most: 1/16 where all is flat, up to 1 in the finest structure.

    Raises:
        DataError: Another number of channels, or a photon that is not above 0.

    Note:
        The share counts what each patch keeps; that patches are averaged makes it a little less. Where the detector's own noise outweighs
        the photons' (under 1 % of air) what is left is more than the share says.

    Source:
        G. Yu, G. Sapiro, "DCT Image Denoising", IPOL 2011; M. Mäkitalo, A. Foi, "Optimal Inversion of the Anscombe Transformation", 2011
        (the asymptotically unbiased inverse); O. Guleryuz, "Weighted Averaging for Denoising with Overcomplete Dictionaries", 2007.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> scan = (rng.poisson(2_500, (2, 40, 40)) / 10_000).astype(np.float32)
        >>> smooth, left = without_photon_noise(scan, (1e-4, 1e-4))
        >>> bool(smooth.std() < 0.3 * scan.std()), bool(abs(smooth.mean() - 0.25) < 0.001), f"{np.median(left):.2f}"
        (True, True, '0.06')
    """
    if transmission.ndim != 3 or len(transmission) not in (1, 2) or len(photon) != len(transmission):
        raise DataError(f"photon noise: expected (1 or 2, H, W) and a photon a channel, got {transmission.shape} and {len(photon)}.")
    if not all(np.isfinite(gain) and gain > 0 for gain in photon):
        raise DataError(f"photon noise: a photon must be above 0, got {photon}.")
    gains = np.asarray(photon, np.float32).reshape(-1, 1, 1)
    even = 2 * np.sqrt(np.maximum(transmission, 0) / gains + _ANSCOMBE)
    reach = _SIDE - 1
    around = np.pad(even, ((0, 0), (reach, reach), (reach, reach)), mode="symmetric")
    total, left = np.zeros_like(around), np.zeros_like(around)
    weights = np.zeros(around.shape[1:], np.float32)
    rows, columns = (side - reach for side in around.shape[1:])
    band = max(1, _BAND_VALUES // (columns * _SIDE**2 * len(around)))
    for top in range(0, rows, band):
        patches, share = _plainer(around[:, top : top + band + reach])
        weight = 1 / share.sum(axis=0)
        for place, (down, right) in enumerate(np.ndindex(_SIDE, _SIDE)):
            here = np.s_[top + down : top + down + weight.shape[0], right : right + columns]
            total[:, *here] += weight * patches[..., place]
            left[:, *here] += weight * share
            weights[here] += weight
    inner = np.s_[reach:-reach, reach:-reach]
    smooth = gains * ((total / weights)[:, *inner] ** 2 / 4 - np.float32(1 / 8))
    made: FloatArray = np.clip(smooth, TRANSMISSION_FLOOR, 1).astype(np.float32)
    return made, (left / weights)[:, *inner].astype(np.float32)


def _cosines() -> FloatArray:
    """(16, 16) orthonormal: a flattened patch's two-dimensional cosine transform, the mean first."""
    order, place = np.mgrid[:_SIDE, :_SIDE]
    rows = np.cos(np.pi * (place + 0.5) * order / _SIDE) * np.where(order == 0, 1, np.sqrt(2)) / np.sqrt(_SIDE)
    return np.kron(rows, rows).astype(np.float32)


def _plainer(even: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(C, h, w, 16) patches of a (C, h + 3, w + 3) picture of noise 1 without what may be noise, and the (C, h, w) share kept."""
    cosines = _cosines()
    patches = sliding_window_view(even, (_SIDE, _SIDE), axis=(1, 2))
    found = patches.reshape(*patches.shape[:3], -1) @ cosines.T
    turned = found
    if len(found) == 2:
        one, other = found[..., 1:]
        angle = 0.5 * np.arctan2(2 * (one * other).sum(axis=2), (one**2 - other**2).sum(axis=2))
        cosine, sine = np.cos(angle)[..., None], np.sin(angle)[..., None]
        turned = np.stack([cosine * found[0] + sine * found[1], cosine * found[1] - sine * found[0]])
    kept = np.abs(turned) > _SURE
    kept[..., 0] = True
    turned = turned * kept
    share = kept.mean(axis=3, dtype=np.float32)
    if len(found) == 2:
        turned = np.stack([cosine * turned[0] - sine * turned[1], sine * turned[0] + cosine * turned[1]])
        across = sine[..., 0] ** 2
        share = np.stack([share[0] + across * (share[1] - share[0]), share[1] + across * (share[0] - share[1])])
    return np.asarray(turned @ cosines, np.float32), np.asarray(share, np.float32)
