"""The training stage: what it holds back, what it leaves, and what it says of domains that are odd."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from toy_libraries import write_toys

from threatray.core import COLOUR, DUAL_ENERGY, GREY, Origin, OriginKind
from threatray.core.files import read_json
from threatray.errors import DataError
from threatray.pipeline import examination
from threatray.pipeline.progress import Progress
from threatray.pipeline.stage import Run
from threatray.pipeline.stages.train_stage import chosen_checkpoint, train
from threatray.pipeline.trackers import TrackerName
from threatray.synthesis import sampling
from threatray.synthesis.config import Preset, TrainConfig, Weights
from threatray.synthesis.translate import Translator
from threatray.synthesis.validation import ValidationConfig
from threatray.tip.library import SignatureLibrary, write_index, write_signature

CONFIG = TrainConfig(
    size=16, steps=4, batch_size=2, pool_size=2, checkpoint_every=2, sample_every=2, validation=ValidationConfig(every=2, share=0.25)
)
RUN = Run(seed=5, progress=Progress(quiet=True))
EVEN = {"hammer": 8, "bar": 8}


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return write_toys(tmp_path_factory.mktemp("toys"), EVEN, EVEN)


@pytest.fixture(autouse=True)
def quick_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "_ENCODER_STEPS", 3)


def truths(photos: Path, signatures: Path, folder: Path) -> Path:
    """A truth for every photo: a signature of the same class."""
    library = SignatureLibrary.open(signatures)
    entries = []
    for crop in read_json(photos / "index.json")["crops"]:
        like = library.load(library.ids(crop["class_name"])[0])
        entries.append(write_signature(folder, replace(like, id=crop["id"], origin=Origin(OriginKind.RENDERED, crop["id"], crop["id"]))))
    write_index(folder, entries)
    return folder


def test_it_leaves_the_last_two_the_best_and_what_was_measured(
    libraries: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learned: set[str] = set()
    sampler = sampling.PairSampler.__init__

    def spy(self: Any, domain_a: Any, domain_b: Any, *rest: Any) -> None:
        learned.update(domain_a.ids, domain_b.ids)
        sampler(self, domain_a, domain_b, *rest)

    monkeypatch.setattr(sampling.PairSampler, "__init__", spy)
    out = tmp_path / "training"
    truth = truths(*libraries, tmp_path / "truth")
    made = train(CONFIG, *libraries, out, RUN, truth=truth)
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert files == {
        "best.pt", "checkpoint.pt", "checkpoint_previous.pt", "health.json", "history.jsonl", "manifest.json", "train.json",
        "samples/step_000002.png", "samples/step_000004.png", "tensorboard/events.out.tfevents.0.threatray", "validation.jsonl",
    }  # fmt: skip
    rows = [json.loads(line) for line in (out / "validation.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 4]
    assert set(rows[0]) == {"step", "kid", "fid", "silhouette_iou", "ssim"}
    best = min(rows, key=lambda row: row["kid"])["step"]
    facts = made.summary["validation"]
    assert facts["best_step"] == best
    assert (facts["photos"], facts["signatures"], facts["classes"], facts["chosen_by"]) == (4, 4, ["bar", "hammer"], "kid")
    assert len(learned) == 24  # 6 photos and 6 signatures a class; the other 2 and 2 were never drawn from
    assert [each["disease"] for each in read_json(out / "health.json")["findings"]] == [
        "draws_nothing", "mode_collapse", "steganography", "memorised", "checkerboard", "imbalance",
    ]  # fmt: skip
    assert chosen_checkpoint(out).name == "best.pt"
    assert Translator.load(chosen_checkpoint(out)).class_names == ("bar", "hammer")


def test_truth_is_measured_and_chooses_nothing(libraries: tuple[Path, Path], tmp_path: Path) -> None:
    truth = truths(*libraries, tmp_path / "truth")
    train(CONFIG, *libraries, tmp_path / "with", RUN, truth=truth)
    train(CONFIG, *libraries, tmp_path / "without", RUN)
    for name in ("best.pt", "checkpoint.pt", "history.jsonl"):
        assert (tmp_path / "with" / name).read_bytes() == (tmp_path / "without" / name).read_bytes(), name


def test_without_validation_the_last_state_translates(libraries: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "training"
    made = train(replace(CONFIG, validation=ValidationConfig()), *libraries, out, RUN)
    assert not (out / "best.pt").exists()
    assert not (out / "validation.jsonl").exists()
    assert chosen_checkpoint(out).name == "checkpoint.pt"
    assert made.summary["photos"] == 16


def test_a_tracker_is_told_and_closed_and_changes_no_byte(
    libraries: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Any] = []
    run = SimpleNamespace(log=lambda values, step: heard.append(step), finish=lambda exit_code: heard.append(("closed", exit_code)))
    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=lambda **named: run, Image=str))
    train(CONFIG, *libraries, tmp_path / "told", RUN, track_with=(TrackerName.WANDB,))
    train(CONFIG, *libraries, tmp_path / "untold", RUN)
    assert heard[-1] == ("closed", 0)
    assert set(heard[:-1]) == {2, 4}
    for path in (tmp_path / "untold").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "told" / path.relative_to(tmp_path / "untold")).read_bytes(), path.name


@pytest.mark.parametrize(
    ("photos", "signatures", "channels", "size"),
    [
        ({"hammer": 1}, {"hammer": 1}, DUAL_ENERGY, (24, 36)),
        ({"hammer": 5}, {"hammer": 40}, GREY, (24, 36)),
        ({"hammer": 20, "bar": 1}, {"hammer": 1, "bar": 20}, DUAL_ENERGY, (12, 90)),
        ({"hammer": 2}, {"hammer": 2}, COLOUR, (60, 14)),
    ],
    ids=["one image a domain", "unequal, grey", "unequal the other way, wide", "tall, pseudo-colour"],
)
def test_odd_domains_train(
    photos: dict[str, int], signatures: dict[str, int], channels: tuple[str, ...], size: tuple[int, int], tmp_path: Path
) -> None:
    libraries = write_toys(tmp_path, photos, signatures, channels=channels, size=size)
    config = replace(CONFIG, steps=2, validation=ValidationConfig())
    if channels == COLOUR:
        config = replace(config, weights=Weights(lambda_identity=0.5))
    out = tmp_path / "training"
    made = train(config, *libraries, out, RUN)
    assert made.summary["photos"] == sum(photos.values())
    assert Translator.load(chosen_checkpoint(out)).channels == channels
    assert all(np.isfinite(value) for value in json.loads((out / "history.jsonl").read_text().splitlines()[-1]).values())


def test_the_papers_networks_train_at_the_smallest_size_they_take(tmp_path: Path) -> None:
    libraries = write_toys(tmp_path, {"hammer": 1}, {"hammer": 1})
    train(replace(CONFIG, preset=Preset.PAPER_6, size=24, steps=1, validation=ValidationConfig()), *libraries, tmp_path / "out", RUN)


def test_too_little_to_hold_back_is_said(tmp_path: Path) -> None:
    libraries = write_toys(tmp_path, {"hammer": 1}, {"hammer": 9})
    with pytest.raises(DataError, match=r"holds back 0\.25 of each class, which makes 0 pairs .*4 are needed.*Raise --validation\.share"):
        train(CONFIG, *libraries, tmp_path / "out", RUN)


def test_a_class_without_signatures_is_said(tmp_path: Path) -> None:
    libraries = write_toys(tmp_path, {"hammer": 4, "bar": 4}, {"hammer": 4})
    with pytest.raises(DataError, match=r"class 'bar' has photos but no signatures, so nothing can be learned for it\. Add signatures"):
        train(CONFIG, *libraries, tmp_path / "out", RUN)


def test_a_truth_of_no_photo_is_said(libraries: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no signature named after a photo"):
        train(CONFIG, *libraries, tmp_path / "out", RUN, truth=libraries[1])


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    photos, signatures = write_toys(tmp_path, {"hammer": 2}, {"hammer": 2})
    (photos / "hammer" / "photo-hammer-1.png").write_bytes(b"\x89PNG\r\n\x1a\n cut off")
    with pytest.raises(DataError, match=r"photo-hammer-1\.png"):
        train(CONFIG, photos, signatures, tmp_path / "out", RUN)
