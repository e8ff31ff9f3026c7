from dataclasses import replace

import numpy as np
import pytest
import torch
from toy import CLASSES, photo, signature

from threatray.core import DUAL_ENERGY, Quantity, XrayImage
from threatray.errors import DataError
from threatray.synthesis.domain import PHOTO_CHANNELS, DomainSet, photo_tensor, signature_tensor
from threatray.synthesis.encoding import Encoding


def test_a_photo_is_white_outside_its_mask_whatever_its_background_was():
    _, pixels, mask, _ = photo("hammer", np.random.default_rng(0))
    first = photo_tensor(pixels, mask, 32)
    dirty = pixels.copy()
    dirty[~mask] = 17
    second = photo_tensor(dirty, mask, 32)
    assert (first == second).all()
    assert (first[:3, first[3] == 0] == 1.0).all()
    assert -1.0 <= first.min() <= first.max() <= 1.0


def test_a_grey_photo_becomes_three_equal_channels():
    mask = np.ones((20, 20), bool)
    tensor = photo_tensor(np.full((20, 20), 51, np.uint8), mask, 16)
    assert tensor.shape == (4, 16, 16)
    assert tensor[:3, 8, 8].tolist() == pytest.approx([51 / 127.5 - 1] * 3)


def test_a_signature_lies_on_air_in_proportion_to_its_covered_share():
    thing = signature("bar", np.random.default_rng(0))
    flat = np.where(thing.mask, np.float32(0.25), np.float32(1.0))  # encoded: 0
    thing = replace(thing, image=XrayImage(np.stack([flat, flat]), Quantity.TRANSMISSION, DUAL_ENERGY))
    tensor = signature_tensor(thing, 16, encoding=Encoding(0.5))
    assert (tensor[:2, tensor[2] == 0] == 1.0).all()
    assert np.abs(tensor[:2] - (1.0 - tensor[2])).max() < 1e-5  # share * 0 + (1 - share) * 1: no rim
    assert ((tensor[2] > 0.1) & (tensor[2] < 0.9)).any()


def test_domains_hold_classes_and_names():
    rng = np.random.default_rng(0)
    domain = DomainSet.of_signatures([signature(name, rng) for name in ("bar", "hammer", "bar")], CLASSES, 16)
    assert domain.class_index.tolist() == [1, 0, 1]
    assert domain.of_class(1).tolist() == [0, 2]
    assert domain.channels == ("low_energy", "high_energy")


def test_refuses_a_class_without_a_name():
    with pytest.raises(DataError, match="is of class 'hammer', which is not one of gun, knife"):
        DomainSet.of_photos([photo("hammer", np.random.default_rng(0))], ("gun", "knife"), 16)


def test_refuses_an_empty_domain():
    with pytest.raises(DataError, match="no signature was given"):
        DomainSet.of_signatures([], CLASSES, 16)
    with pytest.raises(DataError, match="no object at all"):
        DomainSet.of_photos([], CLASSES, 16)


def test_refuses_values_that_are_not_numbers():
    tensors = torch.ones(1, 4, 8, 8)
    tensors[0, 0, 0, 0] = float("nan")
    with pytest.raises(DataError, match=r"must be finite and lie in \[-1, 1\]"):
        DomainSet(tensors, torch.tensor([0]), ("a",), ("gun",), PHOTO_CHANNELS)


def test_refuses_a_photo_of_another_shape_than_its_mask():
    with pytest.raises(DataError, match=r"pixels are \(4, 5\) but the mask is \(5, 4\)"):
        photo_tensor(np.zeros((4, 5, 3), np.uint8), np.ones((5, 4), bool), 16)
    with pytest.raises(DataError, match="expected uint8 pixels"):
        photo_tensor(np.zeros((4, 4, 3), np.uint16), np.ones((4, 4), bool), 16)
