from __future__ import annotations

import json
from pathlib import Path

import pytest

from threatray.datasets.formats.coco import ImageRecord, write_annotations
from threatray.datasets.formats.coco_stream import write_annotation_stream
from threatray.errors import DataError


def record(name: str, *labels: str) -> ImageRecord:
    return {
        "id": name, "width": 31, "height": 37, "group": f"bäg {name}\n", "source": "made", "licence": "CC0-1.0", "colour": f"{name}.png",
        "low_energy": None, "high_energy": None,
        "things": [{"box": [1.0, 2.0, 5.5, 9.0], "label": label, "segmentation": None} for label in labels],
    }  # fmt: skip


@pytest.mark.parametrize("names", [(), ("a",), ("a", "b", "c")])
def test_the_bytes_are_those_of_the_writer_that_holds_everything(tmp_path: Path, names: tuple[str, ...]) -> None:
    records = [record(name, *["gun", "knife"][: number % 3]) for number, name in enumerate(names)]
    write_annotations(tmp_path / "whole", ("gun", "knife"), records)
    write_annotation_stream(tmp_path / "stream", ("gun", "knife"), lambda: iter(records))
    assert (tmp_path / "stream" / "annotations.json").read_bytes() == (tmp_path / "whole" / "annotations.json").read_bytes()


def test_the_visible_part_stands_beside_the_mask(tmp_path: Path) -> None:
    one = record("a", "gun")
    one["things"][0]["segmentation"] = {"size": [37, 31], "counts": "0d0"}
    one["things"][0]["visible"] = {"size": [37, 31], "counts": "1c0"}  # type: ignore[typeddict-unknown-key]
    write_annotation_stream(tmp_path, ("gun",), lambda: iter([one]))
    written = json.loads((tmp_path / "annotations.json").read_text())["annotations"][0]
    assert (written["segmentation"]["counts"], written["visible_segmentation"]["counts"]) == ("0d0", "1c0")


@pytest.mark.parametrize("names", [("b", "a"), ("a", "a")])
def test_records_out_of_order_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="must come sorted by id, each once"):
        write_annotation_stream(tmp_path, ("gun",), lambda: iter([record(name) for name in names]))
    assert not (tmp_path / "annotations.json").exists()


def test_a_strange_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'sword' is not among the classes"):
        write_annotation_stream(tmp_path, ("gun",), lambda: iter([record("a", "sword")]))
