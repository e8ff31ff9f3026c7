from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core import GREY, Origin, OriginKind, Quantity, Signature, XrayImage
from threatray.errors import ConfigError, DataError
from threatray.tip.vary import Kernel, Variation, VariationParams, length_px, scale_to_length, vary

seeds = st.integers(0, 2**32 - 1)
laws = settings(deadline=None, max_examples=25)
some_params = st.builds(
    VariationParams,
    flip=st.booleans(),
    angle_deg=st.floats(-720, 720),
    scale=st.floats(0.3, 3),
    density_power=st.floats(0.5, 2),
    blur_px=st.sampled_from([0.0, 0.7, 2.0]),
    kernel=st.sampled_from(list(Kernel)),
)


@laws
@given(seeds, some_params)
def test_a_varied_signature_is_still_a_signature_with_a_tight_mask(signature_of, seed, params):
    made = vary(signature_of(seed), params)  # Signature itself checks that it is 1 outside its mask
    assert made.mask.any(axis=0)[[0, -1]].all()
    assert made.mask.any(axis=1)[[0, -1]].all()


@laws
@given(seeds, some_params)
def test_nothing_gets_denser_than_it_was_but_by_the_power(signature_of, seed, params):
    thing = signature_of(seed)
    assert vary(thing, params).image.attenuation().values.max() <= thing.image.attenuation().values.max() * params.density_power * 1.0001


@laws
@given(seeds, st.floats(0.5, 2))
def test_the_power_multiplies_every_attenuation(signature_of, seed, power):
    plain, thick = vary(signature_of(seed), VariationParams()), vary(signature_of(seed), VariationParams(density_power=power))
    np.testing.assert_allclose(thick.image.attenuation().values, plain.image.attenuation().values * power, rtol=1e-5, atol=1e-6)


@laws
@given(seeds)
def test_default_parameters_keep_the_bits(signature_of, seed):
    thing = signature_of(seed)
    made = vary(thing, VariationParams())
    rows, columns = np.flatnonzero(thing.mask.any(axis=1)), np.flatnonzero(thing.mask.any(axis=0))
    window = thing.image.values[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert (made.image.values == window).all()
    assert (made.mask == thing.mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]).all()


@laws
@given(seeds, st.sampled_from([90, 180, 270, -90, 450]))
def test_quarter_turns_are_exact_and_counter_clockwise(signature_of, seed, angle):
    plain, turned = vary(signature_of(seed), VariationParams()), vary(signature_of(seed), VariationParams(angle_deg=angle))
    assert (turned.image.values == np.rot90(plain.image.values, angle // 90, axes=(1, 2))).all()


@laws
@given(seeds, st.sampled_from([0, 90, 180, 270]), st.booleans(), st.floats(0.5, 2))
def test_grain_is_turned_and_mirrored_with_its_thing_and_thickness_leaves_it(signature_of, grainy_of, seed, angle, flip, power):
    thing = grainy_of(signature_of(seed), seed)
    made = vary(thing, VariationParams(flip=flip, angle_deg=angle, density_power=power))
    seen = vary(thing, VariationParams()).grain
    assert (made.grain == np.rot90(seen[..., ::-1] if flip else seen, angle // 90, axes=(1, 2))).all()
    assert vary(signature_of(seed), VariationParams(angle_deg=angle)).grain is None


@laws
@given(seeds, some_params)
def test_grain_goes_where_the_attenuation_goes(signature_of, seed, params):
    # A grain that is the attenuation itself stays it, but for the clip of overshoots, the floor and the power.
    thing = signature_of(seed)
    attenuation = thing.image.attenuation().values
    thing = dataclasses.replace(thing, grain=np.ascontiguousarray(attenuation[[0, 1, 0]]))
    made, plain = vary(thing, dataclasses.replace(params, density_power=1.0)), vary(thing, params)
    assert (made.mask == plain.mask).all()
    expected = made.image.attenuation().values[[0, 1, 0]]
    clipped = np.clip(made.grain, 0, attenuation.max())
    np.testing.assert_allclose(clipped, expected, atol=1e-4)
    assert (made.grain == plain.grain).all()


@laws
@given(seeds)
def test_mirroring_twice_is_the_identity(signature_of, seed):
    flip = VariationParams(flip=True)
    assert (vary(vary(signature_of(seed), flip), flip).mask == vary(signature_of(seed), VariationParams()).mask).all()


@pytest.mark.parametrize("angle", [89.999, 269.999])
def test_small_turns_agree_with_quarter_turns(bar_of, angle):
    # A bar denser on its right end: a counter-clockwise quarter turn brings that end to the top.
    bar = bar_of()
    values = bar.image.values.copy()
    values[:, :, 20:] = 0.1
    bar = dataclasses.replace(bar, image=dataclasses.replace(bar.image, values=values))
    near, exact = vary(bar, VariationParams(angle_deg=angle)), vary(bar, VariationParams(angle_deg=round(angle)))
    half = near.image.values.shape[1] // 2
    tops = [each.image.values[0, : half - 2].mean() for each in (near, exact)]
    assert tops[0] == pytest.approx(tops[1], abs=0.12)


@laws
@given(st.floats(0, 360), st.floats(0.5, 2.5))
def test_turning_and_scaling_keep_the_amount_of_stuff(bar_of, angle, scale):
    plain = bar_of(60, 20)
    made = vary(plain, VariationParams(angle_deg=angle, scale=scale))
    before, after = plain.image.attenuation().values.sum(), made.image.attenuation().values.sum()
    assert after == pytest.approx(before * scale**2, rel=0.08)


@pytest.mark.parametrize(("kernel", "most"), [(Kernel.CUBIC, 0.05), (Kernel.LANCZOS, 0.035)])
def test_eight_turns_of_45_degrees_give_back_the_thing(kernel, most):
    rows, columns = np.mgrid[:80, :100]
    inside = (rows > 8) & (rows < 70) & (columns > 10) & (columns < 90)
    waves = 0.8 + 0.3 * np.sin(rows / 4) * np.cos(columns / 5)
    values = np.where(inside, np.exp(-waves), 1).astype(np.float32)[None]
    plain = Signature("s", XrayImage(values, Quantity.TRANSMISSION, GREY), inside, "gun", Origin(OriginKind.RENDERED, "s", "s"))
    turned = plain
    for _ in range(8):
        turned = vary(turned, VariationParams(angle_deg=45, kernel=kernel))
    before, after = plain.image.attenuation().values[0], turned.image.attenuation().values[0]
    margin = [(have - 40) // 2 for have in after.shape]
    middle = after[margin[0] : margin[0] + 40, margin[1] : margin[1] + 40]
    shifts = [before[19 + dy : 59 + dy, 30 + dx : 70 + dx] for dy in range(-1, 3) for dx in range(-1, 3)]
    assert min(np.sqrt(np.mean((middle - shift) ** 2)) for shift in shifts) < most


def test_the_canvas_holds_the_whole_thing_however_it_is_turned(bar_of):
    bar = bar_of(60, 20)
    for angle in range(0, 360, 15):
        for flip in (False, True):
            made = vary(bar, VariationParams(flip=flip, angle_deg=angle + 0.5, scale=1.7))
            radians = np.deg2rad(angle + 0.5)
            width = 1.7 * (60 * abs(np.cos(radians)) + 20 * abs(np.sin(radians)))
            height = 1.7 * (60 * abs(np.sin(radians)) + 20 * abs(np.cos(radians)))
            assert made.image.width == pytest.approx(width, abs=4)
            assert made.image.height == pytest.approx(height, abs=4)


def test_mirroring_comes_before_turning(bar_of):
    import dataclasses

    bar = bar_of(60, 20)
    values = bar.image.values.copy()
    values[:, :, 40:] = 0.1
    lopsided = dataclasses.replace(bar, image=dataclasses.replace(bar.image, values=values))
    exact = vary(lopsided, VariationParams(flip=True, angle_deg=90)).image.values[0]
    near = vary(lopsided, VariationParams(flip=True, angle_deg=89.99)).image.values[0]
    assert exact.shape == (60, 20)
    assert near[2:20, 3:17].mean() == pytest.approx(exact[2:20, 3:17].mean(), abs=0.05)
    assert near[42:58, 3:17].mean() == pytest.approx(exact[42:58, 3:17].mean(), abs=0.05)


def test_lengths_scale(bar_of):
    bar = bar_of(60, 20)
    assert length_px(bar) == pytest.approx(np.hypot(60, 20))
    scale = scale_to_length(bar, 150)
    assert length_px(vary(bar, VariationParams(angle_deg=33, scale=scale))) == pytest.approx(150, abs=4)


@laws
@given(seeds)
def test_what_is_drawn_lies_in_its_ranges_and_is_recorded_whole(signature_of, seed):
    variation = Variation((10, 20), 1.0, (0.5, 0.6), (0.9, 1.1), (0.2, 0.4))
    params = variation.draw(signature_of(0), np.random.default_rng(seed))
    assert params.flip
    assert 10 <= params.angle_deg <= 20
    assert 0.5 <= params.scale <= 0.6
    assert 0.9 <= params.density_power <= 1.1
    assert 0.2 <= params.blur_px <= 0.4
    assert VariationParams.from_json(json.loads(json.dumps(params.as_json()))) == params


def test_refuses_impossible_settings(signature_of):
    with pytest.raises(ConfigError, match="angle_range_deg must run from low to high"):
        Variation(angle_range_deg=(90, 10))
    with pytest.raises(ConfigError, match="flip_probability must lie in"):
        Variation(flip_probability=2)
    with pytest.raises(ConfigError, match="must lie above 0"):
        Variation(scale_range=(0, 1))
    with pytest.raises(ConfigError, match="scale must be finite and above 0"):
        VariationParams(scale=0)
    with pytest.raises(ConfigError, match="target_length_px must be above 0"):
        scale_to_length(signature_of(0), 0)
    with pytest.raises(DataError, match="no side may exceed 8192"):
        vary(signature_of(0), VariationParams(scale=10_000))
