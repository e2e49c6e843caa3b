"""A figure: a chart, the table of the same numbers, the question it answers and how to read it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import altair as alt
from altair.utils import schemapi

from . import palette

Row = dict[str, Any]
T = TypeVar("T")
MOST = 25  # groups, gaps or classes that a chart shows, however many there are: a chart of thousands cannot be drawn
HELD = 400  # rows of a chart's table; record.json holds them all
POINTS = "format(100 * datum.value, '~g')"  # as the numbers beside a chart are written, in percentage points
LABEL = 170  # pixels that a name may take beside a chart


@dataclass(frozen=True, slots=True)
class Table:
    """What a chart shows, as text. The first column names the row.

    Attributes:
        note: what a reader must know, such as what the chart leaves out.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One picture of a record.

    Attributes:
        id: stable over records of the same kind; an anchor in the page.
        section: the analysis it belongs to.
        question: what a reader may ask of it.
        made: its Altair chart, or what makes it when it is asked for, as where a report shows no picture.
        reading: how to read it, in a sentence or two.
        wide: whether it needs the whole width of a page.
        folded: how its table reads alone. Where it says so, a report shows the table folded and no picture, which the
            dashboard still draws; a report has room for few pictures.
    """

    id: str
    section: str
    title: str
    question: str
    made: alt.TopLevelMixin | Callable[[], alt.TopLevelMixin]
    table: Table
    reading: str
    wide: bool = True
    folded: str = ""

    @property
    def chart(self) -> alt.TopLevelMixin:
        """An Altair chart, to be drawn as SVG or shown interactively."""
        if isinstance(self.made, alt.TopLevelMixin):
            return self.made
        with schemapi.debug_mode(False):  # our own and tested, as in `charts`
            return self.made()


def largest(found: Sequence[T], most: int, size: Callable[[T], float]) -> list[T]:
    """The `most` largest, in the order in which they came; of equals the first.

    >>> largest([3, 1, 4, 1, 5], 3, float)
    [3, 4, 5]
    """
    if len(found) <= most:
        return list(found)
    places = sorted(range(len(found)), key=lambda i: -size(found[i]))[:most]
    return [found[i] for i in sorted(places)]


def shown(total: int, which: str) -> str:
    """What a chart with too many rows leaves out, as the end of its reading: " The chart shows …"; else nothing."""
    return f" The chart shows the {MOST} {which} of {total:,}." if total > MOST else ""


def held(total: int, which: str) -> str:
    """What chart and table leave out of `total` rows, as the table's note; nothing where both hold all.

    >>> held(40, "largest groups")
    'The chart shows the 25 largest groups of 40; this table holds them all.'
    """
    if total <= MOST:
        return ""
    table = "holds them all" if total <= HELD else f"holds the {HELD} {which}, record.json all of them"
    return f"{shown(total, which).strip().rstrip('.')}; this table {table}."


def values(rows: Sequence[Row]) -> alt.Data:
    """Rows as inline data of a chart: a chart carries its numbers and fetches nothing.

    A tuple, because Altair copies lists, and all that is in them, with every step of building a chart.
    """
    return alt.Data(values=tuple(rows))  # pyright: ignore[reportCallIssue]


def names(title: str | None = None, sort: Any = None, limit: int = LABEL) -> alt.Y:
    """A vertical axis of names, in the order of the rows; long ones end in an ellipsis."""
    axis = alt.Axis(title=title, labelLimit=limit, ticks=False, domain=False, labelPadding=8)
    return alt.Y("name:N", sort=sort, axis=axis)


def axis(title: str, number: str = "", ticks: int = 5, **more: Any) -> alt.Axis:
    """A quiet axis of numbers, in the d3 format `number` where one is given; "points" writes shares times 100."""
    shown = {"labelExpr": POINTS} if number == "points" else {"format": number} if number else {}
    return alt.Axis(title=title, tickCount=ticks, labelOverlap="greedy", labelSeparation=8, **shown, **more)


def themed(chart: Any) -> Any:
    """The chart in the report's type and colours. Set in one go: each `configure_…` would copy all its data."""
    chart = chart.copy(deep=False)
    chart.config = _CONFIG
    return chart


_TEXT = {"labelColor": palette.MUTED, "titleColor": palette.MUTED, "labelFontSize": 12, "titleFontSize": 12}
_CONFIG: dict[str, Any] = {
    "font": palette.FONT,
    "background": "transparent",
    "aria": False,
    "padding": 8,
    "view": {"stroke": None},
    "axis": {
        "gridColor": palette.LINE,
        "domainColor": palette.LINE,
        "tickColor": palette.LINE,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        **_TEXT,
    },
    "axisY": {"labelColor": palette.INK},
    "header": {
        "labelColor": palette.INK,
        "labelFontSize": 12,
        "labelFontWeight": 600,
        "labelPadding": 6,
        "title": None,
    },
    "facet": {"spacing": 18},
}
