"""The colours of a dual-energy screen: from two transmissions to a picture and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core.image import COLOUR, DUAL_ENERGY, TRANSMISSION_FLOOR, FloatArray, Quantity, XrayImage
from threatray.errors import ConfigError, DataError
from threatray.physics.dual_energy import dual_attenuation

Rgb = tuple[int, int, int]

_LEVELS: Final = 1024  # nodes of the colour table along lightness
_CHUNK: Final = 8192  # pixels at once while inverting: fits the second-level cache
_UNIT: Final = 255.0


@dataclass(frozen=True)
class HueStop:
    """How one kind of material goes from air to black.

    Args:
        material: Place on the material axis; polymers are near 0.2, aluminium near 1, steel near 3.
        shades: Colours (R, G, B) in 0..255 between air and black, from light to dark.
        deepest: Least lightness that the screen shows in this hue, in [0, 1): what is denser looks the same. Some screens paint
            thick steel one saturated blue and only thick mixtures black.
    """

    material: float
    shades: tuple[Rgb, ...]
    deepest: float = 0.0


@dataclass(frozen=True)
class ScannerPalette:
    r"""How one make of screen shows a pair of attenuations.

    Two coordinates are made of a pixel's attenuations, and a colour is looked up at them. With :math:`q = r - 1`:

    .. math:: m = q + h\,q^2 A_\mathrm{high}, \qquad \ell = \mathrm{lightness}(A_\mathrm{low}), \qquad
              w \cdot \mathrm{rgb} = \ell\, w \cdot \mathrm{air} + (1-\ell)\, w \cdot \mathrm{black}

    ``m`` says the material: the second term gives back what beam hardening took from r, so that one material keeps one hue
    whatever its thickness. All hues of equal lightness have the same weighted sum of red, green and blue, which is what makes
    the colours invertible.

    Args:
        name: What the palette is called.
        air: Colour of empty air, (R, G, B) in 0..255.
        black: Colour of what lets nothing pass.
        stops: Hues along the material axis, at least two, rising.
        lightness: (low-energy attenuation, lightness) knots, from (0, 1) to (the attenuation shown black, 0); straight between them.
        weights: The w of the law, summing to 1.
        hardening: The h of the law.

    Raises:
        ConfigError: Stops or knots out of order, or a shade that is not darker than the one before it, lighter than black.

    Example:
        >>> from threatray.physics.dual_energy import DualEnergyScanner
        >>> dual = DualEnergyScanner().transmit({"water": np.full((1, 1), 6.0)})
        >>> red, green, blue = DEFAULT_PALETTE.render(dual).values[:, 0, 0]
        >>> bool(red > green > blue)  # orange
        True
    """

    name: str
    air: Rgb
    black: Rgb
    stops: tuple[HueStop, ...]
    lightness: tuple[tuple[float, float], ...]
    weights: tuple[float, float, float] = (0.15, 0.45, 0.40)
    hardening: float = 1.7

    def __post_init__(self) -> None:
        if not math.isclose(sum(self.weights), 1.0) or min(self.weights) <= 0:
            raise ConfigError(f"palette {self.name}: weights must be positive and sum to 1, got {self.weights}.")
        if not (math.isfinite(self.hardening) and self.hardening >= 0):
            raise ConfigError(f"palette {self.name}: hardening must be finite and at least 0, got {self.hardening}.")
        places = [stop.material for stop in self.stops]
        if len(places) < 2 or places[0] < 0 or not _rises(places):
            raise ConfigError(f"palette {self.name}: needs at least two stops at rising places of at least 0, got {places}.")
        attenuations, levels = zip(*self.lightness, strict=True)
        if (attenuations[0], levels[0], levels[-1]) != (0, 1, 0) or not (_rises(attenuations) and _rises(levels[::-1])):
            raise ConfigError(f"palette {self.name}: lightness must fall from (0, 1) to (black, 0), got {self.lightness}.")
        for stop in self.stops:
            if not 0 <= stop.deepest < 1:
                raise ConfigError(f"palette {self.name}, stop at {stop.material}: deepest must lie in [0, 1), got {stop.deepest}.")
            sums = [float(np.dot(self.weights, shade)) for shade in (self.air, *stop.shades, self.black)]
            if not _rises(sums[::-1]):
                raise ConfigError(
                    f"palette {self.name}, stop at {stop.material}: from air over the shades to black the weighted sums must fall, "
                    f"got {', '.join(f'{value:.1f}' for value in sums)}."
                )

    @property
    def black_attenuation(self) -> float:
        """Low-energy attenuation from which on everything is black."""
        return self.lightness[-1][0]

    def render(self, dual: XrayImage) -> XrayImage:
        """The picture on the screen.

        Args:
            dual: A dual-energy image.

        Returns:
            Pseudo-colour with channels ``COLOUR``; exactly ``air`` where both attenuations are 0.

        Raises:
            DataError: The image's channels are not ``DUAL_ENERGY``.
        """
        low, high = (attenuation.ravel() for attenuation in dual_attenuation(dual))
        materials, table = np.array([stop.material for stop in self.stops], np.float32), _table(self)
        excess = np.maximum(low / np.maximum(high, np.float32(1e-6)) - 1, 0)
        place = np.clip(excess + self.hardening * excess**2 * high, materials[0], materials[-1])
        stop = np.clip(np.searchsorted(materials, place, side="right") - 1, 0, len(materials) - 2)
        hue_share = ((place - materials[stop]) / (materials[stop + 1] - materials[stop])).astype(np.float32)[:, None]
        attenuations, levels = zip(*self.lightness, strict=True)
        deepest = np.array([stop.deepest for stop in self.stops])
        floor = deepest[stop] * (1 - hue_share[:, 0]) + deepest[stop + 1] * hue_share[:, 0]
        level, level_share = _split(np.maximum(np.interp(low, attenuations, levels), floor))
        flat = table.reshape(-1, 3)
        first, second = stop * _LEVELS + level, (stop + 1) * _LEVELS + level
        lighter = flat[first + 1] * (1 - hue_share) + flat[second + 1] * hue_share
        darker = flat[first] * (1 - hue_share) + flat[second] * hue_share
        colour = np.clip(darker + (lighter - darker) * level_share[:, None], 0, 1)
        return XrayImage(np.ascontiguousarray(colour.T).reshape(3, *dual.size), Quantity.PSEUDO_COLOUR, COLOUR)

    def invert(self, colour: XrayImage) -> XrayImage:
        """The pair of transmissions that would be shown in these colours.

        Args:
            colour: Pseudo-colour with channels ``COLOUR``; colours that the palette does not have are taken as the nearest ones of
                equal weighted sum.

        Returns:
            Transmission with channels ``DUAL_ENERGY``. On an unrounded picture of a material within the stops whose low-energy
            attenuation is under 90 % of ``black_attenuation``, both attenuations come back within 0.001 (1 + A); beyond the end
            stops the low one does and the high one is that of the end stop.

        Raises:
            DataError: Not a pseudo-colour image with channels ``COLOUR``.

        Note:
            Eight-bit rounding costs up to 0.01 of transmission in either channel (measured: 0.007).
        """
        if colour.quantity is not Quantity.PSEUDO_COLOUR or colour.channels != COLOUR:
            raise DataError(f"expected pseudo-colour with channels {COLOUR}, got {colour.quantity.value} {colour.channels}.")
        pixels = colour.values.reshape(3, -1)
        values = np.empty((2, pixels.shape[1]), np.float32)
        for start in range(0, pixels.shape[1], _CHUNK):
            values[:, start : start + _CHUNK] = self._transmissions(pixels[:, start : start + _CHUNK])
        return XrayImage(values.reshape(2, *colour.size), Quantity.TRANSMISSION, DUAL_ENERGY)

    def _transmissions(self, pixels: FloatArray) -> FloatArray:
        weights = np.array(self.weights)
        bright, dark = (float(weights @ np.array(end)) / _UNIT for end in (self.air, self.black))
        level = np.clip((weights @ pixels - dark) / (bright - dark), 0, 1)
        attenuations, levels = (np.array(knots) for knots in zip(*self.lightness, strict=True))
        low = np.interp(level, levels[::-1], attenuations[::-1])
        place = self._nearest_material(pixels, level)
        # m = q + h q^2 A_low / (1 + q), solved for q = r - 1 > 0
        square, linear = 1 + self.hardening * low, 1 - place
        excess = (np.sqrt(linear**2 + 4 * square * place) - linear) / (2 * square)
        transmissions: FloatArray = np.exp(-np.stack([low, low / (1 + excess)])).astype(np.float32)
        np.clip(transmissions, np.float32(TRANSMISSION_FLOOR), np.float32(1.0), out=transmissions)
        return transmissions

    def _nearest_material(self, pixels: FloatArray, level: NDArray[np.float64]) -> FloatArray:
        """Where on the line of equal lightness the nearest colour is; the first stop where all hues meet (air, black)."""
        index, share = _split(level)
        table = _table(self)
        best = np.full(level.shape, np.inf, np.float32)
        place = np.full(level.shape, self.stops[0].material, np.float32)
        after_hue = _row(table[0], index, share)
        for number, (stop, after) in enumerate(zip(self.stops[:-1], self.stops[1:], strict=True)):
            hue, after_hue = after_hue, _row(table[number + 1], index, share)
            along, away = after_hue - hue, pixels - hue
            length = np.maximum((along * along).sum(axis=0), np.float32(1e-12))
            at = np.clip((away * along).sum(axis=0) / length, 0, 1)
            gap = away - at * along
            distance = (gap * gap).sum(axis=0)
            nearer = distance < best
            best = np.where(nearer, distance, best)
            place = np.where(nearer, np.float32(stop.material) + at * np.float32(after.material - stop.material), place)
        return place


def _row(colours: FloatArray, index: NDArray[np.intp], share: FloatArray) -> FloatArray:
    """(3, P) colours of one hue at fractional levels."""
    darker = colours[index].T
    return np.ascontiguousarray(darker + (colours[index + 1].T - darker) * share)


@lru_cache(maxsize=16)
def _table(palette: ScannerPalette) -> FloatArray:
    """(S, levels, 3) colours in [0, 1]; level 0 is black, the last is air."""
    weights = np.array(palette.weights)
    rows = []
    for stop in palette.stops:
        path = np.array([palette.black, *stop.shades[::-1], palette.air]) / _UNIT
        sums = path @ weights
        wanted = sums[0] + np.linspace(0, 1, _LEVELS) * (sums[-1] - sums[0])
        rows.append(np.stack([np.interp(wanted, sums, path[:, channel]) for channel in range(3)], axis=1))
    table = np.stack(rows).astype(np.float32)
    table.flags.writeable = False
    return table


def _split(level: NDArray[Any]) -> tuple[NDArray[np.intp], FloatArray]:
    """Index of the node below each level in [0, 1], and the share of the way to the next one."""
    position = level * (_LEVELS - 1)
    index = np.clip(position.astype(np.intp), 0, _LEVELS - 2)
    return index, (position - index).astype(np.float32)


def _rises(values: Any) -> bool:
    return bool((np.diff(np.asarray(values, float)) > 0).all())


_LIGHTNESS: Final = (
    (0.0, 1.0),
    (0.02, 0.97),
    (0.05, 0.93),
    (0.1, 0.88),
    (0.2, 0.79),
    (0.35, 0.69),
    (0.6, 0.59),
    (1.0, 0.505),
    (1.5, 0.43),
    (2.5, 0.30),
    (3.5, 0.19),
    (5.0, 0.085),
    (6.5, 0.03),
    (8.0, 0.0),
)

DEFAULT_PALETTE: Final = ScannerPalette(
    name="white_air",
    air=(255, 255, 255),
    black=(24, 30, 28),
    stops=(
        HueStop(0.12, ((252, 236, 216), (246, 190, 130), (238, 148, 52), (138, 82, 20))),
        HueStop(0.40, ((250, 236, 208), (242, 192, 116), (232, 150, 44), (126, 86, 18))),
        HueStop(0.62, ((240, 238, 210), (206, 201, 128), (148, 150, 48), (80, 84, 26))),
        HueStop(0.85, ((230, 240, 214), (166, 202, 124), (100, 162, 56), (56, 103, 30))),
        HueStop(1.15, ((222, 240, 214), (136, 198, 126), (72, 156, 66), (40, 104, 44))),
        HueStop(1.70, ((216, 238, 220), (104, 186, 156), (36, 126, 92), (26, 92, 68))),
        HueStop(2.30, ((214, 236, 224), (80, 168, 182), (22, 110, 124), (20, 80, 90))),
        HueStop(2.90, ((212, 234, 228), (72, 158, 212), (16, 98, 158), (18, 68, 104))),
        HueStop(3.80, ((210, 232, 232), (78, 140, 216), (22, 76, 160), (22, 50, 108))),
    ),
    lightness=_LIGHTNESS,
)
"""White air, orange organics, green light metals and mixtures, blue steel, near-black where nothing passes."""

GREY_AIR_PALETTE: Final = ScannerPalette(
    name="grey_air",
    air=(226, 226, 224),
    black=(4, 8, 60),
    stops=(
        HueStop(0.12, ((224, 206, 192), (204, 156, 104), (180, 118, 46), (88, 58, 20))),
        HueStop(0.40, ((222, 206, 180), (198, 158, 92), (172, 122, 40), (82, 62, 16))),
        HueStop(0.62, ((216, 212, 180), (172, 166, 96), (112, 115, 32), (56, 58, 18))),
        HueStop(0.85, ((202, 213, 184), (138, 168, 106), (76, 123, 40), (40, 66, 22))),
        HueStop(1.15, ((196, 213, 190), (104, 164, 110), (36, 120, 54), (15, 70, 29))),
        HueStop(1.70, ((192, 213, 198), (84, 168, 140), (23, 120, 88), (8, 72, 47))),
        HueStop(2.30, ((192, 212, 202), (52, 168, 178), (15, 110, 120), (7, 64, 68))),
        HueStop(2.90, ((190, 210, 206), (48, 154, 206), (8, 108, 176), (6, 60, 112))),
        HueStop(3.80, ((188, 208, 212), (60, 124, 204), (2, 26, 194), (2, 20, 150))),
    ),
    lightness=_LIGHTNESS,
)
"""Grey air and deep blue metals, as a second make of screen shows them."""
