"""CUT and FastCUT: one generator, one discriminator, and patches that must be recognised again instead of a way back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from threatray.core import derive, stream
from threatray.errors import ConfigError
from threatray.synthesis.config import NceConfig, Preset, TrainConfig, Weights
from threatray.synthesis.image_pool import Judged
from threatray.synthesis.losses import moment_loss
from threatray.synthesis.nce import PatchMlp, PatchPlan, draw_patches, patch_nce
from threatray.synthesis.networks import MaskedGenerator
from threatray.synthesis.presets import nets_of
from threatray.synthesis.step import Batch, discriminator_terms, fooling_loss, shares_along
from threatray.synthesis.train import UnpairedGan


@dataclass(frozen=True)
class CutVariant:
    """What tells CUT and FastCUT apart.

    Args:
        identity: Whether real X-rays must come out recognisable too, which keeps the generator from changing what is right already.
        flip: Whether the generator sees every other batch mirrored, and its features are mirrored back.
    """

    identity: bool
    flip: bool


CUT = CutVariant(identity=True, flip=False)
FAST_CUT = CutVariant(identity=False, flip=True)


@dataclass(frozen=True, eq=False)
class CutNets:
    """The three networks. ``patch_mlp`` turns the encoder half of ``gen_ab`` into comparable vectors."""

    gen_ab: MaskedGenerator
    disc_b: torch.nn.Module
    patch_mlp: PatchMlp

    def named(self) -> dict[str, torch.nn.Module]:
        """Name -> network."""
        return {"gen_ab": self.gen_ab, "disc_b": self.disc_b, "patch_mlp": self.patch_mlp}


@dataclass(frozen=True)
class CutLosses:
    """One step's losses as plain numbers, unweighted."""

    adversarial_b: float
    nce: float
    nce_identity: float
    moments_b: float
    disc_b: float
    penalty_b: float

    def finite(self) -> bool:
        """Whether every loss is a number."""
        return bool(np.isfinite(list(vars(self).values())).all())


@dataclass(frozen=True, eq=False)
class GeneratorTerms:
    """The generator's unweighted terms, scalars, and what it made."""

    adversarial: torch.Tensor
    nce: torch.Tensor
    nce_identity: torch.Tensor
    moments: torch.Tensor
    fake_b: torch.Tensor

    def total(self, lambda_nce: float, lambda_moments: float = 0.0, *, identity: bool) -> torch.Tensor:
        """The weighted sum; with an identity term the contrastive weight is shared between both, as published."""
        contrastive = 0.5 * (self.nce + self.nce_identity) if identity else self.nce
        return self.adversarial + lambda_nce * contrastive + lambda_moments * self.moments


def as_photo(image: torch.Tensor) -> torch.Tensor:
    """Signature channels as the three that a photo encoder takes: read off along the line from the first to the last.

    Example:
        >>> as_photo(torch.tensor([0.2, 0.4])[None, :, None, None]).flatten().tolist()  # low energy, their mean, high energy
        [0.20000000298023224, 0.30000001192092896, 0.4000000059604645]
    """
    channels = image.shape[1]
    if channels == 3:
        return image
    rows = [np.interp(np.linspace(0, channels - 1, 3), np.arange(channels), one) for one in np.eye(channels)]
    weights = torch.from_numpy(np.stack(rows, axis=1)).to(image)
    return torch.nn.functional.conv2d(image, weights[:, :, None, None])


def generator_terms(
    nets: CutNets, batch: Batch, weights: Weights, nce: NceConfig, plan: PatchPlan, identity_plan: PatchPlan | None
) -> GeneratorTerms:
    """The generator's side of the objective.

    Args:
        nets: The networks.
        batch: The data.
        weights: Says which adversarial loss.
        nce: Of the contrastive terms.
        plan: Places compared between photos and their X-rays.
        identity_plan: Places compared between real X-rays and what becomes of them; None leaves that term out.

    Note:
        A mirrored photo's X-ray is mirrored back before the discriminator sees it, so that objects lie as the real ones do.

    Source:
        Park et al. 2020, equations 2 to 4 and section 3.
    """
    classes = batch.class_index
    photo, mask = (_mirrored(values, plan.flipped) for values in (batch.real_a, batch.mask_a))
    made = nets.gen_ab(photo, mask, classes)
    fake_b = _mirrored(made, plan.flipped)
    _, real = batch.judged()
    of_fake = [_mirrored(values, plan.flipped) for values in nets.gen_ab.features(as_photo(made), mask, classes)]
    identity = batch.real_a.new_zeros(())
    if identity_plan is not None:
        source = as_photo(batch.real_b)
        again = as_photo(nets.gen_ab(source, batch.mask_b, classes))
        identity = _contrast(nets, nets.gen_ab.features(again, batch.mask_b, classes), source, batch.mask_b, classes, identity_plan, nce)
    return GeneratorTerms(
        adversarial=fooling_loss(nets.disc_b, Judged(fake_b, batch.mask_a, classes), real, weights),
        nce=_contrast(nets, of_fake, batch.real_a, batch.mask_a, classes, plan, nce),
        nce_identity=identity,
        moments=moment_loss(fake_b, batch.mask_a, batch.real_b, batch.mask_b),
        fake_b=fake_b,
    )


def _contrast(
    nets: CutNets,
    of_fake: list[torch.Tensor],
    source: torch.Tensor,
    mask: torch.Tensor,
    classes: torch.Tensor,
    plan: PatchPlan,
    nce: NceConfig,
) -> torch.Tensor:
    """The mean over the layers."""
    with torch.no_grad():
        keys = nets.patch_mlp(nets.gen_ab.features(source, mask, classes), plan)
    queries = nets.patch_mlp(of_fake, plan)
    terms = [patch_nce(query, key, valid, temperature=nce.temperature) for query, key, valid in zip(queries, keys, plan.valid, strict=True)]
    return torch.stack(terms).mean()


def _mirrored(values: torch.Tensor, flipped: bool) -> torch.Tensor:
    return values.flip(3) if flipped else values


class Cut(UnpairedGan[CutNets]):
    """CUT between two domains, with all of its state; the interface of ``CycleGan``.

    Patches are compared only where the object is, and the encoder is not told where on the canvas they lie: places known that way would be
    recognised whatever the X-ray shows.

    Args:
        config: What is trained.
        class_names: The classes, in the domains' order.
        channels_b: Channel names of the signatures.
        seed: Of the weights, the batches, the pool and the patches.

    Raises:
        ConfigError: The preset is the U-Net, whose skips would hand the photo's patches through.

    Source:
        Park et al., "Contrastive Learning for Unpaired Image-to-Image Translation", 2020.

    Example:
        >>> model = Cut(TrainConfig(translator="cut", size=16, steps=1), ("gun",), ("low_energy", "high_energy"), seed=0)
        >>> sorted(model.nets.named())
        ['disc_b', 'gen_ab', 'patch_mlp']
    """

    variant: ClassVar[CutVariant] = CUT

    def __init__(self, config: TrainConfig, class_names: tuple[str, ...], channels_b: tuple[str, ...], *, seed: int) -> None:
        if config.accumulate > 1:
            raise ConfigError(f"train: accumulate is for cyclegan, {config.translator} does a batch at once. Leave it at 1.")
        if config.preset is Preset.UNET:
            raise ConfigError(
                "train: cut and fastcut compare features along a chain of layers, which a U-Net is not. Choose another preset."
            )
        all_four = nets_of(config, len(channels_b), len(class_names), derive(seed, "weights"))
        assert isinstance(all_four.gen_ab, MaskedGenerator)
        blank = torch.ones(1, 4, config.size, config.size)
        with torch.no_grad():
            shapes = [each.shape for each in all_four.gen_ab.features(blank[:, :3], blank[:, 3:], torch.zeros(1, dtype=torch.int64))]
        self._sides = [(int(shape[2]), int(shape[3])) for shape in shapes]
        weights = torch.Generator().manual_seed(derive(seed, "patch_mlp") % 2**63)
        with torch.random.fork_rng(devices=[]):
            patch_mlp = PatchMlp([int(shape[1]) for shape in shapes], config.nce.embedding, weights)
        nets = CutNets(all_four.gen_ab, all_four.disc_b, patch_mlp)
        learners = ("gen_ab", "patch_mlp")
        super().__init__(config, class_names, channels_b, nets=nets, learners=learners, pools=("fake_b",), seed=seed)
        self._patch_rng = stream(seed, "patches")

    def state(self) -> dict[str, Any]:
        """Everything there is to a training, as tensors and plain values."""
        return {**super().state(), "patch_rng": json.dumps(self._patch_rng.bit_generator.state)}

    def _restore(self, state: dict[str, Any], path: Path) -> None:
        super()._restore(state, path)
        self._patch_rng.bit_generator.state = json.loads(state["patch_rng"])

    def _update(self, batch: Batch) -> CutLosses:
        """The generator and the patch network once, then the discriminator once on pooled fakes."""
        nce, variant, weights = self.config.nce, self.variant, self.config.weights
        plan = draw_patches(batch.mask_a, self._sides, nce.patches, self._patch_rng, may_flip=variant.flip)
        other = draw_patches(batch.mask_b, self._sides, nce.patches, self._patch_rng) if variant.identity else None
        self.nets.disc_b.requires_grad_(False)
        terms = generator_terms(self.nets, batch, weights, nce, plan, other)
        self._optimisers.generators.zero_grad(set_to_none=True)
        terms.total(nce.lambda_nce, weights.lambda_moments, identity=variant.identity).backward()  # type: ignore[no-untyped-call]
        self._optimisers.generators.step()

        self.nets.disc_b.requires_grad_(True)
        fake = self._pools["fake_b"].query(Judged(terms.fake_b.detach(), batch.mask_a, batch.class_index), self._pool_rng)
        real = Judged(batch.real_b, batch.mask_b, batch.class_index)
        share = shares_along(len(real), self._pool_rng, weights)
        judged, penalty = discriminator_terms(self.nets.disc_b, real, fake, weights, share, self.step)
        self._optimisers.discriminators.zero_grad(set_to_none=True)
        (judged + penalty).backward()  # type: ignore[no-untyped-call]
        self._optimisers.discriminators.step()
        each = (terms.adversarial, terms.nce, terms.nce_identity, terms.moments, judged, penalty)
        return CutLosses(*(float(value.detach()) for value in each))


class FastCut(Cut):
    """FastCUT: no identity term, every other batch mirrored; little more than half of CUT's work.

    Example:
        >>> FastCut(TrainConfig(translator="fastcut", size=16, steps=1), ("gun",), ("grey",), seed=0).variant.identity
        False
    """

    variant: ClassVar[CutVariant] = FAST_CUT
