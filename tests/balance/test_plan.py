from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.balance.plan import AvailableSignature, CompositePlan, PlanConfig, count_weights, plan
from threatray.balance.quota import Strategy
from threatray.core import OriginKind
from threatray.errors import ConfigError, DataError

CLASSES = ("gun", "knife", "wrench")


def library(real: int = 3, made: int = 4) -> dict[str, list[AvailableSignature]]:
    return {
        name: [AvailableSignature(f"{name}-r{number}", OriginKind.REAL) for number in range(real)]
        + [AvailableSignature(f"{name}-t{number}", OriginKind.TRANSLATED) for number in range(made)]
        for name in CLASSES
    }


def bags(count: int) -> list[str]:
    return [f"bag-{number}" for number in range(count)]


laws = settings(deadline=None, max_examples=40)
befores = st.fixed_dictionaries({name: st.integers(0, 40) for name in CLASSES}).filter(lambda value: sum(value.values()) > 0)
configs = st.builds(
    PlanConfig,
    strategy=st.sampled_from([Strategy.PRESERVE, Strategy.EQUALISE, Strategy.EFFECTIVE]),
    total=st.integers(0, 150),
    max_composite_share=st.sampled_from([1.0, 0.5, 0.8]),
    made_share=st.sampled_from([None, 0.0, 0.3, 1.0]),
    max_signature_reuse=st.integers(1, 20),
    max_bag_reuse=st.integers(1, 8),
    threats_per_bag_weights=st.sampled_from([(1.0,), (0.6, 0.3, 0.1)]),
)


@laws
@given(befores, configs, st.integers(1, 20), st.integers(0, 999))
def test_counts_sum_and_caps_are_respected(before, config, bag_count, seed):
    made = plan(before, library(), bags(bag_count), config, seed)
    threats = [threat for composite in made.composites for threat in composite.threats]
    by_class = Counter(threat.class_name for threat in threats)
    assert {name: by_class[name] for name in before} == made.added
    assert made.after == {name: before[name] + made.added[name] for name in before}
    assert all(composite.threats for composite in made.composites)
    assert len({composite.id for composite in made.composites}) == len(made.composites)
    assert max(Counter(threat.signature_id for threat in threats).values(), default=0) <= config.max_signature_reuse
    assert max(Counter(composite.bag_id for composite in made.composites).values(), default=0) <= config.max_bag_reuse
    assert all(threat.signature_id.startswith(threat.class_name) for threat in threats)
    for name in before:
        if before[name]:
            assert made.added[name] <= config.max_composite_share * made.after[name] + 1e-6
    short = {each.class_name for each in made.shortfalls}
    assert (sum(made.added.values()) < config.total) == bool(short)
    assert all(each.planned == made.added[each.class_name] < each.asked for each in made.shortfalls)


@laws
@given(befores, configs, st.integers(1, 20), st.integers(0, 999))
def test_json_round_trips_and_the_same_seed_gives_the_same_plan(before, config, bag_count, seed):
    made = plan(before, library(), bags(bag_count), config, seed)
    assert CompositePlan.from_json(json.loads(json.dumps(made.as_json()))) == made
    assert plan(before, library(), bags(bag_count), config, seed) == made


@laws
@given(st.integers(1, 100), st.integers(1, 15), st.integers(0, 99))
def test_signatures_and_bags_are_used_evenly(total, bag_count, seed):
    config = PlanConfig(total=total, max_bag_reuse=1000, max_signature_reuse=1000)
    made = plan({"gun": 10}, library(), bags(bag_count), config, seed)
    for used, available in (
        (Counter(composite.threats[0].signature_id for composite in made.composites), 7),
        (Counter(composite.bag_id for composite in made.composites), bag_count),
    ):
        counts = sorted(used.values()) + [0] * (available - len(used))
        assert max(counts) - min(counts) <= 1


@laws
@given(befores, st.integers(0, 99))
def test_equalise_evens(before, seed):
    config = PlanConfig(Strategy.EQUALISE, max_signature_reuse=1000, max_bag_reuse=1000)
    assert len(set(plan(before, library(), bags(3), config, seed).after.values())) == 1


@laws
@given(befores, st.integers(1, 3), st.integers(0, 99))
def test_preserve_keeps_proportions(before, multiple, seed):
    config = PlanConfig(Strategy.PRESERVE, multiple=multiple, max_signature_reuse=1000, max_bag_reuse=1000)
    made = plan(before, library(), bags(3), config, seed)
    assert made.divergence == pytest.approx(0, abs=1e-12)
    assert made.after == {name: count * (1 + multiple) for name, count in before.items()}


def test_the_made_share_is_kept_as_long_as_reuse_allows():
    def made_share(config: PlanConfig) -> float:
        threats = [each.threats[0].signature_id for each in plan({"gun": 100}, library(3, 4), bags(50), config, 0).composites]
        return sum("-t" in each for each in threats) / len(threats)

    assert made_share(PlanConfig(total=40, made_share=0.25)) == 0.25
    assert made_share(PlanConfig(total=40, made_share=0.0)) == 0.0
    assert made_share(PlanConfig(total=100, made_share=0.0)) == 0.4  # three real ones twenty times, the rest must be made


def test_lengths_come_from_the_real_distribution():
    made = plan({"gun": 5, "knife": 5}, library(), bags(9), PlanConfig(total=40), 1, relative_lengths={"gun": [0.2, 0.3]})
    lengths = {name: set() for name in ("gun", "knife")}
    for composite in made.composites:
        lengths[composite.threats[0].class_name].add(composite.threats[0].relative_length)
    assert lengths == {"gun": {0.2, 0.3}, "knife": {None}}


def test_the_summary_names_every_shortfall():
    made = plan({"gun": 10, "knife": 2}, library(1, 0), bags(1), PlanConfig(Strategy.EQUALISE, max_signature_reuse=3, max_bag_reuse=10), 0)
    assert "knife: asked for 8, planned 3: 1 signatures, 3 uses each" in made.summary()
    made = plan({"gun": 10, "knife": 2}, library(9, 0), bags(2), PlanConfig(Strategy.EQUALISE, max_bag_reuse=2), 0)
    assert "knife: asked for 8, planned 4: 2 bags, 2 uses each" in made.summary()
    made = plan({"gun": 10, "knife": 2}, library(9, 0), bags(20), PlanConfig(Strategy.EQUALISE, max_composite_share=0.5), 0)
    assert "knife: asked for 8, planned 2: composites may be at most 50% of a class" in made.summary()


def test_classes_left_out_stay_as_they_are():
    made = plan({"gun": 10, "sword": 1}, library(), bags(9), PlanConfig(total=5, classes=("gun",)), 0)
    assert made.added == {"gun": 5, "sword": 0}


def test_refuses_plans_that_cannot_be_carried_out():
    config = PlanConfig(total=10)
    with pytest.raises(DataError, match="no benign bags to project threats into"):
        plan({"gun": 5}, library(), [], config, 0)
    with pytest.raises(DataError, match="'sword' is to get 5 threats, but there is no signature of it"):
        plan({"gun": 5, "sword": 5}, library(), bags(3), config, 0)
    with pytest.raises(DataError, match="some bag ids occur twice"):
        plan({"gun": 5}, library(), ["a", "a"], config, 0)
    with pytest.raises(DataError, match="some signature ids occur twice"):
        plan({"gun": 5}, {"gun": [AvailableSignature("x", OriginKind.REAL)] * 2}, bags(2), config, 0)
    with pytest.raises(DataError, match="no classes"):
        plan({}, library(), bags(2), config, 0)
    with pytest.raises(DataError, match="must not be negative"):
        plan({"gun": -1}, library(), bags(2), config, 0)
    with pytest.raises(ConfigError, match=r"classes names \['sword'\]"):
        plan({"gun": 5}, library(), bags(2), PlanConfig(total=3, classes=("sword",)), 0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"total": 3, "multiple": 1.0}, "not both"),
        ({"total": -1}, "must not be negative"),
        ({"multiple": float("nan")}, "must not be negative"),
        ({"max_composite_share": 1.5}, "max_composite_share must lie in"),
        ({"made_share": -0.1}, "made_share must lie in"),
        ({"max_bag_reuse": 0}, "must be at least 1"),
        ({"threats_per_bag_weights": ()}, "threats_per_bag_weights"),
    ],
)
def test_config_refuses(wrong, message):
    with pytest.raises(ConfigError, match=message):
        PlanConfig(**wrong)


def test_a_plan_that_contradicts_itself_is_refused():
    value = plan({"gun": 5}, library(), bags(2), PlanConfig(total=3), 0).as_json()
    with pytest.raises(DataError, match="but its composites hold"):
        CompositePlan.from_json({**value, "added": {"gun": 4}})
    with pytest.raises(DataError, match="not a plan of composites"):
        CompositePlan.from_json({"strategy": "preserve"}, "plan.json")


def test_counts_of_threats_follow_those_of_the_scans():
    weights = count_weights([1] * 60 + [2] * 30 + [4] * 10 + [0] * 50)
    assert weights == (60.0, 30.0, 0.0, 10.0)
    config = PlanConfig(total=3000, threats_per_bag_weights=weights, max_signature_reuse=2000, max_bag_reuse=3000)
    sizes = [len(each.threats) for each in plan({"gun": 5}, library(), bags(2), config, 0).composites]
    assert sizes.count(2) / len(sizes) == pytest.approx(0.3, abs=0.04)
    assert sizes.count(3) <= 1
    assert sizes.count(4) / len(sizes) == pytest.approx(0.1, abs=0.03)
    assert count_weights([0, 0]) == (1.0,)
