"""Bags themselves: outlines, walls, zips, piping, rods, wheels, straps, and the clothes in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import FloatArray
from threatray.phantom.canvas import Canvas, depth_inside, polygon_mask
from threatray.phantom.fields import creases, smooth_noise
from threatray.phantom.raster import Frame
from threatray.phantom.solids import Points, rotation, rounded_rectangle, smooth_curve


class BagKind(StrEnum):
    """Kinds of luggage."""

    SUITCASE = "suitcase"
    BACKPACK = "backpack"
    DUFFEL = "duffel"
    BRIEFCASE = "briefcase"
    TRAY = "tray"


@dataclass(frozen=True)
class BagRecipe:
    """What a kind of bag is like.

    Args:
        length_range: Share of the picture's width that it is long.
        aspect_range: Width over length.
        things: Fewest and most benign things in it.
        garments: Fewest and most garments.
        families: Benign family -> how often, relative to the others.
    """

    length_range: tuple[float, float]
    aspect_range: tuple[float, float]
    things: tuple[int, int]
    garments: tuple[int, int]
    families: Mapping[str, float]


_TRAVEL: Final = {
    "bottle": 1.6, "can": 1.0, "toiletry": 3.0, "book": 1.0, "shoe": 2.0, "umbrella": 0.5, "keys": 0.7, "coins": 0.8, "glasses_case": 0.8,
    "belt": 1.2, "food": 1.2, "small_thing": 3.0, "laptop": 0.25, "phone": 0.5, "power_bank": 0.5, "charger": 0.8, "cable": 1.6,
    "headphones": 0.4, "torch": 0.5, "hair_dryer": 0.6,
}  # fmt: skip
_DAILY: Final = {
    "bottle": 1.6, "can": 0.6, "toiletry": 0.8, "book": 2.2, "umbrella": 0.6, "keys": 1.5, "coins": 1.4, "glasses_case": 1.0, "food": 1.6,
    "small_thing": 3.0, "laptop": 1.2, "phone": 1.2, "power_bank": 1.2, "charger": 0.9, "cable": 1.8, "headphones": 0.9, "torch": 0.4,
}  # fmt: skip

RECIPES: Final[Mapping[BagKind, BagRecipe]] = MappingProxyType({
    BagKind.SUITCASE: BagRecipe((0.78, 0.9), (0.66, 0.74), (12, 25), (5, 10), _TRAVEL),
    BagKind.BACKPACK: BagRecipe((0.64, 0.82), (0.66, 0.84), (9, 18), (1, 5), _DAILY),
    BagKind.DUFFEL: BagRecipe((0.76, 0.9), (0.56, 0.7), (9, 18), (3, 8), _TRAVEL),
    BagKind.BRIEFCASE: BagRecipe((0.66, 0.8), (0.68, 0.76), (8, 14), (0, 1), _DAILY),
    BagKind.TRAY: BagRecipe((0.8, 0.92), (0.66, 0.72), (3, 9), (0, 2), _DAILY),
})  # fmt: skip
"""Kind -> recipe."""


@dataclass(frozen=True, eq=False)
class Shell:
    """A bag without its things.

    Args:
        kind: Which kind.
        outline: (K, 2) boundary in cm.
        room: (H, W) distance in cm of each pixel inside from the wall; 0 outside.
        length_cm: Along its own x.
        width_cm: Along its own y.
        turn: How it lies on the belt, radians.
        centre: Its middle, cm.
    """

    kind: BagKind
    outline: Points
    room: FloatArray
    length_cm: float
    width_cm: float
    turn: float
    centre: tuple[float, float]

    def place(self, local: Any) -> NDArray[np.float64]:
        """Points (N, 2) of the bag's own frame on the belt."""
        flat = np.asarray(local, np.float64).reshape(-1, 2)
        return np.asarray(flat @ rotation(self.turn)[:2, :2].T + np.array(self.centre), np.float64)


def draw_shell(kind: BagKind, frame: Frame, rng: np.random.Generator) -> Shell:
    """Choose a bag's size, outline and lie within the frame."""
    recipe = RECIPES[kind]
    across, down = frame.size[1] * frame.pitch_cm, frame.size[0] * frame.pitch_cm
    length = rng.uniform(*recipe.length_range) * min(across, down / 0.72)
    width = length * rng.uniform(*recipe.aspect_range)
    soft = {BagKind.SUITCASE: 0.007, BagKind.BACKPACK: 0.035, BagKind.DUFFEL: 0.03, BagKind.BRIEFCASE: 0.003, BagKind.TRAY: 0.0}[kind]
    radius = {BagKind.SUITCASE: 3.0, BagKind.BACKPACK: 9.0, BagKind.DUFFEL: 7.0, BagKind.BRIEFCASE: 1.6, BagKind.TRAY: 4.0}[kind]
    corners = rounded_rectangle(length, width, radius * rng.uniform(0.7, 1.2), segments=5)
    ring = smooth_curve(_evenly(corners, 44), count=132, closed=True)
    bulge = 1 + soft * np.real(np.fft.ifft(np.fft.fft(rng.standard_normal(132)) * (np.abs(np.fft.fftfreq(132, 1 / 132)) < 7))) * 2.2
    if kind is BagKind.BACKPACK:
        bulge *= 1 - 0.10 * np.clip(ring[:, 0] / length * 2, 0, 1) * np.abs(ring[:, 1] / width * 2)
    ring = ring * bulge[:, None]
    turn = float(rng.normal(0, 0.07) + (np.pi if rng.random() < 0.5 else 0.0))
    slack_x = max(0.0, (across - np.ptp(ring[:, 0])) / 2 - 1.5)
    slack_y = max(0.0, (down - np.ptp(ring[:, 1])) / 2 - 1.5)
    centre = (float(rng.uniform(-slack_x, slack_x) * 0.6), float(rng.uniform(-slack_y, slack_y) * 0.6))
    shell = Shell(kind, ring, np.zeros((1, 1), np.float32), float(length), float(width), turn, centre)
    placed = shell.place(ring)
    return Shell(kind, placed, depth_inside(polygon_mask(placed, frame), frame.pitch_cm), shell.length_cm, shell.width_cm, turn, centre)


def add_shell(canvas: Canvas, shell: Shell, rng: np.random.Generator) -> None:
    """The walls, lining, zips and fittings of the bag."""
    room = shell.room
    inside = (room > 0).astype(np.float32)
    match shell.kind:
        case BagKind.SUITCASE:
            hard = rng.random() < 0.5
            wall = rng.uniform(0.18, 0.3) if hard else rng.uniform(0.08, 0.15)
            canvas.add("abs" if hard else "polyamide", inside * wall * 2 + 3.0 * wall * np.exp(-room / 0.5) * inside)
            _lining(canvas, room, rng, strength=rng.uniform(0.25, 0.55))
            _rods(canvas, shell, rng)
            _piping(canvas, shell, rng, lines=int(rng.integers(2, 4)), wire=rng.random() < 0.7)
            _wheels(canvas, shell, rng)
            _zips(canvas, shell, rng, count=int(rng.integers(2, 5)))
            _ribs(canvas, shell, rng) if hard else None
            _screws(canvas, shell, rng, count=int(rng.integers(12, 30)))
        case BagKind.BACKPACK | BagKind.DUFFEL:
            wall = rng.uniform(0.05, 0.11)
            canvas.add("polyamide", inside * wall * 2 + 4.0 * wall * np.exp(-room / 0.6) * inside)
            canvas.add("polyethylene", inside * rng.uniform(0.05, 0.25))
            _lining(canvas, room, rng, strength=rng.uniform(0.6, 1.2))
            _straps(canvas, shell, rng)
            _panels(canvas, shell, rng)
            _piping(canvas, shell, rng, lines=int(rng.integers(1, 4)), wire=rng.random() < 0.25)
            _zips(canvas, shell, rng, count=int(rng.integers(2, 6)))
            _buckles(canvas, shell, rng)
        case BagKind.BRIEFCASE:
            wall = rng.uniform(0.12, 0.25)
            canvas.add("leather" if rng.random() < 0.5 else "abs", inside * wall * 2 + 3.0 * wall * np.exp(-room / 0.5) * inside)
            _lining(canvas, room, rng, strength=rng.uniform(0.06, 0.2))
            _piping(canvas, shell, rng, lines=1, wire=False)
            _locks(canvas, shell, rng)
            _screws(canvas, shell, rng, count=int(rng.integers(6, 14)))
        case BagKind.TRAY:
            canvas.add("polypropylene", inside * 0.25 + 2.2 * np.exp(-(((room - 0.6) / 0.35) ** 2)) * inside)
            grid = 0.12 * (np.abs(np.sin(_local_x(canvas.frame, shell) * 2.1)) > 0.93)
            canvas.add("polypropylene", inside * grid)


def add_garments(canvas: Canvas, shell: Shell, rng: np.random.Generator, *, count: int) -> None:
    """Folded clothes: soft-edged stacks of cloth with folds, seams and buttons."""
    frame = canvas.frame
    crease = creases(frame.size, 30, 1.0, rng) + 0.7 * creases(frame.size, 15, 0.8, rng)
    crease *= np.clip(0.5 + 0.6 * smooth_noise(frame.size, 35, rng), 0, 1.4)
    billow = smooth_noise(frame.size, 30, rng)
    weave = smooth_noise(frame.size, 1.6, rng)
    allowed = np.clip(shell.room / 0.8, 0, 1)
    for _ in range(count):
        size = np.array([rng.uniform(0.25, 0.7) * shell.length_cm, rng.uniform(0.3, 0.75) * shell.width_cm])
        middle = rng.uniform(-0.5, 0.5, 2) * np.maximum(np.array([shell.length_cm, shell.width_cm]) - size * 0.9, 0)
        shape = rounded_rectangle(size[0], size[1], rng.uniform(0.5, 3.0), segments=4)
        shape = smooth_curve(_evenly(shape, 26) * (1 + 0.03 * rng.standard_normal((26, 1))), count=60, closed=True)
        placed = shell.place(shape @ rotation(rng.normal(0, 0.25))[:2, :2].T + middle)
        depth = depth_inside(polygon_mask(placed, frame), frame.pitch_cm)
        body = np.clip(depth / rng.uniform(0.2, 1.2), 0, 1) * allowed
        thick = np.float32(0.4 + 3.4 * rng.beta(1.1, 2.2))  # mostly thin, now and then a thick stack
        roll = np.roll(billow, tuple(int(v) for v in rng.integers(0, 200, 2)), axis=(0, 1))
        fold = np.roll(crease, tuple(int(v) for v in rng.integers(0, 200, 2)), axis=(0, 1))
        canvas.add(
            "cotton",
            body
            * np.maximum(thick * (1 + np.float32(0.14) * roll) + np.float32(0.05) * weave + np.float32(rng.uniform(1.5, 4.5)) * fold, 0),
        )
        hem = np.exp(-(((depth - np.float32(0.5)) / np.float32(0.16)) ** 2)) * body
        canvas.add("cotton", hem * np.float32(rng.uniform(0.5, 2.5)))
        if rng.random() < 0.35:
            _buttons(canvas, placed, rng)


def _bar(at: NDArray[Any], x: float, y: float) -> NDArray[np.float64]:
    """The two ends of a short straight bit centred at a point."""
    return np.stack([at - np.array([x, y]), at + np.array([x, y])])


def _evenly(points: NDArray[Any], count: int) -> Points:
    closed = np.concatenate([points, points[:1]])
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    where = np.linspace(0, along[-1], count, endpoint=False)
    return np.stack([np.interp(where, along, closed[:, axis]) for axis in (0, 1)], axis=1)


def _local_x(frame: Frame, shell: Shell) -> FloatArray:
    x = frame.origin[0] + (np.arange(frame.size[1]) + 0.5) * frame.pitch_cm - shell.centre[0]
    y = frame.origin[1] - (np.arange(frame.size[0]) + 0.5) * frame.pitch_cm - shell.centre[1]
    return np.asarray(np.cos(shell.turn) * x[None, :] + np.sin(shell.turn) * y[:, None], np.float32)


def _lining(canvas: Canvas, room: FloatArray, rng: np.random.Generator, *, strength: float) -> None:
    """Thin cloth that lies in folds: crisp lines that come and go, some along the walls, some across."""
    size = canvas.frame.size
    inside = room > 0
    fade = np.clip(0.45 + 0.6 * smooth_noise(size, 40, rng), 0, 1.3)
    folds = creases(size, 42, 0.75, rng) + 0.7 * creases(size, 22, 0.7, rng) * (room < 7)
    wavy = room + 0.55 * smooth_noise(size, 30, rng)
    for at in rng.uniform(0.3, 6.0, int(rng.integers(3, 8))):
        folds += np.exp(-(((wavy - np.float32(at)) / np.float32(0.11)) ** 2))
    canvas.add("polyamide", folds * fade * inside * np.float32(strength))
    canvas.add("polyamide", np.maximum(smooth_noise(size, 55, rng), 0) * inside * np.float32(strength * 0.15))


def _inset(shell: Shell, share: float) -> Points:
    middle = np.array(shell.centre)
    return np.asarray(middle + (shell.outline - middle) * (1 - share), np.float64)


def _piping(canvas: Canvas, shell: Shell, rng: np.random.Generator, *, lines: int, wire: bool) -> None:
    """Edge cords, with a wire in them or not, and the teeth of the main zip."""
    for line in range(lines):
        path = _inset(shell, 0.012 + 0.04 * line + rng.uniform(0, 0.02)) + rng.normal(0, 0.25, 2)
        canvas.stroke("polyethylene", path, 0.3, rng.uniform(0.25, 0.6), closed=True)
        canvas.stroke("pvc", path, 0.15, rng.uniform(0.05, 0.2), closed=True)
        if wire:
            canvas.stroke("steel", path, 0.13, rng.uniform(0.10, 0.2), closed=True)
    zip_path = _inset(shell, rng.uniform(0.04, 0.1))
    canvas.stroke("polyamide", zip_path, 0.5, rng.uniform(0.1, 0.3), closed=True)
    if rng.random() < 0.25:
        canvas.stroke("brass", zip_path, 0.2, 0.04, closed=True)


def _zip_pull(canvas: Canvas, at: NDArray[Any], angle: float, size: float) -> None:
    """A slider with its tab: a bright bit of zinc with an eye."""
    turned = rotation(angle)[:2, :2].T

    def put(points: Any) -> NDArray[np.float64]:
        return np.asarray((np.asarray(points, np.float64) * size) @ turned + at, np.float64)

    canvas.fill("zinc_alloy", put([(-0.45, -0.4), (0.45, -0.3), (0.45, 0.3), (-0.45, 0.4)]), 0.28)
    canvas.stroke("zinc_alloy", put([(0.3, -0.28), (2.6, -0.34), (2.9, 0.0), (2.6, 0.34), (0.3, 0.28)]), 0.24 * size, 0.2, closed=True)
    canvas.fill("zinc_alloy", put([(1.4, -0.34), (2.5, -0.34), (2.5, 0.34), (1.4, 0.34)]), 0.16)


def _zips(canvas: Canvas, shell: Shell, rng: np.random.Generator, *, count: int) -> None:
    for _ in range(count):
        path = _inset(shell, float(rng.choice([rng.uniform(0.0, 0.1), rng.uniform(0.1, 0.5)], p=[0.75, 0.25])))
        at = path[int(rng.integers(len(path)))]
        for _twin in range(int(rng.integers(1, 3))):
            _zip_pull(canvas, at + rng.normal(0, 0.5, 2), rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 0.85))


def _rods(canvas: Canvas, shell: Shell, rng: np.random.Generator) -> None:
    """The two channels of the pull-out handle, with tubes inside, cross bar and grip."""
    half, gap, width = shell.length_cm / 2, shell.width_cm * rng.uniform(0.13, 0.22), rng.uniform(1.3, 2.2)
    metal = "aluminium" if rng.random() < 0.8 else "steel"
    thick = rng.uniform(0.25, 0.5) if metal == "aluminium" else 0.12
    for side in (1, -1):
        y = side * gap
        start, stop = -half * 0.97, half * rng.uniform(0.86, 0.95)
        canvas.fill(
            metal, shell.place([(start, y - width / 2), (stop, y - width / 2), (stop, y + width / 2), (start, y + width / 2)]), thick
        )
        for edge in (-width / 2, width / 2):
            canvas.stroke(metal, shell.place([(start, y + edge), (stop, y + edge)]), 0.14, thick * 2.4)
        canvas.fill(
            "steel" if rng.random() < 0.4 else metal,
            shell.place([(start, y - width / 3.4), (half * 0.5, y - width / 3.4), (half * 0.5, y + width / 3.4), (start, y + width / 3.4)]),
            0.1 if metal == "steel" else 0.16,
        )
        for x in (start + 1.2, half * 0.1, stop - 1.0):
            canvas.stroke("steel", shell.place([(x, y - 0.2), (x, y + 0.2)]), 0.4, 0.6)
    canvas.fill("abs", shell.place([(-half, -gap - 1.6), (-half + 3.0, -gap - 1.6), (-half + 3.0, gap + 1.6), (-half, gap + 1.6)]), 0.9)
    canvas.stroke("steel", shell.place([(-half + 1.5, -gap), (-half + 1.5, gap)]), 0.5, 0.12)


def _wheels(canvas: Canvas, shell: Shell, rng: np.random.Generator) -> None:
    half, side = shell.length_cm / 2, shell.width_cm / 2
    radius = rng.uniform(1.5, 2.4)
    for y in (side - radius - 0.6, -side + radius + 0.6):
        for x in (half - radius * 0.4, half - radius * 0.4 - (radius * 1.2 if rng.random() < 0.3 else 0)):
            turn = np.linspace(0, 2 * np.pi, 26, endpoint=False)
            ring = np.stack([np.cos(turn), np.sin(turn)], axis=1)
            at = np.array([x, y])
            canvas.fill("polypropylene", shell.place(ring * radius * 1.25 + at), 0.6)
            canvas.fill("rubber", shell.place(ring * radius + at), 1.1)
            canvas.stroke("rubber", shell.place(ring * radius * 0.9 + at), 0.3, 1.0, closed=True)
            canvas.stroke("steel", shell.place(_bar(at, 0, radius * 1.1)), 0.5, 0.5)
        for corner in ((-1.6, -1.6), (-1.6, 1.6)):
            at = np.array([x, y]) + corner
            canvas.stroke("steel", shell.place(_bar(at, 0.15, 0)), 0.4, 0.9)


def _ribs(canvas: Canvas, shell: Shell, rng: np.random.Generator) -> None:
    for y in np.linspace(-0.4, 0.4, int(rng.integers(4, 9))) * shell.width_cm:
        canvas.stroke("abs", shell.place([(-shell.length_cm * 0.42, y), (shell.length_cm * 0.42, y)]), 0.5, 0.22)


def _screws(canvas: Canvas, shell: Shell, rng: np.random.Generator, *, count: int) -> None:
    half = np.array([shell.length_cm, shell.width_cm]) / 2
    for _ in range(count):
        at = rng.uniform(-0.93, 0.93, 2)
        if rng.random() < 0.6:  # along a wall or a rod
            at[1] = rng.choice([-0.93, 0.93, 0.35, -0.35])
        at = at * half
        angle = rng.uniform(0, np.pi)
        reach = rng.uniform(0.15, 0.6) * np.array([np.cos(angle), np.sin(angle)])
        canvas.stroke("steel", shell.place([at - reach / 2, at + reach / 2]), rng.uniform(0.22, 0.45), rng.uniform(0.3, 1.0))


def _straps(canvas: Canvas, shell: Shell, rng: np.random.Generator) -> None:
    """Bands that leave the bag and come back, as carrying straps do."""
    for _ in range(int(rng.integers(1, 4))):
        start, stop = sorted(rng.uniform(0, 1, 2))
        near = _inset(shell, 0.03)
        first, last = near[int(start * 131)], near[int(stop * 131)]
        outward = (first + last) / 2 - np.array(shell.centre)
        outward = outward / max(float(np.linalg.norm(outward)), 1e-6)
        reach = rng.uniform(1.0, 7.0)
        path = smooth_curve(
            [
                first,
                first + outward * reach * 0.9 + rng.normal(0, 1.2, 2),
                (first + last) / 2 + outward * reach * 1.4,
                last + outward * reach * 0.9 + rng.normal(0, 1.2, 2),
                last,
            ],
            count=40,
        )
        width = rng.uniform(1.6, 4.0)
        canvas.stroke("polyamide", path, width, rng.uniform(0.08, 0.2))
        if rng.random() < 0.5:
            canvas.stroke("polyethylene", path, width * 0.7, rng.uniform(0.1, 0.5))
        ahead = np.gradient(path, axis=0)
        side = np.stack([-ahead[:, 1], ahead[:, 0]], axis=1) / np.linalg.norm(ahead, axis=1, keepdims=True) * width / 2
        for edge in (path + side, path - side):
            canvas.stroke("polyamide", edge, 0.2, rng.uniform(0.2, 0.5))


def _panels(canvas: Canvas, shell: Shell, rng: np.random.Generator) -> None:
    """Pockets and padded panels, with a hem each."""
    for _ in range(int(rng.integers(2, 5))):
        size = np.array([shell.length_cm * rng.uniform(0.2, 0.55), shell.width_cm * rng.uniform(0.3, 0.75)])
        at = rng.uniform(-0.5, 0.5, 2) * (np.array([shell.length_cm, shell.width_cm]) * 0.92 - size)
        shape = smooth_curve(
            _evenly(rounded_rectangle(float(size[0]), float(size[1]), rng.uniform(1, 5)), 20) * (1 + 0.02 * rng.standard_normal((20, 1))),
            count=50,
            closed=True,
        )
        placed = shell.place(shape + at)
        canvas.fill("polyethylene" if rng.random() < 0.5 else "polyamide", placed, rng.uniform(0.06, 0.35))
        canvas.stroke("polyamide", placed, 0.35, rng.uniform(0.12, 0.3), closed=True)


def _buckles(canvas: Canvas, shell: Shell, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 5))):
        at = shell.outline[int(rng.integers(len(shell.outline)))] + rng.normal(0, 0.6, 2)
        shape = rounded_rectangle(rng.uniform(2.0, 3.4), rng.uniform(1.8, 3.0), 0.4) @ rotation(rng.uniform(0, np.pi))[:2, :2].T
        if rng.random() < 0.6:
            canvas.fill("abs", shape + at, 0.35)
            canvas.stroke("abs", shape + at, 0.45, 0.5, closed=True)
        else:
            canvas.stroke("steel", shape + at, 0.3, 0.28, closed=True)


def _locks(canvas: Canvas, shell: Shell, rng: np.random.Generator) -> None:
    half, side = shell.length_cm / 2, shell.width_cm / 2
    canvas.stroke("aluminium", _inset(shell, 0.02), 0.5, rng.uniform(0.2, 0.5), closed=True)
    for x in (-half * 0.62, half * 0.62):
        canvas.fill(
            "steel", shell.place([(x - 1.8, side - 1.4), (x + 1.8, side - 1.4), (x + 1.8, side - 0.2), (x - 1.8, side - 0.2)]), 0.14
        )
        canvas.stroke("brass", shell.place([(x - 1.2, side - 0.8), (x + 1.2, side - 0.8)]), 0.6, 0.3)
        canvas.stroke("steel", shell.place([(x - 1.5, -side + 0.4), (x + 1.5, -side + 0.4)]), 0.7, 0.2)
    handle = smooth_curve([(-half * 0.28, side), (-half * 0.2, side + 2.4), (half * 0.2, side + 2.4), (half * 0.28, side)], count=24)
    canvas.stroke("leather", shell.place(handle), 1.5, 0.8)
    canvas.stroke("steel", shell.place(handle), 0.3, 0.12)


def _buttons(canvas: Canvas, placed: Points, rng: np.random.Generator) -> None:
    first, last = placed[int(rng.integers(len(placed)))], placed.mean(axis=0)
    brass = rng.random() < 0.4
    for share in np.linspace(0.15, 0.85, int(rng.integers(3, 7))):
        at = first + (last - first) * share
        canvas.stroke("brass" if brass else "polyamide", _bar(at, 0.04, 0), 0.8 if not brass else 0.6, 0.08 if brass else 0.3)
