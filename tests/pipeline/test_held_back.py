"""Translations can be judged against real threats that no training saw, and those reach no training and no composite."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from threatray.balance.plan import PlanConfig
from threatray.balance.quota import Strategy
from threatray.cli.main import main
from threatray.core.files import read_json, write_json
from threatray.errors import ConfigError, DataError
from threatray.pipeline.demo import DemoSize, demo_project, make_phantom
from threatray.pipeline.progress import Progress
from threatray.pipeline.project import Project
from threatray.pipeline.sources import PartName
from threatray.pipeline.stage import Run
from threatray.pipeline.stages.compose_stage import compose
from threatray.pipeline.stages.library_stage import DedupeConfig, add_libraries, dedupe_library, filter_library
from threatray.pipeline.stages.photos_stage import photos
from threatray.pipeline.stages.plan_stage import plan
from threatray.pipeline.stages.score_stage import score
from threatray.pipeline.stages.signatures_stage import signatures
from threatray.pipeline.stages.split_stage import split
from threatray.pipeline.stages.train_stage import train
from threatray.pipeline.stages.translate_stage import translate
from threatray.tip.draw import ComposeConfig
from threatray.tip.library import SignatureLibrary
from threatray.tip.selection import Selection

pytestmark = pytest.mark.slow
RUN = Run(seed=7, progress=Progress(quiet=True), workers=1)


@dataclass(frozen=True)
class Place:
    """A split phantom with photos, the training's signatures, held-back ones, a translator and its translations."""

    folder: Path
    project: Project

    def held_back(self, out: str, part: PartName = PartName.VALIDATION) -> Path:
        data = self.project.data
        config = replace(self.project.signatures, min_quality=0.0)
        signatures(config, data.meaning, data.datasets, self.folder / "split", self.folder / out, RUN, part=part)
        return self.folder / out

    def score(self, out: str, held_back: Path | None) -> dict[str, object]:
        inputs = [self.folder / name for name in ("photos", "signatures", "train", "translate")]
        made = score(self.project.score, *inputs, self.folder / out, RUN, held_back=held_back)
        return dict(made.summary)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("held_back")
    make_phantom(DemoSize.SMOKE, folder, RUN)
    project = demo_project(DemoSize.SMOKE, folder)
    meaning, datasets = project.data.meaning, project.data.datasets
    at = {name: folder / name for name in ("split", "photos", "signatures", "train", "translate")}
    split(project.split, meaning, datasets, at["split"], RUN)
    photos(project.photos, meaning, project.data.photos, at["photos"], RUN)
    signatures(project.signatures, meaning, datasets, at["split"], at["signatures"], RUN)
    train(project.train, at["photos"], at["signatures"], at["train"], RUN)
    translate(project.translate, at["photos"], at["signatures"], at["train"], at["translate"], RUN)
    made = Place(folder, project)
    made.held_back("validation")
    return made


def test_the_parts_share_no_scan_and_only_others_than_training_are_marked(place: Place) -> None:
    test = place.held_back("test", PartName.TEST)
    scans = {
        name: {entry.origin.source_id for entry in SignatureLibrary.open(place.folder / name).entries}
        for name in ("signatures", "validation")
    }
    scans["test"] = {entry.origin.source_id for entry in SignatureLibrary.open(test).entries}
    parts = read_json(place.folder / "split" / "split.json")["parts"]
    assert all(scans.values())
    assert not scans["signatures"] & scans["validation"] and not scans["validation"] & scans["test"]
    assert len(scans["validation"]) <= len(parts["validation"]["threats"])
    marked = {name: read_json(place.folder / name / "manifest.json")["config"].get("part") for name in ("signatures", "validation", "test")}
    assert marked == {"signatures": None, "validation": "validation", "test": "test"}


def test_distances_are_measured_to_what_no_training_saw(place: Place) -> None:
    known, unseen = place.score("to_training", None), place.score("to_held_back", place.folder / "validation")
    assert known["against"] == "real signatures of the training scans"
    assert unseen["against"] == "real signatures of scans that no training saw"
    kid_by_arm = [
        read_json(place.folder / name / "score.json")["kid_by_arm"]["translated"]["value"] for name in ("to_training", "to_held_back")
    ]
    assert kid_by_arm[0] != kid_by_arm[1]
    names = {each["name"] for each in read_json(place.folder / "to_held_back" / "score.json")["scores"]}
    assert any("memorisation ratio" in name for name in names), "it needs real things that training never saw"
    assert any("no training saw" in note for note in read_json(place.folder / "to_held_back" / "score.json")["notes"])


def test_no_stage_that_trains_or_composes_takes_them(place: Place) -> None:
    data, held, known, out = place.project.data, place.folder / "validation", place.folder / "signatures", place.folder / "never"
    wanted = PlanConfig(Strategy.PRESERVE, total=2)
    plan(wanted, data.meaning, data.datasets, place.folder / "split", known, known, place.folder / "plan", RUN)
    with pytest.raises(ConfigError, match=r"train: .* threats of the validation scans, which are for judging alone"):
        train(place.project.train, place.folder / "photos", held, out, RUN)
    for folders in ((known, held), (held, known)):
        with pytest.raises(ConfigError, match=r"plan: .* for judging alone"):
            plan(wanted, data.meaning, data.datasets, place.folder / "split", *folders, out, RUN)
        with pytest.raises(ConfigError, match=r"compose: .* for judging alone"):
            compose(ComposeConfig(), data.meaning, data.datasets, place.folder / "plan", *folders, out, RUN)
    with pytest.raises(ConfigError, match=r"translate: .* for judging alone"):
        translate(place.project.translate, place.folder / "photos", held, place.folder / "train", out, RUN)
    with pytest.raises(ConfigError, match=r"library add: .* for judging alone"):  # a copy would have lost the mark
        add_libraries([known, held], out, RUN)
    with pytest.raises(ConfigError, match=r"library filter: .* for judging alone"):
        filter_library(Selection(), held, out, RUN)
    with pytest.raises(ConfigError, match=r"library dedupe: .* for judging alone"):
        dedupe_library(DedupeConfig(), held, out, RUN)
    assert not out.exists()


def test_seen_threats_are_refused_as_judges(place: Place) -> None:
    with pytest.raises(ConfigError, match="threats of the training scans, which every translator has seen"):
        place.score("seen", place.folder / "signatures")
    other = shutil.copytree(place.folder / "validation", place.folder / "other_split")
    manifest = read_json(other / "manifest.json")
    write_json(other / "manifest.json", {**manifest, "inputs": {**manifest["inputs"], "split": "0" * 64}})
    with pytest.raises(DataError, match="is of another split"):
        place.score("leaked", other)
    assert not (place.folder / "seen").exists() and not (place.folder / "leaked").exists()


def test_the_command_takes_one_reference(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    given = [word for name in ("photos", "signatures", "train", "translate") for word in (f"--{name}", str(place.folder / name))]
    assert main(["score", *given, "--truth", str(place.folder), "--held-back", str(place.folder), "--out", str(place.folder / "x")]) == 2
    assert "either --truth" in capsys.readouterr().err
    assert main(["signatures", "--isolated", str(place.folder), "--part", "test", "--out", str(place.folder / "x")]) == 2
    assert "--part is a part of --split" in capsys.readouterr().err
