from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from threatray.core.files import read_json, write_json
from threatray.report.fidelity import build_fidelity
from threatray.report.folder import RunFolder


def lead(folder: Path, kid: dict[str, Any]) -> str:
    kid_by_arm = {arm: value if isinstance(value, dict) else {"value": value} for arm, value in kid.items()}
    write_json(folder / "score" / "score.json", {"scores": [], "paired": [], "kid_by_arm": kid_by_arm})
    found = build_fidelity(RunFolder(folder))
    assert found is not None
    return found.lead


def test_says_whether_translations_beat_the_best_control(tmp_path: Path) -> None:
    assert "closer to X-rays than every control (0.0200 against 0.0500 for “mean fill”" in lead(
        tmp_path, {"translated": 0.02, "mean fill": 0.05, "photo": 0.3}
    )
    assert "not closer to X-rays than “mean fill”" in lead(tmp_path, {"translated": 0.06, "mean fill": 0.05, "photo": 0.3})


def test_what_passed_the_gate_is_no_control(tmp_path: Path) -> None:
    assert "than every control" in lead(tmp_path, {"translated": 0.02, "mean fill": 0.05, "translated, after the gate": 0.01})


def test_translations_are_compared_with_the_control_that_does_best(run_folder: Path) -> None:
    found = build_fidelity(RunFolder(run_folder))
    assert found is not None
    assert found.control == "photo, grey inverted"
    assert "by SSIM they are more like the true X-ray of the same object than every control" in found.lead


@pytest.mark.parametrize(("low", "overlap"), [(0.025, True), (0.035, False)])
def test_overlapping_intervals_are_said(tmp_path: Path, low: float, overlap: bool) -> None:
    arms = {"translated": {"value": 0.02, "low": 0.01, "high": 0.03}, "mean fill": {"value": 0.05, "low": low, "high": 0.07}}
    assert ("their intervals overlap" in lead(tmp_path, arms)) is overlap


def test_means_over_each_class_are_those_of_the_pairs(run_folder: Path) -> None:
    paired = read_json(run_folder / "score" / "score.json")["paired"]
    found = build_fidelity(RunFolder(run_folder))
    assert found is not None
    for row in found.paired[0].rows:
        mine = [one["ssim: translated"] for one in paired if row[0].text in ("all", one["class_name"])]
        assert row[1].value == len(mine)
        assert row[2].value == pytest.approx(np.mean(mine))


def test_each_dot_is_the_control_and_the_translation_of_one_object(run_folder: Path) -> None:
    paired = read_json(run_folder / "score" / "score.json")["paired"]
    found = build_fidelity(RunFolder(run_folder))
    assert found is not None
    assert [dot for dots in found.dots.values() for dot in dots] == [
        (one["ssim: photo, grey inverted"], one["ssim: translated"]) for one in paired
    ]


def test_features_are_stated_with_every_score(run_folder: Path) -> None:
    found = build_fidelity(RunFolder(run_folder))
    assert found is not None
    assert found.features == "domain_encoder(seed 7)"
    assert {row[4].text for row in found.scores.rows} == {"domain_encoder(seed 7)"}
    assert found.scores.rows[0][1].detail == "0.0171 to 0.0277"


def test_features_have_a_column_only_where_they_differ(run_folder: Path, tmp_path: Path) -> None:
    one = build_fidelity(RunFolder(run_folder))
    own = Path(shutil.copytree(run_folder, tmp_path / "own"))
    path = own / "score" / "score.json"
    score = read_json(path)
    others = [{**each, "extractor": "inception"} for each in score["scores"] if str(each["name"]).startswith("KID(")]
    write_json(path, {**score, "scores": [*score["scores"], *others]})
    two = build_fidelity(RunFolder(own))
    assert one is not None
    assert two is not None
    assert "Features" not in [column.title for column in one.sets.columns]
    assert one.sets.caption.endswith(", in the features domain_encoder(seed 7)")
    assert {row[-1].text for row in two.sets.rows} == {"domain_encoder(seed 7)", "inception"}
    assert two.sets.caption.endswith("intervals")


def test_ways_of_making_stand_beside_each_other(run_folder: Path) -> None:
    found = build_fidelity(RunFolder(run_folder))
    assert found is not None
    rows = {row[0].text: [cell.text for cell in row[1:]] for row in found.sets.rows}
    assert set(rows) == {"translated", "translated, after the gate", "photo as it is"}
    assert rows["translated"][2] == "0.731"
    assert rows["translated, after the gate"][:4] == ["0.0191", "–", "–", "0.551"]
    assert [row[0].text for row in found.alone.rows][-1] == "GAN-test: translations named rightly"
    assert found.scores.rows


def test_translations_nearest_to_training_are_shown_beside_it(run_folder: Path) -> None:
    found = build_fidelity(RunFolder(run_folder))
    assert found is not None
    assert found.nearest
    assert all("distance 0.0123" in one.words for one in found.nearest)
    assert "gone" not in {one.id for one in found.nearest}
