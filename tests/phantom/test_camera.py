"""Photos: the mask is the thing's outline, nothing inside shows, and the same parameters give the same bytes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from threatray.core import stream
from threatray.phantom.bags import object_thickness
from threatray.phantom.camera import draw_camera, photograph
from threatray.phantom.finishes import HIDDEN
from threatray.phantom.grounds import Ground, ground_image
from threatray.phantom.parts import Finish, Part, assemble
from threatray.phantom.pose import Pose, draw_pose
from threatray.phantom.raster import Frame
from threatray.phantom.solids import box, cylinder

FRAME = Frame.centred((96, 96), 0.15)
RED = Finish((0.7, 0.03, 0.02))
PLAIN = replace(draw_camera(np.random.default_rng(0)), ground=Ground.WHITE, warmth=0.0, noise_sigma=0.0, jpeg_quality=0)


def test_what_lies_inside_does_not_show():
    solid = assemble("block", None, [Part("wood", box(8, 5, 3), RED)], {})
    filled = assemble("block", None, [Part("wood", box(8, 5, 3), RED), Part("lead", cylinder(1.5, 2.0), HIDDEN)], {})
    pose = Pose(turn=0.4, roll=0.1)
    plain, _ = photograph(solid, pose, FRAME, PLAIN)
    loaded, _ = photograph(filled, pose, FRAME, PLAIN)
    assert np.abs(plain.astype(int) - loaded).max() <= 1
    assert object_thickness(filled, pose, FRAME)[0]["lead"].max() > 1.9


def test_a_red_block_is_red_on_white():
    pixels, mask = photograph(assemble("block", None, [Part("wood", box(8, 5, 3), RED)], {}), Pose(), FRAME, PLAIN)
    red, green, _ = pixels[mask].astype(float).mean(axis=0)
    assert red > 1.8 * green
    assert pixels[2, 2].min() > 180


@pytest.mark.parametrize("ground", list(Ground))
def test_grounds_are_colours_in_range(ground):
    image = ground_image(ground, (40, 56), 0.1, np.random.default_rng(1))
    assert image.shape == (40, 56, 3)
    assert image.min() >= 0
    assert image.max() <= 1


def test_the_same_parameters_give_the_same_photo():
    thing = assemble("block", None, [Part("wood", box(8, 5, 3), RED)], {})
    params = draw_camera(stream(1, "camera"))
    first, second = photograph(thing, Pose(), FRAME, params)[0], photograph(thing, Pose(), FRAME, params)[0]
    np.testing.assert_array_equal(first, second)


def test_poses_lie_flat_or_flipped():
    for number in range(30):
        pose = draw_pose(stream(number, "pose"), tilt_sigma=0.1)
        normal = pose.place(np.array([[0.0, 0, 1]]))[0]
        assert abs(normal[2]) > 0.8
