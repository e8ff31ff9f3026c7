"""Things that cut: fixed and folding knives, scissors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from threatray.phantom.finishes import BRASS, bare_steel, black_plastic, plastic, wood
from threatray.phantom.parts import Finish, Part, SolidObject, assemble
from threatray.phantom.solids import Points, band, box, cylinder, limb, loft, outline, plate, smooth_curve, tube, union

if TYPE_CHECKING:
    from manifold3d import Manifold


def knife(rng: np.random.Generator) -> SolidObject:
    """A fixed blade, or one time in four a folding knife."""
    return folding_knife(rng) if rng.random() < 0.25 else fixed_knife(rng)


def fixed_knife(rng: np.random.Generator) -> SolidObject:
    """A kitchen, hunting or table knife: bevelled blade towards +x, tang and rivets inside the handle."""
    drawn = {
        "blade_length": rng.uniform(9.0, 21.0),
        "blade_height": rng.uniform(1.8, 4.6),
        "spine": rng.uniform(0.16, 0.38),
        "point_drop": rng.uniform(-0.2, 0.9),
        "belly": rng.uniform(0.15, 0.8),
        "handle_length": rng.uniform(9.5, 13.0),
        "handle_height": rng.uniform(2.0, 3.0),
        "handle_depth": rng.uniform(1.3, 2.1),
        "tang": rng.uniform(0.45, 0.98),
        "rivets": float(rng.choice([0, 2, 3, 3, 4])),
    }
    blade_finish, steel = bare_steel(rng), bare_steel(rng)
    of_wood, of_steel = rng.random() < 0.4, rng.random() < 0.15
    handle_finish: Finish = steel if of_steel else wood(rng) if of_wood else black_plastic(rng) if rng.random() < 0.5 else plastic(rng)
    height, handle = drawn["blade_height"], drawn["handle_length"]
    parts: list[Part] = []
    along = np.linspace(0, 1, 12)
    swell = np.interp(along, [0, 0.1, 0.3, 0.6, 0.85, 1], [0.75, 0.82, 1.0, 0.85, 1.05, 0.7]) * drawn["handle_height"]
    sag = -rng.uniform(0, 0.5) * np.sin(along * np.pi) + rng.uniform(-0.6, 0.1) * (1 - along) ** 2
    depth = drawn["handle_depth"] * np.interp(along, [0, 0.08, 0.9, 1], [0.7, 1.0, 1.0, 0.85])
    stations = np.stack([-handle * (1 - along), sag, np.zeros(12), swell, depth], axis=1)
    grip = limb(stations, squareness=rng.uniform(2.3, 3.5))
    if of_steel:
        grip -= limb(stations * [0.97, 1, 1, 0.82, 0.78] - [0.25, 0, 0, 0, 0])  # steel handles are hollow
    parts.append(Part("stainless_steel" if of_steel else "wood" if of_wood else "abs", grip, handle_finish))
    if rng.random() < 0.55:
        bolster = limb(
            [
                (-0.5, 0, 0, drawn["handle_height"] * 0.75, drawn["handle_depth"] * 0.8),
                (0.9, 0, 0, min(height, 2.6) * 0.8, drawn["spine"] * 2),
            ],
            squareness=3,
        )
        parts.append(Part("stainless_steel", bolster, steel))
    if rng.random() < 0.25:
        parts.append(Part("stainless_steel", box(0.5, height + 1.8, 1.0), steel))
    tang_length = handle * drawn["tang"]
    tang = limb(
        [
            (-tang_length, sag[4], 0, drawn["handle_height"] * 0.35, drawn["spine"]),
            (0.4, 0, 0, drawn["handle_height"] * 0.6, drawn["spine"]),
        ],
        squareness=8,
        segments=12,
    )
    blade = _blade(drawn["blade_length"], height, drawn["spine"], drawn["point_drop"], drawn["belly"], handle_height=drawn["handle_height"])
    if rng.random() < 0.2:
        saw = np.arange(drawn["blade_length"] * 0.1, drawn["blade_length"] * 0.55, 0.42)
        blade -= union(*(cylinder(0.2, 2, segments=6).translate((x, height * 0.52 + 0.04, 0)) for x in saw))
    parts.append(Part("stainless_steel", union(tang, blade), blade_finish))
    for number in range(int(drawn["rivets"])):
        x = -handle * np.interp(number / max(1.0, drawn["rivets"] - 1), [0, 1], [0.16, 0.84])
        y = float(np.interp(x, stations[:, 0], sag))
        parts.append(
            Part(
                "brass" if of_wood else "stainless_steel",
                cylinder(0.26, drawn["handle_depth"] + 0.04, segments=14).translate((x, y, 0)),
                BRASS if of_wood else steel,
            )
        )
    return assemble("fixed_knife", "knife", parts, drawn)


def _blade(length: float, height: float, spine: float, drop: float, belly: float, *, handle_height: float) -> Manifold:
    """A blade from x = 0 to its point: flat sides down to a bevel, then an edge of 0.02 cm."""
    x = np.concatenate([np.linspace(0, 0.6, 10), np.linspace(0.66, 1.0, 12)])
    top = height / 2 - drop * np.clip((x - 0.4) / 0.6, 0, 1) ** 2 * height * 0.6
    curve = np.clip((x - (1 - belly)) / belly, 0, 1)
    tip = float(top[-1])
    bottom = -height / 2 + (tip + height / 2) * curve ** (1.6 + belly)
    bottom = np.minimum(bottom, top - 0.04)
    shoulder = bottom + (top - bottom) * 0.35
    thick = spine * np.clip(1.15 - 0.75 * x, 0.25, 1.0)
    half, thin = thick / 2, np.full_like(x, 0.01)
    around = ((top, half), (shoulder, half), (bottom, thin), (bottom, -thin), (shoulder, -half), (top, -half))
    rings = np.stack([np.stack([x * length, y, z], axis=1) for y, z in around], axis=1)
    return loft(rings).translate((0, min(0.0, (handle_height * 0.5 - height) * 0.3), 0))


def folding_knife(rng: np.random.Generator) -> SolidObject:
    """A folding knife with steel liners and scales, opened anywhere from halfway to fully."""
    drawn = {
        "blade_length": rng.uniform(6.5, 10.5),
        "blade_height": rng.uniform(1.7, 2.9),
        "spine": rng.uniform(0.2, 0.34),
        "point_drop": rng.uniform(0.1, 0.8),
        "belly": rng.uniform(0.3, 0.9),
        "opening_degrees": float(rng.choice([180, 180, 180, rng.uniform(60, 150)])),
        "scale_depth": rng.uniform(0.35, 0.6),
    }
    length = drawn["blade_length"] + rng.uniform(1.0, 2.4)
    height = drawn["blade_height"] + rng.uniform(0.1, 0.6)
    spine = smooth_curve([(0.8, height * 0.25), (-length * 0.4, height * 0.5), (-length, height * 0.25)], count=14)
    under = smooth_curve([(-length - 0.3, -height * 0.3), (-length * 0.5, -height * 0.42), (0.5, -height * 0.5)], count=14)
    side = outline(np.concatenate([spine, under]))
    gap, scale = drawn["spine"] + 0.06, drawn["scale_depth"]
    of_wood = rng.random() < 0.35
    finish = wood(rng) if of_wood else black_plastic(rng) if rng.random() < 0.5 else plastic(rng)
    steel = bare_steel(rng)
    parts = []
    for sign in (1, -1):
        parts.append(
            Part(
                "wood" if of_wood else "polyamide",
                plate(side, scale, bevel=0.18).translate((0, 0, sign * (gap / 2 + 0.15 + scale / 2))),
                finish,
            )
        )
        parts.append(Part("stainless_steel", plate(side.offset(-0.08), 0.15).translate((0, 0, sign * (gap / 2 + 0.075))), steel))
    blade = _blade(drawn["blade_length"], drawn["blade_height"], drawn["spine"], drawn["point_drop"], drawn["belly"], handle_height=height)
    turned = union(blade, box(1.6, drawn["blade_height"] * 0.8, drawn["spine"])).rotate((0, 0, drawn["opening_degrees"] - 180))
    parts.append(Part("stainless_steel", turned, bare_steel(rng)))
    depth = gap + 2 * scale + 0.32
    for x, y, radius in ((0.0, 0.0, 0.32), (-length * 0.55, 0.1, 0.14), (-length * 0.93, 0.0, 0.16)):
        parts.append(Part("stainless_steel", cylinder(radius, depth, segments=14).translate((x, y, 0)), steel))
    clip = box(length * 0.5, 0.6, 0.1).translate((-length * 0.6, 0.2, depth / 2 + 0.05))
    parts.append(Part("steel", clip, steel))
    return assemble("folding_knife", "knife", parts, drawn)


def scissors(rng: np.random.Generator) -> SolidObject:
    """Two crossed blades on a pivot; finger rings of plastic around a steel tang, or all of steel."""
    drawn = {
        "blade_length": rng.uniform(6.0, 13.0),
        "blade_height": rng.uniform(1.2, 2.1),
        "blade_depth": rng.uniform(0.16, 0.3),
        "shank": rng.uniform(2.0, 4.5),
        "ring_length": rng.uniform(4.2, 6.8),
        "ring_height": rng.uniform(3.0, 4.2),
        "ring_rod": rng.uniform(0.45, 0.75),
        "opening_degrees": rng.uniform(4.0, 46.0),
        "plastic": float(rng.random() < 0.8),
    }
    steel = bare_steel(rng)
    coat = black_plastic(rng) if rng.random() < 0.4 else plastic(rng)
    parts: list[Part] = []
    steel_parts: list[Part] = []
    for sign in (1.0, -1.0):
        outer, inner = _scissor_half(drawn, larger=sign > 0 and rng.random() < 0.5)
        pieces = (inner, outer)
        angle = sign * drawn["opening_degrees"] / 2
        placed = []
        for piece in pieces:
            if piece is not None:
                half = piece if sign > 0 else piece.mirror((0, 1, 0))
                placed.append(half.translate((0, 0, sign * drawn["blade_depth"] * 0.5)).rotate((0, 0, angle)))
        steel_parts.append(Part("stainless_steel", placed[0], steel))
        if len(placed) > 1:
            parts.append(Part("abs", placed[1], coat))
    screw = cylinder(0.36, drawn["blade_depth"] * 2 + 0.3, segments=16) - box(0.6, 0.1, 0.1).translate((0, 0, drawn["blade_depth"] + 0.15))
    parts += [*steel_parts, Part("steel", screw, bare_steel(rng))]
    return assemble("scissors", "scissors", parts, drawn)


def _scissor_half(drawn: dict[str, float], *, larger: bool) -> tuple[Manifold | None, Manifold]:
    """Coat and steel of the half whose blade points to +x and whose ring lies at -x, +y... the other half mirrors it."""
    length, height, depth, shank = drawn["blade_length"], drawn["blade_height"], drawn["blade_depth"], drawn["shank"]
    x = np.linspace(0, 1, 10)
    cut = np.full_like(x, -0.1)
    back = height * np.interp(x, [0, 0.3, 0.8, 1], [0.62, 0.6, 0.42, 0.03]) + 0.02
    thick = depth * np.interp(x, [0, 1], [1, 0.6])
    rings = np.stack(
        [
            np.stack([x * length, back, thick * 0.5], 1),
            np.stack([x * length, back, -thick * 0.5], 1),
            np.stack([x * length, cut, -thick * 0.5], 1),
            np.stack([x * length, cut, -thick * 0.2], 1),
        ],
        axis=1,
    )
    stretch = 1.35 if larger else 1.0
    half_length, half_height = drawn["ring_length"] / 2 * stretch, drawn["ring_height"] / 2
    centre = np.array([-shank - half_length - 0.3, -half_height * 0.92 - 0.1])
    arm = smooth_curve(
        [
            (0.6, height * 0.28),
            (-shank * 0.5, -0.25),
            (-shank - 0.3, centre[1] * 0.35),
            (centre[0] + half_length * 0.75, centre[1] + half_height * 0.62),
        ],
        count=12,
    )
    strap = plate(band(arm, np.linspace(height * 0.75, 0.7, 12)), depth, bevel=depth * 0.2)
    blade = loft(rings)
    turn = np.linspace(0, 2 * np.pi, 34, endpoint=False)
    lean = 0.18
    ring: Points = np.stack([half_length * np.cos(turn), half_height * np.sin(turn) * (1 + 0.12 * np.cos(turn)), np.zeros(34)], axis=1)
    ring[:, :2] = ring[:, :2] @ np.array([[np.cos(lean), np.sin(lean)], [-np.sin(lean), np.cos(lean)]]) + centre
    rod = drawn["ring_rod"]
    if drawn["plastic"] == 0:
        return None, union(blade, strap, tube(ring, rod * 0.55, closed=True, segments=10))
    sleeve = np.column_stack([arm[6:], np.zeros(6)])
    coat = union(tube(ring, rod, closed=True, segments=12), tube(sleeve, np.linspace(rod * 0.8, rod * 1.05, 6), segments=12))
    tang = tube(np.concatenate([np.roll(ring, -2, axis=0)[:16]]), rod * 0.38, segments=6)
    return coat, union(blade, strap, tang)
