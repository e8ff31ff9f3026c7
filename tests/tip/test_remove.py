from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core import COLOUR, DUAL_ENERGY, Annotations, Quantity, Sample, XrayImage
from threatray.errors import DataError
from threatray.tip.compose import project
from threatray.tip.refusal import Reason, Refused
from threatray.tip.remove import Fill, Removed, fill_hole, remove_threats

laws = settings(deadline=None, max_examples=10)


def bag_with_threats(seed: int, count: int = 1, channels: tuple[str, ...] = DUAL_ENERGY) -> tuple[Sample, XrayImage]:
    """A grainy, sloping bag with bars in it, with their masks; and the bag alone."""
    rng = np.random.default_rng(seed)
    rows = np.mgrid[:120, :150][0].astype(np.float32)
    bag = np.stack([0.5 + 0.002 * rows + rng.normal(0, 0.02, rows.shape).astype(np.float32) for _ in channels])
    bag = np.maximum(bag, 0)
    scan, masks, boxes = bag.copy(), [], []
    for number in range(count):
        x, y = 20 + 60 * number, int(rng.integers(30, 60))
        mask = np.zeros((120, 150), bool)
        mask[y : y + 20, x : x + 45] = True
        scan[:, mask] += 1.2
        masks.append(mask)
        boxes.append([x, y, x + 45, y + 20])
    annotations = Annotations(np.array(boxes, np.float32), ("gun",) * count, np.array(masks))
    image, alone = (XrayImage(np.exp(-values).astype(np.float32), Quantity.TRANSMISSION, channels) for values in (scan, bag))
    return Sample("scan", image, annotations, "bag-1"), alone


@laws
@given(st.integers(0, 9999), st.integers(1, 2), st.sampled_from(list(Fill)))
def test_changes_nothing_outside_the_hole_and_darkens_nothing(seed, count, fill):
    sample, _ = bag_with_threats(seed, count)
    done = remove_threats(sample, fill=fill)
    before, after = sample.image.values, done.image.values
    assert after[:, ~done.hole].tobytes() == before[:, ~done.hole].tobytes()
    assert (after >= before - 1e-6).all()
    assert (done.hole & sample.annotations.masks.any(axis=0)).sum() == sample.annotations.masks.any(axis=0).sum()


@laws
@given(st.integers(0, 9999), st.sampled_from([Fill.HARMONIC, Fill.CONTINUED]))
def test_finds_the_bag_that_was_behind_to_its_grain(seed, fill):
    sample, alone = bag_with_threats(seed)
    done = remove_threats(sample, fill=fill)
    error = np.log(done.image.values / alone.values)[:, done.hole]
    assert np.sqrt((error**2).mean()) < 0.05
    assert abs(error.mean()) < 0.02


@laws
@given(st.integers(0, 9999), st.integers(1, 2), st.sampled_from([DUAL_ENERGY, ("grey",)]))
def test_a_reversible_removal_gives_the_scan_back(seed, count, channels):
    sample, _ = bag_with_threats(seed, count, channels)
    done = remove_threats(sample, fill=Fill.REVERSIBLE)
    image = done.image
    for found in done.isolated:
        image = project(image, found.signature, int(found.box[0]), int(found.box[1]))
    np.testing.assert_allclose(image.values, sample.image.values, rtol=2e-5)


@laws
@given(st.integers(0, 9999))
def test_in_colour_too_where_the_threat_is_lighter_in_one_channel(seed):
    sample, _ = bag_with_threats(seed, 1, COLOUR)
    values = sample.image.values.copy()
    mask = sample.annotations.masks[0]
    values[2][mask] = 0.72  # steel: bright blue, over a bag that is darker in blue
    values[:2, mask] = 0.36
    sample = replace(sample, image=XrayImage(values, Quantity.TRANSMISSION, COLOUR))
    done = remove_threats(sample, fill=Fill.REVERSIBLE)
    found = done.isolated[0]
    again = project(done.image, found.signature, int(found.box[0]), int(found.box[1]))
    np.testing.assert_allclose(again.values, sample.image.values, rtol=2e-5)
    free = remove_threats(sample, fill=Fill.HARMONIC)
    assert np.median(free.image.values[2][mask]) < 0.65  # the others make the bag up as it is, darker in blue


def test_a_bag_that_may_still_hold_a_threat_is_refused():
    sample, _ = bag_with_threats(0, 2)
    masks = sample.annotations.masks.copy()
    masks[1] = False
    masks[1, 5:8, 5:8] = True
    unsure = replace(sample, annotations=replace(sample.annotations, masks=masks))
    refused = remove_threats(unsure)
    assert isinstance(refused, Refused)
    assert refused.reason is Reason.TOO_SMALL


def test_wrong_input_is_refused():
    sample, alone = bag_with_threats(0)
    with pytest.raises(DataError, match="has no annotation, so there is nothing to take out"):
        remove_threats(replace(sample, annotations=Annotations.none()))
    with pytest.raises(DataError, match="a reversible fill belongs to a threat"):
        fill_hole(alone, np.zeros(alone.size, bool), Fill.REVERSIBLE)
    assert fill_hole(alone, np.zeros(alone.size, bool)).values.tobytes() == alone.values.tobytes()


def test_the_same_scan_gives_the_same_bytes():
    first, again = (remove_threats(bag_with_threats(3, 2)[0]) for _ in range(2))
    assert isinstance(first, Removed)
    assert first.image.values.tobytes() == again.image.values.tobytes()
