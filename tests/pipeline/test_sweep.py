"""A sweep trains on as few threats as it says, and never does a finished cell again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from threatray.core.files import read_json
from threatray.errors import ConfigError
from threatray.pipeline.demo import DemoSize, demo_project, make_phantom
from threatray.pipeline.progress import Progress
from threatray.pipeline.stage import Run
from threatray.pipeline.sweep import SweepConfig, run_sweep
from threatray.uplift.arms import Pool


@pytest.mark.slow
def test_a_cell_sees_no_more_threats_than_it_says(tmp_path: Path) -> None:
    run = Run(seed=7, progress=Progress(quiet=True), workers=1)
    make_phantom(DemoSize.SMOKE, tmp_path, run)
    project = demo_project(DemoSize.SMOKE, tmp_path)
    project = replace(project, train=replace(project.train, steps=4, sample_every=4, checkpoint_every=4))
    grid = SweepConfig(real_counts=(2,), multiples=(1.0,), transformed=False)
    found = run_sweep(project, grid, tmp_path / "sweep", run)
    split = read_json(tmp_path / "sweep" / "real-2" / "split" / "split.json")["parts"]["train"]["threats"]
    assert len(split) == 4  # two of each of two classes
    isolated = read_json(tmp_path / "sweep" / "real-2" / "signatures" / "manifest.json")["summary"]["signatures"]
    assert max(isolated.values()) <= 2
    assert {row["training_scans"] for row in found.rows} == {4}
    assert {(row["arm"], row["against"]) for row in found.rows} == {("synthesis_x1", "real_only")}
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "sweep" / "real-2").rglob("*") if path.is_file()}
    again = run_sweep(project, grid, tmp_path / "sweep", run)
    assert again.rows == found.rows
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_pictures_are_shown_in_the_proportion_in_which_they_are_there() -> None:
    shares = SweepConfig().arm(4.0).shares
    assert shares[Pool.TRANSLATED] / shares[Pool.REAL] == pytest.approx(4.0, rel=1e-4)
    assert sum(shares.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("wrong", [{"real_counts": ()}, {"real_counts": (3, 3)}, {"real_counts": (-1,)}, {"multiples": (0.0,)}])
def test_an_impossible_grid_is_refused(wrong: dict[str, tuple[float, ...]]) -> None:
    with pytest.raises(ConfigError, match="sweep: "):
        SweepConfig(**wrong)  # type: ignore[arg-type]
