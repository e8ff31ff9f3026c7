"""TOML tables become dataclasses, or an error that names the place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import pytest

from threatray.errors import ConfigError
from threatray.pipeline.demo import DemoSize, demo_project
from threatray.pipeline.settings import from_table
from threatray.pipeline.stages.uplift_stage import UpliftConfig
from threatray.synthesis.config import TrainConfig
from threatray.uplift.arms import Arm, Pool


class Mode(StrEnum):
    FAST = "fast"
    SLOW = "slow"


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5


@dataclass(frozen=True)
class Outer:
    steps: int
    name: str = "x"
    mode: Mode = Mode.FAST
    sizes: tuple[int, ...] = ()
    size_range: tuple[float, float] = (0.0, 1.0)
    where: Path | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    inner: Inner = Inner()
    on: bool = False


def test_every_kind_of_value_is_read() -> None:
    table = {
        "steps": 5,
        "mode": "slow",
        "sizes": [1, 2],
        "size_range": [1, 2.5], "where": "a/b", "counts": {"gun": 3}, "inner": {"rate": 1}, "on": True,
    }  # fmt: skip
    assert from_table(Outer, table, "p.toml") == Outer(5, "x", Mode.SLOW, (1, 2), (1.0, 2.5), Path("a/b"), {"gun": 3}, Inner(1.0), True)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"stepz": 5}, r"p\.toml: unknown key 'stepz'; did you mean 'steps'\? Keys: steps, name, mode"),
        ({}, r"p\.toml: the key 'steps' is missing"),
        ({"steps": "5"}, r"p\.toml, steps: expected int, got '5' \(str\)"),
        ({"steps": True}, r"steps: expected int, got True \(bool\)"),
        ({"steps": 5.0}, r"steps: expected int, got 5\.0 \(float\)"),
        ({"steps": 1, "mode": "warp"}, r"mode: expected one of 'fast', 'slow', got 'warp'"),
        ({"steps": 1, "sizes": 3}, r"sizes: expected an array, got 3"),
        ({"steps": 1, "size_range": [1]}, r"size_range: expected 2 values, got \[1\]"),
        ({"steps": 1, "counts": {"gun": "many"}}, r"counts\.gun: expected int, got 'many'"),
        ({"steps": 1, "inner": {"rat": 1}}, r"p\.toml, inner: unknown key 'rat'; did you mean 'rate'\?"),
        ({"steps": 1, "inner": 3}, r"inner: expected a table, got 3"),
    ],
)
def test_a_wrong_table_is_named_with_place_expectation_and_value(table: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_table(Outer, table, "p.toml")


@dataclass(frozen=True)
class House:
    """Its oven's default differs from an oven's own."""

    inner: Inner = Inner(rate=0.9)


def test_an_empty_table_changes_nothing() -> None:
    assert from_table(House, {"inner": {}}, "p.toml") == House()


def test_own_arms_come_out_of_a_project_file() -> None:
    table = {"arms": ["real_only", "half"], "own_arms": [{"name": "half", "shares": {"benign": 0.5, "translated": 0.5}}]}
    config = from_table(UpliftConfig, table, "project.toml, [uplift]")
    assert config.known_arms["half"].shares == {Pool.BENIGN: 0.5, Pool.TRANSLATED: 0.5}
    assert config.pools == {Pool.BENIGN, Pool.REAL, Pool.TRANSLATED}
    with pytest.raises(ConfigError, match=r"own_arms\[0\], shares: expected one of .*'translated'.*, got 'transalted'"):
        from_table(UpliftConfig, {"own_arms": [{"name": "half", "shares": {"transalted": 1.0}}]}, "project.toml, [uplift]")
    with pytest.raises(ConfigError, match="own_arms names 'synthesis', which is taken"):
        UpliftConfig(own_arms=(Arm("synthesis", {Pool.REAL: 1.0}),))


def test_a_translator_is_named_in_a_project_file_and_in_the_demo() -> None:
    assert from_table(TrainConfig, {"translator": "fastcut", "nce": {"lambda_nce": 2}}, "p.toml").nce.lambda_nce == 2.0
    assert demo_project(DemoSize.SMOKE, Path("out"), translator="cut").train.translator == "cut"
    assert demo_project(DemoSize.SMOKE, Path("out")).train.translator == "cyclegan"
    with pytest.raises(ConfigError, match=r"translator is one of cyclegan, cut, fastcut, or your own 'module:attribute'; got 'pix2pix'"):
        from_table(TrainConfig, {"translator": "pix2pix"}, "p.toml")
