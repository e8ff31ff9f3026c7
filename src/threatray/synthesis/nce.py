"""The patchwise contrastive term: a place of the X-ray must be recognised among all places of the photo it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

_NEVER = -1e4
"""The logit of a place that is not there: exp gives exactly 0, and gradients stay numbers."""


@dataclass(frozen=True, eq=False)
class PatchPlan:
    """Everything random about one contrastive term.

    Args:
        positions: For each layer (N, P) int64, cells of the feature map counted row by row; no cell twice in an image.
        valid: For each layer (N, P) bool; False fills up images that have fewer cells than others.
        flipped: Whether the generator sees the photos mirrored.
    """

    positions: tuple[torch.Tensor, ...]
    valid: tuple[torch.Tensor, ...]
    flipped: bool


def draw_patches(
    mask: torch.Tensor, sides: Sequence[tuple[int, int]], patches: int, rng: np.random.Generator, *, may_flip: bool = False
) -> PatchPlan:
    """Choose up to ``patches`` different cells of every image and layer, all of them where the object is.

    Args:
        mask: (N, 1, S, S) covered share.
        sides: Height and width of each layer's feature map.
        patches: Cells an image and layer.
        rng: Draws.
        may_flip: Also draw whether to mirror, with probability one half.

    Returns:
        The plan. A cell counts as the object if half of it is; an object thinner than that everywhere has its most covered cells.

    Example:
        >>> mask = torch.zeros(1, 1, 8, 8); mask[..., :4, 4:] = 1
        >>> draw_patches(mask, [(2, 2)], 3, np.random.default_rng(0)).positions
        (tensor([[1]]),)
    """
    flipped = bool(may_flip and rng.random() < 0.5)
    positions, valid = [], []
    for height, width in sides:
        share = functional.adaptive_avg_pool2d(mask, (height, width)).flatten(1)
        most = share.amax(1, keepdim=True)
        covered = ((share >= 0.5) | (share >= most)) & (share > 0.0)
        chosen = [rng.permutation(np.flatnonzero(row))[:patches] for row in covered.cpu().numpy()]
        longest = max(1, *(len(cells) for cells in chosen)) if chosen else 1
        places, there = np.zeros((len(chosen), longest), np.int64), np.zeros((len(chosen), longest), bool)
        for row, cells in enumerate(chosen):
            places[row, : len(cells)], there[row, : len(cells)] = cells, True
        positions.append(torch.from_numpy(places).to(mask.device))
        valid.append(torch.from_numpy(there).to(mask.device))
    return PatchPlan(tuple(positions), tuple(valid), flipped)


class PatchMlp(nn.Module):
    """Features of chosen cells to vectors of length 1, with two linear layers a feature map.

    Args:
        channels: Of each layer's features.
        embedding: Length of the vectors.
        generator: Of the weights, normal with 0.02 as published.

    Example:
        >>> mlp = PatchMlp([3, 8], 4, torch.Generator().manual_seed(0))
        >>> plan = draw_patches(torch.ones(2, 1, 8, 8), [(8, 8), (4, 4)], 5, np.random.default_rng(0))
        >>> [tuple(vectors.shape) for vectors in mlp([torch.ones(2, 3, 8, 8), torch.ones(2, 8, 4, 4)], plan)]
        [(2, 5, 4), (2, 5, 4)]
    """

    def __init__(self, channels: Sequence[int], embedding: int, generator: torch.Generator) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(each, embedding), nn.ReLU(), nn.Linear(embedding, embedding)) for each in channels
        )
        for part in self.modules():
            if isinstance(part, nn.Linear):
                nn.init.normal_(part.weight, 0.0, 0.02, generator=generator)
                nn.init.zeros_(part.bias)

    def forward(self, features: Sequence[torch.Tensor], plan: PatchPlan) -> list[torch.Tensor]:
        """(N, C, h, w) of each layer to (N, P, embedding)."""
        found: list[torch.Tensor] = []
        for layer, values, positions in zip(self.layers, features, plan.positions, strict=True):
            index = positions[:, None, :].expand(-1, values.shape[1], -1)
            vectors = layer(values.flatten(2).gather(2, index).transpose(1, 2))
            found.append(functional.normalize(vectors, dim=-1, eps=1e-7))
        return found


def patch_nce(query: torch.Tensor, key: torch.Tensor, valid: torch.Tensor, *, temperature: float) -> torch.Tensor:
    r"""How badly places are recognised: cross-entropy of picking one's own key among all keys of the same image.

    .. math:: L = -\frac{1}{P} \sum_p \ln \frac{\exp(q_p \cdot k_p / \tau)}{\sum_r \exp(q_p \cdot k_r / \tau)}

    Keys are constants: the X-ray must become like the photo, not the photo's features like the X-ray's.

    Args:
        query: (N, P, D) vectors of length 1, of the translation.
        key: (N, P, D) of its source.
        valid: (N, P) bool; other places are neither asked for nor among the answers.
        temperature: :math:`\tau`.

    Returns:
        A scalar, 0 or more: the mean over the valid places of all images.

    Source:
        Park et al., "Contrastive Learning for Unpaired Image-to-Image Translation", 2020.

    Example:
        >>> vectors = torch.eye(2)[None]
        >>> round(patch_nce(vectors, vectors, torch.ones(1, 2, dtype=torch.bool), temperature=1.0).item(), 4)  # ln(1 + 1/e)
        0.3133
    """
    logits = torch.bmm(query, key.detach().transpose(1, 2)) / temperature
    logits = logits.masked_fill(~valid[:, None, :], _NEVER)
    each = torch.logsumexp(logits, -1) - torch.diagonal(logits, dim1=1, dim2=2)
    return torch.where(valid, each, 0.0).sum() / valid.sum().clamp(min=1)
