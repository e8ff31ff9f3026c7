"""The register of names is the same in memory and on disk."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from threatray.datasets.formats import claims

NAMES = st.lists(st.tuples(st.text(st.sampled_from("a칼\ud800\0'"), max_size=2), st.integers(0, 3)), max_size=30)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=NAMES, kept=st.integers(0, 5))
def test_the_first_has_the_name_wherever_it_is_kept(asked: list[tuple[str, int]], kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "MOST_IN_MEMORY", kept)
    register, first = claims.Claims(), dict[str, int]()
    for name, who in asked:
        new = name not in first
        assert register.owner(name, who) == (first.setdefault(name, who), new)
    assert len(register._taken) <= kept
