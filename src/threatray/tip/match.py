"""Inserted areas that look scanned, not pasted: the photon noise that a real scan has where a threat lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core.image import TRANSMISSION_FLOOR, FloatArray
from threatray.core.signature import OriginKind, Signature

Levels = NDArray[Any]
"""(C, h, w): numbers that grow with the photons counted."""

_BLOCK: Final = 4
_STRIP: Final = 2 * _BLOCK
_ROWS_READ: Final = 160
"""Rows of pixels that are looked at, spread over the picture: plenty for a number, and a fraction of the time."""

_BIN, _SPREAD = 0.05, 0.2  # of the logarithm of variance over mean: one block of sixteen pixels is off by a third
_FEWEST: Final = 200
_DARKEST, _LIGHTEST = 0.05, 0.95  # of air: below it the electronics speak, above it counts are clipped at white
_NOISIEST: Final = 0.01  # of air: no scanner counts fewer than a hundred photons a pixel, so what looks like it is texture
_PLANE_FREE: Final = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
"""Gives 0 on any slope along rows or columns, and keeps the variance of white noise."""


def strips_of(levels: Levels) -> Levels:
    """(C, n, 10, W): strips of rows spread over a scan, enough to measure its noise; a row more on each side than is measured.

    Example:
        >>> strips_of(np.zeros((2, 600, 800), np.uint16)).shape, strips_of(np.zeros((2, 9, 800), np.uint16)).shape
        ((2, 20, 10, 800), (2, 0, 10, 800))
    """
    height = levels.shape[1]
    tops = np.arange(0, height - _STRIP - 1, max(_STRIP, height * _STRIP // _ROWS_READ))
    strips: Levels = levels[:, tops[:, None] + np.arange(_STRIP + 2)]
    return strips


def levels_per_photon(strips: Levels, air: FloatArray) -> tuple[float, ...]:
    r"""How many grey levels one counted photon is, from the scan alone: its noise gives it away.

    Photons arrive by Poisson's law, so levels :math:`n = gN` have the variance

    .. math:: \operatorname{var} n = g^2 \operatorname{var} N = g\,\bar n

    wherever the scan is flat. The ratio of variance to mean is taken block by block, of what no slope explains. Where things lie it is
    larger, here more and there less, so the most frequent ratio is g.

    Args:
        strips: (C, n, 10, W) from ``strips_of`` the scan as stored, or of anything else that is proportional to the counts.
        air: (C,) level of empty air.

    Returns:
        One number a channel; 0 where fewer than 200 blocks of 4x4 pixels are neither air nor nearly black,
        or where there is more noise than a hundred photons a pixel of air would make.

    Note:
        On phantom bags, whose photons are known, within a fifth (the noise itself within a tenth) from 300x220 pixels on; see
        ``benchmarks/noise_match.md``. Of noise alone, a tenth too little: what things there are in a bag makes up for it. Small
        pictures are all things. Noise that a JPEG or a screen smoothed away is not seen, so it is not put back either.

    Source:
        The photon transfer method (Janesick, Photon Transfer, SPIE 2007), with the filter of Immerkaer, Fast noise variance
        estimation, Computer Vision and Image Understanding 64 (1996).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> levels = 4 * rng.poisson(2_500, (1, 128, 128)).astype(np.uint16)  # four levels a photon
        >>> 3.2 < levels_per_photon(strips_of(levels), np.array([20_000.0], np.float32))[0] < 4.6
        True
    """
    import cv2

    columns = (strips.shape[3] - 2) // _BLOCK * _BLOCK
    found = []
    for channel, white in zip(strips, np.asarray(air, np.float32).tolist(), strict=True):
        ratios = [np.zeros(0, np.float32)]
        for strip in channel if columns > 0 else ():
            plane = strip.astype(np.float32)
            means, variances = (
                each[1:-1, 1 : columns + 1].reshape(-1, _BLOCK, columns // _BLOCK, _BLOCK).mean(axis=(1, 3))
                for each in (plane, cv2.filter2D(plane, -1, _PLANE_FREE) ** 2)
            )
            usable = (means > _DARKEST * white) & (means < _LIGHTEST * white) & (variances > 1e-12 * means**2)  # not rounding alone
            ratios.append(variances[usable] / means[usable])
        gain = _mode(np.concatenate(ratios))
        found.append(gain if gain <= _NOISIEST * white else 0.0)
    return tuple(found)


def _mode(ratios: FloatArray) -> float:
    """The most frequent of positive numbers, in the logarithm; 0 if they are too few to tell."""
    if len(ratios) < _FEWEST:
        return 0.0
    bins = np.rint(np.log(ratios) / _BIN).astype(np.int64)
    reach = np.arange(-12, 13)
    smooth = np.convolve(np.bincount(bins - bins.min()), np.exp(-0.5 * (reach * _BIN / _SPREAD) ** 2))
    return float(f"{np.exp((int(smooth.argmax()) - 12 + bins.min()) * _BIN):.4g}")


def own_noise(signature: Signature) -> tuple[float, ...] | None:
    """What noise a signature has of its own (``Signature.noise``), None where that is not known.

    Translated and rendered ones have none. One taken out of a scan brings its scan's, and what is left of it is known where it was
    isolated from counts.

    Example:
        >>> from threatray.core import GREY, Origin, Quantity, XrayImage
        >>> image = XrayImage(np.full((1, 1, 1), 0.5, np.float32), Quantity.TRANSMISSION, GREY)
        >>> [own_noise(Signature("s", image, np.ones((1, 1), bool), "gun", Origin(kind, "s", "s"))) for kind in OriginKind]
        [None, (0.0,), (0.0,)]
    """
    if signature.noise is None and signature.origin.kind is not OriginKind.REAL:
        return (0.0,) * len(signature.image.channels)
    return signature.noise


@dataclass(frozen=True, eq=False)
class MissingNoise:
    r"""The noise that a scan of bag and threat has, and that the product of a scanned bag and a quieter threat lacks.

    The bag's levels came with the variance :math:`g\,n_b`, of which the multiplication by T left :math:`g\,n_b T^2`. A scan would have
    :math:`g\,n_b T = g\,n`. The rest is added:

    .. math:: n' = n + \xi, \qquad \xi \sim \mathcal N\bigl(0,\; g\,(1 - T)\,n - h n^2\bigr)

    less what the threat's own noise, h of ln T, has already brought; nothing where that is too much.

    Args:
        photon: Levels of one photon, one a channel.
        quiet: (C, h, w) transmission of the threats whose own noise is known; nothing is added where it is 1.
        rng: Source of the noise; a seed in the composite's record replays it.
        held: (C, h, w) variance of ln T that these threats have of their own; None for none.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> bag, half = rng.poisson(8_000, (1, 60, 60)), np.full((1, 60, 60), 0.5, np.float32)
        >>> made = MissingNoise((1.0,), half, rng).added_to(bag * half, bag)
        >>> abs(float(made.std()) - 4000**0.5) < 2  # a scan of 4,000 photons, not half the noise of 8,000
        True
    """

    photon: tuple[float, ...]
    quiet: FloatArray
    rng: np.random.Generator
    held: FloatArray | None = None

    def added_to(self, product: Levels, bag: Levels) -> Levels:
        """Levels of bag times threat with what is missing, from 0 to the bag's; as they were where nothing is. Changes ``product``."""
        for number, gain in enumerate(self.photon):
            touched = np.flatnonzero(self.quiet[number].ravel() != 1)
            plane = product[number].reshape(-1)
            noisy = self.at(number, touched, plane[touched], gain)
            plane[touched] = np.clip(noisy, 0, np.asarray(bag[number]).reshape(-1)[touched])
            product[number] = plane.reshape(product[number].shape)
        return product

    def attenuated(self, number: int, touched: NDArray[np.intp], bag: FloatArray, added: FloatArray) -> FloatArray:
        """The attenuation that a threat adds to a bag's in one channel, at some pixels, so that the sum has the noise of a scan."""
        counted = np.exp(-(bag + added))
        noisy = np.maximum(self.at(number, touched, counted, self.photon[number]), np.float32(TRANSMISSION_FLOOR))
        return np.maximum(np.where(noisy == counted, added, -np.log(noisy) - bag), 0).astype(np.float32)

    def at(self, number: int, touched: NDArray[np.intp], levels: Levels, gain: float) -> Levels:
        """Levels at some pixels of a channel with noise."""
        counted = np.asarray(levels, np.float32)
        missing = np.float32(gain) * (1 - self.quiet[number].reshape(-1)[touched]) * counted
        if self.held is not None:
            missing = np.maximum(missing - self.held[number].reshape(-1)[touched] * counted**2, 0)
        noisy: Levels = levels + self.rng.standard_normal(touched.size, dtype=np.float32) * np.sqrt(missing)
        return noisy
