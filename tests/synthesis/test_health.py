"""A generator that draws nothing is found; one that draws is left alone."""

from __future__ import annotations

import pytest
import torch

from threatray.synthesis.config import TrainConfig
from threatray.synthesis.domain import DomainSet
from threatray.synthesis.health import DrawingHealth, StoppedDrawingError
from threatray.synthesis.train import CycleGan


def domain(channels: tuple[str, ...], level: float) -> DomainSet:
    tensors = torch.ones(4, len(channels) + 1, 16, 16)
    tensors[:, -1] = 0
    tensors[:, -1, 4:12, 4:12] = 1
    tensors[:, :-1, 4:12, 4:12] = level
    return DomainSet(tensors, torch.zeros(4, dtype=torch.int64), tuple(f"t{n}" for n in range(4)), ("gun",), channels)


class Drawing(torch.nn.Module):
    def __init__(self, level: float) -> None:
        super().__init__()
        self.level = level

    def forward(self, image: torch.Tensor, mask: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        return 1 + mask * (torch.full((len(image), 2, *image.shape[2:]), self.level) - 1)


@pytest.mark.parametrize(("level", "step", "found"), [(0.99, 200, True), (0.99, 150, False), (0.99, 201, False), (0.2, 200, False)])
def test_an_empty_drawing_is_found_and_no_other(level: float, step: int, found: bool) -> None:
    photos, signatures = domain(("red", "green", "blue"), -0.5), domain(("low_energy", "high_energy"), -0.6)
    model = CycleGan(TrainConfig(size=16, steps=1), ("gun",), signatures.channels, seed=0)
    object.__setattr__(model.nets, "gen_ab", Drawing(level))
    health = DrawingHealth(photos, signatures)
    if found:
        with pytest.raises(StoppedDrawingError, match=r"step 200: the translations hold 0\.6 % of what real signatures do"):
            health.look(model, step)
    else:
        health.look(model, step)
