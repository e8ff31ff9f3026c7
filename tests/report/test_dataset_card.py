from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from threatray.core.files import read_json, write_json
from threatray.datasets.formats.hugging_face import card_classes
from threatray.report.data import build
from threatray.report.dataset_card import dataset_card
from threatray.report.folder import RunFolder


@pytest.fixture
def card(run_folder: Path) -> str:
    found = dataset_card(RunFolder(run_folder), build(run_folder))
    assert found is not None
    return found


def test_its_head_is_yaml_that_hugging_face_knows(card: str) -> None:
    assert card.startswith("---\n")
    head = yaml.safe_load(card[4:].split("\n---", 1)[0])
    assert head["task_categories"] == ["object-detection"]
    assert head["size_categories"] == ["n<1K"]
    assert set(head) == {"pretty_name", "license", "task_categories", "tags", "annotations_creators", "size_categories", "class_names"}


def test_our_own_reader_finds_the_classes_in_it(card: str, run_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(card)
    names = [one["name"] for one in read_json(run_folder / "compose" / "annotations.json")["categories"]]
    assert list(card_classes(tmp_path)) == names


def test_it_counts_says_whether_it_helps_and_how_to_repeat(card: str, run_folder: Path) -> None:
    coco = read_json(run_folder / "compose" / "annotations.json")
    assert f"{len(coco['images']):,} composites" in card
    data = build(run_folder)
    assert data.headline.sentence in card
    assert data.repeat.commands in card
    assert all(f"- {limit}" in card for limit in data.limits)


def test_a_hostile_name_stays_in_its_cell(tmp_path: Path) -> None:
    coco = {
        "images": [{"id": 1, "licence": "CC\n---\n# x", "source": "a|b"}],
        "annotations": [{"category_id": 1}],
        "categories": [{"id": 1, "name": 'gun | 9 |\n---\n<script>: "'}],
    }
    write_json(tmp_path / "compose" / "annotations.json", coco)
    card = dataset_card(RunFolder(tmp_path), build(tmp_path))
    assert card is not None
    head = yaml.safe_load(card[4:].split("\n---", 1)[0])
    assert head["class_names"] == [coco["categories"][0]["name"]]
    assert head["license"] == "cc\n---\n# x"
    assert "<script>" not in card.split("\n---\n", 1)[1]
    assert "\n# x" not in card


def test_no_composites_no_card(tmp_path: Path, run_folder: Path) -> None:
    (tmp_path / "photos").symlink_to(run_folder / "photos")
    assert dataset_card(RunFolder(tmp_path), build(tmp_path)) is None
