"""Noise, sharpness and compression of inserted areas."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from threatray.core import GREY, Origin, OriginKind, Quantity, Signature, XrayImage
from threatray.errors import ConfigError, DataError
from threatray.tip.match import NoiseMatch, edge_blur, matching_blur, photon_noise, requantised

AIR = np.array([10_000.0], np.float32)
SIZE = (1, 90, 110)


def counted(mean: float, seed: int = 0) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).poisson(mean, SIZE).astype(np.uint16)


def test_photon_noise_is_the_counts_own_at_every_darkness() -> None:
    for mean in (9_000, 4_000, 900):
        assert photon_noise(counted(mean), AIR)[0] == pytest.approx(0.01, rel=0.07)
    assert photon_noise(np.full(SIZE, 5_000, np.uint16), AIR)[0] == 0


def test_photon_noise_of_a_few_pixels_is_not_known() -> None:
    assert photon_noise(counted(5_000)[:, :5, :5], AIR).tolist() == [0.0]


def test_a_quiet_signature_gets_the_noise_of_a_real_scan() -> None:
    bag, half = counted(8_000), np.full(SIZE, 0.25, np.float32)
    plain = np.rint(bag * half).astype(np.uint16)
    assert plain.std() < 25  # a quarter of the bag's noise
    made = NoiseMatch(AIR)(bag, plain, half, np.random.default_rng(1))
    assert made.std() == pytest.approx(2_000**0.5, rel=0.06)  # what 2,000 photons have


def test_noise_is_not_doubled_where_the_signature_brought_its_own() -> None:
    bag, half = counted(8_000), np.full(SIZE, 0.25, np.float32)
    scanned = counted(2_000, seed=5)
    made = NoiseMatch(AIR)(bag, scanned, half, np.random.default_rng(1))
    assert made.std() == pytest.approx(2_000**0.5, rel=0.06)


@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=20)
def test_noise_never_brightens_the_bag_and_stays_within_the_threat(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for channels, kind, top in ((1, np.uint16, 60_000), (2, np.uint16, 60_000), (3, np.uint8, 255)):
        air = np.full(channels, top, np.float32)
        bag = np.clip(rng.normal(0.7, 0.01, (channels, 40, 50)) * top, 1, top).astype(kind)
        threat = np.ones((2, 40, 50), np.float32)
        threat[:, 8:30, 10:40] = rng.uniform(0.9, 1, (22, 30))
        plain = np.floor(bag * threat[:1]).astype(kind)
        made = NoiseMatch(air, np.full(1 if channels == 3 else channels, 0.05, np.float32))(bag, plain, threat, rng)
        outside = (threat == 1).all(axis=0)
        assert np.array_equal(made[:, outside], plain[:, outside])
        weights = np.array([0.299, 0.587, 0.114])
        bright, limit = (np.tensordot(weights, each, 1) if channels == 3 else each for each in (made.astype(float), bag.astype(float)))
        assert (bright <= limit + 1e-3).all()
        assert not np.array_equal(made, plain)


def test_the_same_stream_gives_the_same_bytes() -> None:
    bag, half = counted(8_000), np.full(SIZE, 0.25, np.float32)
    plain = np.rint(bag * half).astype(np.uint16)
    one, two, other = (NoiseMatch(AIR)(bag, plain, half, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_shapes_that_differ_are_refused() -> None:
    bag = counted(5_000)
    with pytest.raises(DataError, match=r"noise match: shapes differ: bag \(1, 90, 110\)"):
        NoiseMatch(AIR)(bag, bag[:, 1:], np.ones(SIZE, np.float32), np.random.default_rng(0))


def step(sigma: float) -> NDArray[np.float32]:
    import cv2

    edge = np.full((60, 80), 0.9, np.float32)
    edge[20:45, 25:60] = 0.2
    return cv2.GaussianBlur(edge, (0, 0), sigma) if sigma else edge


@pytest.mark.parametrize("sigma", [0.8, 1.2, 2.0])
def test_the_softness_of_an_edge_is_its_gaussians(sigma: float) -> None:
    assert edge_blur((step(sigma)[None] * 65535).astype(np.uint16), np.array([65535.0], np.float32)) == pytest.approx(sigma, abs=0.2)


def test_a_picture_without_edges_has_no_softness() -> None:
    assert edge_blur(np.full((1, 40, 40), 90, np.uint8), np.array([255.0], np.float32)) == 0


def test_a_sharp_signature_is_blurred_to_the_bags_softness_and_a_soft_one_left() -> None:
    air = np.array([65535.0], np.float32)
    bag = (step(2.0)[None] * 65535).astype(np.uint16)
    for sigma, expected in ((0.7, 1.75), (2.5, 0.0)):
        values = np.clip(step(sigma) / 0.9, 0, 1)[None]
        mask = values[0] < 0.999
        image = XrayImage(np.where(mask, values, 1).astype(np.float32), Quantity.TRANSMISSION, GREY)
        signature = Signature("s", image, mask, "gun", Origin(OriginKind.RENDERED, "s", "s"))
        assert matching_blur(bag, air, signature) == pytest.approx(expected, abs=0.3)


def jpeg(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[tuple[int, ...], ...]]:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=75, subsampling=2)
    image = Image.open(buffer)
    return np.asarray(image.convert("RGB")), tuple(tuple(table) for _, table in sorted(image.quantization.items()))  # type: ignore[attr-defined]


def test_requantising_what_a_jpeg_held_changes_next_to_nothing_and_only_on_its_own_grid() -> None:
    rng = np.random.default_rng(0)
    scene = np.kron(rng.integers(30, 220, (9, 11, 1)), np.ones((8, 8, 3))) + rng.normal(0, 12, (72, 88, 1))
    held, tables = jpeg(np.clip(scene, 0, 255).astype(np.uint8))
    window = held[16:64, 16:80]
    on_grid = np.abs(requantised(window, tables, 2, (16, 16)).astype(int) - window).mean()
    beside = np.abs(requantised(window, tables, 2, (19, 13)).astype(int) - window).mean()
    assert on_grid < 0.5 * beside


def test_an_unknown_subsampling_is_refused() -> None:
    with pytest.raises(ConfigError, match="subsampling must be 0, 1 or 2, got 3"):
        requantised(np.zeros((8, 8, 3), np.uint8), ((1,) * 64,), 3, (0, 0))
