from __future__ import annotations

import json

import pytest

from threatray.errors import ConfigError
from threatray.uplift.arms import BASELINE, STANDARD_ARMS, Arm, Pool


def test_standard_arms_differ_only_in_where_threats_come_from() -> None:
    assert {arm.shares[Pool.BENIGN] for arm in STANDARD_ARMS.values()} == {0.3}
    assert not STANDARD_ARMS[BASELINE].use_synthetic
    made = [arm for arm in STANDARD_ARMS.values() if arm.use_synthetic]
    assert len({arm.shares[Pool.REAL] for arm in made}) == 1


@pytest.mark.parametrize("arm", STANDARD_ARMS.values(), ids=lambda arm: arm.name)
def test_an_arm_comes_back_from_json_as_it_was(arm: Arm) -> None:
    assert Arm.from_json(json.loads(json.dumps(arm.as_json()))) == arm


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"name": "a", "shares": {"real": 0.5}}, "arm 'a': shares must sum to 1, got real 0.5, which sum to 0.5"),
        ({"name": "a", "shares": {"real": 1.5, "benign": -0.5}}, "every share must be above 0, got real 1.5, benign -0.5"),
        ({"name": "a", "shares": {"reel": 1}}, "no pool is called 'reel'; there are benign, real, translated"),
        ({"name": "", "shares": {"real": 1}}, "it needs a name"),
        ({"name": "a", "share": {"real": 1}}, "unknown key 'share'"),
        ({"name": "a"}, "every share must be above 0, got none"),
    ],
)
def test_refuses_an_arm_that_makes_no_sense(data: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Arm.from_json(data)
