from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core import COLOUR, DUAL_ENERGY, GREY, Quantity, Signature, XrayImage, box_of_mask
from threatray.errors import DataError
from threatray.physics.pseudo_colour import DEFAULT_PALETTE
from threatray.tip.colour import ColourTip
from threatray.tip.compose import CHANGE_EPSILON, CompositeParams, Insertion
from threatray.tip.levels import ChannelLaw, EnergyLaw, StoredScan, compose_levels
from threatray.tip.vary import VariationParams, vary

seeds = st.integers(0, 2**32 - 1)
kinds = st.sampled_from([(GREY, np.uint8), (GREY, np.uint16), (DUAL_ENERGY, np.uint16), (COLOUR, np.uint8), (COLOUR, np.uint16)])
columns, rows = st.integers(0, 37 - 13), st.integers(0, 31 - 9)
laws = settings(deadline=None, max_examples=25)


def stored(seed: int, channels: tuple[str, ...], dtype: type) -> StoredScan:
    """Levels over the whole range, pixel by pixel in memory as a decoder gives them."""
    top = np.iinfo(dtype).max
    pixels = np.random.default_rng(seed).integers(0, top, (31, 37, len(channels)), dtype, endpoint=True)
    return StoredScan(pixels.transpose(2, 0, 1), channels)


def at(x: int, y: int, name: str = "s", **variation) -> Insertion:
    return Insertion(name, VariationParams(**variation), x, y)


def projected(bag: StoredScan, thing: Signature, *insertions: Insertion) -> np.ndarray:
    return compose_levels(bag, CompositeParams("bag", insertions), lambda _: thing).levels


@laws
@given(seeds, kinds, columns, rows)
def test_an_empty_signature_changes_nothing(signature_of, seed, kind, x, y):
    bag, thing = stored(seed, *kind), signature_of(seed, len(kind[0]))
    nothing = np.ones_like(thing.image.values)
    assert (ChannelLaw().put(bag.levels[:, y : y + 9, x : x + 13], nothing) == bag.levels[:, y : y + 9, x : x + 13]).all()


@laws
@given(seeds, kinds, columns, rows)
def test_never_brightens_the_bag(signature_of, seed, kind, x, y):
    bag = stored(seed, *kind)
    assert (projected(bag, signature_of(seed, len(kind[0])), at(x, y)) <= bag.levels).all()


@laws
@given(seeds, kinds, columns, rows)
def test_every_level_is_the_laws_within_half_a_level(signature_of, seed, kind, x, y):
    bag, thing = stored(seed, *kind), signature_of(seed, len(kind[0]))
    expected = bag.levels.astype(np.float64)
    tight = vary(thing, VariationParams())
    height, width = tight.image.size
    x, y = min(x, 37 - width), min(y, 31 - height)
    expected[:, y : y + height, x : x + width] *= tight.image.values
    error = np.abs(projected(bag, thing, at(x, y)) - expected)
    assert error.max() <= 0.5 + (1e-4 if kind[1] is np.uint8 else 1e-9)


@laws
@given(seeds, kinds, columns, rows)
def test_pixels_outside_the_signature_are_the_bags_bit_for_bit(signature_of, seed, kind, x, y):
    bag, thing = stored(seed, *kind), signature_of(seed, len(kind[0]))
    tight = vary(thing, VariationParams())
    outside = np.ones(bag.size, bool)
    outside[y : y + tight.mask.shape[0], x : x + tight.mask.shape[1]] = ~tight.mask
    made = projected(bag, thing, at(x, y))
    assert made.dtype == bag.levels.dtype
    assert made[:, outside].tobytes() == bag.levels[:, outside].tobytes()


@laws
@given(seeds, kinds, columns, rows, columns, rows)
def test_the_order_of_threats_does_not_matter_to_a_bit(signature_of, seed, kind, x, y, other_x, other_y):
    bag = stored(seed, *kind)
    library = {name: signature_of(seed + number, len(kind[0]), name=name) for number, name in enumerate("abc")}
    three = (at(x, y, "a", density_power=1.1), at(other_x, other_y, "b", flip=True), at(x, other_y, "c"))
    one = compose_levels(bag, CompositeParams("bag", three), library.__getitem__)
    other = compose_levels(bag, CompositeParams("bag", three[::-1]), library.__getitem__)
    assert one.levels.tobytes() == other.levels.tobytes()
    for mine, theirs in zip(one.things, other.things[::-1], strict=True):
        assert (mine.visible == theirs.visible).all()


@laws
@given(seeds, kinds, columns, rows, columns, rows)
def test_threats_over_each_other_are_multiplied_and_rounded_once(signature_of, seed, kind, x, y, other_x, other_y):
    bag = stored(seed, *kind)
    library = {name: signature_of(seed + number, len(kind[0]), name=name) for number, name in enumerate("ab")}
    pair = (at(x, y, "a"), at(other_x, other_y, "b"))
    expected = bag.levels.astype(np.float64)
    for insertion in pair:
        tight = vary(library[insertion.signature_id], VariationParams())
        height, width = tight.image.size
        expected[:, insertion.y : insertion.y + height, insertion.x : insertion.x + width] *= tight.image.values
    made = compose_levels(bag, CompositeParams("bag", pair), library.__getitem__).levels
    assert np.abs(made - expected).max() <= 0.51


@laws
@given(seeds, kinds, columns, rows)
def test_boxes_and_masks_bound_exactly_the_pixels_that_changed_by_more_than_noise(signature_of, seed, kind, x, y):
    rng = np.random.default_rng(seed)
    thing = signature_of(seed, len(kind[0]))
    faint = np.where(rng.random(thing.mask.shape) < 0.3, np.float32(np.exp(-CHANGE_EPSILON / 4)), thing.image.values)
    faint = np.where(thing.mask, faint, 1).astype(np.float32)
    faint[:, 4, 6] = 0.5
    thing = Signature("s", XrayImage(faint, Quantity.TRANSMISSION, kind[0]), thing.mask, "gun", thing.origin)
    top = np.iinfo(kind[1]).max
    levels = rng.integers(top // 2, top, (len(kind[0]), 31, 37), kind[1])
    made = compose_levels(StoredScan(levels, kind[0]), CompositeParams("bag", (at(x, y),)), lambda _: thing)
    changed = ((levels - made.levels.astype(np.float64)) / levels > 0.008).any(axis=0)  # 0.0025 is faint, 0.1 is not
    things = made.annotations()
    assert (things.masks[0] == changed).all()
    assert tuple(things.boxes[0]) == box_of_mask(changed) == made.things[0].box
    assert (things.visible[0] == changed).all()  # in a light bag all of it is seen


@laws
@given(seeds, kinds)
def test_replaying_recorded_parameters_gives_the_same_bytes(signature_of, seed, kind):
    bag, thing = stored(seed, *kind), signature_of(seed, len(kind[0]))
    photon = (1e-3 * np.iinfo(kind[1]).max,) * len(kind[0])
    params = CompositeParams("bag", (at(3, 4, angle_deg=33.3, scale=0.8, density_power=1.07), at(20, 18, flip=True)), seed, photon)
    first = compose_levels(bag, params, lambda _: thing)
    again = compose_levels(bag, CompositeParams.from_json(json.loads(json.dumps(params.as_json()))), lambda _: thing)
    assert first.levels.tobytes() == again.levels.tobytes()
    assert first.params == again.params
    if len(kind[0]) < 3:  # colours by channels are no counts
        for changed in (replace(params, finish_seed=seed + 1), replace(params, levels_per_photon=())):
            assert compose_levels(bag, changed, lambda _: thing).levels.tobytes() != first.levels.tobytes()


def test_two_threats_far_apart_and_one_over_another_are_all_seen_as_they_are(bar_of):
    bag = StoredScan(np.full((2, 60, 90), 40000, np.uint16), DUAL_ENERGY)
    params = CompositeParams("bag", (at(0, 0), at(10, 2), at(45, 50)))
    made = compose_levels(bag, params, lambda _: bar_of(20, 6, 0.5))
    assert made.levels[0, 3, 5] == 20000
    assert made.levels[0, 3, 15] == 10000
    assert made.levels[0, 52, 50] == 20000
    assert [int(thing.amodal.sum()) for thing in made.things] == [120, 120, 120]
    assert [thing.box for thing in made.things] == [(0, 0, 20, 6), (10, 2, 30, 8), (45, 50, 65, 56)]


def test_what_nobody_can_see_is_not_in_the_visible_mask(bar_of):
    levels = np.full((3, 20, 60), 200, np.uint8)
    levels[:, :, 30:] = 2
    made = compose_levels(StoredScan(levels, COLOUR), CompositeParams("bag", (at(10, 5),)), lambda _: bar_of(40, 8, 0.4, 3))
    thing = made.things[0]
    assert thing.amodal.all()
    assert thing.visible[:, :20].all()
    assert not thing.visible[:, 20:].any()


def energies_law() -> EnergyLaw:
    return EnergyLaw(ColourTip(DEFAULT_PALETTE))


@laws
@given(seeds, columns, rows, columns, rows)
def test_with_grain_too_the_order_does_not_matter_and_a_replay_gives_the_same_bytes(signature_of, grainy_of, seed, x, y, other_x, other_y):
    bag = stored(seed, COLOUR, np.uint8)
    library = {name: grainy_of(signature_of(seed + number, 2, name=name), seed + number) for number, name in enumerate("abc")}
    three = (at(x, y, "a", angle_deg=20.0), at(other_x, other_y, "b", flip=True), at(x, other_y, "c"))
    three = tuple(replace(each, x=min(each.x, 20), y=min(each.y, 16)) for each in three)
    params = CompositeParams("bag", three)
    one = compose_levels(bag, params, library.__getitem__, energies_law())
    other = compose_levels(bag, CompositeParams("bag", three[::-1]), library.__getitem__, energies_law())
    again = CompositeParams.from_json(json.loads(json.dumps(params.as_json())))
    assert one.levels.tobytes() == other.levels.tobytes()
    assert one.levels.tobytes() == compose_levels(bag, again, library.__getitem__, energies_law()).levels.tobytes()
    for mine, theirs in zip(one.things, other.things[::-1], strict=True):
        assert (mine.visible == theirs.visible).all()


@laws
@given(seeds, columns, rows)
def test_grain_stays_within_its_threat_and_does_not_brighten(signature_of, grainy_of, seed, x, y):
    bag, thing = stored(seed, COLOUR, np.uint8), grainy_of(signature_of(seed, 2), seed)
    tight = vary(thing, VariationParams())
    outside = np.ones(bag.size, bool)
    outside[y : y + tight.mask.shape[0], x : x + tight.mask.shape[1]] = ~tight.mask
    params = CompositeParams("bag", (at(x, y),))
    made = compose_levels(bag, params, lambda _: thing, energies_law()).levels
    without = compose_levels(bag, params, lambda _: replace(thing, grain=None), energies_law()).levels
    assert made[:, outside].tobytes() == bag.levels[:, outside].tobytes()
    assert made.tobytes() != without.tobytes()
    weights = np.array(DEFAULT_PALETTE.weights)
    assert (np.tensordot(weights, made, 1) <= np.tensordot(weights, bag.levels, 1) + 1e-2).all()
    nothing = np.ones((2, 31, 37), np.float32)
    assert energies_law().put(bag.levels, nothing, np.full((3, 31, 37), 0.3, np.float32)).tobytes() == bag.levels.tobytes()


def test_the_law_gets_the_grains_of_all_threats_at_their_places(bar_of):
    levels, palette = np.full((3, 20, 30), 200, np.uint8), _Halving()
    bar = bar_of(12, 4, 0.4)
    things = {name: replace(bar, id=name, grain=np.full((3, 4, 12), share, np.float32)) for name, share in (("a", 0.25), ("b", 0.5))}
    things["c"] = bar
    params = CompositeParams("bag", (at(4, 5, "a"), at(8, 7, "b"), at(15, 8, "c")))
    made = compose_levels(StoredScan(levels, COLOUR), params, things.__getitem__, EnergyLaw(palette))
    expected = np.zeros((7, 23), np.float32)
    expected[0:4, 0:12] += 0.25
    expected[2:6, 4:16] += 0.5
    np.testing.assert_array_equal(palette.grain, np.stack([expected] * 3))
    assert made.things[0].visible[:2].all()  # asked for only now: what the others show, with their own grain
    expected[0:4, 0:12] -= 0.25
    np.testing.assert_array_equal(palette.grain, np.stack([expected] * 3))
    compose_levels(StoredScan(levels, COLOUR), CompositeParams("bag", (at(4, 5),)), lambda _: bar, EnergyLaw(palette))
    assert palette.grain is None


def test_transmissions_and_grains_go_together_in_an_order_of_their_own(bar_of):
    # Products and sums of floats depend on their order in the last bits, so that rounding would hide it nearly always.
    levels, bar = np.full((3, 20, 30), 200, np.uint8), bar_of(12, 4, 0.4)
    rng = np.random.default_rng(0)
    things = {}
    for name in "abcd":
        image = replace(bar.image, values=rng.uniform(0.3, 0.9, (2, 4, 12)).astype(np.float32))
        things[name] = replace(bar, id=name, image=image, grain=rng.normal(0, 0.2, (3, 4, 12)).astype(np.float32))
    four = tuple(at(8, 7, name) for name in "abcd")
    given = []
    for insertions in (four, four[::-1], (four[2], four[0], four[3], four[1])):
        palette = _Halving()
        compose_levels(StoredScan(levels, COLOUR), CompositeParams("bag", insertions), things.__getitem__, EnergyLaw(palette))
        given.append(palette.added.tobytes() + palette.grain.tobytes())
    assert given[0] == given[1] == given[2]


def test_counts_know_no_grain(bar_of):
    bag, bar = stored(0, DUAL_ENERGY, np.uint16), bar_of(12, 4, 0.4)
    grainy = replace(bar, grain=np.full((3, 4, 12), 0.25, np.float32))
    assert projected(bag, grainy, at(3, 4)).tobytes() == projected(bag, bar, at(3, 4)).tobytes()


def test_refuses_what_cannot_be_projected(bar_of):
    bag = stored(0, DUAL_ENERGY, np.uint16)
    with pytest.raises(DataError, match="the bag takes channels"):
        projected(bag, bar_of(8, 3, channels=3), at(0, 0))
    with pytest.raises(DataError, match=r"its 8x3 window at \(30, 0\) leaves the 37x31 scan"):
        projected(bag, bar_of(8, 3), at(30, 0))
    with pytest.raises(DataError, match="invisible and has no box"):
        projected(bag, bar_of(8, 3, 0.999), at(0, 0))
    with pytest.raises(DataError, match="expected uint8 or uint16"):
        StoredScan(np.zeros((2, 3, 4), np.float32), DUAL_ENERGY)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="2 channels but 1 channel names"):
        StoredScan(np.zeros((2, 3, 4), np.uint8), GREY)


class _Halving:
    """Stands in for a palette: shows half the levels where any energy is attenuated, and remembers what it was given."""

    def __init__(self) -> None:
        self.added: np.ndarray | None = None
        self.grain: np.ndarray | None = None

    def window(self, bag: np.ndarray, added: np.ndarray, grain: np.ndarray | None = None, noise: object = None) -> np.ndarray:
        self.added, self.grain = added, grain
        return np.where((added > 0).any(axis=0)[..., None], bag // 2, bag).astype(np.uint8)


def test_colour_goes_through_its_two_energies_where_the_law_says_so(bar_of):
    levels = np.full((3, 20, 30), 200, np.uint8)
    palette = _Halving()
    params = CompositeParams("bag", (at(4, 5), at(8, 7)))
    made = compose_levels(StoredScan(levels, COLOUR), params, lambda _: bar_of(12, 4, 0.4), EnergyLaw(palette))
    assert palette.added.shape == (2, 6, 16)
    np.testing.assert_allclose(palette.added[:, 3, 6], -2 * np.log(0.4), rtol=1e-5)  # attenuations of both threats, added
    assert (made.levels[:, 5:9, 4:16] == 100).all()
    assert (made.levels[:, 0] == 200).all()
    with pytest.raises(DataError, match="projection by energies is for scans in colour"):
        compose_levels(stored(0, GREY, np.uint8), params, lambda _: bar_of(12, 4, 0.4), EnergyLaw(palette))
    with pytest.raises(DataError, match="the bag takes channels"):
        compose_levels(StoredScan(levels, COLOUR), params, lambda _: bar_of(12, 4, 0.4, 3), EnergyLaw(palette))
