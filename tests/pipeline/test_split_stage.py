"""A split as a user gets it: bags across datasets, given sets, benign subsets, what is where in words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from threatray.cli.main import main
from threatray.core.image_file import write_jpeg, write_png
from threatray.datasets.taxonomy import Taxonomy
from threatray.errors import ConfigError, DataError
from threatray.pipeline.progress import Progress
from threatray.pipeline.sources import Role
from threatray.pipeline.stage import Run
from threatray.pipeline.stages.split_stage import SplitConfig, split

RUN = Run(seed=1, progress=Progress(quiet=True), workers=1)


def scan(seed: int) -> np.ndarray:
    blocks = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.kron(blocks, np.ones((6, 7, 1), np.uint8))


def coco(folder: Path, labels: list[str], *, seed: int) -> Path:
    images, annotations = [], []
    classes = sorted(set(filter(None, labels)))
    for number, label in enumerate(labels):
        write_png(folder / "images" / f"s{number}.png", scan(seed + number))
        images.append({"id": number + 1, "file_name": f"s{number}.png", "width": 56, "height": 48})
        if label:
            box = {"bbox": [5, 6, 30, 20], "category_id": classes.index(label)}
            annotations.append({"id": number + 1, "image_id": number + 1, **box})
    categories = [{"id": number, "name": label} for number, label in enumerate(classes)]
    (folder / "annotations.json").write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return folder


def bags(folder: Path, count: int, *, seed: int) -> Path:
    for number in range(count):
        write_png(folder / f"b{number}.png", scan(seed + number))
    return folder


def result(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "split.json").read_text())
    return found


def where(found: dict[str, Any]) -> dict[str, str]:
    return {key: name for name, kinds in found["parts"].items() for keys in kinds.values() for key in keys}


@pytest.mark.parametrize("seed", range(4))
def test_a_bag_scanned_again_is_in_one_part_also_across_datasets(seed: int, tmp_path: Path) -> None:
    paths = {
        Role.LABELLED: coco(tmp_path / "scans", ["gun", "knife"] * 8, seed=0),
        Role.BENIGN: bags(tmp_path / "bags", 12, seed=100),
    }
    again = np.roll(np.pad(scan(3), ((9, 9), (4, 12), (0, 0)), constant_values=255), 2, axis=0)
    write_jpeg(tmp_path / "bags" / "again.jpg", again, quality=85)
    split(SplitConfig(), Taxonomy(), paths, tmp_path / "out", Run(seed=seed, progress=Progress(quiet=True), workers=1))
    place = where(result(tmp_path / "out"))
    assert len(place) == 29
    assert place["benign:again"] == place["labelled:s3"]


def test_what_shows_a_bag_of_a_given_test_set_is_not_trained_on(tmp_path: Path) -> None:
    paths = {
        Role.LABELLED: coco(tmp_path / "scans", ["gun"] * 12, seed=0),
        Role.BENIGN: bags(tmp_path / "bags", 8, seed=100),
        Role.TEST: coco(tmp_path / "test", ["gun", ""], seed=5),
    }
    made = split(SplitConfig(), Taxonomy(), paths, tmp_path / "out", RUN)
    found = result(tmp_path / "out")
    place = where(found)
    assert "labelled:s5" not in place
    assert "labelled:s6" not in place
    assert {place["test:s0"], place["test:s1"]} == {"test"}
    assert found["parts"]["test"] == {"threats": ["test:s0"], "benign": ["test:s1"]}
    assert [leak["image"] for leak in found["leaks_in_given_sets"]] == ["labelled:s5", "labelled:s6"]
    assert any("shows the same bag as test:s0 of the test set that was given; left out" in one.reason for one in made.set_aside)
    assert "Left out of training: 2 images" in (tmp_path / "out" / "split.txt").read_text()


def test_given_sets_that_share_a_bag_are_warned_of(tmp_path: Path) -> None:
    paths = {
        Role.LABELLED: coco(tmp_path / "scans", ["gun"] * 4, seed=0),
        Role.BENIGN: bags(tmp_path / "bags", 4, seed=100),
        Role.VALIDATION: coco(tmp_path / "validation", ["gun", ""], seed=50),
        Role.TEST: coco(tmp_path / "test", ["gun", ""], seed=51),
    }
    split(SplitConfig(), Taxonomy(), paths, tmp_path / "out", RUN)
    assert "WARNING: the given validation and test sets share bags in 2 images" in (tmp_path / "out" / "split.txt").read_text()
    assert len(result(tmp_path / "out")["parts"]["train"]["threats"]) == 4


def test_benign_images_of_the_labelled_set_are_benign_and_those_of_other_threats_are_not(tmp_path: Path) -> None:
    labels = ["gun", "", "teapot"] * 6
    split(SplitConfig(), Taxonomy(("gun",)), {Role.LABELLED: coco(tmp_path / "scans", labels, seed=0)}, tmp_path / "out", RUN)
    parts = result(tmp_path / "out")["parts"]
    assert sum(len(kinds["threats"]) for kinds in parts.values()) == 6
    benign = {key for kinds in parts.values() for key in kinds["benign"]}
    assert benign == {f"labelled:s{number}" for number in range(1, 18, 3)}


def test_benign_subsets_are_nested_and_what_is_missing_is_said(tmp_path: Path) -> None:
    paths = {Role.LABELLED: coco(tmp_path / "scans", ["gun"] * 10, seed=0), Role.BENIGN: bags(tmp_path / "bags", 60, seed=100)}
    config = SplitConfig(near_duplicates=False, benign_ratios=(1, 3, 100))
    split(config, Taxonomy(), paths, tmp_path / "out", RUN)
    found = result(tmp_path / "out")
    test, subsets = found["parts"]["test"], found["benign_subsets"]["test"]
    threats = len(test["threats"])
    assert subsets["sizes"] == {"1": threats, "3": 3 * threats}
    assert subsets["too_few_benign_for"] == {"100": 100 * threats}
    assert len(set(subsets["order"])) == len(subsets["order"]) == 3 * threats
    assert set(subsets["order"]) <= set(test["benign"])
    text = (tmp_path / "out" / "split.txt").read_text()
    assert f"100:1 needs {100 * threats}, there are {len(test['benign'])}" in text
    assert "Pictures were not compared" in text


def test_a_picture_that_cannot_be_read_is_in_no_part_and_strict_refuses_it(tmp_path: Path) -> None:
    paths = {Role.LABELLED: coco(tmp_path / "scans", ["gun"] * 10, seed=0), Role.BENIGN: bags(tmp_path / "bags", 8, seed=100)}
    path = tmp_path / "bags" / "b3.png"
    whole = bytearray(path.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 20] = bytes(20)  # header and end stay whole, so that only decoding finds it
    path.write_bytes(bytes(whole))
    made = split(SplitConfig(), Taxonomy(), paths, tmp_path / "out", RUN)
    assert [one.item for one in made.set_aside] == ["benign:b3"]
    assert "benign:b3" not in where(result(tmp_path / "out"))
    strict = Run(seed=1, progress=Progress(quiet=True), workers=1, strict=True)
    with pytest.raises(DataError, match="b3"):
        split(SplitConfig(), Taxonomy(), paths, tmp_path / "strict", strict)


def test_ratios_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = coco(tmp_path / "scans", ["gun", ""] * 9, seed=0)
    words = ["split", str(folder), "--out", str(tmp_path / "out"), "--quiet", "--json", "--workers", "1", "--benign-ratios"]
    assert main([*words, "1,10"]) == 0
    assert json.loads(capsys.readouterr().out)["summary"]["benign subsets"]["test"].startswith("1:1 = ")
    assert main([*words, "10,many"]) == 2
    assert "expected whole numbers with commas between" in capsys.readouterr().err
    assert main(["split", "--out", str(tmp_path / "o2")]) == 2
    assert "name the labelled dataset" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="expected whole numbers from 1, got 0"):
        SplitConfig(benign_ratios=(0,))
