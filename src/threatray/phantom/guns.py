"""Handguns: pistols with slide, frame, barrel, magazine, springs and rounds; revolvers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from threatray.phantom.finishes import BRASS, COPPER, HIDDEN, gun_polymer, gun_steel, wood
from threatray.phantom.parts import Finish, Part, SolidObject, assemble
from threatray.phantom.solids import Points, band, box, cylinder, disc, outline, plate, rounded_box, smooth_curve, spindle, tube, union

if TYPE_CHECKING:
    from manifold3d import CrossSection, Manifold


def gun(rng: np.random.Generator) -> SolidObject:
    """A pistol, or one time in four a revolver."""
    return revolver(rng) if rng.random() < 0.25 else pistol(rng)


def pistol(rng: np.random.Generator) -> SolidObject:
    """A self-loading pistol lying on its side, muzzle towards +x, with its magazine and rounds inside the grip."""
    drawn = {
        "slide_length": rng.uniform(14.0, 20.0),
        "slide_height": rng.uniform(2.1, 2.8),
        "slide_width": rng.uniform(2.2, 2.8),
        "grip_width": rng.uniform(2.6, 3.2),
        "grip_depth": rng.uniform(4.4, 5.4),
        "grip_length": rng.uniform(7.6, 10.0),
        "grip_lean": rng.uniform(0.16, 0.36),
        "frame_drop": rng.uniform(1.3, 1.9),
        "guard_reach": rng.uniform(4.3, 5.6),
        "guard_drop": rng.uniform(2.6, 3.3),
        "caliber": rng.choice([0.57, 0.9, 1.0, 1.14]),
        "rounds": float(rng.integers(0, 13)),
        "polymer": float(rng.random() < 0.55),
        "dust_cover": rng.uniform(0.55, 0.98),
        "muzzle_rake": rng.uniform(-0.2, 0.5),
    }
    steel_finish, polymer_finish, grip_wood = gun_steel(rng), gun_polymer(rng), wood(rng)
    panels_of_wood = rng.random() < 0.4
    length, height, width = drawn["slide_length"], drawn["slide_height"], drawn["slide_width"]
    drop, depth = drawn["frame_drop"], drawn["grip_depth"]
    polymer = drawn["polymer"] > 0
    parts: list[Part] = []

    well = _well(drawn)
    frame = _frame(drawn, grip=polymer)  # a steel frame has thin grip walls instead, listed below
    frame_width = drawn["grip_width"] if polymer else drawn["grip_width"] - 0.5
    solid = plate(frame, frame_width, bevel=0.42 if polymer else 0.25, steps=4)
    # Forward of the grip the frame is no wider than the slide.
    trim = box(40, 40, 5).translate((20.0 + depth + 1.0, 0, width / 2 - 0.05 + 2.5))
    solid = solid - trim - trim.mirror((0, 0, 1))
    if not polymer:
        solid -= box(length * 0.8, drop * 0.9, width - 0.75).translate((length * 0.45 + 0.6, -drop * 0.4, 0))
    parts.append(
        Part(
            "polyamide" if polymer else "steel",
            solid - _guard_relief(drawn, frame_width) - well,
            polymer_finish if polymer else steel_finish,
        )
    )
    if not polymer:
        panel = plate(_grip_outline(drawn).offset(-0.35), drawn["grip_width"] + 0.25, bevel=0.3, steps=4)
        parts.append(Part("wood" if panels_of_wood else "polyamide", panel, grip_wood if panels_of_wood else polymer_finish))
        walls = plate(_grip_outline(drawn), _magazine_size(drawn)[2] + 0.5, bevel=0.1)
        parts.append(Part("steel", walls - well, steel_finish))

    rake = drawn["muzzle_rake"]
    side = outline([(0, 0), (length, 0), (length - rake, height - 0.45), (length - rake - 0.25, height), (0.3, height), (0, height - 0.35)])
    slide = plate(side, width, bevel=0.3, steps=3)
    slide -= box(length, height - 0.4, width - 0.55).translate(
        (length * 0.5 + length * 0.16, (height - 0.4) / 2 - 0.2, 0)
    )  # the slide is a trough over the barrel
    first = 0.7
    for groove in range(int(rng.integers(4, 8))):
        cut = box(0.16, height - 0.7, 0.25).translate((first + 0.38 * groove, height / 2 + 0.1, width / 2))
        slide -= union(cut, cut.mirror((0, 0, 1)))
    slide -= box(2.4, 1.0, 1.2).translate((length * 0.42, height - 0.4, width / 2 - 0.2))  # ejection port
    sights = union(
        box(0.6, 0.45, 0.9).translate((0.9, height + 0.15, 0)), box(0.5, 0.4, 0.3).translate((length - 1.4 - rake, height + 0.1, 0))
    )
    parts.append(Part("steel", slide + sights, steel_finish))

    caliber, axis = float(drawn["caliber"]), height * 0.52
    barrel = cylinder(caliber / 2 + 0.17, length * 0.72, axis="x").translate((length * 0.64 - rake * 0.5, axis, 0))
    chamber = box(2.6, 1.25, 1.3).translate((length * 0.42, axis + 0.1, 0))
    bore = cylinder(caliber / 2, length, axis="x").translate((length * 0.42 - 0.9 + length / 2, axis, 0))
    parts.append(Part("steel", union(barrel, chamber) - bore, gun_steel(rng)))
    spring = _coil((length * 0.42, length * 0.9), 0.38, 0.07, turns=13)
    parts.append(Part("steel", spring.translate((0, 0.3, 0)), HIDDEN))
    parts.append(Part("steel", cylinder(0.16, length * 0.48, axis="x", segments=8).translate((length * 0.66, 0.3, 0)), HIDDEN))

    trigger = plate(
        band(smooth_curve([(depth + 1.2, -drop + 0.5), (depth + 1.0, -drop - 0.8), (depth + 1.5, -drop - 1.9)], count=8), 0.45),
        0.7,
        bevel=0.15,
    )
    parts.append(Part("steel", trigger, steel_finish))
    if not polymer or rng.random() < 0.4:
        spur = plate(
            band(smooth_curve([(0.6, -0.4), (-0.3, 0.7), (-0.9, 1.4)], count=8), [0.9, 0.85, 0.8, 0.7, 0.6, 0.55, 0.5, 0.45]),
            0.7,
            bevel=0.15,
        )
        parts.append(Part("steel", spur, steel_finish))
    for x, y, radius in ((depth + 2.6, -drop * 0.45, 0.22), (2.2, -drop * 0.4, 0.18), (depth - 0.6, -drop * 0.8, 0.2)):
        parts.append(Part("steel", cylinder(radius, frame_width + 0.12, segments=12).translate((x, y, 0)), steel_finish))
    parts += _magazine(drawn, rng)
    return assemble("pistol", "gun", parts, drawn)


def _lean(drawn: dict[str, float], along: float, down: float) -> tuple[float, float]:
    """A point of the leaning grip: ``along`` its depth from the rear, ``down`` its length from the slide."""
    return along - down * np.tan(drawn["grip_lean"]), -down


def _grip_outline(drawn: dict[str, float]) -> CrossSection:
    depth, length = drawn["grip_depth"], drawn["grip_length"] + drawn["frame_drop"]
    rear = [
        _lean(drawn, 0.35, 0.6),
        _lean(drawn, 0.45, 1.6),
        _lean(drawn, 0.0, length * 0.4),
        _lean(drawn, -0.2, length * 0.7),
        _lean(drawn, 0.05, length),
    ]
    front = [
        _lean(drawn, depth, length),
        _lean(drawn, depth - 0.2, length * 0.72),
        _lean(drawn, depth - 0.05, length * 0.45),
        _lean(drawn, depth + 0.2, drawn["frame_drop"] + 0.5),
    ]
    return outline(np.concatenate([smooth_curve(rear, count=14), smooth_curve(front, count=12), [_lean(drawn, depth + 0.4, 0.4)]]))


def _guard(drawn: dict[str, float]) -> tuple[Points, Points]:
    """Outer and inner boundary of the trigger guard."""
    depth, drop, reach, down = drawn["grip_depth"], drawn["frame_drop"], drawn["guard_reach"], drawn["guard_drop"]
    x0 = depth - 0.3
    ring = np.array(
        [
            (x0, -drop + 0.3),
            (x0 - 0.2, -drop - down * 0.75),
            (x0 + 0.5, -drop - down),
            (x0 + reach * 0.7, -drop - down),
            (x0 + reach, -drop - down * 0.72),
            (x0 + reach + 0.15, -drop + 0.3),
        ]
    )
    middle = np.array([x0 + reach / 2, -drop - down * 0.42])
    inner = middle + (ring - middle) * np.array([1 - 0.9 / reach, 1 - 0.85 / down])
    inner[[0, -1], 1] = -drop
    return ring, smooth_curve(inner, count=26, closed=True)


def _frame(drawn: dict[str, float], *, grip: bool) -> CrossSection:
    length, drop, depth = drawn["slide_length"], drawn["frame_drop"], drawn["grip_depth"]
    nose = length * drawn["dust_cover"]
    rail = outline(
        [
            (-0.4, 0.15),
            (-1.0, -0.15),
            (-0.9, -0.5),
            (0.3, -drop - 0.1),
            (depth, -drop - 0.1),
            (nose - 0.4, -drop + 0.25),
            (nose, -drop + 0.55),
            (nose, 0.15),
        ]
    )
    outer, inner = _guard(drawn)
    figure = rail + (outline(outer) - outline(inner))
    return figure + _grip_outline(drawn) if grip else figure


def _guard_relief(drawn: dict[str, float], width: float) -> Manifold:
    """What to cut so that the trigger guard is a narrow strap, not as wide as the grip."""
    x0, drop = drawn["grip_depth"] + 0.35, drawn["frame_drop"]
    cut = box(9, 6, width).translate((x0 + 4.5, -drop - 0.2 - 3, 0.55 + width / 2))
    return union(cut, cut.mirror((0, 0, 1)))


def _coil(ends: tuple[float, float], radius: float, wire: float, *, turns: int) -> Manifold:
    turn = np.linspace(0, turns * 2 * np.pi, turns * 9)
    return tube(np.stack([np.linspace(*ends, len(turn)), radius * np.cos(turn), radius * np.sin(turn)], axis=1), wire, segments=5)


def _round(caliber: float) -> tuple[Manifold, Manifold]:
    """Case and bullet of one cartridge along x, base at 0."""
    radius = caliber / 2 + 0.02
    case = spindle([(0, radius), (1.9, radius)], segments=12) - spindle([(0.25, radius - 0.07), (1.95, radius - 0.07)], segments=10)
    bullet = spindle([(1.45, radius - 0.07), (2.0, radius - 0.03), (2.45, radius * 0.7), (2.75, 0.0)], segments=12)
    return case, bullet


def _magazine(drawn: dict[str, float], rng: np.random.Generator) -> list[Part]:
    """The box inside the grip with its rounds, follower, spring and base plate, leaning with the grip."""
    depth, length, inner_width = _magazine_size(drawn)
    caliber = float(drawn["caliber"])
    case_box = rounded_box(depth, length, inner_width + 0.2, 0.3) - rounded_box(depth - 0.2, length + 1, inner_width, 0.25)
    case_box -= union(
        *(cylinder(0.18, 4, segments=8).translate((depth * 0.28, y, 0)) for y in np.arange(-length * 0.3, length * 0.35, 1.3))
    )
    parts = [Part("steel", case_box, HIDDEN)]
    top, pitch = length / 2 - caliber * 0.5, caliber * 0.88
    count = min(int(drawn["rounds"]), int((length - 2.5) / pitch))
    shells, bullets = [], []
    fit = min(1.0, (depth - 0.35) / 2.75)
    for number in range(count):
        case, bullet = (piece.scale((fit, 1, 1)) for piece in _round(caliber))
        aside = (inner_width / 2 - caliber / 2 - 0.03) * (1 if number % 2 else -1)
        where = (-depth / 2 + 0.15, top - number * pitch, max(min(aside, 0.4), -0.4))
        shells.append(case.translate(where))
        bullets.append(bullet.translate(where))
    if count:
        parts += [Part("brass", union(*shells), BRASS), Part("lead", union(*bullets), COPPER)]
    follower = top - count * pitch - 0.1
    parts.append(Part("polyamide", box(depth - 0.3, 0.5, inner_width - 0.1).translate((0, follower, 0)), HIDDEN))
    levels = np.linspace(follower - 0.3, -length / 2 + 0.2, 46)
    turn = np.arange(46) * np.pi / 2.2
    wire = np.stack([(depth / 2 - 0.35) * np.cos(turn), levels, (inner_width / 2 - 0.15) * np.sin(turn)], axis=1)
    parts.append(Part("steel", tube(wire, 0.06, segments=5), HIDDEN))
    base = rounded_box(depth + 1.1, 0.5, inner_width + 0.9, 0.2).translate((0.1, -length / 2 - 0.3, 0))
    parts.append(Part("polyamide", base, gun_polymer(rng)))
    return [Part(part.material, _into_grip(drawn, part.solid), part.finish) for part in parts]


def _well(drawn: dict[str, float]) -> Manifold:
    """The hole in the grip that the magazine slides into."""
    depth, length, inner_width = _magazine_size(drawn)
    return _into_grip(drawn, rounded_box(depth, length + 1.0, inner_width + 0.2, 0.3).translate((0, -0.5, 0)))


def _magazine_size(drawn: dict[str, float]) -> tuple[float, float, float]:
    """Outer depth and length of the magazine, and its inner width."""
    inner_width = min(max(drawn["caliber"] * 1.55, 1.2), drawn["grip_width"] - 1.0)
    return drawn["grip_depth"] - 1.1, drawn["grip_length"] + drawn["frame_drop"] - 0.4, inner_width


def _into_grip(drawn: dict[str, float], solid: Manifold) -> Manifold:
    """From the magazine's own upright frame to its place in the leaning grip."""
    _, length, _ = _magazine_size(drawn)
    x, y = _lean(drawn, drawn["grip_depth"] / 2 + 0.1, (length + 0.6) / 2)
    return solid.rotate((0, 0, -np.degrees(drawn["grip_lean"]))).translate((x, y, 0.0))


def revolver(rng: np.random.Generator) -> SolidObject:
    """A revolver lying on its side, with six chambers of which some hold rounds."""
    drawn = {
        "barrel_length": rng.uniform(5.0, 14.0),
        "barrel_radius": rng.uniform(0.7, 0.95),
        "cylinder_radius": rng.uniform(1.75, 2.1),
        "cylinder_length": rng.uniform(3.6, 4.4),
        "grip_length": rng.uniform(8.0, 10.5),
        "grip_width": rng.uniform(2.4, 3.2),
        "rounds": float(rng.integers(0, 7)),
        "under_lug": float(rng.random() < 0.6),
    }
    finish: Finish = gun_steel(rng)
    grip_finish = wood(rng) if rng.random() < 0.6 else gun_polymer(rng)
    drum, drum_length, bore = drawn["cylinder_radius"], drawn["cylinder_length"], 0.45
    barrel_length, barrel_radius = drawn["barrel_length"], drawn["barrel_radius"]
    axis = drum * 0.62  # the bore lies over the drum's own axis, in line with its top chamber
    # The drum is a little larger than its window: it displaces the frame and no light passes between them.
    low, high = (0.05, -drum + 0.05), (drum_length - 0.05, drum - 0.05)
    window = outline([low, (high[0], low[1]), high, (low[0], high[1])])
    strap = (
        outline(
            [
                (-1.6, -drum - 0.6),
                (drum_length + 0.6, -drum - 0.7),
                (drum_length + 0.9, drum + 0.5),
                (-0.6, drum + 0.55),
                (-1.7, drum * 0.4),
            ]
        )
        - window
    )
    guard = outline(
        smooth_curve([(-0.4, -drum - 0.3), (0.1, -drum - 3.1), (2.4, -drum - 3.4), (4.1, -drum - 2.4), (4.3, -drum - 0.3)], count=24)
    ) - outline(
        smooth_curve([(0.1, -drum - 0.8), (0.5, -drum - 2.7), (2.3, -drum - 2.9), (3.6, -drum - 2.1), (3.8, -drum - 0.8)], count=24)
    )
    parts = [Part("steel", plate(strap, 1.7, bevel=0.2), finish), Part("steel", plate(guard, 0.9, bevel=0.2), finish)]
    grip_length, tilt = drawn["grip_length"], rng.uniform(0.35, 0.6)
    rear = smooth_curve(
        [
            (-1.7, drum * 0.3),
            (-3.0, -1.0),
            (-2.9 - tilt, -3.5),
            (-3.7 - 2 * tilt, -grip_length * 0.75),
            (-4.6 - 3 * tilt, -grip_length - 1.0),
        ],
        count=16,
    )
    front = smooth_curve(
        [(-1.4 - 2.2 * tilt, -grip_length - 1.4), (-0.4 - 1.2 * tilt, -grip_length * 0.7), (-0.4, -4.3), (0.2, -drum - 0.5)], count=14
    )
    grip = outline(np.concatenate([rear, front]))
    parts.append(
        Part("wood" if grip_finish.texture.value == "wood" else "rubber", plate(grip, drawn["grip_width"], bevel=0.7, steps=5), grip_finish)
    )
    parts.append(
        Part(
            "steel",
            plate(grip.offset(-0.8) + outline([(-1.8, 0.5), (-2.6, -1.2), (-0.5, -4.0), (0.2, -2.0), (-0.2, 0.5)]), 1.5, bevel=0.1),
            finish,
        )
    )
    barrel = cylinder(barrel_radius, barrel_length, axis="x").translate((drum_length + 0.3 + barrel_length / 2, axis, 0))
    rib = box(barrel_length, 0.5, 0.7).translate((drum_length + 0.3 + barrel_length / 2, axis + barrel_radius, 0))
    sight = box(0.9, 0.5, 0.25).translate((drum_length + barrel_length - 0.4, axis + barrel_radius + 0.4, 0))
    pieces = [barrel, rib, sight]
    if drawn["under_lug"] > 0:
        pieces.append(
            cylinder(0.5, barrel_length * 0.8, axis="x").translate(
                (drum_length + 0.3 + barrel_length * 0.4, axis - barrel_radius - 0.25, 0)
            )
        )
    parts.append(
        Part(
            "steel",
            union(*pieces) - cylinder(bore, barrel_length + 2, axis="x").translate((drum_length + 0.9 + barrel_length / 2, axis, 0)),
            finish,
        )
    )
    chambers = [(axis * np.cos(k * np.pi / 3), axis * np.sin(k * np.pi / 3)) for k in range(6)]
    drum_solid = cylinder(drum, drum_length, axis="x", segments=36) - union(
        *(cylinder(0.48, drum_length + 1, axis="x", segments=12).translate((0, y, z)) for y, z in chambers)
    )
    flutes = union(
        *(
            spindle([(0.6, 0.35), (2.6, 0.35), (2.9, 0.0)], segments=10).translate(
                (drum_length / 2 - 2.4, drum * 1.08 * np.cos(a), drum * 1.08 * np.sin(a))
            )
            for a in np.pi / 6 + np.arange(6) * np.pi / 3
        )
    )
    parts.append(Part("steel", (drum_solid - flutes).translate((drum_length / 2, 0, 0)), finish))
    loaded = chambers[: int(drawn["rounds"])]
    if loaded:
        case, bullet = _round(0.9)
        parts.append(Part("brass", union(*(case.translate((0, y, z)) for y, z in loaded)), BRASS))
        parts.append(Part("lead", union(*(bullet.translate((0, y, z)) for y, z in loaded)), COPPER))
    hammer = band(smooth_curve([(-1.0, 0.0), (-1.8, 1.3), (-2.9, 1.9)], count=8), [1.2, 1.1, 1.0, 0.9, 0.8, 0.6, 0.5, 0.4])
    trigger = band(smooth_curve([(1.8, -drum - 0.3), (1.5, -drum - 1.4), (2.1, -drum - 2.4)], count=8), 0.45)
    parts += [Part("steel", plate(hammer, 0.8, bevel=0.15), finish), Part("steel", plate(trigger, 0.6, bevel=0.15), finish)]
    screws = [
        disc(0.22, centre, segments=12)
        for centre in ((-0.9, -drum - 0.1), (drum_length + 0.4, -drum - 0.3), (-2.9 - tilt, -grip_length * 0.55))
    ]
    parts.append(Part("steel", union(*(plate(screw, drawn["grip_width"] + 0.05) for screw in screws)), finish))
    return assemble("revolver", "gun", parts, drawn)
