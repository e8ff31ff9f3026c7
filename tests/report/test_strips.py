from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from threatray.core.files import read_json, write_json
from threatray.errors import DataError
from threatray.report.folder import RunFolder
from threatray.report.pictures import colour_view, embed
from threatray.report.strips import build_strips


def test_each_strip_shows_the_truth_of_its_own_object(run_folder: Path) -> None:
    folder, found = RunFolder(run_folder), build_strips(RunFolder(run_folder))
    assert found is not None
    truth = folder.library("phantom/truth")
    for strips in found.classes.values():
        for strip in strips:
            shown = strip.panels["True"]
            assert shown is not None
            assert shown.uri == embed(colour_view(truth.load(strip.id).image), "").uri


def test_truth_is_found_by_the_photo_that_a_crop_was_cut_from(own_run: Path) -> None:
    index = read_json(own_run / "photos" / "index.json")
    before = build_strips(RunFolder(own_run))
    for crop in index["crops"]:
        crop["source_id"] = f"photos/{crop['class_name']}/{crop['id']}.jpg"
    write_json(own_run / "photos" / "index.json", index)
    assert build_strips(RunFolder(own_run)) == before


def test_both_energies_and_the_colour_are_shown(run_folder: Path) -> None:
    found = build_strips(RunFolder(run_folder))
    assert found is not None
    views = ("low energy", "high energy")
    assert found.columns == (
        "Photo",
        *(f"Translated, {view}" for view in views),
        "Translated",
        *(f"True, {view}" for view in views),
        "True",
    )
    assert found.truth


def test_controls_are_shown_where_they_are_given(own_run: Path) -> None:
    shutil.copytree(own_run / "translate" / "accepted", own_run / "score" / "controls" / "inverted")
    found = build_strips(RunFolder(own_run))
    assert found is not None
    assert found.columns[:2] == ("Photo", "Grey inverted")


def test_a_truth_of_ones_own_is_shown_as_the_scores_keep_it(own_run: Path) -> None:
    before = build_strips(RunFolder(own_run))
    (own_run / "phantom" / "truth").rename(own_run / "score" / "truth")
    assert before is not None
    assert before.truth
    assert build_strips(RunFolder(own_run)) == before


def test_without_truth_no_truth_is_promised(own_run: Path) -> None:
    shutil.rmtree(own_run / "phantom")
    found = build_strips(RunFolder(own_run))
    assert found is not None
    assert not found.truth
    assert "true X-ray" not in found.lead
    assert "True" not in found.columns


def test_a_listed_signature_without_its_file_is_an_error(own_run: Path) -> None:
    next((own_run / "translate" / "accepted" / "gun").glob("*.tif")).unlink()
    with pytest.raises(DataError, match="the index lists this signature, but there is no such file"):
        build_strips(RunFolder(own_run))
