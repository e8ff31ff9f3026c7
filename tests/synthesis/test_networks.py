import pytest
import torch
from torch import nn

from threatray.errors import ConfigError
from threatray.synthesis.config import Preset
from threatray.synthesis.light_networks import LightGenerator, PartsGenerator, init_light
from threatray.synthesis.networks import MaskedGenerator, PatchDiscriminator, ResnetGenerator, UnetGenerator
from threatray.synthesis.presets import build_nets


def parameters(net):
    return sum(weight.numel() for weight in net.parameters())


def test_the_paper_networks_have_the_published_number_of_weights():
    # counted from the layer lists of Zhu et al. 2017 by hand-written formula: weights and a bias a layer, no affine norms
    def conv(i, o, k):
        return i * o * k * k + o

    resnet = (
        conv(3, 64, 7)
        + conv(64, 128, 3)
        + conv(128, 256, 3)
        + 18 * conv(256, 256, 3)
        + conv(256, 128, 3)
        + conv(128, 64, 3)
        + conv(64, 3, 7)
    )
    assert parameters(ResnetGenerator(3, 3)) == resnet == 11_378_179
    patch = conv(3, 64, 4) + conv(64, 128, 4) + conv(128, 256, 4) + conv(256, 512, 4) + conv(512, 1, 4)
    assert parameters(PatchDiscriminator(3)) == patch == 2_764_737


def receptive_field(net, size=128):
    x = torch.zeros(1, 1, size, size, requires_grad=True)
    convolutions = [layer for layer in net.model if isinstance(layer, nn.Conv2d)]
    hidden = x
    for layer in convolutions:
        nn.init.ones_(layer.weight)
        hidden = layer(hidden)
    hidden[0, 0, hidden.shape[2] // 2, hidden.shape[3] // 2].backward()
    return int((x.grad[0, 0] != 0).any(dim=1).sum())


@pytest.mark.parametrize(("layers", "patch"), [(1, 16), (2, 34), (3, 70)])
def test_a_patch_is_as_large_as_published(layers, patch):
    assert receptive_field(PatchDiscriminator(1, width=2, layers=layers)) == patch


def test_the_names_of_the_layers_are_the_authors():
    names = set(ResnetGenerator(3, 3, width=4, blocks=1).state_dict())
    assert {"model.1.weight", "model.4.weight", "model.7.weight", "model.10.conv_block.1.weight", "model.10.conv_block.5.weight"} <= names
    assert "model.model.1.model.3.model.1.weight" in UnetGenerator(3, 3, width=4, levels=5).state_dict()


def test_outside_the_mask_the_generator_leaves_exactly_one():
    mask = torch.zeros(2, 1, 16, 16)
    mask[:, :, 4:9, 5:12] = 1.0
    core = LightGenerator(4, 2, classes=3, width=8, stem=4, blocks=1)
    made = MaskedGenerator(core, classes=3)(torch.rand(2, 3, 16, 16), mask, torch.tensor([0, 2]))
    assert (made.masked_select(mask == 0) == 1.0).all()
    assert (made.masked_select(mask == 1) != 1.0).all()


@pytest.mark.parametrize("preset", [Preset.TINY, Preset.BASE])
def test_the_class_changes_what_light_networks_say(preset):
    nets = build_nets(preset, 3, 2, 3, seed=0)
    image, mask = torch.rand(1, 3, 32, 32), torch.ones(1, 1, 32, 32)
    one, two = (nets.gen_ab(image, mask, torch.tensor([index])) for index in (0, 1))
    assert (one != two).any()
    assert (nets.disc_a(image, mask, torch.tensor([0]))[1] != nets.disc_a(image, mask, torch.tensor([1]))[1]).all()


@pytest.mark.slow
@pytest.mark.parametrize("preset", list(Preset))
def test_every_preset_translates_both_ways(preset):
    nets = build_nets(preset, 3, 2, 2, seed=0)
    mask, classes = torch.ones(1, 1, 64, 64), torch.tensor([1])
    with torch.no_grad():
        fake_b = nets.gen_ab(torch.zeros(1, 3, 64, 64), mask, classes)
        assert fake_b.shape == (1, 2, 64, 64)
        assert nets.gen_ba(fake_b, mask, classes).shape == (1, 3, 64, 64)
        assert all(torch.isfinite(head).all() for head in nets.disc_b(fake_b, mask, classes))


def test_equal_seeds_give_equal_networks_and_the_global_stream_is_left_alone():
    before = torch.get_rng_state()
    first, second, other = (build_nets(Preset.TINY, 3, 2, 2, seed=seed) for seed in (5, 5, 6))
    assert torch.equal(before, torch.get_rng_state())
    for a, b, c in zip(first.gen_ab.parameters(), second.gen_ab.parameters(), other.gen_ab.parameters(), strict=True):
        assert torch.equal(a, b)
        assert a.std() == 0 or not torch.equal(a, c)


def test_refuses_networks_that_cannot_be():
    with pytest.raises(ConfigError, match="at least 3 levels, got 2"):
        UnetGenerator(3, 3, levels=2)
    with pytest.raises(ConfigError, match="at least 1 layer, got 0"):
        PatchDiscriminator(3, layers=0)


def parts_generator(seed=0):
    net = PartsGenerator(4, 2, classes=3, width=16, stem=8, blocks=1, parts=4)
    init_light(net, torch.Generator().manual_seed(seed))
    return net.eval()


def test_every_pixel_lies_between_the_looks_of_the_parts():
    net, generator = parts_generator(), torch.Generator().manual_seed(1)
    net.slow.weight.data.zero_()
    net.look.weight.data.zero_()  # then the looks are those of the classes
    net.look.bias.data.fill_(1.5)  # far from 0, which shares that do not sum to 1 would draw towards
    x = torch.cat([torch.rand(3, 3, 16, 16, generator=generator) * 2 - 1, torch.ones(3, 1, 16, 16)], 1)
    classes = torch.tensor([0, 1, 2])
    with torch.no_grad():
        made = torch.atanh(net(x, classes))
    looks = 1.5 + net.look_class(classes).reshape(3, 2, 4)
    for made_of_one, looks_of_one in zip(made, looks, strict=True):
        for channel, parts in zip(made_of_one, looks_of_one, strict=True):
            assert channel.min() >= parts.min() - 1e-3
            assert channel.max() <= parts.max() + 1e-3
            assert channel.std() > 0


def test_a_part_looks_alike_wherever_it_is():
    net = parts_generator(2)
    net.slow.weight.data.zero_()
    net.out.weight.data.zero_()
    net.border.weight.data.zero_()
    net.out.bias.data.zero_()
    net.border.bias.data.copy_(torch.tensor([50.0, 0.0, 0.0, 0.0]))  # all of the object is the first part
    x = torch.cat([torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(3)), torch.ones(1, 1, 16, 16)], 1)
    with torch.no_grad():
        made = net(x, torch.tensor([1]))
    assert made.std(dim=(2, 3)).max() < 1e-6


def test_the_mean_that_decides_how_parts_look_is_of_the_object_alone():
    net, generator = parts_generator(4), torch.Generator().manual_seed(5)
    mask = torch.zeros(1, 1, 32, 32)
    mask[:, :, 8:24, 8:24] = 1.0
    image = 1 + mask * (torch.rand(1, 3, 32, 32, generator=generator) - 1)
    seen = []
    net.look.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        net(torch.cat([image, mask], 1), torch.tensor([0]))
        coarse, _ = net._thought(torch.cat([image, mask], 1), torch.tensor([0]))
    assert torch.allclose(seen[0][:, :16], coarse[:, :, 2:6, 2:6].mean((2, 3)), atol=1e-6)
