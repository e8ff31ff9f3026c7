"""The same threat in the same bag by every method, for people to compare: ours, the approximation in colour, and the control arms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from threatray.core.image import COLOUR, DUAL_ENERGY, TRANSMISSION_FLOOR, FloatArray, Quantity, XrayImage
from threatray.core.signature import Signature
from threatray.errors import DataError
from threatray.physics.pseudo_colour import DEFAULT_PALETTE, ScannerPalette
from threatray.tip.colour import GRAIN_KEPT
from threatray.tip.compose import CompositeParams, Lookup, apply_composite, insertion_order
from threatray.tip.controls import ControlArm, apply_control
from threatray.tip.vary import vary


class Method(StrEnum):
    """How a threat gets into a bag."""

    ENERGY_SPACE = "energy_space"
    CHANNEL_WISE = "channel_wise"
    ALPHA_BLEND = "alpha_blend"
    OPAQUE_PASTE = "opaque_paste"


@dataclass(frozen=True, eq=False)
class Shown:
    """A scan as a screen shows it and as the two energies say it.

    Args:
        screen: Pseudo-colour, three channels or grey.
        energies: Dual-energy transmission; None for a scan of one energy.
        proxy: Whether the energies were read back from the colours instead of being measured or computed.
    """

    screen: XrayImage
    energies: XrayImage | None
    proxy: bool


def shown(scan: XrayImage, air: FloatArray | None = None, palette: ScannerPalette = DEFAULT_PALETTE) -> Shown:
    """A scan without anything put into it.

    Args:
        scan: Transmission: two energies, one, or the three channels of colour divided by air.
        air: (3,) colour of air, for three channels.
        palette: How energies become colours, and back.

    Raises:
        DataError: No transmission, or colour without its air.

    Example:
        >>> water = XrayImage(np.full((2, 1, 1), 0.5, np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)
        >>> shown(water).screen.channels, shown(water).proxy
        (('red', 'green', 'blue'), False)
    """
    if scan.quantity is not Quantity.TRANSMISSION:
        raise DataError(f"shown: expected a transmission, got {scan.quantity.value}.")
    if scan.channels == DUAL_ENERGY:
        return Shown(palette.render(scan), scan, proxy=False)
    if scan.channels != COLOUR:
        return Shown(XrayImage(scan.values, Quantity.PSEUDO_COLOUR, scan.channels), None, proxy=False)
    if air is None:
        raise DataError("shown: a scan in colour needs the colour of its air.")
    return Shown(_coloured(scan, air), _energies(scan, palette), proxy=True)


def by_every_method(
    bag: XrayImage,
    params: CompositeParams,
    lookup: Lookup,
    air: FloatArray | None = None,
    palette: ScannerPalette = DEFAULT_PALETTE,
    *,
    alpha: float = 0.6,
) -> dict[Method, Shown]:
    """The composite of recorded parameters by each method.

    Args:
        bag: Transmission: two energies, one, or the three channels of colour divided by air.
        params: What was drawn.
        lookup: From id to signature, of the bag's channels (in colour: of three channels or two energies).
        air: (3,) colour of the bag's air, for three channels.
        palette: How energies become colours, and back.
        alpha: Weight of the threat in the blend.

    Returns:
        Every method, in the order of ``Method``. Grey has one energy, so both multiplications are the same: only one is given.

    Raises:
        DataError: As ``apply_composite``; colour without its air.

    Note:
        In colour both energies are the palette's reading, a proxy. The energy-space composite is the palette's colour of it, and what
        the palette cannot say of the bag's own colour, darkened as the pixel is, and of the threats' (their grain).
    """
    if bag.channels == COLOUR and air is None:
        raise DataError("methods: a bag in colour needs the colour of its air.")
    found: dict[Method, Shown] = {}
    if bag.channels == COLOUR:
        assert air is not None
        dual = _energies(bag, palette)
        composite = apply_composite(dual, params, _converted(lookup, lambda image: _energies(image, palette), DUAL_ENERGY)).image
        screen = _carried_on(bag, dual, composite, _grain_of(bag, params, lookup), air, palette)
        found[Method.ENERGY_SPACE] = Shown(screen, composite, proxy=True)
        own = _converted(lookup, lambda image: _as_colour(image, palette), COLOUR)
        found[Method.CHANNEL_WISE] = shown(apply_composite(bag, params, own).image, air, palette)
    else:
        own = lookup
        found[Method.ENERGY_SPACE] = shown(apply_composite(bag, params, lookup).image, air, palette)
    if bag.channels == DUAL_ENERGY:
        on_screen = _as_colour(bag, palette)
        in_colour = _converted(lookup, lambda image: _as_colour(image, palette), COLOUR)
        found[Method.CHANNEL_WISE] = shown(apply_composite(on_screen, params, in_colour).image, _palette_air(palette), palette)
    for method, arm in ((Method.ALPHA_BLEND, ControlArm.ALPHA_BLEND), (Method.OPAQUE_PASTE, ControlArm.OPAQUE_PASTE)):
        found[method] = shown(apply_control(bag, params, own, arm, alpha=alpha).image, air, palette)
    return found


def _palette_air(palette: ScannerPalette) -> FloatArray:
    return np.asarray(palette.air, np.float32) / np.float32(255)


def _coloured(transmission: XrayImage, air: FloatArray) -> XrayImage:
    values = np.clip(transmission.values * np.asarray(air, np.float32).reshape(-1, 1, 1), 0, 1).astype(np.float32)
    return XrayImage(values, Quantity.PSEUDO_COLOUR, COLOUR)


def _energies(colour: XrayImage, palette: ScannerPalette) -> XrayImage:
    """Three channels of transmission as two energies, whatever the colour of air was."""
    return palette.invert(_coloured(colour, _palette_air(palette)))


def _grain_of(bag: XrayImage, params: CompositeParams, lookup: Lookup) -> FloatArray:
    """The threats' own grains at their places, 0 elsewhere."""
    total = np.zeros((3, *bag.size), np.float32)
    for insertion in sorted(params.insertions, key=insertion_order):
        varied = vary(lookup(insertion.signature_id), insertion.variation)
        if varied.grain is not None:
            height, width = varied.mask.shape
            total[:, insertion.y : insertion.y + height, insertion.x : insertion.x + width] += varied.grain
    return total


def _carried_on(
    bag: XrayImage, dual: XrayImage, composite: XrayImage, grain: FloatArray, air: FloatArray, palette: ScannerPalette
) -> XrayImage:
    before, after = palette.render(dual).values, palette.render(composite).values
    weights = np.array(palette.weights, np.float32)
    luma_before, luma_after = (np.tensordot(weights, values, axes=1) for values in (before, after))
    darker = np.minimum(luma_after / np.maximum(luma_before, np.float32(1e-6)), np.float32(1))
    own = _coloured(bag, _palette_air(palette)).values
    carried = after + darker * (own - before)
    carried += grain * (np.tensordot(weights, carried, axes=1) * GRAIN_KEPT)
    values = np.clip(carried, 0, 1) * (np.asarray(air, np.float32) / _palette_air(palette)).reshape(-1, 1, 1)
    return XrayImage(np.clip(values, 0, 1).astype(np.float32), Quantity.PSEUDO_COLOUR, COLOUR)


def _as_colour(dual: XrayImage, palette: ScannerPalette) -> XrayImage:
    """Two energies as three channels of transmission."""
    return palette.render(dual).as_channel_transmission(_palette_air(palette))


def _converted(lookup: Lookup, change: Callable[[XrayImage], XrayImage], channels: tuple[str, ...]) -> Lookup:
    def find(name: str) -> Signature:
        signature = lookup(name)
        if signature.image.channels == channels:
            return signature
        image = change(signature.image)
        values = np.where(signature.mask, np.maximum(image.values, np.float32(TRANSMISSION_FLOOR)), np.float32(1))
        # Grain goes its own way: it is no transmission.
        return replace(signature, image=XrayImage(values.astype(np.float32), Quantity.TRANSMISSION, channels), grain=None, noise=None)

    return find
