import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core import DUAL_ENERGY, Origin, OriginKind, Quantity, Signature, XrayImage
from threatray.errors import ConfigError, DataError
from threatray.synthesis.gate import GateConfig, Reason, judge

MASK = np.zeros((10, 10), bool)
MASK[2:8, 2:8] = True


def thing(transmission, mask=MASK):
    values = np.ones((2, 10, 10), np.float32)
    values[:, mask] = transmission
    return Signature("s", XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY), mask, "gun", Origin(OriginKind.TRANSLATED, "p", "p"))


def test_a_good_signature_is_accepted_with_its_figures():
    verdict = judge(thing(0.5), MASK, 0.9)
    assert verdict.accepted
    assert verdict.reason is Reason.ACCEPTED
    assert verdict.silhouette_iou == 1.0
    assert verdict.mean_attenuation == pytest.approx(np.log(2))


def test_what_no_one_would_see_is_too_transparent():
    assert judge(thing(0.97), MASK, 0.9).reason is Reason.TOO_TRANSPARENT


def test_a_black_blot_is_saturated():
    assert judge(thing(0.001), MASK, 0.9).reason is Reason.SATURATED


def test_an_object_with_a_hole_that_the_photo_has_not_moved_its_silhouette():
    values = np.ones((2, 10, 10), np.float32)
    values[:, 2:8, 2:5] = 0.3  # half of the mask; the other half is air
    half = Signature("s", XrayImage(values, Quantity.TRANSMISSION, DUAL_ENERGY), MASK, "gun", Origin(OriginKind.TRANSLATED, "p", "p"))
    verdict = judge(half, MASK, 0.9)
    assert verdict.silhouette_iou == 0.5
    assert verdict.reason is Reason.SILHOUETTE_MOVED


@pytest.mark.parametrize("probability", [0.05, float("nan")])
def test_what_no_classifier_recognises_is_turned_away(probability):
    assert judge(thing(0.5), MASK, probability).reason is Reason.NOT_RECOGNISED


@settings(deadline=None, max_examples=30)
@given(st.floats(0.02, 0.9), st.floats(0, 1), st.floats(0, 1))
def test_a_stricter_limit_never_accepts_more(transmission, probability, limit):
    loose = judge(thing(np.float32(transmission)), MASK, probability, GateConfig(least_class_probability=limit / 2))
    strict = judge(thing(np.float32(transmission)), MASK, probability, GateConfig(least_class_probability=limit))
    assert loose.accepted or not strict.accepted


def test_refuses_limits_out_of_range_and_masks_of_another_size():
    with pytest.raises(ConfigError, match=r"least_iou must lie in \[0, 1\], got 1.2"):
        GateConfig(least_iou=1.2)
    with pytest.raises(DataError, match=r"signature s is \(10, 10\), the photo's mask \(9, 9\)"):
        judge(thing(0.5), np.ones((9, 9), bool), 1.0)
