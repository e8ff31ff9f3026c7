"""Which format reads a folder, and what is common to all of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from threatray.core.image_file import write_png
from threatray.datasets.formats import FORMATS, detect_format, format_of, read_dataset, stream_dataset
from threatray.datasets.formats.format import ReadOptions
from threatray.errors import ConfigError, DataError


def test_names_are_unique_and_the_folder_of_images_comes_last() -> None:
    names = [one.name for one in FORMATS]
    assert len(set(names)) == len(names)
    assert names[-1] == "image_folder"


@pytest.mark.parametrize("one", FORMATS, ids=lambda one: one.name)
def test_every_format_explains_itself(one: object) -> None:
    found = format_of(one.name)  # type: ignore[attr-defined]
    assert found is one
    assert found.title and found.layout
    for phrase in (found.layout, *found.drops, *found.faults):
        assert phrase == phrase.strip() and "\n" not in phrase and phrase == phrase.rstrip(".") + ".." * phrase.endswith("..")


def test_the_more_specific_format_is_preferred(coco: Callable[..., Path], voc: Callable[..., Path]) -> None:
    root = coco()
    assert (detect_format(root).name, detect_format(voc()).name, detect_format(root / "images").name) == ("coco", "voc", "image_folder")
    assert read_dataset(root, "image_folder").format_name == "image_folder"
    with pytest.raises(DataError, match=r"holds no VOC annotations\. Looked for Annotations"):
        read_dataset(root, "voc")
    with pytest.raises(DataError, match=r"holds no COCO JSON\. Looked for annotations"):
        read_dataset(root.parent / "voc", "coco")
    with pytest.raises(ConfigError, match="got 'cocos'"):
        format_of("cocos")


def test_listed_images_that_pass_for_benign_are_left_out(coco: Callable[..., Path]) -> None:
    root = coco(annotations=[{"id": 1, "image_id": 1, "category_id": 7, "bbox": [2, 3, 10, 20]}])
    known = frozenset({"bag1", "bag2", "bag3"})
    dataset = read_dataset(root, strict=True, mislabelled=known)
    assert [entry.id for entry in dataset.entries] == ["bag1"], "bag1 has a box, so it does not pass for benign"
    assert [(one.item, one.reason) for one in dataset.set_aside] == [
        ("bag2", "passes for benign, but is on the list of mislabelled images")
    ]
    assert dataset.notes[-1] == "2 image(s) are on the list of 3 mislabelled ones."
    assert [entry.id for entry in stream_dataset(root, options=ReadOptions(mislabelled=known)).entries] == ["bag1"]


def test_a_folder_that_may_not_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_png(tmp_path / "a.png", np.zeros((37, 31), np.uint8))

    def forbidden(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "a.png")

    monkeypatch.setattr("threatray.datasets.formats.image_folder.image_size", forbidden)
    with pytest.raises(DataError, match=r"a\.png: no permission to read it"):
        read_dataset(tmp_path)
