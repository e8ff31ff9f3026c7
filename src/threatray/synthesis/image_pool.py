"""The history of fakes that a discriminator is shown, so that it does not forget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from threatray.errors import ConfigError
from threatray.synthesis.distributed import gathered, share_of


@dataclass(frozen=True, eq=False)
class Judged:
    """What a discriminator looks at: images with their masks and classes, first axis the batch."""

    image: torch.Tensor
    mask: torch.Tensor
    class_index: torch.Tensor

    def __len__(self) -> int:
        return int(self.image.shape[0])


class ImagePool:
    """Up to ``size`` earlier fakes; each query swaps about half of the new ones for old ones.

    Args:
        size: How many fakes are kept; 0 hands every fake straight through.

    Source:
        Shrivastava et al., "Learning from Simulated and Unsupervised Images through Adversarial Training", 2017, used by CycleGAN with 50.

    Example:
        >>> pool = ImagePool(0)
        >>> fakes = Judged(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2), torch.zeros(1, dtype=torch.long))
        >>> pool.query(fakes, np.random.default_rng(0)) is fakes
        True
    """

    def __init__(self, size: int) -> None:
        if size < 0:
            raise ConfigError(f"image pool: size must be 0 or more, got {size}.")
        self.size = size
        self._kept: list[Judged] = []

    def __len__(self) -> int:
        return len(self._kept)

    def query(self, fakes: Judged, rng: np.random.Generator) -> Judged:
        """Fakes for the discriminator, as many as came in, cut from the graph unless the pool is off.

        Where several processes train together, all fakes go into one pool that each of them keeps, and each gets its share.
        """
        if self.size == 0:
            return fakes
        fakes = gathered(fakes)  # every process keeps the same pool
        chosen: list[Judged] = []
        for place in range(len(fakes)):
            one = slice(place, place + 1)
            new = Judged(fakes.image[one].detach().clone(), fakes.mask[one].clone(), fakes.class_index[one].clone())
            if len(self._kept) < self.size:
                self._kept.append(new)
                chosen.append(new)
            elif rng.random() < 0.5:
                slot = int(rng.integers(self.size))
                chosen.append(self._kept[slot])
                self._kept[slot] = new
            else:
                chosen.append(new)
        return share_of(_joined(chosen))

    def state_dict(self) -> dict[str, Any]:
        """Tensors that ``load_state_dict`` takes back."""
        if not self._kept:
            return {}
        kept = _joined(self._kept)
        return {"image": kept.image, "mask": kept.mask, "class_index": kept.class_index}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what ``state_dict`` gave."""
        count = len(state["image"]) if state else 0
        self._kept = [
            Judged(*(state[name][place : place + 1].clone() for name in ("image", "mask", "class_index"))) for place in range(count)
        ]


def _joined(parts: list[Judged]) -> Judged:
    return Judged(
        torch.cat([part.image for part in parts]), torch.cat([part.mask for part in parts]), torch.cat([part.class_index for part in parts])
    )
