"""More seeds and arms cost only themselves: detectors of an earlier experiment are taken over, if nothing that made them changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from threatray.core.files import read_json, write_json
from threatray.errors import ConfigError, DataError
from threatray.pipeline.demo import DemoSize, demo_project, make_phantom
from threatray.pipeline.progress import Progress
from threatray.pipeline.project import Project
from threatray.pipeline.stage import Run
from threatray.pipeline.stages import uplift_stage
from threatray.pipeline.stages.split_stage import split
from threatray.pipeline.stages.uplift_stage import RESULTS, UpliftConfig, uplift
from threatray.uplift.arms import Arm, Pool

pytestmark = pytest.mark.slow
RUN = Run(seed=7, progress=Progress(quiet=True), workers=1)


@dataclass(frozen=True)
class Place:
    """A split phantom and one finished experiment on it: real only, one seed."""

    folder: Path
    project: Project

    @property
    def config(self) -> UpliftConfig:
        return replace(self.project.uplift, arms=("real_only",), seeds=1, probe_shortcuts=False)

    def run(self, config: UpliftConfig, out: str, *, run: Run = RUN, earlier: tuple[Path, ...] = (), **given: Any) -> list[dict[str, Any]]:
        data = self.project.data
        pools = given.get("pools", {})
        uplift(config, data.meaning, data.datasets, self.folder / "split", pools, self.folder / out, run, earlier=earlier)
        return [json.loads(line) for line in (self.folder / out / RESULTS).read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("earlier")
    make_phantom(DemoSize.SMOKE, folder, RUN)
    made = Place(folder, demo_project(DemoSize.SMOKE, folder))
    split(made.project.split, made.project.data.meaning, made.project.data.datasets, folder / "split", RUN)
    made.run(made.config, "first")
    return made


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, int]]]:
    """The jobs that were really carried out."""
    jobs: list[tuple[str, int]] = []
    real = uplift_stage._run_one

    def noted(shared: Any, job: Any) -> dict[str, Any]:
        jobs.append((job.arm, job.seed))
        return real(shared, job)

    monkeypatch.setattr(uplift_stage, "_run_one", noted)
    yield jobs


def test_another_seed_and_arm_train_only_themselves_and_give_the_same_file(place: Place, trained: list[tuple[str, int]]) -> None:
    wanted = replace(place.config, arms=("real_only", "transformation"), seeds=2)
    lines = place.run(wanted, "more", earlier=(place.folder / "first",))
    first = (lines[0]["arm"]["name"], lines[0]["seed"])
    assert first[0] == "real_only" and len(trained) == 3 and first not in trained
    place.run(wanted, "anew")
    assert len(trained) == 7
    assert (place.folder / "more" / RESULTS).read_bytes() == (place.folder / "anew" / RESULTS).read_bytes()
    assert (place.folder / "more" / "uplift.json").read_bytes() == (place.folder / "anew" / "uplift.json").read_bytes()
    assert not list((place.folder / "more").glob("*.ledger"))


def test_other_budgets_seeds_and_stages_are_refused_with_what_differs(place: Place) -> None:
    first, longer = place.folder / "first", replace(place.config, detector=replace(place.config.detector, steps=5))
    with pytest.raises(ConfigError, match=r"made otherwise:\n  config\.uplift\.detector\.steps: 4 -> 5"):
        place.run(longer, "longer", earlier=(first,))
    with pytest.raises(ConfigError, match=r"seed: 7 -> 8"):
        place.run(place.config, "reseeded", run=replace(RUN, seed=8), earlier=(first,))
    with pytest.raises(ConfigError, match="was made by 'split'"):
        place.run(place.config, "wrong", earlier=(place.folder / "split",))
    assert not any((place.folder / name).exists() for name in ("longer", "reseeded", "wrong"))


def test_another_split_is_refused(place: Place) -> None:
    other = shutil.copytree(place.folder / "first", place.folder / "other_split")
    manifest = read_json(other / "manifest.json")
    write_json(other / "manifest.json", {**manifest, "inputs": {**manifest["inputs"], "split": "0" * 64}})
    with pytest.raises(ConfigError, match=r"inputs\.split: 0000"):
        place.run(place.config, "leaked", earlier=(other,))


def test_results_that_were_touched_are_refused(place: Place) -> None:
    touched = shutil.copytree(place.folder / "first", place.folder / "touched")
    (touched / RESULTS).write_text((touched / RESULTS).read_text(encoding="utf-8").replace('"threat"', '"thread"') + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="not the file that its manifest tells of"):
        place.run(place.config, "trusting", earlier=(touched,))


def test_an_arm_defined_otherwise_or_shown_other_composites_is_trained_again(place: Place, trained: list[tuple[str, int]]) -> None:
    mine = Arm("mine", {Pool.BENIGN: 0.5, Pool.REAL: 0.5})
    config = replace(place.config, arms=("mine",), own_arms=(mine,))
    place.run(config, "mine")
    changed = replace(config, own_arms=(replace(mine, shares={Pool.BENIGN: 0.4, Pool.REAL: 0.6}),))
    place.run(changed, "changed", earlier=(place.folder / "mine",))
    assert len(trained) == 2
    place.run(replace(config, seeds=2), "same", earlier=(place.folder / "changed", place.folder / "mine"))
    assert len(trained) == 3  # the second seed alone
    made = {name: shutil.copytree(place.project.data.datasets["labelled"], place.folder / name) for name in ("old", "new")}
    (made["new"] / "note.txt").write_text("another dataset", encoding="utf-8")
    shown = replace(place.config, arms=("synthesis",))
    place.run(shown, "old_ones", pools={Pool.TRANSLATED: made["old"]})
    place.run(replace(shown, seeds=2), "again", pools={Pool.TRANSLATED: made["old"]}, earlier=(place.folder / "old_ones",))
    assert len(trained) == 5
    place.run(shown, "others", pools={Pool.TRANSLATED: made["new"]}, earlier=(place.folder / "old_ones",))
    assert len(trained) == 6
