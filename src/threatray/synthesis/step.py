"""One training step of CycleGAN, from a batch to losses and updated weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from threatray.synthesis.config import Weights
from threatray.synthesis.image_pool import ImagePool, Judged
from threatray.synthesis.losses import adversarial_loss, cycle_loss


@dataclass(frozen=True, eq=False)
class Batch:
    """N pairs of unrelated objects of the same class; everything outside a mask is exactly 1.

    Args:
        real_a: (N, 3, S, S) photos in [-1, 1].
        mask_a: (N, 1, S, S) their covered share.
        real_b: (N, C, S, S) encoded transmissions in [-1, 1].
        mask_b: (N, 1, S, S) their covered share.
        class_index: (N,) int64.
    """

    real_a: torch.Tensor
    mask_a: torch.Tensor
    real_b: torch.Tensor
    mask_b: torch.Tensor
    class_index: torch.Tensor

    def swapped(self) -> Batch:
        """The same batch with A and B exchanged."""
        return Batch(self.real_b, self.mask_b, self.real_a, self.mask_a, self.class_index)

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        return Batch(*(value.to(device) for value in vars(self).values()))

    def parts(self, count: int) -> list[Batch]:
        """The batch in ``count`` parts of one size."""
        pieces = [value.chunk(count) for value in vars(self).values()]
        return [Batch(*one) for one in zip(*pieces, strict=True)]


class Judge(Protocol):
    """What a discriminator offers: logits, one tensor a head."""

    def __call__(self, image: torch.Tensor, mask: torch.Tensor, class_index: torch.Tensor) -> Sequence[torch.Tensor]:
        """Judge images."""
        ...


@dataclass(frozen=True, eq=False)
class CycleGanNets:
    """The four networks. ``gen_ab`` makes B from A, ``disc_b`` judges B; and the other way round.

    Generators map (image, mask, class_index) to an image that is 1 outside the mask; discriminators map the same to logits.
    """

    gen_ab: torch.nn.Module
    gen_ba: torch.nn.Module
    disc_a: torch.nn.Module
    disc_b: torch.nn.Module

    def swapped(self) -> CycleGanNets:
        """The same networks with A and B exchanged."""
        return CycleGanNets(self.gen_ba, self.gen_ab, self.disc_b, self.disc_a)

    def named(self) -> dict[str, torch.nn.Module]:
        """Name -> network."""
        return {"gen_ab": self.gen_ab, "gen_ba": self.gen_ba, "disc_a": self.disc_a, "disc_b": self.disc_b}


@dataclass(frozen=True, eq=False)
class Translations:
    """What the generators made of a batch: each domain's fakes and its round trips."""

    fake_b: torch.Tensor
    rec_a: torch.Tensor
    fake_a: torch.Tensor
    rec_b: torch.Tensor


@dataclass(frozen=True, eq=False)
class GeneratorLosses:
    """Unweighted terms, scalars; ``adversarial_b`` is what ``disc_b`` makes ``gen_ab`` pay."""

    adversarial_a: torch.Tensor
    adversarial_b: torch.Tensor
    cycle_a: torch.Tensor
    cycle_b: torch.Tensor
    identity_a: torch.Tensor
    identity_b: torch.Tensor

    def total(self, weights: Weights) -> torch.Tensor:
        """The weighted sum that the generators minimise."""
        cycle = weights.lambda_cycle_a * self.cycle_a + weights.lambda_cycle_b * self.cycle_b
        identity = weights.lambda_cycle_a * self.identity_a + weights.lambda_cycle_b * self.identity_b
        return self.adversarial_a + self.adversarial_b + cycle + weights.lambda_identity * identity


@dataclass(frozen=True)
class StepLosses:
    """One step's losses as plain numbers."""

    adversarial_a: float
    adversarial_b: float
    cycle_a: float
    cycle_b: float
    identity_a: float
    identity_b: float
    disc_a: float
    disc_b: float

    def finite(self) -> bool:
        """Whether every loss is a number."""
        return bool(np.isfinite(list(vars(self).values())).all())


def generator_losses(nets: CycleGanNets, batch: Batch, weights: Weights) -> tuple[GeneratorLosses, Translations]:
    r"""The generators' side of the objective.

    .. math:: L = L_{GAN}(G_{AB}, D_B) + L_{GAN}(G_{BA}, D_A) + \lambda_A |G_{BA}(G_{AB}(a)) - a|_1 + \lambda_B |G_{AB}(G_{BA}(b)) - b|_1

    Exchanging A and B everywhere (``nets.swapped()``, ``batch.swapped()``, ``weights.swapped()``) exchanges the terms.

    Source:
        Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", 2017.
    """
    classes = batch.class_index
    fake_b = nets.gen_ab(batch.real_a, batch.mask_a, classes)
    fake_a = nets.gen_ba(batch.real_b, batch.mask_b, classes)
    rec_a = nets.gen_ba(fake_b, batch.mask_a, classes)
    rec_b = nets.gen_ab(fake_a, batch.mask_b, classes)
    zero = batch.real_a.new_zeros(())
    with_identity = weights.lambda_identity > 0.0
    losses = GeneratorLosses(
        adversarial_a=_fooled(nets.disc_a, fake_a, batch.mask_b, classes, weights),
        adversarial_b=_fooled(nets.disc_b, fake_b, batch.mask_a, classes, weights),
        cycle_a=cycle_loss(rec_a, batch.real_a),
        cycle_b=cycle_loss(rec_b, batch.real_b),
        identity_a=cycle_loss(nets.gen_ba(batch.real_a, batch.mask_a, classes), batch.real_a) if with_identity else zero,
        identity_b=cycle_loss(nets.gen_ab(batch.real_b, batch.mask_b, classes), batch.real_b) if with_identity else zero,
    )
    return losses, Translations(fake_b, rec_a, fake_a, rec_b)


def _fooled(disc: torch.nn.Module, fake: torch.Tensor, mask: torch.Tensor, class_index: torch.Tensor, weights: Weights) -> torch.Tensor:
    covered = mask if weights.covered_patches else None
    return adversarial_loss(disc(fake, mask, class_index), real=True, kind=weights.adversarial, mask=covered)


def discriminator_loss(disc: torch.nn.Module, real: Judged, fake: Judged, weights: Weights) -> torch.Tensor:
    """Half the sum of the real and the fake side, as published; no gradient reaches the generators."""
    image = torch.cat([real.image, fake.image.detach()])
    heads = disc(image, torch.cat([real.mask, fake.mask]), torch.cat([real.class_index, fake.class_index]))
    kind, covered = weights.adversarial, weights.covered_patches
    on_real = adversarial_loss([head[: len(real)] for head in heads], real=True, kind=kind, mask=real.mask if covered else None)
    on_fake = adversarial_loss([head[len(real) :] for head in heads], real=False, kind=kind, mask=fake.mask if covered else None)
    return 0.5 * (on_real + on_fake)


@dataclass(frozen=True, eq=False)
class Optimisers:
    """One for both generators, one for both discriminators."""

    generators: torch.optim.Optimizer
    discriminators: torch.optim.Optimizer


@dataclass(frozen=True, eq=False)
class Pools:
    """Histories of fakes, one a domain."""

    fake_a: ImagePool
    fake_b: ImagePool


def train_step(
    nets: CycleGanNets,
    optimisers: Optimisers,
    pools: Pools,
    batch: Batch,
    weights: Weights,
    rng: np.random.Generator,
    *,
    accumulate: int = 1,
) -> StepLosses:
    """Update the generators once, then the discriminators once on pooled fakes.

    Args:
        nets: Changed in place.
        optimisers: Changed in place.
        pools: Changed in place.
        batch: The data.
        weights: Of the objective.
        rng: For the pools.
        accumulate: Parts of the batch that the generators work on one after the other.

    Returns:
        The losses before the update.
    """
    for disc in (nets.disc_a, nets.disc_b):
        disc.requires_grad_(False)
    optimisers.generators.zero_grad(set_to_none=True)
    losses, made = _generators_backward(nets, batch, weights, accumulate)
    optimisers.generators.step()

    for disc in (nets.disc_a, nets.disc_b):
        disc.requires_grad_(True)
    fake_b = pools.fake_b.query(Judged(made.fake_b.detach(), batch.mask_a, batch.class_index), rng)
    fake_a = pools.fake_a.query(Judged(made.fake_a.detach(), batch.mask_b, batch.class_index), rng)
    loss_a = discriminator_loss(nets.disc_a, Judged(batch.real_a, batch.mask_a, batch.class_index), fake_a, weights)
    loss_b = discriminator_loss(nets.disc_b, Judged(batch.real_b, batch.mask_b, batch.class_index), fake_b, weights)
    optimisers.discriminators.zero_grad(set_to_none=True)
    (loss_a + loss_b).backward()  # type: ignore[no-untyped-call]
    optimisers.discriminators.step()
    numbers = {name: float(value.detach()) for name, value in {**vars(losses), "disc_a": loss_a, "disc_b": loss_b}.items()}
    return StepLosses(**numbers)


def _generators_backward(nets: CycleGanNets, batch: Batch, weights: Weights, parts: int) -> tuple[GeneratorLosses, Translations]:
    """Losses and translations of the whole batch, without their graphs; its gradient is added to the weights'."""
    losses, made = [], []
    for part in batch.parts(parts):
        terms, images = generator_losses(nets, part, weights)
        (terms.total(weights) / parts).backward()  # type: ignore[no-untyped-call]
        losses.append([value.detach() for value in vars(terms).values()])
        made.append([value.detach() for value in vars(images).values()])
    mean = GeneratorLosses(*(torch.stack(values).mean() for values in zip(*losses, strict=True)))
    return mean, Translations(*(torch.cat(images) for images in zip(*made, strict=True)))
