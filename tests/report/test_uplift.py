from __future__ import annotations

import dataclasses
from pathlib import Path

from threatray.core.files import read_json, write_json
from threatray.report.folder import RunFolder
from threatray.report.uplift import build_uplift
from threatray.uplift import summary
from threatray.uplift.figures import Measure, SummarySettings
from threatray.uplift.score_curves import ScoreCurves
from threatray.uplift.suspects import Suspect


def test_the_tests_file_has_the_very_keys_that_the_experiment_writes(run_folder: Path) -> None:
    found = read_json(run_folder / "uplift" / "uplift.json")
    for written, kind in (
        (found, summary.UpliftSummary),
        (found["figures"][0], summary.ArmFigure),
        (found["differences"][0], summary.Difference),
        (found["suspects"][0], Suspect),
        (found["curves"][0], ScoreCurves),
    ):
        assert set(written) == {field.name for field in dataclasses.fields(kind)}
    assert set(found["measures"][0]) == {field.name for field in dataclasses.fields(Measure)}
    assert {tuple(one.values()) for one in found["measures"]} <= {
        (one.higher_is_better, one.name, one.title) for one in SummarySettings().measures(("gun", "knife", "wrench"))
    }


def test_each_difference_has_its_own_verdict(run_folder: Path) -> None:
    found = build_uplift(RunFolder(run_folder))
    assert found is not None
    verdicts = {(row[0].text, row[1].text): (row[2].text, row[3].text) for row in found.differences.rows}
    fpr = "FPR at TPR 0.94"
    assert verdicts[fpr, "+ synthesis"] == ("−11.9", "better")
    assert verdicts[fpr, "+ transformation"] == ("−4.0", "no effect shown")
    assert verdicts["AP50", "+ synthesis"] == ("+11.9", "better")
    assert found.seeds == 2


def test_classes_have_their_own_table(run_folder: Path) -> None:
    found = build_uplift(RunFolder(run_folder))
    assert found is not None
    assert [column.title for column in found.per_class.columns] == ["Arm", "gun", "knife", "wrench"]
    assert [cell.text for cell in found.per_class.rows[2]] == ["+ synthesis", "67.9 %", "67.9 %", "67.9 %"]


def test_bags_that_look_like_threats_are_listed_for_checking(run_folder: Path, page: str) -> None:
    found = build_uplift(RunFolder(run_folder))
    assert found is not None
    (row,) = found.suspects.rows
    assert [cell.text for cell in row][:2] == ["benign:bag <7>", "test"]
    assert row[3].value == 0.83
    assert "Labels to check: 1 benign images" in page
    assert "benign:bag &lt;7&gt;" in page


def test_every_arm_has_its_roc_curve_and_its_reliability(run_folder: Path, page: str) -> None:
    found = build_uplift(RunFolder(run_folder))
    assert found is not None
    assert found.roc["+ synthesis"] == ((0.1, 0.291234, 0.8), (0.5, 0.94, 1.0))  # FPR along x
    assert found.reliability["+ synthesis"] == ((0.2, 0.7), (0.1, 0.8))
    assert "ROC on the test set" in page
    assert 'id="reliability-' in page


def test_the_files_of_older_versions_have_no_curves(run_folder: Path, tmp_path: Path) -> None:
    written = read_json(run_folder / "uplift" / "uplift.json")
    del written["curves"]
    write_json(tmp_path / "uplift" / "uplift.json", written)
    found = build_uplift(RunFolder(tmp_path))
    assert found is not None
    assert found.roc == {} == found.reliability
