from __future__ import annotations

from pathlib import Path

import pytest

from threatray.datasets.formats.unpacked import CACHE_VARIABLE


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Unpacked pictures go here, never to the user's own cache."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv(CACHE_VARIABLE, str(folder))
    return folder
