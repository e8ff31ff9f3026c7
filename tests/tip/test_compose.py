from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core import COLOUR, DUAL_ENERGY, TRANSMISSION_FLOOR, Quantity, Signature, XrayImage, box_of_mask
from threatray.errors import ConfigError, DataError
from threatray.tip.compose import (
    CHANGE_EPSILON,
    CompositeParams,
    Insertion,
    apply_composite,
    project,
    visible_mask,
)
from threatray.tip.draw import ComposeConfig, Scaling, draw_composite
from threatray.tip.placement import PlacementMode
from threatray.tip.refusal import Reason, Refused
from threatray.tip.vary import Variation, VariationParams

seeds = st.integers(0, 2**32 - 1)
channels = st.sampled_from([1, 2, 3])
columns = st.integers(0, 37 - 13)
rows = st.integers(0, 31 - 9)
laws = settings(deadline=None, max_examples=25)


def empty(signature: Signature) -> Signature:
    """The same silhouette of a thing that attenuates nothing."""
    image = XrayImage(np.ones_like(signature.image.values), Quantity.TRANSMISSION, signature.image.channels)
    return Signature("empty", image, signature.mask, "gun", signature.origin)


@laws
@given(seeds, channels, columns, rows)
def test_an_empty_signature_changes_nothing(bag_of, signature_of, seed, count, x, y):
    bag = bag_of(seed, count)
    assert (project(bag, empty(signature_of(seed, count)), x, y).values == bag.values).all()


@laws
@given(seeds, channels, columns, rows)
def test_never_brightens_the_bag(bag_of, signature_of, seed, count, x, y):
    bag = bag_of(seed, count)
    assert (project(bag, signature_of(seed, count), x, y).values <= bag.values).all()


@laws
@given(seeds, channels, columns, rows)
def test_attenuations_add(bag_of, signature_of, seed, count, x, y):
    bag, thing = bag_of(seed, count), signature_of(seed, count)
    expected = bag.attenuation().values.copy()
    expected[:, y : y + 9, x : x + 13] += thing.image.attenuation().values
    expected = np.minimum(expected, -np.log(TRANSMISSION_FLOOR))
    np.testing.assert_allclose(project(bag, thing, x, y).attenuation().values, expected, rtol=1e-5, atol=1e-6)


@laws
@given(seeds, channels, columns, rows)
def test_pixels_outside_the_signature_are_the_bags_bit_for_bit(bag_of, signature_of, seed, count, x, y):
    bag, thing = bag_of(seed, count), signature_of(seed, count)
    outside = np.ones(bag.size, bool)
    outside[y : y + 9, x : x + 13] = ~thing.mask
    assert project(bag, thing, x, y).values[:, outside].tobytes() == bag.values[:, outside].tobytes()


@laws
@given(seeds, seeds, columns, rows, columns, rows)
def test_projecting_two_signatures_commutes(bag_of, signature_of, first_seed, second_seed, x, y, other_x, other_y):
    bag, first, second = bag_of(first_seed), signature_of(first_seed), signature_of(second_seed)
    one = project(project(bag, first, x, y), second, other_x, other_y).values
    other = project(project(bag, second, other_x, other_y), first, x, y).values
    np.testing.assert_allclose(one, other, rtol=1e-6)


@laws
@given(seeds, columns, rows, columns, rows)
def test_the_order_of_insertions_does_not_matter_to_a_bit(bag_of, signature_of, seed, x, y, other_x, other_y):
    bag = bag_of(seed)
    library = {name: signature_of(seed + number, name=name) for number, name in enumerate("ab")}
    pair = (Insertion("a", VariationParams(density_power=1.1), x, y), Insertion("b", VariationParams(flip=True), other_x, other_y))
    one = apply_composite(bag, CompositeParams("bag", pair), library.__getitem__)
    other = apply_composite(bag, CompositeParams("bag", pair[::-1]), library.__getitem__)
    assert one.image.values.tobytes() == other.image.values.tobytes()
    assert (one.annotations.boxes == other.annotations.boxes[::-1]).all()


@laws
@given(seeds, channels, columns, rows)
def test_boxes_and_masks_bound_exactly_the_pixels_that_changed_by_more_than_noise(bag_of, signature_of, seed, count, x, y):
    rng = np.random.default_rng(seed)
    thing = signature_of(seed, count)
    faint = np.where(rng.random(thing.mask.shape) < 0.3, np.float32(np.exp(-CHANGE_EPSILON / 4)), thing.image.values)
    faint = np.where(thing.mask, faint, 1).astype(np.float32)
    faint[:, thing.mask.shape[0] // 2, thing.mask.shape[1] // 2] = 0.5
    thing = Signature("s", XrayImage(faint, Quantity.TRANSMISSION, thing.image.channels), thing.mask, "gun", thing.origin)
    values = rng.uniform(0.2, 1, (count, 31, 37)).astype(np.float32)  # not so dark that the floor hides the change
    bag = XrayImage(values, Quantity.TRANSMISSION, thing.image.channels)
    made = apply_composite(bag, CompositeParams("bag", (Insertion("s", VariationParams(), x, y),)), lambda _: thing)
    change = (bag.values.astype(np.float64) / made.image.values).max(axis=0)
    changed = np.log(change) > CHANGE_EPSILON / 2
    assert (made.annotations.masks[0] == changed).all()
    assert tuple(made.annotations.boxes[0]) == box_of_mask(changed)


@laws
@given(seeds)
def test_replaying_recorded_parameters_gives_the_same_bytes(bag_of, bar_of, seed):
    values = np.ones((2, 90, 110), np.float32)
    values[:, 10:80, 10:100] = np.random.default_rng(seed).uniform(0.4, 0.8, (2, 70, 90))
    bag = XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY)
    bar = bar_of()
    config = ComposeConfig(variation=Variation(scale_range=(0.5, 1.0), blur_range_px=(0.0, 1.0)))
    params = draw_composite(bag, "bag-1", [bar], np.random.default_rng(seed), config)
    assert isinstance(params, CompositeParams)
    first = apply_composite(bag, params, lambda _: bar)
    again = apply_composite(bag, CompositeParams.from_json(json.loads(json.dumps(params.as_json()))), lambda _: bar)
    assert first.image.values.tobytes() == again.image.values.tobytes()
    assert first.annotations.masks.tobytes() == again.annotations.masks.tobytes()
    assert first.params == again.params
    assert params == draw_composite(bag, "bag-1", [bar], np.random.default_rng(seed), config)


@laws
@given(seeds)
def test_never_outside_the_bag(bar_of, seed):
    values = np.ones((2, 90, 110), np.float32)
    values[:, 20:70, 30:100] = 0.6
    bag = XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY)
    silhouette, rng = values[0] < 0.9, np.random.default_rng(seed)
    for _ in range(4):
        params = draw_composite(bag, "bag-1", [bar_of(), bar_of(20, 6)], rng, relative_lengths=[0.3, 0.2])
        assert isinstance(params, CompositeParams)
        library = iter([bar_of(), bar_of(20, 6)])
        made = apply_composite(bag, params, lambda _, library=library: next(library))
        assert not (made.annotations.masks.any(axis=0) & ~silhouette).any()
        assert not made.annotations.masks.all(axis=0).any()  # nor one over the other


def test_a_hand_computed_projection(signature_of):
    bag = XrayImage(np.full((2, 3, 3), [[[0.8]], [[0.5]]], np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)
    mask = np.array([[True, False]])
    values = np.where(mask, np.array([0.25, 0.5], np.float32)[:, None, None], np.float32(1))
    thing = Signature("a", XrayImage(values.astype(np.float32), Quantity.TRANSMISSION, DUAL_ENERGY), mask, "gun", signature_of(0).origin)
    made = project(bag, thing, 1, 2)
    np.testing.assert_allclose(made.values[:, 2, 1], [0.2, 0.25])
    assert visible_mask(thing).tolist() == [[True, False]]


def test_a_starved_pixel_stays_at_the_floor(signature_of):
    bag = XrayImage(np.full((2, 9, 13), TRANSMISSION_FLOOR, np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)
    assert (project(bag, signature_of(1), 0, 0).values == np.float32(TRANSMISSION_FLOOR)).all()


def test_a_target_length_is_reached(bar_of):
    values = np.ones((2, 200, 240), np.float32)
    values[:, 20:180, 20:140] = 0.7  # a bag of diagonal 200
    bag = XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY)
    config = ComposeConfig(variation=Variation(angle_range_deg=(0, 0)))
    params = draw_composite(bag, "b", [bar_of(40, 8)], np.random.default_rng(0), config, relative_lengths=[0.4])
    box = apply_composite(bag, params, lambda _: bar_of(40, 8)).annotations.boxes[0]
    assert np.hypot(box[2] - box[0], box[3] - box[1]) == pytest.approx(0.4 * 200, abs=3)


def test_pixel_pitches_give_the_scale(bar_of):
    values = np.ones((2, 200, 240), np.float32)
    values[:, 20:180, 20:220] = 0.7
    bag = XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY)
    config = ComposeConfig(
        scaling=Scaling.PITCH, signature_pitch_mm=1.5, bag_pitch_mm=1.0, variation=Variation(angle_range_deg=(0, 0), flip_probability=0)
    )
    params = draw_composite(bag, "b", [bar_of(40, 8)], np.random.default_rng(0), config, relative_lengths=[0.1])
    assert params.insertions[0].variation.scale == 1.5
    box = apply_composite(bag, params, lambda _: bar_of(40, 8)).annotations.boxes[0]
    assert box[2] - box[0] == pytest.approx(60, abs=1)


def test_what_lies_in_the_bag_already_stays_free(bar_of):
    values = np.ones((2, 60, 120), np.float32)
    values[:, 10:50, 10:110] = 0.7
    bag = XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY)
    for seed in range(20):
        params = draw_composite(bag, "b", [bar_of(20, 6)], np.random.default_rng(seed), occupied=[(10, 10, 60, 50)])
        assert apply_composite(bag, params, lambda _: bar_of(20, 6)).annotations.boxes[0, 0] >= 60


def test_what_hardly_darkens_the_picture_is_not_visible(bar_of):
    values = np.full((2, 20, 60), 0.9, np.float32)
    values[:, :, 30:] = 0.01  # black on any screen
    bag = XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY)
    params = CompositeParams("b", (Insertion("bar", VariationParams(), 10, 5),))
    things = apply_composite(bag, params, lambda _: bar_of(40, 8)).annotations
    assert things.masks[0].sum() == 40 * 8
    assert things.visible[0, 5:13, 10:30].all()
    assert not things.visible[0, :, 30:].any()


def test_refuses_what_does_not_fit_what_is_hidden_and_what_is_faint(bar_of):
    values = np.ones((2, 60, 60), np.float32)
    values[:, 20:40, 20:40] = 0.6
    bag = XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY)
    rng = np.random.default_rng(0)

    def reason(bag: XrayImage, thing: Signature) -> Reason:
        found = draw_composite(bag, "b", [thing], rng)
        assert isinstance(found, Refused)
        return found.reason

    assert reason(bag, bar_of(50, 8)) is Reason.DOES_NOT_FIT
    assert reason(bag, bar_of(10, 4, 0.99)) is Reason.LOW_CONTRAST
    black = XrayImage(np.where(values < 1, 0.01, 1).astype(np.float32), Quantity.TRANSMISSION, DUAL_ENERGY)
    assert reason(black, bar_of(10, 4)) is Reason.NO_PLACE
    assert reason(XrayImage(np.ones((2, 60, 60), np.float32), Quantity.TRANSMISSION, DUAL_ENERGY), bar_of(10, 4)) is Reason.NO_BAG


def test_refuses_wrong_quantities_channels_and_places(bag_of, signature_of):
    colour = XrayImage(np.ones((3, 20, 20), np.float32), Quantity.PSEUDO_COLOUR, COLOUR)
    with pytest.raises(DataError, match="must be a transmission, got pseudo_colour"):
        project(colour, signature_of(0, 3), 0, 0)
    with pytest.raises(DataError, match="the bag has channels"):
        project(bag_of(0, 1), signature_of(0, 2), 0, 0)
    with pytest.raises(DataError, match=r"window at \(30, 0\) leaves the 37x31 scan"):
        project(bag_of(0), signature_of(0), 30, 0)
    with pytest.raises(DataError, match="leaves the 37x31 scan"):
        project(bag_of(0), signature_of(0), -1, 0)


def test_match_needs_positions_of_the_class(bag_of, bar_of):
    with pytest.raises(ConfigError, match="match needs the relative positions"):
        draw_composite(bag_of(0, 2), "b", [bar_of(8, 3)], np.random.default_rng(0), ComposeConfig(placement=PlacementMode.MATCH))
    with pytest.raises(ConfigError, match="1 threats but 2 relative lengths"):
        draw_composite(bag_of(0), "b", [bar_of(8, 3)], np.random.default_rng(0), relative_lengths=[0.1, 0.2])


def test_an_invisible_signature_has_no_box(bag_of, signature_of):
    with pytest.raises(DataError, match="invisible and has no box"):
        apply_composite(bag_of(0), CompositeParams("b", (Insertion("s", VariationParams(), 0, 0),)), lambda _: empty(signature_of(0)))


def test_broken_parameters_are_named():
    with pytest.raises(DataError, match="composite parameters: cannot be read"):
        CompositeParams.from_json({"bag_id": "b"})
    with pytest.raises(DataError, match="variation parameters"):
        CompositeParams.from_json({"bag_id": "b", "insertions": [{"signature_id": "s", "variation": {"twist": 1}, "x": 0, "y": 0}]})


@pytest.mark.parametrize("wrong", [{"min_inside": 0}, {"attempts": 0}, {"max_under_attenuation": 0}, {"scaling": Scaling.PITCH}])
def test_config_refuses(wrong):
    with pytest.raises(ConfigError, match="compose: "):
        ComposeConfig(**wrong)
