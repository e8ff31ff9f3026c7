"""Sizes of the published networks and what they are told; plain values, importable without torch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from threatray.errors import ConfigError

UNET_LEVELS: Final = 6
"""Halvings of the U-Net where none are asked for."""


class Condition(StrEnum):
    """What the paper presets' networks are told beside the picture."""

    MASK_AND_CLASS = "mask_and_class"
    """One plane for the mask, one for each class."""

    MASK = "mask"
    """One plane for the mask."""

    NONE = "none"
    """Nothing, as published: such networks are interchangeable with the authors' own checkpoints."""


class Norm(StrEnum):
    """Normalisation of the paper presets' networks; the names are the authors'."""

    INSTANCE = "instance"
    """Each picture by its own statistics, without weights: the CycleGAN default."""

    INSTANCE_AFFINE = "instance_affine"
    """The same with a weight and a bias a channel."""

    BATCH = "batch"
    """By running statistics, with weights: the pix2pix default."""

    NONE = "none"
    """None at all."""


@dataclass(frozen=True)
class PaperNetworks:
    """Sizes of the networks of the presets paper, paper_6 and unet; the light presets have none of these.

    Args:
        width: Channels of a generator's first layer (ngf).
        blocks: Residual blocks; 0 for the preset's own 9 or 6.
        levels: Halvings of the U-Net; 0 for 6.
        disc_width: Channels of a discriminator's first layer (ndf).
        disc_layers: Layers of the PatchGAN: 1 sees 16x16 patches, 2 sees 34x34, 3 sees 70x70; 0 judges single pixels.
        norm: Normalisation of all four networks.
        dropout: Dropout in the generators' blocks, as pix2pix trains.

    Raises:
        ConfigError: A value is out of range.

    Example:
        >>> PaperNetworks(width=0)
        Traceback (most recent call last):
        threatray.errors.ConfigError: train: paper.width must lie in [1, 1024], got 0.
    """

    width: int = 64
    blocks: int = 0
    levels: int = 0
    disc_width: int = 64
    disc_layers: int = 3
    norm: Norm = Norm.INSTANCE
    dropout: bool = False

    def __post_init__(self) -> None:
        limits = {"width": (1, 1024), "blocks": (0, 64), "levels": (0, 10), "disc_width": (1, 1024), "disc_layers": (0, 8)}
        for name, (least, most) in limits.items():
            if not least <= getattr(self, name) <= most:
                raise ConfigError(f"train: paper.{name} must lie in [{least}, {most}], got {getattr(self, name)}.")
        if self.levels in (1, 2):
            raise ConfigError(f"train: paper.levels must be 0 or at least 3, got {self.levels}.")

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """From plain values; what is missing is as published."""
        return cls(**{**value, "norm": Norm(value.get("norm", Norm.INSTANCE))})
