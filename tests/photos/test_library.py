from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from threatray.core import Provenance, SetAside
from threatray.errors import DataError
from threatray.photos.crop import ObjectCrop
from threatray.photos.library import read_crops, read_index, write_crop, write_index


def crop(name: str, seed: int = 0) -> ObjectCrop:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (37, 31, 3), dtype=np.uint8)
    return ObjectCrop(name, "gun", pixels, rng.random((37, 31)) < 0.5, f"gun/{name}.jpg", Provenance("me", "CC0"), 0.625)


def write(folder: Path, crops: list[ObjectCrop]) -> None:
    for one in crops:
        write_crop(folder, one)
    write_index(folder, crops, [SetAside("gun/x.jpg", "blurred")])


def test_reading_gives_back_what_was_written(tmp_path: Path) -> None:
    given = [crop("b", 1), crop("a", 2)]
    write(tmp_path, given)
    assert (tmp_path / "gun/a.png").is_file()
    assert (tmp_path / "gun/a_mask.png").is_file()
    read = read_crops(tmp_path)
    assert [one.id for one in read] == ["a", "b"]
    for before, after in zip(given[::-1], read, strict=True):
        np.testing.assert_array_equal(before.pixels, after.pixels)
        np.testing.assert_array_equal(before.mask, after.mask)
        assert (before.class_name, before.source_id, before.provenance, before.quality) == (
            after.class_name,
            after.source_id,
            after.provenance,
            after.quality,
        )
    assert json.loads((tmp_path / "index.json").read_text())["rejected"] == [{"item": "gun/x.jpg", "reason": "blurred"}]


def test_the_order_of_crops_does_not_change_the_index(tmp_path: Path) -> None:
    crops = [crop("a"), crop("b"), crop("c")]
    write_index(tmp_path / "1", crops)
    write_index(tmp_path / "2", crops[::-1])
    assert (tmp_path / "1/index.json").read_bytes() == (tmp_path / "2/index.json").read_bytes()


def test_ambiguous_and_unsafe_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="two crops would share"):
        write_index(tmp_path, [crop("a"), crop("a")])
    with pytest.raises(DataError, match=r"two crops would share the file 'gun/a_mask\.png'"):
        write_index(tmp_path, [crop("a"), crop("a_mask")])
    for name in ("../a", "", ".a"):
        with pytest.raises(DataError, match="cannot be a file name"):
            write_crop(tmp_path, crop(name))


def test_a_broken_library_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_index(tmp_path)
    write(tmp_path, [crop("a")])
    index = json.loads((tmp_path / "index.json").read_text())
    index["crops"][0]["file"] = "../../etc/passwd"
    (tmp_path / "index.json").write_text(json.dumps(index))
    with pytest.raises(DataError, match="leads out of the library"):
        read_crops(tmp_path)
    del index["crops"][0]["file"]
    (tmp_path / "index.json").write_text(json.dumps(index))
    with pytest.raises(DataError, match="the entry 'a' is not whole"):
        read_crops(tmp_path)
    (tmp_path / "index.json").write_text('{"format": 99, "crops": []}')
    with pytest.raises(DataError, match="format 1"):
        read_index(tmp_path)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"pixels": np.zeros((37, 31), np.uint8)}, "pixels must be uint8"),
        ({"mask": np.zeros((31, 37), bool)}, r"mask must be bool \(37, 31\)"),
        ({"mask": np.zeros((37, 31), bool)}, "the mask is empty"),
        ({"quality": float("nan")}, "quality must lie in"),
    ],
)
def test_an_impossible_crop_is_refused(changes: dict[str, object], reason: str) -> None:
    from dataclasses import replace

    with pytest.raises(DataError, match=reason):
        replace(crop("a"), **changes)  # type: ignore[arg-type]
