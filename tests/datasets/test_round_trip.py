"""Writing and reading back is the identity on all that a format holds: one law for every format in the registry that writes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from threatray.core import Annotations, Provenance
from threatray.core.annotations import box_of_mask
from threatray.core.image_file import write_jpeg, write_png
from threatray.datasets.convert import convert
from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.formats import FORMATS, detect_format, read_dataset
from threatray.datasets.formats.format import Format, Holds, held_by
from threatray.datasets.masks import decode_mask, encode_mask

WIDTH, HEIGHT = 31, 37
CLASSES = ("gun", "총기", "管制刀具", 'knife "folding"', "it's <script>", "a & b, c")
IDS = ("bag 1", "P00002", "가방-3", "包.4", "it's 5", "x_low", "_6")
WRITERS = [one for one in FORMATS if one.write is not None]


@st.composite
def things(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Boxes with float32 corners; a thing with a mask has the mask's own box, since some formats keep the outline only."""
    found = []
    for _ in range(draw(st.integers(0, 3))):
        x0, y0 = draw(st.integers(0, WIDTH - 8)), draw(st.integers(0, HEIGHT - 8))
        width, height = draw(st.integers(6, WIDTH - x0)), draw(st.integers(6, HEIGHT - y0))
        if draw(st.booleans()):
            rows, columns = np.mgrid[:HEIGHT, :WIDTH]
            round_ = ((columns - x0 - width / 2 + 0.5) / width * 2) ** 2 + ((rows - y0 - height / 2 + 0.5) / height * 2) ** 2 <= 1
            mask = round_ | ((columns == x0 + width // 2) & (rows >= y0) & (rows < y0 + height))
            found.append({"label": draw(st.sampled_from(CLASSES)), "box": box_of_mask(mask), "mask": mask})
        else:
            inset = draw(st.floats(0, 0.875, width=32))
            corners = np.array([x0 + inset, y0 + inset / 2, x0 + width - inset / 3, y0 + height - inset], np.float32)
            found.append({"label": draw(st.sampled_from(CLASSES)), "box": tuple(corners.tolist()), "mask": None})
    return found


@st.composite
def images(draw: st.DrawFn) -> list[dict[str, Any]]:
    """One to four images; what is said of each is drawn, its pixels follow from its place."""
    ids = draw(st.lists(st.sampled_from(IDS), min_size=1, max_size=4, unique=True))
    return [
        {
            "id": name,
            "things": draw(things()),
            "group": draw(st.sampled_from([name, "case 3", "안전"])),
            "provenance": draw(st.sampled_from([Provenance(), Provenance("SIXray", "research only"), Provenance("나", "CC0 1.0")])),
            "part": draw(st.sampled_from(["", "train", "val", "test"])),
            "difficulty": draw(st.sampled_from(["", "", "hidden"])),
            "view": draw(st.sampled_from(["", "", "side"])),
            "image_labels": draw(st.sampled_from([(), (), *((name,) for name in CLASSES)])),
            "files": draw(st.sampled_from(["colour", "colour", "jpeg", "both", "energies"])),
            "white_level": draw(st.sampled_from([65535, 60000])),
        }
        for name in ids
    ]


def on_disk(folder: Path, drawn: list[dict[str, Any]]) -> Dataset:
    entries = []
    for seed, one in enumerate(drawn):
        rng = np.random.default_rng(seed)
        paths: dict[str, Path] = {}
        if one["files"] != "energies":
            paths["image_path"] = folder / f"{seed}{'.jpg' if one['files'] == 'jpeg' else '.png'}"
            write = write_jpeg if one["files"] == "jpeg" else write_png
            write(paths["image_path"], rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
        if one["files"] in ("both", "energies"):
            for energy in ("low", "high"):
                paths[f"{energy}_path"] = folder / f"{seed}_{energy}.png"
                write_png(paths[f"{energy}_path"], rng.integers(0, 65536, (HEIGHT, WIDTH), dtype=np.uint16))
        boxes = np.array([thing["box"] for thing in one["things"]], np.float32).reshape(-1, 4)
        masks = [None if thing["mask"] is None else encode_mask(thing["mask"]) for thing in one["things"]]
        said = {key: one[key] for key in ("id", "group", "provenance", "part", "difficulty", "view", "image_labels")}
        entry = Entry(
            width=WIDTH,
            height=HEIGHT,
            things=Annotations(boxes, tuple(thing["label"] for thing in one["things"])),
            segmentations=tuple(masks) if any(masks) else (),
            white_level=one["white_level"] if "low_path" in paths else 65535,
            **said,
            **paths,
        )
        entries.append(entry)
    return Dataset(folder, "generated", CLASSES, tuple(sorted(entries, key=lambda entry: entry.id)))


def assert_kept(before: Entry, after: Entry, target: Format) -> None:
    """All that the format holds is as it was; boxes within half a pixel and masks within a pixel of their edge where it says so."""
    holds, exactly = target.holds, target.keeps_boxes_exactly
    assert (after.id, after.width, after.height) == (before.id, WIDTH, HEIGHT)
    if before.image_path is not None:
        assert after.image_path is not None
        assert after.image_path.read_bytes() == before.image_path.read_bytes()
    if Holds.BOXES in holds:
        assert after.labels == before.labels
        np.testing.assert_allclose(after.boxes, before.boxes, rtol=0, atol=0 if exactly else 0.5)
    if Holds.MASKS in holds:
        if exactly:
            assert [one is not None for one in after.segmentations] == [one is not None for one in before.segmentations]
        for old, new in (
            ()
            if not before.segmentations
            else zip(before.segmentations, after.segmentations or (None,) * len(before.segmentations), strict=True)
        ):
            if old is not None:
                assert new is not None
                differ = decode_mask(old, HEIGHT, WIDTH) != decode_mask(new, HEIGHT, WIDTH)
                assert not (differ & ~(near_edge(decode_mask(old, HEIGHT, WIDTH)) if not exactly else False)).any()
    for what, name in (
        (Holds.IMAGE_LABELS, "image_labels"),
        (Holds.GROUP, "group"),
        (Holds.PART, "part"),
        (Holds.DIFFICULTY, "difficulty"),
        (Holds.VIEW, "view"),
        (Holds.PROVENANCE, "provenance"),
    ):
        if what is Holds.PART and what in holds and not before.part:
            assert after.part in ("", "train"), "some formats have a folder for each part, and none for no part"
        elif what in holds:
            assert getattr(after, name) == getattr(before, name), what
    if Holds.DUAL_ENERGY in holds and before.has_dual_energy:
        assert after.low_path is not None and after.high_path is not None and before.low_path is not None and before.high_path is not None
        assert after.low_path.read_bytes() == before.low_path.read_bytes()
        assert after.high_path.read_bytes() == before.high_path.read_bytes()
        assert after.white_level == before.white_level


def near_edge(mask: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    padded = np.pad(mask, 1)
    around = [padded[1 + dy : 1 + dy + HEIGHT, 1 + dx : 1 + dx + WIDTH] for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    return np.any(around, axis=0) & ~np.all(around, axis=0)


@pytest.mark.parametrize("target", WRITERS, ids=lambda one: one.name)
@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=images())
def test_reading_gives_back_what_was_written(tmp_path_factory: pytest.TempPathFactory, target: Format, drawn: list[dict[str, Any]]) -> None:
    folder = tmp_path_factory.mktemp("trip")
    (folder / "in").mkdir()
    # one image that every format holds, so that there is always something to write
    anchor = {**drawn[0], "id": "anchor", "things": [], "image_labels": (), "files": "colour"}
    before = on_disk(folder / "in", [*drawn, anchor])
    done = convert(before, folder / "out", target.name)
    after = read_dataset(folder / "out", target.name, strict=True)
    assert (after.format_name, after.set_aside) == (target.name, ())
    assert detect_format(folder / "out").name.partition("_")[0] == target.name.partition("_")[0]  # kinds of one family may look alike
    left_out = {one.item for one in done.set_aside}
    kept = [entry for entry in before.entries if entry.id not in left_out]
    assert [entry.id for entry in after.entries] == [entry.id for entry in kept]
    assert len(kept) == done.images
    for old, new in zip(kept, after.entries, strict=True):
        assert_kept(old, new, target)
    counted = {what: sum(held_by(entry).get(what, 0) for entry in kept) for what in Holds if what not in target.holds}
    assert {one.what: one.things for one in done.lost} == {what: count for what, count in counted.items() if count}


def test_there_are_writers_to_test() -> None:
    assert {"coco", "voc"} <= {one.name for one in WRITERS}
