from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from threatray.core.files import read_json
from threatray.core.image_file import read_pixels
from threatray.errors import DataError
from threatray.report.folder import RunFolder
from threatray.report.hero import build_hero, write_hero_strip


def test_the_strip_shows_the_median_object_not_the_best(run_folder: Path) -> None:
    paired = sorted(read_json(run_folder / "score" / "score.json")["paired"], key=lambda one: one["ssim: translated"])
    found = build_hero(RunFolder(run_folder))
    assert found is not None
    assert paired[len(paired) // 2]["id"] in found.chosen
    assert [caption for caption, _ in found.panels] == ["Photo", "Translated X-ray", "True X-ray", "Composite in the bag"]


def test_without_scores_truth_and_composites_it_shows_what_there_is(own_run: Path) -> None:
    for stage in ("phantom", "score", "compose"):
        shutil.rmtree(own_run / stage)
    found = build_hero(RunFolder(own_run))
    assert found is not None
    assert [caption for caption, _ in found.panels] == ["Photo", "Translated X-ray"]


def test_the_strip_is_written_as_a_picture_of_the_height_asked_for(run_folder: Path, tmp_path: Path) -> None:
    write_hero_strip(run_folder, tmp_path / "strip.png", height=100)
    assert read_pixels(tmp_path / "strip.png").shape[0] == 100 + 30 + 24


def test_a_run_without_translations_has_no_strip(own_run: Path, tmp_path: Path) -> None:
    shutil.rmtree(own_run / "translate")
    with pytest.raises(DataError, match=r"translate/accepted holds no signature, so there is nothing to show"):
        write_hero_strip(own_run, tmp_path / "strip.png")
