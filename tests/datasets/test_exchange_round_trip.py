"""Write then read is the identity for what a format holds, on generated 37x31 images."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from threatray.core import Annotations, Provenance
from threatray.core.image_file import write_png
from threatray.datasets.dataset import Entry
from threatray.datasets.formats import cyclegan, hugging_face, hugging_face_parquet, webdataset, yolo
from threatray.datasets.formats.format import Format, Holds, ReadOptions
from threatray.datasets.formats.unpacked import CACHE_VARIABLE
from threatray.datasets.masks import encode_mask

WIDTH, HEIGHT = 31, 37
FORMATS = (*yolo.FORMATS, cyclegan.FORMAT, hugging_face.FORMAT, hugging_face_parquet.FORMAT, webdataset.FORMAT)
CLASSES = ("gun", "칼", "刀 \"x\" 'y'", "two\nlines", "<script>alert(1)</script>", "no", "1e3", "#hash: x", "never used")
WRITES_EVERYTHING = ("hugging_face", "hugging_face_parquet", "webdataset")


@pytest.fixture(scope="module", autouse=True)
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(7)
    for number in range(4):
        write_png(folder / f"colour{number}.png", rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8))
    for name in ("low", "high"):
        write_png(folder / f"{name}.png", rng.integers(0, 65536, (HEIGHT, WIDTH)).astype(np.uint16))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(folder / "cache"))
        yield folder


def corner_pair(side: int) -> st.SearchStrategy[tuple[float, float]]:
    """Two float32 corners along a side: 0 and the side itself, whole ones, and any that are no smaller than 2^-26 of the side."""
    corner = st.one_of(
        st.sampled_from([0.0, float(side)]),
        st.integers(0, side).map(float),
        st.floats(side * 2.0**-26, side, width=32, exclude_min=True).filter(lambda value: value >= side * 2.0**-26),
    )
    return st.tuples(corner, corner).map(lambda pair: (min(pair), max(pair))).filter(lambda pair: np.float32(pair[1]) > np.float32(pair[0]))


@st.composite
def things(draw: st.DrawFn) -> tuple[Annotations, tuple[object | None, ...]]:
    count = draw(st.integers(0, 3))
    boxes, masks = [], []
    for _ in range(count):
        (x0, x1), (y0, y1) = draw(corner_pair(WIDTH)), draw(corner_pair(HEIGHT))
        boxes.append((x0, y0, x1, y1))
        kind = draw(st.sampled_from(["none", "runs", "polygon"]))
        if kind == "runs":
            filled = np.random.default_rng(draw(st.integers(0, 99))).random((HEIGHT, WIDTH)) < draw(st.sampled_from([0.05, 0.5, 0.9]))
            masks.append(encode_mask(filled))
        elif kind == "polygon":
            corners = st.tuples(st.integers(0, WIDTH * 10), st.integers(0, HEIGHT * 10))
            ring = draw(st.lists(corners, min_size=3, max_size=6, unique=True))
            masks.append([[number / 10 for corner in ring for number in corner]])
        else:
            masks.append(None)
    labels = tuple(draw(st.sampled_from(CLASSES[:-1])) for _ in range(count))
    array = np.array(boxes, np.float32).reshape(-1, 4)
    return Annotations(array, labels), tuple(masks) if any(one is not None for one in masks) else ()


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)


@st.composite
def datasets(draw: st.DrawFn) -> list[dict[str, Any]]:
    ids = draw(
        st.lists(
            st.sampled_from(["bag-1", "a.b", "가방 7", "x'y", "_", "train__1", "n9", "a_b", "low"]), min_size=1, max_size=4, unique=True
        )
    )
    made = []
    for own in ids:
        boxes, masks = draw(things())
        kind = draw(st.sampled_from(["colour", "colour", "both", "dual"]))
        made.append(
            {
                "id": own,
                "colour": None if kind == "dual" else draw(st.integers(0, 3)),
                "dual": kind != "colour",
                "things": boxes,
                "segmentations": masks,
                "group": draw(WORDS),
                "provenance": draw(st.sampled_from([Provenance(), Provenance("SIXray 원본", "academic only"), Provenance("s")])),
                "part": draw(st.sampled_from(["", "train", "val", "test", "hidden", "../x", "test"])),
                "difficulty": draw(st.sampled_from(["", "hard"])),
                "view": draw(st.sampled_from(["", "side"])),
                "image_labels": draw(st.sampled_from([(), ("gun",), ("칼", "no")])),
                "white_level": draw(st.sampled_from([65535, 60000])),
            }
        )
    return made


def entry_of(made: dict[str, Any], pictures: Path) -> Entry:
    fields = {key: value for key, value in made.items() if key not in ("colour", "dual")}
    colour = None if made["colour"] is None else pictures / f"colour{made['colour']}.png"
    low, high = (pictures / "low.png", pictures / "high.png") if made["dual"] else (None, None)
    return Entry(image_path=colour, low_path=low, high_path=high, width=WIDTH, height=HEIGHT, **fields)


def said(entry: Entry, form: Format) -> dict[str, Any]:
    """What an entry says of the things that a format holds."""
    holds = form.holds
    told: dict[str, Any] = {"id": entry.id, "size": (entry.width, entry.height)}
    told["colour"] = None if entry.image_path is None else entry.image_path.read_bytes()
    if Holds.BOXES in holds:
        told["labels"] = entry.labels
        if form.keeps_boxes_exactly:
            told["boxes"] = entry.boxes.tolist()
    if Holds.MASKS in holds and form.keeps_boxes_exactly:
        told["segmentations"] = entry.segmentations
    for what, field in ((Holds.GROUP, "group"), (Holds.DIFFICULTY, "difficulty"), (Holds.VIEW, "view"), (Holds.PROVENANCE, "provenance")):
        if what in holds:
            told[field] = getattr(entry, field)
    if Holds.PART in holds:
        told["part"] = entry.part if form.name != "cyclegan" or entry.part in ("val", "test") else "train"
    if Holds.IMAGE_LABELS in holds:
        told["image_labels"] = entry.image_labels
    if Holds.DUAL_ENERGY in holds:
        told["dual"] = [path.read_bytes() for path in (entry.low_path, entry.high_path) if path is not None]
        told["white_level"] = entry.white_level
    return told


def can_hold(entry: Entry, form: Format) -> bool:
    if form.name in WRITES_EVERYTHING:
        return True
    if form.name == "cyclegan":
        return entry.image_path is not None
    return entry.image_path is not None and (bool(entry.labels) or not entry.image_labels)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(datasets())
def test_write_then_read_is_the_identity(
    form: Format, pictures: Path, tmp_path_factory: pytest.TempPathFactory, made: list[dict[str, Any]]
) -> None:
    entries = [entry_of(one, pictures) for one in made]
    held = sorted((entry for entry in entries if can_hold(entry, form)), key=lambda entry: entry.id)
    folder = tmp_path_factory.mktemp("written") / form.name
    folder.mkdir()
    assert form.write is not None
    refused = form.write(folder, CLASSES, entries)
    assert sorted(one.item for one in refused) == sorted(entry.id for entry in entries if not can_hold(entry, form))
    if not held:
        return
    read = form.read(folder, ReadOptions(strict=True)).collect()
    assert [said(entry, form) for entry in read.entries] == [said(entry, form) for entry in held]
    assert (read.format_name, read.set_aside) == (form.name, ())
    if form.name != "cyclegan":
        assert read.classes == CLASSES
    else:
        assert all(entry.image_labels == ("domain_b",) for entry in read.entries)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_the_same_entries_give_the_same_bytes_and_only_their_own_format_recognises_them(
    form: Format, pictures: Path, tmp_path: Path
) -> None:
    boxes = np.array([[1, 2, 5, 9]], np.float32)
    square = [[1.0, 2.0, 5.0, 2.0, 5.0, 9.0, 3.0, 11.0, 1.0, 9.0]]
    entries = [
        Entry(
            id=f"b{number}",
            image_path=pictures / "colour0.png",
            width=WIDTH,
            height=HEIGHT,
            things=Annotations(boxes, ("gun",)),
            segmentations=(square,),
            group="g",
            part=part,
        )
        for number, part in enumerate(("train", "test", ""))
    ]
    assert form.write is not None
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        assert form.write(tmp_path / name, CLASSES, iter(entries)) == ()
    one, two = ({path.relative_to(tmp_path / name): path.read_bytes() for path in files_below(tmp_path / name)} for name in ("one", "two"))
    assert one == two
    assert [other.name for other in FORMATS if other.detect(tmp_path / "one")] == [form.name]


def files_below(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@settings(deadline=None, max_examples=60)
@given(datasets())
def test_outlines_keep_every_pixel_of_a_mask(pictures: Path, tmp_path_factory: pytest.TempPathFactory, made: list[dict[str, Any]]) -> None:
    entries = [entry_of({**one, "colour": 0, "image_labels": ()}, pictures) for one in made]
    masked = [entry for entry in entries if entry.segmentations and all(entry.segmentations)]
    if not masked:
        return
    folder = tmp_path_factory.mktemp("segments")
    assert yolo.SEGMENTS.write is not None
    yolo.SEGMENTS.write(folder, CLASSES, masked)
    stream = yolo.SEGMENTS.read(folder, ReadOptions())
    read = {entry.id: entry for entry in stream.entries}
    for entry in masked:
        before, after = entry.annotations().masks, read[entry.id].annotations().masks if entry.id in read else None
        assert before is not None
        if after is None or len(after) != len(before):  # an outline without area is said, not read
            assert stream.faults.found
            continue
        np.testing.assert_array_equal(before, after)


def test_a_label_beyond_the_classes_is_the_callers_mistake(pictures: Path, tmp_path: Path) -> None:
    things_ = Annotations(np.array([[1, 2, 5, 9]], np.float32), ("gun",))
    entry = Entry(id="a", image_path=pictures / "colour0.png", width=WIDTH, height=HEIGHT, things=things_, group="a")
    for form in FORMATS:
        if form.name == "cyclegan":
            continue
        assert form.write is not None
        (tmp_path / form.name).mkdir()
        with pytest.raises(Exception, match="'gun' is not among the classes") as caught:
            form.write(tmp_path / form.name, ("knife",), [entry])
        assert type(caught.value).__name__ == "DataError"
        with pytest.raises(Exception, match="a class is named twice"):
            form.write(tmp_path / form.name, ("gun", "gun"), [entry])
