from __future__ import annotations

import importlib.util
from pathlib import Path

from threatray.datasets.formats import FORMATS
from threatray.datasets.formats.format import Holds

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_of_formats_is_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("format_table", ROOT / "tools" / "format_table.py")
    assert spec is not None and spec.loader is not None
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    assert set(table.COLUMNS.values()) == set(Holds), "a column for everything that a format can hold"
    page = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")
    assert page == table.page(), "docs/formats.md is stale: run python tools/format_table.py"
    assert all(f"`{one.name}`" in page for one in FORMATS)
