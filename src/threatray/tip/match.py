"""Inserted areas that look scanned, not pasted: noise, sharpness and compression as the bag's own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core.image import BoolArray, FloatArray
from threatray.core.signature import Signature
from threatray.errors import ConfigError, DataError

Levels = NDArray[Any]
"""(C, h, w) uint8 or uint16."""

_LUMA: Final = (0.299, 0.587, 0.114)
_HIGH_PASS_GAIN: Final = math.sqrt(8 / 9)  # what a pixel less its 3x3 mean keeps of white noise
_NORMAL_MAD: Final = 1.4826
_FEWEST: Final = 50
_DARKEST: Final = 0.02  # of air; below this the electronics speak, not the photons
_BLUR_STEP: Final = 0.25


def photon_noise(levels: Levels, air: FloatArray, mask: BoolArray | None = None) -> FloatArray:
    r"""How noisy a scan is, as the k of the photon law :math:`\sigma_T = k \sqrt{T}`.

    Args:
        levels: (C, h, w) as stored; three channels are pseudo-colour and are measured in luma.
        air: (C,) level of empty air.
        mask: (h, w) bool: where to look; everywhere if not given.

    Returns:
        (1,) for colour, else (C,) float32; 0 where fewer than 50 flat pixels are seen.

    Note:
        Measured on the calmer half of the pixels by a 3x3 high pass and the median, so texture finer than that counts as noise,
        and noise that a screen or a JPEG smoothed away does not.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> levels = rng.poisson(0.5 * 10_000, (1, 64, 64)).astype(np.uint16)  # k = 1 / sqrt(10000)
        >>> f"{photon_noise(levels, np.array([10_000.0], np.float32))[0]:.3f}"
        '0.010'
    """
    import cv2

    found = []
    for plane in _planes(levels, air):
        smooth = cv2.blur(plane, (3, 3), borderType=cv2.BORDER_REFLECT)
        wide = cv2.blur(plane, (7, 7), borderType=cv2.BORDER_REFLECT)
        usable = (smooth > _DARKEST) & (smooth < 0.97) if mask is None else mask & (smooth > _DARKEST) & (smooth < 0.97)
        if usable.sum() < _FEWEST:
            found.append(0.0)
            continue
        calm = usable & (np.abs(smooth - wide) <= np.median(np.abs(smooth - wide)[usable]))
        residue = (plane - smooth)[calm] / np.sqrt(smooth[calm])
        found.append(_NORMAL_MAD * float(np.median(np.abs(residue))) / _HIGH_PASS_GAIN)
    return np.array(found, np.float32)


@dataclass(frozen=True, eq=False)
class NoiseMatch:
    r"""Gives an inserted area the photon noise that a real scan has there, no more and no less than is missing.

    Fewer photons arrive under a threat, so their count is noisier: relative to the signal :math:`k / \sqrt{T}`. The bag's own noise
    came with the bag's T, the signature brought some of its own. What both make together is measured in the composite, and only
    the rest is added:

    .. math:: T' = T\,(1 + \xi), \qquad \xi \sim \mathcal N\bigl(0, (k_\mathrm{bag}^2 - k_\mathrm{inserted}^2) / T\bigr)

    Args:
        air: (C,) level of empty air.
        bag_noise: (1,) or (C,) k of the whole bag from ``photon_noise``; measured in the window if not given.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> bag = rng.poisson(8_000, (1, 60, 60)).astype(np.uint16)
        >>> half = np.full((1, 60, 60), 0.5, np.float32)
        >>> made = NoiseMatch(np.array([10_000.0], np.float32))(bag, (bag * half).astype(np.uint16), half, rng)
        >>> abs(float(made.std()) - 4000**0.5) < 4  # a scan of 4,000 photons, not half the noise of 8,000
        True
    """

    air: FloatArray
    bag_noise: FloatArray | None = None

    def __call__(self, before: Levels, after: Levels, transmission: FloatArray, rng: np.random.Generator) -> Levels:
        """The window with the missing noise.

        Args:
            before: (C, h, w) the bag.
            after: (C, h, w) the composite without noise matching.
            transmission: (any, h, w) of the threats; nothing changes where it is 1 in every channel.
            rng: Source of the noise; a seed in the composite's record replays it.

        Returns:
            Levels of the same type, nowhere brighter than the bag (luma, for colour).

        Raises:
            DataError: Shapes differ.
        """
        if before.shape != after.shape or transmission.shape[1:] != after.shape[1:]:
            raise DataError(f"noise match: shapes differ: bag {before.shape}, composite {after.shape}, threat {transmission.shape}.")
        inside: BoolArray = np.asarray((transmission < 1).any(axis=0), np.bool_)
        # Drawn whether needed or not, so that what follows in the stream does not depend on the picture.
        drawn = rng.standard_normal((1 if len(after) == 3 else len(after), *after.shape[1:]), dtype=np.float32)
        wanted = photon_noise(before, self.air) if self.bag_noise is None else self.bag_noise
        present = photon_noise(after, self.air, inside)
        missing = np.sqrt(np.maximum(wanted**2 - present**2, 0))
        if not (missing > 0).any():
            return after
        shown = np.maximum(_planes(after, self.air), np.float32(_DARKEST))
        factor = np.where(inside, 1 + drawn * missing.reshape(-1, 1, 1) / np.sqrt(shown), np.float32(1))
        limit = _planes(before, self.air)
        noisy = after * np.clip(factor, 0, np.maximum(limit / np.maximum(_planes(after, self.air), np.float32(1e-6)), 1))
        noisy = np.clip(noisy, 0, np.iinfo(after.dtype).max)
        rounded = np.rint(noisy)
        # Rounding up could pass the bag: there it is rounded down.
        made = np.where(_planes(rounded, self.air) > limit, np.floor(noisy), rounded)
        return np.where(inside, made, after).astype(after.dtype)


def edge_blur(levels: Levels, air: FloatArray, mask: BoolArray | None = None) -> float:
    r"""How soft a picture's sharpest edges are, as the sigma of the Gaussian that would have blurred a step so.

    .. math:: \sigma = \frac{\Delta}{\sqrt{2\pi}\; \max|\nabla|}

    Args:
        levels: (C, h, w).
        air: (C,) level of empty air.
        mask: (h, w) bool: only edges within it.

    Returns:
        The 10 % quantile over the strong edges, in pixels; 0 if there are none.

    Example:
        >>> import cv2
        >>> step = np.full((1, 60, 60), 200.0); step[:, :, 30:] = 40
        >>> soft = cv2.GaussianBlur(step[0], (0, 0), 1.5)[None].astype(np.uint8)
        >>> abs(edge_blur(soft, np.array([255.0], np.float32)) - 1.5) < 0.2
        True
    """
    import cv2

    plane = _planes(levels, air).mean(axis=0)
    across, down = (cv2.Sobel(plane, cv2.CV_32F, x, 1 - x, ksize=3) / 8 for x in (1, 0))
    slope = np.hypot(across, down)
    reach = np.ones((9, 9), np.uint8)
    height = cv2.dilate(plane, reach) - cv2.erode(plane, reach)
    ridge = (slope >= cv2.dilate(slope, np.ones((3, 3), np.uint8))) & (height > 0.15)
    if mask is not None:
        ridge &= mask
    if not ridge.any():
        return 0.0
    widths = height[ridge] / (math.sqrt(2 * math.pi) * np.maximum(slope[ridge], 1e-6))
    # The Sobel filter is a blur itself: its variance, one pixel wide, is taken off.
    return math.sqrt(max(0.0, float(np.quantile(widths, 0.1)) ** 2 - 0.5))


def matching_blur(bag: Levels, air: FloatArray, signature: Signature) -> float:
    """The blur, in pixels, that makes a signature as soft as the bag; 0 if it is softer already. For ``VariationParams.blur_px``.

    Returns:
        A multiple of a quarter pixel.

    Note:
        A signature softer than the bag, e.g. one that was enlarged, cannot be sharpened without raising its noise: it stays.
    """
    mean = signature.image.values[:1]
    own = edge_blur(
        (np.clip(np.pad(mean, ((0, 0), (4, 4), (4, 4)), constant_values=1), 0, 1) * 65535).astype(np.uint16),
        np.array([65535.0], np.float32),
    )
    missing = math.sqrt(max(0.0, edge_blur(bag, air) ** 2 - own**2)) if own > 0 else 0.0
    return round(missing / _BLUR_STEP) * _BLUR_STEP


def requantised(
    window: NDArray[np.uint8], tables: tuple[tuple[int, ...], ...], subsampling: int, corner: tuple[int, int]
) -> NDArray[np.uint8]:
    """A window as a JPEG with these tables would hold it, on the grid of the whole picture.

    A composite that is stored as JPEG goes through this once anyway. One that is stored without loss, in a bag that was a JPEG
    before, needs it: else the inserted area alone has no blocks.

    Args:
        window: (h, w, 3) uint8, RGB.
        tables: Quantisation tables, luminance first.
        subsampling: 0 for 4:4:4, 1 for 4:2:2, 2 for 4:2:0.
        corner: (x, y) of the window in the picture.

    Returns:
        (h, w, 3) uint8.

    Raises:
        ConfigError: Another subsampling.
    """
    import io

    from PIL import Image

    if subsampling not in (0, 1, 2):
        raise ConfigError(f"requantise: subsampling must be 0, 1 or 2, got {subsampling}.")
    left, top = corner[0] % 16, corner[1] % 16
    height, width = window.shape[:2]
    padded = np.pad(window, ((top, -(top + height) % 16), (left, -(left + width) % 16), (0, 0)), mode="edge")
    buffer = io.BytesIO()
    qtables = {place: list(table) for place, table in enumerate(tables)}
    Image.fromarray(padded).save(buffer, "JPEG", qtables=qtables, subsampling=subsampling)
    decoded: NDArray[np.uint8] = np.asarray(Image.open(buffer).convert("RGB"))
    return np.ascontiguousarray(decoded[top : top + height, left : left + width])


def _planes(levels: Levels, air: FloatArray) -> FloatArray:
    """Shares of air: the luma of colour, else each channel."""
    if len(levels) == 3:
        weights = np.array(_LUMA, np.float32)
        return (np.tensordot(weights, levels, 1) / float(weights @ air)).astype(np.float32)[None]
    return (levels / np.asarray(air, np.float32).reshape(-1, 1, 1)).astype(np.float32)
