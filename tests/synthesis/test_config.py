import subprocess
import sys


def test_configurations_and_the_gate_need_no_torch():
    code = "import sys, threatray.synthesis.config, threatray.synthesis.gate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
