"""Settings of the detector; reading them needs no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from threatray.errors import ConfigError

if TYPE_CHECKING:
    from threatray.uplift.detector import TinyFasterRcnn, TorchvisionDetector


class Backbone(StrEnum):
    """What the small detector sees with."""

    TINY = "tiny"
    """Five stages of 3x3 convolutions, from scratch."""
    EFFICIENTNET_LITE0 = "efficientnet_lite0"
    """EfficientNet-Lite0 with ImageNet weights from disk: the package of the extra ``pretrained``, or a file."""


@dataclass(frozen=True)
class FasterRcnnConfig:
    """A Faster R-CNN of about 1.3 million weights, trained from scratch; the defaults take some 90 seconds of one CPU core.

    Args:
        steps: Optimiser steps.
        batch_size: Pictures a step.
        image_size: Short side in pixels that pictures are brought to.
        window: Side in pixels (at ``image_size``) of the square cut out of each picture for training; 0 trains on whole pictures.
        learning_rate: Peak of a schedule that warms up, then falls by a cosine to nothing.
        warmup_share: Share of the steps spent warming up.
        weight_decay: AdamW's.
        clip_norm: Largest norm of a gradient.
        ema_decay: Decay of the running mean of the weights that predicts; 0 predicts with the last weights.
        backbone: From scratch, or pretrained.
        backbone_weights: File of the pretrained backbone's weights; the package's if None.
        frozen_blocks: First blocks of the pretrained backbone that stay as they are.
        backbone_rate: Learning rate of the pretrained backbone, as a share of the rest's.
        stage_channels: Width of the tiny backbone's five stages.
        stage_depths: Convolutions in each of them.
        pyramid_channels: Width of the feature pyramid.
        anchor_sizes: Anchor sides in pixels (at ``image_size``) at strides 8, 16 and 32; as many at each.
        anchor_ratios: Height / width of the anchors.
        proposals_trained: Anchors and proposals sampled a picture for the two losses.
        score_floor: Detections below this are not kept; the operating point can lie no lower.
        detections_kept: At most this many a picture.

    Raises:
        ConfigError: A value that makes no sense.

    Example:
        >>> FasterRcnnConfig(steps=100).image_size
        160
        >>> FasterRcnnConfig(steps=0)
        Traceback (most recent call last):
        threatray.errors.ConfigError: detector: steps must be above 0, got 0.
    """

    steps: int = 900
    batch_size: int = 4
    image_size: int = 160
    window: int = 128
    learning_rate: float = 1e-3
    warmup_share: float = 0.1
    weight_decay: float = 1e-3
    clip_norm: float = 5.0
    ema_decay: float = 0.97
    backbone: Backbone = Backbone.TINY
    backbone_weights: Path | None = None
    frozen_blocks: int = 3
    backbone_rate: float = 0.3
    stage_channels: tuple[int, int, int, int, int] = (24, 48, 96, 128, 192)
    stage_depths: tuple[int, int, int, int, int] = (1, 1, 2, 2, 1)
    pyramid_channels: int = 64
    anchor_sizes: tuple[tuple[float, ...], ...] = ((24.0, 34.0), (48.0, 68.0), (96.0, 140.0))
    anchor_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    proposals_trained: int = 64
    score_floor: float = 0.01
    detections_kept: int = 30

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "learning_rate", "clip_norm", "pyramid_channels", "proposals_trained", "detections_kept"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"detector: {name} must be above 0, got {getattr(self, name)}.")
        if self.image_size < 64:
            raise ConfigError(f"detector: image_size must be at least 64 pixels, got {self.image_size}.")
        if self.window and self.window < 48:
            raise ConfigError(f"detector: window must be 0 or at least 48 pixels, got {self.window}.")
        for name in ("warmup_share", "ema_decay", "score_floor"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"detector: {name} must lie in [0, 1), got {getattr(self, name)}.")
        if self.frozen_blocks < 0 or self.frozen_blocks > 15 or not 0 < self.backbone_rate <= 1:
            raise ConfigError(
                f"detector: frozen_blocks must lie in [0, 15] and backbone_rate in (0, 1], got {self.frozen_blocks}, {self.backbone_rate}."
            )
        if self.backbone_weights is not None and self.backbone is Backbone.TINY:
            raise ConfigError("detector: backbone_weights are for the pretrained backbone; set backbone to 'efficientnet_lite0'.")
        if self.weight_decay < 0:
            raise ConfigError(f"detector: weight_decay must not be negative, got {self.weight_decay}.")
        if len(self.stage_channels) != 5 or len(self.stage_depths) != 5 or min(*self.stage_channels, *self.stage_depths) < 1:
            raise ConfigError(
                f"detector: stage_channels and stage_depths must be five numbers each, got {self.stage_channels}, {self.stage_depths}."
            )
        if len(self.anchor_sizes) != 3 or len({len(sizes) for sizes in self.anchor_sizes}) != 1 or not self.anchor_sizes[0]:
            raise ConfigError(f"detector: anchor_sizes must be three lists of equal length, one a pyramid level, got {self.anchor_sizes}.")

    def build(self, classes: tuple[str, ...], seed: int) -> TinyFasterRcnn:
        """A fresh, untrained detector; equal seeds give equal weights."""
        from threatray.uplift.detector import TinyFasterRcnn  # torch only when a detector is wanted

        return TinyFasterRcnn(self, classes, seed)

    def as_json(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        plain = {"detector": f"faster_rcnn_{self.backbone.value}"} | asdict(self) | {"backbone": self.backbone.value}
        return plain | {"backbone_weights": None if self.backbone_weights is None else self.backbone_weights.name}


class Architecture(StrEnum):
    """torchvision's detectors: three of two stages or one, each on a feature pyramid."""

    FASTER_RCNN_RESNET50 = "faster_rcnn_resnet50"
    FASTER_RCNN_MOBILENET = "faster_rcnn_mobilenet"
    RETINANET_RESNET50 = "retinanet_resnet50"
    FCOS_RESNET50 = "fcos_resnet50"


@dataclass(frozen=True)
class LargeDetectorConfig:
    """A full-size detector of torchvision; from scratch it needs far more steps than from weights.

    Args:
        architecture: Which; ``faster_rcnn_resnet50`` is that of the reference study, the last two have a single stage.
        steps: Optimiser steps.
        batch_size: Pictures a step.
        image_size: Short side in pixels that pictures are brought to.
        window: Side in pixels of the square cut out of each picture for training; 0 trains on whole pictures.
        learning_rate: Peak of a schedule that warms up, then falls by a cosine to nothing.
        warmup_share: Share of the steps spent warming up.
        weight_decay: AdamW's.
        clip_norm: Largest norm of a gradient.
        ema_decay: Decay of the running mean of the weights that predicts; 0 predicts with the last weights.
        weights: State dict of a whole detector (e.g. trained on COCO), on disk; layers of another shape start fresh.
        backbone_weights: State dict of the backbone (e.g. trained on ImageNet), on disk.

    Raises:
        ConfigError: A value that makes no sense.

    Example:
        >>> LargeDetectorConfig(architecture=Architecture.FCOS_RESNET50).as_json()["detector"]
        'fcos_resnet50'
    """

    architecture: Architecture = Architecture.FASTER_RCNN_RESNET50
    steps: int = 4000
    batch_size: int = 4
    image_size: int = 480
    window: int = 0
    learning_rate: float = 1e-4
    warmup_share: float = 0.05
    weight_decay: float = 1e-4
    clip_norm: float = 5.0
    ema_decay: float = 0.99
    weights: Path | None = None
    backbone_weights: Path | None = None

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "learning_rate", "clip_norm"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"detector: {name} must be above 0, got {getattr(self, name)}.")
        if self.image_size < 64 or (self.window and self.window < 48):
            raise ConfigError(
                f"detector: image_size must be at least 64 and window 0 or at least 48 pixels, got {self.image_size} and {self.window}."
            )
        if not (0 <= self.warmup_share < 1 and 0 <= self.ema_decay < 1 and self.weight_decay >= 0):
            raise ConfigError("detector: warmup_share and ema_decay must lie in [0, 1), weight_decay not below 0.")

    def build(self, classes: tuple[str, ...], seed: int) -> TorchvisionDetector:
        """A detector with fresh heads; equal seeds and files give equal weights."""
        from threatray.uplift.large import large_detector  # torch only when a detector is wanted

        return large_detector(self, classes, seed)

    def as_json(self) -> dict[str, Any]:
        """Plain values, for JSON; files by name."""
        plain = asdict(self) | {"architecture": self.architecture.value, "detector": self.architecture.value}
        return {key: value.name if isinstance(value, Path) else value for key, value in plain.items()}
