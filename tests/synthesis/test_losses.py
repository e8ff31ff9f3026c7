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
