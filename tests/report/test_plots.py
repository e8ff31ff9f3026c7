from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from threatray.report import plots
from threatray.report.plots import Estimate

ESTIMATES = (Estimate("a & <b> $x$", -0.12, -0.2, -0.05, (-0.1, -0.14)), Estimate("control", 0.01, None, None))
DRAWN = {
    "interval": lambda: plots.interval_plot(ESTIMATES, name="p", title="t $", axis="x", zero=True, share=True),
    "balance": lambda: plots.before_after({"gun": 400, "hammer": 2, "new": 0}, {"gun": 400, "hammer": 300, "new": 50}, name="p"),
    "heat": lambda: plots.heat_map([[0, 1], [2, 3]], name="p", title="t"),
    "quantiles": lambda: plots.quantile_plot({"gun": (0.1, 0.2, 0.3, 0.4, 0.5), "knife": (0.1,)}, name="p", title="t", axis="x"),
    "curves": lambda: plots.curves({"cycle a": ((1, 2), (0.5, 0.4))}, name="p", title="t"),
    "paired": lambda: plots.paired_dots({"gun": [(0.1, 0.4)], "knife": [(0.2, 0.1)]}, name="p", title="t", x_axis="x", y_axis="y"),
}


@pytest.fixture(scope="module", params=sorted(DRAWN))
def svg(request: pytest.FixtureRequest) -> str:
    return DRAWN[request.param]()


def test_a_plot_is_well_formed_and_fetches_nothing(svg: str) -> None:
    ElementTree.fromstring(svg)
    assert "http" not in svg


def test_every_reference_of_a_plot_leads_to_one_of_its_own_ids(svg: str) -> None:
    ids = re.findall(r'\bid="([^"]*)"', svg)
    assert len(ids) == len(set(ids))
    assert all(one.startswith("p-") for one in ids)
    assert set(re.findall(r'(?:href="|url\()#([^")]*)', svg)) <= set(ids)


def test_a_plots_ink_is_the_pages_own(svg: str) -> None:
    assert "currentColor" in svg
    assert not re.search(r"#010203|#040506|#070809|fill: #000000|stroke: #000000", svg)


def test_the_same_plot_has_the_same_bytes() -> None:
    assert DRAWN["interval"]() == DRAWN["interval"]()


def test_names_are_text_and_neither_markup_nor_mathematics() -> None:
    assert "a &amp; &lt;b&gt; $x$" in DRAWN["interval"]()


def test_counts_over_two_decades_are_drawn_on_a_log_scale() -> None:
    assert "log scale" in DRAWN["balance"]()
    assert "log scale" not in plots.before_after({"gun": 40}, {"gun": 80}, name="p")
