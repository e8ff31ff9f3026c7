"""Every example in a docstring runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import threatray

MODULES = sorted(module.name for module in pkgutil.walk_packages(threatray.__path__, "threatray.") if not module.name.endswith("__main__"))


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0
