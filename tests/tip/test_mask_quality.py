from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.tip.mask_quality import MaskCues, expected_overlap, mask_cues

laws = settings(deadline=None, max_examples=40)


def scene() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A bar of attenuation 1.5 in a bag of 0.5, its box one pixel wider all round, and its mask."""
    attenuation = np.full((2, 60, 80), 0.25, np.float32)
    mask = np.zeros((60, 80), bool)
    mask[20:40, 15:65] = True
    attenuation[:, mask] += 0.75
    inside = np.zeros((60, 80), bool)
    inside[19:41, 14:66] = True
    return attenuation, inside, mask


def test_cues_of_a_bar_are_those_worked_out_by_hand():
    attenuation, inside, mask = scene()
    cues = mask_cues(mask, inside, attenuation)
    assert cues.widest_gap == pytest.approx(1 / 22)
    assert cues.gaps == pytest.approx(2 / 22 + 2 / 52)
    frame = 22 * 52 - 18 * 48
    assert cues.crossing == pytest.approx((20 * 50 - 18 * 48) / frame)
    assert cues.sharpness == 1
    assert cues.compactness == pytest.approx(np.sqrt(20 * 50) / (2 * 20 + 2 * 50 - 4))
    assert cues.contrast == pytest.approx(1.5, abs=0.02)
    assert cues.evenness == pytest.approx(0, abs=0.05)


def test_the_true_mask_is_expected_to_overlap_more_than_half_of_it_or_the_box():
    attenuation, inside, mask = scene()
    half = mask.copy()
    half[:, 40:] = False
    torn = mask & (np.random.default_rng(0).random(mask.shape) < 0.7)
    good = expected_overlap(mask_cues(mask, inside, attenuation))
    for worse in (half, torn, inside):
        assert expected_overlap(mask_cues(worse, inside, attenuation)) < good - 0.05


def test_a_few_pixels_are_no_mask():
    attenuation, inside, mask = scene()
    few = np.zeros_like(mask)
    few[25, 20:30] = True
    assert mask_cues(few, inside, attenuation) is None
    assert expected_overlap(None) == 0


@laws
@given(st.tuples(*(st.floats(-1e6, 1e6) for _ in range(7))))
def test_an_overlap_lies_between_nothing_and_all(cues):
    assert 0 <= expected_overlap(MaskCues(*cues)) <= 1


@laws
@given(st.floats(0.01, 0.7), st.floats(0.01, 0.1))
def test_a_wider_gap_to_the_box_is_never_a_better_sign(gap, more):
    cues = MaskCues(gap, 2 * gap, 0.05, 0.98, 0.12, 1.5, 0.4)
    assert expected_overlap(replace(cues, widest_gap=gap + more, gaps=2 * gap + more)) <= expected_overlap(cues)
