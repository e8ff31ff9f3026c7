"""The conventional transformation arm: flips, turns, small scale, brightness and contrast, with the boxes carried along."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from threatray.core import FloatArray
from threatray.errors import ConfigError
from threatray.uplift.images import ByteArray, TrainingImage

SMALLEST_SIDE: Final = 2.0
"""A box that the frame cuts to less than this many pixels is dropped with its label."""


@dataclass(frozen=True)
class TransformationParams:
    """One draw; replays to the same bytes."""

    mirror: bool
    quarter_turns: int
    scale: float
    brightness: float
    contrast: float


@dataclass(frozen=True)
class ConventionalTransformation:
    """Box-aware flips, turns by quarters and small changes of scale, brightness and contrast.

    Scale acts about the centre and keeps the frame: what leaves it is cut, what is new is white (air).
    An upside-down bag is a mirrored one turned twice, so one mirror flag and the quarter turns hold every flip.

    Args:
        mirror_probability: Chance of a left-right mirror.
        quarter_turns: Allowed anticlockwise quarter turns, drawn evenly.
        scale_range: Factor on object size.
        brightness_range: Grey levels of 255 added.
        contrast_range: Factor on the distance from white, i.e. on how dark things are: air stays white.

    Raises:
        ConfigError: A range is the wrong way round or outside what makes sense.

    Example:
        >>> pixels, boxes = np.full((3, 20, 30), 200, np.uint8), np.array([[2, 3, 12, 8]], np.float32)
        >>> image = TrainingImage(pixels, boxes, ("gun",), "b", synthetic=False, id="1")
        >>> turned = ConventionalTransformation().apply(image, TransformationParams(False, 1, 1.0, 0.0, 1.0))
        >>> turned.pixels.shape, turned.boxes.tolist()
        ((3, 30, 20), [[3.0, 18.0, 8.0, 28.0]])
    """

    mirror_probability: float = 0.5
    quarter_turns: tuple[int, ...] = (0, 1, 2, 3)
    scale_range: tuple[float, float] = (0.85, 1.18)
    brightness_range: tuple[float, float] = (-12.0, 12.0)
    contrast_range: tuple[float, float] = (0.85, 1.18)

    def __post_init__(self) -> None:
        if not 0 <= self.mirror_probability <= 1:
            raise ConfigError(f"transformation: mirror_probability must lie in [0, 1], got {self.mirror_probability}.")
        if not self.quarter_turns or not set(self.quarter_turns) <= {0, 1, 2, 3}:
            raise ConfigError(f"transformation: quarter_turns must be some of 0, 1, 2, 3, got {self.quarter_turns}.")
        for name, (low, high), smallest, largest in (
            ("scale_range", self.scale_range, 0.25, 4.0),
            ("brightness_range", self.brightness_range, -128.0, 128.0),
            ("contrast_range", self.contrast_range, 0.25, 4.0),
        ):
            if not smallest <= low <= high <= largest:
                raise ConfigError(f"transformation: {name} must be low <= high within [{smallest}, {largest}], got ({low}, {high}).")

    def with_parity(self, odd: bool) -> ConventionalTransformation:
        """The same with only the odd (frame turns on its side) or only the even quarter turns, where any are allowed.

        A batch shares one parity: landscape and portrait frames in one batch would be padded to a square and cost a third more.
        """
        kept = tuple(turn for turn in self.quarter_turns if turn % 2 == int(odd))
        return replace(self, quarter_turns=kept) if kept else self

    def draw(self, x: TrainingImage, rng: np.random.Generator) -> TransformationParams:
        """Choose the parameters; the same number of draws whatever the image."""
        del x  # nothing depends on the content
        return TransformationParams(
            mirror=bool(rng.random() < self.mirror_probability),
            quarter_turns=int(self.quarter_turns[int(rng.integers(len(self.quarter_turns)))]),
            scale=float(rng.uniform(*self.scale_range)),
            brightness=float(rng.uniform(*self.brightness_range)),
            contrast=float(rng.uniform(*self.contrast_range)),
        )

    def apply(self, x: TrainingImage, params: TransformationParams) -> TrainingImage:
        """Carry the parameters out on pixels and boxes alike."""
        pixels, boxes = x.pixels, x.boxes
        if params.mirror:
            pixels, boxes = _mirror(pixels, boxes)
        for _ in range(params.quarter_turns % 4):
            pixels, boxes = _turn(pixels, boxes)
        labels = x.labels
        if params.scale != 1.0:
            pixels, boxes, kept = _scale(pixels, boxes, params.scale)
            labels = tuple(label for label, keep in zip(labels, kept.tolist(), strict=True) if keep)
        if params.contrast != 1.0 or params.brightness != 0.0:
            toned = 255.0 - (255.0 - pixels.astype(np.float32)) * np.float32(params.contrast) + np.float32(params.brightness)
            pixels = np.clip(np.rint(toned), 0, 255).astype(np.uint8)
        return replace(x, pixels=np.ascontiguousarray(pixels), boxes=boxes, labels=labels)


def _mirror(pixels: ByteArray, boxes: FloatArray) -> tuple[ByteArray, FloatArray]:
    width = np.float32(pixels.shape[2])
    return pixels[:, :, ::-1], np.stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], axis=1)


def _turn(pixels: ByteArray, boxes: FloatArray) -> tuple[ByteArray, FloatArray]:
    """One quarter anticlockwise: (x, y) goes to (y, width - x)."""
    width = np.float32(pixels.shape[2])
    return np.rot90(pixels, axes=(1, 2)), np.stack([boxes[:, 1], width - boxes[:, 2], boxes[:, 3], width - boxes[:, 0]], axis=1)


def _scale(pixels: ByteArray, boxes: FloatArray, scale: float) -> tuple[ByteArray, FloatArray, np.ndarray]:
    height, width = pixels.shape[1:]
    # Pixel centres sit at +0.5, so the map of centres and the map of box edges are the same line.
    shift_x, shift_y = width / 2 * (1 - scale), height / 2 * (1 - scale)
    matrix = np.array([[scale, 0, shift_x + 0.5 * scale - 0.5], [0, scale, shift_y + 0.5 * scale - 0.5]], np.float64)
    white = (255, 255, 255)
    moved = cv2.warpAffine(
        np.ascontiguousarray(pixels.transpose(1, 2, 0)),
        matrix,
        (width, height),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=white,
    )
    shift = np.array([shift_x, shift_y, shift_x, shift_y], np.float32)
    limit = np.array([width, height, width, height], np.float32)
    cut = np.clip(boxes * np.float32(scale) + shift, 0, limit).astype(np.float32)
    kept = (cut[:, 2] - cut[:, 0] >= SMALLEST_SIDE) & (cut[:, 3] - cut[:, 1] >= SMALLEST_SIDE)
    return np.asarray(moved, np.uint8).transpose(2, 0, 1), cut[kept], kept
