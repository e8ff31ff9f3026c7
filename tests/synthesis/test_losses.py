import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.synthesis.config import Adversarial
from threatray.synthesis.losses import (
    adversarial_loss,
    cycle_loss,
    moment_loss,
    moments,
    relativistic_loss,
    slope_penalty,
    squared_slope,
    verdict,
)


def test_lsgan_by_hand():
    logits = [torch.tensor([[0.5, 2.0]])]
    assert adversarial_loss(logits, real=True, kind=Adversarial.LSGAN).item() == pytest.approx((0.25 + 1.0) / 2)
    assert adversarial_loss(logits, real=False, kind=Adversarial.LSGAN).item() == pytest.approx((0.25 + 4.0) / 2)


def test_vanilla_by_hand():
    logits = [torch.tensor([math.log(3.0)])]  # sigmoid = 3/4
    assert adversarial_loss(logits, real=True, kind=Adversarial.VANILLA).item() == pytest.approx(-math.log(0.75))
    assert adversarial_loss(logits, real=False, kind=Adversarial.VANILLA).item() == pytest.approx(-math.log(0.25))


def test_every_head_counts_the_same_however_many_patches_it_has():
    heads = [torch.zeros(1, 1, 8, 8), torch.ones(1, 1)]
    assert adversarial_loss(heads, real=True, kind=Adversarial.LSGAN).item() == pytest.approx(0.5)


def test_cycle_is_the_mean_absolute_difference():
    assert cycle_loss(torch.tensor([0.0, 4.0]), torch.tensor([1.0, 1.0])).item() == 2.0


def test_blank_patches_do_not_count_where_a_mask_is_given():
    head, mask = torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 8, 8)
    head[0, 0, 0, 0], mask[0, 0, 1, 1] = 0.5, 0.2
    whole = torch.tensor([[0.0]])  # not a head of patches: counts as it is
    loss = adversarial_loss([head, whole], real=True, kind=Adversarial.LSGAN, mask=mask)
    assert loss.item() == pytest.approx((0.25 + 1.0) / 2)
    assert adversarial_loss([head], real=True, kind=Adversarial.LSGAN).item() == pytest.approx((0.25 + 3.0) / 4)


def test_wgan_by_hand():
    heads = [torch.tensor([[1.0, 3.0]]), torch.tensor([[-4.0]])]  # means 2 and -4
    assert adversarial_loss(heads, real=False, kind=Adversarial.WGAN_GP).item() == pytest.approx(-1.0)
    assert adversarial_loss(heads, real=True, kind=Adversarial.WGAN_GP).item() == pytest.approx(1.0)


def test_wgan_only_knows_differences_of_verdicts():
    heads = [torch.randn(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))]
    raised = [head + 5.0 for head in heads]

    def loss(logits):
        real, fake = (adversarial_loss(logits, real=side, kind=Adversarial.WGAN_GP) for side in (True, False))
        return (real + fake).item()

    assert loss(raised) == pytest.approx(loss(heads), abs=1e-5)


def test_a_verdict_averages_as_the_loss_does():
    generator = torch.Generator().manual_seed(3)
    heads = [torch.randn(1, 1, 4, 4, generator=generator), torch.randn(1, 1, generator=generator)]
    mask = torch.zeros(1, 1, 16, 16)
    mask[:, :, :5, 3:11] = 1.0
    for covered in (None, mask):
        loss = adversarial_loss(heads, real=False, kind=Adversarial.WGAN_GP, mask=covered)
        assert verdict(heads, covered).item() == pytest.approx(loss.item(), rel=1e-5)


def test_a_plane_has_the_slope_of_its_normal_everywhere():
    normal = torch.tensor([3.0, 4.0]).reshape(1, 2, 1, 1)
    image = torch.randn(5, 2, 1, 1, requires_grad=True)
    squared = squared_slope((image * normal).sum((1, 2, 3)) + 7.0, image)
    assert squared.tolist() == pytest.approx([25.0] * 5)
    assert slope_penalty(squared).item() == pytest.approx(16.0)  # (5 - 1)^2


def test_the_slope_reaches_the_weights_and_a_flat_critic_has_no_nan():
    weight = torch.tensor(0.0, requires_grad=True)
    image = torch.ones(2, 1, 1, 1, requires_grad=True)
    slope_penalty(squared_slope(weight * image.sum((1, 2, 3)), image)).backward()
    assert torch.isfinite(weight.grad)
    steep = torch.tensor(3.0, requires_grad=True)
    slope_penalty(squared_slope(steep * image.sum((1, 2, 3)), image)).backward()
    assert steep.grad.item() == pytest.approx(2 * (3.0 - 1.0))


def test_the_slope_equals_finite_differences():
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(2, 1, 3, 3, generator=generator, dtype=torch.float64, requires_grad=True)

    def judge(x):
        return (x**3).mean((1, 2, 3)) + x[:, 0, 0, 1].sin()

    found = squared_slope(judge(image), image)
    manual = torch.zeros(2, dtype=torch.float64)
    for place in range(9):
        shift = torch.zeros(1, 1, 9, dtype=torch.float64)
        shift[0, 0, place] = 1e-5
        both = [judge(image.detach() + sign * shift.reshape(1, 1, 3, 3)) for sign in (1, -1)]
        manual += ((both[0] - both[1]) / 2e-5) ** 2
    assert torch.allclose(found, manual, rtol=1e-6)


def test_moments_by_hand():
    image = torch.tensor([[[[0.0, 1.0, 9.0]]], [[[2.0, 9.0, 9.0]]]])
    mask = torch.tensor([[[[1.0, 1.0, 0.0]]], [[[1.0, 0.0, 0.0]]]])
    mean, spread = moments(image, mask)
    # the first object's two pixels weigh 1/4 each, the second's one 1/2: 0.25 + 1 and 0.25 * 1.25^2 + 0.25 * 0.25^2 + 0.5 * 0.75^2
    assert mean.item() == pytest.approx(1.25)
    assert spread.item() == pytest.approx((0.390625 + 0.015625 + 0.28125) ** 0.5, rel=1e-4)


def test_the_moment_loss_by_hand():
    real, made = torch.tensor([[[[0.0, 2.0]]]]), torch.tensor([[[[3.0, 3.0]]]])  # means 1 and 3, spreads 1 and 0
    mask = torch.ones(1, 1, 1, 2)
    assert moment_loss(made, mask, real, mask).item() == pytest.approx(4.0 + 1.0, rel=1e-2)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_moments_see_neither_blank_canvas_nor_the_place_nor_the_number_of_objects(seed):
    generator = torch.Generator().manual_seed(seed)
    image, mask = torch.rand(4, 2, 8, 8, generator=generator), (torch.rand(4, 1, 8, 8, generator=generator) > 0.5).float()
    other = torch.where(mask > 0, image, torch.full_like(image, 7.0)).flip(3)
    assert moment_loss(other, mask.flip(3), image, mask).item() == pytest.approx(0.0, abs=1e-10)
    assert moment_loss(image.repeat(2, 1, 1, 1), mask.repeat(2, 1, 1, 1), image, mask).item() == pytest.approx(0.0, abs=1e-10)


@settings(deadline=None, max_examples=20)
@given(st.lists(st.floats(-1.0, 1.0, width=32), min_size=2, max_size=6))
def test_the_pull_of_noisy_moments_is_towards_their_expectation(targets):
    targets = [*targets, 2.0]  # one far off, so that the mean is not the median
    made = torch.full((1, 1, 1, 1), sum(targets) / len(targets), requires_grad=True)
    mask = torch.ones(1, 1, 1, 1)
    sum(moment_loss(made, mask, torch.full((1, 1, 1, 1), value), mask) for value in targets).backward()
    assert made.grad.item() == pytest.approx(0.0, abs=1e-5)


def test_the_relativistic_loss_is_its_definition():
    generator = torch.Generator().manual_seed(4)
    higher, lower = ([torch.randn(count, 1, 4, 4, generator=generator), torch.randn(count, 1, generator=generator)] for count in (3, 5))
    expected = [
        0.5 * (((high - low.mean() - 1) ** 2).mean() + ((low - high.mean() + 1) ** 2).mean())
        for high, low in zip(higher, lower, strict=True)
    ]
    assert relativistic_loss(higher, lower).item() == pytest.approx(float(sum(expected)) / 2, rel=1e-5)


def test_the_relativistic_loss_counts_covered_patches_alone_on_either_side():
    high, low = torch.tensor([[[[2.0, 90.0]]]]), torch.tensor([[[[70.0, 0.5]]]])
    left, right = torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[0.0, 1.0]]]])
    assert relativistic_loss([high], [low], left, right).item() == pytest.approx((2.0 - 0.5 - 1.0) ** 2)


@given(st.floats(-5, 5))
@settings(deadline=None, max_examples=10)
def test_what_both_sides_share_means_nothing_to_the_relativistic_loss(shift):
    high, low = torch.tensor([[0.5, 1.0]]), torch.tensor([[-0.25, 0.0]])
    moved = relativistic_loss([high + shift], [low + shift]).item()
    assert moved == pytest.approx(relativistic_loss([high], [low]).item(), abs=1e-4)
