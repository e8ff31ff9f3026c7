"""Path lengths are exact, no ray slips through an edge, and the camera sees the top."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.errors import ConfigError
from threatray.phantom.raster import Frame, nearest_surface, path_length, path_lengths
from threatray.phantom.solids import box, cylinder, ellipsoid, mesh_of, union

FRAME = Frame.centred((120, 150), 0.1)
ANGLES = st.floats(-180, 180, allow_nan=False)


def lengths(solid, frame=FRAME):
    mesh = mesh_of(solid)
    return path_length(mesh.vertices, mesh.faces, frame)


def test_box_upright_is_its_height_inside_and_nothing_outside():
    found = lengths(box(4, 2, 3))
    assert found.max() == pytest.approx(3.0)
    assert (found > 0).sum() == 40 * 20
    assert set(np.unique(found.round(5))) == {0.0, 3.0}


def test_tilted_box_is_longer_by_the_cosine():
    found = lengths(box(8, 8, 1).rotate((30, 0, 0)))
    assert found[60, 75] == pytest.approx(1 / np.cos(np.radians(30)), rel=1e-5)


def test_sphere_follows_the_chord():
    found = lengths(ellipsoid(8, 8, 8, segments=160))
    x = (np.arange(150) + 0.5) * 0.1 - 7.5
    y = 6.0 - (np.arange(120) + 0.5) * 0.1
    chord = 2 * np.sqrt(np.maximum(16 - x[None, :] ** 2 - y[:, None] ** 2, 0))
    well_inside = chord > 2
    assert np.abs(found / np.where(well_inside, chord, 1) - 1)[well_inside].max() < 0.01


def test_lying_cylinder_follows_the_chord():
    found = lengths(cylinder(2.0, 9.0, axis="x", segments=200))
    y = 6.0 - (np.arange(120) + 0.5) * 0.1
    inside = np.abs(y) < 1.8
    assert found[inside, 75] == pytest.approx(2 * np.sqrt(4 - y[inside] ** 2), rel=0.01)


@settings(deadline=None, max_examples=15)
@given(ANGLES, ANGLES, ANGLES)
def test_sum_of_path_lengths_is_the_volume_in_any_attitude(a, b, c):
    solid = union(box(5, 3, 1.5), cylinder(1.0, 6.0, axis="y")).rotate((a, b, c))
    assert lengths(solid).sum() * 0.1**2 == pytest.approx(solid.volume(), rel=0.02)


@settings(deadline=None, max_examples=15)
@given(ANGLES, ANGLES, ANGLES)
def test_no_ray_slips_through_an_edge(a, b, c):
    """A convex solid has one run of hits a row: a missed or doubled edge would break it or exceed the diagonal."""
    found = lengths(ellipsoid(6, 5, 4, segments=40).rotate((a, b, c)))
    hit = found > 0
    assert (np.diff(hit.astype(int), axis=1) == 1).sum(axis=1).max() <= 1
    assert found.max() <= 6.0 + 1e-5


def test_edges_through_pixel_centres_count_once():
    """Vertices exactly on pixel centres, the worst case for a rasteriser."""
    frame = Frame((8, 8), 1.0, (-0.5, 7.5))
    found = lengths(box(4, 4, 2).translate((3, 4, 0)), frame)
    assert found.sum() == pytest.approx(4 * 4 * 2)


def test_layers_keep_apart_and_add_up():
    first, second = mesh_of(box(4, 4, 1)), mesh_of(box(2, 6, 2).translate((0, 0, 3)))
    vertices = np.concatenate([first.vertices, second.vertices])
    faces = np.concatenate([first.faces, second.faces + len(first.vertices)])
    apart = path_lengths(vertices, faces, np.repeat([0, 1], 12), 2, FRAME)
    together = path_lengths(vertices, faces, np.zeros(24, int), 1, FRAME)
    np.testing.assert_allclose(apart.sum(axis=0), together[0], atol=1e-5)
    np.testing.assert_allclose(apart[0], lengths(box(4, 4, 1)), atol=1e-5)


def test_agrees_with_a_slow_ray_by_ray_loop():
    solid = union(box(5, 3, 1.5), ellipsoid(3, 3, 4)).rotate((33, 21, 11))
    mesh = mesh_of(solid)
    frame = Frame.centred((12, 15), 0.63)
    slow = np.zeros(frame.size)
    for row in range(12):
        for column in range(15):
            x, y = frame.origin[0] + (column + 0.5) * 0.63, frame.origin[1] - (row + 0.5) * 0.63
            for a, b, c in mesh.vertices[mesh.faces]:
                area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
                u = ((b[0] - x) * (c[1] - y) - (b[1] - y) * (c[0] - x)) / area if area else -1
                v = ((c[0] - x) * (a[1] - y) - (c[1] - y) * (a[0] - x)) / area if area else -1
                if u >= 0 and v >= 0 and u + v <= 1:
                    slow[row, column] += np.sign(area) * (u * a[2] + v * b[2] + (1 - u - v) * c[2])
    np.testing.assert_allclose(path_length(mesh.vertices, mesh.faces, frame), slow, atol=1e-5)


def test_things_outside_the_picture_are_cut_off_not_wrapped():
    found = lengths(box(4, 2, 3).translate((8.0, 0, 0)))
    assert found[:, :130].max() == 0
    assert found[60, 140] == pytest.approx(3.0)


def test_up_in_the_world_is_up_in_the_picture():
    found = lengths(box(1, 1, 1).translate((3, 4, 0)))
    rows, columns = np.nonzero(found)
    assert rows.mean() < 40
    assert columns.mean() > 90


def test_the_camera_sees_the_highest_surface():
    low, high = mesh_of(box(6, 6, 1)), mesh_of(box(2, 2, 1).translate((0, 0, 3)))
    vertices = np.concatenate([high.vertices, low.vertices])
    faces = np.concatenate([high.faces, low.faces + len(high.vertices)])
    seen = nearest_surface(vertices, faces, FRAME)
    assert seen.depth[60, 75] == pytest.approx(3.5)
    assert seen.depth[60, 95] == pytest.approx(0.5)
    assert seen.triangle[60, 75] < 12 <= seen.triangle[60, 95]
    assert seen.triangle[0, 0] == -1


def test_a_pitch_of_zero_is_refused():
    with pytest.raises(ConfigError, match="positive pitch_cm"):
        Frame((4, 4), 0.0, (0, 0))
