import math

import pytest
import torch

from threatray.synthesis.config import Adversarial
from threatray.synthesis.losses import adversarial_loss, cycle_loss


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
