"""The CycleGAN authors' networks in the places of our own: to translate with, to train on, and to hand ours back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

import torch
from torch import nn

from threatray.core import COLOUR, DUAL_ENERGY, GREY
from threatray.core.files import sha256_of_file
from threatray.errors import ConfigError, DataError
from threatray.synthesis.checkpoint import load_checkpoint
from threatray.synthesis.config import TrainConfig
from threatray.synthesis.encoding import Encoding
from threatray.synthesis.framing import Pose
from threatray.synthesis.incumbent import (
    State,
    discriminator_of,
    fill,
    generator_file,
    generator_of,
    load_generator,
    network_files,
    paper_of,
    read_state,
    save_incumbent,
    settings_for,
)
from threatray.synthesis.networks import MaskedGenerator
from threatray.synthesis.paper_config import Condition
from threatray.synthesis.step import CycleGanNets
from threatray.synthesis.translate import Translator

CHANNELS: Final = {1: GREY, 2: DUAL_ENERGY, 3: COLOUR}
_LUMA: Final = (0.299, 0.587, 0.114)
_CORE: Final = "core."


class _Grey(nn.Module):
    """A network of grey photos behind what makes coloured ones grey, as the authors' code does."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        grey = _LUMA[0] * x[:, :1] + _LUMA[1] * x[:, 1:2] + _LUMA[2] * x[:, 2:]
        return self.net(grey)  # type: ignore[no-any-return]


def incumbent_translator(path: Path, class_names: Sequence[str], *, size: int = 256, pose: Pose = Pose.AS_IS) -> Translator:
    """A translator from a generator's file, or from a folder with ``latest_net_G_A.pth``.

    It knows no classes, so any name will do. The photo lies on white as for our own networks, its picture is read as transmission
    (white is air), and the photo's mask is the silhouette.

    Args:
        path: File or folder.
        class_names: Of the photos.
        size: Side of the canvas; the authors train at 256.
        pose: How photos lie on it.

    Raises:
        DataError: Not such a generator, or one that takes or makes something else than pictures of 1 to 3 channels.
        ConfigError: The canvas does not suit the network.

    Note:
        Networks translate in evaluation mode: batch normalisation uses its running statistics and dropout is off, where the authors'
        test script leaves both on unless ``--eval`` is given. Instance normalisation is the same either way.
    """
    file = generator_file(path)
    form, net = load_generator(file)
    if form.inputs not in (1, 3) or form.outputs not in CHANNELS:
        raise DataError(f"{file}: makes {form.outputs} channels of {form.inputs}; expected a photo of 1 or 3 and a picture of 1 to 3.")
    preset, paper = paper_of(form)
    config = TrainConfig(preset=preset, size=size, condition=Condition.NONE, paper=paper, encoding=Encoding(1.0), pose=pose)
    core = _Grey(net) if form.inputs == 1 else net
    masked = MaskedGenerator(core, sees_mask=False).requires_grad_(False)
    return Translator(masked, config, class_names, CHANNELS[form.outputs], sha256_of_file(file))


@dataclass(frozen=True, eq=False)
class StartingPoint:
    """Networks of the authors' code that a training goes on from.

    Args:
        folder: Where they are.
        states: Our name -> weights; discriminators may be absent.
    """

    folder: Path
    states: dict[str, State]

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Read the generators, and the discriminators where they are there.

        Raises:
            DataError: A generator is missing, or one of the files is not a network of theirs.
        """
        files = network_files(folder)
        for name, theirs in (("gen_ab", "G_A"), ("gen_ba", "G_B")):
            if name not in files:
                raise DataError(f"{folder}: training needs both generators, but *_net_{theirs}.pth is missing.")
        if not {"disc_a", "disc_b"} <= set(files):
            files = {name: path for name, path in files.items() if name.startswith("gen")}
        return cls(folder, {name: read_state(path) for name, path in files.items()})

    @property
    def channels_b(self) -> tuple[str, ...]:
        """Channels of the X-rays that the networks make."""
        form = generator_of(self.states["gen_ab"], str(self.folder))
        if form.inputs != 3 or form.outputs not in CHANNELS:
            raise DataError(f"{self.folder}: G_A makes {form.outputs} channels of {form.inputs}; training needs 3 in and 1 to 3 out.")
        return CHANNELS[form.outputs]

    def config(self, config: TrainConfig) -> TrainConfig:
        """A training's settings with these networks, told nothing, on transmission as it is.

        Raises:
            DataError: Generators and discriminators are of forms that one training cannot have.
        """
        where = str(self.folder)
        forward, back = generator_of(self.states["gen_ab"], where), generator_of(self.states["gen_ba"], where)
        if replace(back, inputs=forward.inputs, outputs=forward.outputs) != forward:
            raise DataError(f"{where}: G_A and G_B are of different forms ({forward}; {back}).")
        judge = discriminator_of(self.states["disc_b"], where) if "disc_b" in self.states else None
        preset, paper = paper_of(forward, judge)
        return replace(config, preset=preset, paper=paper, condition=Condition.NONE, encoding=Encoding(1.0))

    def adopt(self, nets: CycleGanNets, averaged: nn.Module) -> None:
        """Load the weights into a training's networks and its average.

        Raises:
            DataError: They do not fit.
        """
        for name, net in nets.named().items():
            if name in self.states:
                form = (generator_of if name.startswith("gen") else discriminator_of)(self.states[name], str(self.folder))
                fill(net.get_submodule("core"), self.states[name], form.norm, f"{self.folder} ({name})")
        averaged.load_state_dict(nets.gen_ab.state_dict())


def export_incumbent(checkpoint: Path, folder: Path, *, averaged: bool = True) -> tuple[dict[str, Path], str]:
    """Write a training's networks as ``latest_net_G_A.pth`` and so on.

    Args:
        checkpoint: Of ``threatray train``.
        folder: Where.
        averaged: Let G_A be the averaged generator, which translates better; otherwise the one that was being trained.

    Returns:
        (Their name -> file, the options with which their code builds the networks).

    Raises:
        ConfigError: Their code cannot build such networks, or reads the pictures otherwise than they were trained.
    """
    state = load_checkpoint(checkpoint)
    config = TrainConfig.from_json(json.loads(state["config"]))
    settings = settings_for(config)
    if config.encoding != Encoding(1.0):
        raise ConfigError(
            f"export: trained on transmission to the power {config.encoding.power}, but the CycleGAN code reads pictures as they are. "
            "Train with encoding.power 1, or export to ONNX."
        )
    nets = {name: dict(weights) for name, weights in state["nets"].items()}
    if averaged:
        nets["gen_ab"] = dict(state["ema"])
    cores = {name: {key.removeprefix(_CORE): value for key, value in weights.items()} for name, weights in nets.items()}
    channels = len(state["channels_b"])
    return save_incumbent(cores, config, folder), f"{settings} --input_nc 3 --output_nc {channels}"
