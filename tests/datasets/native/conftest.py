from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from native_miniatures import MINIATURES, OTHER_LAYOUTS

from threatray.datasets.dataset import Dataset, Entry
from threatray.datasets.formats.format import ReadOptions
from threatray.datasets.formats.published import PUBLISHED_FORMATS

FORMATS = {each.name: each for each in PUBLISHED_FORMATS}


@pytest.fixture
def build(tmp_path: Path) -> Callable[[str], Path]:
    """Build a miniature; its folder."""

    def make(name: str) -> Path:
        root = tmp_path / name.replace(":", "_")
        root.mkdir()
        {**MINIATURES, **OTHER_LAYOUTS}[name](root)
        return root

    return make


@pytest.fixture
def read() -> Callable[..., Dataset]:
    """Read a folder as a format, whole."""

    def make(name: str, root: Path, **options: Any) -> Dataset:
        return FORMATS[name.split(":")[0]].read(root, ReadOptions(**options)).collect()

    return make


@pytest.fixture
def shown() -> Callable[[Entry], list[tuple[Any, ...]]]:
    """An entry's things as (label, x0, y0, x1, y1)."""
    return lambda entry: [(label, *box) for label, box in zip(entry.labels, entry.boxes.tolist(), strict=True)]
