"""Inspection and split of the real SIXray part, against what is known of it and against hashes of another maker."""

from __future__ import annotations

import json
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from threatray.cli.main import main

DATA = Path(__file__).parents[2].parent / "shared" / "data"
pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.skipif(not DATA.is_dir(), reason="the real data are not here")]


@pytest.fixture(scope="module")
def inspected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    out = tmp_path_factory.mktemp("real") / "inspection"
    words = ["inspect", str(DATA / "sixray"), "--benign", str(DATA / "sixray/negatives"), "--out", str(out), "--quiet", "--json"]
    assert main([*words, "--workers", "1"]) == 0
    found: dict[str, Any] = json.loads((out / "inspect.json").read_text())
    found["page"] = (out / "inspect.html").read_text()
    return found


def test_the_counts_of_its_readme_are_named(inspected: dict[str, Any]) -> None:
    scans = inspected["datasets"]["labelled"]
    assert (scans["format_name"], scans["images"], scans["threat_images"]) == ("voc", 1100, 1100)
    assert scans["instances_per_class"] == {"Gun": 534, "Wrench": 298, "Knife": 268}
    assert "Read as Pascal VOC (one XML an image): 1,100 images" in inspected["page"]


def test_the_53_byte_identical_pairs_are_all_knives_with_different_boxes(inspected: dict[str, Any]) -> None:
    scans = inspected["datasets"]["labelled"]
    assert [len(group) for group in scans["exact_duplicates"]] == [2] * 53
    assert len(scans["contradictory_duplicates"]) == 53
    assert max(scans["contradictory_overlaps"]) < 1
    headline = next(trap["headline"] for trap in scans["traps"] if trap["kind"] == "contradictory_copies")
    assert headline.startswith("53 pair(s) of byte-identical images have different boxes (Knife)")


def test_single_boxes_that_leave_other_tools_unboxed_are_told(inspected: dict[str, Any]) -> None:
    trap = next(trap for trap in inspected["datasets"]["labelled"]["traps"] if trap["kind"] == "one_box_an_image")
    assert "other tools in the same bag have no box" in trap["headline"]
    assert trap["examples"]
    assert trap["headline"].split(".")[0] in inspected["page"]


def test_numbers_in_turn_larger_negatives_and_scanners_are_told(inspected: dict[str, Any]) -> None:
    kinds = {trap["kind"] for trap in inspected["datasets"]["labelled"]["traps"]}
    assert "neighbours_alike" in kinds
    over = {trap["kind"]: trap["headline"] for trap in inspected["together"]["traps"]}
    assert over["size_tells_benign"].startswith("Benign images are larger than those with threats")
    looks = inspected["together"]["scanners"]
    assert any(look["benign"] == look["images"] > 100 for look in looks), "the grey-air scanner of the negatives made no scan with a threat"
    assert looks[0]["air"] == [255, 255, 255]


def test_a_split_puts_no_bag_in_two_parts_as_hashes_of_another_maker_see_it(tmp_path: Path) -> None:
    imagehash = pytest.importorskip("imagehash")
    from PIL import Image

    assert main(["split", str(DATA / "sixray"), "--out", str(tmp_path / "out"), "--quiet", "--json", "--workers", "1", "--seed", "3"]) == 0
    parts = json.loads((tmp_path / "out" / "split.json").read_text())["parts"]
    where = {key.removeprefix("labelled:"): name for name, kinds in parts.items() for keys in kinds.values() for key in keys}
    assert len(where) == 1100
    assert Counter(where.values())["train"] == pytest.approx(605, abs=12)
    names = sorted(where)
    phash, dhash, thumbnails = [], [], []
    for name in names:
        with Image.open(DATA / "sixray" / "images" / f"{name}.jpg") as image:
            image.draft("RGB", (160, 160))
            shown = image.convert("L")
        phash.append(imagehash.phash(shown).hash.ravel())
        dhash.append(imagehash.dhash(shown).hash.ravel())
        thumbnails.append(np.asarray(shown.resize((32, 32), Image.Resampling.BOX), np.float64).ravel())
    alike = _close(np.array(phash), 4) | _close(np.array(dhash), 3) | _correlated(np.array(thumbnails), 0.93)
    assert len(alike) > 250
    cut = [(names[one], names[other]) for one, other in alike if where[names[one]] != where[names[other]]]
    assert cut == []


def _close(bits: NDArray[np.bool_], most: int) -> set[tuple[int, int]]:
    differing = (bits[:, None] != bits[None]).sum(axis=2)
    return {(one, other) for one, other in combinations(range(len(bits)), 2) if differing[one, other] <= most}


def _correlated(values: NDArray[np.float64], least: float) -> set[tuple[int, int]]:
    table = np.triu(np.corrcoef(values), 1)
    return {(int(one), int(other)) for one, other in np.argwhere(table > least)}
