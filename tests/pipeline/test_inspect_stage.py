"""The inspection as a user gets it: JSON, page, faults, several sets at once."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from threatray.cli.main import main
from threatray.core.image_file import write_png
from threatray.datasets.taxonomy import Taxonomy
from threatray.pipeline.progress import Progress
from threatray.pipeline.sources import Role
from threatray.pipeline.stage import Run
from threatray.pipeline.stages.inspect_stage import InspectConfig, inspect

RUN = Run(seed=1, progress=Progress(quiet=True), workers=1)


def scan(seed: int) -> np.ndarray:
    blocks = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return np.kron(blocks, np.ones((8, 10, 1), np.uint8))


def coco(folder: Path, labels: list[str], *, name: str = "bag{}.png", seed: int = 0) -> Path:
    images, annotations = [], []
    classes = sorted(set(filter(None, labels)))
    for number, label in enumerate(labels, 1):
        write_png(folder / "images" / name.format(number), scan(seed + number))
        images.append({"id": number, "file_name": name.format(number), "width": 80, "height": 64})
        if label:
            annotations.append({"id": number, "image_id": number, "category_id": classes.index(label), "bbox": [5, 6, 30, 20]})
    categories = [{"id": number, "name": label} for number, label in enumerate(classes)]
    (folder / "annotations.json").write_text(json.dumps({"images": images, "annotations": annotations, "categories": categories}))
    return folder


def test_page_and_json_say_the_same_and_the_page_fetches_nothing(tmp_path: Path) -> None:
    folder = coco(tmp_path / "scans", ["Gun", "Gun", "Folding_Knife", "", "teapott"])
    made = inspect(Taxonomy(("gun", "knife")), {Role.LABELLED: folder}, tmp_path / "out", RUN)
    written = json.loads((tmp_path / "out" / "inspect.json").read_text())["datasets"]["labelled"]
    page = (tmp_path / "out" / "inspect.html").read_text()
    assert written["instances_per_class"] == {"Folding_Knife": 1, "Gun": 2, "teapott": 1}
    assert written["labels"]["Folding_Knife"] == {
        "class": "folding knife", "wider": ["knife"], "threat": True, "counts_as": "knife", "nearest": None, "why_not": "",
    }  # fmt: skip
    assert "Read as COCO: 5 images, 4 boxed things of 3 classes in 4 images, 1 benign image." in page
    assert "a kind of knife" in page
    assert any("label 'teapott'" in one.item and "unknown label" in one.reason for one in made.set_aside)
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert "http" not in re.sub(r"data:image/jpeg;base64,[^\"]*", "", page).replace("http-equiv", "")
    assert page.count("<img") >= 5
    anchors = set(re.findall(r'href="#([^"]+)"', page))
    assert anchors <= set(re.findall(r'id="([^"]+)"', page))


def test_names_out_of_the_data_stay_text(tmp_path: Path) -> None:
    folder = coco(tmp_path / "scans", ["<script>alert(1)</script>", '"><img src=x>'], name="b<i>{}.png")
    inspect(Taxonomy(), {Role.LABELLED: folder}, tmp_path / "out", RUN)
    page = (tmp_path / "out" / "inspect.html").read_text()
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert "<img src=x>" not in page
    assert "b<i>" not in page


def test_without_pixels_no_picture_is_read_and_the_page_says_so(tmp_path: Path) -> None:
    folder = coco(tmp_path / "scans", ["gun", "knife"])
    inspect(Taxonomy(), {Role.LABELLED: folder}, tmp_path / "out", RUN, config=InspectConfig(pixels=False, pictures=False))
    written = json.loads((tmp_path / "out" / "inspect.json").read_text())["datasets"]["labelled"]
    page = (tmp_path / "out" / "inspect.html").read_text()
    assert (written["pixels_read"], written["scanners"], written["near_duplicates"]) == (False, [], [])
    assert "no picture was decoded" in page
    assert "<img" not in page


def test_workers_change_nothing_and_a_repeat_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = coco(tmp_path / "scans", ["gun", "knife", ""] * 3)
    for name, workers in (("one", 1), ("two", 2), ("again", 1)):
        inspect(Taxonomy(), {Role.LABELLED: folder}, tmp_path / name, Run(seed=1, progress=Progress(quiet=True), workers=workers))
    for file in ("inspect.json", "inspect.html"):
        first = (tmp_path / "one" / file).read_bytes()
        assert first == (tmp_path / "two" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()


def test_what_shows_between_two_sets_only_is_told(tmp_path: Path) -> None:
    paths = {Role.LABELLED: coco(tmp_path / "scans", ["gun"] * 3), Role.TEST: coco(tmp_path / "test", ["gun"] * 2, seed=2)}
    inspect(Taxonomy(), paths, tmp_path / "out", RUN)
    (leak,) = json.loads((tmp_path / "out" / "inspect.json").read_text())["together"]["traps"]
    assert leak["kind"] == "published_parts_leak"
    assert leak["examples"] == [["labelled:bag3", "test:bag1"]]
    page = (tmp_path / "out" / "inspect.html").read_text()
    assert "Between the sets" in page
    assert "labelled:bag3" in page


def test_the_command_names_format_counts_and_traps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = coco(tmp_path / "scans", ["gun", "knife"])
    assert main(["inspect", str(folder), "--out", str(tmp_path / "out"), "--quiet", "--json", "--workers", "1"]) == 0
    said = json.loads(capsys.readouterr().out)["summary"]["labelled"]
    assert (said["format"], said["images"], said["instances"]) == ("coco", 2, "gun 1, knife 1")
    assert main(["inspect", str(folder), "--out", str(tmp_path / "no"), "--quiet", "--json", "--no-pixels"]) == 0
    assert "scanners" not in json.loads(capsys.readouterr().out)["summary"]["labelled"]
