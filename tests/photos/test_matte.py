from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core import BoolArray
from threatray.errors import DataError
from threatray.photos.background import border_of, fit_background, to_lab
from threatray.photos.matte import MatteMethod, matte


def iou(first: BoolArray, second: BoolArray) -> float:
    return float((first & second).sum() / (first | second).sum())


def scissors(height: int = 220, width: int = 300) -> BoolArray:
    """A ring with a blade: its hole must stay open."""
    y, x = np.mgrid[:height, :width]
    radius = np.hypot(x - 90, y - 110)
    return ((radius < 50) & (radius > 30)) | ((abs(y - 110) < 9) & (x > 135) & (x < 260))


def photo(ground: np.ndarray[Any, Any], mask: BoolArray, colour: tuple[int, int, int] = (50, 60, 70), noise: float = 2.0) -> Any:
    shown = np.where(mask[..., None], np.array(colour, float), ground)
    shown = shown + np.random.default_rng(0).normal(0, noise, shown.shape)
    return np.clip(shown, 0, 255).astype(np.uint8)


@settings(deadline=None, max_examples=8)
@given(st.tuples(*[st.integers(150, 255)] * 3), st.integers(-40, 40), st.integers(-40, 40))
def test_plain_and_graded_grounds_are_taken_away(colour: tuple[int, int, int], across: int, down: int) -> None:
    mask = scissors()
    y, x = np.mgrid[: mask.shape[0], : mask.shape[1]]
    ground = np.array(colour, float) + ((x / mask.shape[1] - 0.5) * across + (y / mask.shape[0] - 0.5) * down)[..., None]
    found = matte(photo(ground, mask))
    assert found.method is MatteMethod.PLAIN
    assert iou(found.mask, mask) > 0.93
    assert found.quality > 0.85
    assert not found.mask[110, 90]  # the hole of the ring


def test_a_soft_shadow_is_no_object() -> None:
    import cv2

    mask = scissors()
    shadow = cv2.GaussianBlur(np.roll(mask, (14, 14), (0, 1)).astype(np.float32), (0, 0), 9)
    ground = np.full((*mask.shape, 3), 225.0) * (1 - 0.12 * shadow[..., None])
    assert iou(matte(photo(ground, mask)).mask, mask) > 0.9


def test_an_object_that_crosses_the_border_does_not_pull_the_ground_to_itself() -> None:
    mask = np.zeros((220, 300), bool)
    mask[80:140, 100:] = True
    found = matte(photo(np.full((220, 300, 3), 230.0), mask))
    assert iou(found.mask, mask) > 0.95


def test_clutter_is_cut_by_colour() -> None:
    mask = np.zeros((200, 260), bool)
    mask[70:130, 60:200] = True
    planks = 110 + 50 * (np.arange(260) // 13 % 2)[None, :, None] * np.ones((200, 1, 3)) * [1.0, 0.8, 0.5]
    found = matte(photo(planks, mask, colour=(20, 40, 160), noise=6))
    assert found.method is MatteMethod.CLUTTERED
    assert iou(found.mask, mask) > 0.85


def test_nothing_stands_out_of_an_empty_photo() -> None:
    found = matte(photo(np.full((120, 90, 3), 200.0), np.zeros((120, 90), bool)))
    assert not found.mask.any() or found.quality < 0.3


def test_the_same_photo_always_gives_the_same_mask() -> None:
    picture = np.random.default_rng(1).integers(0, 256, (80, 110, 3), dtype=np.uint8)
    first, second = matte(picture), matte(picture)
    np.testing.assert_array_equal(first.mask, second.mask)
    assert first.quality == second.quality


def test_a_given_mask_is_judged_and_not_changed() -> None:
    mask = scissors()
    picture = photo(np.full((*mask.shape, 3), 230.0), mask)
    right, wrong = matte(picture, mask), matte(picture, np.roll(mask, 60, axis=0))
    assert right.method is MatteMethod.GIVEN
    np.testing.assert_array_equal(right.mask, mask)
    assert right.quality > 0.95 > 0.5 > wrong.quality


def test_large_photos_get_a_mask_of_their_own_size() -> None:
    mask = np.kron(scissors(), np.ones((4, 4), bool))
    found = matte(photo(np.full((*mask.shape, 3), 230.0), mask))
    assert found.mask.shape == (880, 1200)
    assert iou(found.mask, mask) > 0.93


def test_the_ground_is_a_surface() -> None:
    y, x = np.mgrid[:37, :31]
    lab = np.stack([60 + 0.5 * x - 0.3 * y, 0.1 * x, 5 + 0 * x], axis=2).astype(np.float32)
    ground = fit_background(lab, border_of(37, 31))
    np.testing.assert_allclose(ground.colour, lab, atol=1.5)
    assert ground.agreement > 0.98
    brighter, darker = lab.copy(), lab.copy()
    brighter[..., 0] += 20
    darker[..., 0] -= 20
    assert ground.distance(darker).mean() < ground.distance(brighter).mean()


def test_a_third_of_the_border_under_an_object_does_not_tilt_the_ground() -> None:
    y, x = np.mgrid[:90, :120]
    lab = np.stack([70 + 0.05 * x - 0.04 * y, 0 * x, 5 + 0 * x], axis=2).astype(np.float32)
    covered = lab.copy()
    covered[:, 85:, 0] -= 40
    np.testing.assert_allclose(fit_background(covered, border_of(90, 120)).colour, lab, atol=3)


def test_white_is_white_in_lab() -> None:
    np.testing.assert_allclose(to_lab(np.full((1, 1, 3), 255, np.uint8))[0, 0], [100, 0, 0], atol=0.1)


def test_what_is_no_photo_is_refused() -> None:
    with pytest.raises(DataError, match="16 pixels a side or more, got uint8"):
        matte(np.zeros((15, 40, 3), np.uint8))
    with pytest.raises(DataError, match="expected an RGB photo"):
        matte(np.zeros((40, 40), np.uint8))
    with pytest.raises(DataError, match=r"the given mask must be bool \(40, 50\)"):
        matte(np.zeros((40, 50, 3), np.uint8), np.zeros((50, 40), bool))
