"""The page from the data: every value escaped, nothing fetched, the same data to the same bytes."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from threatray.report import plots
from threatray.report.data import ReportData

_TEMPLATES: Final = Path(__file__).parent / "templates"


def render(data: ReportData) -> str:
    """The whole page as one HTML text.

    Args:
        data: What ``build`` found.

    Returns:
        A self-contained page: style, script, plots and pictures inside, no address outside itself. Equal data give equal text.
    """
    return render_template("page.html.j2", data=data, plots=draw_plots(data))


def render_template(name: str, *, plots: Mapping[str, str], **values: object) -> str:
    """One of the templates with the pages' common style and script.

    Args:
        name: The template.
        plots: SVG by name.
        values: What the template shows; every text is escaped.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    style, script = (_TEMPLATES / "page.css").read_text(encoding="utf-8"), (_TEMPLATES / "page.js").read_text(encoding="utf-8")
    return environment.get_template(name).render(
        # Our own files and matplotlib's output (which escapes its texts) are markup; nothing of the user's is.
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        script_hash=_csp_hash(script),
        plots={one: Markup(svg) for one, svg in plots.items()},  # noqa: S704
        **values,
    )


def draw_plots(data: ReportData) -> dict[str, str]:
    """Every plot that the data hold something for, as SVG by name."""
    drawn: dict[str, str] = {}
    if data.headline.estimates:
        drawn["headline"] = plots.interval_plot(
            data.headline.estimates,
            name="headline",
            title=data.headline.plot_title,
            axis=data.headline.plot_axis,
            zero=True,
            share=True,
        )
    if data.inputs:
        for place, one in enumerate(data.inputs.positions):
            drawn[f"positions{place}"] = plots.heat_map(one.grid, name=f"positions{place}", title=one.dataset)
        if data.inputs.sizes:
            drawn["sizes"] = plots.quantile_plot(
                data.inputs.sizes, name="sizes", title="Size of labelled threats", axis="side of the box over side of the picture"
            )
    if data.balance:
        drawn["balance"] = plots.before_after(data.balance.before, data.balance.after, name="balance")
    if data.fidelity:
        if data.fidelity.arms:
            drawn["kid"] = plots.interval_plot(
                data.fidelity.arms, name="kid", title="Distance to X-rays (KID)", axis="KID, lower is closer", zero=False
            )
        if data.fidelity.dots:
            drawn["paired"] = plots.paired_dots(
                data.fidelity.dots,
                name="paired",
                title="SSIM to the true X-ray, one dot an object",
                x_axis=data.fidelity.control,
                y_axis="translation",
            )
    if data.uplift:
        for place, measure in enumerate(data.uplift.plots):
            drawn[f"measure{place}"] = plots.interval_plot(
                measure.estimates, name=f"measure{place}", title=measure.title, axis=measure.axis, zero=False, share=True
            )
        if data.uplift.roc:
            drawn["roc"] = plots.unit_square(
                data.uplift.roc, name="roc", title="ROC on the test set", x_axis="FPR", y_axis="TPR", diagonal=False, dots=False
            )
            drawn["reliability"] = plots.unit_square(
                data.uplift.reliability,
                name="reliability",
                title="Reliability",
                x_axis="probability said",
                y_axis="share with a threat",
                diagonal=True,
                dots=True,
            )
    if data.sweep:
        for place, plot in enumerate(data.sweep.plots):
            drawn[f"sweep{place}"] = plots.changes_by_count(
                plot.lines, plot.counts, name=f"sweep{place}", title=f"Change of {plot.title}", axis=plot.axis
            )
    if data.training:
        for place, figures in enumerate(data.training.validation):
            drawn[f"examined{place}"] = plots.curves(figures.lines, name=f"examined{place}", title=figures.title)
        for place, losses in enumerate(data.training.losses):
            drawn[f"loss{place}"] = plots.curves(losses.lines, name=f"loss{place}", title=losses.title.capitalize())
    return drawn


def _csp_hash(script: str) -> str:
    """What the page's own policy calls its one script; any other script is refused by the browser."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
