from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from threatray.core import Annotations
from threatray.core.image_file import write_png
from threatray.datasets.convert import convert, writable
from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.formats import read_dataset
from threatray.datasets.formats.format import Holds
from threatray.errors import ConfigError, DataError


def said(dataset: Dataset) -> list[object]:
    return [
        (
            entry.id,
            entry.labels,
            entry.boxes.tolist(),
            entry.group,
            entry.width,
            entry.height,
            entry.provenance,
            entry.paths[0].read_bytes(),
        )
        for entry in dataset.entries
    ]


def test_there_and_back_is_the_identity(coco: Callable[..., Path], tmp_path: Path) -> None:
    first = read_dataset(coco())
    assert convert(first, tmp_path / "voc", "voc").images == 2
    second = read_dataset(tmp_path / "voc")
    assert second.format_name == "voc"
    convert(second, tmp_path / "again", "coco")
    third = read_dataset(tmp_path / "again")
    assert said(first) == said(second) == said(third)


def test_masks_survive_into_coco(coco: Callable[..., Path], tmp_path: Path) -> None:
    polygon = [[2, 1, 6, 1, 6, 4, 2, 4]]
    first = read_dataset(coco(annotations=[{"id": 1, "image_id": 1, "category_id": 7, "bbox": [2, 1, 4, 3], "segmentation": polygon}]))
    convert(first, tmp_path / "out", "coco")
    second = read_dataset(tmp_path / "out")
    before, after = first.entries[0].annotations().masks, second.entries[0].annotations().masks
    assert after is not None
    np.testing.assert_array_equal(before, after)


def test_dual_energy_has_no_place_in_voc(tmp_path: Path) -> None:
    for name in ("a_low.png", "a_high.png"):
        write_png(tmp_path / "in" / name, np.full((37, 31), 9, np.uint16))
    write_png(tmp_path / "in/b.png", np.zeros((37, 31, 3), np.uint8))
    done = convert(read_dataset(tmp_path / "in"), tmp_path / "voc", "voc")
    assert (done.images, done.set_aside[0].reason) == (1, "has no colour image, which VOC needs")


def test_nothing_is_overwritten(coco: Callable[..., Path], tmp_path: Path) -> None:
    first = read_dataset(coco())
    with pytest.raises(ConfigError, match="exists already"):
        convert(first, first.root, "coco")
    with pytest.raises(ConfigError, match=r"expected one of .*coco, voc.*, got 'jolo'"):
        convert(first, tmp_path / "out", "jolo")


def test_what_the_target_has_no_place_for_is_counted(tmp_path: Path) -> None:
    def entry(name: str, boxes: int, masks: int = 0, **said: object) -> Entry:
        path = tmp_path / "in" / f"{name}.png"
        write_png(path, np.zeros((37, 31), np.uint8))
        things = Annotations(np.array([[1, 2, 3, 4]] * boxes, np.float32).reshape(-1, 4), ("gun",) * boxes)
        shapes = (*({"size": [37, 31], "counts": [0, 5, 37 * 31 - 5]},) * masks, *(None,) * (boxes - masks)) if masks else ()
        return Entry(id=name, image_path=path, width=31, height=37, things=things, group=name, segmentations=shapes, **said)

    entries = (
        entry("a", 3, masks=2, difficulty="hidden", image_labels=("knife", "axe")),
        entry("b", 1, masks=1),
        entry("c", 0, view="side", image_labels=("knife",)),
        entry("d", 0, part="test"),
    )
    done = convert(Dataset(tmp_path / "in", "made", ("gun", "knife"), entries), tmp_path / "voc", "voc")
    assert [(one.what, one.things, one.images) for one in done.lost] == [
        (Holds.MASKS, 3, 2),
        (Holds.IMAGE_LABELS, 2, 1),
        (Holds.DIFFICULTY, 1, 1),
    ]
    assert [(one.item, one.reason) for one in done.set_aside] == [("c", "holds a threat without a box; as voc it would pass for benign")]
    assert [entry.id for entry in read_dataset(tmp_path / "voc").entries] == ["a", "b", "d"]
    assert convert(Dataset(tmp_path / "in", "made", ("gun", "knife"), entries), tmp_path / "coco", "coco").lost == ()
    assert read_dataset(tmp_path / "coco").classes == ("gun", "knife", "axe")


def test_an_id_that_is_no_file_name_is_set_aside_not_written_elsewhere(tmp_path: Path) -> None:
    write_png(tmp_path / "in/a.png", np.zeros((37, 31), np.uint8))
    entries = tuple(
        Entry(id=name, image_path=tmp_path / "in/a.png", width=31, height=37, things=Annotations.none(), group=name)
        for name in ("../up", "/etc/x", "ok", "x" * 300)
    )
    for target in writable():
        done = convert(Dataset(tmp_path / "in", "made", (), entries), tmp_path / "deep" / target, target)
        assert done.images == 1, target
        assert {one.item for one in done.set_aside} == {"../up", "/etc/x", "x" * 300}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "in"]
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == sorted(writable())


@pytest.mark.parametrize("target", ["coco", "voc"])
@pytest.mark.parametrize("there", [False, True])
def test_an_error_on_the_way_leaves_nothing(
    coco: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, there: bool
) -> None:
    first = read_dataset(coco())
    out = tmp_path / "out"
    if there:
        out.mkdir()
        (out / ".asked.json").write_text("{}")
    (first.root / "images/bag2.png").unlink()  # gone since it was read
    with pytest.raises(DataError, match="is gone now"):
        convert(first, out, target)
    assert ([path.name for path in out.iterdir()] if there else out.exists()) == ([".asked.json"] if there else False)


def test_files_that_would_share_a_name_get_two(tmp_path: Path) -> None:
    for name in ("a.png", "a_low.png", "x_low.png", "x_high.png"):
        write_png(tmp_path / "in" / name, np.full((37, 31), len(name), np.uint8))
    pair = {"low_path": tmp_path / "in/x_low.png", "high_path": tmp_path / "in/x_high.png"}
    entries = (
        Entry(id="a", image_path=tmp_path / "in/a.png", width=31, height=37, things=Annotations.none(), group="a", **pair),
        Entry(id="a_low", image_path=tmp_path / "in/a_low.png", width=31, height=37, things=Annotations.none(), group="a"),
    )
    before = Dataset(tmp_path / "in", "made", (), entries)
    convert(before, tmp_path / "out", "coco")
    after = read_dataset(tmp_path / "out", strict=True)
    assert [(one.id, [path.read_bytes() for path in one.paths]) for one in after.entries] == [
        (one.id, [path.read_bytes() for path in one.paths]) for one in entries
    ]
