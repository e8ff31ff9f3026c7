from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from threatray.report.folder import RunFolder
from threatray.report.training import build_training


def test_directions_of_one_loss_share_a_plot(run_folder: Path) -> None:
    found = build_training(RunFolder(run_folder))
    assert found is not None
    assert [(one.title, list(one.lines)) for one in found.losses] == [
        ("adversarial", ["adversarial a", "adversarial b"]),
        ("cycle", ["cycle a", "cycle b"]),
        ("disc", ["disc a", "disc b"]),
        ("identity", ["identity a", "identity b"]),
    ]


def test_long_histories_are_shown_as_means_over_blocks(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "history.jsonl").write_text(
        "".join(json.dumps({"step": step, "cycle": float(step)}) + "\n" for step in range(1, 601))
    )
    found = build_training(RunFolder(tmp_path))
    assert found is not None
    steps, values = found.losses[0].lines["cycle"]
    assert found.block == 5
    assert (len(steps), steps[0], values[0]) == (120, 5.0, 3.0)
    assert np.mean(values) == pytest.approx(300.5)


def test_sample_grids_are_named_by_their_step(run_folder: Path) -> None:
    found = build_training(RunFolder(run_folder))
    assert found is not None
    assert [title for title, _ in found.grids] == ["Step 100", "Step 300", "Step 600"]
    assert found.lead == ("A CycleGAN was trained on unpaired photo crops and real signatures for 600 steps of 4 pairs at 64×64 pixels.")


@pytest.mark.parametrize(
    ("translator", "begins"), [("fastcut", "A FastCUT was trained on"), ("my.models:Pix", "The translator my.models:Pix was trained on")]
)
def test_the_lead_names_the_translator(run_folder: Path, translator: str, begins: str) -> None:
    path = run_folder / "train" / "train.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "translator": translator}))
    found = build_training(RunFolder(run_folder))
    assert found is not None
    assert found.lead.startswith(begins)
