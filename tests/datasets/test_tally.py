"""Counts over streamed entries, and that a million of them fit."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from threatray.core import Annotations, Provenance
from threatray.datasets.dataset import Entry
from threatray.datasets.entry_table import EntryTable, TextTable
from threatray.datasets.fingerprints import Fingerprint
from threatray.datasets.inspect import Inspector
from threatray.datasets.measure import Measurement
from threatray.datasets.tally import Tally, co_occurrence


def entry(name: str, boxes: list[list[float]], labels: tuple[str, ...], **more: object) -> Entry:
    things = Annotations(np.array(boxes, np.float32).reshape(-1, 4), labels)
    return Entry(id=name, image_path=Path(f"/root/images/{name}.png"), width=100, height=50, things=things, group=name, **more)  # type: ignore[arg-type]


def test_counts_by_hand() -> None:
    tally = Tally(("gun", "saw"))
    tally.add(entry("a", [[0, 0, 20, 10], [10, 0, 30, 10]], ("gun", "knife"), part="train", difficulty="easy"), None)
    tally.add(entry("b", [[0, 0, 50, 50], [50, 0, 100, 50]], ("gun", "gun"), part="test", view="side"), None)
    tally.add(entry("c", [], (), part="test", provenance=Provenance("lab", "CC0-1.0")), None)
    tally.add(entry("d", [], (), image_labels=("gun", "saw")), None)
    assert (tally.images, tally.threats, tally.benign, tally.whole_only) == (4, 2, 1, 1)
    assert {name: (one.instances, one.images, one.whole_images) for name, one in tally.classes.items()} == {
        "gun": (3, 2, 1), "saw": (0, 0, 1), "knife": (1, 1, 0),
    }  # fmt: skip
    assert co_occurrence(tally)["gun"] == {"gun": 2, "knife": 1, "saw": 0}
    covered = tally.classes["gun"].covered.quantiles()
    assert covered is not None
    assert (covered.minimum, covered.maximum) == (0.0, 0.5)
    assert {name: (one.images, one.threats, one.benign) for name, one in tally.parts.items()} == {"train": (1, 1, 0), "test": (2, 1, 1)}
    assert dict(tally.things_per_image) == {2: 2, 0: 2}
    assert tally.provenance[Provenance("lab", "CC0-1.0")] == 1
    aspect = tally.classes["knife"].aspect.quantiles()
    assert aspect is not None
    assert aspect.median == 2.0


@pytest.mark.slow
def test_thousands_of_made_up_labels_and_sources_do_not_fill_the_memory() -> None:
    inspector = Inspector(Path("/root"), (), pixels=False)
    for number in range(70):
        labels = tuple(f"label {number}-{place}" for place in range(1000))
        inspector.add(entry(f"{number}", [[0, 0, 9, 9]] * 1000, labels, provenance=Provenance(f"site {number}")))
    tally = Tally()
    for number in range(1500):
        tally.add(entry(f"{number}", [], (), provenance=Provenance(f"site {number}")), None)
    assert len(tally.provenance) == 1001
    assert sum(tally.provenance.values()) == 1500
    found = inspector.finish("coco")
    assert len(found.instances_per_class) == 70_000
    assert len(found.co_occurrence) == 100
    assert inspector.table.said(69)[-1][0] == "label 69-999"


def test_the_table_gives_back_what_was_put_in() -> None:
    table = EntryTable(Path("/root"))
    table.add(entry("가방-1", [[1, 2, 3, 4], [0, 0, 5, 5.5]], ("knife", "칼"), part="test"), None)
    table.add(entry("P00017", [], ()), None)
    outside = Entry(id="x", image_path=Path("/other/x.png"), width=3, height=2, things=Annotations.none(), group="x")
    table.add(outside, None)
    first = table.shown(0)
    assert (first.id, first.path, first.width, first.height) == ("가방-1", Path("/root/images/가방-1.png"), 100, 50)
    assert first.things == (("knife", (1.0, 2.0, 3.0, 4.0)), ("칼", (0.0, 0.0, 5.0, 5.5)))
    assert table.said(1) == ()
    assert table.shown(2).path == Path("/other/x.png")
    assert table.numbers.tolist() == [1, 17, -1]
    assert [table.part(place) for place in range(3)] == ["test", "", ""]
    assert table.benign.tolist() == [False, True, True]


def test_texts_of_any_length_and_script() -> None:
    texts, kept = TextTable(), ["", "gun", "칼 🔪", "\udcff", "x" * 1000, ""]
    for text in kept:
        texts.add(text)
    assert [texts[place] for place in range(len(texts))] == kept


@pytest.mark.slow
def test_an_image_takes_a_few_hundred_bytes() -> None:
    count = 50_000
    inspector = Inspector(Path("/root"), ("gun",), pixels=True)
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 2**64 - 1, (count, 4), np.uint64)
    tracemalloc.start()
    for number in range(count):
        one, *others = (int(code) for code in codes[number])
        measured = Measurement(Fingerprint(f"{number + 1:032x}", one, "", *others), (250.0, 250.0, 250.0), bag_area=0.5)
        inspector.add(entry(f"image-{number:07}", [[1, 2, 30, 40]], ("gun",)), measured)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used / count < 400
