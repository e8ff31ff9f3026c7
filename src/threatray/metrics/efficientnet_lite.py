"""EfficientNet-Lite0 with ImageNet weights that a package on the index ships as a file: features and a backbone without a download."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from threatray.errors import DataError
from threatray.metrics.shipped import EFFICIENTNET_LITE0

FEATURES: Final = 1280

_BLOCKS: Final = (
    (3, 1, 1, 16),
    (3, 2, 6, 24), (3, 1, 6, 24),
    (5, 2, 6, 40), (5, 1, 6, 40),
    (3, 2, 6, 80), (3, 1, 6, 80), (3, 1, 6, 80),
    (5, 1, 6, 112), (5, 1, 6, 112), (5, 1, 6, 112),
    (5, 2, 6, 192), (5, 1, 6, 192), (5, 1, 6, 192), (5, 1, 6, 192),
    (3, 1, 6, 320),
)  # fmt: skip
"""Kernel, stride, expansion and channels of each block."""
LEVELS: Final = (4, 10, 14)
"""The blocks whose outputs lie at strides 8, 16 and 32."""
LEVEL_CHANNELS: Final = tuple(_BLOCKS[block][3] for block in LEVELS)


class _SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow pads: with stride 2, an even side gets its extra row at the end."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (torch's name)
        kernel, stride = self.kernel_size[0], self.stride[0]
        pads = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in input.shape[-1:-3:-1]]
        around = [part for pad in pads for part in (pad // 2, pad - pad // 2)]
        padded = functional.pad(input, around) if any(around) else input
        return functional.conv2d(padded, self.weight, None, self.stride, 0, 1, self.groups)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class _Block(nn.Module):
    """Inverted residual without squeeze-and-excitation; names are the file's."""

    def __init__(self, kernel: int, stride: int, expansion: int, inputs: int, outputs: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expands, self.adds = expansion > 1, stride == 1 and inputs == outputs
        if self.expands:
            self._expand_conv, self._bn0 = _SameConv(inputs, inner, 1, bias=False), _norm(inner)
        self._depthwise_conv, self._bn1 = _SameConv(inner, inner, kernel, stride, groups=inner, bias=False), _norm(inner)
        self._project_conv, self._bn2 = _SameConv(inner, outputs, 1, bias=False), _norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        wide = functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        narrow: Tensor = self._bn2(self._project_conv(functional.relu6(self._bn1(self._depthwise_conv(wide)))))
        return narrow + x if self.adds else narrow


class EfficientNetLite0(nn.Module):
    """The network, for pictures (N, 3, H, W) of values in [-1, 1].

    Source:
        Tan and Le, "EfficientNet", 2019; the Lite variant of the TPU repository (ReLU6, no squeeze-and-excitation).

    Example:
        >>> network = EfficientNetLite0().eval()
        >>> network(torch.zeros(2, 3, 64, 64)).shape, [tuple(level.shape[1:]) for level in network.levels(torch.zeros(1, 3, 64, 96))]
        (torch.Size([2, 1280]), [(40, 8, 12), (112, 4, 6), (192, 2, 3)])
    """

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = _SameConv(3, 32, 3, 2, bias=False), _norm(32)
        widths = (32, *(block[3] for block in _BLOCKS))
        self._blocks = nn.ModuleList(
            _Block(kernel, stride, expansion, inputs, outputs)
            for (kernel, stride, expansion, outputs), inputs in zip(_BLOCKS, widths, strict=False)
        )
        self._conv_head, self._bn1 = _SameConv(320, FEATURES, 1, bias=False), _norm(FEATURES)
        self._fc = nn.Linear(FEATURES, 1000)

    def levels(self, x: Tensor) -> tuple[Tensor, ...]:
        """Outputs at strides 8, 16 and 32, of `LEVEL_CHANNELS` channels."""
        hidden, found = functional.relu6(self._bn0(self._conv_stem(x))), []
        for place, block in enumerate(self._blocks[: LEVELS[-1] + 1]):
            hidden = block(hidden)
            if place in LEVELS:
                found.append(hidden)
        return tuple(found)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1280) features: what its classifier looks at."""
        hidden = functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            hidden = block(hidden)
        features: Tensor = functional.relu6(self._bn1(self._conv_head(hidden))).mean((2, 3))
        return features


def load_efficientnet_lite0(path: Path | None = None) -> EfficientNetLite0:
    """The network with weights from disk; in evaluation mode.

    Args:
        path: A state dict with the package's names; the package's own file, whose hash is checked, if None.

    Raises:
        ConfigError: No path is given and the package is not installed.
        DataError: The file is missing, has another hash than the package's should, or does not fit.
    """
    chosen = EFFICIENTNET_LITE0.checked() if path is None else path
    if not chosen.is_file():
        raise DataError(f"{chosen}: no such file of weights.")
    network = EfficientNetLite0()
    try:
        network.load_state_dict(torch.load(chosen, map_location="cpu", weights_only=True))
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, TypeError, AttributeError) as error:
        raise DataError(f"{chosen}: holds no weights of EfficientNet-Lite0 ({type(error).__name__}).") from None
    return network.eval()
