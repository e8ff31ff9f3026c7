"""A scanner's palette from its own pictures: no raw data, no paired scans, no training."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core.image import COLOUR, FloatArray, Quantity, XrayImage
from threatray.errors import ConfigError, DataError
from threatray.physics.pseudo_colour import HueStop, Rgb, ScannerPalette

LUMA: Final = (0.299, 0.587, 0.114)
"""Weights of the JPEG luma: the full-resolution channel of a JPEG, and so the one that carries the attenuation."""

_BLUE_CHROMA, _RED_CHROMA = 0.564, 0.713  # Cb = 0.564 (B - Y), Cr = 0.713 (R - Y)
_HUE_START: Final = 90.0  # hues are counted counter-clockwise from here, so that orange, green, blue rise without a jump
_SECTORS: Final = ((10.0, 90.0), (100.0, 150.0), (180.0, 260.0))  # where the modes of organic, light metal and steel are sought
_USUAL: Final = (45.0, 115.0, 224.0)  # and where they are if no pixel shows one
_MATERIALS: Final = (0.27, 0.6, 3.0)  # water, the green of mixtures and thin aluminium, steel on the material axis of ``ScannerPalette``
_MATERIAL_ENDS: Final = (0.12, 3.8)  # what the outermost hues stand for
_PURE_BLUE: Final = 261.0  # beyond this hue lies violet, which no screen uses for metal
_FLAT: Final = 0.06
_COLOURED: Final = 0.03
_METAL: Final = 0.12
_STEEL_SHARE: Final = 0.85
_VIVID: Final = 0.2
_FEWEST_VIVID: Final = 200
_LEVELS: Final = 20
_HUES: Final = 14
_SAMPLES_PER_IMAGE: Final = 40_000


@dataclass(frozen=True)
class Calibration:
    """What a set of pictures says about the screen that made them.

    Args:
        palette: The palette.
        images: Pictures used.
        pixels: Flat coloured patches that the colours were taken from.
        hue_modes: Hue of organics, light metals and steel, degrees from magenta-red over orange, green and blue.
        off_palette: Median distance of the patches from the palette's sheet, in grey levels of 8 bit.
    """

    palette: ScannerPalette
    images: int
    pixels: int
    hue_modes: tuple[float, float, float]
    off_palette: float


def calibrate_palette(images: Iterable[XrayImage], air: FloatArray, *, name: str = "calibrated", gamma: float = 1.0) -> Calibration:
    r"""The palette of one scanner, from pictures of that scanner alone.

    A screen shows two numbers a pixel, so its colours lie on a sheet. Across it runs the hue, from orange over green to blue:
    the material. Along it runs the luma Y: the attenuation, by the exponential law

    .. math:: A_\mathrm{low} = -\frac{1}{\gamma} \ln \frac{Y}{Y_\mathrm{air}}

    The sheet is measured: at each luma and hue the median saturation of flat patches. Hue is tied to material at three places,
    the most frequent orange (organics), green (light metals) and blue (steel).

    Args:
        images: Pseudo-colour scans of one scanner, with channels ``COLOUR``.
        air: (3,) colour of empty air, in (0, 1].
        name: What to call the palette.
        gamma: Exponent of the screen. It cannot be known from pictures; composites do not depend on it but through beam hardening.

    Returns:
        The palette with the figures of its calibration.

    Raises:
        ConfigError: ``gamma`` is not above 0, or air is out of range.
        DataError: Another quantity, or too few coloured pixels to see a palette.

    Note:
        Attenuations come in units of 1/gamma and r by three anchors, so ``z_eff`` of a calibrated palette is a proxy. Where two
        scanners with the same air are mixed, the sheet is the mean of theirs.

    Example:
        >>> from threatray.physics.dual_energy import DualEnergyScanner
        >>> from threatray.physics.pseudo_colour import DEFAULT_PALETTE
        >>> ramp = np.linspace(0, 1, 96) * np.ones((96, 1))
        >>> shown = [DEFAULT_PALETTE.render(DualEnergyScanner().transmit({material: thickness_cm * ramp}))
        ...          for material, thickness_cm in (("water", 40.0), ("aluminium", 12.0), ("steel", 1.5))]
        >>> found = calibrate_palette(shown, np.ones(3, np.float32), name="seen")
        >>> red, green, blue = found.palette.render(DualEnergyScanner().transmit({"steel": np.full((1, 1), 0.1)})).values[:, 0, 0]
        >>> bool(blue > green > red)
        True
    """
    air = np.asarray(air, np.float64)
    if not (gamma > 0 and np.isfinite(gamma)):
        raise ConfigError(f"calibrating {name}: gamma must be finite and above 0, got {gamma}.")
    if air.shape != (3,) or not (air.min() > 0 and air.max() <= 1):
        raise ConfigError(f"calibrating {name}: air must be three numbers in (0, 1], got {air.tolist()}.")
    patches, darkest, count = [], [], 0
    for image in images:
        flat, dark = _flat_patches(image, name)
        patches.append(flat)
        darkest.append(dark)
        count += 1
    pixels = np.concatenate(patches) if patches else np.zeros((0, 3))
    luma, hue, chroma = _luma_hue_chroma(pixels)
    coloured = chroma > _COLOURED
    if coloured.sum() < 500:
        raise DataError(f"calibrating {name}: {int(coloured.sum())} flat coloured patches in {count} images, at least 500 are needed.")
    black = np.percentile(np.stack(darkest), 25, axis=0)
    black = np.minimum(black, 0.5 * air)
    # Near black and near air a hue says little of the material.
    middle = coloured & (luma > 0.25 * air @ LUMA) & (luma < 0.85 * air @ LUMA)
    bright, dark_luma = float(air @ LUMA), float(black @ LUMA)
    levels = dark_luma + (bright - dark_luma) * (np.arange(_LEVELS) + 1) / (_LEVELS + 1)
    green = _hue_modes(hue[middle], chroma[middle])[1]
    bend = _Bend(green, levels, _metal_ends(luma, hue, chroma, levels, green))
    hue = bend.straight(hue, luma)
    modes = _hue_modes(hue[middle], chroma[middle])
    # Steel is among the bluest of what there is: the frequent blue-green of mixtures is not taken for it.
    modes = (modes[0], green, max(modes[2], green + _STEEL_SHARE * (float(bend.ends.max()) - green)))
    first, last = np.percentile(hue[coloured], (0.2, 99.8))
    nodes = np.linspace(float(np.clip(first, 10, modes[0] - 5)), float(np.clip(last, modes[2] + 5, _PURE_BLUE)), _HUES)
    saturation = _sheet(luma[coloured], hue[coloured], chroma[coloured], levels, nodes)
    ends = (_as_levels(air), _as_levels(black))
    deepest = _deepest(luma, hue, chroma, nodes, (dark_luma, bright), modes)
    stops = []
    for place, material in enumerate(_material_of(nodes, modes)):
        shades = _shades(levels[::-1], bend.shown(nodes[place], levels)[::-1], saturation[::-1, place], ends)
        stops.append(HueStop(round(float(material), 4), shades, round(float(deepest[place]), 4)))
    share = max(float(np.dot(ends[1], LUMA) / np.dot(ends[0], LUMA)), 1e-3)
    palette = ScannerPalette(name, *ends, tuple(stops), _exponential(share, gamma), LUMA)
    return Calibration(palette, count, int(coloured.sum()), modes, _distance(palette, pixels[coloured]))


def _flat_patches(image: XrayImage, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means of the flat 2x2 blocks (JPEG stores one hue for each), and the darkest colour."""
    if image.quantity is not Quantity.PSEUDO_COLOUR or image.channels != COLOUR:
        raise DataError(f"calibrating {name}: expected pseudo-colour with channels {COLOUR}, got {image.quantity.value} {image.channels}.")
    height, width = (side // 2 * 2 for side in image.size)
    blocks = image.values[:, :height, :width].reshape(3, height // 2, 2, width // 2, 2)
    means = blocks.mean(axis=(2, 4), dtype=np.float64).reshape(3, -1).T
    flat = means[(blocks.max(axis=(2, 4)) - blocks.min(axis=(2, 4))).max(axis=0).ravel() < 2 * _FLAT]
    step = max(1, len(flat) // _SAMPLES_PER_IMAGE)
    luma = means @ LUMA
    dark = means[np.argsort(luma)[: max(4, luma.size // 4000)]].mean(axis=0) if luma.size else np.zeros(3)
    return flat[::step], dark


def _luma_hue_chroma(pixels: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    luma = pixels @ np.array(LUMA)
    blue, red = _BLUE_CHROMA * (pixels[:, 2] - luma), _RED_CHROMA * (pixels[:, 0] - luma)
    return luma, (np.degrees(np.arctan2(red, blue)) - _HUE_START) % 360, np.hypot(blue, red)


def _hue_modes(hue: NDArray[np.float64], chroma: NDArray[np.float64]) -> tuple[float, float, float]:
    counts, edges = np.histogram(hue, bins=90, range=(0, 360), weights=chroma)
    smooth = np.convolve(counts, [0.25, 0.5, 0.25], mode="same")
    centres = (edges[1:] + edges[:-1]) / 2
    found = []
    for (low, high), usual in zip(_SECTORS, _USUAL, strict=True):
        here = (centres >= low) & (centres < high)
        # A mode is a hill within its sector, not the foot of the neighbour's hill at its edge.
        inner = here & (smooth >= np.roll(smooth, 1)) & (smooth >= np.roll(smooth, -1)) & (smooth > 1e-4 * smooth.sum())
        found.append(float(centres[inner][np.argmax(smooth[inner])]) if inner.any() else usual)
    return found[0], found[1], found[2]


@dataclass(frozen=True, eq=False)
class _Bend:
    """Some screens turn the hue of steel with its thickness, from cyan to pure blue. Straightened, one material is one hue."""

    green: float
    levels: NDArray[np.float64]
    ends: NDArray[np.float64]  # hue of the heaviest metal at each level

    def straight(self, hue: NDArray[np.float64], luma: NDArray[np.float64]) -> NDArray[np.float64]:
        end = np.interp(luma, self.levels, self.ends)
        stretched = self.green + (hue - self.green) * (self.ends.max() - self.green) / (end - self.green)
        return np.asarray(np.where(hue > self.green, np.minimum(stretched, 359.0), hue))

    def shown(self, hue: float, luma: NDArray[np.float64]) -> NDArray[np.float64]:
        end = np.interp(luma, self.levels, self.ends)
        back = self.green + (hue - self.green) * (end - self.green) / (self.ends.max() - self.green)
        return np.asarray(np.where(hue > self.green, back, hue))


def _metal_ends(
    luma: NDArray[np.float64], hue: NDArray[np.float64], chroma: NDArray[np.float64], levels: NDArray[np.float64], green: float
) -> NDArray[np.float64]:
    """The hue of the heaviest metal at each level, smooth; where none is seen that of the nearest level."""
    from scipy.ndimage import gaussian_filter1d

    metal = (chroma > _METAL) & (hue > _SECTORS[2][0])
    row = np.round((luma - levels[0]) / (levels[1] - levels[0]))
    seen = [hue[metal & (row == place)] for place in range(len(levels))]
    known = [place for place, values in enumerate(seen) if values.size >= _FEWEST_VIVID]
    if not known:
        return np.full(len(levels), _USUAL[2])
    ends = np.interp(np.arange(len(levels)), known, [float(np.quantile(seen[place], 0.9)) for place in known])
    return np.asarray(np.clip(gaussian_filter1d(ends, 1.0, mode="nearest"), green + 40, _PURE_BLUE))


def _material_of(hue: NDArray[np.float64], modes: tuple[float, float, float]) -> NDArray[np.float64]:
    """Straight between the anchors, on their logarithm: r differs most between metals."""
    places = np.array([hue[0], *modes, hue[-1]])
    materials = np.log([_MATERIAL_ENDS[0], *_MATERIALS, _MATERIAL_ENDS[1]])
    return np.asarray(np.exp(np.interp(hue, places, materials)))


def _sheet(
    luma: NDArray[np.float64],
    hue: NDArray[np.float64],
    chroma: NDArray[np.float64],
    levels: NDArray[np.float64],
    nodes: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(levels, nodes) median chroma, smoothed; cells without pixels are filled from their neighbours."""
    from scipy.ndimage import gaussian_filter

    row = np.clip(np.round((luma - levels[0]) / (levels[1] - levels[0])), 0, len(levels) - 1).astype(np.intp)
    column = np.clip(np.round((hue - nodes[0]) / (nodes[1] - nodes[0])), 0, len(nodes) - 1).astype(np.intp)
    cell = row * len(nodes) + column
    order = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[order], np.arange(len(levels) * len(nodes) + 1))
    medians, weights = np.zeros(len(levels) * len(nodes)), np.zeros(len(levels) * len(nodes))
    for place, (start, end) in enumerate(pairwise(starts)):
        if end > start:
            medians[place], weights[place] = np.median(chroma[order[start:end]]), min(1.0, (end - start) / 100)
    median, weight = medians.reshape(len(levels), -1), weights.reshape(len(levels), -1)
    filled, trust = np.zeros_like(median), np.zeros_like(median)
    for sigma in (0.7, 1.5, 3.0, 8.0):  # the nearest pixels that there are
        near = gaussian_filter(weight, sigma, mode="nearest")
        value = gaussian_filter(median * weight, sigma, mode="nearest") / np.maximum(near, 1e-12)
        share = (1 - trust) * np.minimum(1, 5 * near)
        filled, trust = filled + share * value, trust + share
    return np.asarray(filled / np.maximum(trust, 1e-12))


def _deepest(
    luma: NDArray[np.float64],
    hue: NDArray[np.float64],
    chroma: NDArray[np.float64],
    nodes: NDArray[np.float64],
    ends: tuple[float, float],
    modes: tuple[float, float, float],
) -> NDArray[np.float64]:
    """The least lightness at which each hue of metal is still seen; other materials are seldom thick enough to tell."""
    column = np.round((hue - nodes[0]) / (nodes[1] - nodes[0]))
    vivid = chroma > _VIVID
    found = np.zeros(len(nodes))
    for place in range(len(nodes)):
        if nodes[place] < modes[2]:
            continue
        here = luma[vivid & (column == place)]
        # Where a hue fades to black it gets less vivid on the way; where it ends in a vivid colour, the screen stops there.
        dark = np.quantile(here, 0.01) if here.size >= _FEWEST_VIVID else ends[0]
        at_dark = (luma < dark + 0.02) & (column == place)
        stays = at_dark.sum() >= _FEWEST_VIVID and np.median(chroma[at_dark]) > _VIVID
        found[place] = np.clip((dark - ends[0]) / (ends[1] - ends[0]), 0, 0.5) if stays else 0.0
    return found


def _shades(levels: NDArray[np.float64], hues: NDArray[np.float64], chroma: NDArray[np.float64], ends: tuple[Rgb, Rgb]) -> tuple[Rgb, ...]:
    """Colours from light to dark with exactly falling luma, as saturated as measured or as the screen can show."""
    shades: list[Rgb] = []
    last = float(np.dot(ends[0], LUMA))
    for level, hue, wanted in zip(levels, hues, chroma, strict=True):
        angle = np.radians(hue + _HUE_START)
        blue, red = np.cos(angle) / _BLUE_CHROMA, np.sin(angle) / _RED_CHROMA
        direction = np.array([red, -(LUMA[0] * red + LUMA[2] * blue) / LUMA[1], blue])
        room = np.where(direction > 0, (1 - level) / np.maximum(direction, 1e-9), level / np.maximum(-direction, 1e-9))
        shade = _as_levels(level + min(float(wanted), float(room.min())) * direction)
        now = float(np.dot(shade, LUMA))
        if float(np.dot(ends[1], LUMA)) < now < last:
            shades.append(shade)
            last = now
    return tuple(shades)


def _as_levels(colour: NDArray[Any]) -> Rgb:
    red, green, blue = (round(float(min(1.0, max(0.0, value))) * 255) for value in colour)
    return red, green, blue


def _exponential(black_share: float, gamma: float) -> tuple[tuple[float, float], ...]:
    """Knots of the lightness law: luma over that of air is exp(-gamma A), down to black."""
    luma = (
        np.concatenate([np.linspace(1, 0.5, 26), np.geomspace(0.5, black_share, 40)[1:]])
        if black_share < 0.5
        else np.array([1, black_share])
    )
    lightness = (luma - black_share) / (1 - black_share)
    knots = [(float(-np.log(value) / gamma), float(level)) for value, level in zip(luma, lightness, strict=True)]
    return ((0.0, 1.0), *knots[1:-1], (knots[-1][0], 0.0))


def _distance(palette: ScannerPalette, pixels: NDArray[np.float64]) -> float:
    chosen = pixels[:: max(1, len(pixels) // 20_000)].T.astype(np.float32)[:, None]
    image = XrayImage(np.ascontiguousarray(chosen), Quantity.PSEUDO_COLOUR, COLOUR)
    shown = palette.render(palette.invert(image)).values
    return float(np.median(np.abs(shown - image.values).max(axis=0)) * 255)
