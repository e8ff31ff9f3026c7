"""The terms of the CycleGAN objective."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from threatray.synthesis.config import Adversarial
from threatray.synthesis.distributed import mean_over_processes


def adversarial_loss(logits: Sequence[torch.Tensor], *, real: bool, kind: Adversarial, mask: torch.Tensor | None = None) -> torch.Tensor:
    r"""How far logits are from saying *real* (or *fake*), averaged over patches, then over the discriminator's heads.

    .. math:: L_{LSGAN} = \overline{(D - t)^2}, \qquad L_{vanilla} = \overline{-t \ln\sigma(D) - (1 - t) \ln(1 - \sigma(D))}

    with t = 1 for real and 0 for fake.

    Args:
        logits: One tensor a head, any shape.
        real: The verdict wanted.
        kind: The loss.
        mask: (N, 1, S, S); if given, heads of patches (N, 1, s, s) count only those patches whose share of the canvas it touches.

    Returns:
        A scalar, 0 or more.

    Source:
        Mao et al., "Least Squares Generative Adversarial Networks", 2017; Goodfellow et al., 2014.

    Example:
        >>> adversarial_loss([torch.tensor([1.0, 0.0])], real=True, kind=Adversarial.LSGAN).item()
        0.5
    """
    terms: list[torch.Tensor] = []
    for head in logits:
        target = torch.full_like(head, 1.0 if real else 0.0)
        if kind is Adversarial.LSGAN:
            each = (head - target) ** 2
        else:
            each = functional.binary_cross_entropy_with_logits(head, target, reduction="none")
        if mask is not None and head.ndim == 4:
            covered = (functional.adaptive_max_pool2d(mask, head.shape[-2:]) > 0.0).to(each.dtype)
            terms.append((each * covered).sum() / mean_over_processes(covered.sum()).clamp(min=1.0))
        else:
            terms.append(each.mean())
    return torch.stack(terms).mean()


def cycle_loss(reconstruction: torch.Tensor, original: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of what went there and back and what set out; also the identity loss's form.

    Example:
        >>> cycle_loss(torch.tensor([1.0, 3.0]), torch.tensor([1.0, 1.0])).item()
        1.0
    """
    return functional.l1_loss(reconstruction, original)
