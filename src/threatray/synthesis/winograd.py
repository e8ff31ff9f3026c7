r"""3x3 convolutions with fewer multiplications, for processors: the same sum, regrouped.

Winograd's minimal filtering computes a 2x2 tile of outputs from a 4x4 tile of inputs with 16 multiplications a channel pair where the
plain sum takes 36. cuDNN does this on GPUs by itself; torch's processor backend does not. The ResNet blocks hold nine tenths of the
paper generators' arithmetic, so it is worth having there.
"""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import nn
from torch.autograd.function import once_differentiable

_INPUT: Final = torch.tensor([[1.0, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]])
_KERNEL: Final = torch.tensor([[1.0, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]])
_OUTPUT: Final = torch.tensor([[1.0, 1, 1, 0], [0, 1, -1, -1]])
_INPUT_2D: Final = torch.kron(_INPUT, _INPUT)
_KERNEL_2D: Final = torch.kron(_KERNEL, _KERNEL)
_OUTPUT_2D: Final = torch.kron(_OUTPUT, _OUTPUT)
_LEAST_CHANNELS: Final = 32
"""Below this the transforms cost more than they save."""


class Conv3x3(nn.Conv2d):
    """``nn.Conv2d`` of a padded picture with 3x3 kernels; on processors in 32 bits with 16/36 of the multiplications.

    The same weights, the same result to rounding (the error against 64 bits is that of the plain sum). Elsewhere, on odd sides, in 16
    bits and while a graph is exported or compiled it is the plain convolution.

    Source:
        Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016, F(2x2, 3x3). F(4x4, 3x3) would be faster still, but its
        error is some 30 times that of the plain sum.

    Example:
        >>> layer, x = Conv3x3(32, 32, 3), torch.rand(1, 32, 10, 10)
        >>> bool((layer(x) - nn.Conv2d.forward(layer, x)).abs().max() < 1e-5)
        True
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H + 2, W + 2) to (N, O, H, W)."""
        if not _worth_it(x, self.weight):
            return super().forward(x)
        result: torch.Tensor = _Winograd.apply(x, self.weight)
        return result if self.bias is None else result + self.bias[:, None, None]


def _worth_it(x: torch.Tensor, weight: torch.Tensor) -> bool:
    if torch.compiler.is_compiling() or torch.onnx.is_in_onnx_export() or torch.is_autocast_enabled("cpu"):
        return False
    plain = x.device.type == "cpu" and x.dtype is torch.float32 and min(weight.shape[:2]) >= _LEAST_CHANNELS
    return plain and x.shape[2] % 2 == 0 and x.shape[3] % 2 == 0 and min(x.shape[2:]) > 2


class _Winograd(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, padded: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(padded, weight)
        return _convolved(padded, weight)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        padded, weight = ctx.saved_tensors
        products = _output_tiles(gradient)
        to_input = to_weight = None
        if ctx.needs_input_grad[0]:
            to_input = _gathered(torch.bmm(_kernel_tiles(weight).transpose(1, 2), products), padded)
        if ctx.needs_input_grad[1]:  # the tiles are made again: keeping them would take four times the memory of the input
            joint = torch.bmm(products, _input_tiles(padded).transpose(1, 2))
            to_weight = (_KERNEL_2D.T @ joint.flatten(1)).view(3, 3, *weight.shape[:2]).permute(2, 3, 0, 1).contiguous()
        return to_input, to_weight


def _convolved(padded: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    products = torch.bmm(_kernel_tiles(weight), _input_tiles(padded))
    count, outputs, down, across = padded.shape[0], weight.shape[0], (padded.shape[2] - 2) // 2, (padded.shape[3] - 2) // 2
    tiles = (_OUTPUT_2D @ products.flatten(1)).view(2, 2, outputs, count, down, across)
    return tiles.permute(3, 2, 4, 0, 5, 1).reshape(count, outputs, 2 * down, 2 * across)


def _input_tiles(padded: torch.Tensor) -> torch.Tensor:
    """(N, C, H + 2, W + 2) to (16, C, N tiles): every 4x4 window at stride 2, transformed."""
    count, channels, height, width = padded.shape
    down, across = (height - 2) // 2, (width - 2) // 2
    padded = padded.contiguous()
    plane = height * width
    windows = padded.as_strided((4, 4, channels, count, down, across), (width, 1, plane, channels * plane, 2 * width, 2))
    return (_INPUT_2D @ windows.reshape(16, -1)).view(16, channels, count * down * across)


def _kernel_tiles(weight: torch.Tensor) -> torch.Tensor:
    """(O, C, 3, 3) to (16, O, C)."""
    return (_KERNEL_2D @ weight.permute(2, 3, 0, 1).reshape(9, -1)).view(16, weight.shape[0], weight.shape[1])


def _output_tiles(gradient: torch.Tensor) -> torch.Tensor:
    """(N, O, H, W) to (16, O, N tiles): what each product added to the outputs gets of their gradient."""
    count, outputs, height, width = gradient.shape
    tiles = gradient.reshape(count, outputs, height // 2, 2, width // 2, 2).permute(3, 5, 1, 0, 2, 4).reshape(4, -1)
    return (_OUTPUT_2D.T @ tiles).view(16, outputs, -1)


def _gathered(tiles: torch.Tensor, padded: torch.Tensor) -> torch.Tensor:
    """The transpose of ``_input_tiles``: windows overlap by half, so each of their quarters is added to its place."""
    count, channels, height, width = padded.shape
    down, across = (height - 2) // 2, (width - 2) // 2
    quarters = (_INPUT_2D.T @ tiles.flatten(1)).view(2, 2, 2, 2, channels, count, down, across)
    total = padded.new_zeros((count, channels, down + 1, 2, across + 1, 2))
    for row in (0, 1):
        for column in (0, 1):
            part = quarters[row, :, column].permute(3, 2, 4, 0, 5, 1)
            total[:, :, row : row + down, :, column : column + across] += part
    return total.view(count, channels, height, width)
