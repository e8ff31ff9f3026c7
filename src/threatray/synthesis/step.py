"""One training step of CycleGAN, from a batch to losses and updated weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from threatray.synthesis.config import Adversarial, Weights
from threatray.synthesis.distributed import processes, rank
from threatray.synthesis.image_pool import ImagePool, Judged
from threatray.synthesis.losses import (
    adversarial_loss,
    cycle_loss,
    moment_loss,
    relativistic_loss,
    slope_penalty,
    squared_slope,
    verdict,
)


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

    def judged(self) -> tuple[Judged, Judged]:
        """The real photos and the real X-rays as discriminators see them."""
        return Judged(self.real_a, self.mask_a, self.class_index), Judged(self.real_b, self.mask_b, self.class_index)

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
class WayBackNoise:
    """What is added to the translations of N pairs before their way back, inside the masks.

    A generator that must bring back what its translation cannot show hides it there; faint signs do not survive this.

    Args:
        on_a: (N, 3, S, S) for made photos.
        on_b: (N, C, S, S) for made X-rays.
    """

    on_a: torch.Tensor
    on_b: torch.Tensor

    @classmethod
    def drawn(cls, batch: Batch, spread: float, rng: np.random.Generator) -> WayBackNoise:
        """For a batch; processes that train together draw alike and take their own part."""
        count = len(batch.real_a)
        own = slice(rank() * count, (rank() + 1) * count)
        drawn = (rng.standard_normal((count * processes(), *like.shape[1:]), np.float32)[own] for like in (batch.real_a, batch.real_b))
        return cls(*(torch.from_numpy(spread * one).to(batch.real_a.device) for one in drawn))

    def swapped(self) -> WayBackNoise:
        """The same with A and B exchanged."""
        return WayBackNoise(self.on_b, self.on_a)

    def parts(self, count: int) -> list[WayBackNoise]:
        """In ``count`` parts of one size, as ``Batch.parts``."""
        return [WayBackNoise(*one) for one in zip(self.on_a.chunk(count), self.on_b.chunk(count), strict=True)]


@dataclass(frozen=True, eq=False)
class GeneratorLosses:
    """Unweighted terms, scalars; ``adversarial_b`` is what ``disc_b`` makes ``gen_ab`` pay."""

    adversarial_a: torch.Tensor
    adversarial_b: torch.Tensor
    cycle_a: torch.Tensor
    cycle_b: torch.Tensor
    identity_a: torch.Tensor
    identity_b: torch.Tensor
    moments_a: torch.Tensor
    moments_b: torch.Tensor

    def total(self, weights: Weights) -> torch.Tensor:
        """The weighted sum that the generators minimise."""
        cycle = weights.lambda_cycle_a * self.cycle_a + weights.lambda_cycle_b * self.cycle_b
        identity = weights.lambda_cycle_a * self.identity_a + weights.lambda_cycle_b * self.identity_b
        moments = weights.lambda_moments * (self.moments_a + self.moments_b)
        return self.adversarial_a + self.adversarial_b + cycle + weights.lambda_identity * identity + moments


@dataclass(frozen=True)
class StepLosses:
    """One step's losses as plain numbers; ``penalty_a`` and ``penalty_b`` are 0 on steps that have none."""

    adversarial_a: float
    adversarial_b: float
    cycle_a: float
    cycle_b: float
    identity_a: float
    identity_b: float
    disc_a: float
    disc_b: float
    penalty_a: float = 0.0
    penalty_b: float = 0.0
    moments_a: float = 0.0
    moments_b: float = 0.0

    def finite(self) -> bool:
        """Whether every loss is a number."""
        return bool(np.isfinite(list(vars(self).values())).all())


def generator_losses(
    nets: CycleGanNets, batch: Batch, weights: Weights, noise: WayBackNoise | None = None
) -> tuple[GeneratorLosses, Translations]:
    r"""The generators' side of the objective.

    .. math:: L = L_{GAN}(G_{AB}, D_B) + L_{GAN}(G_{BA}, D_A) + \lambda_A |G_{BA}(G_{AB}(a)) - a|_1 + \lambda_B |G_{AB}(G_{BA}(b)) - b|_1

    as published but for ``noise``, which lies on the translations on their way back.
    Exchanging A and B everywhere (``nets.swapped()``, ``batch.swapped()``, ``weights.swapped()``, ``noise.swapped()``) exchanges the terms.

    Source:
        Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks", 2017.
    """
    classes = batch.class_index
    fake_b = nets.gen_ab(batch.real_a, batch.mask_a, classes)
    fake_a = nets.gen_ba(batch.real_b, batch.mask_b, classes)
    back_b, back_a = (fake_b, fake_a) if noise is None else (fake_b + batch.mask_a * noise.on_b, fake_a + batch.mask_b * noise.on_a)
    rec_a = nets.gen_ba(back_b, batch.mask_a, classes)
    rec_b = nets.gen_ab(back_a, batch.mask_b, classes)
    zero = batch.real_a.new_zeros(())
    with_identity = weights.lambda_identity > 0.0
    real_a, real_b = batch.judged()
    losses = GeneratorLosses(
        adversarial_a=fooling_loss(nets.disc_a, Judged(fake_a, batch.mask_b, classes), real_a, weights),
        adversarial_b=fooling_loss(nets.disc_b, Judged(fake_b, batch.mask_a, classes), real_b, weights),
        cycle_a=cycle_loss(rec_a, batch.real_a),
        cycle_b=cycle_loss(rec_b, batch.real_b),
        identity_a=cycle_loss(nets.gen_ba(batch.real_a, batch.mask_a, classes), batch.real_a) if with_identity else zero,
        identity_b=cycle_loss(nets.gen_ab(batch.real_b, batch.mask_b, classes), batch.real_b) if with_identity else zero,
        moments_a=moment_loss(fake_a, batch.mask_b, batch.real_a, batch.mask_a) if weights.lambda_moments > 0.0 else zero,
        moments_b=moment_loss(fake_b, batch.mask_a, batch.real_b, batch.mask_b) if weights.lambda_moments > 0.0 else zero,
    )
    return losses, Translations(fake_b, rec_a, fake_a, rec_b)


def fooling_loss(disc: torch.nn.Module, made: Judged, real: Judged, weights: Weights) -> torch.Tensor:
    """What a discriminator makes the generator pay for the images it made; only the relativistic loss looks at real ones beside them."""
    made_mask, real_mask = (made.mask, real.mask) if weights.covered_patches else (None, None)
    heads = disc(made.image, made.mask, made.class_index)
    if weights.adversarial is not Adversarial.RELATIVISTIC:
        return adversarial_loss(heads, real=True, kind=weights.adversarial, mask=made_mask)
    with torch.no_grad():
        on_real = disc(real.image, real.mask, real.class_index)
    return relativistic_loss(heads, on_real, made_mask, real_mask)


def discriminator_loss(disc: torch.nn.Module, real: Judged, fake: Judged, weights: Weights) -> torch.Tensor:
    """Half the sum of the real and the fake side, as published (the relativistic loss is one sum); no gradient reaches the generators."""
    image = torch.cat([real.image, fake.image.detach()])
    heads = disc(image, torch.cat([real.mask, fake.mask]), torch.cat([real.class_index, fake.class_index]))
    of_real, of_fake = ([head[part] for head in heads] for part in (slice(len(real)), slice(len(real), None)))
    real_mask, fake_mask = (real.mask, fake.mask) if weights.covered_patches else (None, None)
    if weights.adversarial is Adversarial.RELATIVISTIC:
        return relativistic_loss(of_real, of_fake, real_mask, fake_mask)
    on_real = adversarial_loss(of_real, real=True, kind=weights.adversarial, mask=real_mask)
    on_fake = adversarial_loss(of_fake, real=False, kind=weights.adversarial, mask=fake_mask)
    return 0.5 * (on_real + on_fake)


def r1_penalty(disc: torch.nn.Module, real: Judged, weights: Weights) -> torch.Tensor:
    r"""Half of gamma times the squared slope on real images: :math:`\frac{\gamma}{2} \overline{|\nabla_x D(x)|^2}`.

    A discriminator that is steep where the data are cannot settle: generator and discriminator then chase each other in growing circles.
    D(x) is the mean verdict on the image, so that the figure does not depend on the number of patches.

    Source:
        Mescheder et al., "Which Training Methods for GANs do actually Converge?", 2018.
    """
    return 0.5 * weights.r1_gamma * _slopes(disc, real, weights).mean()


def interpolated_penalty(disc: torch.nn.Module, real: Judged, fake: Judged, share: torch.Tensor, weights: Weights) -> torch.Tensor:
    """WGAN-GP's penalty on the lines between real and made images, halved like the loss it goes with.

    Args:
        disc: The critic.
        real: N real images.
        fake: N made ones; they may be of other classes. Between them the class is the real one's.
        share: (N,) in [0, 1], how far along.
        weights: ``lambda_slope`` counts.
    """
    along = share[:, None, None, None]
    image = along * real.image + (1.0 - along) * fake.image.detach()
    between = Judged(image, along * real.mask + (1.0 - along) * fake.mask, real.class_index)
    return 0.5 * weights.lambda_slope * slope_penalty(_slopes(disc, between, weights))


def _slopes(disc: torch.nn.Module, at: Judged, weights: Weights) -> torch.Tensor:
    image = at.image.detach().requires_grad_(True)
    logits = disc(image, at.mask, at.class_index)
    return squared_slope(verdict(logits, at.mask if weights.covered_patches else None), image)


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
    step: int = 0,
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
        rng: For the noise on the way back, the pools and WGAN-GP's penalty.
        step: Its number, which says whether the discriminators' slope is penalised in it.
        accumulate: Parts of the batch that the generators work on one after the other.

    Returns:
        The losses before the update.
    """
    for disc in (nets.disc_a, nets.disc_b):
        disc.requires_grad_(False)
    optimisers.generators.zero_grad(set_to_none=True)
    noise = WayBackNoise.drawn(batch, weights.cycle_noise, rng) if weights.cycle_noise > 0.0 else None
    losses, made = _generators_backward(nets, batch, weights, noise, accumulate)
    optimisers.generators.step()

    for disc in (nets.disc_a, nets.disc_b):
        disc.requires_grad_(True)
    real_a, real_b = batch.judged()
    fake_b = pools.fake_b.query(Judged(made.fake_b.detach(), batch.mask_a, batch.class_index), rng)
    fake_a = pools.fake_a.query(Judged(made.fake_a.detach(), batch.mask_b, batch.class_index), rng)
    # one draw for both domains: neither comes first
    share = shares_along(len(real_a), rng, weights)
    loss_a, penalty_a = discriminator_terms(nets.disc_a, real_a, fake_a, weights, share, step)
    loss_b, penalty_b = discriminator_terms(nets.disc_b, real_b, fake_b, weights, share, step)
    optimisers.discriminators.zero_grad(set_to_none=True)
    (loss_a + loss_b + penalty_a + penalty_b).backward()  # type: ignore[no-untyped-call]
    optimisers.discriminators.step()
    terms = {**vars(losses), "disc_a": loss_a, "disc_b": loss_b, "penalty_a": penalty_a, "penalty_b": penalty_b}
    return StepLosses(**{name: float(value.detach()) for name, value in terms.items()})


def shares_along(count: int, rng: np.random.Generator, weights: Weights) -> torch.Tensor | None:
    """(count,) in [0, 1] for WGAN-GP, None for other losses; processes that train together draw alike and take their own part."""
    if weights.adversarial is not Adversarial.WGAN_GP:
        return None
    drawn = rng.random(count * processes(), np.float32)
    return torch.from_numpy(drawn[rank() * count : (rank() + 1) * count])


def discriminator_terms(
    disc: torch.nn.Module, real: Judged, fake: Judged, weights: Weights, share: torch.Tensor | None, step: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """A discriminator's loss, and the penalties of this step.

    Args:
        disc: The discriminator.
        real: Real images.
        fake: Made ones.
        weights: Of the objective.
        share: How far along the lines of WGAN-GP's penalty, see ``shares_along``; None for the other losses.
        step: The step's number.
    """
    penalty = real.image.new_zeros(())
    if share is not None:
        penalty = penalty + interpolated_penalty(disc, real, fake, share, weights)
    if weights.r1_gamma > 0.0 and step % weights.r1_every == 0:
        penalty = penalty + weights.r1_every * r1_penalty(disc, real, weights)
    return discriminator_loss(disc, real, fake, weights), penalty


def _generators_backward(
    nets: CycleGanNets, batch: Batch, weights: Weights, noise: WayBackNoise | None, parts: int
) -> tuple[GeneratorLosses, Translations]:
    """Losses and translations of the whole batch, without their graphs; its gradient is added to the weights'."""
    losses, made = [], []
    noises = [None] * parts if noise is None else noise.parts(parts)
    for part, on_part in zip(batch.parts(parts), noises, strict=True):
        terms, images = generator_losses(nets, part, weights, on_part)
        (terms.total(weights) / parts).backward()  # type: ignore[no-untyped-call]
        losses.append([value.detach() for value in vars(terms).values()])
        made.append([value.detach() for value in vars(images).values()])
    mean = GeneratorLosses(*(torch.stack(values).mean() for values in zip(*losses, strict=True)))
    return mean, Translations(*(torch.cat(images) for images in zip(*made, strict=True)))
