"""Hand tools: wrenches, pliers, hammers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from threatray.phantom.finishes import RUBBER, bare_steel, black_plastic, plastic, wood
from threatray.phantom.parts import Finish, Part, SolidObject, assemble
from threatray.phantom.solids import (
    band,
    box,
    cylinder,
    disc,
    ellipsoid,
    limb,
    outline,
    plate,
    rounded_rectangle,
    smooth_curve,
    spindle,
    tube,
    union,
)

if TYPE_CHECKING:
    from manifold3d import CrossSection, Manifold


def wrench(rng: np.random.Generator) -> SolidObject:
    """A combination, open-ended, ring or adjustable wrench of forged steel."""
    return adjustable_wrench(rng) if rng.random() < 0.3 else fixed_wrench(rng)


def fixed_wrench(rng: np.random.Generator) -> SolidObject:
    """A wrench with an open jaw or a ring at either end."""
    drawn = {
        "length": rng.uniform(13.0, 25.0),
        "size": rng.uniform(1.0, 2.4),
        "depth": rng.uniform(0.55, 0.95),
        "jaw_degrees": rng.uniform(12.0, 17.0),
        "left_open": float(rng.random() < 0.7),
        "right_open": float(rng.random() < 0.4),
    }
    size, half = drawn["size"], drawn["length"] / 2
    waist = size * rng.uniform(0.62, 0.85) + 0.35
    shank = outline(
        np.concatenate(
            [
                [(-half, -waist * 0.62), (-half * 0.5, -waist / 2), (half * 0.5, -waist / 2), (half, -waist * 0.62)],
                [(half, waist * 0.62), (half * 0.5, waist / 2), (-half * 0.5, waist / 2), (-half, waist * 0.62)],
            ]
        )
    )
    body = plate(shank, drawn["depth"] * 0.7, bevel=0.16)
    if rng.random() < 0.5:
        groove = plate(outline(rounded_rectangle(half * 1.1, waist * 0.5, 0.3)), 1.0).translate((0, 0, drawn["depth"] * 0.35 - 0.1 + 0.5))
        body -= union(groove, groove.mirror((0, 0, 1)))
    ends, holes = [], []
    for sign, is_open in ((-1.0, drawn["left_open"] > 0), (1.0, drawn["right_open"] > 0)):
        smaller = 1.0 if sign < 0 else rng.uniform(0.8, 1.0)
        end, hole = _open_end(size * smaller, drawn["jaw_degrees"]) if is_open else _ring_end(size * smaller, int(rng.choice([6, 12])))
        depth = drawn["depth"] * (1.0 if is_open else 1.25)
        ends.append(plate(end, depth, bevel=0.15).rotate((0, 0, 0 if sign > 0 else 180)).translate((sign * half, 0, 0)))
        holes.append(plate(hole, 4.0).rotate((0, 0, 0 if sign > 0 else 180)).translate((sign * half, 0, 0)))
    solid = union(body, *ends) - union(*holes)
    finish = bare_steel(rng) if rng.random() < 0.85 else black_plastic(rng)
    return assemble("fixed_wrench", "wrench", [Part("steel", solid, finish)], drawn)


def _open_end(size: float, degrees: float) -> tuple[CrossSection, CrossSection]:
    head = disc(size * 1.12 + 0.2, segments=40) + disc(size * 0.8, (-size * 0.5, 0.0))
    slot = outline(
        np.concatenate([[(size * 3, -size / 2), (size * 3, size / 2)], rounded_rectangle(size * 0.9, size, size * 0.3)[5:15] * [1, 1]])
    )
    return head, slot.rotate(degrees)


def _ring_end(size: float, corners: int) -> tuple[CrossSection, CrossSection]:
    turn = np.arange(corners * 2) * np.pi / corners
    radius = np.where(np.arange(corners * 2) % 2, size / 2 / np.cos(np.pi / corners) * 0.98, size / 2 * 1.1)
    return disc(size * 0.72 + 0.28, segments=40), outline(np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1))


def adjustable_wrench(rng: np.random.Generator) -> SolidObject:
    """A wrench whose lower jaw slides on a worm."""
    drawn = {"length": rng.uniform(15.0, 26.0), "opening": rng.uniform(0.2, 1.6), "depth": rng.uniform(0.8, 1.3)}
    scale = drawn["length"] / 20.0
    handle = outline(
        np.concatenate([
            [(-9.6, -0.95), (-8.6, -1.1), (-4, -0.8), (1.0, -0.95), (3.5, -1.25), (5.2, -1.9)],
            [(6.3, -2.1), (7.4, -1.6), (7.6, 0.3), (9.6, 1.1), (9.9, 2.1), (8.2, 2.9), (6.2, 2.6), (4.6, 1.4)],
            [(3.2, 1.05), (1.0, 0.9), (-4, 0.8), (-8.6, 1.1), (-9.6, 0.95), (-10.1, 0.4), (-10.1, -0.4)],
        ])
    ) - disc(0.5, (-9.2, 0.0), segments=18)  # fmt: skip
    finish = bare_steel(rng)
    depth = drawn["depth"]
    slide = box(1.9, 1.0, depth * 2).translate((5.3, -1.0, 0))
    body = (
        union(
            plate(handle, depth * 0.8, bevel=0.25),
            plate(
                outline([(4.2, 1.2), (5.0, -2.0), (7.3, -1.7), (7.5, 0.3), (9.6, 1.1), (9.9, 2.1), (8.2, 2.9), (6.2, 2.6)]),
                depth,
                bevel=0.2,
            ),
        )
        - slide
    )
    jaw = outline([(7.5, 0.25), (9.4, 1.05), (9.9, 0.2), (9.3, -1.2), (7.6, -2.6), (5.2, -2.9), (5.3, -2.1), (7.3, -1.65)])
    lower = plate(jaw, depth, bevel=0.18).translate((0.25 * drawn["opening"], -drawn["opening"], 0))
    rack = box(2.0, 1.3 + drawn["opening"], depth * 0.55).translate((6.3, -1.6 - drawn["opening"] * 0.5, 0))
    worm = union(
        *(cylinder(0.46, 0.2, axis="x", segments=16).translate((4.7 + 0.3 * k, -1.0, 0)) for k in range(5)),
        cylinder(0.3, 1.7, axis="x", segments=12).translate((5.3, -1.0, 0)),
    )
    dark = bare_steel(rng)
    parts = [Part("steel", body, finish), Part("steel", union(lower, rack), dark), Part("steel", worm, dark)]
    if rng.random() < 0.3:
        grip = plate(band([(-9.9, 0), (-5, 0), (-0.5, 0)], [2.5, 2.0, 2.1]), depth * 1.15, bevel=0.35)
        parts.insert(0, Part("pvc", grip, plastic(rng)))
    scaled = [Part(part.material, part.solid.scale((scale, scale, scale)), part.finish) for part in parts]
    return assemble("adjustable_wrench", "wrench", scaled, drawn)


def pliers(rng: np.random.Generator) -> SolidObject:
    """Combination, long-nose or cutting pliers: steel jaws and cores, coated handles."""
    drawn = {
        "jaw_length": rng.uniform(3.0, 7.0),
        "jaw_root": rng.uniform(1.1, 1.6),
        "jaw_tip": rng.uniform(0.25, 0.9),
        "handle_length": rng.uniform(9.5, 13.5),
        "spread": rng.uniform(2.0, 3.4),
        "opening_degrees": rng.uniform(0.0, 26.0),
        "depth": rng.uniform(0.8, 1.2),
        "coat": rng.uniform(1.25, 1.75),
    }
    steel = bare_steel(rng)
    coat_finish = plastic(rng) if rng.random() < 0.85 else black_plastic(rng)
    coats: list[Manifold] = []
    cores: list[Manifold] = []
    for sign in (1.0, -1.0):
        coat, core = _pliers_half(drawn)
        for kind, piece in ((coats, coat), (cores, core)):
            half = piece if sign > 0 else piece.mirror((0, 1, 0))
            kind.append(half.rotate((0, 0, sign * drawn["opening_degrees"] / 2)))
    pivot_depth = drawn["depth"] + 0.25
    parts = [
        *(Part("pvc", coat, coat_finish) for coat in coats),
        *(Part("steel", core, steel) for core in cores),
        Part("steel", cylinder(0.95, pivot_depth, segments=26), steel),
        Part("steel", cylinder(0.4, pivot_depth + 0.12, segments=18), bare_steel(rng)),
    ]
    return assemble("pliers", "pliers", parts, drawn)


def _pliers_half(drawn: dict[str, float]) -> tuple[Manifold, Manifold]:
    """Coat and steel of the half with its jaw above the axis and its handle below."""
    jaw, root, tip, depth, handle, spread = (
        drawn["jaw_length"],
        drawn["jaw_root"],
        drawn["jaw_tip"],
        drawn["depth"],
        drawn["handle_length"],
        drawn["spread"],
    )
    figure = outline(
        np.concatenate(
            [
                [(-0.3, 0.02), (jaw, 0.02), (jaw + 0.1, tip * 0.5)],
                smooth_curve([(jaw, tip), (jaw * 0.45, root * 0.85), (0.3, root), (-0.8, root * 0.5)], count=10),
            ]
        )
    )
    figure -= disc(0.42, (jaw * 0.38, 0.02), segments=14)
    for x in np.arange(jaw * 0.6, jaw - 0.2, 0.3):
        figure -= outline([(x, -0.1), (x + 0.12, 0.12), (x + 0.24, -0.1)])
    arm = smooth_curve(
        [
            (0.9, 0.35),
            (-0.6, -0.45),
            (-2.0, -1.05),
            (-handle * 0.5, -spread * 0.85),
            (-handle * 0.85, -spread * 0.8),
            (-handle - 1.5, -spread * 0.62),
        ],
        count=24,
    )
    width = np.interp(np.linspace(0, 1, 24), [0, 0.12, 0.3, 1], [1.5, 1.35, 0.85, 0.65])
    core = union(plate(figure, depth, bevel=0.12), plate(band(arm, width), depth * 0.75, bevel=0.15))
    reach = np.column_stack([arm[7:], np.zeros(17)])
    over = reach[-1] + (reach[-1] - reach[-2]) * 0.5
    line = np.concatenate([reach, [over]])
    thick = drawn["coat"] / 2 * np.interp(np.linspace(0, 1, 18), [0, 0.05, 0.12, 0.7, 1], [0.8, 1.12, 0.9, 1.0, 0.72])
    return tube(line, thick, segments=14), core


def hammer(rng: np.random.Generator) -> SolidObject:
    """A claw, ball-pein or block hammer: steel head, handle of wood, fibreglass or steel."""
    drawn = {
        "handle_length": rng.uniform(22.0, 30.0),
        "handle_height": rng.uniform(2.4, 3.2),
        "head_radius": rng.uniform(1.2, 1.7),
        "head_length": rng.uniform(4.6, 6.0),
        "kind": float(rng.choice([0, 0, 0, 1, 2])),
    }
    radius, reach = drawn["head_radius"], drawn["head_length"]
    length, height = drawn["handle_length"], drawn["handle_height"]
    steel = bare_steel(rng) if rng.random() < 0.7 else black_plastic(rng)
    kind = int(drawn["kind"])
    material = str(rng.choice(["wood", "wood", "fibreglass", "steel"]))
    parts: list[Part] = []
    along = np.linspace(0, 1, 14)
    if material == "wood":
        swell = np.interp(along, [0, 0.12, 0.45, 0.75, 1], [1.05, 1.15, 0.9, 0.72, 0.78]) * height
        stations = np.stack([along * length, np.zeros(14), np.zeros(14), swell, swell * 0.72], axis=1)
        parts.append(Part("wood", limb(stations, squareness=2.5), wood(rng)))
    else:
        grip_finish: Finish = RUBBER if rng.random() < 0.5 else plastic(rng)
        split = int(rng.integers(6, 9))
        swell = np.interp(along, [0, 0.05, 0.2, 0.4, 0.55], [1.0, 1.15, 1.0, 1.15, 0.95]) * height
        grip = np.stack([along * length, np.zeros(14), np.zeros(14), swell, swell * 0.8], axis=1)[: split + 1]
        parts.append(Part("rubber", limb(grip, squareness=2.6), grip_finish))
        core_height = height * (0.62 if material == "fibreglass" else 0.5)
        core = limb([(0.8, 0, 0, core_height, core_height * 0.8), (length, 0, 0, core_height * 0.95, core_height * 0.7)], squareness=2.2)
        if material == "steel":
            parts.append(
                Part(
                    "steel",
                    core
                    - limb([(0.4, 0, 0, core_height * 0.5, core_height * 0.3), (length - 5, 0, 0, core_height * 0.5, core_height * 0.3)]),
                    bare_steel(rng),
                )
            )
        else:
            parts.append(Part("polyamide", core, plastic(rng)))
    head = _claw_head(radius, reach) if kind == 0 else _ball_head(radius, reach) if kind == 1 else _block_head(radius, reach)
    head = head.translate((length - radius * 0.9, 0, 0))
    eye = limb(
        [(length - radius * 3, 0, 0, height * 0.62, height * 0.44), (length + radius, 0, 0, height * 0.66, height * 0.48)], squareness=2.4
    )
    parts.append(Part("steel", head - eye, steel))
    return assemble("hammer", "hammer", parts, drawn)


def _claw_head(radius: float, reach: float) -> Manifold:
    face = spindle([(0, radius * 0.95), (0.15, radius), (1.1, radius), (1.5, radius * 0.72), (reach * 0.95, radius * 0.75)], segments=28)
    face = face.rotate((0, 0, 90)).translate((0, -reach, 0))
    cheek = plate(outline(rounded_rectangle(radius * 1.9, radius * 2.3, 0.3)), radius * 1.7, bevel=0.3)
    spine = smooth_curve([(0.2, radius * 0.6), (0.35, radius * 1.7), (-0.4, reach * 0.95), (-2.0, reach * 1.35)], count=16)
    claw = plate(band(spine, np.linspace(radius * 1.4, 0.25, 16)), radius * 1.7, bevel=0.15)
    slot = plate(outline([(-0.25, reach * 1.6), (-0.02, radius * 1.6), (0.02, radius * 1.6), (0.25, reach * 1.6)]), 12.0).rotate((0, 90, 0))
    return union(face, cheek, claw) - slot


def _ball_head(radius: float, reach: float) -> Manifold:
    profile = [
        (-reach, radius * 0.92),
        (-reach + 0.2, radius),
        (-reach + 1.0, radius),
        (-reach * 0.5, radius * 0.72),
        (-radius, radius),
        (radius, radius),
        (reach * 0.45, radius * 0.6),
    ]
    return union(
        spindle(profile, segments=28).rotate((0, 0, 90)), ellipsoid(radius * 1.8, radius * 1.8, radius * 1.8).translate((0, reach * 0.6, 0))
    )


def _block_head(radius: float, reach: float) -> Manifold:
    return plate(outline(rounded_rectangle(radius * 2.1, reach * 1.7, 0.35)), radius * 2.1, bevel=0.4)
