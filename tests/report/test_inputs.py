from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from threatray.core.files import read_json, write_json
from threatray.datasets.inspect import Inspector
from threatray.datasets.quantile_sketch import Quantiles
from threatray.report.folder import RunFolder
from threatray.report.inputs import build_balance, build_inputs


def test_everything_set_aside_is_listed_with_its_stage_and_reason(run_folder: Path) -> None:
    found = build_inputs(RunFolder(run_folder))
    assert found is not None
    listed = [tuple(cell.text for cell in row) for row in found.set_aside.rows]
    assert listed == [
        ("inspect", "scan_0007.png", "cannot be decoded: cut off"),
        ("photos", "blurred_1", "no object found"),
        ("signatures", "scan_9", "too small: 12 pixels, at least 64 are needed"),
        ("compose", "bag_77", "larger than the bag"),
    ]
    assert "4 items were set aside" in found.lead


def test_reads_what_the_inspection_writes(tmp_path: Path) -> None:
    grid = tuple(tuple(int(row == column) for column in range(8)) for row in range(8))
    inspection = replace(
        Inspector(tmp_path, (), pixels=False).finish("coco"),
        images=9,
        threat_images=6,
        benign_images=3,
        threat_to_benign=2.0,
        images_per_class={"gun": 5, "knife": 1},
        instances_per_class={"gun": 8, "knife": 2},
        imbalance_ratio=4.0,
        width=Quantiles.of([640.0]),
        height=Quantiles.of([480.0]),
        relative_size={"gun": Quantiles.of([0.1, 0.2, 0.3])},
        positions={"gun": grid, "knife": grid},
        pixels_read=False,
        exact_duplicates=(),
        contradictory_duplicates=(),
        near_duplicates=(),
        unreadable=(),
        boxes_outside=2,
        set_aside=(),
        notes=("read as COCO",),
    )
    write_json(tmp_path / "inspect" / "inspect.json", {"datasets": {"labelled": inspection.as_json()}})
    found = build_inputs(RunFolder(tmp_path))
    assert found is not None
    shown = dict(zip([column.title for column in found.datasets.columns], [cell.text for cell in found.datasets.rows[0]], strict=True))
    assert shown == {"Dataset": "labelled scans", "Images": "9", "Threats": "10", "Imbalance": "4.00", "Boxes outside": "2"}
    assert found.positions[0].grid[3] == (0, 0, 0, 2, 0, 0, 0, 0)
    assert found.sizes["gun"][3] == pytest.approx(0.2)
    assert found.notes == ("labelled scans: read as COCO",)


def test_the_imbalance_before_and_after_is_the_plans(run_folder: Path) -> None:
    plan = read_json(run_folder / "plan" / "plan.json")
    found = build_balance(RunFolder(run_folder))
    assert found is not None
    assert (found.before, found.after, found.divergence) == (plan["before"], plan["after"], plan["divergence_bits"])
    assert found.lead.endswith("the commonest class was 20.0 times the rarest and is now 1.0 times.")
    assert [cell.text for cell in found.table.rows[-1]] == ["wrench", "2", "43", "45", "95.6 %"]
    assert [cell.text for cell in found.shortfalls.rows[0]] == ["wrench", "60", "43", "signatures reused too often"]


def test_a_class_without_real_threats_has_no_ratio(tmp_path: Path) -> None:
    write_json(tmp_path / "plan" / "plan.json", {"strategy": "targets", "before": {"gun": 4, "new": 0}, "after": {"gun": 4, "new": 6}})
    found = build_balance(RunFolder(tmp_path))
    assert found is not None
    assert "adds 6 synthetic threats to 4 real ones." in found.lead
    assert found.divergence is None
