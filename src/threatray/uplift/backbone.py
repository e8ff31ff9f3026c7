"""A backbone small enough to learn from scratch on a CPU in a minute or two: five stages and a three-level feature pyramid."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork

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
