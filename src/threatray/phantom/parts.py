"""What a thing is: parts of one material each, in one frame, together with how they look from outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from threatray.errors import ConfigError
from threatray.phantom.solids import Mesh, mesh_of

if TYPE_CHECKING:
    from manifold3d import Manifold

Rgb = tuple[float, float, float]


class Texture(StrEnum):
    """How a surface varies over its area."""

    PLAIN = "plain"
    WOOD = "wood"
    BRUSHED = "brushed"
    CHECKERED = "checkered"


@dataclass(frozen=True)
class Finish:
    """How a surface looks to the camera.

    Args:
        colour: Linear RGB in [0, 1].
        roughness: 0 is a mirror, 1 is chalk.
        metalness: 0 is plastic or wood, 1 is bare metal.
        texture: How it varies.
    """

    colour: Rgb
    roughness: float = 0.5
    metalness: float = 0.0
    texture: Texture = Texture.PLAIN


@dataclass(frozen=True, eq=False)
class Part:
    """One solid of one material, as a recipe names it; see :class:`Piece` for what becomes of it.

    Args:
        material: A name in ``threatray.physics.materials.MATERIALS``.
        solid: Closed, cm, in the object's own frame.
        finish: How it looks.
    """

    material: str
    solid: Manifold
    finish: Finish


@dataclass(frozen=True, eq=False)
class Piece:
    """A part in its place, with the room that other parts take cut out of it.

    Args:
        material: A name in ``threatray.physics.materials.MATERIALS``.
        mesh: Its closed surface.
        finish: How it looks.
    """

    material: str
    mesh: Mesh
    finish: Finish


@dataclass(frozen=True, eq=False)
class SolidObject:
    """A thing made of pieces that do not overlap.

    Args:
        family: What kind of thing, e.g. ``gun`` or ``bottle``.
        class_name: The threat class, or None for a benign thing.
        pieces: Disjoint; see :func:`assemble`.
        parameters: The drawn measures, cm unless named otherwise.
    """

    family: str
    class_name: str | None
    pieces: tuple[Piece, ...]
    parameters: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def mesh(self) -> Mesh:
        """All pieces as one mesh, in their order."""
        starts = np.cumsum([0, *(len(piece.mesh.vertices) for piece in self.pieces)])
        faces = np.concatenate([piece.mesh.faces + start for piece, start in zip(self.pieces, starts[:-1], strict=True)])
        return Mesh(np.concatenate([piece.mesh.vertices for piece in self.pieces]), faces)

    @cached_property
    def piece_of_face(self) -> NDArray[np.int64]:
        """(F,) index into ``pieces`` of each face of ``mesh``."""
        return np.repeat(np.arange(len(self.pieces)), [len(piece.mesh.faces) for piece in self.pieces])


Maker = Callable[[np.random.Generator], SolidObject]


def assemble(
    family: str, class_name: str | None, parts: Sequence[Part], parameters: Mapping[str, float], *, nested: bool = True
) -> SolidObject:
    """An object centred on the origin whose later parts displace earlier ones.

    A magazine inside a grip is listed after the grip: the grip gets the hole that the magazine fills.

    Args:
        family: What kind of thing.
        class_name: The threat class, or None.
        parts: Outer parts first.
        parameters: The drawn measures.
        nested: False if the caller knows that no part reaches into another, which saves the work.

    Raises:
        ConfigError: No part is left.
    """
    kept: list[Part] = []
    later: list[Manifold] = []
    for part in reversed(parts):
        solid = part.solid
        if nested:
            inside = [other for other in later if _boxes_meet(solid, other)]
            if inside:
                from manifold3d import Manifold, OpType

                solid = Manifold.batch_boolean([solid, *inside], OpType.Subtract)
            later.append(part.solid)
        if not solid.is_empty():
            kept.append(Part(part.material, solid, part.finish))
    if not kept:
        raise ConfigError(f"object {family}: no part is left.")
    meshes = [mesh_of(part.solid) for part in reversed(kept)]
    low = np.min([mesh.vertices.min(axis=0) for mesh in meshes], axis=0)
    high = np.max([mesh.vertices.max(axis=0) for mesh in meshes], axis=0)
    pieces = (
        Piece(part.material, Mesh(mesh.vertices - (low + high) / 2, mesh.faces), part.finish)
        for part, mesh in zip(reversed(kept), meshes, strict=True)
    )
    return SolidObject(family, class_name, tuple(pieces), dict(parameters))


def _boxes_meet(first: Manifold, second: Manifold) -> bool:
    a, b = first.bounding_box(), second.bounding_box()
    return all(a[axis] < b[axis + 3] and b[axis] < a[axis + 3] for axis in range(3))
