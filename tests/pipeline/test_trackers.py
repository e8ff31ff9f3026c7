"""Trackers hear the same words in their own API; fakes stand in for the packages."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from threatray.errors import ConfigError
from threatray.pipeline.trackers import TrackerName, open_tracker

CONFIG = {"steps": 5, "weights": {"lambda_cycle_a": 0.5}}


class FakeMlflow(SimpleNamespace):
    def __init__(self, known: list[str]) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []
        runs = [SimpleNamespace(info=SimpleNamespace(run_id=one)) for one in known]
        self.set_experiment = lambda name: SimpleNamespace(experiment_id=f"id of {name}")
        self.MlflowClient = lambda: SimpleNamespace(search_runs=self._found(runs))
        for name in ("start_run", "log_params", "log_metrics", "log_artifact", "end_run"):
            setattr(self, name, self._noting(name))

    def _found(self, runs: list[Any]) -> Any:
        def search(ids: list[str], filter_string: str, max_results: int) -> list[Any]:
            self.calls.append(("search", ids, filter_string))
            return runs[:max_results]

        return search

    def _noting(self, name: str) -> Any:
        return lambda *given, **named: self.calls.append((name, *given, named))


def speak(tracker: Any) -> None:
    tracker.scalars(5, {"loss/cycle_a": 0.25})
    tracker.picture(5, "samples", Path("grid.png"))
    tracker.close(finished=False)


def test_mlflow_begins_a_run_with_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeMlflow([])
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    speak(open_tracker(TrackerName.MLFLOW, "abcdef0123456789", CONFIG))
    assert fake.calls == [
        ("search", ["id of threatray"], "tags.training = 'abcdef0123456789'"),
        ("start_run", {"run_name": "abcdef012345", "tags": {"training": "abcdef0123456789"}}),
        ("log_params", {"steps": 5, "weights.lambda_cycle_a": 0.5}, {}),
        ("log_metrics", {"loss/cycle_a": 0.25}, {"step": 5}),
        ("log_artifact", "grid.png", "samples", {}),
        ("end_run", "KILLED", {}),
    ]


def test_mlflow_goes_on_in_the_run_of_the_same_training(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeMlflow(["run 7"])
    monkeypatch.setitem(sys.modules, "mlflow", fake)
    open_tracker(TrackerName.MLFLOW, "key", CONFIG).close(finished=True)
    assert fake.calls[1:] == [("start_run", {"run_id": "run 7"}), ("end_run", "FINISHED", {})]


def test_wandb_goes_on_under_the_same_name(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []
    run = SimpleNamespace(log=lambda values, step: calls.append((values, step)), finish=lambda exit_code: calls.append((exit_code,)))
    fake = SimpleNamespace(init=lambda **named: calls.append((named,)) or run, Image=lambda path: f"picture {path}")
    monkeypatch.setitem(sys.modules, "wandb", fake)
    speak(open_tracker(TrackerName.WANDB, "abcdef0123456789", CONFIG))
    settings = {"steps": 5, "weights.lambda_cycle_a": 0.5}
    assert calls == [
        ({"project": "threatray", "id": "abcdef012345", "resume": "allow", "config": settings},),
        ({"loss/cycle_a": 0.25}, 5),
        ({"samples": "picture grid.png"}, 5),
        (130,),
    ]


@pytest.mark.parametrize("name", list(TrackerName))
def test_a_tracker_that_is_not_installed_is_named_with_what_to_do(name: TrackerName, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name.value, None)
    with pytest.raises(ConfigError, match=rf"needs the package {name.value}\. Install it with: pip install 'threatray\[{name.value}\]'"):
        open_tracker(name, "key", CONFIG)
