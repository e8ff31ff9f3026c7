"""Networks of the CycleGAN authors' code, read from and written to its checkpoint files ``*_net_G_A.pth`` and their kin.

Their names are theirs: ``D_A`` judges the X-rays (domain B) that ``G_A`` makes, ``D_B`` the photos. Here ``disc_b`` judges B.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from torch import nn

from threatray.core.files import whole_file
from threatray.errors import ConfigError, DataError
from threatray.synthesis.config import Preset, TrainConfig
from threatray.synthesis.networks import PatchDiscriminator, PixelDiscriminator, ResnetGenerator, UnetGenerator
from threatray.synthesis.paper_config import UNET_LEVELS, Condition, Norm, PaperNetworks

THEIR_NAMES: Final = {"gen_ab": "G_A", "gen_ba": "G_B", "disc_a": "D_B", "disc_b": "D_A"}
"""Our networks by the name that the authors' files give them."""

_FILE: Final = re.compile(r"(?P<epoch>.+)_net_(?P<net>G_A|G_B|D_A|D_B|G|D)\.pth")
_STATISTICS: Final = ("running_mean", "running_var", "num_batches_tracked")
_FIRST_BLOCK: Final = 10
_SETTINGS: Final = {
    Norm.INSTANCE: "instance",
    Norm.BATCH: "batch",
    Norm.NONE: "none",
}

State = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Generator:
    """What a generator's weights say of it.

    Args:
        inputs: Channels in.
        outputs: Channels out.
        width: Channels of the first layer (ngf).
        norm: Normalisation.
        blocks: Residual blocks; 0 for a U-Net.
        levels: Halvings of a U-Net; 0 for a ResNet.
        dropout: Whether the residual blocks hold dropout. A U-Net's leaves no trace in its weights and is taken for none.
    """

    inputs: int
    outputs: int
    width: int
    norm: Norm
    blocks: int = 0
    levels: int = 0
    dropout: bool = False

    def build(self) -> nn.Module:
        """A network of this form."""
        if self.levels:
            return UnetGenerator(self.inputs, self.outputs, width=self.width, levels=self.levels, norm=self.norm)
        return ResnetGenerator(self.inputs, self.outputs, width=self.width, blocks=self.blocks, norm=self.norm, dropout=self.dropout)


@dataclass(frozen=True)
class Discriminator:
    """What a discriminator's weights say of it.

    Args:
        inputs: Channels in.
        width: Channels of the first layer (ndf).
        norm: Normalisation.
        layers: Of the PatchGAN; 0 judges single pixels.
    """

    inputs: int
    width: int
    norm: Norm
    layers: int

    def build(self) -> nn.Module:
        """A network of this form."""
        if not self.layers:
            return PixelDiscriminator(self.inputs, width=self.width, norm=self.norm)
        return PatchDiscriminator(self.inputs, width=self.width, layers=self.layers, norm=self.norm)


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """The weights in a file, by the names of the layers; runs no code from the file.

    What training on several GPUs or compiling puts before the names is taken off; numbers become 32 bits.

    Raises:
        DataError: Missing, broken, or something other than a mapping of names to weights.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise DataError(
            f"{path}: holds more than weights, and code from files is not run here. Load it where it was made and save its state_dict()."
        ) from None
    except (RuntimeError, EOFError, zipfile.BadZipFile, ValueError, KeyError) as error:
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path}: not a readable file of weights ({line}).") from None
    if not isinstance(state, dict) or not state or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise DataError(f"{path}: expected names and weights of one network, as the CycleGAN code saves them.")
    for prefix in ("module.", "_orig_mod."):
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def generator_of(state: State, where: str = "generator") -> Generator:
    """The form of a generator from its weights.

    Args:
        state: Names and weights.
        where: For messages.

    Raises:
        DataError: Not a generator of the authors' code.

    Example:
        >>> generator_of(ResnetGenerator(3, 1, width=8, blocks=2).state_dict())
        Generator(inputs=3, outputs=1, width=8, norm=<Norm.INSTANCE: 'instance'>, blocks=2, levels=0, dropout=False)
    """
    if "model.model.0.weight" in state:
        return _unet(state, where)
    first = state.get("model.1.weight")
    if first is None or tuple(first.shape[2:]) != (7, 7):
        raise _unknown(where, "a ResNet starts with model.1.weight of 7x7, a U-Net with model.model.0.weight", state)
    if any(name.endswith(".filt") for name in state):
        raise DataError(
            f"{where}: has the anti-aliased layers of the CUT code, which are not known here. Train without them (--no_antialias)."
        )
    blocks = len({name.split(".")[1] for name in state if ".conv_block." in name})
    last = state.get(f"model.{_FIRST_BLOCK + blocks + 7}.weight")
    block = f"model.{_FIRST_BLOCK}.conv_block."
    if not blocks or last is None or f"{block}1.weight" not in state:
        raise _unknown(where, "a ResNet with two halvings, reflection padding and blocks from model.10 on", state)
    return Generator(
        inputs=first.shape[1],
        outputs=last.shape[0],
        width=first.shape[0],
        norm=_norm(state, "model.1", "model.2", where),
        blocks=blocks,
        dropout=f"{block}5.weight" not in state,  # it moves the second convolution by one
    )


def _unet(state: State, where: str) -> Generator:
    first, last = state["model.model.0.weight"], state.get("model.model.3.weight")
    prefix, levels = "model.model.1.", 2
    while f"{prefix}model.3.model.1.weight" in state:
        prefix, levels = f"{prefix}model.3.", levels + 1
    if last is None or levels < 3:
        raise _unknown(where, "a U-Net of at least 3 levels", state)
    norm = _norm(state, "model.model.1.model.1", "model.model.1.model.2", where)
    return Generator(inputs=first.shape[1], outputs=last.shape[1], width=first.shape[0], norm=norm, levels=levels)


def discriminator_of(state: State, where: str = "discriminator") -> Discriminator:
    """The form of a discriminator from its weights.

    Raises:
        DataError: Not a discriminator of the authors' code.

    Example:
        >>> discriminator_of(PatchDiscriminator(3, width=8, layers=2).state_dict())
        Discriminator(inputs=3, width=8, norm=<Norm.INSTANCE: 'instance'>, layers=2)
    """
    pixel = state.get("net.0.weight")
    if pixel is not None:
        return Discriminator(pixel.shape[1], pixel.shape[0], _norm(state, "net.2", "net.3", where), 0)
    first = state.get("model.0.weight")
    if first is None or tuple(first.shape[2:]) != (4, 4) or "model.2.weight" not in state:
        raise _unknown(where, "a PatchGAN starts with model.0.weight of 4x4, a pixel discriminator with net.0.weight", state)
    convolutions = sum(value.ndim == 4 for value in state.values())
    return Discriminator(first.shape[1], first.shape[0], _norm(state, "model.2", "model.3", where), convolutions - 2)


def _norm(state: State, convolution: str, norm: str, where: str) -> Norm:
    """Told by what the authors do: no bias before batch normalisation, no weights in instance normalisation."""
    bias = f"{convolution}.bias" in state
    if f"{norm}.weight" not in state:
        return Norm.INSTANCE if bias else Norm.NONE
    if bias:
        return Norm.INSTANCE_AFFINE
    if f"{norm}.running_mean" not in state:
        raise DataError(
            f"{where}: batch normalisation without running statistics would translate a photo differently in other company. "
            "Save the network with track_running_stats."
        )
    return Norm.BATCH


def _unknown(where: str, expected: str, state: State) -> DataError:
    got = ", ".join(list(state)[:4])
    return DataError(f"{where}: not a network of the CycleGAN code: expected {expected}; got {got}, ...")


def fill(net: nn.Module, state: State, norm: Norm, where: str) -> None:
    """Load weights into a network of their form.

    Old files keep statistics of instance normalisation that their own code throws away when it loads them; so does this.

    Raises:
        DataError: They do not fit.
    """
    if norm is not Norm.BATCH:
        state = {name: value for name, value in state.items() if not name.endswith(_STATISTICS)}
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:4]]
        raise DataError(f"{where}: does not fit the network that its names describe ({' '.join(lines)[:300]}).") from None


def load_generator(path: Path) -> tuple[Generator, nn.Module]:
    """A generator from its file, ready to translate: (its form, the network).

    Raises:
        DataError: As for ``read_state`` and ``generator_of``.
    """
    state = read_state(path)
    form = generator_of(state, str(path))
    net = form.build()
    fill(net, state, form.norm, str(path))
    return form, net.eval().requires_grad_(False)


def looks_like_incumbent(path: Path) -> bool:
    """Whether a path is a file ``*.pth`` or a folder with such files as the authors' code names them."""
    if path.is_dir():
        return any(_FILE.fullmatch(file.name) for file in path.iterdir())
    return path.suffix == ".pth"


def network_files(folder: Path, epoch: str = "") -> dict[str, Path]:
    """Which file holds which network: our name -> path, for those that are there.

    Args:
        folder: Of the authors' ``checkpoints/NAME``.
        epoch: What stands before ``_net_``; if empty, ``latest``, or the only one there is.

    Raises:
        DataError: No such file, or several epochs and none is ``latest``.
    """
    found: dict[str, dict[str, Path]] = {}
    for file in sorted(folder.iterdir()) if folder.is_dir() else []:
        if match := _FILE.fullmatch(file.name):
            found.setdefault(match["epoch"], {})[match["net"]] = file
    if not found:
        raise DataError(f"{folder}: expected files such as latest_net_G_A.pth, found none.")
    chosen = epoch or ("latest" if "latest" in found else next(iter(found)))
    if chosen not in found or (not epoch and chosen != "latest" and len(found) > 1):
        raise DataError(f"{folder}: holds the epochs {', '.join(sorted(found))}. Give the file of the one you mean.")
    files = found[chosen]
    return {ours: files[theirs] for ours, theirs in THEIR_NAMES.items() if theirs in files}


def generator_file(path: Path) -> Path:
    """The file of the generator from photos to X-rays: ``path`` itself, or ``G_A`` (pix2pix: ``G``) of a folder.

    Raises:
        DataError: The folder has none.
    """
    if path.is_file():
        return path
    files = network_files(path)
    if "gen_ab" in files:
        return files["gen_ab"]
    alone = sorted(path.glob("*_net_G.pth"))
    if len(alone) != 1:
        raise DataError(f"{path}: expected latest_net_G_A.pth (photos to X-rays). Where photos are your domain B, give the file of G_B.")
    return alone[0]


def paper_of(generator: Generator, discriminator: Discriminator | None = None) -> tuple[Preset, PaperNetworks]:
    """The preset and sizes that build networks of these forms.

    Raises:
        DataError: Generator and discriminator are normalised differently, which one setting cannot say.
    """
    if discriminator is not None and discriminator.norm is not generator.norm:
        raise DataError(
            f"the generators have {generator.norm} normalisation, the discriminators {discriminator.norm}. "
            "Leave the discriminators' files out to train new ones."
        )
    sizes = PaperNetworks(width=generator.width, blocks=generator.blocks, levels=generator.levels, norm=generator.norm)
    if discriminator is not None:
        sizes = PaperNetworks(**{**vars(sizes), "disc_width": discriminator.width, "disc_layers": discriminator.layers})
    if generator.dropout:
        sizes = PaperNetworks(**{**vars(sizes), "dropout": True})
    return (Preset.UNET if generator.levels else Preset.PAPER), sizes


def settings_for(config: TrainConfig) -> str:
    """The options with which the authors' code builds the networks of a training.

    Raises:
        ConfigError: It has no options for them.

    Example:
        >>> settings_for(TrainConfig.published(condition=Condition.NONE))
        '--netG resnet_9blocks --ngf 64 --netD n_layers --n_layers_D 3 --ndf 64 --norm instance --no_dropout'
    """
    paper = config.paper
    told = "" if config.condition is Condition.NONE else f"networks that are told {config.condition.replace('_', ' ')}"
    if config.preset.light:
        told = f"the light networks of preset {config.preset}"
    elif config.preset is Preset.UNET:
        levels = paper.levels or UNET_LEVELS
        kind = {7: "unet_128", 8: "unet_256"}.get(levels, "")
        told = told or ("" if kind else f"a U-Net of {levels} levels (7 or 8)")
    else:
        blocks = paper.blocks or (9 if config.preset is Preset.PAPER else 6)
        kind = f"resnet_{blocks}blocks"
        told = told or ("" if blocks in (6, 9) else f"{blocks} residual blocks (6 or 9)")
    if not told and paper.norm not in _SETTINGS:
        told = f"{paper.norm} normalisation"
    if told:
        raise ConfigError(
            f"export: the CycleGAN code has no {told}. Train with preset paper, paper_6 or unet and condition none, or export to ONNX."
        )
    judge = f"n_layers --n_layers_D {paper.disc_layers}" if paper.disc_layers else "pixel"
    dropout = "" if paper.dropout else " --no_dropout"
    return f"--netG {kind} --ngf {paper.width} --netD {judge} --ndf {paper.disc_width} --norm {_SETTINGS[paper.norm]}{dropout}"


def save_incumbent(cores: Mapping[str, State], config: TrainConfig, folder: Path, *, epoch: str = "latest") -> dict[str, Path]:
    """Write networks as the authors' code reads them.

    Args:
        cores: Our name -> weights of the bare network, without what wraps it here.
        config: Of the training.
        folder: Where; ``checkpoints/NAME`` of their code.
        epoch: What stands before ``_net_``.

    Returns:
        Their name -> file.

    Raises:
        ConfigError: Their code cannot build such networks.
    """
    settings_for(config)
    written = {}
    for name, state in cores.items():
        path = folder / f"{epoch}_net_{THEIR_NAMES[name]}.pth"
        with whole_file(path) as temporary:
            torch.save({key: value.detach().to("cpu", copy=True) for key, value in state.items()}, temporary)
        written[THEIR_NAMES[name]] = path
    return written
