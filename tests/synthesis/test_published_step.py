"""The published equations written again from the papers, in 64 bits and bare functions, against our networks and our step in 32 bits.

Zhu et al. 2017, sections 3 and 4 and appendix 7.2 (networks, objective), Mao et al. 2017 (least squares), Kingma and Ba 2015 (Adam).
"""

import numpy as np
import pytest
import torch
from torch.nn import functional

from threatray.synthesis.config import Adversarial, Preset, TrainConfig, Weights
from threatray.synthesis.image_pool import ImagePool
from threatray.synthesis.paper_config import Condition, PaperNetworks
from threatray.synthesis.presets import nets_of
from threatray.synthesis.step import Batch, Optimisers, Pools, generator_losses, train_step

pytestmark = pytest.mark.reference

WIDTH, BLOCKS, SIZE, COUNT = 8, 2, 32, 2
LAMBDA, IDENTITY, RATE = 10.0, 0.5, 2e-4
PAPER = PaperNetworks(width=WIDTH, blocks=BLOCKS, disc_width=WIDTH)
CONFIG = TrainConfig(preset=Preset.PAPER, size=SIZE, batch_size=COUNT, condition=Condition.NONE, paper=PAPER)
WEIGHTS = Weights(
    adversarial=Adversarial.LSGAN,
    lambda_cycle_a=LAMBDA,
    lambda_cycle_b=LAMBDA,
    lambda_identity=IDENTITY,
    covered_patches=False,
    lambda_moments=0.0,
    r1_gamma=0.0,
    cycle_noise=0.0,
)
FROZEN = {
    "adversarial_b": 1.4342482544595725,
    "adversarial_a": 3.141138614238379,
    "cycle_a": 0.6412856325756023,
    "cycle_b": 0.6550290329910897,
    "identity_a": 0.6366087220948741,
    "identity_b": 0.6450941115435409,
    "disc_b": 0.9916872899935854,
    "disc_a": 2.318890163573835,
    "adversarial_b after 2": 0.03114453673709596,
    "adversarial_a after 2": 0.055252835574970904,
    "cycle_a after 2": 0.6202027052173003,
    "cycle_b after 2": 0.6362765967770437,
    "identity_a after 2": 0.6333994808008974,
    "identity_b after 2": 0.6417010383105987,
    "disc_b after 2": 0.7728351870184661,
    "disc_a after 2": 1.2501323966128066,
}


def drawn(nets):
    """Weights and pictures from numpy's generator, so that they are the same with any version of torch: (weights by net, a, b)."""
    rng = np.random.default_rng(2017)
    weights = {
        name: {key: torch.from_numpy(rng.normal(0.0, 0.06, tuple(value.shape))) for key, value in net.core.state_dict().items()}
        for name, net in nets.named().items()
    }
    a, b = (torch.from_numpy(rng.uniform(-1.0, 1.0, (COUNT, 3, SIZE, SIZE))) for _ in range(2))
    return weights, a, b


def mirrored(x, width):
    """Reflection padding by slices: the border itself is not repeated."""
    for axis in (2, 3):
        size = x.shape[axis]
        before = [x.narrow(axis, place, 1) for place in range(width, 0, -1)]
        after = [x.narrow(axis, size - 1 - place, 1) for place in range(1, width + 1)]
        x = torch.cat([*before, x, *after], axis)
    return x


def normalised(x):
    mean = x.mean((2, 3), keepdim=True)
    return (x - mean) / torch.sqrt(((x - mean) ** 2).mean((2, 3), keepdim=True) + 1e-5)


def generate(w, x):
    def conv(name, x, **options):
        return functional.conv2d(x, w[f"{name}.weight"], w[f"{name}.bias"], **options)

    def up(name, x):
        return functional.conv_transpose2d(x, w[f"{name}.weight"], w[f"{name}.bias"], stride=2, padding=1, output_padding=1)

    x = normalised(conv("model.1", mirrored(x, 3))).clamp(min=0)
    x = normalised(conv("model.4", x, stride=2, padding=1)).clamp(min=0)
    x = normalised(conv("model.7", x, stride=2, padding=1)).clamp(min=0)
    for block in range(10, 10 + BLOCKS):
        hidden = normalised(conv(f"model.{block}.conv_block.1", mirrored(x, 1))).clamp(min=0)
        x = x + normalised(conv(f"model.{block}.conv_block.5", mirrored(hidden, 1)))
    last = 10 + BLOCKS
    x = normalised(up(f"model.{last}", x)).clamp(min=0)
    x = normalised(up(f"model.{last + 3}", x)).clamp(min=0)
    return torch.tanh(conv(f"model.{last + 7}", mirrored(x, 3)))


def judge(w, x):
    for place, stride in ((0, 2), (2, 2), (5, 2), (8, 1), (11, 1)):
        x = functional.conv2d(x, w[f"model.{place}.weight"], w[f"model.{place}.bias"], stride=stride, padding=1)
        if place in (2, 5, 8):
            x = normalised(x)
        if place != 11:
            x = torch.where(x > 0, x, 0.2 * x)
    return x


def objective(w, a, b):
    """The six terms of the generators and the two losses of the discriminators, unweighted."""
    fake_b, fake_a = generate(w["gen_ab"], a), generate(w["gen_ba"], b)
    terms = {
        "adversarial_b": ((judge(w["disc_b"], fake_b) - 1) ** 2).mean(),
        "adversarial_a": ((judge(w["disc_a"], fake_a) - 1) ** 2).mean(),
        "cycle_a": (generate(w["gen_ba"], fake_b) - a).abs().mean(),
        "cycle_b": (generate(w["gen_ab"], fake_a) - b).abs().mean(),
        "identity_a": (generate(w["gen_ba"], a) - a).abs().mean(),
        "identity_b": (generate(w["gen_ab"], b) - b).abs().mean(),
    }
    for name, real, fake in (("disc_b", b, fake_b.detach()), ("disc_a", a, fake_a.detach())):
        terms[name] = 0.5 * (((judge(w[name], real) - 1) ** 2).mean() + (judge(w[name], fake) ** 2).mean())
    return terms, fake_b, fake_a


def total(terms):
    cycle, identity = terms["cycle_a"] + terms["cycle_b"], terms["identity_a"] + terms["identity_b"]
    return terms["adversarial_a"] + terms["adversarial_b"] + LAMBDA * cycle + LAMBDA * IDENTITY * identity


def ours():
    nets = nets_of(CONFIG, 3, 1, 0)
    weights, a, b = drawn(nets)
    for name, net in nets.named().items():
        net.core.load_state_dict({key: value.float() for key, value in weights[name].items()})
    mask = torch.ones(COUNT, 1, SIZE, SIZE)
    return nets, weights, a, b, Batch(a.float(), mask, b.float(), mask, torch.zeros(COUNT, dtype=torch.int64))


def test_outputs_and_all_losses_are_the_published_ones_to_a_hundred_thousandth():
    nets, weights, a, b, batch = ours()
    expected, fake_b, fake_a = objective(weights, a, b)
    with torch.no_grad():
        losses, made = generator_losses(nets, batch, WEIGHTS)
    for got, wanted in ((made.fake_b, fake_b), (made.fake_a, fake_a)):
        assert float((got - wanted).abs().max()) < 1e-5 * float(wanted.abs().max())
    assert losses.total(WEIGHTS).item() == pytest.approx(total(expected).item(), rel=1e-5)
    adam = [torch.optim.Adam(net.parameters(), 0.0) for net in nets.named().values()]
    step = train_step(nets, Optimisers(adam[0], adam[2]), Pools(ImagePool(0), ImagePool(0)), batch, WEIGHTS, np.random.default_rng(0))
    for name, value in expected.items():
        assert getattr(step, name) == pytest.approx(value.item(), rel=1e-5), name
        assert value.item() == pytest.approx(FROZEN[name], rel=1e-9), name


def test_the_losses_after_two_updates_are_those_of_adam_on_the_published_objective():
    nets, weights, a, b, batch = ours()
    state = {}
    for step in (1, 2):
        leaves = {net: {key: value.requires_grad_() for key, value in w.items()} for net, w in weights.items()}
        terms, *_ = objective(leaves, a, b)
        total(terms).backward(retain_graph=True, inputs=[w for net in ("gen_ab", "gen_ba") for w in leaves[net].values()])
        # discriminators judge the fakes that were made before the update
        (terms["disc_a"] + terms["disc_b"]).backward(inputs=[w for net in ("disc_a", "disc_b") for w in leaves[net].values()])
        weights = {net: {key: adam(state, (net, key), w, step) for key, w in leaves[net].items()} for net in leaves}
    expected, *_ = objective(weights, a, b)

    generators = torch.optim.Adam([*nets.gen_ab.parameters(), *nets.gen_ba.parameters()], RATE, (0.5, 0.999))
    judges = torch.optim.Adam([*nets.disc_a.parameters(), *nets.disc_b.parameters()], RATE, (0.5, 0.999))
    for _ in range(3):
        pools = Pools(ImagePool(0), ImagePool(0))
        step = train_step(nets, Optimisers(generators, judges), pools, batch, WEIGHTS, np.random.default_rng(0))
    for name, value in expected.items():  # Adam divides by the gradient's size: where that is rounding, so is the update's sign
        assert getattr(step, name) == pytest.approx(value.item(), rel=2e-4), name
        assert value.item() == pytest.approx(FROZEN[f"{name} after 2"], rel=1e-6), name


def adam(state, key, weight, step):
    with torch.no_grad():
        first, second = state.get(key, (torch.zeros_like(weight), torch.zeros_like(weight)))
        first, second = 0.5 * first + 0.5 * weight.grad, 0.999 * second + 0.001 * weight.grad**2
        state[key] = (first, second)
        return weight.detach() - RATE * (first / (1 - 0.5**step)) / (torch.sqrt(second / (1 - 0.999**step)) + 1e-8)
