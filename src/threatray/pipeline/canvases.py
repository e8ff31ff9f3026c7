"""Signatures on the canvas that networks and features see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from threatray.core import Signature
from threatray.synthesis.domain import DomainSet
from threatray.synthesis.framed import FramedTranslator


@dataclass(frozen=True, eq=False)
class Canvases:
    """Objects brought to one size and pose.

    Args:
        transmission: (N, C, S, S), 1 outside the objects.
        mask: (N, S, S) bool.
        class_index: (N,) int64 into the translator's classes.
    """

    transmission: torch.Tensor
    mask: torch.Tensor
    class_index: torch.Tensor


def canvases_of(signatures: Sequence[Signature], translator: FramedTranslator) -> Canvases:
    """Signatures as a translator's own canvases."""
    config = translator.config
    domain = DomainSet.of_signatures(signatures, translator.class_names, config.size, encoding=config.encoding, pose=config.pose)
    return Canvases(config.encoding.decode(domain.tensors[:, :-1]).clamp(0.0, 1.0), domain.tensors[:, -1] > 0.5, domain.class_index)
