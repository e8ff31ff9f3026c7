"""Plots as SVG that is part of the page: its ink follows the page's light, dark or print colours."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from threatray.report.tables import figure_text, points_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe & Ito, "Color Universal Design", 2008: told apart with every common kind of colour vision.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9"
PALETTE: Final = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY)

# And told apart without any colour.
_DASHES: Final[tuple[Any, ...]] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
_MARKERS: Final = "osD^vP*X"

# Stand-ins that become the page's own colours, so that one SVG serves light, dark and paper.
_INK, _FAINT, _GROUND = "#010203", "#040506", "#070809"
_PAGE_COLOURS: Final = {_INK: "currentColor", _FAINT: "var(--line)", _GROUND: "var(--card)"}

_STYLE: Final[dict[str, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "threatray",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 11,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.unicode_minus": True,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _FAINT,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
}


@dataclass(frozen=True)
class Estimate:
    """A point with its 95 % interval (None where none was computed) and the single repeats behind it."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    repeats: tuple[float, ...] = ()


def _drawn(draw: Callable[[Axes], None], *, name: str, width: float, height: float) -> str:
    """Draw on one pair of axes and give SVG text; the same values give the same bytes.

    Args:
        draw: Draws on the axes it is given.
        name: Goes before every id in the SVG, so that several plots live in one page.
        width: In CSS pixels.
        height: In CSS pixels.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(_STYLE):
        page = Figure(figsize=(width / 72, height / 72), layout="constrained")
        FigureCanvasSVG(page)
        draw(page.add_subplot())
        buffer = io.StringIO()
        page.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return _for_page(buffer.getvalue(), name)


def _for_page(svg: str, name: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*|<defs>\s*<style.*?</defs>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = re.sub(r'(<svg[^>]*?)\swidth="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?)\sheight="[^"]*"', r"\1", svg, count=1)
    width = re.search(r'viewBox="0 0 ([\d.]+)', svg)
    svg = svg.replace("<svg", f'<svg class="plot" aria-hidden="true" style="max-width: {float(width[1]):.0f}px"' if width else "<svg", 1)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = svg.replace("url(#", f"url(#{name}-").replace('href="#', f'href="#{name}-')
    for stand_in, colour in _PAGE_COLOURS.items():
        svg = svg.replace(stand_in, colour)
    # One family for the whole page; the size stays matplotlib's.
    return re.sub(r"font: ([^;\"]*?px) [^;\"]*", r"font: \1 system-ui, sans-serif", svg).strip()


def interval_plot(estimates: Sequence[Estimate], *, name: str, title: str, axis: str, zero: bool, share: bool = False) -> str:
    """Points with their 95 % intervals, one a line, and single repeats as small rings.

    Args:
        estimates: Top to bottom.
        name: Unique in the page.
        title: Above the plot.
        axis: What the x axis shows, with its unit.
        zero: Draw a line at 0, and colour what excludes it.
        share: Values are shares; show them in points.
    """
    factor = 100.0 if share else 1.0

    def draw(axes: Axes) -> None:
        for row, one in enumerate(reversed(estimates)):
            decided = zero and one.low is not None and one.high is not None and (one.low > 0 or one.high < 0)
            colour = (BLUE if decided else _INK) if zero else BLUE
            if one.low is not None and one.high is not None:
                axes.plot(
                    [factor * one.low, factor * one.high], [row, row], color=colour, linewidth=3.2, solid_capstyle="round", alpha=0.55
                )
            axes.plot([factor * repeat for repeat in one.repeats], [row - 0.26] * len(one.repeats), "o", markersize=4.2,
                      markerfacecolor="none", markeredgecolor=_INK, markeredgewidth=0.9, alpha=0.6)  # fmt: skip
            axes.plot([factor * one.value], [row], "D" if decided or not zero else "o", color=colour, markersize=7.5)
            text = points_text(one.value) if share and zero else figure_text(factor * one.value)
            axes.annotate(text, (factor * one.value, row), (0, 7), textcoords="offset points", ha="center", fontsize=10, color=_INK)
        if zero:
            axes.axvline(0, color=_INK, linewidth=1, linestyle=(0, (3, 2)))
        axes.set_yticks(range(len(estimates)), [one.name for one in reversed(estimates)])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(-0.6, len(estimates) - 0.35)
        axes.margins(x=0.08)
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(axis)
        axes.set_title(title)

    return _drawn(draw, name=name, width=460, height=84 + 38 * len(estimates))


def before_after(before: Mapping[str, float], after: Mapping[str, float], *, name: str) -> str:
    """How many threats of each class there were, and are with the synthetic ones; on a log scale where they span two decades."""
    classes = sorted(before, key=lambda known: (-before[known], known))
    classes += sorted(set(after) - set(before))
    least = min((value for value in (*before.values(), *after.values()) if value > 0), default=1)
    most = max((*before.values(), *after.values(), 1))

    def draw(axes: Axes) -> None:
        rows = np.arange(len(classes))[::-1]
        for offset, counts, colour, legend in ((0.2, before, ORANGE, "real"), (-0.2, after, BLUE, "real and synthetic")):
            values = [counts.get(known, 0) for known in classes]
            axes.barh(rows + offset, values, 0.36, color=colour, label=legend)
            for row, value in zip(rows, values, strict=True):
                axes.annotate(f"{value:,.0f}", (max(value, 0), row + offset), (4, 0), textcoords="offset points", va="center", fontsize=9.5)
        if most >= 100 * least:
            axes.set_xscale("log")
            axes.set_xlim(0.7 * least, 3 * most)
        else:
            axes.set_xlim(0, 1.15 * most)
        axes.set_yticks(rows, classes)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.set_xlabel("threats" + (" (log scale)" if most >= 100 * least else ""))
        axes.set_title("Before and after", pad=24)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0, borderpad=0.2, handlelength=1.2)

    return _drawn(draw, name=name, width=460, height=110 + 38 * len(classes))


def heat_map(values: Sequence[Sequence[float]], *, name: str, title: str) -> str:
    """Where in the picture things lie: the stronger the colour, the more."""
    grid = np.asarray(values, float)

    def draw(axes: Axes) -> None:
        top = max(float(grid.max()), 1.0)
        for (row, column), value in np.ndenumerate(grid):
            if value > 0:
                axes.fill(
                    [column, column + 1, column + 1, column],
                    [row, row, row + 1, row + 1],
                    color=BLUE,
                    alpha=0.12 + 0.88 * value / top,
                    linewidth=0,
                )
        axes.set_xlim(0, grid.shape[1])
        axes.set_ylim(grid.shape[0], 0)
        axes.set_aspect("equal")
        axes.set_xticks([])
        axes.set_yticks([])
        for side in axes.spines.values():
            side.set_visible(True)
        axes.set_title(title)

    return _drawn(draw, name=name, width=220, height=240)


def quantile_plot(quantiles: Mapping[str, Sequence[float]], *, name: str, title: str, axis: str) -> str:
    """One line a class from the lowest to the highest quantile, with the middle ones thick: sizes at a glance."""

    def draw(axes: Axes) -> None:
        for row, (_, values) in enumerate(reversed(list(quantiles.items()))):
            known = sorted(values)
            middle = len(known) // 2
            axes.plot([known[0], known[-1]], [row, row], color=BLUE, linewidth=1.2)
            if len(known) >= 5:
                axes.plot([known[middle - 1], known[middle + 1]], [row, row], color=BLUE, linewidth=7, alpha=0.5, solid_capstyle="butt")
            axes.plot([known[middle]], [row], "|", color=_INK, markersize=13, markeredgewidth=2)
        axes.set_yticks(range(len(quantiles)), list(quantiles)[::-1])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(-0.6, len(quantiles) - 0.4)
        axes.set_xlim(left=0)
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(axis)
        axes.set_title(title)

    return _drawn(draw, name=name, width=400, height=84 + 27 * len(quantiles))


def curves(lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, name: str, title: str, axis: str = "step") -> str:
    """Lines over the steps of training, each with its name at its end.

    Args:
        lines: Name -> (x, y).
        name: Unique in the page.
        title: Above the plot.
        axis: What the x axis shows.
    """

    def draw(axes: Axes) -> None:
        for place, (line, (x, y)) in enumerate(lines.items()):
            axes.plot(x, y, color=PALETTE[place % len(PALETTE)], linestyle=_DASHES[place % len(_DASHES)], linewidth=1.7, label=line)
        axes.grid(axis="y")
        axes.set_xlabel(axis)
        axes.set_title(title, pad=24)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=min(4, len(lines)), borderaxespad=0, borderpad=0.2,
                    handlelength=1.6, columnspacing=1.0)  # fmt: skip

    return _drawn(draw, name=name, width=380, height=250)


def unit_square(
    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    *,
    name: str,
    title: str,
    x_axis: str,
    y_axis: str,
    diagonal: bool,
    dots: bool,
) -> str:
    """Lines of shares against shares, both from 0 to 1: ROC curves, reliability diagrams.

    Args:
        lines: Name -> (x, y).
        name: Unique in the page.
        title: Above the plot.
        x_axis: What x is.
        y_axis: What y is.
        diagonal: Draw where both are equal.
        dots: Mark every point.
    """

    def draw(axes: Axes) -> None:
        if diagonal:
            axes.plot([0, 1], [0, 1], color=_INK, linewidth=1, linestyle=(0, (3, 2)))
        for place, (line, (x, y)) in enumerate(lines.items()):
            axes.plot(x, y, color=PALETTE[place % len(PALETTE)], linestyle=_DASHES[place % len(_DASHES)], linewidth=1.7, label=line,
                      marker=_MARKERS[place % len(_MARKERS)] if dots else "", markersize=5)  # fmt: skip
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.set_aspect("equal")
        axes.grid()
        axes.set_xlabel(x_axis)
        axes.set_ylabel(y_axis)
        axes.set_title(title)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, handlelength=2.2)

    return _drawn(draw, name=name, width=400, height=370 + 18 * len(lines))


def paired_dots(groups: Mapping[str, Sequence[tuple[float, float]]], *, name: str, title: str, x_axis: str, y_axis: str) -> str:
    """One dot an object, control against translation: above the diagonal the translation is better.

    Args:
        groups: Class -> (control, translation) of each object.
        name: Unique in the page.
        title: Above the plot.
        x_axis: What the control is.
        y_axis: What the translation is.
    """

    def draw(axes: Axes) -> None:
        everything = np.array([pair for pairs in groups.values() for pair in pairs], float).reshape(-1, 2)
        low, high = (float(everything.min()), float(everything.max())) if everything.size else (0.0, 1.0)
        pad = 0.05 * max(high - low, 1e-3)
        axes.plot([low - pad, high + pad], [low - pad, high + pad], color=_INK, linewidth=1, linestyle=(0, (3, 2)))
        for place, (group, pairs) in enumerate(groups.items()):
            points = np.array(pairs, float).reshape(-1, 2)
            axes.plot(points[:, 0], points[:, 1], _MARKERS[place % len(_MARKERS)], color=PALETTE[place % len(PALETTE)], markersize=5.5,
                      alpha=0.75, markeredgewidth=0, label=group)  # fmt: skip
        axes.set_xlim(low - pad, high + pad)
        axes.set_ylim(low - pad, high + pad)
        axes.set_aspect("equal")
        axes.grid()
        axes.set_xlabel(x_axis)
        axes.set_ylabel(y_axis)
        axes.set_title(title)
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), handletextpad=0.2)

    return _drawn(draw, name=name, width=420, height=330)


def changes_by_count(lines: Mapping[str, Sequence[Estimate]], counts: Sequence[str], *, name: str, title: str, axis: str) -> str:
    """What each arm changed at each number of real threats, with 95 % intervals; filled where the interval excludes 0.

    Args:
        lines: Arm -> its estimates, each named by its count.
        counts: The numbers, from the left.
        name: Unique in the page.
        title: Above the plot.
        axis: What the y axis shows.
    """

    def draw(axes: Axes) -> None:
        axes.axhline(0, color=_INK, linewidth=1, linestyle=(0, (3, 2)))
        for place, (line, estimates) in enumerate(lines.items()):
            colour, offset = PALETTE[place % len(PALETTE)], 0.14 * (place - (len(lines) - 1) / 2)
            at = [counts.index(one.name) + offset for one in estimates]
            axes.plot(at, [100 * one.value for one in estimates], color=colour, linewidth=1, alpha=0.6)
            for x, one in zip(at, estimates, strict=True):
                decided = one.low is not None and one.high is not None and (one.low > 0 or one.high < 0)
                if one.low is not None and one.high is not None:
                    axes.plot([x, x], [100 * one.low, 100 * one.high], color=colour, linewidth=2.4, solid_capstyle="round", alpha=0.6)
                axes.plot([x], [100 * one.value], _MARKERS[place % len(_MARKERS)], color=colour, markersize=7, markeredgewidth=1.5,
                          markerfacecolor=colour if decided else _GROUND, label=line if x == at[0] else None)  # fmt: skip
        axes.set_xticks(range(len(counts)), list(counts))
        axes.set_xlim(-0.6, len(counts) - 0.4)
        axes.grid(axis="y")
        axes.set_xlabel("real threats of each class")
        axes.set_ylabel(axis)
        axes.set_title(title, pad=10 + 18 * len(lines))
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=1, borderaxespad=0, borderpad=0.2, handlelength=1.2)

    return _drawn(draw, name=name, width=440, height=260 + 20 * len(lines))
