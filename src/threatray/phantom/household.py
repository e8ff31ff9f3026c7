"""Harmless things of everyday: bottles, cans, toiletries, shoes, umbrellas, keys, coins, glasses, food, books."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from threatray.phantom.finishes import BRASS, HIDDEN, RUBBER, bare_steel
from threatray.phantom.parts import Part, SolidObject, assemble
from threatray.phantom.solids import (
    band,
    box,
    capsule,
    cylinder,
    disc,
    ellipsoid,
    limb,
    outline,
    plate,
    rounded_box,
    smooth_curve,
    spindle,
    tube,
    union,
)

if TYPE_CHECKING:
    from manifold3d import Manifold


def bottle(rng: np.random.Generator) -> SolidObject:
    """A plastic or glass bottle along x, filled up to its shoulder."""
    drawn = {
        "radius": rng.uniform(2.0, 4.2),
        "length": rng.uniform(13.0, 27.0),
        "neck": rng.uniform(0.9, 1.5),
        "glass": float(rng.random() < 0.12),
    }
    radius, length, neck = drawn["radius"], drawn["length"], drawn["neck"]
    wall = 0.28 if drawn["glass"] else 0.08
    waist = rng.uniform(0.86, 1.0)
    shape = np.array(
        [
            (0.0, radius * 0.9),
            (0.4, radius),
            (length * 0.3, radius * waist),
            (length * 0.5, radius),
            (length * 0.72, radius),
            (length * 0.88, neck),
            (length, neck),
        ]
    )
    inner = np.stack([np.clip(shape[:, 0], wall, length - 0.01), np.maximum(shape[:, 1] - wall, 0.2)], axis=1)
    level = rng.uniform(0.55, 0.88) * length
    liquid = np.array([*(point for point in inner if point[0] < level), (level, np.interp(level, inner[:, 0], inner[:, 1]))])
    skin = spindle(shape, segments=20) - spindle(np.concatenate([inner[:-1], [(length + 1, inner[-1, 1])]]), segments=20)
    squash = (1, 1, rng.uniform(0.6, 1.0)) if rng.random() < 0.3 and not drawn["glass"] else (1, 1, 1)
    pieces = [
        Part("glass" if drawn["glass"] else "polyethylene", skin.scale(squash), HIDDEN),
        Part("water", spindle(liquid, segments=20).scale(squash), HIDDEN),
        Part(
            "steel" if drawn["glass"] else "polypropylene",
            cylinder(neck + 0.2, 1.6, axis="x", segments=18).translate((length + 0.2, 0, 0)),
            HIDDEN,
        ),
    ]
    return assemble("bottle", None, pieces, drawn, nested=False)


def can(rng: np.random.Generator) -> SolidObject:
    """A drinks can, a food tin or an aerosol."""
    drawn = {"radius": rng.uniform(2.4, 3.6), "length": rng.uniform(8.0, 17.0), "steel": float(rng.random() < 0.4)}
    radius, length = drawn["radius"], drawn["length"]
    metal, wall = ("steel", 0.025) if drawn["steel"] else ("aluminium", 0.05)
    profile = [(0, radius * 0.8), (0.5, radius), (length - 0.8, radius), (length, radius * 0.75)]
    inner = [(0.08, radius * 0.8 - wall), (0.5, radius - wall), (length - 0.8, radius - wall), (length - 0.1, radius * 0.75 - wall)]
    fill = [*inner[:2], (length * rng.uniform(0.6, 0.93), radius - wall)]
    rims = union(
        *(
            spindle([(x, radius * 0.82), (x + 0.2, radius * 0.82)], segments=20)
            - spindle([(x - 0.1, radius * 0.74), (x + 0.3, radius * 0.74)], segments=20)
            for x in (-0.1, length - 0.1)
        )
    )
    pieces = [
        Part(metal, union(spindle(profile, segments=20) - spindle(inner, segments=20), rims), HIDDEN),
        Part("water", spindle(fill, segments=20), HIDDEN),
    ]
    if drawn["steel"] and length > 12:
        valve = union(
            cylinder(0.5, 1.0, axis="x", segments=10).translate((length + 0.3, 0, 0)),
            cylinder(0.12, length * 0.85, axis="x", segments=6).translate((length * 0.5, 0, 0)),
        )
        pieces.append(Part("polypropylene", valve, HIDDEN))
        pieces.append(Part("steel", ellipsoid(0.6, 0.6, 0.6, segments=8).translate((1.0, -radius * 0.6, 0)), HIDDEN))
    return assemble("can", None, pieces, drawn, nested=False)


def toiletry(rng: np.random.Generator) -> SolidObject:
    """A tube, jar, roll-on or bar of soap."""
    kind = int(rng.integers(4))
    length = rng.uniform(8, 17)
    drawn = {"kind": float(kind), "length": length}
    if kind == 0:
        body = limb([(0, 0, 0, 4.8, 0.25), (length * 0.5, 0, 0, 4.2, 2.4), (length, 0, 0, 3.4, 3.4)], segments=16)
        cap = cylinder(1.5, 2.2, axis="x", segments=16).translate((length + 1.1, 0, 0))
        return assemble("tube", None, [Part("soap", body, HIDDEN), Part("polypropylene", cap, HIDDEN)], drawn, nested=False)
    if kind == 1:
        radius = rng.uniform(2.2, 3.6)
        jar = cylinder(radius, 4.5, segments=24) - cylinder(radius - 0.3, 4.1, segments=24)
        return assemble(
            "jar",
            None,
            [Part("polypropylene", jar, HIDDEN), Part("soap", cylinder(radius - 0.3, 3.0, segments=24).translate((0, 0, -0.5)), HIDDEN)],
            drawn,
            nested=False,
        )
    if kind == 2:
        return assemble("soap", None, [Part("soap", rounded_box(8.5, 5.4, 2.6, 1.5, bevel=0.6), HIDDEN)], drawn, nested=False)
    radius = rng.uniform(1.4, 2.0)
    body = spindle([(0, radius), (7, radius), (8, radius * 0.8)], segments=18)
    ball = ellipsoid(radius * 1.5, radius * 1.5, radius * 1.5, segments=14).translate((8.2, 0, 0))
    return assemble("roll_on", None, [Part("water", body, HIDDEN), Part("polypropylene", ball, HIDDEN)], drawn, nested=False)


def book(rng: np.random.Generator) -> SolidObject:
    """A paperback, hardback or notebook with a wire spine."""
    drawn = {"x": rng.uniform(17, 27), "y": rng.uniform(11, 20), "z": rng.uniform(0.7, 3.2), "wire": float(rng.random() < 0.3)}
    pieces = [Part("paper", rounded_box(drawn["x"], drawn["y"], drawn["z"], 0.15), HIDDEN)]
    if drawn["wire"]:
        coils = [cylinder(drawn["z"] / 2 + 0.25, 0.09, axis="x", segments=12) - cylinder(drawn["z"] / 2 + 0.16, 1, axis="x", segments=12)]
        rings = union(
            *(coils[0].translate((x, drawn["y"] / 2 + 0.1, 0)) for x in np.arange(-drawn["x"] / 2 + 0.6, drawn["x"] / 2 - 0.4, 0.8))
        )
        pieces.append(Part("steel", rings, HIDDEN))
    return assemble("book", None, pieces, drawn, nested=False)


def shoe(rng: np.random.Generator) -> SolidObject:
    """A shoe on its side or sole: rubber sole with a steel shank or not, upper, metal eyelets."""
    drawn = {
        "length": rng.uniform(22, 30),
        "sole": rng.uniform(0.8, 2.2),
        "shank": float(rng.random() < 0.4),
        "upper": float(rng.random() < 0.75),
    }
    scale = drawn["length"] / 26
    rim = smooth_curve(
        np.array([(0, 1.0), (0.2, 3.3), (4, 4.3), (10, 3.4), (17, 5.0), (23, 4.8), (26, 2.6), (24, -0.2), (18, -0.9), (10, 0.6), (4, -0.1)])
        * scale,
        count=40,
        closed=True,
    )
    sole = plate(outline(rim), drawn["sole"])
    groove = [plate(band([(x, -2), (x + 0.6, 2), (x, 7)], 0.45), 1.0) for x in np.arange(1.5, 25 * scale, 1.5)]
    pieces = [Part("rubber", sole - union(*groove).translate((0, 0, -drawn["sole"] / 2 - 0.2)), RUBBER)]
    if drawn["shank"]:
        pieces.append(Part("steel", box(9 * scale, 1.4, 0.12).translate((9 * scale, 2 * scale, drawn["sole"] / 2 + 0.07)), HIDDEN))
    if drawn["upper"]:
        wall = plate(outline(rim) - outline(rim).offset(-0.3), 4.5)
        pieces.append(Part("leather", wall.translate((0, 0, drawn["sole"] / 2 + 2.3)), HIDDEN))
        ring = plate(disc(0.32, segments=10) - disc(0.18, segments=8), 0.12)
        eyes = [
            ring.translate(((13.5 + 1.3 * row) * scale, (2.2 + side) * scale, drawn["sole"] / 2 + 4.6))
            for row in range(int(rng.integers(3, 6)))
            for side in (-1.2, 1.2)
        ]
        pieces.append(Part("brass", union(*eyes), BRASS))
    return assemble("shoe", None, pieces, drawn, nested=False)


def umbrella(rng: np.random.Generator) -> SolidObject:
    """A folded pocket umbrella: telescopic shaft, two sets of ribs, springs, cloth, handle."""
    drawn = {"length": rng.uniform(19, 27), "ribs": float(rng.integers(6, 9)), "radius": rng.uniform(1.6, 2.4)}
    length, radius = drawn["length"], drawn["radius"]
    shaft = cylinder(0.5, length, axis="x", segments=12) - cylinder(0.43, length + 1, axis="x", segments=12)
    thin = cylinder(0.32, length * 0.9, axis="x", segments=8) - cylinder(0.25, length + 1, axis="x", segments=8)
    wires = []
    for rib in range(int(drawn["ribs"])):
        angle = rib * 2 * np.pi / drawn["ribs"] + rng.uniform(-0.2, 0.2)
        for spread, low, high in ((1.0, -0.48, 0.44), (0.72, -0.40, 0.48), (0.5, -0.46, 0.25)):
            bend = angle + rng.uniform(-0.3, 0.3)
            line = [
                (low * length, radius * spread * np.cos(angle), radius * spread * np.sin(angle)),
                (0, radius * spread * 0.8 * np.cos(bend), radius * spread * 0.8 * np.sin(bend)),
                (high * length, 0.55 * np.cos(angle), 0.55 * np.sin(angle)),
            ]
            wires.append(Part("steel", tube(line, 0.075, segments=4), HIDDEN))
    cloth = spindle([(-length * 0.5, radius + 0.2), (0, radius + 0.25), (length * 0.45, 0.9)], segments=14) - spindle(
        [(-length * 0.51, radius), (0, radius + 0.05), (length * 0.46, 0.7)], segments=14
    )
    handle = capsule(1.3, 6.0).translate((-length * 0.5 - 2.6, 0, 0))
    pieces = [
        Part("polyamide", cloth, HIDDEN),
        Part("abs", handle, HIDDEN),
        Part("steel", shaft, HIDDEN),
        Part("steel", thin, HIDDEN),
        *wires,
    ]
    return assemble("umbrella", None, pieces, drawn, nested=False)


def keys(rng: np.random.Generator) -> SolidObject:
    """A bunch of keys on a steel ring."""
    count = int(rng.integers(2, 6))
    pieces = [Part("steel", tube(np.column_stack([*_circle(1.3, 20), np.zeros(20)]), 0.1, segments=6, closed=True), HIDDEN)]
    for number in range(count):
        bow, long = rng.uniform(0.8, 1.1), rng.uniform(1.8, 2.8)
        teeth = [(bow * 0.8 + long * t, 0.28 + 0.22 * rng.random()) for t in np.linspace(0.2, 1, 9)]
        figure = disc(bow, segments=18) + outline([(0, -0.35), (bow + long, -0.35), (bow + long, 0.1), *reversed(teeth), (0, 0.4)])
        key = plate(figure - disc(0.3, (-bow * 0.5, 0), segments=10), 0.22).translate((bow + 0.9, 0, 0.25 * number - 0.3))
        pieces.append(Part("brass" if rng.random() < 0.6 else "steel", key.rotate((0, rng.uniform(-12, 12), rng.uniform(0, 360))), HIDDEN))
    return assemble("keys", None, pieces, {"count": float(count)}, nested=False)


def coins(rng: np.random.Generator) -> SolidObject:
    """A few coins, flat and tilted, perhaps in a leather purse."""
    count = int(rng.integers(3, 11))
    pieces = []
    if rng.random() < 0.6:
        pieces.append(Part("leather", rounded_box(11, 9, 0.8, 1.2) - rounded_box(10.4, 8.4, 0.5, 1.0), HIDDEN))
    for _ in range(count):
        coin = cylinder(rng.uniform(0.8, 1.25), rng.uniform(0.14, 0.22), segments=20).rotate((rng.normal(0, 20), rng.normal(0, 20), 0))
        pieces.append(
            Part(str(rng.choice(["copper", "brass", "steel"])), coin.translate((*rng.normal(0, 1.8, 2), rng.uniform(-0.3, 0.3))), HIDDEN)
        )
    return assemble("coins", None, pieces, {"count": float(count)}, nested=False)


def glasses_case(rng: np.random.Generator) -> SolidObject:
    """A hard case with a pair of glasses in it."""
    shell = limb(
        [(-8, 0, 0, 3, 2), (-7, 0, 0, 5.4, 3.6), (0, 0, 0, 6.2, 4.2), (7, 0, 0, 5.4, 3.6), (8, 0, 0, 3, 2)], segments=18, squareness=2.6
    )
    metal = rng.random() < 0.5
    wall = 0.955 if metal else 0.93
    pieces = [Part("steel" if metal and rng.random() < 0.3 else "abs", shell - shell.scale((wall, wall, wall)), HIDDEN)]
    lens = [_circle(2.4, 24) for _ in range(2)]
    frame = [
        tube(np.column_stack([x + 3.2 * (1 if k else -1), y * 0.8, np.zeros(24)]), 0.12, segments=5, closed=True)
        for k, (x, y) in enumerate(lens)
    ]
    arms = [tube([(side * 6.0, 0.8, 0), (side * 5.5, -0.2, 0.4), (-side * 5.0, -0.9 * side, 0.5)], 0.1, segments=5) for side in (1, -1)]
    pieces += [
        Part("steel", solid, HIDDEN) for solid in (*frame, *arms, tube([(-0.9, 0.6, 0), (0, 0.9, 0), (0.9, 0.6, 0)], 0.1, segments=5))
    ]
    pieces += [
        Part("polyamide" if rng.random() < 0.7 else "glass", ellipsoid(4.7, 3.7, 0.22, segments=16).translate((side * 3.2, 0, 0)), HIDDEN)
        for side in (1, -1)
    ]
    return assemble("glasses_case", None, pieces, {"metal": float(metal)}, nested=False)


def belt(rng: np.random.Generator) -> SolidObject:
    """A coiled leather belt with its buckle."""
    turns = rng.uniform(2.0, 3.5)
    angle = np.linspace(0, turns * 2 * np.pi, int(turns * 22))
    radius = 2.5 + 0.35 * angle / np.pi
    line = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.zeros_like(angle)], axis=1)
    strap = tube(line, 0.18, segments=6, flatness=9.0)
    frame = plate(
        outline([(-2, -2.4), (2, -2.4), (2, 2.4), (-2, 2.4)]) - outline([(-1.5, -1.9), (1.5, -1.9), (1.5, 1.9), (-1.5, 1.9)]),
        0.4,
        bevel=0.1,
    )
    buckle = union(frame, cylinder(0.15, 4.2, axis="x", segments=8)).rotate((80, 0, 0)).translate((float(radius[-1]) + 0.8, 0, 0))
    return assemble(
        "belt", None, [Part("leather", strap, HIDDEN), Part("zinc_alloy", buckle, bare_steel(rng))], {"turns": turns}, nested=False
    )


def food(rng: np.random.Generator) -> SolidObject:
    """Fruit, a chocolate bar in foil, or a box of biscuits."""
    kind = int(rng.integers(3))
    if kind == 0:
        size = rng.uniform(6, 8.5)
        core = ellipsoid(1.2, 1.2, 2.4, segments=8)
        return assemble(
            "fruit",
            None,
            [Part("water", ellipsoid(size, size * 0.95, size * 0.85, segments=24) - core, HIDDEN)],
            {"size": size},
            nested=False,
        )
    if kind == 1:
        slab = rounded_box(16, 8, 0.9, 0.2) - union(*(box(0.25, 9, 0.5).translate((x, 0, 0.4)) for x in np.arange(-6, 7, 2.0)))
        return assemble("chocolate", None, [Part("sugar_food", slab, HIDDEN)], {}, nested=False)
    thick = rng.uniform(0.5, 0.8)
    count = int(rng.integers(6, 12))
    biscuit = cylinder(2.9, thick, axis="x", segments=20)
    stack = [biscuit.translate(((k - count / 2) * (thick + 0.12), 0, 0)) for k in range(count)]
    return assemble("biscuits", None, [Part("sugar_food", union(*stack), HIDDEN)], {"count": float(count)}, nested=False)


def small_things(rng: np.random.Generator) -> SolidObject:
    """A pen, comb, toothbrush, lighter, nail clipper, spoon or cosmetic mirror."""
    kind = int(rng.integers(6))
    steel = "steel"
    pieces: list[Part]
    if kind == 0:
        shell = spindle([(0, 0.2), (1.0, 0.5), (13, 0.5), (13.8, 0.3)], segments=10) - spindle(
            [(0.2, 0.1), (1.0, 0.38), (13, 0.38)], segments=10
        )
        clip = box(4, 0.35, 0.1).translate((11, 0, 0.6))
        spring = cylinder(0.3, 2.2, axis="x", segments=8) - cylinder(0.22, 3, axis="x", segments=8)
        pieces = [Part("abs", shell, HIDDEN), Part(steel, union(clip, spring.translate((2.2, 0, 0))), HIDDEN)]
    elif kind == 1:
        figure = outline([(0, 0), (17, 0), (17, 1.2), (0, 1.2)]) + union_2d(
            [outline([(x, 0.5), (x + 0.16, 0.5), (x + 0.16, 3.4), (x, 3.4)]) for x in np.arange(0.2, 16.6, 0.42)]
        )
        pieces = [Part("polyamide", plate(figure, 0.35), HIDDEN)]
    elif kind == 2:
        pieces = [
            Part(
                "polypropylene",
                limb([(0, 0, 0, 1.2, 1.0), (12, 0, 0, 0.7, 0.6), (15, 0, 0, 0.5, 0.5), (18.5, 0, 0, 1.2, 0.6)], segments=10),
                HIDDEN,
            ),
            Part("polyamide", box(2.8, 1.0, 1.0).translate((17, 0, 0.7)), HIDDEN),
        ]
    elif kind == 3:
        pieces = [
            Part("abs", rounded_box(6.2, 2.4, 1.1, 0.5) - box(5.0, 2.0, 0.7), HIDDEN),
            Part("water", box(4.9, 1.9, 0.65), HIDDEN),
            Part(steel, box(1.6, 2.2, 1.2).translate((3.9, 0, 0)), HIDDEN),
        ]
    elif kind == 4:
        bowl = ellipsoid(6.5, 4.2, 0.9, segments=16) - ellipsoid(6.1, 3.9, 0.8, segments=16).translate((0, 0, 0.16))
        pieces = [
            Part(
                "stainless_steel",
                union(bowl, limb([(3, 0, 0, 0.8, 0.3), (8, 0, 0.4, 0.6, 0.25), (14.5, 0, 0.2, 1.8, 0.2)], segments=8)),
                HIDDEN,
            )
        ]
    else:
        radius = rng.uniform(2.4, 4.0)
        pieces = [
            Part("abs", cylinder(radius, 1.2, segments=28) - cylinder(radius - 0.35, 0.9, segments=24), HIDDEN),
            Part("glass", cylinder(radius - 0.4, 0.2, segments=24), HIDDEN),
            Part("soap", cylinder(radius - 0.5, 0.3, segments=24).translate((0, 0, -0.28)), HIDDEN),
        ]
    return assemble("small_thing", None, pieces, {"kind": float(kind)}, nested=False)


def union_2d(figures: list[Manifold]) -> Manifold:
    """Several plane figures as one."""
    from manifold3d import CrossSection, OpType

    return CrossSection.batch_boolean(figures, OpType.Add)


def _circle(radius: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return radius * np.cos(turn), radius * np.sin(turn)
