from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from threatray.core import Annotations
from threatray.core.files import read_json
from threatray.datasets.dataset import Entry
from threatray.datasets.formats import faults as module
from threatray.datasets.formats.faults import Faults
from threatray.errors import DataError


def test_faults_beyond_the_list_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_LISTED", 3)
    faults = Faults(Path("set"), strict=False)
    for number in range(5):
        faults.add(f"{number}.jpg", "is missing")
    assert [one.item for one in faults.found] == ["0.jpg", "1.jpg", "2.jpg"]
    assert faults.notes() == ("2 more were set aside than the 3 that are listed.",)


def test_masks_that_would_fill_the_memory_are_refused() -> None:
    count = 2_000
    boxes = np.tile(np.array([[0, 0, 5, 5]], np.float32), (count, 1))
    masks = ([[0.0, 0.0, 5.0, 0.0, 5.0, 5.0]],) * count
    things = Annotations(boxes, ("gun",) * count)
    entry = Entry(id="wide", image_path=Path("w.png"), width=65_000, height=100, things=things, segmentations=masks, group="w")
    with pytest.raises(DataError, match=r"wide: 2000 masks of 65000x100 pixels, 13,000,000,000 in all, more than the 4,000,000,000"):
        entry.annotations()


def test_a_folder_in_the_place_of_a_json_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder, expected a JSON file"):
        read_json(tmp_path)
