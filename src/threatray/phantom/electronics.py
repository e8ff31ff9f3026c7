"""Harmless electric things: laptops, phones, power banks, chargers, cables, headphones, torches, hair dryers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from threatray.phantom.finishes import HIDDEN
from threatray.phantom.parts import Part, SolidObject, assemble
from threatray.phantom.solids import Points, box, cylinder, limb, outline, plate, rounded_box, smooth_curve, spindle, tube, union

if TYPE_CHECKING:
    from manifold3d import Manifold


def laptop(rng: np.random.Generator) -> SolidObject:
    """A laptop: case, screen, board full of chips, heat pipe and fan, cells, hinges, dozens of screws."""
    x, y = rng.uniform(28, 34), rng.uniform(19, 23)
    drawn = {"x": x, "y": y, "metal_case": float(rng.random() < 0.4)}
    case = "aluminium" if drawn["metal_case"] else "abs"
    wall = 0.1 if drawn["metal_case"] else 0.2
    pieces = [
        Part(case, rounded_box(x, y, 1.6, 0.8) - rounded_box(x - 2 * wall, y - 2 * wall, 1.6 - 2 * wall, 0.7), HIDDEN),
        Part("glass", box(x - 1.6, y - 2.4, 0.14).translate((0, 0.2, 1.0)), HIDDEN),
        Part(case, box(x, y, 0.12).translate((0, 0, 1.15)), HIDDEN),
    ]
    board = outline(
        [
            (-x * 0.46, y * 0.45),
            (-x * 0.46, 0.0),
            (-x * 0.2, -y * rng.uniform(0.05, 0.2)),
            (x * 0.1, y * 0.05),
            (x * 0.44, -y * 0.05),
            (x * 0.44, y * 0.45),
        ]
    )
    pieces += _populated(board, (-x * 0.44, -1.0, x * 0.42, y * 0.44), rng, chips=80)
    cells = int(rng.integers(3, 7))
    if rng.random() < 0.5:
        width = x * 0.8 / cells
        pieces += [
            Part(
                "lithium_battery",
                rounded_box(width - 0.2, y * 0.3, 0.55, 0.2).translate((-x * 0.4 + width * (k + 0.5), -y * 0.3, 0)),
                HIDDEN,
            )
            for k in range(cells)
        ]
    else:
        cell = cylinder(0.9, 6.5, axis="x", segments=14)
        for k in range(cells):
            where = (-x * 0.33 + 6.9 * (k % 3), -y * 0.43 + 1.9 * (k // 3), 0.0)
            pieces += [
                Part("lithium_battery", cell.translate(where), HIDDEN),
                Part(
                    "steel", (cylinder(0.92, 6.5, axis="x", segments=14) - cylinder(0.9, 7, axis="x", segments=14)).translate(where), HIDDEN
                ),
            ]
    fan_at = (x * rng.uniform(-0.3, 0.3), y * 0.26, 0.0)
    ring = plate_ring(2.6, 2.45, 0.8).translate(fan_at)
    blades = union(
        *(box(2.0, 0.08, 0.6).translate((1.3, 0, 0)).rotate((0, 0, a)) for a in np.arange(0, 360, 24)), cylinder(0.9, 0.6, segments=12)
    ).translate(fan_at)
    pipe = tube(
        smooth_curve([(fan_at[0], fan_at[1] + 2, 0.3), (fan_at[0] * 0.3, fan_at[1] - 0.5, 0.3), (-fan_at[0], y * 0.15, 0.3)], count=8),
        0.3,
        segments=6,
    )
    fins = union(*(box(0.05, 1.2, 0.7).translate((fan_at[0] - 1.6 + 0.22 * k, y * 0.44, 0)) for k in range(15)))
    pieces += [
        Part("abs", union(ring, blades), HIDDEN),
        Part("copper", pipe - cylinder(0.01, 0.01), HIDDEN),
        Part("aluminium", fins, HIDDEN),
    ]
    hinges = [Part("steel", box(2.4, 0.7, 0.5).translate((side * x * 0.38, y * 0.47, 0.6)), HIDDEN) for side in (1, -1)]
    screws = union(
        *(
            cylinder(0.14, 0.7, segments=6).translate((float(sx) * x * 0.47, float(sy) * y * 0.46, -0.3))
            for sx in np.linspace(-1, 1, 5)
            for sy in (-1, -0.05, 1)
        )
    )
    drive = rounded_box(10, 7, 0.7, 0.3) - cylinder(3.0, 0.5, segments=24)
    pieces += [*hinges, Part("steel", screws, HIDDEN)]
    if rng.random() < 0.5:
        pieces += [
            Part("aluminium", drive.translate((x * 0.28, -y * 0.28, 0)), HIDDEN),
            Part("aluminium", cylinder(2.9, 0.2, segments=24).translate((x * 0.28 + 1, -y * 0.28, 0)), HIDDEN),
        ]
    return assemble("laptop", None, pieces, drawn, nested=False)


def _populated(board: Manifold, area: tuple[float, float, float, float], rng: np.random.Generator, *, chips: int) -> list[Part]:
    """A circuit board with chips, coils, shields, capacitors and connectors on it."""
    x0, y0, x1, y1 = area
    kinds: dict[str, list[Manifold]] = {"silicon": [], "copper": [], "steel": [], "aluminium": []}
    for _ in range(chips):
        where = (rng.uniform(x0, x1), rng.uniform(y0, y1), 0.25)
        size = rng.uniform(0.25, 1.0) * min(1.0, (x1 - x0) / 10)
        draw = rng.random()
        if draw < 0.45:
            kinds["silicon"].append(box(size * 1.6, size * 1.6, 0.2).translate(where))
        elif draw < 0.7:
            kinds["copper"].append(box(size * 0.8, size * 0.7, 0.14).translate(where))
        elif draw < 0.88:
            kinds["steel"].append(box(size * 1.5, size, 0.06).translate(where))
        else:
            kinds["aluminium"].append(cylinder(size * 0.5, 0.7, segments=10).translate(where))
    parts = [Part("fr4", plate(board, 0.14), HIDDEN)]
    return parts + [Part(name, union(*solids), HIDDEN) for name, solids in kinds.items() if solids]


def plate_ring(outer: float, inner: float, thickness: float) -> Manifold:
    """A flat ring about z."""
    return cylinder(outer, thickness, segments=28) - cylinder(inner, thickness + 1, segments=28)


def phone(rng: np.random.Generator) -> SolidObject:
    """A phone or tablet."""
    large = rng.random() < 0.2
    x, y = (rng.uniform(20, 25), rng.uniform(13, 17)) if large else (rng.uniform(13, 16.5), rng.uniform(6.4, 7.8))
    pieces = [
        Part("aluminium", rounded_box(x, y, 0.8, 0.9) - rounded_box(x - 0.3, y - 0.3, 0.74, 0.8), HIDDEN),
        Part("glass", rounded_box(x - 0.3, y - 0.3, 0.12, 0.8).translate((0, 0, 0.34)), HIDDEN),
        Part("lithium_battery", rounded_box(x * 0.55, y * 0.62, 0.42, 0.2).translate((-x * 0.08, -y * 0.12, 0)), HIDDEN),
    ]
    strip = outline(
        [
            (-x * 0.45, y * 0.24),
            (x * 0.46, y * 0.24),
            (x * 0.46, -y * 0.4),
            (x * 0.26, -y * 0.4),
            (x * 0.22, y * 0.45),
            (-x * 0.45, y * 0.45),
        ]
    )
    pieces += _populated(strip, (x * 0.24, -y * 0.4, x * 0.45, y * 0.42), rng, chips=10)
    camera = union(*(cylinder(0.45, 0.5, segments=12) - cylinder(0.25, 1, segments=10) for _ in range(1)))
    pieces.append(Part("steel", camera.translate((x * 0.42, y * 0.3, 0)), HIDDEN))
    return assemble("phone", None, pieces, {"x": x, "y": y}, nested=False)


def power_bank(rng: np.random.Generator) -> SolidObject:
    """A power bank or a pack of round cells."""
    cells = int(rng.integers(1, 5))
    y = 2.0 * cells + 0.6
    pieces = [Part("abs", rounded_box(9.5, y, 2.3, 0.8) - rounded_box(9.1, y - 0.4, 1.9, 0.7), HIDDEN)]
    for k in range(cells):
        where = (-0.9, (k - (cells - 1) / 2) * 1.95, 0.0)
        pieces += [Part("lithium_battery", cylinder(0.87, 6.5, axis="x", segments=16).translate(where), HIDDEN)]
        pieces += [
            Part(
                "steel", (cylinder(0.92, 6.5, axis="x", segments=16) - cylinder(0.87, 6.3, axis="x", segments=16)).translate(where), HIDDEN
            )
        ]
    board = outline([(2.8, -y / 2 + 0.4), (4.4, -y / 2 + 0.4), (4.4, y / 2 - 0.4), (2.8, y / 2 - 0.4)])
    pieces += _populated(board, (2.9, -y / 2 + 0.5, 4.3, y / 2 - 0.5), rng, chips=6)
    return assemble("power_bank", None, pieces, {"cells": float(cells)}, nested=False)


def charger(rng: np.random.Generator) -> SolidObject:
    """A power supply with transformer and a coiled lead."""
    x, y, z = rng.uniform(5, 11), rng.uniform(3.5, 5.5), rng.uniform(2.2, 3.2)
    core = union(box(2.4, 2.2, 0.2).translate((0, 0, 0.7)), box(2.4, 2.2, 0.2).translate((0, 0, -0.7)), box(0.6, 2.0, 1.4))
    coil = cylinder(0.95, 0.5, segments=16) - box(0.7, 2.2, 2)
    pieces = [
        Part("abs", rounded_box(x, y, z, 0.6) - rounded_box(x - 0.4, y - 0.4, z - 0.4, 0.5), HIDDEN),
        Part("steel", core.translate((-x * 0.15, 0, 0)) - cylinder(0.95, 1.4, segments=16).translate((-x * 0.15, 0, 0)), HIDDEN),
        Part("copper", coil.translate((-x * 0.15, 0, 0)), HIDDEN),
        Part("aluminium", union(*(cylinder(0.5, 1.7, axis="y", segments=12).translate((x * s, 0, 0)) for s in (0.25, 0.38))), HIDDEN),
    ]
    pieces += _populated(
        outline([(-x / 2 + 0.3, -y / 2 + 0.3), (x / 2 - 0.3, -y / 2 + 0.3), (x / 2 - 0.3, y / 2 - 0.3), (-x / 2 + 0.3, y / 2 - 0.3)]),
        (-x * 0.4, -y * 0.35, x * 0.4, y * 0.35),
        rng,
        chips=10,
    )
    pieces += _lead(_tangle(rng, (x / 2, 0.0), rng.uniform(50, 90)), rng)
    if rng.random() < 0.6:
        pieces.append(
            Part(
                "brass",
                union(*(cylinder(0.22, 1.9, axis="x", segments=10).translate((-x / 2 - 0.9, s * 0.95, 0)) for s in (1, -1))),
                HIDDEN,
            )
        )
    return assemble("charger", None, pieces, {"x": x, "y": y, "z": z}, nested=False)


def _tangle(rng: np.random.Generator, start: tuple[float, float], length: float) -> Points:
    """A bundled lead: turns of an uneven oval that drifts, and a loose end."""
    long, short = rng.uniform(2.5, 6.5), rng.uniform(0.9, 3.5)
    turns = max(1.2, length / (np.pi * (long + short)))
    count = int(turns * 20)
    turn = np.linspace(0, turns * 2 * np.pi, count)
    wander = [
        np.interp(turn, np.linspace(0, turn[-1], max(4, int(turns * 3))), rng.standard_normal(max(4, int(turns * 3)))) for _ in range(4)
    ]
    x = long * np.cos(turn) * (1 + 0.15 * wander[0]) + 0.35 * wander[1]
    y = short * np.sin(turn) * (1 + 0.2 * wander[2]) + 0.35 * wander[3]
    tail = np.linspace(0, 1, 14)
    x = np.concatenate([x, x[-1] + rng.normal(0, 4) * tail + rng.normal(0, 2) * np.sin(tail * 3)])
    y = np.concatenate([y, y[-1] + rng.normal(0, 4) * tail + rng.normal(0, 2) * np.sin(tail * 3)])
    line = smooth_curve(np.stack([x, y, 0.3 * np.sin(np.arange(len(x)) * 0.7)], axis=1)[::2], count=len(x))
    line[:, :2] = line[:, :2] @ np.array(((np.cos(angle := rng.uniform(0, 2 * np.pi)), np.sin(angle)), (-np.sin(angle), np.cos(angle))))
    return np.asarray(line + np.array([*start, 0.0]) - line[0], np.float64)


def _lead(line: Points, rng: np.random.Generator) -> list[Part]:
    copper, coat = rng.uniform(0.05, 0.10), rng.uniform(0.2, 0.32)
    end = line[-1] + np.array([1.0, 0.4, 0.0])
    return [
        Part("pvc", tube(line, coat, segments=6), HIDDEN),
        Part("copper", tube(line, copper, segments=4), HIDDEN),
        Part("steel", box(1.5, 0.8, 0.4).translate(tuple(end)) - box(1.4, 0.6, 0.25).translate(tuple(end)), HIDDEN),
        Part("abs", box(1.6, 1.1, 0.7).translate(tuple(line[-1])), HIDDEN),
    ]


def cable(rng: np.random.Generator) -> SolidObject:
    """A coiled cable with a connector at either end."""
    length = rng.uniform(60, 150)
    line = _tangle(rng, (0.0, 0.0), length)
    pieces = _lead(line, rng)
    pieces.append(Part("steel", box(1.4, 0.9, 0.4).translate(tuple(line[0])), HIDDEN))
    return assemble("cable", None, pieces, {"length": length}, nested=False)


def headphones(rng: np.random.Generator) -> SolidObject:
    """Headphones: steel band, two cups with magnet and coil, lead."""
    turn = np.linspace(0.15, np.pi - 0.15, 24)
    bow = np.stack([7.5 * np.cos(turn), 9 * np.sin(turn), np.zeros(24)], axis=1)
    pieces = [Part("abs", tube(bow, 0.5, segments=6, flatness=1.8), HIDDEN), Part("steel", tube(bow, 0.12, segments=4, flatness=4), HIDDEN)]
    for side in (1, -1):
        at = (side * 7.4, 0.5, 0.0)
        cup = (cylinder(3.2, 2.2, segments=22) - cylinder(2.9, 1.8, segments=20)).rotate((0, 70, 0)).translate(at)
        magnet = cylinder(1.4, 0.6, segments=16).rotate((0, 70, 0)).translate(at)
        pieces += [Part("abs", cup, HIDDEN), Part("steel", magnet, HIDDEN)]
    if rng.random() < 0.6:
        pieces += _lead(_tangle(rng, (7.0, -2.0), rng.uniform(40, 70)), rng)
    return assemble("headphones", None, pieces, {}, nested=False)


def torch_lamp(rng: np.random.Generator) -> SolidObject:
    """An aluminium torch with its cells and a spring."""
    length, radius = rng.uniform(10, 17), rng.uniform(1.1, 1.6)
    shell = spindle([(0, radius), (length, radius), (length + 1.2, radius * 1.5), (length + 3, radius * 1.5)], segments=18) - spindle(
        [(0.3, radius - 0.25), (length, radius - 0.25), (length + 1.2, radius * 1.3), (length + 3.2, radius * 1.3)], segments=18
    )
    cells = [cylinder(radius - 0.3, 4.6, axis="x", segments=14).translate((3.2 + 4.9 * k, 0, 0)) for k in range(int((length - 2) // 4.9))]
    turn = np.arange(30) * 0.9
    spring = tube(np.stack([0.3 + turn * 0.03, 0.7 * np.cos(turn), 0.7 * np.sin(turn)], axis=1), 0.07, segments=4)
    lens = cylinder(radius * 1.3, 0.3, axis="x", segments=18).translate((length + 2.6, 0, 0))
    pieces = [
        Part("aluminium", shell, HIDDEN),
        Part("zinc_alloy", union(*(cell - cell.scale((1, 0.8, 0.8)) for cell in cells)), HIDDEN),
        Part("lithium_battery", union(*(cell.scale((1, 0.8, 0.8)) for cell in cells)), HIDDEN),
        Part("steel", spring, HIDDEN),
        Part("glass", lens, HIDDEN),
    ]
    return assemble("torch", None, pieces, {"length": length, "radius": radius}, nested=False)


def hair_dryer(rng: np.random.Generator) -> SolidObject:
    """A hair dryer: motor, fan, heater, handle, lead."""
    radius = rng.uniform(3.0, 4.0)
    body = spindle([(-8, radius * 0.9), (-6, radius), (4, radius * 0.85), (9, radius * 0.7)], segments=22) - spindle(
        [(-7.8, radius * 0.85), (-6, radius - 0.25), (4, radius * 0.85 - 0.25), (9.5, radius * 0.7 - 0.25)], segments=22
    )
    handle = limb([(0, 0, 0, 3.4, 3.0), (11, 0, 0, 2.8, 2.6)], segments=14)
    grip = (handle - handle.scale((0.98, 0.85, 0.85))).rotate((0, 0, -80)).translate((-3, -radius * 0.8, 0))
    motor = cylinder(1.4, 3.6, axis="x", segments=18) - cylinder(0.9, 2.8, axis="x", segments=14)
    turn = np.arange(70) * 0.7
    heater = tube(np.stack([2 + turn * 0.11, radius * 0.6 * np.cos(turn), radius * 0.6 * np.sin(turn)], axis=1), 0.06, segments=4)
    pieces = [
        Part("abs", body, HIDDEN),
        Part("abs", grip, HIDDEN),
        Part("steel", motor.translate((-4, 0, 0)), HIDDEN),
        Part("copper", cylinder(0.85, 2.6, axis="x", segments=14).translate((-4, 0, 0)), HIDDEN),
        Part("steel", heater, HIDDEN),
    ]
    pieces += _lead(_tangle(rng, (-4.5, -13.0), rng.uniform(60, 100)), rng)
    return assemble("hair_dryer", None, pieces, {"radius": radius}, nested=False)
