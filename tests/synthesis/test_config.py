import subprocess
import sys

import pytest

from threatray.errors import ConfigError
from threatray.synthesis.config import Adversarial, TrainConfig, Weights


def test_configurations_and_the_gate_need_no_torch():
    code = "import sys, threatray.synthesis.config, threatray.synthesis.gate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_refuses_a_negative_weight():
    with pytest.raises(ConfigError, match=r"lambda_cycle_a must lie in \[0, 1000\], got -1"):
        Weights(lambda_cycle_a=-1.0)


def test_refuses_a_penalty_that_never_comes():
    with pytest.raises(ConfigError, match=r"r1_every must be at least 1, got 0"):
        Weights(r1_every=0)


@pytest.mark.parametrize("name", ["r1_gamma", "lambda_slope"])
def test_refuses_a_negative_penalty(name):
    with pytest.raises(ConfigError, match=rf"{name} must lie in \[0, 1000\], got -0.5"):
        Weights(**{name: -0.5})


@pytest.mark.parametrize("kind", list(Adversarial))
def test_a_configuration_survives_json_with_every_loss(kind):
    config = TrainConfig(weights=Weights(adversarial=kind, r1_gamma=0.3, r1_every=5, lambda_slope=2.0))
    assert TrainConfig.from_json(config.as_json()) == config
