"""The same sums in an order that processors run faster, for networks on their way to ONNX.

onnxruntime and OpenVINO run a 3x3 convolution as it stands, a 7x7 one with three outputs in vectors mostly empty, and the published
up-convolution as a product and a scattered sum. Each is written here with what these programs do well: products of matrices and
convolutions with many outputs. The results are the same but for rounding, some 1e-5 of the largest value.
"""

from __future__ import annotations

import copy
from typing import Any, Final

import numpy as np
import torch
from torch import nn
from torch.nn import functional

_TILE: Final = 4
_WINDOW: Final = _TILE + 2
_INPUT: Final = np.array(
    [[4, 0, -5, 0, 1, 0], [0, -4, -4, 1, 1, 0], [0, 4, -4, -1, 1, 0], [0, -2, -1, 2, 1, 0], [0, 2, -1, -2, 1, 0], [0, 4, 0, -5, 0, 1]],
    np.float64,
)
_KERNEL: Final = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]], np.float64) / 24
_OUTPUT: Final = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]], np.float64)
_LEAST_CHANNELS: Final = 128
"""Below this the transforms cost about what they save: 0.9 times the speed at 48 channels, 1.0 at 64, 1.2 to 1.5 at 128, 2.0 at 256."""
_FEW_OUTPUTS: Final = 8
"""A vector of the processor holds at least as many."""


class _Rows(nn.Module):
    """A convolution with few outputs: its columns first, as that many more outputs, then their sum, each shifted."""

    def __init__(self, of: nn.Conv2d) -> None:
        super().__init__()
        outputs, inputs, self.down, self.across = of.weight.shape
        self.outputs = outputs
        self.columns = nn.Conv2d(inputs, outputs * self.across, (self.down, 1), bias=False)
        self.columns.weight.data = of.weight.data.permute(3, 0, 1, 2).reshape(-1, inputs, self.down, 1).contiguous()
        self.bias = of.bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        width = x.shape[3] - self.across + 1
        parts = self.columns(x).split(self.outputs, 1)
        total: torch.Tensor = parts[0][..., :width]
        for place in range(1, self.across):
            total = total + parts[place][..., place : place + width]
        return total if self.bias is None else total + self.bias[:, None, None]


class _Phases(nn.Module):
    """The published up-convolution: each of the four phases of its output is a small convolution of its own."""

    def __init__(self, of: nn.ConvTranspose2d) -> None:
        super().__init__()
        kernel = of.weight.data.transpose(0, 1)
        # an even line of the output meets the kernel's middle alone; an odd one its last line here and its first on the next
        lines = {0: [1], 1: [2, 0]}
        self.phases = nn.ModuleList()
        for rows in lines.values():
            for columns in lines.values():
                phase = nn.Conv2d(of.in_channels, of.out_channels, (len(rows), len(columns)), bias=of.bias is not None)
                phase.weight.data = kernel[:, :, rows][..., columns].contiguous()
                if of.bias is not None:
                    phase.bias = of.bias
                self.phases.append(phase)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        beyond = functional.pad(x, (0, 1, 0, 1))
        given = (x, beyond[:, :, :-1], beyond[..., :-1], beyond)
        made = torch.stack([phase(one) for phase, one in zip(self.phases, given, strict=True)], 2)
        return functional.pixel_shuffle(made.flatten(1, 2), 2)


def faster_layers(net: nn.Module) -> nn.Module:
    """A copy of a network, with layers in a form that runs faster outside torch.

    Instance normalisation becomes ONNX's operator of that name; convolutions with few outputs and the published up-convolution become
    several. 3x3 convolutions are left to ``fewer_multiplications``.

    Example:
        >>> layer, x = nn.Conv2d(4, 3, 7), torch.rand(1, 4, 9, 9)
        >>> bool((faster_layers(nn.Sequential(layer))(x) - layer(x)).abs().max() < 1e-5)
        True
    """
    net = copy.deepcopy(net)
    with torch.random.fork_rng(devices=[]):  # torch draws initial weights of what is made here from the global stream
        for parent in list(net.modules()):
            for name, layer in parent.named_children():
                if (new := _faster(layer)) is not None:
                    setattr(parent, name, new)
    return net


def _faster(layer: nn.Module) -> nn.Module | None:
    if isinstance(layer, nn.GroupNorm) and layer.num_groups == layer.num_channels:
        norm = nn.InstanceNorm2d(layer.num_channels, layer.eps, affine=layer.affine)
        if layer.affine:
            norm.weight, norm.bias = layer.weight, layer.bias
        return norm
    if isinstance(layer, nn.ConvTranspose2d):
        published = (layer.kernel_size, layer.stride, layer.padding, layer.output_padding) == ((3, 3), (2, 2), (1, 1), (1, 1))
        return _Phases(layer) if published and layer.groups == 1 and layer.dilation == (1, 1) else None
    if type(layer) is nn.Conv2d:
        plain = layer.stride == layer.dilation == (1, 1) and layer.groups == 1 and layer.padding == (0, 0)
        return _Rows(layer) if plain and layer.out_channels < _FEW_OUTPUTS and layer.kernel_size[1] > 1 else None
    return None


def fewer_multiplications(model: Any) -> int:
    """Rewrite the 3x3 convolutions of an ONNX model, in place, by Winograd's F(4x4, 3x3): 36 multiplications where the sum takes 144.

    A convolution with stride 1, at least 128 channels on both sides and an output whose sides are multiples of 4 becomes the transforms of
    windows of 6x6 (a convolution of single planes), 36 products of matrices and the transform back (a transposed convolution). The
    kernels are transformed in the graph: the file does not grow, and what runs it does so once, when it loads.

    Args:
        model: An ``onnx.ModelProto`` with the shapes of its values.

    Returns:
        How many were rewritten.

    Source:
        Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016.
    """
    import onnx
    from onnx import numpy_helper

    graph = onnx.shape_inference.infer_shapes(model).graph
    sides = {
        one.name: [dim.dim_value for dim in one.type.tensor_type.shape.dim] for one in (*graph.value_info, *graph.input, *graph.output)
    }
    weights = {one.name: list(one.dims) for one in graph.initializer}
    nodes, count = [], 0
    for node in model.graph.node:
        before, after = sides.get(node.input[0], []), sides.get(node.output[0], [])
        pads = _pads(node, weights, before, after) if node.op_type == "Conv" else None
        if pads is None:
            nodes.append(node)
        else:
            nodes += _rewritten(node, weights[node.input[1]], before, after, pads)
            count += 1
    if count:
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        for name, values in _constants().items():
            model.graph.initializer.append(numpy_helper.from_array(values, name))
    return count


def _pads(node: Any, weights: dict[str, list[int]], before: list[int], after: list[int]) -> list[int] | None:
    """The padding of a convolution that is worth rewriting."""
    kernel = weights.get(node.input[1], [])
    if len(kernel) != 4 or len(before) != 4 or len(after) != 4 or kernel[2:] != [3, 3] or min(kernel[:2]) < _LEAST_CHANNELS:
        return None
    said = {one.name: one for one in node.attribute}
    ones = all(set(said[name].ints) == {1} for name in ("strides", "dilations") if name in said)
    single = "group" not in said or said["group"].i == 1
    named = "auto_pad" not in said or said["auto_pad"].s in (b"", b"NOTSET")
    known = min(before[2:]) > 0 and min(after[2:]) > 0
    if not (ones and single and named and known) or any(side % _TILE for side in after[2:]):
        return None
    return list(said["pads"].ints) if "pads" in said else [0, 0, 0, 0]


def _constants() -> dict[str, np.ndarray[Any, np.dtype[Any]]]:
    squared = {"input": np.kron(_INPUT, _INPUT), "kernel": np.kron(_KERNEL, _KERNEL), "output": np.kron(_OUTPUT, _OUTPUT).T}
    return {
        "winograd_input": squared["input"].reshape(-1, 1, _WINDOW, _WINDOW).astype(np.float32),
        "winograd_kernel": squared["kernel"].astype(np.float32),
        "winograd_output": squared["output"].reshape(-1, 1, _TILE, _TILE).astype(np.float32),
    }


def _rewritten(node: Any, kernel: list[int], before: list[int], after: list[int], pads: list[int]) -> list[Any]:
    from onnx import helper

    outputs, inputs = kernel[:2]
    down, across = after[2] // _TILE, after[3] // _TILE
    products, tiles, name = _WINDOW * _WINDOW, down * across, node.output[0]
    nodes: list[Any] = []

    def add(kind: str, *given: str, **attributes: Any) -> str:
        made = f"{name}_winograd_{len(nodes)}"
        nodes.append(helper.make_node(kind, list(given), [made], name=made, **attributes))
        return made

    def shaped(given: str, *shape: int) -> str:
        return add("Reshape", given, add("Constant", value_ints=list(shape)))

    planes = shaped(node.input[0], -1, 1, before[2], before[3])
    windows = add("Conv", planes, "winograd_input", strides=[_TILE, _TILE], pads=pads, kernel_shape=[_WINDOW, _WINDOW])
    windows = add("Transpose", shaped(windows, -1, inputs, products, tiles), perm=[2, 1, 0, 3])
    kernels = shaped(add("Transpose", node.input[1], perm=[2, 3, 0, 1]), 9, -1)
    kernels = shaped(add("MatMul", "winograd_kernel", kernels), products, outputs, inputs)
    made = add("MatMul", kernels, shaped(windows, products, inputs, -1))
    made = add("Transpose", shaped(made, products, outputs, -1, tiles), perm=[2, 1, 0, 3])
    made = shaped(made, -1, products, down, across)
    made = add("ConvTranspose", made, "winograd_output", strides=[_TILE, _TILE], kernel_shape=[_TILE, _TILE])
    made = shaped(made, -1, outputs, *after[2:])
    if len(node.input) > 2 and node.input[2]:
        made = add("Add", made, shaped(node.input[2], outputs, 1, 1))
    nodes[-1].output[0] = name
    return nodes
