"""Closed solids: a few ways to make them, all watertight, all in centimetres.

A solid is a ``manifold3d.Manifold``; unions, differences and intersections are its ``+``, ``-`` and ``^``. The axes are
those of a thing lying on a table: x to the right, y away, z up towards the X-ray source and the camera.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from threatray.errors import ConfigError

if TYPE_CHECKING:
    from manifold3d import CrossSection, Manifold

Points = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Mesh:
    """A closed triangle mesh with outward faces.

    Args:
        vertices: (V, 3) float64, cm.
        faces: (F, 3) int64, anticlockwise seen from outside.
    """

    vertices: Points
    faces: NDArray[np.int64]

    @property
    def volume_cm3(self) -> float:
        """Enclosed volume, by the divergence theorem."""
        a, b, c = (self.vertices[self.faces[:, corner]] for corner in range(3))
        return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def mesh_of(solid: Manifold) -> Mesh:
    """The solid's surface.

    Example:
        >>> mesh_of(box(1, 2, 3)).faces.shape
        (12, 3)
    """
    raw = solid.to_mesh64()
    # Copies: arrays that borrow from the library would keep its objects alive until the process ends, and it complains then.
    return Mesh(np.array(raw.vert_properties, np.float64)[:, :3].copy(), np.array(raw.tri_verts, np.int64))


def box(x: float, y: float, z: float) -> Manifold:
    """A cuboid centred on the origin.

    Example:
        >>> round(box(1, 2, 3).volume(), 6)
        6.0
    """
    from manifold3d import Manifold

    return Manifold.cube((x, y, z), True)


def rounded_box(x: float, y: float, z: float, radius: float, *, bevel: float = 0.0) -> Manifold:
    """A cuboid whose four upright edges are rounded by ``radius`` and whose flat rims are rounded by ``bevel``."""
    return plate(outline(rounded_rectangle(x, y, radius)), z, bevel=bevel)


def cylinder(radius: float, length: float, *, axis: str = "z", segments: int = 24, top_radius: float | None = None) -> Manifold:
    """A cylinder or cone frustum centred on the origin.

    Args:
        radius: At the negative end.
        length: Along the axis.
        axis: ``x``, ``y`` or ``z``.
        segments: Facets around.
        top_radius: At the positive end; the same as ``radius`` if None.

    Raises:
        ConfigError: An unknown axis.
    """
    from manifold3d import Manifold

    upright = Manifold.cylinder(length, radius, radius if top_radius is None else top_radius, segments, True)
    match axis:
        case "z":
            return upright
        case "x":
            return upright.rotate((0, 90, 0))
        case "y":
            return upright.rotate((-90, 0, 0))
    raise ConfigError(f"cylinder: axis must be 'x', 'y' or 'z', got {axis!r}.")


def ellipsoid(x: float, y: float, z: float, *, segments: int = 24) -> Manifold:
    """An ellipsoid of the given full lengths along the axes, centred on the origin."""
    from manifold3d import Manifold

    return Manifold.sphere(1.0, segments).scale((x / 2, y / 2, z / 2))


def capsule(radius: float, length: float, *, segments: int = 16) -> Manifold:
    """A cylinder with round ends along x, ``length`` over all, centred on the origin."""
    turn = np.linspace(0, np.pi / 2, max(3, segments // 4 + 1))
    half = length / 2 - radius
    profile = [
        *((-half - radius * np.cos(a), radius * np.sin(a)) for a in turn),
        *((half + radius * np.sin(a), radius * np.cos(a)) for a in turn),
    ]
    return spindle(np.array(profile), segments=segments)


def spindle(profile: ArrayLike, *, segments: int = 24) -> Manifold:
    """A body of revolution about x.

    Args:
        profile: (K, 2) rising x and the radius there; a radius of 0 is only allowed at the ends.
        segments: Facets around.
    """
    from manifold3d import CrossSection

    stations = np.asarray(profile, np.float64)
    half = [(0.0, float(stations[0, 0])), *((float(r), float(x)) for x, r in stations if r > 0), (0.0, float(stations[-1, 0]))]
    # revolve() turns about the profile's own y axis and lays that on z; anticlockwise order makes the solid positive.
    return CrossSection([np.array(half)]).revolve(segments).rotate((0, 90, 0))


def outline(points: ArrayLike, holes: Sequence[ArrayLike] = ()) -> CrossSection:
    """A plane figure from its boundary, in either sense of turning, less its holes."""
    from manifold3d import CrossSection, FillRule

    figure = CrossSection([np.asarray(points, np.float64)], FillRule.NonZero)
    for hole in holes:
        figure = figure - CrossSection([np.asarray(hole, np.float64)], FillRule.NonZero)
    return figure


def disc(radius: float, centre: tuple[float, float] = (0.0, 0.0), *, segments: int = 28) -> CrossSection:
    """A plane disc."""
    from manifold3d import CrossSection

    return CrossSection.circle(radius, segments).translate(centre)


def rounded_rectangle(x: float, y: float, radius: float, *, segments: int = 4) -> Points:
    """(K, 2) anticlockwise boundary of a rectangle with round corners, centred on the origin."""
    radius = min(radius, 0.499 * x, 0.499 * y)
    if radius <= 0:
        return np.array([(-x / 2, -y / 2), (x / 2, -y / 2), (x / 2, y / 2), (-x / 2, y / 2)])
    turn = np.linspace(0, np.pi / 2, segments + 1)
    corners = []
    for quarter, (sx, sy) in enumerate([(1, 1), (-1, 1), (-1, -1), (1, -1)]):
        angle = turn + quarter * np.pi / 2
        corners.append(np.stack([sx * (x / 2 - radius) + radius * np.cos(angle), sy * (y / 2 - radius) + radius * np.sin(angle)], axis=1))
    return np.concatenate(corners)


def smooth_curve(points: ArrayLike, *, count: int = 40, closed: bool = False) -> Points:
    """A smooth curve of ``count`` points through the given ones (cubic spline), for outlines and sweeps.

    Example:
        >>> smooth_curve([(0, 0), (1, 0), (2, 0)], count=5)[:, 0].round(6).tolist()
        [0.0, 0.5, 1.0, 1.5, 2.0]
    """
    from scipy.interpolate import CubicSpline

    knots = np.asarray(points, np.float64)
    if closed:
        knots = np.concatenate([knots, knots[:1]])
    steps = np.linalg.norm(np.diff(knots, axis=0), axis=1)
    along = np.concatenate([[0.0], np.cumsum(np.maximum(steps, 1e-9))])
    curve = CubicSpline(along, knots, bc_type="periodic" if closed else "not-a-knot" if len(knots) > 3 else "natural")
    where = np.linspace(0, along[-1], count, endpoint=not closed)
    return cast("Points", np.asarray(curve(where), np.float64))


def band(line: ArrayLike, widths: ArrayLike) -> CrossSection:
    """A plane strip along a line; ``widths`` is one width or one for each point."""
    middle = np.asarray(line, np.float64)
    ahead = np.gradient(middle, axis=0)
    ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
    side = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1) * (np.broadcast_to(np.asarray(widths, np.float64), len(middle)) / 2)[:, None]
    return outline(np.concatenate([middle + side, (middle - side)[::-1]]))


def plate(figure: CrossSection, thickness: float, *, bevel: float = 0.0, steps: int = 3) -> Manifold:
    """A plane figure of even thickness, centred on z = 0, its rims rounded by ``bevel``.

    Args:
        figure: In the xy plane; may have holes.
        thickness: Along z.
        bevel: Radius of the rims, much smaller than the figure's own features.
        steps: Facets of each rounded rim.
    """
    bevel = min(bevel, 0.49 * thickness)
    if bevel <= 0:
        return figure.extrude(thickness).translate((0, 0, -thickness / 2))
    from manifold3d import triangulate

    polygons = [np.asarray(polygon, np.float64) for polygon in figure.simplify(0.005).to_polygons()]
    turn = np.linspace(0, np.pi / 2, steps + 1)
    upper = [(bevel * (1 - np.cos(a)), thickness / 2 - bevel * (1 - np.sin(a))) for a in turn]
    levels = [(inset, -z) for inset, z in reversed(upper)] + upper
    per_level = sum(map(len, polygons))
    vertices, faces, start = [], [], 0
    inward = [_inward(polygon) for polygon in polygons]
    for inset, z in levels:
        for polygon, normal in zip(polygons, inward, strict=True):
            vertices.append(np.column_stack([polygon + inset * normal, np.full(len(polygon), z)]))
    for polygon in polygons:
        here = start + np.arange(len(polygon))
        after = start + np.roll(np.arange(len(polygon)), -1)
        for level in range(len(levels) - 1):
            low, high = level * per_level, (level + 1) * per_level
            faces += [np.stack([here + low, after + low, after + high], 1), np.stack([here + low, after + high, here + high], 1)]
        start += len(polygon)
    cap = np.asarray(triangulate(polygons, -1.0), np.int64)
    faces += [cap[:, ::-1], cap + (len(levels) - 1) * per_level]
    return _closed(np.concatenate(vertices), np.concatenate(faces))


def loft(rings: ArrayLike) -> Manifold:
    """The skin over a row of rings, closed by a fan at either end.

    Args:
        rings: (K, N, 3) boundary points, each ring anticlockwise seen from the last ring back to the first.
    """
    stations = np.asarray(rings, np.float64)
    count, around, _ = stations.shape
    here = np.arange(around)
    after = np.roll(here, -1)
    faces = []
    for station in range(count - 1):
        low, high = station * around, (station + 1) * around
        faces += [np.stack([here + low, after + low, after + high], 1), np.stack([here + low, after + high, here + high], 1)]
    first, last = count * around, count * around + 1
    faces += [np.stack([after, here, np.full(around, first)], 1)]
    faces += [np.stack([here + (count - 1) * around, after + (count - 1) * around, np.full(around, last)], 1)]
    vertices = np.concatenate([stations.reshape(-1, 3), stations[[0, -1]].mean(axis=1)])
    return _closed(vertices, np.concatenate(faces))


def limb(stations: ArrayLike, *, segments: int = 16, squareness: float = 2.0) -> Manifold:
    """A straight limb along x, such as a handle, from its superelliptic sections.

    Args:
        stations: (K, 5) rising x, centre y, centre z, full height in y, full depth in z.
        segments: Facets around.
        squareness: 2 is an ellipse, 4 nearly a rectangle.
    """
    table = np.asarray(stations, np.float64)
    turn = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    y = np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** (2 / squareness)
    z = np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** (2 / squareness)
    rings = np.empty((len(table), segments, 3))
    rings[..., 0] = table[:, :1]
    rings[..., 1] = table[:, 1:2] + table[:, 3:4] / 2 * y
    rings[..., 2] = table[:, 2:3] + table[:, 4:5] / 2 * z
    return loft(rings)


def tube(line: ArrayLike, radii: ArrayLike, *, segments: int = 8, flatness: float = 1.0, closed: bool = False) -> Manifold:
    """A round rod swept along a line.

    Args:
        line: (K, 3) points, cm.
        radii: One radius, or one for each point.
        segments: Facets around.
        flatness: Height across the line over its width; 1 is round.
        closed: Whether the last point leads back to the first, as in a ring.
    """
    middle = np.asarray(line, np.float64)
    radius = np.broadcast_to(np.asarray(radii, np.float64), len(middle))
    ahead = np.roll(middle, -1, axis=0) - np.roll(middle, 1, axis=0)
    if not closed:
        ahead[0], ahead[-1] = middle[1] - middle[0], middle[-1] - middle[-2]
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-12)
    up = np.array([0.0, 0.0, 1.0]) if np.abs(ahead[:, 2]).max() < 0.95 else np.array([0.3, 0.95, 0.1])
    side = np.cross(up, ahead)
    side /= np.maximum(np.linalg.norm(side, axis=1, keepdims=True), 1e-12)
    over = np.cross(ahead, side)
    turn = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    ring = np.cos(turn)[None, :, None] * side[:, None, :] + flatness * np.sin(turn)[None, :, None] * over[:, None, :]
    rings = middle[:, None, :] + radius[:, None, None] * ring
    if not closed:
        return loft(rings)
    count = len(middle)
    here, after = np.arange(segments), np.roll(np.arange(segments), -1)
    faces = []
    for station in range(count):
        low, high = station * segments, (station + 1) % count * segments
        faces += [np.stack([here + low, after + low, after + high], 1), np.stack([here + low, after + high, here + high], 1)]
    return _closed(rings.reshape(-1, 3), np.concatenate(faces))


def union(*solids: Manifold) -> Manifold:
    """All of them as one solid."""
    from manifold3d import Manifold, OpType

    return Manifold.batch_boolean(list(solids), OpType.Add)


def rotation(z: float = 0.0, y: float = 0.0, x: float = 0.0) -> Points:
    """(3, 3) rotation about x, then y, then z, in radians."""
    cx, sx, cy, sy, cz, sz = np.cos(x), np.sin(x), np.cos(y), np.sin(y), np.cos(z), np.sin(z)
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return cast("Points", about_z @ about_y @ about_x)


def _inward(polygon: Points) -> Points:
    """Unit-inset direction at each corner of an anticlockwise boundary (clockwise holes go into the material too)."""
    edge = np.roll(polygon, -1, axis=0) - polygon
    edge /= np.maximum(np.linalg.norm(edge, axis=1, keepdims=True), 1e-12)
    normal = np.stack([-edge[:, 1], edge[:, 0]], axis=1)
    both = normal + np.roll(normal, 1, axis=0)
    # A mitre: sharp corners move further so that the edges beside them move by 1; limited to 2 so that spikes stay inside.
    return cast("Points", both * np.minimum(2.0 / np.maximum((both**2).sum(axis=1, keepdims=True), 1e-9), 2.0))


def _closed(vertices: Points, faces: NDArray[Any]) -> Manifold:
    from manifold3d import Error, Manifold, Mesh64

    solid = Manifold(Mesh64(np.ascontiguousarray(vertices), np.ascontiguousarray(faces, np.uint64)))
    if solid.status() != Error.NoError:
        raise ConfigError(f"this surface is not closed ({solid.status()}): {len(vertices)} vertices, {len(faces)} faces.")
    if solid.volume() >= 0:
        return solid
    return Manifold(Mesh64(np.ascontiguousarray(vertices), np.ascontiguousarray(faces[:, ::-1], np.uint64)))
