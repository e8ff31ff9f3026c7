from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from threatray.core.files import write_json
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


def test_examinations_are_drawn_and_the_healthy_are_said_to_be(run_folder: Path) -> None:
    found = build_training(RunFolder(run_folder))
    assert found is not None
    assert [one.title for one in found.validation] == [
        "KID on held-back objects", "FID on held-back objects", "Silhouette IoU", "SSIM to the true X-ray",
    ]  # fmt: skip
    assert found.validation[0].lines == {"kid": ((200.0, 400.0, 600.0), (0.5, 0.25, 100 / 600))}
    assert (found.ill, found.health_lead) == (False, "None of 2 diseases was found.")
    assert [cell.text for cell in found.health.rows[0]] == ["Mode collapse", "healthy", "0.800", "under 0.3", "how <they> differ"]


def test_an_illness_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "history.jsonl").write_text('{"step": 5, "cycle": 1.0}\n')
    finding = {"disease": "mode_collapse", "verdict": "ill", "figure": 0.1, "limit": 0.3, "what": "x", "advice": "Give more photos."}
    write_json(tmp_path / "train" / "health.json", {"findings": [finding, {**finding, "verdict": "not measured", "figure": None}]})
    facts = {"photos": 40, "signatures": 1, "best_step": 1200, "stopped_early": True, "features": "f"}
    write_json(tmp_path / "train" / "train.json", {"validation": facts})
    found = build_training(RunFolder(tmp_path))
    assert found is not None
    assert (found.ill, found.health_lead) == (True, "Found: mode collapse. Give more photos.")
    assert found.validation_note == (
        "Measured on 40 photos and 1 signature that were held back; the state of step 1,200, with the lowest KID, is the one that "
        "translates. It was stopped early for lack of progress. "
        "KID and FID are in the features “f”: compare them within this training only."
    )


def test_a_training_of_earlier_days_has_no_panel(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "history.jsonl").write_text('{"step": 5, "cycle": 1.0}\n')
    found = build_training(RunFolder(tmp_path))
    assert found is not None
    assert (found.health_lead, found.validation, found.validation_note, found.health.rows) == ("", (), "", ())
