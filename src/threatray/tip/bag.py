"""Where the bag is: the colour of empty air and the mask of everything that is not air."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from threatray.core.image import BoolArray, FloatArray, Quantity, XrayImage
from threatray.errors import ConfigError, DataError

_NEUTRAL: Final = 0.06
"""Largest spread between the channels of air: scanners paint it white or grey, never coloured."""

_TINTED: Final = 0.16
"""The same for screens that were photographed, if nothing neutral is found and the tint fills a good part of the border."""

_DARKEST_AIR: Final = 0.5
_BINS: Final = 128
_ENOUGH: Final = 8192
"""Pixels that say how noisy the air is."""

_AIR_LEVEL: Final = 0.25
"""A hole whose attenuation is within this share of the least that counts shows air, not the two sheets of cloth of a thin bag."""

_LONG_SIDE: Final = 800
"""The bag's outline is found at no more than this size: a bag is thousands of pixels, its outline needs no more."""


def air_colour(image: XrayImage) -> FloatArray:
    """The colour of empty air in a pseudo-colour scan: white on most scanners, light grey on others.

    Air is the brightest neutral colour that fills a good part of the picture's border; where the bag fills the
    border, the brightest neutral colour of the whole picture.

    Args:
        image: A pseudo-colour image of three channels, or of one (grey).

    Returns:
        (3,) or (1,) float32 in (0, 1].

    Raises:
        DataError: Another quantity, or a picture without any bright neutral area.

    Example:
        >>> values = np.full((3, 20, 20), 0.88, np.float32); values[:, 5:15, 5:15] = 0.3
        >>> air_colour(XrayImage(values, Quantity.PSEUDO_COLOUR, ("red", "green", "blue"))).tolist()
        [0.8799999952316284, 0.8799999952316284, 0.8799999952316284]
    """
    if image.quantity is not Quantity.PSEUDO_COLOUR or len(image.channels) not in (1, 3):
        raise DataError(
            f"air_colour: expected a pseudo-colour image of 3 channels, or a grey one, got {image.quantity.value} with {image.channels}."
        )
    return air_of(image.values)


def air_of(values: FloatArray) -> FloatArray:
    """``air_colour`` of a bare (C, H, W) array in [0, 1]; finds the same on a picture shrunk by averaging.

    Raises:
        DataError: No bright neutral area.
    """
    count = len(values)
    height, width = values.shape[1:]
    thickness = max(1, min(height, width) // 100)
    border = np.concatenate(
        [
            values[:, :thickness].reshape(count, -1),
            values[:, -thickness:].reshape(count, -1),
            values[:, :, :thickness].reshape(count, -1),
            values[:, :, -thickness:].reshape(count, -1),
        ],
        axis=1,
    )
    for pixels, least_share, tint in ((border, 0.1, _NEUTRAL), (values.reshape(count, -1), 0.005, _NEUTRAL), (border, 0.3, _TINTED)):
        colour = _brightest_neutral_mode(pixels, least_share, tint)
        if colour is not None:
            return colour
    raise DataError(
        "air_colour: no bright neutral area in this picture, so the colour of air is unknown. "
        "Give the air colour of this scanner, or leave the picture out."
    )


def _brightest_neutral_mode(pixels: FloatArray, least_share: float, tint: float) -> FloatArray | None:
    luma = pixels.mean(axis=0)
    neutral = (pixels.max(axis=0) - pixels.min(axis=0) <= tint) & (luma >= _DARKEST_AIR)
    bright = luma[neutral]
    counts = np.bincount(np.minimum((bright * _BINS).astype(np.int64), _BINS - 1), minlength=_BINS)
    # A mode may straddle two bins, so each bin counts with its neighbours.
    spread = counts + np.roll(counts, 1) * (np.arange(_BINS) > 0) + np.roll(counts, -1) * (np.arange(_BINS) < _BINS - 1)
    strong = np.flatnonzero(spread >= max(1.0, least_share * luma.size))
    if strong.size == 0:
        return None
    # The brightest strong bin may be the tail of a mode: climb to its top.
    top = int(strong[-1])
    while top > 0 and counts[top - 1] > counts[top]:
        top -= 1
    near = np.abs(luma - (top + 0.5) / _BINS) <= 1.5 / _BINS
    return np.median(pixels[:, near & neutral], axis=1).astype(np.float32)


@dataclass(frozen=True)
class BagMaskConfig:
    """How the bag's mask is found.

    Args:
        min_attenuation: What counts as something rather than air, in mean attenuation. Raised automatically where the
            air is noisier than that.
        close_share: Gaps up to this share of the picture's long side are closed: the bag's own thin spots.
        open_share: Threads thinner than this share are dropped: straps, the belt's edge.
        max_hole_share: Holes up to this share of the whole are filled; a larger one is air inside a frame, not bag.
        strap_share: What is no wider than this share is a strap: air that only straps enclose, as a handle does, is not filled.
        min_component_share: Pieces smaller than this share of the largest piece are dropped.
    """

    min_attenuation: float = 0.03
    close_share: float = 0.02
    open_share: float = 0.006
    max_hole_share: float = 0.25
    strap_share: float = 0.06
    min_component_share: float = 0.05

    def __post_init__(self) -> None:
        for name in ("min_attenuation", "close_share", "open_share", "max_hole_share", "strap_share", "min_component_share"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise ConfigError(f"bag mask: {name} must lie in [0, 1), got {value}.")


def bag_mask(transmission: XrayImage, config: BagMaskConfig | None = None) -> BoolArray:
    """The silhouette of the bag (or bags): everything that attenuates, gaps closed, holes filled, crumbs dropped.

    Args:
        transmission: The scan as transmission or attenuation (colour: ``as_channel_transmission(air_colour(image))``).
        config: Thresholds and sizes.

    Returns:
        (H, W) bool; all false for a picture of empty air.

    Raises:
        DataError: A pseudo-colour image, whose numbers are no attenuations.

    Example:
        >>> values = np.ones((1, 60, 80), np.float32); values[0, 10:50, 20:70] = 0.6; values[0, 25:30, 30:35] = 1
        >>> mask = bag_mask(XrayImage(values, Quantity.TRANSMISSION, ("grey",)))
        >>> bool(mask[27, 32]), bool(mask[5, 5]), abs(int(mask.sum()) - 2000) <= 40
        (True, False, True)
    """
    import cv2

    attenuation = transmission.attenuation().values.mean(axis=0)
    height, width = attenuation.shape
    shrink = min(1.0, _LONG_SIDE / max(height, width))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    small = cv2.resize(attenuation, size, interpolation=cv2.INTER_AREA) if shrink < 1 else np.ascontiguousarray(attenuation)
    mask = silhouette(small, config or BagMaskConfig())
    if shrink < 1:
        mask = cv2.resize(mask.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST).astype(np.bool_)
    return np.asarray(mask, np.bool_)


def silhouette(attenuation: FloatArray, config: BagMaskConfig) -> BoolArray:
    """``bag_mask`` of a bare (H, W) mean attenuation, at its own resolution."""
    import cv2

    small = cv2.medianBlur(attenuation, 3) if min(attenuation.shape) >= 3 else attenuation
    # Half of the pixels near zero are air noise: three of their spreads above their centre is something.
    some = small.ravel()[:: max(1, small.size // _ENOUGH)]
    air = some[some < 2 * config.min_attenuation]
    noise = float(np.median(air) + 4.45 * np.median(np.abs(air - np.median(air)))) if air.size else 0.0
    mask = small > max(config.min_attenuation, min(noise, 2 * config.min_attenuation))
    long_side = max(small.shape)
    mask = _morph(mask, cv2.MORPH_CLOSE, config.close_share * long_side)
    mask = _fill_holes(mask, small, config)
    mask = _morph(mask, cv2.MORPH_OPEN, config.open_share * long_side)
    return _large_components(mask, config.min_component_share)


def _morph(mask: BoolArray, operation: int, diameter: float) -> BoolArray:
    import cv2

    radius = round(diameter / 2)
    if radius < 1:
        return mask
    # Padding by the border's own values: a bag cut by the picture's edge keeps touching it.
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    padded = np.pad(mask.astype(np.uint8), 2 * radius, mode="edge")
    done = cv2.morphologyEx(padded, operation, kernel)
    return np.asarray(done[2 * radius : -2 * radius, 2 * radius : -2 * radius], np.bool_)


def _fill_holes(mask: BoolArray, attenuation: FloatArray, config: BagMaskConfig) -> BoolArray:
    import cv2

    # What of the outside a frame around the picture cannot reach is a hole.
    outside = np.pad(~mask, 1, constant_values=True).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(outside, connectivity=4)
    if count <= 2:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    frame = labels[0, 0]
    whole = mask.sum() + areas.sum() - areas[frame] - areas[0]
    filled = areas <= config.max_hole_share * whole
    filled[[0, frame]] = False
    inner = labels[1:-1, 1:-1]
    # Without the straps the air that they enclose is the air around the bag.
    body = _morph(mask, cv2.MORPH_OPEN, config.strap_share * max(mask.shape))
    reached = cv2.connectedComponents(np.pad(~body, 1, constant_values=True).astype(np.uint8), connectivity=4)[1]
    open_air = reached == reached[0, 0]
    air = float(np.median(attenuation[inner == frame])) if (inner == frame).any() else 0.0
    for hole in np.flatnonzero(filled):
        cells = inner == hole
        if open_air[1:-1, 1:-1][cells].any() and np.median(attenuation[cells]) - air < _AIR_LEVEL * config.min_attenuation:
            filled[hole] = False
    return np.asarray(mask | filled[inner], np.bool_)


def _large_components(mask: BoolArray, least_share: float) -> BoolArray:
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if count <= 1:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    return np.asarray((areas >= least_share * areas.max())[labels] & mask, np.bool_)
