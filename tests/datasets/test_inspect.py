from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from threatray.core import Annotations, SetAside
from threatray.core.image_file import write_jpeg, write_png
from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.inspect import inspect_dataset


def entry(folder: Path, name: str, seed: int, boxes: list[list[float]], labels: tuple[str, ...]) -> Entry:
    blocks = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    write_png(folder / f"{name}.png", np.kron(blocks, np.ones((8, 10, 1), np.uint8)))
    things = Annotations(np.array(boxes, np.float32).reshape(-1, 4), labels)
    return Entry(id=name, image_path=folder / f"{name}.png", width=80, height=64, things=things, group=name)


def test_counts_sizes_positions_and_copies_by_hand(tmp_path: Path) -> None:
    entries = (
        entry(tmp_path, "a", 1, [[0, 0, 20, 16], [60, 48, 80, 64]], ("gun", "gun")),
        entry(tmp_path, "b", 1, [[0, 0, 40, 32]], ("gun",)),
        entry(tmp_path, "c", 2, [[30, 0, 50, 16]], ("knife",)),
        entry(tmp_path, "d", 3, [], ()),
    )
    aside = (SetAside("x", "box reached 4 pixels outside the image and was clipped to it"),)
    seen: list[tuple[int, int]] = []
    found = inspect_dataset(Dataset(tmp_path, "coco", ("gun", "knife", "saw"), entries, aside), progress=lambda *at: seen.append(at))
    assert (found.images, found.threat_images, found.benign_images, found.images_without_annotations) == (4, 3, 1, 1)
    assert found.threat_to_benign == 3
    assert found.instances_per_class == {"gun": 3, "knife": 1, "saw": 0}
    assert found.images_per_class == {"gun": 2, "knife": 1, "saw": 0}
    assert found.imbalance_ratio is None  # a class without a single instance has no ratio
    assert (found.width.median, found.height.maximum) == (80, 64)
    assert found.relative_size["gun"].maximum == 0.5
    assert found.relative_size["knife"].median == 0.25
    assert found.positions["gun"][1][1] == 1
    assert found.positions["gun"][7][7] == 1
    assert found.positions["knife"][1][4] == 1
    assert sum(map(sum, found.positions["gun"])) == 3
    assert found.exact_duplicates == (("a", "b"),)
    assert found.contradictory_duplicates == (("a", "b"),)
    assert found.near_duplicates == (("a", "b"),)
    assert found.boxes_outside == 1
    assert seen[-1] == (4, 4)
    assert json.loads(json.dumps(found.as_json(), allow_nan=False))["instances_per_class"]["gun"] == 3


def test_the_ratio_is_of_the_commonest_to_the_rarest(tmp_path: Path) -> None:
    entries = (entry(tmp_path, "a", 1, [[0, 0, 9, 9]] * 3, ("gun", "gun", "knife")),)
    assert inspect_dataset(Dataset(tmp_path, "coco", ("gun", "knife"), entries), read_pixels=False).imbalance_ratio == 2


def test_recompressed_pictures_are_near_duplicates_and_not_exact_ones(tmp_path: Path) -> None:
    first = entry(tmp_path, "a", 1, [], ())
    from threatray.core.image_file import read_pixels

    write_jpeg(tmp_path / "b.jpg", read_pixels(tmp_path / "a.png"), quality=60)
    second = Entry(id="b", image_path=tmp_path / "b.jpg", width=80, height=64, things=Annotations.none(), group="b")
    found = inspect_dataset(Dataset(tmp_path, "coco", (), (first, second, entry(tmp_path, "c", 9, [], ()))))
    assert (found.exact_duplicates, found.near_duplicates) == ((), (("a", "b"),))


def test_a_file_that_broke_after_reading_is_listed(tmp_path: Path) -> None:
    broken = entry(tmp_path, "a", 1, [], ())
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[:60])
    found = inspect_dataset(Dataset(tmp_path, "coco", (), (broken,)))
    assert found.unreadable[0].item == "a"
    assert "cannot be decoded" in found.unreadable[0].reason


def test_without_pixels_nothing_is_decoded(tmp_path: Path) -> None:
    gone = Entry(id="a", image_path=tmp_path / "gone.png", width=8, height=8, things=Annotations.none(), group="a")
    found = inspect_dataset(Dataset(tmp_path, "coco", (), (gone,)), read_pixels=False)
    assert (found.pixels_read, found.unreadable) == (False, ())
