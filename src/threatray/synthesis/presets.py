"""Named sets of networks, from minutes on a laptop to the paper's own."""

from __future__ import annotations

import torch
from torch import nn

from threatray.synthesis.config import Preset
from threatray.synthesis.light_networks import LightDiscriminator, LightGenerator, init_light
from threatray.synthesis.networks import (
    ConditionalDiscriminator,
    MaskedGenerator,
    PatchDiscriminator,
    ResnetGenerator,
    UnetGenerator,
    init_weights,
)
from threatray.synthesis.step import CycleGanNets


def build_nets(preset: Preset, channels_a: int, channels_b: int, classes: int, seed: int) -> CycleGanNets:
    """Fresh networks; equal arguments give equal weights.

    Args:
        preset: Which networks.
        channels_a: Channels of a photo without its mask, 3.
        channels_b: Channels of a signature: 2 for dual energy, 3 for colour, 1 for grey.
        classes: Number of classes they are told apart by.
        seed: Of the weights.

    Example:
        >>> nets = build_nets(Preset.TINY, 3, 2, 6, seed=0)
        >>> sum(weight.numel() for weight in nets.gen_ab.parameters()) < 700_000
        True
    """
    with torch.random.fork_rng(devices=[]):  # torch's own initialisation draws from the global stream before ours overwrites it
        nets = CycleGanNets(
            gen_ab=_generator(preset, channels_a + 1, channels_b, classes, towards_b=True),
            gen_ba=_generator(preset, channels_b + 1, channels_a, classes, towards_b=False),
            disc_a=_discriminator(preset, channels_a + 1, classes),
            disc_b=_discriminator(preset, channels_b + 1, classes),
        )
    generator = torch.Generator().manual_seed(seed % 2**63)
    for net in nets.named().values():
        if preset in (Preset.TINY, Preset.BASE):
            init_light(net, generator)
        else:
            init_weights(net, generator)
    return nets


def _generator(preset: Preset, inputs: int, outputs: int, classes: int, *, towards_b: bool) -> nn.Module:
    if preset is Preset.TINY:
        width, stem, blocks = (48, 24, 3) if towards_b else (32, 16, 2)  # back to photos is only a check on the way there
        return MaskedGenerator(LightGenerator(inputs, outputs, classes=classes, width=width, stem=stem, blocks=blocks), classes=classes)
    if preset is Preset.BASE:
        return MaskedGenerator(LightGenerator(inputs, outputs, classes=classes, width=128, stem=48, blocks=6), classes=classes)
    if preset is Preset.UNET:
        return MaskedGenerator(UnetGenerator(inputs + classes, outputs, levels=6), classes=classes)
    blocks = 9 if preset is Preset.PAPER else 6
    return MaskedGenerator(ResnetGenerator(inputs + classes, outputs, blocks=blocks), classes=classes)


def _discriminator(preset: Preset, inputs: int, classes: int) -> nn.Module:
    if preset in (Preset.TINY, Preset.BASE):
        width = 24 if preset is Preset.TINY else 48
        return ConditionalDiscriminator(LightDiscriminator(inputs, classes=classes, width=width), classes=classes)
    return ConditionalDiscriminator(PatchDiscriminator(inputs + classes), classes=classes)
