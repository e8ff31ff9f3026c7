from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core import COLOUR, DUAL_ENERGY, GREY, Annotations, OriginKind, Provenance, Quantity, Sample, XrayImage
from threatray.core.image_file import read_pixels
from threatray.errors import ConfigError, DataError
from threatray.physics.pseudo_colour import DEFAULT_PALETTE
from threatray.tip.bag import air_colour
from threatray.tip.colour import ColourTip, isolate_colour
from threatray.tip.compose import project
from threatray.tip.isolate import IsolateConfig, Isolated, isolate, isolate_in_air
from threatray.tip.refusal import Reason, Refused
from threatray.tip.segment import threat_mask


def scene(seed: int, mask_too: bool = False, threat: float = 1.0) -> tuple[Sample, np.ndarray, XrayImage]:
    """A smooth bag with an L of known attenuation, its true mask, and the bag alone."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:110, :140].astype(np.float32)
    slope, tilt = rng.uniform(-0.0015, 0.0015, 2)
    bag = (0.5 + slope * rows + tilt * columns)[None] * np.array([1.0, 0.7], np.float32)[:, None, None]
    mask = np.zeros((110, 140), bool)
    y, x = int(rng.integers(25, 40)), int(rng.integers(30, 60))
    mask[y : y + 14, x : x + 50] = True
    mask[y : y + 35, x : x + 14] = True
    added = np.where(mask, np.array([threat, threat / 2.2], np.float32)[:, None, None], 0)
    boxes = np.array([[x - 2, y - 3, x + 52, y + 37]], np.float32)
    image = XrayImage(np.exp(-(bag + added)).astype(np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)
    annotations = Annotations(boxes, ("gun",), mask[None] if mask_too else None)
    alone = XrayImage(np.exp(-bag).astype(np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)
    return Sample("scan", image, annotations, "bag-1", Provenance("src", "lic")), mask, alone


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 9999), st.booleans())
def test_finds_the_known_transmission_and_mask_again(seed, mask_too):
    sample, mask, _ = scene(seed, mask_too)
    found = isolate(sample, 0)
    assert isinstance(found, Isolated)
    placed = np.zeros(mask.shape, bool)
    x0, y0, x1, y1 = (int(edge) for edge in found.box)
    placed[y0:y1, x0:x1] = found.signature.mask
    assert (placed & mask).sum() / (placed | mask).sum() > 0.85
    low, high = found.signature.image.attenuation().values
    inside = mask[y0:y1, x0:x1]
    assert np.median(low[inside]) == pytest.approx(1.0, abs=0.06)
    assert np.median(low[inside] / high[inside]) == pytest.approx(2.2, abs=0.1)
    assert found.quality > 0.8


def test_a_coloured_threat_keeps_the_grain_of_its_own_scan_in_its_own_frame():
    sample, mask, _ = scene(3, mask_too=True)
    shown = DEFAULT_PALETTE.render(sample.image).values
    off = np.zeros_like(shown)
    off[:, 1::3, ::2] = np.array([0.05, -0.0167, 0.0])[:, None, None]  # colour alone, by the palette's weights
    scan = XrayImage(np.clip(shown + off, 0, 1).astype(np.float32), Quantity.PSEUDO_COLOUR, COLOUR)
    tip = ColourTip(DEFAULT_PALETTE)
    channels = replace(sample, image=scan.as_channel_transmission(np.ones(3, np.float32)))
    found = isolate_colour(channels, tip.energies(scan), 0, tip=tip, scan=scan)
    assert isinstance(found, Isolated)
    thing = found.signature
    assert thing.image.channels == DUAL_ENERGY
    x0, y0, x1, y1 = (int(edge) for edge in found.box)
    pixels = np.rint(scan.values * 255).astype(np.uint8).transpose(1, 2, 0)
    assert (thing.grain == tip.grain(pixels)[:, y0:y1, x0:x1] * thing.mask).all()
    assert np.abs(thing.grain[:, thing.mask]).max() > 0.05
    assert (thing.mask & mask[y0:y1, x0:x1]).sum() > 0.85 * mask.sum()


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 9999))
def test_putting_the_signature_back_restores_the_scan(seed):
    sample, _, alone = scene(seed, mask_too=True)
    found = isolate(sample, 0)
    again = project(alone, found.signature, int(found.box[0]), int(found.box[1]))
    error = again.values - sample.image.values
    assert -10 * np.log10(float((error**2).mean())) > 40  # dB of full scale


def test_the_origin_is_kept():
    signature = isolate(scene(0)[0], 0).signature
    assert signature.id == "scan-0"
    assert (signature.origin.kind, signature.origin.source_id, signature.origin.group) == (OriginKind.REAL, "scan", "bag-1")
    assert signature.origin.provenance == Provenance("src", "lic")


def test_the_same_scan_gives_the_same_bytes():
    first, again = isolate(scene(3)[0], 0), isolate(scene(3)[0], 0)
    assert first.signature.image.values.tobytes() == again.signature.image.values.tobytes()


def test_black_stays_black_whatever_the_colour_of_the_bag_behind():
    values = np.tile(np.array([0.5, 0.8, 0.4], np.float32)[:, None, None], (1, 90, 120))  # a green bag
    values[:, 30:60, 40:90] = 0.01
    sample = Sample(
        "s", XrayImage(values, Quantity.TRANSMISSION, COLOUR), Annotations(np.array([[36, 26, 94, 64]], np.float32), ("gun",)), "g"
    )
    inside = np.median(isolate(sample, 0).signature.image.values.reshape(3, -1), axis=1)
    assert inside == pytest.approx([0.01] * 3, abs=0.005)


def reason(found: Isolated | Refused) -> Reason:
    assert isinstance(found, Refused), found
    return found.reason


def test_refuses_what_cannot_be_isolated():
    sample, _, alone = scene(0, mask_too=True, threat=0.05)
    assert reason(isolate(sample, 0)) is Reason.LOW_CONTRAST
    flat = XrayImage(np.full((2, 110, 140), 0.5, np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)
    assert reason(isolate(Sample("s", flat, Annotations(sample.annotations.boxes, ("gun",)), "g"), 0)) is Reason.NOTHING_STANDS_OUT
    whole = Annotations(np.array([[0, 0, 140, 110]], np.float32), ("gun",))
    assert reason(isolate(Sample("s", alone, whole, "g"), 0)) is Reason.NO_RING
    tiny = Annotations(np.array([[5, 5, 7, 30]], np.float32), ("gun",))
    assert reason(isolate(Sample("s", alone, tiny, "g"), 0)) is Reason.TOO_SMALL
    assert reason(isolate(scene(0)[0], 0, IsolateConfig(min_area=9000))) is Reason.TOO_SMALL
    assert reason(isolate(scene(0)[0], 0, IsolateConfig(max_box_share=0.3))) is Reason.TOO_LARGE


def test_refuses_wrong_input():
    sample = scene(0)[0]
    with pytest.raises(DataError, match="annotation 1 does not exist; the scan has 1"):
        isolate(sample, 1)
    colour = XrayImage(np.ones((3, 50, 50), np.float32), Quantity.PSEUDO_COLOUR, COLOUR)
    with pytest.raises(DataError, match="pseudo-colour is not a transmission"):
        isolate(Sample("s", colour, Annotations(np.array([[5, 5, 20, 20]], np.float32), ("gun",)), "g"), 0)
    outside = Annotations(np.array([[500, 500, 520, 520]], np.float32), ("gun",))
    with pytest.raises(DataError, match="holds no pixel of the 140x110 scan"):
        isolate(Sample("s", sample.image, outside, "g"), 0)
    with pytest.raises(ConfigError, match="margin_share must lie in"):
        IsolateConfig(margin_share=0)
    with pytest.raises(ConfigError, match="darkest must lie in"):
        IsolateConfig(darkest=1)
    with pytest.raises(DataError, match="leave a ring of bag"):
        threat_mask(np.ones((1, 9, 9), np.float32), np.ones((9, 9), bool))


def test_a_threat_alone_in_air_keeps_its_transmission(bag_of):
    values = np.ones((2, 60, 80), np.float32)
    values[:, 20:40, 20:60] = np.array([0.2, 0.5], np.float32)[:, None, None]
    values -= np.abs(np.random.default_rng(0).normal(0, 0.002, values.shape)).astype(np.float32)
    image = XrayImage(np.minimum(values, 1), Quantity.TRANSMISSION, DUAL_ENERGY)
    found = isolate_in_air(image, "k", "knife", "k", IsolateConfig(denoise=False))
    assert found.signature.mask.sum() == pytest.approx(22 * 42, rel=0.02)
    np.testing.assert_allclose(found.signature.image.values[:, 1:-1, 1:-1], values[:, 20:40, 20:60], rtol=1e-5)
    quieter = isolate_in_air(image, "k", "knife", "k").signature
    np.testing.assert_allclose(quieter.image.values[:, 1:-1, 1:-1], values[:, 20:40, 20:60], atol=0.01)
    air = XrayImage(np.ones((2, 60, 80), np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)
    assert reason(isolate_in_air(air, "k", "knife", "k")) is Reason.NOTHING_STANDS_OUT


def test_a_given_mask_is_trusted_and_a_guessed_one_is_judged():
    assert isolate(scene(0, mask_too=True)[0], 0).mask_overlap == 1
    guessed = isolate(scene(0)[0], 0)
    assert 0 < guessed.mask_overlap < 1
    assert guessed.quality <= guessed.mask_overlap


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 9999), st.booleans())
def test_the_bag_behind_times_the_signature_is_the_scan(seed, mask_too):
    sample, _, _ = scene(seed, mask_too)
    found = isolate(sample, 0)
    x0, y0, x1, y1 = (int(edge) for edge in found.box)
    scan = sample.image.values[:, y0:y1, x0:x1]
    np.testing.assert_allclose(found.bag_behind.values * found.signature.image.values, scan, rtol=2e-5)
    assert (found.bag_behind.values >= scan * (1 - 1e-5)).all()


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 9999), st.sampled_from(["left", "top", "right", "bottom"]))
def test_a_threat_at_the_border_is_isolated_from_what_is_left_of_its_ring(seed, side):
    sample, mask, _ = scene(seed)
    x0, y0, x1, y1 = (int(edge) for edge in sample.annotations.boxes[0])
    rows, columns = {
        "left": (slice(None), slice(x0 + 2, None)),
        "top": (slice(y0 + 3, None), slice(None)),
        "right": (slice(None), slice(None, x1 - 2)),
        "bottom": (slice(None, y1 - 2), slice(None)),
    }[side]
    values, mask = np.ascontiguousarray(sample.image.values[:, rows, columns]), mask[rows, columns]
    left, top = columns.start or 0, rows.start or 0
    box = np.array([[x0 - left - 2, y0 - top - 2, x1 - left + 2, y1 - top + 2]], np.float32)  # sticks out of the picture
    found = isolate(Sample("s", XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY), Annotations(box, ("gun",)), "g"), 0)
    placed = np.zeros(mask.shape, bool)
    x0, y0, x1, y1 = (int(edge) for edge in found.box)
    placed[y0:y1, x0:x1] = found.signature.mask
    assert (placed & mask).sum() / (placed | mask).sum() > 0.8


def test_hostile_scans_are_right_or_refused_with_a_reason():
    sample, _, _ = scene(0)
    for bad in (np.nan, np.inf, 1.5, -0.1, 0.0):  # readers clip and count; the type refuses
        values = sample.image.values.copy()
        values[0, 40, 50] = bad
        with pytest.raises(DataError, match="transmission must lie in"):
            XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY)
    starved = sample.image.values.copy()
    starved[:, 30:60:7, 30:100:7] = 2.0**-17
    found = isolate(Sample("s", XrayImage(starved, Quantity.TRANSMISSION, DUAL_ENERGY), sample.annotations, "g"), 0)
    assert isinstance(found, Isolated)
    assert np.isfinite(found.signature.image.values).all()
    black = XrayImage(np.full((2, 110, 140), 2.0**-17, np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)
    assert reason(isolate(Sample("s", black, sample.annotations, "g"), 0)) is Reason.NOTHING_STANDS_OUT
    for size in ((1, 1), (1, 140), (110, 1)):
        values = np.full((2, *size), 0.5, np.float32)
        box = np.array([[0, 0, size[1], size[0]]], np.float32)
        tiny = Sample("s", XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY), Annotations(box, ("gun",)), "g")
        assert reason(isolate(tiny, 0)) is Reason.NO_RING
    one = np.zeros((1, 110, 140), bool)
    one[0, 40, 50] = True
    pixel = Annotations(np.array([[50, 40, 51, 41]], np.float32), ("gun",), one)
    assert reason(isolate(Sample("s", sample.image, pixel, "g"), 0)) is Reason.TOO_SMALL
    everywhere = Annotations(np.array([[0, 0, 140, 110]], np.float32), ("gun",), np.ones((1, 110, 140), bool))
    assert reason(isolate(Sample("s", sample.image, everywhere, "g"), 0)) is Reason.NO_RING
    other = Annotations(sample.annotations.boxes, ("gun",), np.ones((1, 90, 140), bool))
    with pytest.raises(DataError, match="expected masks of 140x110 pixels as the scan has, got 140x90"):
        isolate(Sample("s", sample.image, other, "g"), 0)
    with pytest.raises(DataError, match="must be finite with x1 > x0"):
        Annotations(np.array([[np.nan, 0, 5, 5]], np.float32), ("gun",))


def test_one_pixel_signatures_are_allowed_where_asked_for():
    one = np.zeros((1, 110, 140), bool)
    one[0, 40, 50] = True
    values = np.full((2, 110, 140), 0.8, np.float32)
    values[:, 40, 50] = 0.2
    pixel = Sample(
        "s",
        XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY),
        Annotations(np.array([[50, 40, 51, 41]], np.float32), ("gun",), one),
        "g",
    )
    found = isolate(pixel, 0, IsolateConfig(min_area=1, soft_edge=0))
    assert found.signature.image.values.ravel().tolist() == pytest.approx([0.25, 0.25])


def test_a_picture_full_of_threat_has_no_air():
    values = np.full((2, 60, 80), 0.4, np.float32)
    values[:, :2, :2] = 0.99
    found = isolate_in_air(XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY), "k", "knife", "k")
    assert reason(found) is Reason.NO_RING


@pytest.mark.slow
def test_quality_ranks_the_phantoms_masks_as_their_overlap_does():
    from scipy.stats import spearmanr

    from threatray.phantom.dataset import JobKind, PhantomConfig, plan, render_scan

    config = PhantomConfig(labelled=dict.fromkeys(PhantomConfig().labelled, 0), validation_threat_per_class=3)
    overlaps, qualities = [], []
    for job in plan(config, 11):
        if job.kind is not JobKind.VALIDATION or job.class_name is None:
            continue
        sample = render_scan(job, config).sample
        true = sample.annotations.masks[0]
        found = isolate(replace(sample, annotations=replace(sample.annotations, masks=None)), 0)
        if isinstance(found, Refused):
            continue
        placed = np.zeros(true.shape, bool)
        x0, y0, x1, y1 = (int(edge) for edge in found.box)
        placed[y0:y1, x0:x1] = found.signature.mask
        overlaps.append((placed & true).sum() / (placed | true).sum())
        qualities.append(found.quality)
    assert len(overlaps) >= 14
    assert spearmanr(overlaps, qualities).statistic > 0.5


@pytest.mark.real
def test_masks_of_real_threats_overlap_the_drawn_ones(real_data):
    overlaps = []
    for path in sorted((real_data / "sixray_masks" / "masks").glob("*.png")):
        drawn = read_pixels(path)
        pixels = read_pixels(real_data / "sixray_masks" / "images" / f"{path.stem}.jpg")
        values = np.ascontiguousarray(pixels.transpose(2, 0, 1).astype(np.float32) / 255)
        picture = XrayImage(values, Quantity.PSEUDO_COLOUR, COLOUR)
        scan = picture.as_channel_transmission(air_colour(picture))
        for class_id in (1, 2):
            count, labels, stats, _ = cv2.connectedComponentsWithStats((drawn == class_id).astype(np.uint8))
            for number in range(1, count):
                x, y, width, height, area = stats[number]
                if area < 400:
                    continue
                box = np.array([[x, y, x + width, y + height]], np.float32)
                found = isolate(Sample(path.stem, scan, Annotations(box, ("gun",)), path.stem), 0, IsolateConfig(soft_edge=0))
                placed = np.zeros(scan.size, bool)
                if isinstance(found, Isolated):
                    x0, y0, x1, y1 = (int(edge) for edge in found.box)
                    placed[y0:y1, x0:x1] = found.signature.mask
                overlaps.append((placed & (labels == number)).sum() / (placed | (labels == number)).sum())
    assert len(overlaps) == 22
    assert np.mean(overlaps) >= 0.80


@pytest.mark.real
def test_real_pairs_show_the_r_value_of_steel_and_of_polymer(real_data):
    for name, expected in (("knife/knife_90", 2.25), ("gun/gun_21", 1.31)):
        pair = [read_pixels(real_data / "dual_energy" / f"{name}_{energy}.png") / 60_000 for energy in ("low", "high")]
        image = XrayImage(np.clip(np.stack(pair), 2**-17, 1).astype(np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)
        low, high = isolate_in_air(image, "k", "knife", "k", IsolateConfig(darkest=2**-14)).signature.image.attenuation().values
        thick = high > 0.1
        assert np.median(low[thick] / high[thick]) == pytest.approx(expected, rel=0.15)


def test_a_guess_that_an_opening_shows_to_be_wrong_is_mended_and_still_counts_against_the_quality():
    values = np.full((1, 90, 120), 0.8, np.float32)
    values[0, 20:70, :25] = 0.2  # dark beside the threat, and ends there
    values[0, 20:70, 25:100] = 0.25
    values[0, 30:60, 35:90] = 0.8
    mask = np.zeros((90, 120), bool)
    mask[20:70, 25:100] = True
    sample = Sample(
        "s",
        XrayImage(values, Quantity.TRANSMISSION, GREY),
        Annotations(np.array([[25, 20, 100, 70]], np.float32), ("gun",), mask[None]),
        "g",
    )
    found = isolate(sample, 0, IsolateConfig(soft_edge=0))
    assert isinstance(found, Isolated)
    assert np.median(found.signature.image.values[0, 12:38, 12:20]) == 1  # the opening, where the film from the ring is darkest
    assert found.clipped_share > 0.05
