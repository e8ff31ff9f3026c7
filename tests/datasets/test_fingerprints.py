"""One bag is recognised again: moved, cropped, rescaled, with another strap; two bags are not one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from threatray.core import Annotations
from threatray.core.image_file import write_jpeg
from threatray.datasets.dataset import Entry
from threatray.datasets.fingerprints import Fingerprint, fingerprint, near_groups


def bag(seed: int) -> np.ndarray:
    """A rounded bag with things in it."""
    import cv2

    rng = np.random.default_rng(seed)
    picture = np.full((240, 320, 3), (240, 225, 200), np.uint8)
    for _ in range(14):
        colour = [int(value) for value in rng.integers(20, 200, 3)]
        centre = (int(rng.integers(20, 300)), int(rng.integers(20, 220)))
        cv2.ellipse(picture, centre, (int(rng.integers(8, 50)), int(rng.integers(5, 30))), float(rng.uniform(0, 180)), 0, 360, colour, -1)
    return picture


def scanned(folder: Path, name: str, picture: np.ndarray, *, left: int = 40, top: int = 30, size: tuple[int, int] = (420, 360)) -> Entry:
    width, height = size
    canvas = np.full((height, width, 3), 252, np.uint8)
    canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    write_jpeg(folder / f"{name}.jpg", canvas, quality=88)
    return Entry(id=name, image_path=folder / f"{name}.jpg", width=width, height=height, things=Annotations.none(), group=name)


def groups(*entries: Entry) -> tuple[tuple[str, ...], ...]:
    return near_groups({entry.id: fingerprint(entry) for entry in entries})


@pytest.mark.parametrize("seed", range(4))
def test_a_bag_that_lies_elsewhere_in_a_picture_of_another_size_is_recognised(seed: int, tmp_path: Path) -> None:
    here, there = scanned(tmp_path, "a", bag(seed)), scanned(tmp_path, "b", bag(seed), left=150, top=200, size=(520, 640))
    assert (fingerprint(here).look ^ fingerprint(there).look).bit_count() > 12, "the whole pictures are not alike"
    assert groups(here, there, scanned(tmp_path, "c", bag(seed + 100))) == (("a", "b"),)


def test_a_strap_that_lies_anew_does_not_hide_the_bag(tmp_path: Path) -> None:
    import cv2

    plain, strapped = scanned(tmp_path, "a", bag(1)), scanned(tmp_path, "b", bag(1), left=100, size=(620, 360))
    canvas = np.asarray(cv2.imread(str(strapped.image_path)), np.uint8)[..., ::-1].copy()
    cv2.ellipse(canvas, (480, 150), (110, 60), 20, 0, 360, (225, 205, 180), 5)
    write_jpeg(tmp_path / "b.jpg", canvas, quality=88)
    assert groups(plain, strapped) == (("a", "b"),)


def test_different_bags_are_not_joined(tmp_path: Path) -> None:
    assert groups(*(scanned(tmp_path, f"{seed:02}", bag(seed)) for seed in range(40))) == ()


def test_a_broken_file_is_in_no_group() -> None:
    found = {"a": Fingerprint("1", 0xFFFFF), "b": Fingerprint("", 0, "broken"), "c": Fingerprint("2", 0xFFFFE)}
    assert near_groups(found) == (("a", "c"),)
