"""Every miniature reads whole: what the hostile cases start from is sound."""

from __future__ import annotations

from pathlib import Path

import hostile_miniatures as mini
import pytest


@pytest.mark.parametrize("one", mini.MINIATURES, ids=lambda one: one.name)
def test_a_miniature_reads_whole(one: mini.Miniature, tmp_path: Path) -> None:
    one.write(tmp_path)
    assert mini.detect(one.format_name, tmp_path)
    dataset = mini.read(one.format_name, tmp_path, strict=one.ids is not None)
    assert dataset.format_name == one.format_name
    if one.ids is not None:
        assert tuple(entry.id for entry in dataset.entries) == one.ids
        assert dataset.set_aside == ()
    for entry in dataset.entries:
        entry.annotations()
        if entry.image_path is not None:
            assert dataset.load_colour(entry).image.size == (entry.height, entry.width)


@pytest.mark.parametrize("one", mini.MINIATURES, ids=lambda one: one.name)
def test_reading_writes_nothing_beside_the_data(one: mini.Miniature, tmp_path: Path) -> None:
    one.write(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    mini.read(one.format_name, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
