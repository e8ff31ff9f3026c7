"""``threatray library`` and ``threatray signatures --isolated`` as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from threatray.cli.main import main
from threatray.core import COLOUR, Origin, OriginKind, Provenance, Quantity, Signature, XrayImage
from threatray.core.image_file import read_pixels, write_png
from threatray.tip.library import SignatureLibrary, write_index, write_signature


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """Three signatures, two of them alike, one from a source that means harm to a page."""
    entries = []
    for seed, name, class_name, quality in ((1, "g1", "gun", 0.9), (1, "g2", "gun", 0.5), (2, "k1", "knife", 0.4)):
        values = np.kron(np.random.default_rng(seed).uniform(0.1, 0.9, (3, 8, 8)), np.ones((1, 4, 4))).astype(np.float32)
        provenance = Provenance("<script>alert(1)</script>", "CC-BY-4.0")
        thing = Signature(
            name,
            XrayImage(values, Quantity.TRANSMISSION, COLOUR),
            np.ones((32, 32), bool),
            class_name,
            Origin(OriginKind.REAL, name, name, provenance=provenance),
        )
        entries.append(write_signature(tmp_path / "lib", thing, {"quality": quality}))
    write_index(tmp_path / "lib", entries)
    return tmp_path / "lib"


def json_of(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    assert main([*words, "--json", "--quiet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    return json.loads(lines[0])


def test_list_shows_a_row_for_each_chosen_signature(library: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["library", "list", str(library), "--classes", "gun"]) == 0
    shown = capsys.readouterr().out
    assert "signatures: gun 2" in shown
    assert "g1" in shown
    assert "k1" not in shown
    assert "CC-BY-4.0" in shown
    found = json_of(capsys, "library", "list", str(library), "--min-quality", "0.45", "--licence", "cc-by", "--origin", "real")
    assert [row["id"] for row in found["signatures"]] == ["g1", "g2"]


def test_filter_add_and_dedupe_make_new_libraries(library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    json_of(capsys, "library", "filter", str(library), "--classes", "knife", "--out", str(tmp_path / "knives"))
    json_of(capsys, "library", "filter", str(library), "--classes", "gun", "--out", str(tmp_path / "guns"))
    joined = json_of(capsys, "library", "add", str(tmp_path / "knives"), str(tmp_path / "guns"), "--out", str(tmp_path / "all"))
    assert joined["summary"]["signatures"] == {"gun": 2, "knife": 1}
    listed = json_of(capsys, "library", "dedupe", str(tmp_path / "all"))
    assert listed["groups"] == [["g1", "g2"]]
    assert SignatureLibrary.open(tmp_path / "all").ids() == ("g1", "g2", "k1")  # only listed
    json_of(capsys, "library", "dedupe", str(tmp_path / "all"), "--out", str(tmp_path / "once"))
    assert SignatureLibrary.open(tmp_path / "once").ids() == ("g1", "k1")
    assert SignatureLibrary.open(library).ids() == ("g1", "g2", "k1")  # never touched


def test_sheets_as_picture_and_as_page(library: Path, tmp_path: Path) -> None:
    assert main(["library", "sheet", str(library), "--out", str(tmp_path / "sheet.png"), "--quiet"]) == 0
    assert read_pixels(tmp_path / "sheet.png").shape == (206, 480, 3)
    assert main(["library", "sheet", str(library), "--out", str(tmp_path / "sheet.html"), "--quiet"]) == 0
    page = (tmp_path / "sheet.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("http-equiv", "")  # nothing is fetched
    for name in ("g1", "g2", "k1", "quality 0.90", "licence CC-BY-4.0"):
        assert name in page


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["library", "list", "nowhere"], 3, "index.json: no such file"),
        (["library", "list", "LIB", "--min-quality", "7"], 2, "min_quality must lie in [0, 1]"),
        (["library", "filter", "LIB", "--classes", "wrench", "--out", "OUT"], 3, "none of the 3 signatures"),
        (["library", "add", "LIB", "--out", "OUT"], 2, "at least two libraries"),
        (["library", "sheet", "LIB", "--out", "OUT.gif"], 2, "must end in .html or .png"),
        (["library", "sheet", "LIB", "--tile", "3"], 2, "tile must lie in [32, 1024]"),
        (["library", "sheet", "LIB", "--classes", "wrench"], 2, "no signature of"),
        (["library", "sheeet", "LIB"], 2, 'Did you mean "sheet"?'),
        (["signatures", "--out", "OUT"], 2, "give either --split"),
        (["signatures", "--out", "OUT", "--isolated", "LIB", "--remove"], 2, "with --isolated there is no bag"),
        (["signatures", "--out", "OUT", "--split", "LIB", "--class", "gun"], 2, "belong to --isolated"),
        (["signatures", "--out", "OUT", "--isolated", "nowhere", "--class", "gun"], 3, "the input isolated is missing"),
    ],
)
def test_mistakes_are_explained(
    library: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, message: str
) -> None:
    places = {"LIB": str(library), "OUT": str(tmp_path / "out"), "OUT.gif": str(tmp_path / "out.gif")}
    assert main([places.get(word, word) for word in words] + ["--quiet"] * (words[1] != "sheeet")) == code
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("threatray: ")
    assert not (tmp_path / "out").exists()


def test_threats_scanned_alone_become_a_library(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for energy, transmission in (("low", 0.3), ("high", 0.5)):
        levels = np.full((60, 80), 60_000, np.uint16)
        levels[20:40, 20:60] = round(60_000 * transmission)
        write_png(tmp_path / f"scans/1_{energy}.png", levels)
    words = [
        "signatures",
        "--isolated",
        str(tmp_path / "scans"),
        "--class",
        "knife",
        "--licence",
        "CC0-1.0",
        "--out",
        str(tmp_path / "out"),
    ]
    assert json_of(capsys, *words, "--workers", "1")["summary"] == {"signatures": {"knife": 1}, "refused": 0}
    assert SignatureLibrary.open(tmp_path / "out").entry("1").origin.provenance.licence == "CC0-1.0"
