"""The page that says what presets cost says what the code builds."""

import re
from pathlib import Path

import pytest

from threatray.synthesis.config import Preset, TrainConfig
from threatray.synthesis.presets import nets_of

ROOT = Path(__file__).resolve().parents[2]


def table(page):
    found = re.findall(r"^\| `(\w+)` \|[^|]*\| ([\d,]+) / ([\d,]+) \|", (ROOT / page).read_text(), re.MULTILINE)
    return {name: tuple(int(number.replace(",", "")) for number in numbers) for name, *numbers in found}


@pytest.mark.parametrize("page", ["benchmarks/presets.md", "docs/training.md"])
def test_the_tables_count_the_parameters_that_the_code_builds(page):
    said = table(page)
    assert set(said) == {"tiny", "base", "paper"}
    for name, numbers in said.items():
        nets = nets_of(TrainConfig(preset=Preset(name)), 2, 6, seed=0).named()
        counts = {one: sum(weight.numel() for weight in net.parameters()) for one, net in nets.items()}
        assert numbers == (counts["gen_ab"], sum(counts.values())), name
