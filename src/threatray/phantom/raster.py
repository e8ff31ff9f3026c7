"""From closed surfaces to pixels: path lengths along z for the scanner, the nearest surface for the camera.

Pixel (row, column) looks along z at ``x = origin_x + (column + 0.5) * pitch``, ``y = origin_y - (row + 0.5) * pitch``: rows
run towards smaller y, so that a thing is seen from above and never mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from threatray.core import FloatArray
from threatray.errors import ConfigError

_ROUNDING_CM = 1e-6  # far below any real thickness, far above what float64 sums leave behind


@dataclass(frozen=True)
class Frame:
    """A grid of parallel rays along z.

    Args:
        size: (H, W) pixels.
        pitch_cm: Distance of neighbouring rays.
        origin: (x, y) in cm of the picture's upper left corner.

    Raises:
        ConfigError: No pixel, or a pitch that is not positive.

    Example:
        >>> Frame.centred((2, 4), 0.5).origin
        (-1.0, 0.5)
    """

    size: tuple[int, int]
    pitch_cm: float
    origin: tuple[float, float]

    def __post_init__(self) -> None:
        if min(self.size) < 1 or not self.pitch_cm > 0:
            raise ConfigError(f"frame: expected at least one pixel and a positive pitch_cm, got {self.size} and {self.pitch_cm}.")

    @classmethod
    def centred(cls, size: tuple[int, int], pitch_cm: float) -> Frame:
        """The frame whose middle is (0, 0)."""
        return cls(size, pitch_cm, (-size[1] * pitch_cm / 2, size[0] * pitch_cm / 2))

    def pixels(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """(N, 2) continuous (column, row) of points (N, 2+); pixel centres lie at whole numbers."""
        x0, y0 = self.origin
        return np.stack([(points[:, 0] - x0) / self.pitch_cm - 0.5, (y0 - points[:, 1]) / self.pitch_cm - 0.5], axis=1)


@dataclass(frozen=True, eq=False)
class _Spans:
    """The runs of pixels that triangles cover, one for each triangle and row that it crosses."""

    triangle: NDArray[np.int64]
    row: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    depth: NDArray[np.float64]  # z in cm at ``start``
    slope: NDArray[np.float64]  # z per pixel along the row
    facing: NDArray[np.float64]  # +1 seen from above, -1 from below


def path_lengths(vertices: NDArray[Any], faces: NDArray[Any], layers: NDArray[Any], count: int, frame: Frame) -> NDArray[np.float32]:
    r"""Length of each ray inside closed solids, by layer.

    .. math:: t(x, y) = \sum_{\text{faces above}} z(x, y) - \sum_{\text{faces below}} z(x, y)

    Args:
        vertices: (V, 3) cm.
        faces: (F, 3) outward triangles of closed surfaces.
        layers: (F,) which of the ``count`` maps each face adds to, e.g. one for each material.
        count: How many maps.
        frame: The rays.

    Returns:
        (count, H, W) float32 in cm, exactly 0 where a ray misses. Every ray crosses a closed surface an even number of
        times: edges that two triangles share are computed from the same two points, so no ray slips between or hits both.

    Note:
        Overlapping solids of one layer count twice; carve them out of each other first.

    Example:
        >>> from threatray.phantom.solids import box, mesh_of
        >>> cube = mesh_of(box(2, 2, 3))
        >>> path_lengths(cube.vertices, cube.faces, np.zeros(12, int), 1, Frame.centred((4, 4), 1.0))[0, 1].tolist()
        [0.0, 3.0, 3.0, 0.0]
    """
    height, width = frame.size
    spans = _spans(vertices, faces, frame)
    slope = spans.facing * spans.slope
    value = spans.facing * spans.depth - slope * spans.start
    # Along a row z is a straight line a + b x, so each span is four steps in two arrays, however long it is;
    # their running sums give a and b at every pixel.
    row = (np.asarray(layers)[spans.triangle] * height + spans.row) * (width + 1)
    places = np.concatenate([row + spans.start, row + spans.stop])
    total = count * height * (width + 1)
    shape = (count, height, width + 1)
    level = np.bincount(places, np.concatenate([value, -value]), total).reshape(shape).cumsum(axis=2)[..., :width]
    rise = np.bincount(places, np.concatenate([slope, -slope]), total).reshape(shape).cumsum(axis=2)[..., :width]
    length = level + rise * np.arange(width)
    length[length < _ROUNDING_CM] = 0.0
    return np.asarray(length, np.float32)


def path_length(vertices: NDArray[Any], faces: NDArray[Any], frame: Frame) -> FloatArray:
    """Length of each ray inside one closed solid.

    Returns:
        (H, W) float32 in cm; see :func:`path_lengths`.
    """
    return np.asarray(path_lengths(vertices, faces, np.zeros(len(faces), np.int64), 1, frame)[0], np.float32)


@dataclass(frozen=True, eq=False)
class Surface:
    """What the camera sees first at each pixel.

    Args:
        depth: (H, W) float32, z of the nearest surface in cm; 0 where there is none.
        triangle: (H, W) int64, which face it is; -1 where there is none.
        weights: (H, W, 3) float32, barycentric coordinates in that face.
    """

    depth: FloatArray
    triangle: NDArray[np.int64]
    weights: FloatArray


def nearest_surface(vertices: NDArray[Any], faces: NDArray[Any], frame: Frame) -> Surface:
    """The surface with the greatest z at each pixel.

    Args:
        vertices: (V, 3) cm.
        faces: (F, 3) outward triangles.
        frame: The rays.
    """
    spans = _spans(vertices, faces, frame)
    keep = spans.facing > 0
    lengths = (spans.stop - spans.start)[keep]
    which = np.repeat(np.flatnonzero(keep), lengths)
    step = np.arange(len(which)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    column = spans.start[which] + step
    row = spans.row[which]
    depth = spans.depth[which] + spans.slope[which] * step
    order = np.argsort(depth, kind="stable")  # later writes win: the highest comes last
    height, width = frame.size
    flat = (row * width + column)[order]
    depths = np.zeros(height * width, np.float32)
    triangles = np.full(height * width, -1, np.int64)
    depths[flat] = depth[order]
    triangles[flat] = spans.triangle[which[order]]
    weights = np.zeros((height * width, 3), np.float32)
    seen = np.flatnonzero(triangles >= 0)
    corners = frame.pixels(np.asarray(vertices)).astype(np.float64)[np.asarray(faces)[triangles[seen]]]
    weights[seen] = _barycentric(corners, np.stack([seen % width, seen // width], axis=1).astype(np.float64))
    return Surface(depths.reshape(height, width), triangles.reshape(height, width), weights.reshape(height, width, 3))


def _barycentric(corners: NDArray[np.float64], point: NDArray[np.float64]) -> NDArray[np.float64]:
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    area = np.where(np.abs(area) < 1e-12, 1e-12, area)
    first = ((b[:, 0] - point[:, 0]) * (c[:, 1] - point[:, 1]) - (b[:, 1] - point[:, 1]) * (c[:, 0] - point[:, 0])) / area
    second = ((c[:, 0] - point[:, 0]) * (a[:, 1] - point[:, 1]) - (c[:, 1] - point[:, 1]) * (a[:, 0] - point[:, 0])) / area
    weights = np.clip(np.stack([first, second, 1 - first - second], axis=1), 0.0, 1.0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float64)


def _spans(vertices: NDArray[Any], faces: NDArray[Any], frame: Frame) -> _Spans:
    height, width = frame.size
    points = np.asarray(vertices, np.float64)
    flat = frame.pixels(points)
    index = np.asarray(faces, np.int64)
    corner = flat[index]  # (F, 3, 2)
    depth = points[index, 2]
    edge1, edge2 = corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]
    doubled = edge1[:, 0] * edge2[:, 1] - edge1[:, 1] * edge2[:, 0]  # rows run downwards: negative is seen from above
    low = np.maximum(np.ceil(corner[..., 1].min(axis=1)), 0).astype(np.int64)
    high = np.minimum(np.ceil(corner[..., 1].max(axis=1)), height).astype(np.int64)
    rows_each = np.where(doubled != 0, np.maximum(high - low, 0), 0)
    triangle = np.repeat(np.arange(len(index)), rows_each)
    row = low[triangle] + np.arange(len(triangle)) - np.repeat(np.cumsum(rows_each) - rows_each, rows_each)
    left = np.full(len(triangle), np.inf)
    right = np.full(len(triangle), -np.inf)
    for first, second in ((0, 1), (1, 2), (2, 0)):
        a, b = index[:, first], index[:, second]
        a, b = np.minimum(a, b), np.maximum(a, b)  # the same two points in the same order for both triangles at an edge
        ya, yb = flat[a, 1][triangle], flat[b, 1][triangle]
        crosses = (np.minimum(ya, yb) <= row) & (row < np.maximum(ya, yb))
        with np.errstate(divide="ignore", invalid="ignore"):
            gradient = ((flat[b, 0] - flat[a, 0]) / (flat[b, 1] - flat[a, 1]))[triangle]
            x = np.where(crosses, flat[a, 0][triangle] + (row - ya) * gradient, np.nan)
        left, right = np.fmin(left, x), np.fmax(right, x)
    start = np.clip(np.ceil(left), 0, width).astype(np.int64)
    stop = np.clip(np.ceil(right), 0, width).astype(np.int64)
    keep = stop > start
    triangle, row, start, stop = triangle[keep], row[keep], start[keep], stop[keep]
    area = doubled[triangle]
    d1, d2 = (depth[:, 1] - depth[:, 0])[triangle], (depth[:, 2] - depth[:, 0])[triangle]
    slope = (d1 * edge2[triangle, 1] - d2 * edge1[triangle, 1]) / area
    lean = (d2 * edge1[triangle, 0] - d1 * edge2[triangle, 0]) / area
    z = depth[triangle, 0] + slope * (start - corner[triangle, 0, 0]) + lean * (row - corner[triangle, 0, 1])
    # A triangle seen nearly edge on has a huge slope; its z still lies between its corners.
    bottom, top = depth.min(axis=1)[triangle], depth.max(axis=1)[triangle]
    first_z = np.clip(z, bottom, top)
    last_z = np.clip(z + slope * (stop - 1 - start), bottom, top)
    slope = (last_z - first_z) / np.maximum(stop - 1 - start, 1)
    return _Spans(triangle, row, start, stop, first_z, slope, np.where(area < 0, 1.0, -1.0))
