"""Counts over streamed entries, and that a million of them fit."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from threatray.core import Annotations, Provenance
from threatray.datasets.dataset import Entry
from threatray.datasets.entry_table import EntryTable
from threatray.datasets.fingerprints import Fingerprint
from threatray.datasets.inspect import Inspector
from threatray.datasets.measure import Measurement
from threatray.datasets.tally import Tally, co_occurrence
from threatray.errors import DataError


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


def test_the_table_finds_entries_of_any_length_and_script_by_their_ids() -> None:
    table, ids = EntryTable(Path("/root")), ["gun", "칼 🔪", "\udcff", "x" * 1000, "0", "1"]
    for name in ids:
        table.add(entry(name, [], ()), None)
    assert [table.place_of(name) for name in reversed(ids)] == [5, 4, 3, 2, 1, 0]
    assert [table.id(place) for place in range(len(table))] == ids
    with pytest.raises(KeyError):
        table.place_of("")
    table.add(entry("later", [], ()), None)
    assert table.place_of("later") == 6


def test_hashes_and_features_come_back_in_columns() -> None:
    table = EntryTable(Path("/root"))
    for number in range(3):
        looks = Fingerprint(f"{number:064x}", *(2**63 + number, "", 1, 2, 3)) if number != 1 else Fingerprint("", 0, "broken")
        table.add(entry(f"{number}", [], ()), Measurement(looks, (250.0, 240.0, 230.0), bag_area=0.5, dark_outside=4.0))
    assert table.codes.tolist() == [[2**63, 1, 2, 3], [0, 0, 0, 0], [2**63 + 2, 1, 2, 3]]
    assert table.codes_of(2) == (2**63 + 2, 1, 2, 3)
    assert table.features[:, :3].tolist() == [[250.0, 240.0, 230.0]] * 3
    assert (table.bag_areas.tolist(), table.dark_outside.tolist()) == ([0.5] * 3, [4.0] * 3)


def test_more_classes_than_any_dataset_has_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threatray.datasets.tally._MOST_CLASSES", 3)
    tally = Tally(("gun",))
    tally.add(entry("a", [[0, 0, 9, 9]] * 2, ("knife", "saw")), None)
    with pytest.raises(DataError, match=r"More than 3 classes \('axe' among them\), too many for a dataset"):
        tally.add(entry("b", [[0, 0, 9, 9]], ("axe",)), None)


def test_made_up_parts_do_not_fill_the_memory() -> None:
    inspector = Inspector(Path("/root"), (), pixels=False)
    for number in range(1100):
        inspector.add(entry(f"{number}", [], (), part=f"part {number}"))
    assert len(inspector.table.parts) == 1001
    found = inspector.finish("coco")
    assert len(found.parts) == 1001
    assert found.parts["further ones"].images == 100


def test_memory_does_not_grow_with_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the images, with and without pixels, past what is counted exactly: what is kept of an image is not in memory."""
    for limit, small in (("spool._BLOCK", 4096), ("quantile_sketch.EXACT_UP_TO", 100), ("quantile_sketch._AT_ONCE", 500)):
        monkeypatch.setattr(f"threatray.datasets.{limit}", small)
    codes = np.random.default_rng(0).integers(0, 2**64 - 1, (2000, 4), np.uint64).tolist()

    def used(count: int, *, pixels: bool) -> int:
        tracemalloc.start()
        inspector = Inspector(Path("/root"), ("gun",), pixels=pixels)
        for number in range(count):
            one, *others = codes[number]
            looks = Fingerprint(f"{number + 1:032x}", one, "", *others)
            measured = Measurement(looks, (250.0, 250.0, 250.0), bag_area=0.5) if pixels else None
            inspector.add(entry(f"image-{number:07}", [[1, 2, 30, 40]], ("gun",)), measured)
        memory, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return memory

    for pixels in (False, True):
        before, after = (min(used(count, pixels=pixels) for _ in range(2)) for count in (1000, 2000))  # the first one imports
        assert after - before < 1000 * 40
