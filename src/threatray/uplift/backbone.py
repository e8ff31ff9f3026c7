"""A backbone small enough to learn from scratch on a CPU in a minute or two: five stages and a three-level feature pyramid."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork

from threatray.metrics.efficientnet_lite import LEVEL_CHANNELS, EfficientNetLite0

STRIDES: Final = (8, 16, 32)


def _stage(inputs: int, outputs: int, stride: int, depth: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for index in range(depth):
        layers += [
            nn.Conv2d(inputs if index == 0 else outputs, outputs, 3, stride=stride if index == 0 else 1, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


class TinyPyramid(nn.Module):
    """Strided 3x3 convolutions with batch norm; features at strides 8, 16 and 32 pixels, made equally wide by a pyramid.

    Args:
        stage_channels: Width of the five stages at strides 2, 4, 8, 16, 32.
        stage_depths: Convolutions a stage.
        pyramid_channels: Width of each pyramid level.
    """

    def __init__(self, stage_channels: tuple[int, ...], stage_depths: tuple[int, ...], pyramid_channels: int) -> None:
        super().__init__()
        widths = (3, *stage_channels)
        self.stages = nn.ModuleList(
            _stage(inputs, outputs, 2, depth) for inputs, outputs, depth in zip(widths, widths[1:], stage_depths, strict=False)
        )
        self.pyramid = FeaturePyramidNetwork(list(stage_channels[2:]), pyramid_channels)
        self.out_channels = pyramid_channels

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) to levels "0", "1", "2" of (N, pyramid_channels, H / stride, W / stride)."""
        levels: OrderedDict[str, Tensor] = OrderedDict()
        features = images
        for index, stage in enumerate(self.stages):
            features = stage(features)
            if index >= 2:
                levels[str(index - 2)] = features
        merged: dict[str, Tensor] = self.pyramid(levels)
        return merged


class LitePyramid(nn.Module):
    """EfficientNet-Lite0 below a three-level feature pyramid; its batch norms keep the statistics of the weights they came with.

    Args:
        network: With its weights.
        frozen_blocks: So many first blocks, and the stem if any, do not learn.
        pyramid_channels: Width of each pyramid level.
        spread: What normalised pictures (white air 0) were divided by.
    """

    def __init__(self, network: EfficientNetLite0, frozen_blocks: int, pyramid_channels: int, spread: float) -> None:
        super().__init__()
        self.body = network
        for unused in ("_conv_head", "_bn1", "_fc"):
            delattr(network, unused)
        del network._blocks[15:]
        if frozen_blocks:
            for part in (network._conv_stem, network._bn0, *network._blocks[:frozen_blocks]):
                part.requires_grad_(False)
        self.pyramid = FeaturePyramidNetwork(list(LEVEL_CHANNELS), pyramid_channels)
        self.out_channels = pyramid_channels
        self._spread = spread

    def train(self, mode: bool = True) -> LitePyramid:
        """Learning changes weights, never the body's statistics."""
        super().train(mode)
        self.body.eval()
        return self

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """(N, 3, H, W) to levels "0", "1", "2" of (N, pyramid_channels, H / stride, W / stride)."""
        seen = self.body.levels(images * (2 * self._spread) + 1)  # white air is 1 to the body
        merged: dict[str, Tensor] = self.pyramid(OrderedDict((str(place), level) for place, level in enumerate(seen)))
        return merged
