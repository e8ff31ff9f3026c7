from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.core import Annotations
from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.fingerprints import Fingerprint
from threatray.datasets.split import assign_groups, block_name, check_no_leak, shares, split_by_group
from threatray.errors import ConfigError, DataError

THIRDS = {"train": 0.5, "validation": 0.2, "test": 0.3}


def entry(name: str, group: str, labels: tuple[str, ...] = ("gun",)) -> Entry:
    things = Annotations(np.tile(np.array([[0, 0, 2, 2]], np.float32), (len(labels), 1)), labels)
    return Entry(id=name, image_path=Path(f"{name}.png"), width=9, height=9, things=things, group=group)


def dataset(*entries: Entry) -> Dataset:
    return Dataset(Path("bags"), "coco", ("gun", "knife"), entries)


BAGS = st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["gun", "knife", ""])), min_size=40, max_size=80)


@settings(deadline=None, max_examples=40)
@given(BAGS, st.integers(0, 1000))
def test_no_group_is_cut_and_no_image_is_lost(bags: list[tuple[int, str]], seed: int) -> None:
    given_entries = [entry(f"{number:03}", f"bag {bag}", (label,) if label else ()) for number, (bag, label) in enumerate(bags)]
    given_entries += [entry(f"x{number}", f"own {number}") for number in range(3)]
    parts = split_by_group(dataset(*given_entries), THIRDS, seed=seed, near_duplicates=False)
    assert sorted(name for ids in parts.values() for name in ids) == sorted(one.id for one in given_entries)
    group_of = {one.id: one.group for one in given_entries}
    where = {name: {group_of[item] for item in ids} for name, ids in parts.items()}
    assert not where["train"] & where["test"]
    assert not where["train"] & where["validation"]
    assert not where["validation"] & where["test"]
    assert all(parts.values())


def test_pictures_that_look_alike_stay_together() -> None:
    entries = [entry(f"{number:02}", f"g{number}") for number in range(20)]
    # 0-1-2 are a chain of near-duplicates, every other picture is far from all
    looks = np.random.default_rng(0).integers(0, 2**62, 20).tolist()
    looks[1], looks[2] = looks[0] ^ 0b111, looks[0] ^ 0b111111
    found = {one.id: Fingerprint(one.id, looks[number]) for number, one in enumerate(entries)}
    for seed in range(8):
        parts = split_by_group(dataset(*entries), {"train": 0.5, "test": 0.5}, seed=seed, near_duplicates=True, found=found)
        assert len([name for name, ids in parts.items() if {"00", "01", "02"} & set(ids)]) == 1


def test_byte_copies_stay_together_whatever_they_look_like() -> None:
    entries = [entry(f"{number:02}", f"g{number}") for number in range(10)]
    looks = np.random.default_rng(0).integers(0, 2**62, 10).tolist()
    found = {one.id: Fingerprint("same" if number in (3, 7) else one.id, looks[number]) for number, one in enumerate(entries)}
    for seed in range(8):
        parts = split_by_group(dataset(*entries), {"train": 0.5, "test": 0.5}, seed=seed, near_duplicates=True, found=found)
        assert len([name for name, ids in parts.items() if {"03", "07"} & set(ids)]) == 1


def test_each_class_is_divided_in_the_asked_shares() -> None:
    entries = [entry(f"g{number}", f"g{number}", ("gun",)) for number in range(100)]
    entries += [entry(f"k{number}", f"k{number}", ("knife",)) for number in range(10)]
    entries += [entry(f"n{number}", f"n{number}", ()) for number in range(50)]
    parts = split_by_group(dataset(*entries), THIRDS, seed=3, near_duplicates=False)
    counts = {name: Counter(item[0] for item in ids) for name, ids in parts.items()}
    assert counts == {
        "train": {"g": 50, "k": 5, "n": 25},
        "validation": {"g": 20, "k": 2, "n": 10},
        "test": {"g": 30, "k": 3, "n": 15},
    }
    assert shares(parts) == THIRDS


def test_the_seed_decides_and_repeats() -> None:
    entries = [entry(f"{number:02}", f"g{number}") for number in range(30)]
    first = split_by_group(dataset(*entries), THIRDS, seed=1, near_duplicates=False)
    assert first == split_by_group(dataset(*entries[::-1]), THIRDS, seed=1, near_duplicates=False)
    assert first != split_by_group(dataset(*entries), THIRDS, seed=2, near_duplicates=False)


def test_blocks_join_neighbouring_original_ids() -> None:
    entries = [entry(f"{number:02}", f"P{number:05}") for number in range(40)]
    assert [block_name(name, 10) for name in ("P00009", "P00010", "bag", "7")] == ["P0-9", "P10-19", "bag", "0-9"]
    parts = split_by_group(dataset(*entries), {"train": 0.5, "test": 0.5}, seed=0, near_duplicates=False, block_size=10)
    for ids in parts.values():
        assert len(ids) == 20
        assert {int(name) // 10 for name in ids}.__len__() == 2
    assert assign_groups(dataset(*entries), 1).entries == tuple(entries)


def test_unreadable_pictures_are_in_no_part() -> None:
    entries = [entry(f"{number}", f"g{number}") for number in range(6)]
    looks = np.random.default_rng(0).integers(0, 2**62, 6).tolist()
    found = {one.id: Fingerprint(one.id, looks[number], "broken" if one.id == "4" else "") for number, one in enumerate(entries)}
    parts = split_by_group(dataset(*entries), {"train": 0.5, "test": 0.5}, seed=0, near_duplicates=True, found=found)
    assert "4" not in {name for ids in parts.values() for name in ids}


def test_a_leak_is_named() -> None:
    bags = dataset(entry("a", "g"), entry("b", "g"), entry("c", "h"))
    check_no_leak(bags, {"train": ("a", "b"), "test": ("c",)})
    with pytest.raises(DataError, match="group 'g' is in both 'train' and 'test'"):
        check_no_leak(bags, {"train": ("a",), "test": ("b", "c")})
    with pytest.raises(DataError, match="image 'a' is in both"):
        check_no_leak(bags, {"train": ("a",), "test": ("a",)})
    with pytest.raises(DataError, match="names 'z', which bags does not hold"):
        check_no_leak(bags, {"train": ("z",)})
    alike = {"b": Fingerprint("1", 0xFFFFF0), "c": Fingerprint("2", 0xFFFFF7)}
    with pytest.raises(DataError, match="near-duplicate of 'b' is in both"):
        check_no_leak(bags, {"train": ("a", "b"), "test": ("c",)}, found=alike)


def test_impossible_wishes_are_refused() -> None:
    bags = dataset(entry("a", "g"), entry("b", "g"))
    with pytest.raises(DataError, match=r"1 independent group\(s\) cannot be divided into 2 parts"):
        split_by_group(bags, {"train": 0.5, "test": 0.5}, seed=0, near_duplicates=False)
    for fractions in ({"train": 0.5, "test": 0.6}, {"train": 1.0, "test": 0.0}, {}, {"train": float("nan")}):
        with pytest.raises(ConfigError, match="shares over 0 that add to 1"):
            split_by_group(bags, fractions, seed=0, near_duplicates=False)
    with pytest.raises(ConfigError, match="block_size: expected 1 or more, got 0"):
        assign_groups(bags, 0)
