from dataclasses import replace

import numpy as np
import pytest
import torch
from toy import CLASSES, domains

from threatray.errors import ConfigError, DataError
from threatray.synthesis.config import AugmentConfig
from threatray.synthesis.sampling import PairSampler

STILL = AugmentConfig(flip=0, angle_degrees=0, scale=0, shift=0, brightness=0, contrast=0, tint=0, invert=0, density=0)


def sampler(augment=STILL, seed=0, batch=8):
    return PairSampler(*domains(), batch, augment, np.random.default_rng(seed))


def test_classes_are_equally_frequent_and_equal_within_a_pair():
    a, b = domains(count=8)
    rare = replace(b, tensors=b.tensors[:5], class_index=b.class_index[:5], ids=b.ids[:5])  # four hammers, one bar
    drawn = PairSampler(a, rare, 10, STILL, np.random.default_rng(0)).draw()
    assert np.bincount(drawn.class_index).tolist() == [5, 5]
    assert (a.class_index.numpy()[drawn.index_a] == drawn.class_index).all()
    assert (rare.class_index.numpy()[drawn.index_b] == drawn.class_index).all()


def test_without_augmentation_the_batch_is_the_data():
    a, b = domains()
    source = sampler()
    plan = source.draw()
    batch = source.apply(plan)
    assert torch.allclose(batch.mask_b, b.tensors[plan.index_b][:, -1:], atol=1e-5)
    assert torch.allclose(batch.real_b, b.tensors[plan.index_b][:, :-1], atol=1e-4)
    inside = a.tensors[plan.index_a][:, -1:].expand(-1, 3, -1, -1) == 1.0
    assert torch.allclose(batch.real_a[inside], a.tensors[plan.index_a][:, :-1][inside], atol=1e-5)


def test_outside_the_masks_everything_is_exactly_one():
    source = sampler(AugmentConfig(angle_degrees=30, invert=0.5))
    for _ in range(5):
        batch = source.apply(source.draw())
        assert (batch.real_a.masked_select(batch.mask_a == 0) == 1.0).all()
        assert (batch.real_b.masked_select(batch.mask_b == 0) == 1.0).all()


def test_applying_a_plan_twice_gives_the_same_bits():
    source = sampler(AugmentConfig())
    plan = source.draw()
    first, second = source.apply(plan), source.apply(plan)
    assert all(torch.equal(getattr(first, name), getattr(second, name)) for name in vars(first))


def test_a_restored_sampler_goes_on_as_if_nothing_had_happened():
    source = sampler(AugmentConfig())
    source.draw()
    state = source.state()
    expected = [source.draw() for _ in range(3)]
    other = sampler(AugmentConfig(), seed=99)
    other.restore(state)
    for plan in expected:
        again = other.draw()
        assert all((getattr(plan, name) == getattr(again, name)).all() for name in vars(plan))


def test_density_is_a_factor_on_the_attenuation():
    source = sampler()
    plan = source.draw()
    denser = replace(plan, density=np.full(8, 2.0, np.float32))
    before, after = source.apply(plan).real_b, source.apply(denser).real_b
    transmission, thicker = ((before + 1) / 2) ** 2, ((after + 1) / 2) ** 2  # Encoding(0.5)
    assert torch.allclose(thicker, transmission**2, atol=1e-5)


def test_inverting_turns_bright_into_dark():
    source = sampler(replace(STILL, invert=1.0))
    plan = source.draw()
    plain = replace(plan, gain=-plan.gain)
    dark, bright = source.apply(plan), source.apply(plain)
    inside = (dark.mask_a == 1.0).expand(-1, 3, -1, -1)
    assert torch.allclose(dark.real_a[inside], -bright.real_a[inside], atol=1e-5)


def test_a_class_of_one_domain_only_is_left_out_and_named():
    a, b = domains()
    hammers = replace(b, tensors=b.tensors[:3], class_index=b.class_index[:3], ids=b.ids[:3])
    source = PairSampler(a, hammers, 4, STILL, np.random.default_rng(0))
    assert source.missing == ("bar",)
    assert set(source.draw().class_index.tolist()) == {0}


def test_refuses_domains_that_do_not_fit():
    a, b = domains()
    with pytest.raises(DataError, match="name different classes"):
        PairSampler(a, replace(b, class_names=("bar", "hammer")), 4, STILL, np.random.default_rng(0))
    with pytest.raises(DataError, match="photos are 16 px but signatures 32 px"):
        PairSampler(a, domains(size=32)[1], 4, STILL, np.random.default_rng(0))
    only_a = replace(a, class_index=torch.zeros_like(a.class_index))
    only_b = replace(b, class_index=torch.ones_like(b.class_index))
    with pytest.raises(DataError, match="no class has both photos and signatures"):
        PairSampler(only_a, only_b, 4, STILL, np.random.default_rng(0))
    assert a.class_names == CLASSES


@pytest.mark.parametrize(("name", "value"), [("flip", 1.5), ("invert", -0.1), ("angle_degrees", 181.0), ("density", 2.0), ("scale", 0.6)])
def test_refuses_augmentation_out_of_range(name, value):
    with pytest.raises(ConfigError, match=f"augment: {name} "):
        AugmentConfig(**{name: value})
