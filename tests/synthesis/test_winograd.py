import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from threatray.synthesis.winograd import Conv3x3


def layer_and_input(seed, batch, height, width, inputs=32, outputs=33, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    layer = Conv3x3(inputs, outputs, 3)
    for weight in layer.parameters():
        weight.data = torch.randn(weight.shape, generator=generator) * 0.1
    x = torch.randn(batch, inputs, height + 2, width + 2, generator=generator)
    return layer.to(dtype), x.to(dtype).requires_grad_()


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 999), st.integers(1, 3), st.integers(1, 5), st.integers(1, 6))
def test_it_is_the_plain_convolution_with_the_plain_gradients(seed, batch, down, across):
    layer, x = layer_and_input(seed, batch, 2 * down, 2 * across)
    exact = functional.conv2d(x.double(), layer.weight.double(), layer.bias.double())
    made = layer(x)
    assert torch.allclose(made.double(), exact, atol=1e-5, rtol=1e-5)
    along = torch.randn(made.shape, generator=torch.Generator().manual_seed(seed))
    wanted = torch.autograd.grad(exact, (x, layer.weight, layer.bias), along.double())
    got = torch.autograd.grad(made, (x, layer.weight, layer.bias), along)
    for one, other in zip(got, wanted, strict=True):
        assert torch.allclose(one, other, atol=2e-5, rtol=1e-4)


def test_its_error_is_that_of_the_plain_sum():
    layer, x = layer_and_input(0, 1, 32, 32, 256, 256)
    with torch.no_grad():
        exact = nn.Conv2d.forward(layer.double(), x.double())
        layer.float()
        plain, fast = ((value - exact).abs().max() / exact.abs().max() for value in (nn.Conv2d.forward(layer, x), layer(x)))
    assert 0 < fast < 3 * plain
    assert fast < 2e-6


@pytest.mark.parametrize(("height", "width", "inputs"), [(7, 8, 32), (8, 5, 32), (8, 8, 3)])
def test_odd_sides_and_few_channels_take_the_plain_way_to_the_bit(height, width, inputs):
    layer, x = layer_and_input(1, 1, height, width, inputs)
    assert torch.equal(layer(x), nn.Conv2d.forward(layer, x))


def test_in_16_bits_it_is_the_plain_convolution():
    layer, x = layer_and_input(1, 1, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layer(x), nn.Conv2d.forward(layer, x))


def test_the_weights_are_those_of_a_plain_layer():
    assert [(name, value.shape) for name, value in Conv3x3(32, 33, 3).state_dict().items()] == [
        (name, value.shape) for name, value in nn.Conv2d(32, 33, 3).state_dict().items()
    ]
