"""Experiment trackers that a training can report to besides its own files: MLflow and Weights & Biases."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from threatray.errors import ConfigError


class TrackerName(StrEnum):
    """Which tracker. Both are told where to write by their own environment variables (MLFLOW_TRACKING_URI, WANDB_MODE=offline)."""

    MLFLOW = "mlflow"
    WANDB = "wandb"


class Tracker(Protocol):
    """What a training asks of a tracker."""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers of a step, by name."""
        ...

    def picture(self, step: int, name: str, path: Path) -> None:
        """A PNG of a step."""
        ...

    def close(self, *, finished: bool) -> None:
        """The training has ended, or was interrupted."""
        ...


def open_tracker(name: TrackerName, key: str, config: Mapping[str, Any]) -> Tracker:
    """Start reporting a training, or go on with it where it was reported before.

    Args:
        name: Which tracker.
        key: What identifies the training: the same settings, inputs and seed.
        config: Its settings.

    Raises:
        ConfigError: The tracker is not installed.
    """
    return (MlflowTracker if name is TrackerName.MLFLOW else WandbTracker)(key, config)


class MlflowTracker:
    """Reports to MLflow's experiment ``threatray``; a resumed training goes on in its own run."""

    def __init__(self, key: str, config: Mapping[str, Any]) -> None:
        self._api = _imported("mlflow")
        experiment = self._api.set_experiment("threatray")
        found = self._api.MlflowClient().search_runs([experiment.experiment_id], filter_string=f"tags.training = '{key}'", max_results=1)
        if found:
            self._api.start_run(run_id=found[0].info.run_id)
        else:
            self._api.start_run(run_name=key[:12], tags={"training": key})
            self._api.log_params(_flat(config))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers of a step, by name."""
        self._api.log_metrics(dict(values), step=step)

    def picture(self, step: int, name: str, path: Path) -> None:
        """A PNG of a step."""
        self._api.log_artifact(str(path), name)

    def close(self, *, finished: bool) -> None:
        """The training has ended, or was interrupted."""
        self._api.end_run("FINISHED" if finished else "KILLED")


class WandbTracker:
    """Reports to the Weights & Biases project ``threatray``; a resumed training goes on in its own run."""

    def __init__(self, key: str, config: Mapping[str, Any]) -> None:
        self._api = _imported("wandb")
        self._run = self._api.init(project="threatray", id=key[:12], resume="allow", config=_flat(config))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Numbers of a step, by name."""
        self._run.log(dict(values), step=step)

    def picture(self, step: int, name: str, path: Path) -> None:
        """A PNG of a step."""
        self._run.log({name: self._api.Image(str(path))}, step=step)

    def close(self, *, finished: bool) -> None:
        """The training has ended, or was interrupted."""
        self._run.finish(exit_code=0 if finished else 130)


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ConfigError(
            f"train: --track-with {name} needs the package {name}. Install it with: pip install 'threatray[{name}]'"
        ) from None


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"weights.lambda_cycle_a": 0.5}``: both trackers show settings by one name."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        found.update(_flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value})
    return found
