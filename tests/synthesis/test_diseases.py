"""Each disease is built and found; a healthy translator has none of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional
from toy import CLASSES, domains

from threatray.errors import ConfigError
from threatray.synthesis import diseases
from threatray.synthesis.config import Adversarial, Preset, Weights
from threatray.synthesis.diseases import examine_health
from threatray.synthesis.domain import DomainSet
from threatray.synthesis.findings import Disease, Finding, HealthLimits
from threatray.synthesis.image_pool import Judged
from threatray.synthesis.presets import build_nets
from threatray.synthesis.step import CycleGanNets, discriminator_loss

Draw = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


class Drawing(torch.nn.Module):
    """A generator from a function of (image, mask, classes), on air."""

    def __init__(self, draw: Draw) -> None:
        super().__init__()
        self.draw = draw

    def forward(self, image: torch.Tensor, mask: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        return 1 + mask * (self.draw(image, mask, classes) - 1)


def honest(image: torch.Tensor, mask: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Bright is dense, as on the toy."""
    return (-0.8 * image[:, :1]).repeat(1, 2, 1, 1)


def back(image: torch.Tensor, mask: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    return (image[:, :1] / -0.8).repeat(1, 3, 1, 1)


@pytest.fixture(scope="module")
def toy() -> tuple[DomainSet, DomainSet]:
    return domains(count=8, size=32)


def examined(toy: tuple[DomainSet, DomainSet], **nets: torch.nn.Module) -> dict[Disease, Finding]:
    photos, signatures = toy
    sound = build_nets(Preset.TINY, 3, 2, len(CLASSES), seed=0).named()
    parts = {**sound, "gen_ab": Drawing(honest), "gen_ba": Drawing(back), **nets}
    whole = CycleGanNets(**parts)
    half = torch.arange(len(signatures)) % 2 == 0
    seen, unseen = (
        replace(signatures, tensors=signatures.tensors[part], class_index=signatures.class_index[part], ids=("x",) * int(part.sum()))
        for part in (half, ~half)
    )
    return {one.disease: one for one in examine_health(whole, whole.gen_ab, photos, seen, unseen, seed=3)}


def test_a_healthy_translator_has_none(toy: tuple[DomainSet, DomainSet]) -> None:
    findings = examined(toy)
    assert list(findings) == list(Disease)
    assert {one.disease: one.figure for one in findings.values() if one.verdict != "healthy"} == {}


def test_nearly_empty_drawings_are_found(toy: tuple[DomainSet, DomainSet]) -> None:
    empty = Drawing(lambda image, mask, classes: honest(image, mask, classes) * 0.01 + 0.99)
    found = examined(toy, gen_ab=empty)[Disease.DRAWS_NOTHING]
    assert found.ill
    assert found.figure == pytest.approx(0.01, rel=0.5)


def test_one_picture_for_every_photo_is_a_collapse(toy: tuple[DomainSet, DomainSet]) -> None:
    def constant(image: torch.Tensor, mask: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        return torch.linspace(-0.9, 0.5, 32).expand(len(image), 2, 32, 32)  # not flat, but the same whatever it is shown

    found = examined(toy, gen_ab=Drawing(constant))[Disease.MODE_COLLAPSE]
    assert found.ill
    assert found.figure == pytest.approx(0.0, abs=0.01)


def test_a_photo_hidden_in_the_low_bits_is_found(toy: tuple[DomainSet, DomainSet]) -> None:
    hide = Drawing(lambda image, mask, classes: (-0.4 + 0.02 * image[:, :1]).repeat(1, 2, 1, 1))
    seek = Drawing(lambda image, mask, classes: ((image[:, :1] + 0.4) / 0.02).clamp(-1, 1).repeat(1, 3, 1, 1))
    found = examined(toy, gen_ab=hide, gen_ba=seek)[Disease.STEGANOGRAPHY]
    assert found.ill
    assert "without noise it comes back to 0.000" in found.what  # the cycle loss alone would call this perfect


def test_a_copied_training_target_is_found(toy: tuple[DomainSet, DomainSet]) -> None:
    _, signatures = toy
    seen = signatures.tensors[::2]
    seen_class = signatures.class_index[::2]

    def copy(image: torch.Tensor, mask: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        chosen = torch.tensor([int(torch.nonzero(seen_class == index)[n % 2, 0]) for n, index in enumerate(classes)])
        return seen[chosen, :-1]

    healthy, ill = examined(toy)[Disease.MEMORISED], examined(toy, gen_ab=Drawing(copy))[Disease.MEMORISED]
    assert ill.ill
    assert healthy.figure is not None
    assert ill.figure is not None
    assert healthy.figure > 10 * ill.figure


def test_the_grid_of_a_transposed_convolution_is_found(toy: tuple[DomainSet, DomainSet]) -> None:
    def deconvolved(image: torch.Tensor, mask: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
        small = functional.avg_pool2d(honest(image, mask, classes), 2)
        kernel = torch.full((2, 1, 3, 3), 1 / 2.25)  # 3 does not divide by the stride of 2: pixels overlap by turns
        return functional.conv_transpose2d(small, kernel, stride=2, padding=1, output_padding=1, groups=2).clamp(-1, 1)

    found = examined(toy, gen_ab=Drawing(deconvolved))[Disease.CHECKERBOARD]
    assert found.ill
    assert examined(toy)[Disease.CHECKERBOARD].figure == pytest.approx(0.0, abs=0.05)


def test_a_grid_of_four_pixels_is_found_and_noise_is_not(toy: tuple[DomainSet, DomainSet]) -> None:
    stripes = torch.tensor([0.08, 0.0, -0.08, 0.0]).repeat(8).expand(1, 2, 32, 32)
    grid = Drawing(lambda image, mask, classes: honest(image, mask, classes) * 0.8 + stripes)
    noise = torch.randn(16, 2, 32, 32, generator=torch.Generator().manual_seed(1)) * 0.08
    noisy = Drawing(lambda image, mask, classes: honest(image, mask, classes) * 0.8 + noise[: len(image)])
    assert examined(toy, gen_ab=grid)[Disease.CHECKERBOARD].ill
    assert not examined(toy, gen_ab=noisy)[Disease.CHECKERBOARD].ill


def test_a_discriminator_that_has_won_is_found(toy: tuple[DomainSet, DomainSet]) -> None:
    photos, signatures = toy
    disc = build_nets(Preset.TINY, 3, 2, len(CLASSES), seed=0).disc_b
    optimiser = torch.optim.Adam(disc.parameters(), lr=2e-3)
    real = Judged(signatures.tensors[:, :-1], signatures.tensors[:, -1:], signatures.class_index)
    fakes = Drawing(lambda image, mask, classes: torch.full((len(image), 2, 32, 32), 0.1))
    image, mask = photos.tensors[:, :-1], photos.tensors[:, -1:]
    fake = Judged(fakes(image, mask, photos.class_index), mask, photos.class_index)
    for _ in range(40):  # a generator that stands still
        optimiser.zero_grad()
        discriminator_loss(disc, real, fake, Weights(adversarial=Adversarial.LSGAN)).backward()
        optimiser.step()
    assert examined(toy, gen_ab=fakes, disc_b=disc)[Disease.IMBALANCE].ill


def test_a_plain_checkerboard_has_the_energy_of_its_squares() -> None:
    rows, columns = np.indices((24, 24))
    board = torch.from_numpy(np.where((rows + columns) % 2, 0.1, -0.1).astype(np.float32))[None, None]
    mask = torch.zeros(1, 1, 24, 24)
    mask[..., 3:21, 2:22] = 1
    locked, detail = diseases._pattern(board * mask, mask, 2)
    assert detail == pytest.approx(0.01, rel=1e-4)
    assert locked == pytest.approx(0.01, rel=0.05)  # less what chance would leave: 4 phases of about 250 pixels


def test_the_chance_of_preferring_the_real_one_counts_pairs() -> None:
    real, fake = np.array([0.9, 0.5, 0.5], np.float32), np.array([0.5, 0.1], np.float32)
    # of 6 pairs 4 are won and 2 are draws
    assert diseases._preferred(real, fake) == pytest.approx(5 / 6)


def test_distances_count_only_cells_that_both_fill() -> None:
    values = np.zeros((2, 1, 64), np.float32)
    values[1] = 5.0
    values[1, 0, :2] = 1.0
    filled = np.zeros((2, 64), bool)
    filled[0, :4], filled[1, :2] = True, True
    found = diseases._distances((values, filled), (values, filled))
    assert found.tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert diseases._distances((values, filled), (values, np.zeros_like(filled))).tolist() == [[np.inf] * 2] * 2


def test_one_object_a_domain_is_not_measured_where_it_takes_two(toy: tuple[DomainSet, DomainSet]) -> None:
    def one(domain: DomainSet) -> DomainSet:
        return replace(domain, tensors=domain.tensors[:1], class_index=domain.class_index[:1], ids=domain.ids[:1])

    nets = build_nets(Preset.TINY, 3, 2, len(CLASSES), seed=0)
    findings = {each.disease: each for each in examine_health(nets, nets.gen_ab, one(toy[0]), one(toy[1]))}
    for disease in (Disease.MODE_COLLAPSE, Disease.MEMORISED):
        assert (findings[disease].figure, findings[disease].verdict) == (None, "not measured")


def test_objects_too_thin_for_a_cell_are_not_measured(toy: tuple[DomainSet, DomainSet]) -> None:
    def thin(domain: DomainSet) -> DomainSet:
        tensors = domain.tensors.clone()
        tensors[:, -1] = 0
        tensors[:, -1, 15] = 1
        return replace(domain, tensors=tensors)

    nets = build_nets(Preset.TINY, 3, 2, len(CLASSES), seed=0)
    findings = {each.disease: each for each in examine_health(nets, nets.gen_ab, thin(toy[0]), thin(toy[1]))}
    for disease in (Disease.MODE_COLLAPSE, Disease.MEMORISED, Disease.CHECKERBOARD):
        assert findings[disease].verdict == "not measured"
    assert all(each.figure is None or np.isfinite(each.figure) for each in findings.values())


def test_refuses_a_limit_that_is_none() -> None:
    with pytest.raises(ConfigError, match="health: most_gain must be 0 or more, got -1"):
        HealthLimits(most_gain=-1)
