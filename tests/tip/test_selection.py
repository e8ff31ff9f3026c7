from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from threatray.core import COLOUR, DUAL_ENERGY, Origin, OriginKind, Provenance, Quantity, Signature, XrayImage
from threatray.errors import ConfigError
from threatray.tip.library import LibraryEntry
from threatray.tip.selection import Selection, look_of, near_duplicates

ENTRY = LibraryEntry("a", "gun", DUAL_ENERGY, 40, 30, Origin(OriginKind.REAL, "a", "a", provenance=Provenance("s", "CC-BY-4.0")), 0.7)


@pytest.mark.parametrize(
    ("selection", "holds"),
    [
        (Selection(), True),
        (Selection(classes=("gun", "knife")), True),
        (Selection(classes=("knife",)), False),
        (Selection(origin=OriginKind.REAL), True),
        (Selection(origin=OriginKind.RENDERED), False),
        (Selection(min_quality=0.7), True),
        (Selection(min_quality=0.71), False),
        (Selection(min_side=40), True),
        (Selection(min_side=41), False),
        (Selection(max_side=40), True),
        (Selection(max_side=39), False),
        (Selection(channels=2), True),
        (Selection(channels=3), False),
        (Selection(licence="cc-by"), True),
        (Selection(licence="MIT"), False),
    ],
)
def test_each_filter_keeps_what_it_says(selection, holds):
    assert selection.holds(ENTRY) is holds


def test_unmeasured_quality_passes_only_where_none_is_asked():
    unknown = replace(ENTRY, quality=None)
    assert Selection().holds(unknown)
    assert not Selection(min_quality=0.01).holds(unknown)


def test_wrong_limits_are_refused():
    with pytest.raises(ConfigError, match="min_quality must lie in"):
        Selection(min_quality=2)
    with pytest.raises(ConfigError, match="1 <= min_side <= max_side, got 9 and 3"):
        Selection(min_side=9, max_side=3)
    with pytest.raises(ConfigError, match="channels must be 1"):
        Selection(channels=4)
    with pytest.raises(ConfigError, match="most_bits must lie in"):
        near_duplicates([], [], most_bits=65)


def thing(seed: int, name: str, grow: int = 1, shift: float = 0.0, class_name: str = "gun", channels: int = 3) -> Signature:
    rng = np.random.default_rng(seed)
    blocks = np.kron(rng.uniform(0.2, 0.8, (channels, 8, 10)), np.ones((1, 6 * grow, 6 * grow))).astype(np.float32)
    mask = np.kron(rng.random((8, 10)) < 0.75, np.ones((6 * grow, 6 * grow))) > 0
    values = np.where(mask, np.clip(blocks + shift, 0.01, 1), 1).astype(np.float32)
    image = XrayImage(values, Quantity.TRANSMISSION, {2: DUAL_ENERGY, 3: COLOUR}[channels])
    return Signature(name, image, mask, class_name, Origin(OriginKind.REAL, name, name))


def entry_of(signature: Signature, quality: float | None) -> LibraryEntry:
    size = (signature.image.width, signature.image.height)
    return LibraryEntry(signature.id, signature.class_name, signature.image.channels, *size, signature.origin, quality)


def groups(things: list[Signature], qualities: list[float | None]) -> tuple[tuple[str, ...], ...]:
    return near_duplicates(
        [entry_of(one, quality) for one, quality in zip(things, qualities, strict=True)], [look_of(one) for one in things]
    )


def test_a_scaled_and_a_slightly_brighter_copy_repeat_each_other_and_the_best_comes_first():
    things = [thing(1, "a"), thing(2, "b"), thing(1, "c", grow=2), thing(1, "d", shift=0.01)]
    assert groups(things, [0.5, 0.9, 0.5, 0.8]) == (("d", "c", "a"),)
    assert groups(things, [None, None, None, None]) == (("c", "a", "d"),)


def test_another_class_or_other_channels_is_another_thing():
    assert groups([thing(1, "a"), thing(1, "b", class_name="knife")], [0.5, 0.5]) == ()
    assert groups([thing(1, "a", channels=3), thing(1, "b", channels=2)], [0.5, 0.5]) == ()


def test_the_same_outline_with_other_insides_is_another_thing():
    first, other = thing(1, "a"), thing(2, "b")
    image = XrayImage(np.where(first.mask, other.image.values * 0.9, 1).astype(np.float32), Quantity.TRANSMISSION, COLOUR)
    assert groups([first, Signature("b", image, first.mask, "gun", first.origin)], [0.5, 0.5]) == ()
