"""The terms of the CycleGAN objective."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from threatray.synthesis.config import Adversarial
from threatray.synthesis.distributed import mean_of_all, mean_over_processes


def adversarial_loss(logits: Sequence[torch.Tensor], *, real: bool, kind: Adversarial, mask: torch.Tensor | None = None) -> torch.Tensor:
    r"""How far logits are from saying *real* (or *fake*), averaged over patches, then over the discriminator's heads.

    .. math:: L_{LSGAN} = \overline{(D - t)^2}, \qquad L_{vanilla} = \overline{-t \ln\sigma(D) - (1 - t) \ln(1 - \sigma(D))}

    with t = 1 for real and 0 for fake; for WGAN the mean of D itself, with a minus for real.

    Args:
        logits: One tensor a head, any shape.
        real: The verdict wanted.
        kind: The loss.
        mask: (N, 1, S, S); if given, heads of patches (N, 1, s, s) count only those patches whose share of the canvas it touches.

    Returns:
        A scalar, 0 or more but for WGAN.

    Source:
        Mao et al., "Least Squares Generative Adversarial Networks", 2017; Goodfellow et al., 2014;
        Arjovsky et al., 2017.

    Example:
        >>> adversarial_loss([torch.tensor([1.0, 0.0])], real=True, kind=Adversarial.LSGAN).item()
        0.5
    """
    verdicts: list[torch.Tensor] = []
    for head in logits:
        target = torch.full_like(head, 1.0 if real else 0.0)
        if kind is Adversarial.LSGAN:
            each = (head - target) ** 2
        elif kind is Adversarial.VANILLA:
            each = functional.binary_cross_entropy_with_logits(head, target, reduction="none")
        else:
            each = -head if real else head
        covered = _covered(head, mask)
        if covered is None:
            verdicts.append(each.mean())
        else:
            verdicts.append((each * covered).sum() / mean_over_processes(covered.sum()).clamp(min=1.0))
    return torch.stack(verdicts).mean()


def relativistic_loss(
    higher: Sequence[torch.Tensor],
    lower: Sequence[torch.Tensor],
    higher_mask: torch.Tensor | None = None,
    lower_mask: torch.Tensor | None = None,
) -> torch.Tensor:
    r"""How far one side's logits are from lying 1 above the mean of the other's, averaged over patches, then over the heads.

    .. math:: L = \tfrac12 \overline{(h - \bar l - 1)^2} + \tfrac12 \overline{(l - \bar h + 1)^2}

    The discriminator minimises it with real as ``higher``, the generator with its own images as ``higher``. A verdict counts only
    beside the other side's, so a discriminator that finds everything real or everything made has said nothing; at a draw the loss is
    1 for both.

    Args:
        higher: One tensor a head, any shape.
        lower: Of the other side, the same heads.
        higher_mask: As for ``adversarial_loss``, of ``higher``.
        lower_mask: Of ``lower``.

    Returns:
        A scalar, 0 or more.

    Source:
        Jolicoeur-Martineau, "The relativistic discriminator: a key element missing from standard GAN", 2019: relativistic average LSGAN.

    Example:
        >>> relativistic_loss([torch.tensor([2.0, 2.0])], [torch.tensor([0.0, 0.0])]).item()
        1.0
    """
    terms: list[torch.Tensor] = []
    for high, low in zip(higher, lower, strict=True):
        # the same written in means alone, so that processes that train together get the gradient of one
        high_mean, high_square = (_mean_of(each, higher_mask) for each in (high, high.square()))
        low_mean, low_square = (_mean_of(each, lower_mask) for each in (low, low.square()))
        spread = 0.5 * (high_square - high_mean.square() + low_square - low_mean.square())
        terms.append(spread + (high_mean - low_mean - 1.0).square())
    return torch.stack(terms).mean()


def _mean_of(head: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Over the patches of a head that count, of all processes."""
    covered = _covered(head, mask)
    if covered is None:
        return mean_of_all(head.mean())
    return mean_of_all((head * covered).sum() / mean_over_processes(covered.sum()).clamp(min=1.0))


def verdict(logits: Sequence[torch.Tensor], mask: torch.Tensor | None = None) -> torch.Tensor:
    """One number an image: the mean of its logits over patches, then over heads, as ``adversarial_loss`` averages.

    Args:
        logits: One tensor a head, the first axis the batch.
        mask: As for ``adversarial_loss``.

    Returns:
        (N,).

    Example:
        >>> verdict([torch.tensor([[1.0, 3.0]]), torch.tensor([[4.0]])]).item()
        3.0
    """
    means: list[torch.Tensor] = []
    for head in logits:
        covered = _covered(head, mask)
        if covered is None:
            means.append(head.flatten(1).mean(1))
        else:
            means.append((head * covered).flatten(1).sum(1) / covered.flatten(1).sum(1).clamp(min=1.0))
    return torch.stack(means).mean(0)


def squared_slope(verdicts: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    r"""How steep verdicts are in their images: :math:`|\nabla_x D(x)|^2` over all pixels and channels.

    Args:
        verdicts: (N,), each computed from its own image alone.
        image: (N, C, S, S), which requires a gradient.

    Returns:
        (N,), differentiable once more, for the discriminator's weights.

    Example:
        >>> image = torch.full((1, 1, 1, 2), 3.0, requires_grad=True)
        >>> squared_slope((image**2).sum((1, 2, 3)), image).item()  # (2 * 3)^2, twice
        72.0
    """
    (slope,) = torch.autograd.grad(verdicts.sum(), image, create_graph=True)
    return slope.square().flatten(1).sum(1)


def slope_penalty(squared: torch.Tensor) -> torch.Tensor:
    r"""WGAN-GP's: :math:`\overline{(|\nabla_x D(x)| - 1)^2}`.

    Args:
        squared: (N,) of ``squared_slope``.

    Source:
        Gulrajani et al., "Improved Training of Wasserstein GANs", 2017.

    Example:
        >>> slope_penalty(torch.tensor([9.0, 1.0])).item()
        2.0
    """
    return ((squared + 1e-16).sqrt() - 1.0).square().mean()  # the root has no slope at 0


def _covered(head: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor | None:
    """(N, 1, s, s): 1 for the patches that count; None where all do."""
    if mask is None or head.ndim != 4:
        return None
    return (functional.adaptive_max_pool2d(mask, head.shape[-2:]) > 0.0).to(head.dtype)


def cycle_loss(reconstruction: torch.Tensor, original: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of what went there and back and what set out; also the identity loss's form.

    Example:
        >>> cycle_loss(torch.tensor([1.0, 3.0]), torch.tensor([1.0, 1.0])).item()
        1.0
    """
    return functional.l1_loss(reconstruction, original)


def moments(image: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation of each channel over what the masks cover, all objects of a batch together, each weighing the same.

    Args:
        image: (N, C, S, S).
        mask: (N, 1, S, S), the covered share.

    Returns:
        Two of (C,).

    Example:
        >>> mean, spread = moments(torch.tensor([[[[0.0, 1.0, 9.0]]]]), torch.tensor([[[[1.0, 1.0, 0.0]]]]))
        >>> mean.item(), round(spread.item(), 3)
        (0.5, 0.5)
    """
    share = mask / mask.sum((1, 2, 3), keepdim=True).clamp(min=1e-6) / len(mask)
    mean = mean_of_all((image * share).sum((0, 2, 3)))
    # the spread does not change with the mean to first order, so nothing is lost by holding it fixed here
    variance = mean_of_all(((image - mean.detach()[:, None, None]).square() * share).sum((0, 2, 3)))
    return mean, (variance + 1e-6).sqrt()


def moment_loss(made: torch.Tensor, made_mask: torch.Tensor, real: torch.Tensor, real_mask: torch.Tensor) -> torch.Tensor:
    r"""Squared differences of mean and of spread, averaged over channels.

    .. math:: \overline{(\mu_{made} - \mu_{real})^2 + (\sigma_{made} - \sigma_{real})^2}

    Squares, because a batch's real moments are a noisy target: the pull is then towards their expectation.
    """
    pairs = zip(moments(made, made_mask), moments(real, real_mask), strict=True)
    return torch.stack([(one - other).square().mean() for one, other in pairs]).sum()
