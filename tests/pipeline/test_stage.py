"""A stage is done once, resumes when killed, and never overwrites what it did not make."""

from __future__ import annotations

import errno
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from threatray.core.manifest import RunManifest
from threatray.errors import ConfigError, DataError, StorageError
from threatray.pipeline.progress import Progress
from threatray.pipeline.stage import Outcome, Run, differences, fingerprint, run_stage


@dataclass(frozen=True)
class Oven:
    heat: int = 180


RUN = Run(seed=3, progress=Progress(quiet=True), workers=1)


def bake(folder: Path) -> Outcome:
    (folder / "cake.txt").write_text("cake")
    return Outcome({"cakes": 1})


def refuse(folder: Path) -> Outcome:
    raise AssertionError("must not run")


def test_writes_a_manifest_that_names_every_output(tmp_path: Path) -> None:
    made = run_stage("bake", Oven(), {}, tmp_path / "out", RUN, bake)
    assert made == RunManifest.read(tmp_path / "out")
    assert made.outputs == {"cake.txt": hashlib.sha256(b"cake").hexdigest()}
    assert made.summary == {"cakes": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["out"], "no temporary folder or lock stays behind"


def test_running_again_does_nothing(tmp_path: Path) -> None:
    first = run_stage("bake", Oven(), {}, tmp_path / "out", RUN, bake)
    assert run_stage("bake", Oven(), {}, tmp_path / "out", RUN, refuse) == first


def test_other_settings_stop_with_the_differences(tmp_path: Path) -> None:
    run_stage("bake", Oven(), {}, tmp_path / "out", RUN, bake)
    with pytest.raises(ConfigError, match=r"other settings or inputs:\n  config\.heat: 180 -> 200\n"):
        run_stage("bake", Oven(200), {}, tmp_path / "out", RUN, bake)
    redo = Run(seed=3, progress=RUN.progress, workers=1, redo=True)
    assert run_stage("bake", Oven(200), {}, tmp_path / "out", redo, bake).config == {"heat": 200}


def test_a_changed_input_stops_it_too(tmp_path: Path) -> None:
    flour = tmp_path / "flour.txt"
    flour.write_text("white")
    run_stage("bake", Oven(), {"flour": flour}, tmp_path / "out", RUN, bake)
    flour.write_text("brown")
    with pytest.raises(ConfigError, match=r"inputs\.flour: "):
        run_stage("bake", Oven(), {"flour": flour}, tmp_path / "out", RUN, bake)


def test_a_killed_stage_finds_its_unfinished_work(tmp_path: Path) -> None:
    def die(folder: Path) -> Outcome:
        (folder / "half.txt").write_text("half")
        raise KeyboardInterrupt

    def go_on(folder: Path) -> Outcome:
        assert (folder / "half.txt").read_text() == "half"
        return Outcome({})

    with pytest.raises(KeyboardInterrupt):
        run_stage("bake", Oven(), {}, tmp_path / "out", RUN, die)
    assert not (tmp_path / "out").exists(), "nothing half-made carries the final name"
    run_stage("bake", Oven(), {}, tmp_path / "out", RUN, go_on)


def test_what_a_kill_left_half_written_is_not_part_of_the_result(tmp_path: Path) -> None:
    def die(folder: Path) -> Outcome:
        (folder / "deep").mkdir()
        (folder / "deep" / ".weights.tmp.pt").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_stage("bake", Oven(), {}, tmp_path / "out", RUN, die)
    made = run_stage("bake", Oven(), {}, tmp_path / "out", RUN, lambda folder: Outcome({}))
    assert made.outputs == {}
    assert not list((tmp_path / "out").rglob(".*"))


def test_unfinished_work_of_other_settings_is_not_reused(tmp_path: Path) -> None:
    def die(folder: Path) -> Outcome:
        (folder / "half.txt").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_stage("bake", Oven(), {}, tmp_path / "out", RUN, die)
    made = run_stage("bake", Oven(200), {}, tmp_path / "out", RUN, bake)
    assert list(made.outputs) == ["cake.txt"]


def test_a_foreign_folder_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match=r"exists but was not made by threatray .* nothing was touched"):
        run_stage("bake", Oven(), {}, tmp_path / "out", RUN, refuse)
    assert (tmp_path / "out" / "thesis.txt").read_text() == "years of work"


def test_a_lost_output_is_noticed(tmp_path: Path) -> None:
    run_stage("bake", Oven(), {}, tmp_path / "out", RUN, bake)
    (tmp_path / "out" / "cake.txt").unlink()
    with pytest.raises(DataError, match=r"1 of its files are gone, cake\.txt among them.*--redo"):
        run_stage("bake", Oven(), {}, tmp_path / "out", RUN, refuse)


def test_a_missing_input_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"bake: the input flour is missing: .*nowhere does not exist"):
        run_stage("bake", Oven(), {"flour": tmp_path / "nowhere"}, tmp_path / "out", RUN, refuse)


def test_a_full_disk_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    def fill(folder: Path) -> Outcome:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder / "cake.txt"))

    with pytest.raises(StorageError, match=r"cake\.txt: No space left on device\. What was finished is kept; free some space"):
        run_stage("bake", Oven(), {}, tmp_path / "out", RUN, fill)


def test_a_subfolder_of_a_stage_has_the_same_fingerprint_as_its_files(tmp_path: Path) -> None:
    def bake_two(folder: Path) -> Outcome:
        (folder / "tray").mkdir()
        (folder / "tray" / "cake.txt").write_text("cake")
        return Outcome({})

    run_stage("bake", Oven(), {}, tmp_path / "out", RUN, bake_two)
    through_manifest = fingerprint(tmp_path / "out" / "tray")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "cake.txt").write_text("cake")
    assert through_manifest == fingerprint(tmp_path / "copy")


def test_differences_name_what_appeared_and_what_went() -> None:
    before = {"stage": "s", "config": {"a": 1, "b": 2}, "seed": 0, "inputs": {}}
    after = {"stage": "s", "config": {"a": 1, "c": 3}, "seed": 0, "inputs": {}}
    assert differences(before, after) == ["config.b: 2 -> null", "config.c: null -> 3"]


def test_a_manifest_holds_no_clock_and_no_path(tmp_path: Path) -> None:
    for name in ("one", "two"):
        run_stage("bake", Oven(), {}, tmp_path / name / "out", RUN, bake)
    first, second = ((tmp_path / name / "out" / "manifest.json").read_bytes() for name in ("one", "two"))
    assert first == second
    assert str(tmp_path) not in json.dumps(json.loads(first))


def test_another_seed_is_other_work(tmp_path: Path) -> None:
    run_stage("bake", Oven(), {}, tmp_path / "out", RUN, bake)
    with pytest.raises(ConfigError, match=r"seed: 3 -> 4"):
        run_stage("bake", Oven(), {}, tmp_path / "out", Run(seed=4, progress=RUN.progress, workers=1), bake)
