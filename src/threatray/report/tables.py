"""Numbers as people read them, and tables that keep the exact value behind each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from threatray.errors import DataError

ABSENT: Final = "–"
_MINUS: Final = "−"


@dataclass(frozen=True)
class Cell:
    """One cell: what is read, the exact number it stands for (used to sort), and a smaller second line."""

    text: str
    value: float | None = None
    detail: str = ""


@dataclass(frozen=True)
class Column:
    """A column's title, whether it holds numbers, and what the title means."""

    title: str
    numeric: bool = True
    hint: str = ""


@dataclass(frozen=True)
class Table:
    """A table with a caption.

    Raises:
        DataError: A row has not one cell a column.

    Example:
        >>> Table("Scans", (Column("Class", numeric=False), Column("Images")), ((label("gun"), count(1200)),)).rows[0][1].text
        '1,200'
    """

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.columns):
                raise DataError(f"report table {self.caption!r}: {len(self.columns)} columns but a row of {len(row)} cells.")


def label(text: Any) -> Cell:
    """A cell of words."""
    return Cell(ABSENT if text in (None, "") else str(text))


def count(value: Any) -> Cell:
    """A cell with a whole number, thousands apart.

    Example:
        >>> count(12345).text, count(None).text
        ('12,345', '–')
    """
    number = _number(value)
    return Cell(ABSENT) if number is None else Cell(f"{round(number):,}".replace("-", _MINUS), number)


def figure(value: Any, low: Any = None, high: Any = None) -> Cell:
    """A cell with a measured figure, three significant digits, and its interval where there is one.

    Example:
        >>> figure(0.012345, 0.01, 0.02)
        Cell(text='0.0123', value=0.012345, detail='0.0100 to 0.0200')
    """
    number = _number(value)
    if number is None:
        return Cell(ABSENT)
    ends = _number(low), _number(high)
    return Cell(figure_text(number), number, "" if None in ends else interval_text(*ends, figure_text))  # type: ignore[arg-type]


def percent(value: Any, low: Any = None, high: Any = None) -> Cell:
    """A cell with a share in [0, 1] as per cent.

    Example:
        >>> percent(0.9375).text
        '93.8 %'
    """
    number = _number(value)
    if number is None:
        return Cell(ABSENT)
    ends = _number(low), _number(high)
    return Cell(percent_text(number), number, "" if None in ends else interval_text(*ends, percent_text))  # type: ignore[arg-type]


def points(value: Any, low: Any = None, high: Any = None) -> Cell:
    """A cell with a difference of two shares in percentage points, always signed.

    Example:
        >>> points(-0.0312, -0.05, 0.01)
        Cell(text='−3.1', value=-0.0312, detail='−5.0 to +1.0')
    """
    number = _number(value)
    if number is None:
        return Cell(ABSENT)
    ends = _number(low), _number(high)
    return Cell(points_text(number), number, "" if None in ends else interval_text(*ends, points_text))  # type: ignore[arg-type]


def figure_text(value: float) -> str:
    """Three significant digits; an exponent only where nothing else would do.

    Example:
        >>> figure_text(0.12345), figure_text(-31.25), figure_text(1234.5), figure_text(0.0000123), figure_text(0)
        ('0.123', '−31.2', '1,234', '1.23e−05', '0')
    """
    size = abs(value)
    if value == 0:
        text = "0"
    elif size >= 1000:
        text = f"{value:,.0f}"
    elif size < 0.0005:
        text = f"{value:.2e}"
    else:
        text = f"{value:.{max(0, 2 - math.floor(math.log10(size)))}f}"
    return text.replace("-", _MINUS)


def percent_text(value: float) -> str:
    """A share as per cent with one decimal."""
    return f"{100 * value:.1f} %".replace("-", _MINUS)


def points_text(value: float) -> str:
    """A difference of shares in points with one decimal and a sign; an exact 0 has none."""
    rounded = round(100 * value, 1)
    return "0.0" if rounded == 0 else f"{rounded:+.1f}".replace("-", _MINUS)


def interval_text(low: float, high: float, form: Any = figure_text) -> str:
    """``low to high``, both in the same form."""
    return f"{form(low)} to {form(high)}"


def plural(number: int, thing: str, things: str = "") -> str:
    """A count with its noun.

    Example:
        >>> plural(1, "seed"), plural(1200, "image"), plural(0, "class", "classes")
        ('1 seed', '1,200 images', '0 classes')
    """
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"


def listed(words: Iterable[str]) -> str:
    """Words in a sentence.

    Example:
        >>> listed(["gun", "knife", "wrench"])
        'gun, knife and wrench'
    """
    known = list(words)
    return " and ".join(filter(None, [", ".join(known[:-1]), *known[-1:]]))


def evenly(items: Sequence[Any], most: int) -> list[Any]:
    """At most so many of the items, evenly spaced: the choice that no one can call picked by hand.

    Example:
        >>> evenly(list("abcdefghi"), 3)
        ['a', 'e', 'i']
    """
    if len(items) <= most:
        return list(items)
    if most == 1:
        return [items[len(items) // 2]]
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]


def _number(value: Any) -> float | None:
    """The value if it is a finite number; JSON holds null for what could not be measured."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
