"""Checkpoint files of the CycleGAN authors' code; their networks are built here anew from torch's own layers, by their layout."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from threatray.errors import ConfigError, DataError
from threatray.synthesis.config import Preset, TrainConfig
from threatray.synthesis.incumbent import (
    Discriminator,
    Generator,
    discriminator_of,
    fill,
    generator_file,
    generator_of,
    load_generator,
    network_files,
    read_state,
    save_incumbent,
    settings_for,
)
from threatray.synthesis.paper_config import Condition, Norm, PaperNetworks
from threatray.synthesis.presets import nets_of

NORMS = {
    Norm.INSTANCE: lambda c: nn.InstanceNorm2d(c),
    Norm.INSTANCE_AFFINE: lambda c: nn.InstanceNorm2d(c, affine=True),
    Norm.BATCH: lambda c: nn.BatchNorm2d(c),
    Norm.NONE: lambda c: nn.Identity(),
}


class Theirs(nn.Module):
    """A network whose layers lie in ``model``, a chain."""

    def __init__(self, *layers):
        super().__init__()
        self.model = nn.Sequential(*layers)

    def forward(self, x):
        return self.model(x)


class TheirBlock(nn.Module):
    def __init__(self, c, norm, bias, dropout):
        super().__init__()
        half = [nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3, bias=bias), norm(c), nn.ReLU(True)]
        other = [nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3, bias=bias), norm(c)]
        self.conv_block = nn.Sequential(*half, *([nn.Dropout(0.5)] if dropout else []), *other)

    def forward(self, x):
        return x + self.conv_block(x)


def their_resnet(inputs, outputs, width, blocks, kind, *, dropout=False):
    norm, bias = NORMS[kind], kind in (Norm.INSTANCE, Norm.INSTANCE_AFFINE)
    layers = [nn.ReflectionPad2d(3), nn.Conv2d(inputs, width, 7, bias=bias), norm(width), nn.ReLU(True)]
    for c in (width, 2 * width):
        layers += [nn.Conv2d(c, 2 * c, 3, 2, 1, bias=bias), norm(2 * c), nn.ReLU(True)]
    layers += [TheirBlock(4 * width, norm, bias, dropout) for _ in range(blocks)]
    for c in (4 * width, 2 * width):
        layers += [nn.ConvTranspose2d(c, c // 2, 3, 2, 1, output_padding=1, bias=bias), norm(c // 2), nn.ReLU(True)]
    return Theirs(*layers, nn.ReflectionPad2d(3), nn.Conv2d(width, outputs, 7), nn.Tanh())


class TheirLevel(Theirs):
    def __init__(self, *layers, outermost=False):
        super().__init__(*layers)
        self.outermost = outermost

    def forward(self, x):
        return self.model(x) if self.outermost else torch.cat([x, self.model(x)], 1)


def their_unet(inputs, outputs, width, levels, kind):
    norm, bias = NORMS[kind], kind in (Norm.INSTANCE, Norm.INSTANCE_AFFINE)

    def down(i, o):
        return nn.Conv2d(i, o, 4, 2, 1, bias=bias)

    def up(i, o, bias=bias):
        return nn.ConvTranspose2d(i, o, 4, 2, 1, bias=bias)

    wide = 8 * width
    level = TheirLevel(nn.LeakyReLU(0.2, True), down(wide, wide), nn.ReLU(True), up(wide, wide), norm(wide))
    pairs = [(wide, wide)] * (levels - 5) + [(4 * width, wide), (2 * width, 4 * width), (width, 2 * width)]
    for outer, inner in pairs:
        level = TheirLevel(
            nn.LeakyReLU(0.2, True), down(outer, inner), norm(inner), level, nn.ReLU(True), up(2 * inner, outer), norm(outer)
        )
    net = TheirLevel(down(inputs, width), level, nn.ReLU(True), up(2 * width, outputs, bias=True), nn.Tanh(), outermost=True)
    return Theirs(*[net]).model[0], net


def their_patch(inputs, width, layers, kind):
    norm, bias = NORMS[kind], kind in (Norm.INSTANCE, Norm.INSTANCE_AFFINE)
    parts, before = [nn.Conv2d(inputs, width, 4, 2, 1), nn.LeakyReLU(0.2, True)], width
    for level in range(1, layers + 1):
        after = width * min(2**level, 8)
        parts += [nn.Conv2d(before, after, 4, 2 if level < layers else 1, 1, bias=bias), norm(after), nn.LeakyReLU(0.2, True)]
        before = after
    return Theirs(*parts, nn.Conv2d(before, 1, 4, 1, 1))


def with_statistics(net, seed=0):
    """Random weights everywhere, and statistics of a training in batch normalisation."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in net.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.rand(value.shape, generator=generator) * 0.4 + (0.5 if name.endswith("var") else -0.2))
    return net.eval()


@pytest.mark.parametrize("kind", list(Norm))
@pytest.mark.parametrize("dropout", [False, True])
def test_a_resnet_file_gives_its_form_and_its_outputs(tmp_path, kind, dropout):
    theirs = with_statistics(their_resnet(3, 2, 4, 3, kind, dropout=dropout))
    torch.save(theirs.state_dict(), tmp_path / "latest_net_G_A.pth")
    form, net = load_generator(tmp_path / "latest_net_G_A.pth")
    assert form == Generator(3, 2, 4, kind, blocks=3, dropout=dropout)
    x = torch.rand(2, 3, 16, 16)
    assert torch.allclose(net(x), theirs(x), atol=1e-5)


@pytest.mark.parametrize("kind", list(Norm))
def test_a_unet_file_gives_its_form_and_its_outputs(tmp_path, kind):
    _, net = their_unet(3, 1, 4, 6, kind)
    with_statistics(net)
    state = {f"model.{name}": value for name, value in net.state_dict().items()}
    torch.save(state, tmp_path / "u.pth")
    form, ours = load_generator(tmp_path / "u.pth")
    assert form == Generator(3, 1, 4, kind, levels=6)
    x = torch.rand(1, 3, 128, 128)
    assert torch.allclose(ours(x), net(x.clone()), atol=1e-5)


@pytest.mark.parametrize("kind", list(Norm))
@pytest.mark.parametrize("layers", [1, 3, 5])
def test_a_discriminator_file_gives_its_form_and_its_verdicts(kind, layers):
    theirs = with_statistics(their_patch(2, 4, layers, kind))
    form = discriminator_of(theirs.state_dict())
    assert form == Discriminator(2, 4, kind, layers)
    ours = form.build().eval()
    fill(ours, theirs.state_dict(), form.norm, "d")
    x = torch.rand(2, 2, 96, 96)
    assert torch.allclose(ours(x), theirs(x), atol=1e-4, rtol=1e-4)


def test_a_pixel_discriminator_is_known():
    form = Discriminator(3, 4, Norm.BATCH, 0)
    assert discriminator_of(form.build().state_dict()) == form


def test_old_files_with_statistics_of_instance_normalisation_and_several_gpus_names_load(tmp_path):
    theirs = with_statistics(their_resnet(3, 3, 4, 1, Norm.INSTANCE))
    state = OrderedDict((f"module.{name}", value) for name, value in theirs.state_dict().items())
    for place in (2, 5, 8):
        channels = theirs.model[place].num_features
        state[f"module.model.{place}.running_mean"] = torch.full((channels,), 3.0)
        state[f"module.model.{place}.running_var"] = torch.full((channels,), 9.0)
        state[f"module.model.{place}.num_batches_tracked"] = torch.tensor(7)
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    form, net = load_generator(tmp_path / "old.pth")
    assert form.norm is Norm.INSTANCE
    x = torch.rand(1, 3, 16, 16)
    assert torch.allclose(net(x), theirs(x), atol=1e-5)


def test_half_precision_files_become_32_bits(tmp_path):
    torch.save(their_resnet(3, 3, 4, 1, Norm.INSTANCE).half().state_dict(), tmp_path / "half.pth")
    assert next(load_generator(tmp_path / "half.pth")[1].parameters()).dtype is torch.float32


def config(**sizes):
    paper = PaperNetworks(**{"width": 4, "disc_width": 4, "blocks": 6, **sizes})
    return TrainConfig(preset=Preset.PAPER, size=32, condition=Condition.NONE, paper=paper)


@pytest.mark.parametrize("kind", [Norm.INSTANCE, Norm.BATCH, Norm.NONE])
def test_what_is_written_loads_strictly_into_their_networks_and_d_a_judges_x_rays(tmp_path, kind):
    nets = nets_of(config(norm=kind), 2, 1, seed=0)  # photos have 3 channels, X-rays 2: a mix-up would not fit
    written = save_incumbent({name: net.core.state_dict() for name, net in nets.named().items()}, config(norm=kind), tmp_path)
    assert sorted(path.name for path in written.values()) == [f"latest_net_{name}.pth" for name in ("D_A", "D_B", "G_A", "G_B")]
    theirs = {
        "G_A": their_resnet(3, 2, 4, 6, kind),
        "G_B": their_resnet(2, 3, 4, 6, kind),
        "D_A": their_patch(2, 4, 3, kind),
        "D_B": their_patch(3, 4, 3, kind),
    }
    for name, net in theirs.items():
        net.load_state_dict(torch.load(written[name], weights_only=True))
    x = torch.rand(1, 2, 64, 64)
    assert torch.allclose(theirs["D_A"].eval()(x), nets.disc_b.core.eval()(x), atol=1e-5)
    again = {name: read_state(path) for name, path in network_files(tmp_path).items()}
    assert set(again) == {"gen_ab", "gen_ba", "disc_a", "disc_b"}
    assert all(torch.equal(value, again["disc_b"][key]) for key, value in nets.disc_b.core.state_dict().items())
    assert generator_of(again["gen_ab"]).build().state_dict().keys() == again["gen_ab"].keys()


def test_the_options_for_their_code():
    assert settings_for(config(norm=Norm.BATCH, dropout=True, disc_layers=0)) == (
        "--netG resnet_6blocks --ngf 4 --netD pixel --ndf 4 --norm batch"
    )


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (TrainConfig(), "has no the light networks of preset tiny"),
        (TrainConfig.published(), "networks that are told mask and class"),
        (config(blocks=7), r"7 residual blocks \(6 or 9\)"),
        (config(norm=Norm.INSTANCE_AFFINE), "instance_affine normalisation"),
    ],
)
def test_networks_that_their_code_cannot_build_are_not_written(tmp_path, wanted, text):
    with pytest.raises(ConfigError, match=text):
        save_incumbent({}, wanted, tmp_path)
    assert not list(tmp_path.iterdir())


def write(folder, *names):
    for name in names:
        torch.save({"model.1.weight": torch.zeros(1)}, folder / name)


def test_the_epoch_is_the_latest_or_the_only_one(tmp_path):
    write(tmp_path, "200_net_G_A.pth", "200_net_D_A.pth")
    assert generator_file(tmp_path).name == "200_net_G_A.pth"
    write(tmp_path, "100_net_G_A.pth")
    with pytest.raises(DataError, match=r"holds the epochs 100, 200. Give the file of the one you mean"):
        generator_file(tmp_path)
    write(tmp_path, "latest_net_G_A.pth")
    assert generator_file(tmp_path).name == "latest_net_G_A.pth"
    assert generator_file(tmp_path / "100_net_G_A.pth").name == "100_net_G_A.pth"
    assert network_files(tmp_path, "200")["disc_b"].name == "200_net_D_A.pth"


def test_refuses_what_is_no_such_file(tmp_path):
    def refused(value, match, read=load_generator):
        path = tmp_path / "x.pth"
        torch.save(value, path)
        with pytest.raises(DataError, match=match):
            read(path)

    refused(their_resnet(3, 3, 4, 1, Norm.INSTANCE), r"x.pth: holds more than weights, and code from files is not run here")
    refused({"epoch": 3}, "expected names and weights of one network")
    refused({"conv.weight": torch.zeros(1, 1, 3, 3)}, "not a network of the CycleGAN code: expected a ResNet starts|U-Net")
    zero_padded = {"model.1.weight": torch.zeros(4, 3, 7, 7), "model.10.conv_block.0.weight": torch.zeros(16, 16, 3, 3)}
    refused(zero_padded, "reflection padding and blocks from model.10 on")
    refused({"model.1.weight": torch.zeros(4, 3, 7, 7), "model.4.filt": torch.zeros(1)}, "anti-aliased layers of the CUT code")
    cut_off = their_resnet(3, 3, 4, 2, Norm.INSTANCE).state_dict()
    cut_off.pop("model.11.conv_block.5.weight")
    refused(cut_off, "does not fit the network that its names describe")
    without = their_resnet(3, 3, 4, 1, Norm.BATCH)
    for layer in without.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean = layer.running_var = layer.num_batches_tracked = None
    refused(without.state_dict(), "translate a photo differently in other company")
    (tmp_path / "x.pth").write_bytes(b"PK\x03\x04 no")
    with pytest.raises(DataError, match=r"not a readable file of weights|holds more than weights"):
        load_generator(tmp_path / "x.pth")
    with pytest.raises(DataError, match=r"expected files such as latest_net_G_A.pth, found none"):
        network_files(tmp_path / "nowhere")
