from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.errors import ConfigError
from threatray.uplift.images import TrainingImage
from threatray.uplift.transforms import ConventionalTransformation, TransformationParams

STILL = {"scale": 1.0, "brightness": 0.0, "contrast": 1.0}


@pytest.fixture(scope="module")
def thing(make_picture: Callable[..., TrainingImage]) -> TrainingImage:
    return make_picture("a", [((10, 5, 30, 17), "gun")], size=(37, 61))


@given(st.booleans(), st.integers(0, 3), st.sampled_from([0.8, 1.0, 1.25]))
@settings(deadline=None, max_examples=24)
def test_the_box_still_bounds_the_thing(thing: TrainingImage, mirror: bool, turns: int, scale: float) -> None:
    params = TransformationParams(mirror, turns, scale, 0.0, 1.0)
    moved = ConventionalTransformation().apply(thing, params)
    dark = moved.pixels[2] < 178  # half way between the thing and the ground
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    bounds = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
    np.testing.assert_allclose(moved.boxes[0], bounds, atol=0 if scale == 1 else 0.76)


def test_four_quarter_turns_or_two_mirrors_change_nothing(thing: TrainingImage) -> None:
    transformation = ConventionalTransformation()
    turn, mirror = TransformationParams(False, 1, **STILL), TransformationParams(True, 0, **STILL)
    turned = thing
    for _ in range(4):
        turned = transformation.apply(turned, turn)
    mirrored = transformation.apply(transformation.apply(thing, mirror), mirror)
    for again in (turned, mirrored):
        np.testing.assert_array_equal(again.pixels, thing.pixels)
        np.testing.assert_array_equal(again.boxes, thing.boxes)


def test_air_stays_white_under_contrast(make_picture: Callable[..., TrainingImage]) -> None:
    air = make_picture("air")
    air = type(air)(np.full_like(air.pixels, 255), air.boxes, (), "g", synthetic=False, id="air")
    changed = ConventionalTransformation().apply(air, TransformationParams(False, 0, 1.0, 0.0, 1.3))
    assert (changed.pixels == 255).all()


def test_a_thing_that_leaves_the_frame_loses_its_label(make_picture: Callable[..., TrainingImage]) -> None:
    edge = make_picture("edge", [((0, 0, 5, 5), "gun"), ((28, 20, 38, 28), "knife")])
    grown = ConventionalTransformation().apply(edge, TransformationParams(False, 0, 1.25, 0.0, 1.0))
    assert grown.labels == ("knife",)
    assert len(grown.boxes) == 1


@given(st.integers(0, 1000))
@settings(deadline=None, max_examples=15)
def test_replaying_the_parameters_gives_the_same_bytes(thing: TrainingImage, seed: int) -> None:
    transformation = ConventionalTransformation()
    params = transformation.draw(thing, np.random.default_rng(seed))
    first, second = transformation.apply(thing, params), transformation.apply(thing, params)
    assert first.pixels.tobytes() == second.pixels.tobytes()
    assert first.boxes.tobytes() == second.boxes.tobytes()


def test_one_parity_keeps_the_frames_of_a_batch_alike() -> None:
    transformation = ConventionalTransformation()
    assert transformation.with_parity(odd=True).quarter_turns == (1, 3)
    assert transformation.with_parity(odd=False).quarter_turns == (0, 2)
    upright = ConventionalTransformation(quarter_turns=(0,))
    assert upright.with_parity(odd=True) == upright


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale_range": (1.2, 0.8)}, r"scale_range must be low <= high within \[0.25, 4.0\], got \(1.2, 0.8\)"),
        ({"quarter_turns": (4,)}, "quarter_turns must be some of 0, 1, 2, 3"),
        ({"mirror_probability": 2}, "mirror_probability must lie in"),
    ],
)
def test_refuses_settings_that_make_no_sense(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ConventionalTransformation(**changes)  # type: ignore[arg-type]
