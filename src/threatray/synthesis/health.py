"""Whether a generator still draws: the commonest way for a training to fail is that it ends in drawing nothing."""

from __future__ import annotations

from typing import Any, Final

import torch

from threatray.synthesis.diseases import drawn
from threatray.synthesis.domain import DomainSet
from threatray.synthesis.train import TrainingFailed, UnpairedGan

_EVERY: Final = 50
_FIRST: Final = 200
"""Before this a young generator may draw little."""
_LOOKED_AT: Final = 12
_LEAST_SHARE: Final = 0.05


class StoppedDrawingError(TrainingFailed):
    """The generator makes nearly empty X-rays of every photo; nothing of what it learned comes back from there.

    Args:
        step: When it was seen.
        share: What it drew, as a share of what real signatures hold.
    """

    def __init__(self, step: int, share: float) -> None:
        super().__init__(
            f"step {step}: the translations hold {100 * share:.1f} % of what real signatures do: the X-ray discriminator has won and the "
            "generator draws nothing. Lower the discriminators' learning rate, give more signatures, or train with another seed."
        )
        self.step = step


class DrawingHealth:
    """Looks at a few photos every 50 steps.

    Args:
        domain_a: Photos.
        domain_b: Signatures.
    """

    def __init__(self, domain_a: DomainSet, domain_b: DomainSet) -> None:
        places = torch.linspace(0, len(domain_a) - 1, min(_LOOKED_AT, len(domain_a))).round().long()
        self._photos, self._classes = domain_a.tensors[places], domain_a.class_index[places]
        self._real = drawn(domain_b.tensors[:, :-1], domain_b.tensors[:, -1:])

    def look(self, model: UnpairedGan[Any], step: int) -> None:
        """Raise if the generator draws nearly nothing. Looks at the model alone, so that a resumed training decides alike.

        Raises:
            StoppedDrawingError: They have.
        """
        if step < _FIRST or step % _EVERY:
            return
        mask = self._photos[:, -1:]
        with torch.no_grad():
            share = drawn(model.nets.gen_ab(self._photos[:, :-1], mask, self._classes), mask) / max(self._real, 1e-6)
        if share < _LEAST_SHARE:
            raise StoppedDrawingError(step, share)
