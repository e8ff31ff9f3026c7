import io
import time

import numpy as np
import pytest
import torch

from threatray.errors import ConfigError, DataError
from threatray.metrics.encoder import DomainEncoder, EncoderConfig

NAMES = ("blob", "bar", "ring")
CONFIG = EncoderConfig(steps=80, batch_size=16, width=8)


def shapes(count=8, seed=0, side=32):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] - side / 2 + 0.5
    images, labels = [], []
    for index in range(3 * count):
        kind, size = index % 3, rng.uniform(0.8, 1.2)
        radius = np.hypot(x, y)
        inside = (radius < 8 * size) if kind == 0 else (abs(y) < 3) & (abs(x) < 12 * size) if kind == 1 else abs(radius - 9 * size) < 2
        image = np.where(inside, rng.uniform(0.1, 0.4), 1.0)
        images.append(np.stack([image, image**0.6]).astype(np.float32))
        labels.append(kind)
    return np.stack(images), np.array(labels)


@pytest.fixture(scope="module")
def encoder():
    return DomainEncoder.train(*shapes(), NAMES, seed=0, config=CONFIG)


def test_recognises_shapes_it_has_not_seen(encoder):
    images, labels = shapes(seed=1)
    assert (encoder.probabilities(images).argmax(axis=1) == labels).mean() > 0.9
    assert np.allclose(encoder.probabilities(images).sum(axis=1), 1.0, atol=1e-5)


def test_features_do_not_depend_on_the_batch_size(encoder):
    images, _ = shapes(seed=2)
    assert np.allclose(encoder.features(images, batch_size=1), encoder.features(images, batch_size=24), atol=1e-5)


def test_equal_seeds_give_equal_encoders(encoder):
    images, labels = shapes()
    before = torch.get_rng_state()
    again = DomainEncoder.train(images, labels, NAMES, seed=0, config=CONFIG)
    assert torch.equal(before, torch.get_rng_state())
    assert (again.features(images) == encoder.features(images)).all()
    other = DomainEncoder.train(images, labels, NAMES, seed=1, config=EncoderConfig(steps=1, width=8))
    assert (other.features(images) != encoder.features(images)).any()


def test_a_saved_encoder_is_the_same_encoder(encoder):
    images, _ = shapes(seed=3)
    buffer = io.BytesIO()
    torch.save(encoder.state(), buffer)
    buffer.seek(0)
    again = DomainEncoder.from_state(torch.load(buffer, weights_only=True))
    assert (again.features(images) == encoder.features(images)).all()
    assert again.name == encoder.name == "xray-domain-encoder(width=8, steps=80, seed=0)"


def test_features_of_lighter_shapes_lie_far_from_those_of_the_real_ones(encoder):
    images, _ = shapes(seed=4)
    real, light = encoder.features(images), encoder.features(images**0.2)
    assert np.linalg.norm(light.mean(axis=0) - real.mean(axis=0)) > 3 * np.linalg.norm(real[::2].mean(axis=0) - real[1::2].mean(axis=0))


@pytest.mark.slow
def test_trains_on_two_hundred_signatures_within_its_budget():
    images, labels = shapes(count=67, side=64)
    began = time.process_time()
    DomainEncoder.train(images, labels, NAMES, seed=0)
    assert time.process_time() - began < 30


def test_refuses_what_it_cannot_learn_from(encoder):
    images, labels = shapes(count=1)
    with pytest.raises(DataError, match="as many labels as signatures"):
        DomainEncoder.train(images, labels[:2], NAMES, seed=0)
    with pytest.raises(DataError, match=r"class indices must lie in \[0, 2\)"):
        DomainEncoder.train(images, labels, NAMES[:2], seed=0)
    with pytest.raises(DataError, match="expected transmissions in"):
        encoder.features(images * 2)
    with pytest.raises(DataError, match="trained on 2 channels, got 1"):
        encoder.features(images[:, :1])
    with pytest.raises(DataError, match="S a multiple of 8"):
        encoder.features(images[:, :, :30, :30])
    with pytest.raises(ConfigError, match="steps must be at least 1"):
        EncoderConfig(steps=0)
