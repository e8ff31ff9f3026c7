"""What a user gets for data that cannot be right: a message with the place and the remedy, an exit code, nothing half-written."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from threatray.cli.main import main
from threatray.core.image_file import write_jpeg, write_png
from threatray.core.manifest import RunManifest


def voc(folder: Path, name: str, *boxes: tuple[str, float, float, float, float], image: bool = True) -> None:
    """One labelled scan of 37 rows and 31 columns."""
    objects = "".join(
        f"<object><name>{label}</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin><xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
        for label, x0, y0, x1, y1 in boxes
    )
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    text = f"<annotation><filename>{name}.jpg</filename><size><width>31</width><height>37</height></size>{objects}</annotation>"
    (folder / "annotations" / f"{name}.xml").write_text(text)
    if image:
        noise = np.random.default_rng(sum(name.encode())).integers(0, 255, (37, 31, 3), dtype=np.uint8)
        write_jpeg(folder / "images" / f"{name}.jpg", noise)


GOOD = ("gun", 4, 6, 20, 30)


def inspect(folder: Path, out: Path, *more: str) -> int:
    return main(["inspect", str(folder), "--out", str(out), "--quiet", "--json", *more])


def test_an_empty_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert inspect(tmp_path / "empty", tmp_path / "out") == 3
    assert str(tmp_path / "empty") in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "box", "reason"),
    [
        ("zero area", ("gun", 4, 6, 4, 30), "no area"),
        ("outside", ("gun", 50, 60, 70, 80), "outside"),
        ("not a number", ("gun", float("nan"), 6, 20, 30), "nan"),
    ],
)
def test_a_box_that_cannot_be_right_is_set_aside_with_its_reason(
    name: str, box: tuple[str, float, float, float, float], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    voc(tmp_path / "scans", "good", GOOD)
    voc(tmp_path / "scans", "bad", GOOD, box)
    assert inspect(tmp_path / "scans", tmp_path / "out") == 0
    set_aside = json.loads(capsys.readouterr().out)["set_aside"]
    assert len(set_aside) == 1
    assert "bad" in set_aside[0]["item"]
    assert reason in set_aside[0]["reason"].lower()
    assert RunManifest.read(tmp_path / "out").set_aside[0].reason == set_aside[0]["reason"]
    assert inspect(tmp_path / "scans", tmp_path / "strict", "--strict") == 3
    assert reason in capsys.readouterr().err.lower()


def test_an_annotation_that_names_a_missing_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    voc(tmp_path / "scans", "good", GOOD)
    voc(tmp_path / "scans", "lost", GOOD, image=False)
    assert inspect(tmp_path / "scans", tmp_path / "out") == 0
    set_aside = json.loads(capsys.readouterr().out)["set_aside"]
    assert ["lost" in entry["item"] for entry in set_aside] == [True]


def test_a_truncated_jpeg_is_reported_not_fatal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    voc(tmp_path / "scans", "good", GOOD)
    voc(tmp_path / "scans", "cut", GOOD)
    path = tmp_path / "scans" / "images" / "cut.jpg"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert inspect(tmp_path / "scans", tmp_path / "out") == 0
    written = (tmp_path / "out" / "inspect.json").read_text()
    assert "cut.jpg" in written
    assert "broken or cut off" in written


def project(tmp_path: Path, **data: str) -> Path:
    lines = "".join(f'{key} = "{value}"\n' for key, value in {"labelled": "scans", "benign": "bags", "photos": "photos", **data}.items())
    (tmp_path / "p.toml").write_text(f"[data]\n{lines}[split]\nnear_duplicates = false\n")
    return tmp_path / "p.toml"


def test_no_benign_bags(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(6):
        voc(tmp_path / "scans", f"scan{number}", GOOD)
    (tmp_path / "bags").mkdir()
    (tmp_path / "photos" / "gun").mkdir(parents=True)
    assert main(["run", str(project(tmp_path)), "--out", str(tmp_path / "run"), "--quiet"]) == 3
    said = capsys.readouterr().err
    assert "bags" in said
    assert "Traceback" not in said


def test_a_class_without_signatures_says_why_and_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On scans of nothing but noise no threat stands out."""
    for number in range(6):
        voc(tmp_path / "scans", f"scan{number}", GOOD)
        write_png(tmp_path / "bags" / f"bag{number}.png", np.full((37, 31, 3), 255 - number, np.uint8))
    photo = np.full((160, 160, 3), 250, np.uint8)
    photo[30:130, 60:100] = 30
    write_png(tmp_path / "photos" / "gun" / "one.png", photo)
    assert main(["run", str(project(tmp_path)), "--out", str(tmp_path / "run"), "--quiet"]) == 3
    said = capsys.readouterr().err
    assert "scans with 'gun' none gave a signature" in said
    assert "leave the class out" in said
    assert not (tmp_path / "run" / "signatures").exists()
    assert (tmp_path / "run" / "photos" / "manifest.json").is_file(), "finished stages are kept"


def test_a_full_disk_says_so_and_keeps_what_was_finished(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: the system refuses the write in the same way."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))

    words = [sys.executable, "-m", "threatray", "phantom", "--out", str(tmp_path / "phantom"), "--labelled.gun", "1", "--quiet"]
    small = ["--benign", "0", "--photos-per-class", "0", "--workers", "1"]
    none = [f"--{part}-{kind}" for part in ("validation", "test") for kind in ("threat-per-class", "benign")]
    counts = [word for option in none for word in (option, "0")]
    done = subprocess.run([*words, *small, *counts], capture_output=True, text=True, check=False, preexec_fn=limit)
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert "free some space or choose another --out" in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "phantom").exists()
