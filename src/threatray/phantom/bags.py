"""Packing a bag: shell, clothes, harmless things, and at most one threat."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from threatray.core import Annotations, BoolArray, FloatArray, box_of_mask, stream
from threatray.errors import ConfigError
from threatray.phantom.canvas import Canvas
from threatray.phantom.luggage import RECIPES, BagKind, Shell, add_garments, add_shell, draw_shell
from threatray.phantom.objects import BENIGN
from threatray.phantom.parts import SolidObject
from threatray.phantom.pose import Pose, draw_pose
from threatray.phantom.raster import Frame, path_lengths
from threatray.physics.materials import linear_attenuation, material

STOCK_VARIANTS: Final = 8
"""Individuals of each benign family that one shelf of the stock holds."""

_KINDS: Final = (BagKind.SUITCASE, BagKind.BACKPACK, BagKind.DUFFEL, BagKind.BRIEFCASE, BagKind.TRAY)
_KIND_CHANCES: Final = (0.34, 0.27, 0.2, 0.11, 0.08)
_WALL_CM: Final = 0.5
_OPAQUE: Final = 3.0  # attenuation over which even steel behind it does not show
_SEEN_SHARE: Final = 0.6
_HEAVY_FIRST: Final = ("laptop", "hair_dryer", "shoe", "book", "headphones", "umbrella", "bottle")
_ONE_ONLY: Final = ("laptop", "hair_dryer", "headphones", "umbrella", "belt", "glasses_case", "torch", "keys", "coins")


@dataclass(frozen=True, eq=False)
class PackedBag:
    """A bag as the scanner meets it.

    Args:
        kind: Which kind of luggage.
        thickness_cm: Material -> (H, W) path length in cm.
        annotations: The threat, if there is one: class, tight box, amodal mask.
        families: The benign things in it.
    """

    kind: BagKind
    thickness_cm: Mapping[str, FloatArray]
    annotations: Annotations
    families: tuple[str, ...]


@lru_cache(maxsize=1024)
def stock(shelf: str, family: str, variant: int) -> SolidObject:
    """A benign individual from the stock: kept, because building solids costs more than scanning them."""
    return BENIGN[family](stream(0, "stock", shelf, family, variant))


def pack_bag(
    size: tuple[int, int],
    pitch_cm: float,
    rng: np.random.Generator,
    *,
    threat: SolidObject | None = None,
    shelf: str = "train",
    kind: BagKind | None = None,
) -> PackedBag:
    """Pack one bag.

    Args:
        size: (H, W) pixels.
        pitch_cm: Distance of neighbouring pixels on the belt.
        rng: Source of all randomness.
        threat: What to hide in it; at least some 60 % of its outline can be seen.
        shelf: Which stock of benign individuals to take from; use another for test than for training.
        kind: The kind of luggage; drawn if None.

    Raises:
        ConfigError: The threat is longer than the picture.

    Example:
        >>> bag = pack_bag((60, 80), 0.7, np.random.default_rng(0))
        >>> len(bag.annotations), bag.thickness_cm["polyamide"].shape
        (0, (60, 80))
    """
    frame = Frame.centred(size, pitch_cm)
    chosen = kind or _KINDS[int(rng.choice(len(_KINDS), p=_KIND_CHANCES))]
    recipe = RECIPES[chosen]
    shell = draw_shell(chosen, frame, rng)
    canvas = Canvas(frame)
    add_shell(canvas, shell, rng)
    add_garments(canvas, shell, rng, count=int(rng.integers(recipe.garments[0], recipe.garments[1] + 1)))
    packer = _Packer(frame, shell)
    families = _choose(recipe.families, int(rng.integers(recipe.things[0], recipe.things[1] + 1)), rng)
    packed = tuple(family for family in families if packer.add(stock(shelf, family, int(rng.integers(STOCK_VARIANTS))), rng, tries=14))
    for name, field in packer.thickness().items():
        canvas.add(name, field)
    annotations = Annotations.none()
    if threat is not None:
        fields, mask = _hide(threat, canvas, shell, rng)
        for name, field in fields.items():
            canvas.add(name, field)
        annotations = Annotations(np.array([box_of_mask(mask)], np.float32), (str(threat.class_name),), mask[None])
    return PackedBag(chosen, canvas.thickness_cm, annotations, packed)


def object_thickness(thing: SolidObject, pose: Pose, frame: Frame) -> tuple[dict[str, FloatArray], BoolArray]:
    """Path lengths through one object by material, and its mask: where any is over 0."""
    names = sorted({piece.material for piece in thing.pieces})
    layers = np.array([names.index(piece.material) for piece in thing.pieces])[thing.piece_of_face]
    lengths = path_lengths(pose.place(thing.mesh.vertices), thing.mesh.faces, layers, len(names), frame)
    return dict(zip(names, lengths, strict=True)), np.asarray(lengths.any(axis=0))


def _choose(weights: Mapping[str, float], count: int, rng: np.random.Generator) -> list[str]:
    names = list(weights)
    chances = np.array([weights[name] for name in names])
    drawn = [names[int(k)] for k in rng.choice(len(names), size=count, p=chances / chances.sum())]
    kept = [name for place, name in enumerate(drawn) if name not in _ONE_ONLY or name not in drawn[:place]]
    return sorted(kept, key=lambda name: _HEAVY_FIRST.index(name) if name in _HEAVY_FIRST else len(_HEAVY_FIRST))


class _Packer:
    """Finds room for things, side by side where it can, and renders all of them at once."""

    def __init__(self, frame: Frame, shell: Shell) -> None:
        self.frame, self.shell = frame, shell
        self.crowd = np.zeros(shell.room.shape, np.float32)
        self.placed: list[tuple[SolidObject, NDArray[np.float64]]] = []

    def add(self, thing: SolidObject, rng: np.random.Generator, *, tries: int) -> bool:
        pose = draw_pose(rng, tilt_sigma=0.15, standing=0.1)
        points = pose.place(thing.mesh.vertices)
        best: tuple[float, NDArray[np.float64]] | None = None
        for _ in range(tries):
            shift = self._somewhere(rng)
            pixels = np.round(self.frame.pixels(points[:, :2] + shift)).astype(int)
            if not _fits(pixels, self.shell.room):
                continue
            low, high = pixels.min(axis=0), pixels.max(axis=0) + 1
            load = float(self.crowd[low[1] : high[1] : 3, low[0] : high[0] : 3].mean())
            if best is None or load < best[0]:
                best = (load, shift)
        if best is None:
            return False
        moved = points + np.append(best[1], 0.0)
        pixels = np.round(self.frame.pixels(moved)).astype(int)
        low, high = pixels.min(axis=0), pixels.max(axis=0) + 1
        self.crowd[low[1] : high[1], low[0] : high[0]] += 1
        self.placed.append((thing, moved))
        return True

    def _somewhere(self, rng: np.random.Generator) -> NDArray[np.float64]:
        half = np.array([self.shell.length_cm, self.shell.width_cm]) / 2
        return np.asarray(self.shell.place(rng.uniform(-0.92, 0.92, 2) * half)[0], np.float64)

    def thickness(self) -> dict[str, FloatArray]:
        """All placed things in one pass of the rasteriser."""
        if not self.placed:
            return {}
        names = sorted({piece.material for thing, _ in self.placed for piece in thing.pieces})
        number = {name: place for place, name in enumerate(names)}
        vertices, faces, layers, start = [], [], [], 0
        for thing, points in self.placed:
            vertices.append(points)
            faces.append(thing.mesh.faces + start)
            layers.append(np.array([number[piece.material] for piece in thing.pieces])[thing.piece_of_face])
            start += len(points)
        lengths = path_lengths(np.concatenate(vertices), np.concatenate(faces), np.concatenate(layers), len(names), self.frame)
        return dict(zip(names, lengths, strict=True))


def _fits(pixels: NDArray[np.int_], room: FloatArray) -> bool:
    height, width = room.shape
    if pixels.min() < 0 or pixels[:, 0].max() >= width or pixels[:, 1].max() >= height:
        return False
    return bool(room[pixels[:, 1], pixels[:, 0]].min() > _WALL_CM)


def _hide(threat: SolidObject, canvas: Canvas, shell: Shell, rng: np.random.Generator) -> tuple[dict[str, FloatArray], BoolArray]:
    """Lay the threat where it fits and can be seen, as far as a few dozen tries find such a place."""
    frame = canvas.frame
    before = _attenuation(canvas.thickness_cm)
    half = np.array([shell.length_cm, shell.width_cm]) / 2
    best: tuple[float, Pose] | None = None
    for attempt in range(48):
        pose = draw_pose(rng, tilt_sigma=0.22)
        shift = shell.place(rng.uniform(-0.85, 0.85, 2) * half * (1 - attempt / 60))[0]
        pose = pose.moved(float(shift[0]), float(shift[1]))
        pixels = np.round(frame.pixels(pose.place(threat.mesh.vertices))).astype(int)
        if not _fits(pixels, shell.room):
            continue
        seen = float((before[pixels[:, 1], pixels[:, 0]] < _OPAQUE).mean())
        if best is None or seen > best[0]:
            best = (seen, pose)
        if seen >= _SEEN_SHARE:
            break
    if best is None:  # a long tool in a small bag: across the middle, along the bag
        pose = Pose(turn=shell.turn, x_cm=shell.centre[0], y_cm=shell.centre[1])
        pixels = np.round(frame.pixels(pose.place(threat.mesh.vertices))).astype(int)
        if not _fits(pixels, np.ones_like(shell.room)):
            across = float(np.ptp(threat.mesh.vertices[:, 0]))
            raise ConfigError(
                f"a {threat.family} of {across:.0f} cm does not fit a picture of {frame.size} pixels of {frame.pitch_cm} cm. "
                "Make pitch_cm or the picture larger."
            )
        best = (0.0, pose)
    return object_thickness(threat, best[1], frame)


def _attenuation(thickness_cm: Mapping[str, FloatArray]) -> FloatArray:
    """Attenuation at 80 keV, near the middle of the scanner's spectrum."""
    energy = np.array([80.0])
    total = np.zeros(next(iter(thickness_cm.values())).shape, np.float32)
    for name, field in thickness_cm.items():
        total += np.float32(linear_attenuation(material(name), energy)[0]) * field
    return total
