"""Photon noise of inserted areas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from threatray.core import COLOUR, DUAL_ENERGY, GREY, Origin, OriginKind, Quantity, Signature, XrayImage
from threatray.errors import ConfigError
from threatray.physics.pseudo_colour import DEFAULT_PALETTE
from threatray.tip.colour import ColourTip
from threatray.tip.compose import CompositeParams, Insertion
from threatray.tip.draw import ComposeConfig, scanner_noise
from threatray.tip.levels import ChannelLaw, EnergyLaw, StoredScan, compose_levels
from threatray.tip.match import MissingNoise, levels_per_photon, strips_of
from threatray.tip.vary import VariationParams

AIR = np.array([10_000.0], np.float32)
SIZE = (1, 90, 110)
CHANNELS = ChannelLaw()


def counted(mean: float, seed: int = 0, size: tuple[int, ...] = SIZE) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).poisson(mean, size).astype(np.uint16)


def plate(transmission: float, kind: OriginKind = OriginKind.RENDERED, channels: tuple[str, ...] = GREY, side: int = 60) -> Signature:
    values = np.full((len(channels), side, side), transmission, np.float32)
    image = XrayImage(values, Quantity.TRANSMISSION, channels)
    return Signature("plate", image, np.ones((side, side), bool), "gun", Origin(kind, "plate", "plate"))


def composed(bag: StoredScan, thing: Signature, photon: tuple[float, ...], seed: int = 0, law=CHANNELS) -> NDArray:
    params = CompositeParams("bag", (Insertion("plate", VariationParams(), 10, 10),), seed, photon)
    return compose_levels(bag, params, lambda _: thing, law).levels


@pytest.mark.parametrize("gain", [1, 4])
@pytest.mark.parametrize("mean", [9_000, 4_000, 900])
def test_levels_per_photon_are_the_counts_own_at_every_darkness(gain: int, mean: int) -> None:
    levels = gain * counted(mean // gain, size=(1, 128, 160))
    assert levels_per_photon(strips_of(levels), AIR)[0] == pytest.approx(0.9 * gain, rel=0.15)


def test_slopes_and_things_are_no_noise() -> None:
    slope = np.tile(np.linspace(2_000, 9_000, 40), 4)[None] * np.linspace(1, 0.6, 128)[:, None]
    slope[30:60, 40:80] *= 0.5
    levels = np.random.default_rng(0).poisson(slope)[None].astype(np.uint16)
    assert levels_per_photon(strips_of(levels), AIR)[0] == pytest.approx(1, rel=0.2)


def test_noise_of_a_few_pixels_of_air_and_of_no_noise_at_all_is_not_known() -> None:
    for levels in (
        counted(5_000)[:, :20, :20],
        counted(9_900),
        np.full(SIZE, 5_000, np.uint16),
        counted(5_000)[:, :9],
        counted(5_000)[..., :1],
    ):
        assert levels_per_photon(strips_of(levels), AIR) == (0.0,)


def test_texture_is_no_noise() -> None:
    wild = np.random.default_rng(0).integers(3_000, 8_000, (1, 128, 160)).astype(np.uint16)
    assert levels_per_photon(strips_of(wild), AIR) == (0.0,)


@given(st.floats(0.04, 0.9), st.sampled_from([1, 4]), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=30)
def test_a_quiet_signature_gets_the_noise_of_a_real_scan(transmission: float, gain: int, seed: int) -> None:
    bag = StoredScan(gain * counted(8_000, seed), GREY)
    inside = np.s_[0, 10:70, 10:70]
    alone, made = (composed(bag, plate(transmission), photon, seed)[inside] / gain for photon in ((), (float(gain),)))
    scanned = 8_000 * transmission
    assert alone.std() == pytest.approx(scanned**0.5 * transmission**0.5, rel=0.1)  # the bag's noise, darkened
    assert made.std() == pytest.approx(scanned**0.5, rel=0.08)  # what so many photons have
    assert made.mean() == pytest.approx(scanned, rel=0.01)


def test_each_energy_gets_its_own_noise() -> None:
    bag = StoredScan(np.concatenate([counted(8_000), 4 * counted(2_000, 1)]), DUAL_ENERGY)
    made = composed(bag, plate(0.25, channels=DUAL_ENERGY), (1.0, 4.0))[:, 10:70, 10:70]
    assert made[0].std() == pytest.approx(2_000**0.5, rel=0.06)
    assert made[1].std() == pytest.approx(4 * 500**0.5, rel=0.06)
    assert abs(np.corrcoef(made[0].ravel(), made[1].ravel())[0, 1]) < 0.06


def test_a_signature_out_of_a_scan_brought_its_own_noise_and_gets_no_more() -> None:
    bag = StoredScan(counted(8_000), GREY)
    one, other = (composed(bag, plate(0.25, OriginKind.REAL), photon) for photon in ((), (1.0,)))
    assert np.array_equal(one, other)


def test_colours_get_the_noise_of_the_two_energies_behind_them() -> None:
    pair = np.random.default_rng(0).poisson(8_000, (4, 2, 90, 110)) / 10_000
    shown = [np.rint(DEFAULT_PALETTE.render(_dual(each)).values * 255).astype(np.uint8) for each in pair]
    scanned = np.random.default_rng(1).poisson(2_000, (2, 2, 90, 110)) / 10_000
    truth = [np.rint(DEFAULT_PALETTE.render(_dual(each)).values * 255) for each in scanned]
    law = EnergyLaw(ColourTip(DEFAULT_PALETTE))
    photon = law.photon(np.concatenate([shown[0], shown[1]], axis=2), np.full(3, 255, np.float32))
    assert photon[0] == pytest.approx(1e-4, rel=0.3)
    thing = plate(0.25, channels=DUAL_ENERGY)
    inside = np.s_[:, 10:70, 10:70]
    spread = {}
    for name, gains in (("alone", ()), ("noisy", (1e-4, 1e-4))):
        made = [composed(StoredScan(each, COLOUR), thing, gains, seed, law)[inside].astype(float) for seed, each in enumerate(shown[2:])]
        spread[name] = (made[0] - made[1]).std() / (truth[0] - truth[1])[inside].std()
    assert spread["alone"] < 0.75
    assert spread["noisy"] == pytest.approx(1, abs=0.1)


def _dual(values: NDArray) -> XrayImage:
    return XrayImage(np.clip(values, 0.001, 1).astype(np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=20)
def test_noise_never_brightens_the_bag_and_stays_within_the_threat(seed: int) -> None:
    rng = np.random.default_rng(seed)
    palette = EnergyLaw(ColourTip(DEFAULT_PALETTE))
    for channels, kind, top, law in (
        (GREY, np.uint16, 60_000, ChannelLaw()),
        (DUAL_ENERGY, np.uint8, 250, ChannelLaw()),
        (COLOUR, np.uint8, 255, palette),
    ):
        bag = np.clip(rng.normal(0.7, 0.01, (len(channels), 40, 50)) * top, 1, top).astype(kind)
        energies = law.signature_channels(channels)
        values = np.ones((len(energies), 30, 30), np.float32)
        values[:, 4:26, 5:25] = rng.uniform(0.9, 1, (22, 20))
        image = XrayImage(values, Quantity.TRANSMISSION, energies)
        thing = Signature("plate", image, values[0] < 1, "gun", Origin(OriginKind.TRANSLATED, "p", "p"))
        photon = tuple(0.003 * (1 if law is palette else top) for _ in energies)
        plain, made = (composed(StoredScan(bag, channels), thing, each, seed % 1000, law) for each in ((), photon))
        covered = np.zeros(bag.shape[1:], bool)
        covered[10 : 10 + 22, 10 : 10 + 20] = True
        assert np.array_equal(made[:, ~covered], bag[:, ~covered])
        weights = np.array(DEFAULT_PALETTE.weights)
        bright, limit = (np.tensordot(weights, each, 1) if law is palette else each for each in (made.astype(float), bag.astype(float)))
        assert (bright <= limit + 1e-3).all()
        assert not np.array_equal(made, plain)


def test_noise_is_nowhere_below_nothing() -> None:
    made = MissingNoise((50.0,), np.full((1, 40, 40), 0.5, np.float32), np.random.default_rng(0)).added_to(
        np.full((1, 40, 40), 2.0), np.full((1, 40, 40), 4)
    )
    assert made.min() == 0
    assert made.max() == 4


def test_noise_is_measured_given_or_turned_off() -> None:
    bag = StoredScan(counted(5_000, size=(1, 128, 160)), GREY)
    assert scanner_noise(ComposeConfig(), ChannelLaw(), bag, AIR) == levels_per_photon(strips_of(bag.levels), AIR)
    assert scanner_noise(ComposeConfig(levels_per_photon=(2.5,)), ChannelLaw(), bag, AIR) == (2.5,)
    assert scanner_noise(ComposeConfig(photon_noise=False, levels_per_photon=(2.5,)), ChannelLaw(), bag, AIR) == ()
    assert scanner_noise(ComposeConfig(), ChannelLaw(), StoredScan(np.full(SIZE, 9, np.uint8), GREY), np.array([9.0], np.float32)) == ()
    colours = StoredScan(np.full((3, 40, 50), 90, np.uint8), COLOUR)
    assert scanner_noise(ComposeConfig(), ChannelLaw(), colours, np.full(3, 255, np.float32)) == ()


def test_photons_for_other_channels_are_refused() -> None:
    bag, colours = StoredScan(counted(5_000), GREY), StoredScan(np.full((3, 40, 50), 90, np.uint8), COLOUR)
    with pytest.raises(ConfigError, match=r"levels_per_photon has 2 numbers, these bags take 1 \(grey\)"):
        scanner_noise(ComposeConfig(levels_per_photon=(1.0, 2.0)), ChannelLaw(), bag, AIR)
    with pytest.raises(ConfigError, match=r"levels_per_photon has 3 numbers, these bags take no photons, for these colours are no counts"):
        scanner_noise(ComposeConfig(levels_per_photon=(1.0, 1.0, 1.0)), ChannelLaw(), colours, AIR)
    with pytest.raises(ConfigError, match=r"levels_per_photon must be numbers of at least 0, one a channel, got \(-1.0,\)"):
        ComposeConfig(levels_per_photon=(-1.0,))
