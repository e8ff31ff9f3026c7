"""The whole way at its smallest: end to end, to the byte, and through kills."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from threatray.cli.main import main
from threatray.core.files import sha256_of_file
from threatray.tip.library import SignatureLibrary

pytestmark = pytest.mark.slow

EXCLUDED = {"timings.jsonl"}


def command(out: Path, seed: int = 7) -> list[str]:
    return [sys.executable, "-m", "threatray", "demo", "--size", "smoke", "--out", str(out), "--seed", str(seed), "--json"]


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in EXCLUDED
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("undisturbed") / "demo"
    done = subprocess.run(command(out), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout)
    assert Path(result["out"]) == out / "report" / "index.html"
    assert {"phantom", "inspect", "photos", "signatures", "train", "translate", "plan", "compose", "score"} <= set(result["summary"])
    return out


def test_every_stage_leaves_what_it_promises(undisturbed: Path) -> None:
    for name in (
        "phantom/scans/annotations.json",
        "phantom/truth/index.json",
        "inspect/inspect.json",
        "split/split.json",
        "photos/index.json",
        "signatures/index.json",
        "train/checkpoint.pt",
        "train/history.jsonl",
        "translate/verdicts.json",
        "plan/plan.json",
        "compose/annotations.json",
        "compose/composites.jsonl",
        "score/score.json",
        "score/truth/index.json",
        "uplift/results.jsonl",
        "uplift/shortcuts.json",
        "uplift/uplift.json",
        "report/index.html",
    ):
        assert (undisturbed / name).stat().st_size > 0, name
    assert not list(undisturbed.glob(".*")), "no lock or unfinished folder stays behind"


KILLED_WITH = (".phantom.partial/.pictures.ledger", ".train.partial/checkpoint.pt", ".uplift.partial/results.jsonl")
"""What is on disk when the demo is killed: pictures half made, a training half done, an experiment half run."""


def killed_once_there_is(made: str, out: Path) -> None:
    process = subprocess.Popen(command(out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    unfinished = out / made
    while not (unfinished.is_file() and unfinished.stat().st_size > 0):
        assert process.poll() is None, f"the demo ended before {made} was there"
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_the_same_seed_gives_the_same_bytes_even_after_three_kills(undisturbed: Path, tmp_path: Path) -> None:
    out = tmp_path / "demo"
    for made in KILLED_WITH:
        killed_once_there_is(made, out)
    done = subprocess.run(command(out), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    expected, got = contents(undisturbed), contents(out)
    assert {name: value for name, value in got.items() if expected.get(name) != value} == {}
    assert set(expected) == set(got)


def test_running_it_again_does_nothing(undisturbed: Path) -> None:
    before = contents(undisturbed)
    done = subprocess.run(command(undisturbed), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert contents(undisturbed) == before
    assert done.stderr.count("already done") == len(list(undisturbed.glob("*/manifest.json")))


def test_another_seed_into_the_same_folder_is_refused_with_the_difference(undisturbed: Path) -> None:
    done = subprocess.run(command(undisturbed, seed=8), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "seed: 7 -> 8" in done.stderr
    assert done.stdout == ""


def test_an_interrupted_training_exits_130_and_goes_on(undisturbed: Path, tmp_path: Path) -> None:
    words = [
        sys.executable, "-m", "threatray", "train",
        "--photos", str(undisturbed / "photos"), "--signatures", str(undisturbed / "signatures"),
        "--out", str(tmp_path / "training"), "--steps", "100000", "--size", "32", "--batch-size", "2",
    ]  # fmt: skip
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    checkpointing = tmp_path / ".training.partial" / "history.jsonl"
    for _ in range(600):
        if checkpointing.is_file() and checkpointing.stat().st_size > 100:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "the checkpoint is saved" in said
    assert "run the same command again to go on" in said
    assert (tmp_path / ".training.partial" / "checkpoint.pt").is_file()


@pytest.mark.parametrize("translator", ["fastcut", "mean_translator:MeanTranslator"])
def test_other_translators_go_the_same_way(undisturbed: Path, tmp_path: Path, translator: str) -> None:
    inputs = ["--photos", str(undisturbed / "photos"), "--signatures", str(undisturbed / "signatures"), "--quiet"]
    trained, translated = tmp_path / "training", tmp_path / "translated"
    short = ["--steps", "4", "--size", "32", "--batch-size", "2", "--sample-every", "2"]
    assert main(["train", *inputs, *short, "--translator", translator, "--out", str(trained)]) == 0
    assert json.loads((trained / "train.json").read_text())["translator"] == translator
    gate = ["--gate.least-attenuation", "0", "--gate.least-mean-attenuation", "0", "--gate.most-saturated", "1"]
    gate += ["--gate.least-iou", "0", "--gate.least-class-probability", "0", "--recogniser-steps", "4"]
    assert main(["translate", *inputs, *gate, "--train", str(trained), "--out", str(translated)]) == 0
    library = SignatureLibrary.open(translated / "accepted")
    assert len(library.ids()) == 10
    assert {library.load(name).origin.checkpoint for name in library.ids()} == {sha256_of_file(trained / "checkpoint.pt")}


def test_a_composite_replays_from_its_recorded_parameters(undisturbed: Path) -> None:
    import numpy as np

    from threatray.core.image_file import read_pixels
    from threatray.pipeline.sources import Role, Sources, Taxonomy
    from threatray.pipeline.stages.compose_stage import replay
    from threatray.pipeline.stored_bag import StoredBag
    from threatray.tip.compose import CompositeParams
    from threatray.tip.library import SignatureLibrary

    phantom = undisturbed / "phantom"
    sources = Sources.open({Role.LABELLED: phantom / "scans", Role.BENIGN: phantom / "benign"}, Taxonomy())
    library = SignatureLibrary.open(undisturbed / "translate" / "accepted")
    bags = {located.key: located for located in sources.located(Role.BENIGN)}
    lines = (undisturbed / "compose" / "composites.jsonl").read_text().splitlines()
    assert lines
    for line in lines:
        recorded = json.loads(line)
        params = CompositeParams.from_json(recorded)
        bag, _ = StoredBag.read(sources, bags[params.bag_id])
        made = replay(bag, params, library)
        for which, levels in zip(("low", "high"), made.levels, strict=True):
            assert np.array_equal(levels, read_pixels(undisturbed / "compose" / "images" / f"{recorded['id']}_{which}.png"))
        assert np.array_equal(bag.as_screen(made.levels), read_pixels(undisturbed / "compose" / "images" / f"{recorded['id']}.png"))


def test_ctrl_c_in_the_middle_of_parallel_work_exits_130_and_says_how_to_go_on(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command(tmp_path / "demo"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    ledger = tmp_path / "demo" / ".phantom.partial" / ".pictures.ledger"
    for _ in range(600):
        if ledger.is_file() and ledger.stat().st_size > 0:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said, complaint = process.communicate(timeout=60)
    assert process.returncode == 130, complaint
    assert said == ""
    assert "interrupted. What was finished is kept: run the same command again to go on." in complaint
    assert "Traceback" not in complaint
    assert not (tmp_path / "demo" / "phantom").exists()
