from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.uplift.images import TrainingImage
from threatray.uplift.windows import LEAST_VISIBLE, RandomWindow


@pytest.fixture(scope="module")
def bag(make_picture: Callable[..., TrainingImage]) -> TrainingImage:
    return make_picture("a", [((2, 3, 12, 13), "gun"), ((40, 20, 60, 44), "knife")])


@given(st.integers(0, 10_000), st.sampled_from([16, 32, 48, 500]))
@settings(deadline=None, max_examples=60)
def test_boxes_follow_the_pixels_and_something_is_whole(bag: TrainingImage, seed: int, size: int) -> None:
    window = RandomWindow(size)
    corner = window.draw(bag, np.random.default_rng(seed))
    cut = window.apply(bag, corner)
    assert cut.pixels.shape == (3, min(size, 48), min(size, 64))
    for (x0, y0, x1, y1), label in zip(cut.boxes.astype(int).tolist(), cut.labels, strict=True):
        assert (cut.pixels[0, y0:y1, x0:x1] == {"gun": 30, "knife": 150}[label]).all()
    if size >= 24:
        sizes = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in cut.boxes.tolist()]
        assert any(area in (100, 480) for area in sizes)


def test_a_benign_bag_is_cut_anywhere(make_picture: Callable[..., TrainingImage]) -> None:
    corners = {RandomWindow(40).draw(make_picture("b"), np.random.default_rng(seed)) for seed in range(400)}
    assert {x for x, _ in corners} == set(range(25))
    assert {y for _, y in corners} == set(range(9))


def test_what_is_mostly_outside_is_not_labelled(bag: TrainingImage) -> None:
    window = RandomWindow(32)
    assert window.apply(bag, (8, 0)).labels == ("gun",)  # 4 of 10 columns: just seen
    assert window.apply(bag, (9, 0)).labels == ()
    assert LEAST_VISIBLE == 0.4
