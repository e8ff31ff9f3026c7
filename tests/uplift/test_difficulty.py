from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from threatray.uplift.difficulty import LEVELS, surroundings, with_difficulty
from threatray.uplift.images import MemoryPool, TrainingImage

MakePool = Callable[..., MemoryPool]


def among(shade: int, name: str) -> TrainingImage:
    pixels = np.full((3, 40, 40), shade, np.uint8)
    pixels[:, 14:26, 14:26] = 0
    return TrainingImage(pixels, np.array([[14, 14, 26, 26]], np.float32), ("gun",), name, synthetic=False, id=name)


def test_surroundings_leave_out_the_threat_itself() -> None:
    assert surroundings(among(255, "a")) == 0
    assert surroundings(among(51, "a")) == pytest.approx(0.8)


def test_another_threat_beside_it_is_no_surroundings() -> None:
    image = among(255, "a")
    image.pixels[:, 14:26, 26:30] = 0
    beside = replace(image, boxes=np.array([[14, 14, 26, 26], [26, 14, 30, 26]], np.float32), labels=("gun", "knife"))
    assert surroundings(image) > 0.1
    assert surroundings(beside) == 0


def test_thirds_are_equal_and_follow_the_surroundings() -> None:
    images = [among(shade, f"t{shade}") for shade in (250, 30, 200, 90, 60, 230, 10, 120, 180)]
    found = with_difficulty(images)
    by_level = {level: {image.id for image in found if image.difficulty == level} for level in LEVELS}
    assert by_level == {LEVELS[0]: {"t250", "t230", "t200"}, LEVELS[1]: {"t180", "t120", "t90"}, LEVELS[2]: {"t60", "t30", "t10"}}


def test_published_levels_stay_and_benign_bags_get_none(make_pool: MakePool) -> None:
    images = make_pool("test", 12, 4).images
    found = with_difficulty(images)
    assert [bool(image.difficulty) for image in found] == [image.has_threat for image in images]
    published = (replace(images[0], difficulty="OL2"), *images[1:])
    assert [image.difficulty for image in with_difficulty(published)] == ["OL2"] + [""] * 15
    assert with_difficulty(images[:8]) == images[:8]  # too few to say anything
