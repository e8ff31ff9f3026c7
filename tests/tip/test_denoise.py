"""Photon noise taken out of signatures, and what is left of it accounted for."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from threatray.core import COLOUR, DUAL_ENERGY, GREY, Annotations, OriginKind, Quantity, Sample, Signature, XrayImage
from threatray.errors import DataError
from threatray.tip import denoise
from threatray.tip.compose import CompositeParams, Insertion
from threatray.tip.denoise import without_photon_noise
from threatray.tip.isolate import IsolateConfig, Isolated, isolate, isolate_in_air
from threatray.tip.levels import StoredScan, compose_levels
from threatray.tip.match import own_noise
from threatray.tip.vary import VariationParams, vary

PHOTONS = (10_000.0, 5_000.0)
SIZE = (120, 150)
PLATE = np.s_[35:85, 40:110]
INSIDE = np.s_[40:80, 45:105]


def things() -> NDArray[np.float32]:
    """(2, H, W) transmission of a bag with slopes and edges."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    bag = np.exp(-0.3 - 0.004 * rows - 0.5 * (columns > 75)) * np.ones((2, 1, 1)) ** [[[1]], [[0.6]]]
    return np.stack([bag[0], bag[1] ** 0.6]).astype(np.float32)


def counted(transmission: NDArray, seed: int, photons: tuple[float, ...] = PHOTONS) -> NDArray[np.float32]:
    """A scan of so many photons a pixel of air."""
    many = np.array(photons[: len(transmission)]).reshape(-1, 1, 1)
    return (np.random.default_rng(seed).poisson(transmission * many) / many).astype(np.float32)


def scanned_plate(seed: int, *, bag: float = 0.8, plate: float = 0.3, channels: tuple[str, ...] = GREY) -> Sample:
    """A labelled scan: a flat bag with a plate in it, its mask given."""
    values = np.full((len(channels), *SIZE), bag)
    values[:, *PLATE] *= plate
    mask = np.zeros(SIZE, bool)
    mask[PLATE] = True
    image = XrayImage(np.clip(counted(values, seed), 1e-4, 1), Quantity.TRANSMISSION, channels)
    return Sample(f"s{seed}", image, Annotations(np.array([[40, 35, 110, 85]], np.float32), ("gun",), mask[None]), "bag")


def isolated(sample: Sample, **limits: bool) -> Isolated:
    found = isolate(sample, 0, IsolateConfig(**limits))
    assert isinstance(found, Isolated)
    return found


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32 - 1), st.floats(0.02, 0.9), st.sampled_from([1, 2]))
def test_what_is_flat_loses_its_noise_and_keeps_its_mean(seed, transmission, channels):
    scan = counted(np.full((channels, 60, 70), transmission), seed)
    smooth, left = without_photon_noise(scan, tuple(1 / each for each in PHOTONS[:channels]))
    assert (smooth.std(axis=(1, 2)) < 0.35 * scan.std(axis=(1, 2))).all()
    assert smooth.mean(axis=(1, 2)) == pytest.approx(scan.mean(axis=(1, 2)), rel=0.01)
    assert np.median(left) < 0.08


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**31))
def test_edges_are_as_sharp_and_the_noise_left_is_no_more_than_is_said(seed):
    truth, photon = things(), tuple(1 / each for each in PHOTONS)
    scans = [counted(truth, seed + number) for number in range(12)]
    made, left = zip(*(without_photon_noise(scan, photon) for scan in scans), strict=True)
    mean = np.mean(made, axis=0)
    for channel, true in zip(mean, truth, strict=True):
        step, expected = ((each[10:-10, 74] - each[10:-10, 76]).mean() for each in (channel, true))
        assert step == pytest.approx(expected, rel=0.03)
        blunt, expected = ((each[10:-10, 75] - each[10:-10, 76]).mean() for each in (channel, true))
        assert blunt == pytest.approx(expected, rel=0.03)
    share = np.var(made, axis=0, ddof=1) / (truth * np.array(photon).reshape(-1, 1, 1))
    assert share.mean() < np.mean(left) < 3 * share.mean()
    error, before = (np.sqrt((((each - truth) / truth**0.5) ** 2).mean(axis=(1, 2))) for each in (made[0], scans[0]))
    assert (error < 0.5 * before).all()


def test_a_scan_in_bands_is_the_scan_at_once(monkeypatch):
    scan, photon = counted(things(), 0), tuple(1 / each for each in PHOTONS)
    at_once = without_photon_noise(scan, photon)
    monkeypatch.setattr(denoise, "_BAND_VALUES", 40_000)
    for banded, whole in zip(without_photon_noise(scan, photon), at_once, strict=True):
        assert np.abs(banded - whole).max() < 1e-6


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (5, 2)])
def test_the_smallest_scans_keep_their_size(size):
    smooth, left = without_photon_noise(np.full((2, *size), 0.5, np.float32), (1e-4, 1e-4))
    assert smooth.shape == left.shape == (2, *size)
    assert smooth == pytest.approx(0.5, abs=1e-4)


def test_other_shapes_and_photons_are_refused():
    for shape, photon in (((3, 9, 9), (1e-4,) * 3), ((2, 9, 9), (1e-4,)), ((9, 9), (1e-4,)), ((1, 9, 9), (0.0,)), ((1, 9, 9), (np.nan,))):
        with pytest.raises(DataError, match="photon noise"):
            without_photon_noise(np.full(shape, 0.5, np.float32), photon)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**31), st.sampled_from([0.25, 0.5, 0.8]), st.sampled_from([0.15, 0.4]), st.sampled_from([GREY, DUAL_ENERGY]))
def test_a_threat_out_of_a_scan_gets_the_noise_of_a_real_scan(seed, home, plate, channels):
    """Two scans of one scene, the signature from the one into the other's bag: what changes is noise, the signature's own too."""
    away = 0.8
    made = []
    for number in (2 * seed, 2 * seed + 1):
        thing = isolated(scanned_plate(number, bag=home, plate=plate, channels=channels)).signature
        bag = np.rint(counted(np.full((len(channels), *SIZE), away), number + 7) * 60_000).astype(np.uint16)
        params = CompositeParams(
            "bag",
            (Insertion(thing.id, VariationParams(), 39, 34),),
            number % 1000,
            tuple(60_000 / each for each in PHOTONS[: len(channels)]),
        )
        levels = compose_levels(StoredScan(bag, channels), params, lambda _, thing=thing: thing).levels
        made.append(levels[:, *INSIDE].astype(float) / 60_000)
    for number, photons in enumerate(PHOTONS[: len(channels)]):
        noise = (made[0] - made[1])[number].std() / 2**0.5
        assert noise == pytest.approx((away * plate / photons) ** 0.5, rel=0.1)


def test_the_noise_that_a_signature_brings_is_not_added_again_and_too_much_is_left_alone():
    values = np.full((1, 60, 60), 0.25, np.float32)
    thing = isolated(scanned_plate(0)).signature
    rng = np.random.default_rng(0)
    bag = StoredScan(rng.poisson(8_000, (1, 90, 110)).astype(np.uint16), GREY)
    params = CompositeParams("bag", (Insertion("t", VariationParams(), 10, 10),), 0, (1.0,))
    spread = {}
    for noise in (0.0, 0.5e-4, 2e-4):
        grained = np.clip(values * np.exp(rng.normal(0, (noise / 0.25) ** 0.5, values.shape)), 1e-4, 1).astype(np.float32)
        image = XrayImage(grained, Quantity.TRANSMISSION, GREY)
        noisy = Signature("t", image, np.ones((60, 60), bool), "gun", thing.origin, noise=(noise,))
        spread[noise] = compose_levels(bag, params, lambda _, noisy=noisy: noisy).levels[0, 10:70, 10:70].std()
    assert spread[0.0] == pytest.approx(2_000**0.5, rel=0.06)
    assert spread[0.5e-4] == pytest.approx(2_000**0.5, rel=0.06)
    alone = compose_levels(bag, replace(params, levels_per_photon=()), lambda _: noisy).levels[0, 10:70, 10:70]
    assert alone.std() == spread[2e-4] > 1.2 * 2_000**0.5  # of 5,000 photons: more than a scan of 10,000 has


def test_one_threats_noise_is_not_taken_for_its_neighbours():
    """Two windows overlap, the threats do not: the quiet one gets all of its noise."""
    mask = np.zeros((60, 60), bool)
    mask[:, :5] = mask[:5] = True  # an L, its window as large as the plate's
    origin = isolated(scanned_plate(0)).signature.origin
    image = XrayImage(np.where(mask, 0.5, 1).astype(np.float32)[None], Quantity.TRANSMISSION, GREY)
    noisy = Signature("noisy", image, mask, "gun", origin, noise=(1e-2,))
    whole = XrayImage(np.full((1, 60, 60), 0.25, np.float32), Quantity.TRANSMISSION, GREY)
    quiet = Signature("quiet", whole, np.ones((60, 60), bool), "gun", replace(origin, kind=OriginKind.RENDERED))
    bag = StoredScan(np.random.default_rng(0).poisson(8_000, (1, 90, 110)).astype(np.uint16), GREY)
    params = CompositeParams(
        "bag", (Insertion("noisy", VariationParams(), 10, 10), Insertion("quiet", VariationParams(), 16, 16)), 0, (1.0,)
    )
    made = compose_levels(bag, params, {"noisy": noisy, "quiet": quiet}.__getitem__).levels[0, 16:76, 16:76]
    assert made.std() == pytest.approx(2_000**0.5, rel=0.06)


def test_signatures_say_how_noisy_they_are_where_counts_do():
    flat = isolated(scanned_plate(1, bag=0.5)).signature
    assert flat.noise is not None
    assert flat.noise[0] == pytest.approx(1e-4 / 16 / 0.5, rel=0.4)  # a sixteenth of what the scan of a bag half as light had
    assert own_noise(flat) == flat.noise
    as_it_was = isolated(scanned_plate(1, bag=0.5), denoise=False).signature
    assert as_it_was.noise is None
    inner = np.s_[:, 6:-6, 6:-6]
    assert as_it_was.image.values[inner].std() > 2.5 * flat.image.values[inner].std()
    sample = scanned_plate(1)
    colours = replace(sample, image=XrayImage(np.repeat(sample.image.values, 3, axis=0), Quantity.TRANSMISSION, COLOUR))
    assert isolated(colours).signature.noise is None


def test_noise_taken_out_of_the_signature_stays_in_the_bag():
    sample = scanned_plate(2, channels=DUAL_ENERGY)
    found = isolated(sample)
    x0, y0, x1, y1 = (int(edge) for edge in found.box)
    again = found.bag_behind.values * found.signature.image.values
    assert np.abs(again / sample.image.values[:, y0:y1, x0:x1] - 1).max() < 1e-5


def test_a_threat_alone_shows_by_its_air_how_noisy_the_scanner_is():
    values = np.ones((2, 60, 80))
    values[:, 25:35, 20:60] = 0.3  # four hundred pixels: too few to tell by
    image = XrayImage(np.clip(counted(values, 0), 1e-4, 1), Quantity.TRANSMISSION, DUAL_ENERGY)
    found = isolate_in_air(image, "k", "knife", "k")
    assert isinstance(found, Isolated)
    assert found.signature.noise is not None
    ratio = np.array(found.signature.noise) * PHOTONS
    assert (ratio > 1 / 20).all()
    assert (ratio < 1 / 5).all()
    perfect = isolate_in_air(XrayImage(values.astype(np.float32), Quantity.TRANSMISSION, DUAL_ENERGY), "k", "knife", "k")
    assert isinstance(perfect, Isolated)
    assert perfect.signature.noise is None


def test_noise_grows_with_what_is_made_thicker():
    thing = isolated(scanned_plate(3)).signature
    assert thing.noise is not None
    for one, other in pairwise(vary(thing, VariationParams(density_power=power)) for power in (0.9, 1.0, 1.1)):
        assert one.noise is not None and other.noise is not None
        assert one.noise < other.noise
    assert vary(thing, VariationParams(density_power=2.0)).noise == pytest.approx((4 * thing.noise[0],))
    assert vary(thing, VariationParams(angle_deg=30.0)).noise == thing.noise


def test_noise_of_other_channels_or_below_nothing_is_refused():
    thing = isolated(scanned_plate(4)).signature
    for noise in ((1e-4, 1e-4), (-1e-4,), (np.nan,), (np.inf,)):
        with pytest.raises(DataError, match="noise must be 1 numbers of at least 0"):
            replace(thing, noise=noise)
