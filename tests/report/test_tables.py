from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from threatray.errors import DataError
from threatray.report.tables import Cell, Column, Table, count, evenly, figure, figure_text, listed, percent, points, points_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5, "0.500"),
        (0.0213456, "0.0213"),
        (41.23, "41.2"),
        (999.6, "1000"),
        (12345.6, "12,346"),
        (-0.25, "−0.250"),
        (0, "0"),
        (2e-7, "2.00e−07"),
    ],
)
def test_figures_have_three_significant_digits(value: float, text: str) -> None:
    assert figure_text(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.0312, "+3.1"), (-0.0312, "−3.1"), (0.0, "0.0"), (-0.0001, "0.0")])
def test_points_are_signed_unless_they_are_zero(value: float, text: str) -> None:
    assert points_text(value) == text


@settings(deadline=None, max_examples=50)
@given(st.floats(-1e6, 1e6))
def test_a_cell_keeps_the_exact_number_behind_its_text(value: float) -> None:
    assert [form(value).value for form in (figure, percent, points, count)] == [value] * 4


@pytest.mark.parametrize("absent", [None, float("nan"), float("inf"), "0.3", True])
def test_what_is_no_number_is_shown_as_absent(absent: object) -> None:
    assert {figure(absent), percent(absent), points(absent), count(absent)} == {Cell("–")}


def test_an_interval_is_shown_only_when_both_ends_are_known() -> None:
    assert percent(0.5, 0.4, 0.6).detail == "40.0 % to 60.0 %"
    assert percent(0.5, 0.4, None).detail == ""


@given(st.integers(1, 40), st.integers(1, 12))
def test_examples_are_spread_from_the_first_to_the_last_without_repeats(many: int, most: int) -> None:
    chosen = evenly(list(range(many)), most)
    assert len(set(chosen)) == len(chosen) == min(many, most)
    assert chosen == sorted(chosen)
    assert most == 1 or (chosen[0], chosen[-1]) == (0, many - 1)


def test_a_list_reads_as_a_sentence() -> None:
    assert [listed([]), listed(["gun"]), listed(["gun", "knife"])] == ["", "gun", "gun and knife"]


def test_a_ragged_table_is_refused() -> None:
    with pytest.raises(DataError, match="'Scans': 2 columns but a row of 1 cells"):
        Table("Scans", (Column("a"), Column("b")), ((Cell("1"),),))
