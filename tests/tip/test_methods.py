"""The same parameters by every method."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from threatray.core import COLOUR, DUAL_ENERGY, GREY, Origin, OriginKind, Quantity, Signature, XrayImage
from threatray.errors import DataError
from threatray.physics.dual_energy import DualEnergyScanner, r_value
from threatray.physics.pseudo_colour import DEFAULT_PALETTE
from threatray.tip.colour import ColourTip
from threatray.tip.compose import CompositeParams, Insertion, apply_composite
from threatray.tip.levels import EnergyLaw, StoredScan, compose_levels
from threatray.tip.methods import Method, by_every_method, shown
from threatray.tip.vary import VariationParams, vary

AIR = np.array(DEFAULT_PALETTE.air, np.float32) / 255
MASK = np.zeros((12, 16), np.bool_)
MASK[2:10, 3:13] = True


def scan(**centimetres: np.ndarray) -> XrayImage:
    return DualEnergyScanner().transmit(centimetres)


def steel_knife() -> Signature:
    image = scan(steel=np.where(MASK, 0.15, 0.0))
    return Signature("knife", image, MASK, "knife", Origin(OriginKind.RENDERED, "k", "k"))


def scene() -> tuple[XrayImage, CompositeParams]:
    water = np.zeros((40, 50))
    water[5:35, 5:45] = 6.0
    return scan(water=water), CompositeParams("bag", (Insertion("knife", VariationParams(), 20, 12),))


def inside() -> np.ndarray:
    found = np.zeros((40, 50), np.bool_)
    varied = vary(steel_knife(), VariationParams())
    height, width = varied.mask.shape
    found[12 : 12 + height, 20 : 20 + width] = varied.mask
    return found


def test_two_energies_are_multiplied_and_shown_in_the_palette() -> None:
    bag, params = scene()
    found = by_every_method(bag, params, lambda _: steel_knife())
    assert list(found) == list(Method)
    ours = found[Method.ENERGY_SPACE]
    expected = apply_composite(bag, params, lambda _: steel_knife()).image
    assert ours.energies is not None
    assert (ours.energies.values == expected.values).all()
    assert (ours.screen.values == DEFAULT_PALETTE.render(expected).values).all()
    assert [found[method].proxy for method in Method] == [False, True, False, False]


def test_every_method_leaves_the_rest_of_the_bag_as_it_was() -> None:
    bag, params = scene()
    before = shown(bag).screen.values
    for method, one in by_every_method(bag, params, lambda _: steel_knife()).items():
        np.testing.assert_allclose(one.screen.values[:, ~inside()], before[:, ~inside()], atol=2e-6, err_msg=method)
        assert np.abs(one.screen.values - before)[:, inside()].max() > 0.1


def test_only_multiplication_never_brightens_and_only_the_energies_keep_the_material() -> None:
    bag, params = scene()
    found = by_every_method(bag, params, lambda _: steel_knife())
    for method in (Method.ENERGY_SPACE, Method.CHANNEL_WISE):
        assert (found[method].screen.values.mean(axis=0) <= shown(bag).screen.values.mean(axis=0) + 1e-5).all()
    pasted = found[Method.OPAQUE_PASTE].energies
    assert pasted is not None
    np.testing.assert_array_equal(pasted.values[:, inside()], steel_knife().image.values[:, MASK])
    assert (pasted.values[0] > found[Method.ENERGY_SPACE].energies.values[0]).any(), "pasting forgets the water in front"


def test_steel_over_water_turns_green_in_energy_space_but_not_in_colour() -> None:
    # red, green, blue of steel over 6 cm of water, and the material that a screener reads from it
    bag, params = scene()
    found = by_every_method(bag, params, lambda _: steel_knife())
    ours, colour = (found[method].screen.values[:, 16, 25] for method in (Method.ENERGY_SPACE, Method.CHANNEL_WISE))
    assert ours[1] > ours[0]
    assert ours[1] > ours[2] - 0.02
    assert not np.allclose(ours, colour, atol=0.02)
    true = r_value(found[Method.ENERGY_SPACE].energies)[16, 25]
    read = r_value(found[Method.CHANNEL_WISE].energies)[16, 25]
    assert abs(read - true) > 0.02


def test_colour_scans_have_proxies_and_keep_their_own_air() -> None:
    bag, params = scene()
    air = np.array([0.88, 0.88, 0.87], np.float32)
    on_screen = DEFAULT_PALETTE.render(bag).as_channel_transmission(AIR)
    knife = steel_knife()
    for lookup in (lambda _: knife, lambda _: coloured(knife)):
        found = by_every_method(on_screen, params, lookup, air)
        assert list(found) == list(Method)
        for one in found.values():
            assert one.proxy
            assert one.screen.channels == COLOUR
            np.testing.assert_allclose(one.screen.values[:, 0, 0], air, atol=1e-6)
        ours = found[Method.ENERGY_SPACE].energies
        assert ours is not None
        expected = apply_composite(bag, params, lambda _: knife).image.attenuation().values
        np.testing.assert_allclose(ours.attenuation().values[:, inside()], expected[:, inside()], rtol=0.1)


def test_colours_energy_space_shows_the_grain_that_the_composite_has() -> None:
    bag, params = scene()
    on_screen = DEFAULT_PALETTE.render(bag)
    rng = np.random.default_rng(0)
    grain = (rng.normal(0, 0.15, (3, *MASK.shape)) * MASK).astype(np.float32)
    weights = np.array(DEFAULT_PALETTE.weights, np.float32)
    grain -= np.tensordot(weights, grain, axes=1)  # of colour alone
    knife = replace(steel_knife(), grain=(grain * MASK).astype(np.float32))
    levels = np.rint(on_screen.values * 255).astype(np.uint8)
    params = replace(params, insertions=(replace(params.insertions[0], variation=VariationParams(flip=True)),))
    made, shows = [], []
    for thing in (knife, steel_knife()):
        law = EnergyLaw(ColourTip(DEFAULT_PALETTE))
        made.append(compose_levels(StoredScan(levels, COLOUR), params, lambda _, thing=thing: thing, law).levels.astype(np.float64))
        found = by_every_method(on_screen.as_channel_transmission(AIR), params, lambda _, thing=thing: thing, AIR)
        shows.append(found[Method.ENERGY_SPACE].screen.values * 255)
    ours, theirs = shows[0] - shows[1], made[0] - made[1]
    assert np.abs(ours).max() > 10
    assert np.abs(ours[:, ~inside()]).max() == 0
    assert np.corrcoef(ours[:, inside()].ravel(), theirs[:, inside()].ravel())[0, 1] > 0.95


def coloured(signature: Signature) -> Signature:
    values = DEFAULT_PALETTE.render(signature.image).as_channel_transmission(AIR).values
    image = XrayImage(np.where(MASK, values, 1).astype(np.float32), Quantity.TRANSMISSION, COLOUR)
    return Signature(signature.id, image, MASK, signature.class_name, signature.origin)


def test_grey_has_one_multiplication() -> None:
    bag, params = scene()
    grey = XrayImage(bag.values[:1].copy(), Quantity.TRANSMISSION, GREY)
    knife = steel_knife()
    image = XrayImage(knife.image.values[:1].copy(), Quantity.TRANSMISSION, GREY)
    found = by_every_method(grey, params, lambda _: Signature("k", image, MASK, "knife", knife.origin))
    assert list(found) == [Method.ENERGY_SPACE, Method.ALPHA_BLEND, Method.OPAQUE_PASTE]
    assert all(one.energies is None and one.screen.channels == GREY for one in found.values())


def test_colour_without_air_and_what_is_no_transmission_are_refused() -> None:
    bag, params = scene()
    on_screen = DEFAULT_PALETTE.render(bag).as_channel_transmission(AIR)
    with pytest.raises(DataError, match="needs the colour of its air"):
        by_every_method(on_screen, params, lambda _: steel_knife())
    with pytest.raises(DataError, match="needs the colour of its air"):
        shown(on_screen)
    with pytest.raises(DataError, match="expected a transmission, got attenuation"):
        shown(bag.attenuation())
    assert shown(bag).energies.channels == DUAL_ENERGY
