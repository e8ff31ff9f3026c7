"""Libraries out of libraries, and libraries out of threats scanned alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from threatray.core import COLOUR, Origin, OriginKind, Provenance, Quantity, Signature, XrayImage
from threatray.core.image_file import write_png
from threatray.errors import ConfigError, DataError
from threatray.pipeline.progress import Progress
from threatray.pipeline.sources import Taxonomy
from threatray.pipeline.stage import Run
from threatray.pipeline.stages.isolated_stage import IsolatedConfig, isolated_signatures
from threatray.pipeline.stages.library_stage import DedupeConfig, add_libraries, dedupe_library, filter_library
from threatray.pipeline.stages.signatures_stage import SignaturesConfig, read_places
from threatray.tip.library import SignatureLibrary, write_index, write_signature
from threatray.tip.selection import Selection

RUN = Run(progress=Progress(quiet=True), workers=1)


def signature(seed: int, name: str, class_name: str = "gun") -> Signature:
    rng = np.random.default_rng(seed)
    values = np.kron(rng.uniform(0.1, 0.9, (3, 8, 8)), np.ones((1, 4, 4))).astype(np.float32)
    image = XrayImage(values, Quantity.TRANSMISSION, COLOUR)
    return Signature(name, image, np.ones((32, 32), bool), class_name, Origin(OriginKind.REAL, name, name, provenance=Provenance("s", "l")))


def written(folder: Path, *things: tuple[Signature, float], places: bool = True) -> Path:
    write_index(folder, [write_signature(folder, thing, {"quality": quality}) for thing, quality in things])
    if places:
        rows = [{"class_name": thing.class_name, "relative_length": 0.3, "position": [0.5, 0.4]} for thing, _ in things]
        (folder / "places.json").write_text(json.dumps(rows))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_filtered_library_holds_the_chosen_ones_byte_for_byte_and_the_source_is_untouched(tmp_path: Path) -> None:
    source = written(tmp_path / "a", (signature(1, "g"), 0.9), (signature(2, "k", "knife"), 0.4))
    before = contents(source)
    filter_library(Selection(min_quality=0.5), source, tmp_path / "out", RUN)
    assert contents(source) == before
    made = contents(tmp_path / "out")
    assert made["gun/g.tif"] == before["gun/g.tif"]
    assert made["gun/g_mask.png"] == before["gun/g_mask.png"]
    assert "knife/k.tif" not in made
    library = SignatureLibrary.open(tmp_path / "out")
    assert library.entries == SignatureLibrary.open(source).select(min_quality=0.5).entries  # provenance and all
    assert set(read_places(tmp_path / "out")[0]) == {"gun"}


def test_grain_goes_with_its_signature_and_tells_two_apart(tmp_path: Path) -> None:
    plain = signature(1, "g")
    grainy, other = (replace(plain, grain=np.full((3, 32, 32), share, np.float32)) for share in (0.25, 0.5))
    source = written(tmp_path / "a", (grainy, 0.9))
    filter_library(Selection(min_quality=0.5), source, tmp_path / "filtered", RUN)
    assert contents(tmp_path / "filtered")["gun/g_grain.png"] == contents(source)["gun/g_grain.png"]
    different = [written(tmp_path / "b", (other, 0.9)), written(tmp_path / "c", (plain, 0.9))]
    add_libraries([source, *different], tmp_path / "all", RUN, rename=True)
    library = SignatureLibrary.open(tmp_path / "all")
    assert [None if (grain := library.load(name).grain) is None else float(grain[0, 0, 0]) for name in library.ids()] == [0.25, 0.5, None]


def test_a_filter_that_keeps_nothing_leaves_nothing_behind(tmp_path: Path) -> None:
    source = written(tmp_path / "a", (signature(1, "g"), 0.9))
    with pytest.raises(DataError, match=r"none of the 1 signatures of .* is chosen"):
        filter_library(Selection(classes=("wrench",)), source, tmp_path / "out", RUN)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a"]


def test_joining_keeps_each_signature_once(tmp_path: Path) -> None:
    one = written(tmp_path / "a", (signature(1, "g"), 0.9), (signature(3, "h"), 0.8))
    two = written(tmp_path / "b", (signature(1, "g"), 0.9), (signature(2, "k", "knife"), 0.4), places=False)
    manifest = add_libraries([one, two], tmp_path / "out", RUN)
    assert SignatureLibrary.open(tmp_path / "out").ids() == ("g", "h", "k")
    assert manifest.summary == {"signatures": {"gun": 2, "knife": 1}, "held_twice": 1}
    assert [aside.item for aside in manifest.set_aside] == [f"{two}: g"]
    assert read_places(tmp_path / "out")[0] == {"gun": [0.3, 0.3]}


def test_different_signatures_of_one_id_are_an_error_unless_renamed(tmp_path: Path) -> None:
    one, two = written(tmp_path / "a", (signature(1, "g"), 0.9)), written(tmp_path / "b", (signature(2, "g"), 0.4))
    with pytest.raises(DataError, match=r"hold different signatures called 'g'. Run with --rename"):
        add_libraries([one, two], tmp_path / "out", RUN)
    add_libraries([one, two], tmp_path / "out", RUN, rename=True)
    library = SignatureLibrary.open(tmp_path / "out")
    assert library.ids() == ("g", "g-2")
    assert library.entry("g-2").extra["renamed_from"] == "g"
    assert library.load("g-2").image.values.tobytes() == SignatureLibrary.open(two).load("g").image.values.tobytes()


def test_joining_in_any_order_holds_the_same(tmp_path: Path) -> None:
    one, two = written(tmp_path / "a", (signature(1, "g"), 0.9)), written(tmp_path / "b", (signature(2, "k", "knife"), 0.4))
    add_libraries([one, two], tmp_path / "ab", RUN)
    add_libraries([two, one], tmp_path / "ba", RUN)
    assert SignatureLibrary.open(tmp_path / "ab").entries == SignatureLibrary.open(tmp_path / "ba").entries


def test_deduplicating_keeps_the_best_of_each_group(tmp_path: Path) -> None:
    source = written(tmp_path / "a", (signature(1, "g"), 0.5), (signature(1, "copy"), 0.7), (signature(2, "h"), 0.4))
    manifest = dedupe_library(DedupeConfig(), source, tmp_path / "out", RUN)
    assert SignatureLibrary.open(tmp_path / "out").ids() == ("copy", "h")
    assert [(aside.item, aside.reason) for aside in manifest.set_aside] == [("g", "nearly the same as copy")]


def test_wrong_libraries_are_refused(tmp_path: Path) -> None:
    one = written(tmp_path / "a", (signature(1, "g"), 0.9))
    with pytest.raises(ConfigError, match="at least two libraries"):
        add_libraries([one], tmp_path / "out", RUN)
    with pytest.raises(ConfigError, match=r"most_bits must lie in \[0, 64\]"):
        DedupeConfig(65)
    (one / "gun/g.tif").unlink()
    with pytest.raises(DataError, match=r"g\.tif: the index lists this signature, but there is no such file"):
        filter_library(Selection(), one, tmp_path / "out", RUN)
    assert not (tmp_path / "out").exists()


def pair(folder: Path, name: str, low: np.ndarray, high: np.ndarray) -> None:
    write_png(folder / f"{name}_low.png", low)
    write_png(folder / f"{name}_high.png", high)


def counts(transmission: float, size: tuple[int, int] = (60, 80), air: int = 60_000) -> np.ndarray:
    levels = np.full(size, air, np.uint16)
    levels[20:40, 20:60] = round(air * transmission)
    return levels


def test_pairs_in_air_keep_sixteen_bits_and_their_provenance(tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    pair(scans, "k1", counts(0.30001), counts(0.5))
    isolated = IsolatedConfig("blade", source="lab", licence="CC0-1.0")
    isolated_signatures(SignaturesConfig(), isolated, Taxonomy((), {"blade": "knife"}), scans, tmp_path / "out", RUN)
    library = SignatureLibrary.open(tmp_path / "out")
    assert library.ids("knife") == ("k1",)
    assert library.entry("k1").origin.provenance == Provenance("lab", "CC0-1.0")
    low, high = library.load("k1").image.values[:, 10, 20]
    assert low == pytest.approx(round(60_000 * 0.30001) / 60_000, abs=2e-5)  # an 8-bit level is 4e-3 wide
    assert high == pytest.approx(0.5, abs=2e-5)
    assert read_places(tmp_path / "out") == ({}, {})


def test_each_subfolder_is_a_class_and_names_may_repeat(tmp_path: Path) -> None:
    for name in ("gun", "knife"):
        pair(tmp_path / "scans" / name, "1", counts(0.3), counts(0.5))
    isolated_signatures(SignaturesConfig(), IsolatedConfig(), Taxonomy(), tmp_path / "scans", tmp_path / "out", RUN)
    assert SignatureLibrary.open(tmp_path / "out").by_class() == {"gun": ("gun-1",), "knife": ("knife-1",)}


def test_colour_and_grey_pictures_count_too(tmp_path: Path) -> None:
    colour = np.full((60, 80, 3), 250, np.uint8)
    colour[20:40, 20:60] = (40, 60, 160)
    write_png(tmp_path / "scans/c.png", colour)
    write_png(tmp_path / "scans/g.png", counts(0.30001))
    isolated_signatures(SignaturesConfig(), IsolatedConfig("knife"), Taxonomy(), tmp_path / "scans", tmp_path / "out", RUN)
    library = SignatureLibrary.open(tmp_path / "out")
    assert library.ids() == ("c", "g")
    assert library.load("g").image.channels == ("grey",)
    assert library.load("g").image.values[0, 10, 20] == pytest.approx(18_001 / 60_000, abs=2e-5)


def test_what_cannot_be_read_rightly_is_set_aside_with_its_reason(tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    pair(scans, "good", counts(0.3), counts(0.5))
    pair(scans, "padded", counts(0.3), counts(0.5, (61, 80)))
    rgba = np.full((60, 80, 3), 255, np.uint8)
    pair(scans, "shown", rgba, rgba)
    eight = (counts(0.3) // 257).astype(np.uint8)
    pair(scans, "eight", eight, eight)
    pair(scans, "empty", counts(1.0), counts(1.0))
    pair(scans, "full", np.full((60, 80), 60_000, np.uint16) - 59_000, np.full((60, 80), 1000, np.uint16))
    manifest = isolated_signatures(SignaturesConfig(), IsolatedConfig("knife"), Taxonomy(), scans, tmp_path / "out", RUN)
    assert SignatureLibrary.open(tmp_path / "out").ids() == ("eight", "good")  # white of eight bits is found in the air too
    reasons = {aside.item.split("/")[1].split(".")[0].removesuffix("_low"): aside.reason for aside in manifest.set_aside}
    assert "its files differ in size: padded_low.png 80x60, padded_high.png 80x61" in reasons["padded"]
    assert "expected a grey image of counts, got colours" in reasons["shown"]
    assert "nothing stands out" in reasons["empty"]
    assert "nothing stands out" in reasons["full"]
    with pytest.raises(DataError, match="differ in size"):
        isolated_signatures(
            SignaturesConfig(),
            IsolatedConfig("knife"),
            Taxonomy(),
            scans,
            tmp_path / "o2",
            Run(progress=RUN.progress, workers=1, strict=True),
        )


def test_wrong_folders_of_isolated_threats_are_refused(tmp_path: Path) -> None:
    (tmp_path / "scans").mkdir()
    with pytest.raises(DataError, match=r"holds no class folder. Give --class"):
        isolated_signatures(SignaturesConfig(), IsolatedConfig(), Taxonomy(), tmp_path / "scans", tmp_path / "out", RUN)
    with pytest.raises(ConfigError, match="'spoon' is not among the classes"):
        isolated_signatures(SignaturesConfig(), IsolatedConfig("spoon"), Taxonomy(("gun",)), tmp_path / "scans", tmp_path / "out", RUN)
    with pytest.raises(ConfigError, match="white_level must lie in"):
        IsolatedConfig(white_level=0)
    for name in ("Gun", "pistol"):
        pair(tmp_path / "scans" / name, "1", counts(0.3), counts(0.5))
    with pytest.raises(ConfigError, match=r"Gun and pistol .* are both of class 'gun'"):
        aliases = Taxonomy((), {"Gun": "gun", "pistol": "gun"})
        isolated_signatures(SignaturesConfig(), IsolatedConfig(), aliases, tmp_path / "scans", tmp_path / "out", RUN)
