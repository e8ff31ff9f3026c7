"""Every way to make a solid gives a closed one of the right volume."""

from __future__ import annotations

import numpy as np
import pytest

from threatray.errors import ConfigError
from threatray.phantom.solids import (
    band,
    box,
    capsule,
    cylinder,
    disc,
    ellipsoid,
    limb,
    mesh_of,
    outline,
    plate,
    rotation,
    rounded_box,
    rounded_rectangle,
    smooth_curve,
    spindle,
    tube,
    union,
)

TURN = np.linspace(0, 2 * np.pi, 60, endpoint=False)
RING = np.column_stack([3 * np.cos(TURN), 3 * np.sin(TURN), np.zeros(60)])
SOLIDS = {
    "box": (lambda: box(1, 2, 3), 6.0),
    "rounded_box": (lambda: rounded_box(4, 3, 1, 0.0), 12.0),
    "cylinder": (lambda: cylinder(1, 2, axis="x", segments=128), 2 * np.pi),
    "cone": (lambda: cylinder(1, 3, top_radius=0.0, segments=128), np.pi),
    "ellipsoid": (lambda: ellipsoid(2, 4, 6, segments=96), 8 * np.pi),
    "capsule": (lambda: capsule(1, 6, segments=96), 4 * np.pi + 4 / 3 * np.pi),
    "spindle": (lambda: spindle([(0, 1), (2, 1)], segments=128), 2 * np.pi),
    "plate": (lambda: plate(disc(2, segments=96) - disc(1, segments=96), 0.5), 1.5 * np.pi),
    "band": (lambda: plate(band([(0, 0), (2, 0), (5, 0)], 0.5), 2.0), 5.0),
    "tube": (lambda: tube([(0, 0, 0), (4, 0, 0)], 0.5, segments=96), np.pi),
    "ring": (lambda: tube(RING, 0.5, segments=64, closed=True), 2 * np.pi * 3 * np.pi * 0.25),
    "limb": (lambda: limb([(0, 0, 0, 2, 1), (3, 0, 0, 2, 1)], segments=96), 3 * np.pi / 2),
}


@pytest.mark.parametrize("name", SOLIDS)
def test_volume_is_the_analytic_one(name):
    make, volume = SOLIDS[name]
    assert make().volume() == pytest.approx(volume, rel=0.01)


@pytest.mark.parametrize("name", SOLIDS)
def test_every_edge_has_a_face_on_either_side(name):
    faces = mesh_of(SOLIDS[name][0]()).faces
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    there = {(int(a), int(b)) for a, b in edges}
    assert len(there) == len(edges)
    assert all((b, a) in there for a, b in there)


def test_a_bevel_takes_off_the_rims_only():
    sharp, round_ = plate(outline(rounded_rectangle(4, 3, 0.5)), 1.0), plate(outline(rounded_rectangle(4, 3, 0.5)), 1.0, bevel=0.2)
    assert 0.95 * sharp.volume() < round_.volume() < sharp.volume()
    np.testing.assert_allclose(np.array(round_.bounding_box()), np.array(sharp.bounding_box()), atol=1e-6)


def test_a_hole_stays_a_hole_under_a_bevel():
    ring = plate(disc(3) - disc(1), 1.0, bevel=0.2)
    assert ring.genus() == 1


def test_union_counts_the_common_part_once():
    assert union(box(2, 2, 2), box(2, 2, 2).translate((1, 0, 0))).volume() == pytest.approx(12.0)


def test_rotation_keeps_lengths_and_handedness():
    turned = rotation(0.3, 0.7, -1.1)
    np.testing.assert_allclose(turned @ turned.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turned) == pytest.approx(1.0)


def test_smooth_curve_passes_through_its_points():
    knots = np.array([(0.0, 0.0), (1.0, 2.0), (3.0, 1.0), (4.0, 4.0)])
    curve = smooth_curve(knots, count=2001)
    assert max(np.linalg.norm(curve - knot, axis=1).min() for knot in knots) < 0.01


def test_an_unknown_axis_is_refused():
    with pytest.raises(ConfigError, match="axis must be 'x', 'y' or 'z', got 'w'"):
        cylinder(1, 1, axis="w")
