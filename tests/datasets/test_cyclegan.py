from __future__ import annotations

from pathlib import Path

import hostile_miniatures as mini
import pytest

from threatray.core import Annotations
from threatray.datasets.dataset import Entry
from threatray.datasets.formats.cyclegan import FORMAT
from threatray.datasets.formats.format import ReadOptions


def test_folders_are_parts_and_domains(tmp_path: Path) -> None:
    mini.cyclegan_folders(tmp_path)
    dataset = FORMAT.read(tmp_path, ReadOptions()).collect()
    assert [(entry.id, entry.part, entry.image_labels) for entry in dataset.entries] == [
        ("sub__only", "train", ("domain_b",)),
        ("testA__0001", "test", ("domain_a",)),
        ("testB__0001", "test", ("domain_b",)),
        ("trainA__0001", "train", ("domain_a",)),
        ("trainB__0001", "train", ("domain_b",)),
    ]
    assert not any(entry.is_benign for entry in dataset.entries)
    assert dataset.classes == ("domain_a", "domain_b")
    assert "domain_a (photos), in B domain_b (X-rays)" in dataset.notes[0]


@pytest.mark.parametrize(
    ("part", "labels", "place"),
    [("", (), "trainB"), ("hidden", ("gun",), "trainB"), ("val", ("domain_a",), "valA"), ("test", ("domain_b", "domain_a"), "testA")],
)
def test_the_rule_of_where_an_image_goes(tmp_path: Path, part: str, labels: tuple[str, ...], place: str) -> None:
    mini.picture(tmp_path / "x.png")
    entry = Entry(
        id="a", image_path=tmp_path / "x.png", width=31, height=37, things=Annotations.none(), group="a", part=part, image_labels=labels
    )
    assert FORMAT.write is not None
    FORMAT.write(tmp_path / "out", (), [entry])
    assert [path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.png")] == [f"{place}/a.png"]


def test_a_link_out_of_the_folder_is_set_aside(tmp_path: Path) -> None:
    mini.picture(tmp_path / "secret.png")
    mini.cyclegan_folders(tmp_path / "data")
    (tmp_path / "data/trainA/link.png").symlink_to(tmp_path / "secret.png")
    dataset = FORMAT.read(tmp_path / "data", ReadOptions()).collect()
    assert [one.item for one in dataset.set_aside] == ["trainA/link.png"]
    assert "a link that leads out of the dataset" in dataset.set_aside[0].reason
