"""What holds for every published dataset: what is kept, what is set aside, how it is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from native_miniatures import MINIATURES, OTHER_LAYOUTS, text

from threatray.datasets.convert import convert
from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.formats import read_dataset
from threatray.datasets.formats.format import Holds, ReadOptions, held_by
from threatray.datasets.formats.native import own_id
from threatray.datasets.formats.native_files import listed_ids, mentions
from threatray.datasets.formats.published import PUBLISHED_FORMATS
from threatray.datasets.masks import decode_mask
from threatray.errors import DataError

FORMATS = {each.name: each for each in PUBLISHED_FORMATS}
LAYOUTS = {**MINIATURES, **OTHER_LAYOUTS}
FAULTY = sorted(set(MINIATURES))


@pytest.mark.parametrize("name", sorted(MINIATURES))
def test_a_format_claims_to_hold_exactly_what_its_miniatures_show(
    name: str, build: Callable[[str], Path], read: Callable[..., Dataset]
) -> None:
    layouts = [layout for layout in LAYOUTS if layout.split(":")[0] == name]
    entries = [entry for layout in layouts for entry in read(name, build(layout)).entries]
    shown = {what for entry in entries for what in held_by(entry)}
    unseen = {Holds.MASKS} if name in ("clcxray", "ldxray") else set()  # COCO files could hold them; the published ones are boxes
    assert FORMATS[name].holds == shown | unseen


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_every_image_says_where_it_comes_from_and_under_which_terms(
    name: str, build: Callable[[str], Path], read: Callable[..., Dataset]
) -> None:
    dataset = read(name, build(name))
    assert {entry.provenance.source for entry in dataset.entries} == {FORMATS[name.split(":")[0]].title}
    assert all(entry.provenance.licence not in ("", "unknown") for entry in dataset.entries)
    assert len({entry.id for entry in dataset.entries}) == len(dataset.entries)


@pytest.mark.parametrize("name", FAULTY)
def test_strict_reading_stops_at_the_first_fault_with_one_message(
    name: str, build: Callable[[str], Path], read: Callable[..., Dataset]
) -> None:
    root = build(name)
    with pytest.raises(DataError) as caught:
        read(name, root, strict=True)
    message = str(caught.value)
    assert message.startswith(f"{root}, ") and message.count("Correct it, or read without --strict") == 1


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_entries_come_one_at_a_time(name: str, build: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    root, looked = build(name), []

    def size(path: Path) -> tuple[int, int]:
        looked.append(path)
        return 37, 31

    for module in ("txt_boxes", "eds", "sixray", "coco_parts", "ldxray", "pixray", "gdxray", "dvxray", "stcray", "compass_xp"):
        monkeypatch.setattr(f"threatray.datasets.formats.{module}.image_size", size)
    stream = FORMATS[name.split(":")[0]].read(root, ReadOptions())
    assert looked == []
    next(stream.entries)
    assert 1 <= len(looked) <= 3


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_the_same_folder_reads_the_same_twice(name: str, build: Callable[[str], Path], read: Callable[..., Dataset]) -> None:
    root = build(name)
    first, second = read(name, root), read(name, root)
    assert _plain(first) == _plain(second)


def _plain(dataset: Dataset) -> list[Any]:
    entries = [(entry.id, entry.labels, entry.boxes.tolist(), entry.group, entry.part, entry.image_labels) for entry in dataset.entries]
    return [entries, dataset.set_aside, dataset.notes, dataset.classes]


@pytest.mark.parametrize("name", sorted(MINIATURES))
def test_a_folder_of_another_layout_is_refused_with_what_was_expected(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is not laid out as .*: expected "):
        FORMATS[name].read(tmp_path, ReadOptions())


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_a_folder_with_nothing_sound_says_so_and_why(name: str, build: Callable[[str], Path], read: Callable[..., Dataset]) -> None:
    root = build(name)
    for path in sorted(root.rglob("*")):
        if path.suffix in (".jpg", ".png", ".TIFF"):
            path.write_bytes(b"no image")
    with pytest.raises(DataError, match=r"holds no usable .* image \(\d+ set aside, the first: "):
        read(name, root)


@pytest.mark.parametrize("name", sorted(MINIATURES))
def test_files_that_are_links_out_of_the_dataset_are_not_read(
    name: str, build: Callable[[str], Path], read: Callable[..., Dataset], tmp_path: Path
) -> None:
    root = build(name)
    for number, path in enumerate(path for path in sorted(root.rglob("*")) if path.is_file()):
        outside = tmp_path / "outside" / f"{number}{path.suffix}"
        outside.parent.mkdir(exist_ok=True)
        path.rename(outside)
        path.symlink_to(outside)
    with pytest.raises(DataError, match=r"link that leads out|holds no usable|is not laid out"):
        read(name, root)


@pytest.mark.parametrize("whole_folder", [False, True])
@pytest.mark.parametrize(("name", "suffix"), [("opixray", ".txt"), ("dvxray", ".json"), ("pixray", ".json"), ("stcray", ".json")])
def test_annotations_that_are_links_out_of_the_dataset_are_not_read(
    name: str, suffix: str, whole_folder: bool, build: Callable[[str], Path], read: Callable[..., Dataset], tmp_path: Path
) -> None:
    root = build(name)
    found = sorted(path for path in root.rglob(f"*{suffix}") if path.is_file())
    moved = sorted({path.parent for path in found}) if whole_folder else found
    for number, path in enumerate(moved):
        outside = tmp_path / "outside" / f"{number}{path.suffix}"
        outside.parent.mkdir(exist_ok=True)
        path.rename(outside)
        path.symlink_to(outside)
    try:
        dataset = read(name, root)
    except DataError as error:
        assert "link that leads out of the dataset" in str(error)
    else:
        assert all(entry.is_benign for entry in dataset.entries)  # only STCray's harmless folder needs no annotation


def test_a_list_of_mislabelled_negatives_is_asked_for_unless_it_is_given(
    build: Callable[[str], Path], read: Callable[..., Dataset]
) -> None:
    root = build("sixray")
    asked = "give the list of their ids to leave them out."
    assert any(asked in note for note in read("sixray", root).notes)
    assert not any(asked in note for note in read("sixray", root, mislabelled=frozenset({"N0000001"})).notes)


def test_mislabelled_negatives_are_set_aside(build: Callable[[str], Path]) -> None:
    listed = frozenset({"N0000001", "P00001", "N0000099"})  # a benign one, one that nobody takes for benign, one that is not here
    dataset = read_dataset(build("sixray"), mislabelled=listed)
    assert [entry.id for entry in dataset.entries] == ["N0000002", "N0000004", "P00001", "P00002", "P00003"]
    assert "N0000001" in [one.item for one in dataset.set_aside]


@pytest.mark.parametrize("name", sorted(LAYOUTS))
def test_a_published_dataset_written_as_coco_reads_back_the_same(name: str, build: Callable[[str], Path], tmp_path: Path) -> None:
    dataset = read_dataset(build(name))
    convert(dataset, tmp_path / "written", "coco")
    back = read_dataset(tmp_path / "written")
    assert back.format_name == "coco"
    assert [_whole(entry) for entry in back.entries] == [_whole(entry) for entry in dataset.entries]


def _whole(entry: Entry) -> list[Any]:
    masks = [None if one is None else decode_mask(one, entry.height, entry.width).tolist() for one in entry.segmentations]
    said = [entry.id, entry.labels, entry.boxes.tolist(), entry.image_labels, entry.part, entry.difficulty, entry.view, entry.group]
    return [*said, masks, entry.provenance, entry.has_dual_energy, entry.white_level if entry.has_dual_energy else None]


def test_names_that_differ_only_in_what_a_file_system_refuses_get_different_ids() -> None:
    assert own_id("train", "a:b") != own_id("train", "a?b") != own_id("train", "a_b") == "train__a_b"


def test_a_list_may_name_files_with_their_extension(tmp_path: Path) -> None:
    text(tmp_path / "list.txt", "\ufeffP1.jpg\r\n\nP2\n2021.03.04\n")
    assert listed_ids(tmp_path / "list.txt", tmp_path.resolve()) == ["P1", "P2", "2021.03.04"]


def test_words_are_looked_for_at_both_ends_of_a_file(tmp_path: Path) -> None:
    for name, content in (
        ("begin", '"Gun"' + "x" * 300_000),
        ("end", "x" * 300_000 + '"Gun"'),
        ("middle", "x" * 150_000 + '"Gun"' + "x" * 150_000),
    ):
        text(tmp_path / name, content)
    assert [mentions(tmp_path / name, ["Gun"]) for name in ("begin", "end", "middle")] == [True, True, False]


def test_no_class_is_lost_or_renamed(build: Callable[[str], Path], read: Callable[..., Dataset]) -> None:
    entries: list[Entry] = [entry for name in ("ldxray", "opixray") for entry in read(name, build(name)).entries]
    labels = {label for entry in entries for label in (*entry.labels, *entry.image_labels)}
    assert {"手机", "橙色液体", "Multi-tool_Knife", "Machete"} <= labels
