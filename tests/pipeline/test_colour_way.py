"""Coloured scans from labels to composites: signatures as two energies, with a palette found on the way or given."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from threatray.cli.main import main
from threatray.core.image_file import read_pixels, write_jpeg
from threatray.physics.dual_energy import DualEnergyScanner
from threatray.physics.pseudo_colour import DEFAULT_PALETTE
from threatray.pipeline.palettes import PALETTES_FILE, read_palettes
from threatray.tip.library import SignatureLibrary

pytestmark = pytest.mark.slow

BOX = (60, 50, 120, 74)


def scan(path: Path, seed: int, *, threat: bool) -> None:
    rng = np.random.default_rng(seed)
    maps = {name: np.zeros((140, 180), np.float32) for name in ("water", "aluminium", "steel")}
    maps["water"][15:125, 15:165] = 2.0
    for name, thickness_cm in (("water", 9.0), ("aluminium", 2.0), ("steel", 0.1)):
        for _ in range(4):
            top, left = rng.choice([18, 88]), rng.integers(18, 120)
            maps[name][top : top + 25, left : left + 35] += thickness_cm * rng.random()
    if threat:
        maps["steel"][54:70, 64:116] += 0.25
        maps["steel"][56:68, 66:80] += 0.1
    shown = DEFAULT_PALETTE.render(DualEnergyScanner().transmit(maps)).values
    write_jpeg(path, np.rint(shown.transpose(1, 2, 0) * 255).astype(np.uint8))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("colour")
    for number in range(12):
        scan(root / "scans" / "images" / f"s{number}.jpg", number, threat=True)
        x0, y0, x1, y1 = BOX
        text = (
            f"<annotation><filename>s{number}.jpg</filename><size><width>180</width><height>140</height></size><object><name>knife</name>"
            f"<bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object></annotation>"
        )
        (root / "scans" / "annotations").mkdir(exist_ok=True)
        (root / "scans" / "annotations" / f"s{number}.xml").write_text(text)
        scan(root / "bags" / f"b{number}.jpg", 100 + number, threat=False)
    data = ["--labelled", str(root / "scans"), "--benign", str(root / "bags"), "--quiet"]
    assert main(["split", *data, "--out", str(root / "split")]) == 0
    for name, palette in (("auto", "auto"), ("channels", "channels")):
        assert main(["signatures", *data, "--split", str(root / "split"), "--palette", palette, "--out", str(root / name)]) == 0
    return root


def test_signatures_are_pairs_of_energies_and_the_palette_lies_beside_them(made: Path) -> None:
    library = SignatureLibrary.open(made / "auto")
    found = library.load(library.ids()[0])
    assert found.image.channels == ("low_energy", "high_energy")
    low, high = (float(np.median(values[found.mask])) for values in found.image.attenuation().values)
    assert low / high > 1.6  # steel
    assert [palette.name for palette in read_palettes(made / "auto" / PALETTES_FILE).palettes] == ["air_255_255_255"]


def test_channels_are_chosen_by_name(made: Path) -> None:
    library = SignatureLibrary.open(made / "channels")
    assert library.load(library.ids()[0]).image.channels == ("red", "green", "blue")
    assert not (made / "channels" / PALETTES_FILE).exists()


def test_a_palette_file_is_taken_again(made: Path) -> None:
    data = ["--labelled", str(made / "scans"), "--benign", str(made / "bags"), "--quiet", "--split", str(made / "split")]
    assert main(["signatures", *data, "--palette", str(made / "auto" / PALETTES_FILE), "--out", str(made / "again")]) == 0
    assert (made / "again" / "index.json").read_bytes() == (made / "auto" / "index.json").read_bytes()


def test_composites_of_both_kinds_are_written(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = ["--labelled", str(made / "scans"), "--benign", str(made / "bags"), "--quiet"]
    for name in ("auto", "channels"):
        plan, out = str(made / f"plan-{name}"), made / f"composites-{name}"
        folders = ["--signatures", str(made / name), "--library", str(made / name)]
        assert (
            main(["plan", *data, "--split", str(made / "split"), *folders, "--strategy", "preserve", "--multiple", "1", "--out", plan]) == 0
        )
        assert main(["compose", *data, "--plan", plan, *folders, "--out", str(out)]) == 0
        written = json.loads((out / "annotations.json").read_text())
        assert written["images"]
        assert read_pixels(out / "images" / Path(written["images"][0]["file_name"]).name).shape == (140, 180, 3)
    capsys.readouterr()
