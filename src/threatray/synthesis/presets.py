"""Named sets of networks, from minutes on a laptop to the paper's own."""

from __future__ import annotations

import torch
from torch import nn

from threatray.synthesis.config import Preset, TrainConfig
from threatray.synthesis.light_networks import LightDiscriminator, LightGenerator, PartsGenerator, init_light
from threatray.synthesis.networks import (
    ConditionalDiscriminator,
    MaskedGenerator,
    PatchDiscriminator,
    PixelDiscriminator,
    ResnetGenerator,
    UnetGenerator,
    init_weights,
)
from threatray.synthesis.paper_config import UNET_LEVELS, Condition, PaperNetworks
from threatray.synthesis.step import CycleGanNets

_LIGHT = (Preset.TINY, Preset.BASE)


def build_nets(
    preset: Preset,
    channels_a: int,
    channels_b: int,
    classes: int,
    seed: int,
    *,
    condition: Condition = Condition.MASK_AND_CLASS,
    paper: PaperNetworks = PaperNetworks(),  # noqa: B008  (frozen)
) -> CycleGanNets:
    """Fresh networks; equal arguments give equal weights.

    Args:
        preset: Which networks.
        channels_a: Channels of a photo without its mask, 3.
        channels_b: Channels of a signature: 2 for dual energy, 3 for colour, 1 for grey.
        classes: Number of classes they are told apart by.
        seed: Of the weights.
        condition: What the paper presets' networks are told beside the picture; the light ones always know both.
        paper: Sizes of the paper presets' networks.

    Example:
        >>> nets = build_nets(Preset.TINY, 3, 2, 6, seed=0)
        >>> sum(weight.numel() for weight in nets.gen_ab.parameters()) < 700_000
        True
    """
    with torch.random.fork_rng(devices=[]):  # torch's own initialisation draws from the global stream before ours overwrites it
        if preset in _LIGHT:
            nets = CycleGanNets(
                gen_ab=_light_generator(preset, channels_a + 1, channels_b, classes, towards_b=True),
                gen_ba=_light_generator(preset, channels_b + 1, channels_a, classes, towards_b=False),
                disc_a=_light_discriminator(preset, channels_a + 1, classes),
                disc_b=_light_discriminator(preset, channels_b + 1, classes),
            )
        else:
            nets = CycleGanNets(
                gen_ab=_paper_generator(preset, channels_a, channels_b, classes, condition, paper),
                gen_ba=_paper_generator(preset, channels_b, channels_a, classes, condition, paper),
                disc_a=_paper_discriminator(channels_a, classes, condition, paper),
                disc_b=_paper_discriminator(channels_b, classes, condition, paper),
            )
    generator = torch.Generator().manual_seed(seed % 2**63)
    for net in nets.named().values():
        if preset in _LIGHT:
            init_light(net, generator)
        else:
            init_weights(net, generator)
    return nets


def nets_of(config: TrainConfig, channels_b: int, classes: int, seed: int) -> CycleGanNets:
    """The fresh networks of a configuration.

    Example:
        >>> nets_of(TrainConfig(), 2, 6, seed=0).gen_ab.classes
        6
    """
    return build_nets(config.preset, 3, channels_b, classes, seed, condition=config.condition, paper=config.paper)


def _light_generator(preset: Preset, inputs: int, outputs: int, classes: int, *, towards_b: bool) -> nn.Module:
    kind = PartsGenerator if towards_b else LightGenerator  # photos have texture of their own
    if preset is Preset.TINY:
        width, stem, blocks = (48, 24, 3) if towards_b else (32, 16, 2)  # back to photos is only a check on the way there
    else:
        width, stem, blocks = 128, 48, 6
    return MaskedGenerator(kind(inputs, outputs, classes=classes, width=width, stem=stem, blocks=blocks), classes=classes)


def _light_discriminator(preset: Preset, inputs: int, classes: int) -> nn.Module:
    width = 24 if preset is Preset.TINY else 48
    return ConditionalDiscriminator(LightDiscriminator(inputs, classes=classes, width=width), classes=classes)


def _told(channels: int, classes: int, condition: Condition) -> tuple[int, int, bool]:
    """Input channels, class planes, and whether the mask is one of them."""
    told = classes if condition is Condition.MASK_AND_CLASS else 0
    sees_mask = condition is not Condition.NONE
    return channels + sees_mask + told, told, sees_mask


def _paper_generator(
    preset: Preset, channels: int, outputs: int, classes: int, condition: Condition, paper: PaperNetworks
) -> MaskedGenerator:
    inputs, told, sees_mask = _told(channels, classes, condition)
    core: nn.Module
    if preset is Preset.UNET:
        core = UnetGenerator(inputs, outputs, width=paper.width, levels=paper.levels or UNET_LEVELS, norm=paper.norm, dropout=paper.dropout)
    else:
        blocks = paper.blocks or (9 if preset is Preset.PAPER else 6)
        core = ResnetGenerator(inputs, outputs, width=paper.width, blocks=blocks, norm=paper.norm, dropout=paper.dropout)
    return MaskedGenerator(core, classes=told, sees_mask=sees_mask)


def _paper_discriminator(channels: int, classes: int, condition: Condition, paper: PaperNetworks) -> ConditionalDiscriminator:
    inputs, told, sees_mask = _told(channels, classes, condition)
    core: nn.Module
    if paper.disc_layers:
        core = PatchDiscriminator(inputs, width=paper.disc_width, layers=paper.disc_layers, norm=paper.norm)
    else:
        core = PixelDiscriminator(inputs, width=paper.disc_width, norm=paper.norm)
    return ConditionalDiscriminator(core, classes=told, sees_mask=sees_mask)
