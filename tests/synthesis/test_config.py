import subprocess
import sys

import pytest

from threatray.errors import ConfigError
from threatray.synthesis.config import Weights


def test_configurations_and_the_gate_need_no_torch():
    code = "import sys, threatray.synthesis.config, threatray.synthesis.gate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_refuses_a_negative_weight():
    with pytest.raises(ConfigError, match=r"lambda_cycle_a must lie in \[0, 1000\], got -1"):
        Weights(lambda_cycle_a=-1.0)
