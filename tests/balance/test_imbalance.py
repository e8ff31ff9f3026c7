from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.balance.imbalance import Imbalance, effective_number, js_divergence
from threatray.errors import ConfigError, DataError

counts = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 1000), min_size=1).filter(lambda value: sum(value.values()) > 0)


def test_a_hand_counted_dataset():
    found = Imbalance.of([("gun", "gun"), ("gun", "knife"), (), (), (), ()], ["gun", "knife", "hammer"])
    assert found.images_per_class == {"gun": 2, "hammer": 0, "knife": 1}
    assert found.instances_per_class == {"gun": 3, "hammer": 0, "knife": 1}
    assert (found.images, found.threat_images, found.benign_images) == (6, 2, 4)
    assert found.benign_per_threat == 2
    assert found.max_to_min is None
    assert found.evenness == pytest.approx(0.811278 / np.log2(3), abs=1e-5)  # entropy of (3/4, 1/4) is 0.811 bits
    assert json.loads(json.dumps(found.as_json()))["max_to_min"] is None


def test_a_dataset_without_threats_has_no_ratios():
    found = Imbalance.of([(), ()], ["gun"])
    assert (found.benign_per_threat, found.max_to_min, found.evenness) == (None, None, None)
    assert Imbalance.of([("gun",)]).evenness == 1


@settings(deadline=None)
@given(counts, counts)
def test_divergence_is_symmetric_bounded_and_zero_for_equal_distributions(first, second):
    assert js_divergence(first, second) == pytest.approx(js_divergence(second, first), abs=1e-12)
    assert 0 <= js_divergence(first, second) <= 1 + 1e-12
    assert js_divergence(first, {name: 3 * count for name, count in first.items()}) == pytest.approx(0, abs=1e-12)


def test_divergence_agrees_with_scipy():
    from scipy.spatial.distance import jensenshannon

    assert js_divergence({"a": 3, "b": 1}, {"a": 1, "b": 4}) == pytest.approx(jensenshannon([3, 1], [1, 4], base=2) ** 2)


@settings(deadline=None)
@given(st.integers(0, 300), st.floats(0, 0.999))
def test_the_effective_number_is_the_geometric_sum(count, beta):
    assert effective_number(count, beta) == pytest.approx(sum(beta**power for power in range(count)), rel=1e-6, abs=1e-9)


def test_refuses_what_cannot_be_counted():
    with pytest.raises(DataError, match="the dataset has no images"):
        Imbalance.of([])
    with pytest.raises(DataError, match=r"labels hold \['sword'\]"):
        Imbalance.of([("sword",)], ["gun"])
    with pytest.raises(DataError, match="not all zero"):
        js_divergence({"a": 0}, {"a": 1})
    with pytest.raises(ConfigError, match=r"beta must lie in \[0, 1\)"):
        effective_number(3, 1)
    with pytest.raises(ConfigError, match="must not be negative"):
        effective_number(-1)
