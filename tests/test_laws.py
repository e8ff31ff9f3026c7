"""``docs/laws.md`` against what is there: every law has a property test, and a fault that this very test caught."""

from __future__ import annotations

import importlib.util
import re
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import is_hypothesis_test

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| (?P<law>[^|]+) \| `(?P<test>[^`]+)` \| (?P<faults>[^|]+) \|$")
MUTANTS = {
    mutant["name"]: mutant for file in (ROOT / "tests" / "mutants").glob("*.toml") for mutant in tomllib.loads(file.read_text())["mutant"]
}


class Law(NamedTuple):
    law: str
    test: str
    faults: tuple[str, ...]


def laws() -> list[Law]:
    lines = (ROOT / "docs" / "laws.md").read_text(encoding="utf-8").splitlines()
    found = [match for line in lines if (match := ROW.match(line))]
    assert len(found) == sum(line.startswith("| ") and "---" not in line and not line.startswith("| Law ") for line in lines)
    return [Law(match["law"], match["test"], tuple(match["faults"].split("; "))) for match in found]


@pytest.mark.parametrize("law", laws(), ids=lambda law: law.law)
def test_a_law_has_a_property_test_and_a_fault_that_it_caught(law: Law) -> None:
    file, _, name = law.test.partition("::")
    # By a name of its own: the same file is also collected as a test, and some have neighbours of one name.
    spec = importlib.util.spec_from_file_location(f"laws_{Path(file).parent.name}_{Path(file).stem}", ROOT / file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    assert is_hypothesis_test(getattr(module, name)), f"{law.test} draws no cases"
    assert law.faults
    for fault in law.faults:
        mutant = MUTANTS.get(fault)
        assert mutant is not None, f"no fault is called {fault!r}"
        assert mutant["test"] == law.test, f"{fault!r} is for {mutant['test']}"
        assert (ROOT / mutant["file"]).read_text().count(mutant["old"]) == 1, f"{fault!r} no longer applies"


def test_no_test_or_fault_stands_twice() -> None:
    table = laws()
    assert len({law.test for law in table}) == len(table)
    faults = [fault for law in table for fault in law.faults]
    assert len(set(faults)) == len(faults)
