from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from threatray.synthesis.config import Adversarial, Preset, Weights
from threatray.synthesis.image_pool import ImagePool, Judged
from threatray.synthesis.presets import build_nets
from threatray.synthesis.step import (
    Batch,
    CycleGanNets,
    Optimisers,
    Pools,
    WayBackNoise,
    discriminator_loss,
    fooling_loss,
    generator_losses,
    interpolated_penalty,
    r1_penalty,
    train_step,
)


def batch(seed=0, count=2, channels_b=3):
    generator = torch.Generator().manual_seed(seed)
    mask_a, mask_b = ((torch.rand(count, 1, 16, 16, generator=generator) > 0.4).float() for _ in range(2))
    real_a = torch.rand(count, 3, 16, 16, generator=generator) * 2 - 1
    real_b = torch.rand(count, channels_b, 16, 16, generator=generator) * 2 - 1
    return Batch(1 + mask_a * (real_a - 1), mask_a, 1 + mask_b * (real_b - 1), mask_b, torch.arange(count) % 2)


class Same(nn.Module):
    def forward(self, image, mask, class_index):
        return image


class Constant(nn.Module):
    def __init__(self, logit):
        super().__init__()
        self.logit = logit

    def forward(self, image, mask, class_index):
        return [torch.full((len(image), 1), self.logit)]


@settings(deadline=None, max_examples=6)
@given(st.integers(0, 1000), st.sampled_from(list(Adversarial)))
def test_swapping_a_and_b_swaps_the_losses(seed, kind):
    nets = build_nets(Preset.TINY, 3, 3, 2, seed=seed)
    weights = Weights(7.0, 3.0, 0.5, kind)
    data = batch(seed)
    noise = WayBackNoise.drawn(data, 0.2, np.random.default_rng(seed))
    with torch.no_grad():
        here, made = generator_losses(nets, data, weights, noise)
        there, made_swapped = generator_losses(nets.swapped(), data.swapped(), weights.swapped(), noise.swapped())
    for term in ("adversarial", "cycle", "identity"):
        assert torch.equal(getattr(here, f"{term}_a"), getattr(there, f"{term}_b"))
        assert torch.equal(getattr(here, f"{term}_b"), getattr(there, f"{term}_a"))
        assert not torch.equal(getattr(here, f"{term}_a"), getattr(here, f"{term}_b"))
    assert torch.equal(made.fake_a, made_swapped.fake_b)
    assert here.total(weights).item() == pytest.approx(there.total(weights.swapped()).item(), rel=1e-6)


def test_identity_generators_have_no_cycle_and_no_identity_loss():
    nets = CycleGanNets(Same(), Same(), Constant(0.0), Constant(0.25))
    losses, _ = generator_losses(nets, batch(), Weights(lambda_identity=0.5, adversarial=Adversarial.LSGAN))
    assert [losses.cycle_a.item(), losses.cycle_b.item(), losses.identity_a.item(), losses.identity_b.item()] == [0.0] * 4
    assert losses.adversarial_a.item() == 1.0
    assert losses.adversarial_b.item() == 0.75**2


def test_noise_lies_on_the_way_back_alone_and_inside_the_masks():
    nets, data = CycleGanNets(Same(), Same(), Constant(0.0), Constant(0.0)), batch()
    noise = WayBackNoise.drawn(data, 0.2, np.random.default_rng(1))
    losses, made = generator_losses(nets, data, Weights(), noise)
    assert torch.equal(made.fake_b, data.real_a)
    assert torch.equal(made.rec_a, data.real_a + data.mask_a * noise.on_b)
    assert torch.equal(made.rec_b, data.real_b + data.mask_b * noise.on_a)
    assert losses.cycle_a.item() == pytest.approx((data.mask_a * noise.on_b).abs().mean().item())


def test_noise_is_drawn_with_its_spread_and_is_the_same_from_the_same_state():
    data = batch(count=6)
    one, other = (WayBackNoise.drawn(data, 0.2, np.random.default_rng(1)) for _ in range(2))
    assert torch.equal(one.on_a, other.on_a)
    assert torch.equal(one.on_b, other.on_b)
    assert not torch.equal(one.on_a, one.on_b)
    assert one.on_a.std().item() == pytest.approx(0.2, rel=0.05)
    assert torch.equal(torch.cat([part.on_b for part in one.parts(3)]), one.on_b)


def test_the_total_by_hand():
    nets = CycleGanNets(Same(), Same(), Constant(0.0), Constant(0.0))
    losses, _ = generator_losses(nets, batch(), Weights(adversarial=Adversarial.LSGAN))
    ones = replace(losses, cycle_a=torch.tensor(0.1), cycle_b=torch.tensor(0.2), identity_a=torch.tensor(0.3), identity_b=torch.tensor(0.4))
    ones = replace(ones, moments_a=torch.tensor(0.5), moments_b=torch.tensor(0.25))
    # 1 + 1 + 10 * 0.1 + 5 * 0.2 + 0.5 * (10 * 0.3 + 5 * 0.4)
    assert ones.total(Weights(10.0, 5.0, 0.5, lambda_moments=0.0)).item() == pytest.approx(6.5)
    assert ones.total(Weights(10.0, 5.0, 0.5, lambda_moments=2.0)).item() == pytest.approx(6.5 + 1.5)


def test_the_discriminator_loss_by_hand():
    class BySide(nn.Module):
        def forward(self, image, mask, class_index):
            return [image.mean((1, 2, 3), keepdim=True)]

    real = Judged(torch.full((2, 1, 2, 2), 0.8), torch.ones(2, 1, 2, 2), torch.zeros(2, dtype=torch.long))
    fake = Judged(torch.full((1, 1, 2, 2), 0.5), torch.ones(1, 1, 2, 2), torch.zeros(1, dtype=torch.long))
    assert discriminator_loss(BySide(), real, fake, Weights(adversarial=Adversarial.LSGAN)).item() == pytest.approx(0.5 * (0.04 + 0.25))
    relative = Weights(adversarial=Adversarial.RELATIVISTIC)
    assert discriminator_loss(BySide(), real, fake, relative).item() == pytest.approx((0.3 - 1) ** 2)
    assert fooling_loss(BySide(), fake, real, relative).item() == pytest.approx((-0.3 - 1) ** 2)
    assert fooling_loss(BySide(), fake, real, Weights(adversarial=Adversarial.LSGAN)).item() == pytest.approx(0.25)


def test_the_relativistic_generator_pays_for_its_own_images_and_not_for_the_real_ones():
    nets, data = build_nets(Preset.TINY, 3, 2, 2, seed=1), batch(channels_b=2)
    _, real = data.judged()
    image = data.real_b.clone().requires_grad_(True)
    made = torch.full_like(data.real_b, 0.5).requires_grad_(True)
    fakes = Judged(made, data.mask_a, data.class_index)
    shown = Judged(image, real.mask, real.class_index)
    fooling_loss(nets.disc_b, fakes, shown, Weights(adversarial=Adversarial.RELATIVISTIC)).backward()
    assert image.grad is None
    assert float(made.grad.abs().sum()) > 0


def test_the_discriminator_step_leaves_the_generators_without_gradients():
    nets = build_nets(Preset.TINY, 3, 2, 2, seed=1)
    data = batch(channels_b=2)
    fake = Judged(nets.gen_ab(data.real_a, data.mask_a, data.class_index), data.mask_a, data.class_index)
    discriminator_loss(nets.disc_b, Judged(data.real_b, data.mask_b, data.class_index), fake, Weights()).backward()
    assert all(weight.grad is None for net in (nets.gen_ab, nets.gen_ba) for weight in net.parameters())
    assert all(weight.grad is not None for weight in nets.disc_b.parameters())


def test_one_step_moves_all_four_networks_and_leaves_discriminators_trainable():
    nets = build_nets(Preset.TINY, 3, 2, 2, seed=1)
    before = {name: [weight.clone() for weight in net.parameters()] for name, net in nets.named().items()}
    generators = torch.optim.Adam([*nets.gen_ab.parameters(), *nets.gen_ba.parameters()], 1e-3)
    judges = torch.optim.Adam([*nets.disc_a.parameters(), *nets.disc_b.parameters()], 1e-3)
    losses = train_step(
        nets, Optimisers(generators, judges), Pools(ImagePool(4), ImagePool(4)), batch(channels_b=2), Weights(), np.random.default_rng(0)
    )
    assert losses.finite()
    for name, net in nets.named().items():
        assert any(not torch.equal(old, new) for old, new in zip(before[name], net.parameters(), strict=True)), name
        assert all(weight.requires_grad for weight in net.parameters())


def test_the_generators_pay_nothing_to_the_discriminators_weights():
    nets = build_nets(Preset.TINY, 3, 2, 2, seed=1)
    frozen = [*nets.gen_ab.parameters(), *nets.gen_ba.parameters()]
    generators = torch.optim.SGD(frozen, 0.0)
    judges = torch.optim.SGD([*nets.disc_a.parameters(), *nets.disc_b.parameters()], 0.0)
    data, bare = batch(channels_b=2), Weights(r1_gamma=0.0)
    train_step(nets, Optimisers(generators, judges), Pools(ImagePool(0), ImagePool(0)), data, bare, np.random.default_rng(0))
    seen = [weight.grad.clone() for weight in nets.disc_b.parameters()]
    # the gradient in the discriminator is that of its own loss alone
    judges.zero_grad()
    fake = Judged(nets.gen_ab(data.real_a, data.mask_a, data.class_index), data.mask_a, data.class_index)
    discriminator_loss(nets.disc_b, Judged(data.real_b, data.mask_b, data.class_index), fake, Weights()).backward()
    for got, weight in zip(seen, nets.disc_b.parameters(), strict=True):
        assert torch.allclose(got, weight.grad, atol=1e-6)


class Plane(nn.Module):
    """D(x) = 3 x at one pixel and 4 x at another; the mask and the class say nothing."""

    def __init__(self):
        super().__init__()
        self.steepness = nn.Parameter(torch.tensor(1.0))

    def forward(self, image, mask, class_index):
        return [self.steepness * (3 * image[:, 0, 0, 0] + 4 * image[:, 0, 1, 1])[:, None]]


def judged(value=0.0, count=2):
    return Judged(torch.full((count, 1, 2, 2), value), torch.ones(count, 1, 2, 2), torch.zeros(count, dtype=torch.long))


def test_the_r1_penalty_by_hand():
    assert r1_penalty(Plane(), judged(), Weights(r1_gamma=0.1)).item() == pytest.approx(0.5 * 0.1 * 25)


def test_the_wgan_penalty_by_hand():
    weights = Weights(adversarial=Adversarial.WGAN_GP, lambda_slope=10.0)
    penalty = interpolated_penalty(Plane(), judged(0.0), judged(1.0), torch.tensor([0.2, 0.9]), weights)
    assert penalty.item() == pytest.approx(0.5 * 10 * 16)


@settings(deadline=None, max_examples=20)
@given(st.floats(0.0, 1.0, width=32))
def test_the_wgan_penalty_is_taken_between_the_real_and_the_made(share):
    class Square(nn.Module):
        def forward(self, image, mask, class_index):
            return [(image**2).sum((1, 2, 3))[:, None]]

    # at x = share * 0 + (1 - share) * 2 each of four pixels has the slope 2x, and all of them the length 4x; at share 0.75 that is 2
    weights = Weights(adversarial=Adversarial.WGAN_GP, lambda_slope=1.0)
    penalty = interpolated_penalty(Square(), judged(0.0, 1), judged(2.0, 1), torch.tensor([share]), weights)
    assert penalty.item() == pytest.approx(0.5 * (8.0 * (1.0 - share) - 1.0) ** 2, rel=1e-4, abs=1e-5)


def stepped(nets, data, weights, *, step=0, seed=0, rate=0.0):
    """One step with plain gradient descent and no pool: the losses, and the gradients the discriminators were left with."""
    generators = torch.optim.SGD([*nets.gen_ab.parameters(), *nets.gen_ba.parameters()], rate)
    judges = torch.optim.SGD([*nets.disc_a.parameters(), *nets.disc_b.parameters()], rate)
    pools = Pools(ImagePool(0), ImagePool(0))
    losses = train_step(nets, Optimisers(generators, judges), pools, data, weights, np.random.default_rng(seed), step)
    return losses, {name: [weight.grad.clone() for weight in net.parameters()] for name, net in nets.named().items()}


PENALISED = (
    Weights(2.0, 1.0, r1_gamma=5.0, lambda_moments=1.0),
    Weights(2.0, 1.0, adversarial=Adversarial.WGAN_GP, lambda_moments=1.0, r1_gamma=0.0),
)


@settings(deadline=None, max_examples=4)
@given(st.integers(0, 1000), st.sampled_from(PENALISED))
def test_swapping_a_and_b_swaps_the_whole_step_with_its_penalties(seed, weights):
    nets, data = build_nets(Preset.TINY, 3, 3, 2, seed=seed), batch(seed)
    weights = replace(weights, cycle_noise=0.0)  # which is drawn for one domain after the other
    here, grads = stepped(nets, data, weights)
    there, grads_there = stepped(nets.swapped(), data.swapped(), weights.swapped())
    for term in ("disc", "penalty", "adversarial", "cycle", "moments"):
        assert getattr(here, f"{term}_a") == getattr(there, f"{term}_b") != 0.0
        assert getattr(here, f"{term}_b") == getattr(there, f"{term}_a") != getattr(here, f"{term}_a")
    for name, other in (("disc_a", "disc_b"), ("gen_ab", "gen_ba")):
        assert all(torch.allclose(one, two, rtol=1e-4, atol=1e-6) for one, two in zip(grads[name], grads_there[other], strict=True))


@pytest.mark.parametrize("weights", PENALISED, ids=("r1", "wgan_gp"))
def test_penalties_leave_the_generators_alone(weights):
    nets, data = build_nets(Preset.TINY, 3, 2, 2, seed=4), batch(4, channels_b=2)
    bare = replace(weights, r1_gamma=0.0, lambda_slope=0.0)
    _, with_penalty = stepped(nets, data, weights)
    _, without = stepped(nets, data, bare)
    for name in ("gen_ab", "gen_ba"):
        assert all(torch.equal(one, two) for one, two in zip(with_penalty[name], without[name], strict=True))
    for name in ("disc_a", "disc_b"):
        assert any(not torch.allclose(one, two) for one, two in zip(with_penalty[name], without[name], strict=True))


@settings(deadline=None, max_examples=4)
@given(st.integers(2, 5), st.integers(0, 1000))
def test_r1_comes_every_so_many_steps_and_then_weighs_for_all_of_them(every, seed):
    nets, data = build_nets(Preset.TINY, 3, 2, 2, seed=seed), batch(seed, channels_b=2)
    each = stepped(nets, data, Weights(r1_gamma=5.0, r1_every=1))[0].penalty_b
    lazy = [stepped(nets, data, Weights(r1_gamma=5.0, r1_every=every), step=step)[0].penalty_b for step in range(2 * every)]
    assert each > 0
    assert lazy == pytest.approx([0.0 if step % every else every * each for step in range(2 * every)])


def test_the_discriminators_slope_falls_under_the_penalty():
    plane = Plane()
    optimiser = torch.optim.SGD(plane.parameters(), 0.01)
    before = r1_penalty(plane, judged(), Weights(r1_gamma=1.0)).item()
    r1_penalty(plane, judged(), Weights(r1_gamma=1.0)).backward()
    optimiser.step()
    assert r1_penalty(plane, judged(), Weights(r1_gamma=1.0)).item() < before
