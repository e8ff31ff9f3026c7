from __future__ import annotations

from pathlib import Path

from threatray.core.files import read_json
from threatray.report.folder import RunFolder
from threatray.report.gate import build_gate


def test_counts_what_was_kept_and_turned_away(run_folder: Path) -> None:
    verdicts = read_json(run_folder / "translate" / "verdicts.json")
    kept = sum(one["accepted"] for one in verdicts)
    found = build_gate(RunFolder(run_folder))
    assert found is not None
    assert (len(verdicts), kept) == (9, 6)
    assert found.lead == "The gate looked at 9 translations, kept 6 (66.7 %) and turned away 3."
    assert [cell.text for cell in found.table.rows[0]] == ["gun", "2", "1", "66.7 %", "0.910", "0.830"]
    assert [[cell.text for cell in row] for row in found.reasons.rows] == [["silhouette moved", "3"]]


def test_every_rejected_picture_has_its_reason(run_folder: Path) -> None:
    found = build_gate(RunFolder(run_folder))
    assert found is not None
    assert [(one.id, one.reason) for one in found.rejected] == [(f"{name}_002", "silhouette moved") for name in ("gun", "knife", "wrench")]
    assert all(one.photo is not None for one in found.rejected)
