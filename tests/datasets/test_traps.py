"""Each known trap is found where it is, and not where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from threatray.core import Annotations
from threatray.datasets.dataset import Entry
from threatray.datasets.fingerprints import Fingerprint
from threatray.datasets.inspect import Inspection, Inspector
from threatray.datasets.measure import Measurement, ThingMeasure
from threatray.datasets.traps import Trap, best_overlap

BOX = [10.0, 10.0, 30.0, 40.0]


def entry(name: str, *things: tuple[str, Sequence[float]], size: tuple[int, int] = (100, 80), **more: object) -> Entry:
    boxes = np.array([box for _, box in things], np.float32).reshape(-1, 4)
    annotations = Annotations(boxes, tuple(label for label, _ in things))
    return Entry(id=name, image_path=Path(f"/scans/{name}.png"), width=size[0], height=size[1], things=annotations, group=name, **more)  # type: ignore[arg-type]


def look(seed: int, flip: int = 0) -> Fingerprint:
    """Hashes drawn from a seed, with some bits flipped in each."""
    rng = np.random.default_rng(seed)
    codes = [int(code) ^ flip for code in rng.integers(2**62, 2**64 - 1, 4, np.uint64)]
    digest = f"{seed + 1:08x}{flip:08x}" * 4
    return Fingerprint(digest, codes[0], "", *codes[1:])


def inspected(*pairs: tuple[Entry, Measurement]) -> Inspection:
    inspector = Inspector(Path("/scans"), (), pixels=True)
    for one, measured in pairs:
        inspector.add(one, measured)
    return inspector.finish("coco")


def seen(seed: int, flip: int = 0, *, things: int = 1, dark: float = 0.0, air: float = 250.0) -> Measurement:
    return Measurement(look(seed, flip), (air, air, air), things=(ThingMeasure(1.0, 0.2, 0.1),) * things, dark_outside=dark)


def trap(found: Inspection, kind: str) -> Trap | None:
    return next((one for one in found.traps if one.kind == kind), None)


def scans(count: int, *classes: str, dark: float = 0.0) -> list[tuple[Entry, Measurement]]:
    return [(entry(f"s{number:03}", (classes[number % len(classes)], BOX)), seen(number, dark=dark)) for number in range(count)]


def test_one_box_an_image_is_told_with_what_lies_outside() -> None:
    found = trap(inspected(*scans(30, "gun", "knife", dark=5.0)), "one_box_an_image")
    assert found is not None
    assert found.sureness == "likely"
    assert "exactly one box, though the set has 2 classes" in found.headline
    assert "In 30 of them (100%)" in found.headline
    assert len(found.examples) == 8


def test_one_box_an_image_is_seen_where_images_that_lie_alike_are_boxed_at_different_places() -> None:
    pairs = scans(30, "gun", "knife")
    pairs += [(entry("x", ("gun", BOX)), seen(900)), (entry("y", ("gun", [60, 50, 90, 70])), seen(900, 0b1))]
    found = trap(inspected(*pairs), "one_box_an_image")
    assert found is not None
    assert found.sureness == "seen"
    assert found.examples == (("x", "y"),)


def test_a_bag_that_lies_elsewhere_in_the_picture_proves_no_unboxed_tool() -> None:
    pairs = scans(30, "gun", "knife")
    pairs += [(entry("x", ("gun", BOX)), seen(900)), (entry("y", ("gun", [60, 50, 90, 70])), seen(900, 0b1111))]
    found = inspected(*pairs)
    assert ("x", "y") in found.near_duplicates
    one_box = trap(found, "one_box_an_image")
    assert one_box is not None
    assert one_box.sureness == "possible"
    assert "either each bag holds one threat" in one_box.headline


@pytest.mark.parametrize("classes", [("gun",), ("gun", "knife")])
def test_no_one_box_trap_for_one_class_or_where_images_have_several(classes: tuple[str, ...]) -> None:
    pairs = scans(30, *classes)
    if len(classes) > 1:
        pairs.append((entry("two", ("gun", BOX), ("knife", BOX)), seen(77, things=2)))
    assert trap(inspected(*pairs), "one_box_an_image") is None


def test_byte_identical_images_with_different_boxes_are_paired_with_their_overlap() -> None:
    half = [10.0, 10.0, 30.0, 25.0]
    pairs = [(entry("a", ("knife", BOX)), seen(1)), (entry("b", ("knife", half)), seen(1)), (entry("c", ("knife", BOX)), seen(2))]
    found = inspected(*pairs)
    assert found.contradictory_duplicates == (("a", "b"),)
    assert found.contradictory_overlaps == (0.5,)
    told = trap(found, "contradictory_copies")
    assert told is not None
    assert "1 pair(s) of byte-identical images have different boxes (knife)" in told.headline
    agreed = inspected((entry("a", ("knife", BOX)), seen(1)), (entry("b", ("knife", BOX)), seen(1)))
    assert (agreed.exact_duplicates, agreed.contradictory_duplicates) == ((("a", "b"),), ())


def test_benign_images_that_show_a_bag_with_a_threat_are_named() -> None:
    found = trap(inspected((entry("threat", ("gun", BOX)), seen(1)), (entry("clean"), seen(1, 0b11))), "benign_like_threat")
    assert found is not None
    assert found.examples == (("threat", "clean"),)
    assert trap(inspected((entry("t", ("gun", BOX)), seen(1)), (entry("c"), seen(2))), "benign_like_threat") is None


def test_size_that_tells_benign_from_threat_is_said_in_figures() -> None:
    pairs = [(entry(f"t{n}", ("gun", BOX), size=(100 + n, 80)), seen(n)) for n in range(25)]
    large = [(entry(f"b{n}", size=(200 + n, 80)), seen(100 + n)) for n in range(25)]
    found = trap(inspected(*pairs, *large), "size_tells_benign")
    assert found is not None
    assert "Benign images are larger" in found.headline
    assert "100%" in found.headline
    same = [(entry(f"b{n}", size=(100 + n, 80)), seen(100 + n)) for n in range(25)]
    assert trap(inspected(*pairs, *same), "size_tells_benign") is None
    assert trap(inspected(*pairs, *large[:10]), "size_tells_benign") is None, "ten images are too few to claim anything"


def test_a_scanner_that_tells_benign_from_threat_is_named() -> None:
    threats = [(entry(f"t{n}", ("gun", BOX)), seen(n, air=250)) for n in range(30)]
    benign = [(entry(f"b{n}"), seen(100 + n, air=190)) for n in range(30)]
    found = trap(inspected(*threats, *benign), "scanner_tells_benign")
    assert found is not None
    assert "guesses 100% right, who knows nothing 50%" in found.headline
    mixed = [(one, seen(number, air=250 if number % 2 else 190)) for number, (one, _) in enumerate([*threats, *benign])]
    assert trap(inspected(*mixed), "scanner_tells_benign") is None


def test_published_parts_that_cut_a_bag_are_told() -> None:
    pairs = [(entry("a", part="train"), seen(1)), (entry("b", part="test"), seen(1, 0b1)), (entry("c", part="test"), seen(2))]
    found = trap(inspected(*pairs), "published_parts_leak")
    assert found is not None
    assert found.examples == (("a", "b"),)
    assert "(train, test) cut 1 group(s)" in found.headline
    unnamed = [(entry("a", part="train"), seen(1)), (entry("b"), seen(1, 0b1))]
    assert trap(inspected(*unnamed), "published_parts_leak") is None


def test_bags_scanned_again_under_the_next_number_are_told() -> None:
    near = [(entry(f"P{10 * pair + copy:05}"), seen(pair, copy)) for pair in range(25) for copy in range(2)]
    found = trap(inspected(*near), "neighbours_alike")
    assert found is not None
    assert "100%" in found.headline
    far = [(entry(f"P{pair + 1000 * copy:05}"), seen(pair, copy)) for pair in range(25) for copy in range(2)]
    assert trap(inspected(*far), "neighbours_alike") is None


def test_labels_of_whole_images_are_not_benign_and_are_told() -> None:
    found = inspected((entry("a", image_labels=("gun",)), seen(1)), (entry("b"), seen(2)))
    assert (found.benign_images, found.whole_label_images, dict(found.whole_images_per_class)) == (1, 1, {"gun": 1})
    assert trap(found, "labels_without_boxes") is not None


def test_rare_classes_steep_imbalance_and_odd_boxes_are_told() -> None:
    pairs = [(entry(f"s{n}", ("gun", BOX), ("gun", [0, 0, 5, 5])), seen(n, things=2)) for n in range(30)]
    pairs.append((entry("k", ("knife", [0, 0, 100, 80]), ("knife", [0, 0, 3, 9]), ("knife", [0, 0, 3, 9])), seen(99, things=3)))
    found = inspected(*pairs)
    imbalance, rare, odd = (trap(found, kind) for kind in ("imbalance", "rare_classes", "odd_boxes"))
    assert imbalance is not None
    assert imbalance.headline == "Steep imbalance: 60 of gun for 3 of knife."
    assert rare is not None
    assert "knife" in rare.headline
    assert odd is not None
    assert "1 image(s) hold the same box twice" in odd.headline
    assert "2 box(es) are under four pixels" in odd.headline


def test_overlap_by_hand() -> None:
    one = (("a", (0.0, 0.0, 2.0, 2.0)),)
    assert best_overlap(one, (("a", (1.0, 1.0, 3.0, 3.0)), ("b", (5.0, 5.0, 6.0, 6.0)))) == pytest.approx(1 / 7)
    assert best_overlap(one, one) == 1.0
    assert best_overlap(one, ()) == 0.0
