from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from threatray.core.files import read_json, write_json
from threatray.report.folder import RunFolder
from threatray.report.headline import build_headline


def with_difference(run: Path, arm: str = "synthesis", measure: str = "fpr_at_tpr_0.94", **changed: Any) -> Path:
    path = run / "uplift" / "uplift.json"
    found = read_json(path)
    for one in found["differences"]:
        if (one["arm"], one["measure"]) == (arm, measure):
            one |= changed
    write_json(path, found)
    return run


def test_says_by_how_much_false_alarms_fell_and_how_sure_that_is(run_folder: Path) -> None:
    found = build_headline(RunFolder(run_folder))
    assert (
        found.sentence
        == "Synthesis lowered false alarms by 11.9 points, from 41.0 % to 29.1 % of benign bags (95 % interval −17.9 to −6.4)."
    )
    assert (found.verdict, found.badge) == ("helped", "synthesis helped")


def test_an_interval_that_holds_zero_shows_no_effect(own_run: Path) -> None:
    found = build_headline(RunFolder(with_difference(own_run, value=-0.1, low=-0.3, high=0.001)))
    assert found.sentence == "No effect shown: synthesis changed false alarms by −10.0 points (95 % interval −30.0 to +0.1)."
    assert found.verdict == "undecided"


def test_an_unknown_interval_shows_no_effect(own_run: Path) -> None:
    found = build_headline(RunFolder(with_difference(own_run, value=-0.1, low=None, high=None)))
    assert found.sentence == "No effect shown: synthesis changed false alarms by −10.0 points (interval unknown)."


def test_more_false_alarms_are_called_harm(own_run: Path) -> None:
    found = build_headline(RunFolder(with_difference(own_run, value=0.1, low=0.05, high=0.2)))
    assert found.verdict == "harmed"
    assert found.sentence.startswith("Synthesis raised false alarms by 10.0 points")


def test_says_what_became_of_detection_beside_false_alarms(own_run: Path) -> None:
    found = build_headline(RunFolder(with_difference(own_run, measure="tpr", value=-0.07, low=-0.1, high=-0.01)))
    assert "detection (TPR) there changed by −7.0 points (95 % interval −10.0 to −1.0)" in found.detail


def test_counts_only_the_controls_that_did_worse(own_run: Path) -> None:
    assert "better than 2 of 2 control arms" in build_headline(RunFolder(own_run)).detail
    found = build_headline(RunFolder(with_difference(own_run, arm="opaque_paste", value=-0.5, low=-0.6, high=-0.4)))
    assert "better than 1 of 2 control arms" in found.detail


@pytest.mark.parametrize("arms", [set(), {"real_only", "opaque_paste"}])
def test_without_the_arm_in_question_nothing_is_claimed(own_run: Path, arms: set[str]) -> None:
    path = own_run / "uplift" / "uplift.json"
    found = read_json(path)
    for key in ("figures", "differences"):
        found[key] = [one for one in found[key] if one["arm"] in arms]
    write_json(path, found)
    headline = build_headline(RunFolder(own_run))
    assert (headline.verdict, headline.sentence) == ("unknown", "Whether synthesis helps was not measured in this run.")


def test_the_plot_shows_the_very_numbers_of_the_file(run_folder: Path) -> None:
    found = {
        one["arm"]: one for one in read_json(run_folder / "uplift" / "uplift.json")["differences"] if one["measure"] == "fpr_at_tpr_0.94"
    }
    shown = build_headline(RunFolder(run_folder)).estimates
    assert [(one.value, one.low, one.high) for one in shown] == [
        (found[arm]["value"], found[arm]["low"], found[arm]["high"])
        for arm in ("transformation", "synthesis", "synthesis_transformation", "opaque_paste", "alpha_blend")
    ]
