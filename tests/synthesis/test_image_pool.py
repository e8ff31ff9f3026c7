import numpy as np
import pytest
import torch

from threatray.errors import ConfigError
from threatray.synthesis.image_pool import ImagePool, Judged


def fakes(*values):
    image = torch.tensor(values, dtype=torch.float32).reshape(-1, 1, 1, 1)
    return Judged(image, torch.ones_like(image), torch.tensor([int(value) % 2 for value in values]))


def values(judged):
    return judged.image.flatten().tolist()


def test_a_pool_that_is_not_full_gives_back_what_came():
    pool = ImagePool(4)
    assert values(pool.query(fakes(1, 2, 3), np.random.default_rng(0))) == [1, 2, 3]
    assert len(pool) == 3


def test_a_full_pool_swaps_about_half():
    pool, rng = ImagePool(10), np.random.default_rng(0)
    pool.query(fakes(*range(10)), rng)
    old = 0
    for turn in range(200):
        new = float(100 + turn)
        old += values(pool.query(fakes(new), rng)) != [new]
    assert 80 <= old <= 120
    assert len(pool) == 10


def test_masks_and_classes_travel_with_their_images():
    pool, rng = ImagePool(3), np.random.default_rng(1)
    for turn in range(40):
        got = pool.query(fakes(turn, turn + 1), rng)
        assert (got.class_index == got.image.flatten().long() % 2).all()


def test_the_pool_holds_no_graph():
    pool = ImagePool(2)
    image = torch.ones(1, 1, 1, 1, requires_grad=True) * 2
    got = pool.query(Judged(image, torch.ones(1, 1, 1, 1), torch.zeros(1, dtype=torch.long)), np.random.default_rng(0))
    assert not got.image.requires_grad


def test_a_restored_pool_is_the_same_pool():
    pool, rng = ImagePool(3), np.random.default_rng(1)
    pool.query(fakes(1, 2, 3, 4), rng)
    other = ImagePool(3)
    other.load_state_dict(pool.state_dict())
    state = rng.bit_generator.state
    first = values(pool.query(fakes(5, 6, 7), rng))
    rng.bit_generator.state = state
    assert values(other.query(fakes(5, 6, 7), rng)) == first


def test_refuses_a_negative_size():
    with pytest.raises(ConfigError, match="size must be 0 or more, got -1"):
        ImagePool(-1)
