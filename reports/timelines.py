"""Panels of attributions over time: bars with whiskers, or a field of cells, on what was heard or measured."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import altair as alt

from .figure import Row, axis, values
from .palette import ACCENT, CONTRARY, INK, LINE, MUTED, PAPER
from .picture import grey
from .whiskers import ends, flat, uncertainty, whisker

WIDE, HIGH = 310, 110  # pixels of a panel
STRIP = 24  # pixels of a channel
FULL = 0.8  # opacity of the strongest colour
DARKEST = 0.5  # of black: colours on it can still be told apart


def signs() -> alt.Color:
    """Blue for, orange against."""
    return alt.Color("sign:N", scale=alt.Scale(domain=["for", "against"], range=[ACCENT, CONTRARY]), legend=None)


def bars(
    row: dict[str, Any], times: Sequence[tuple[float, float]], title: str, unit: str, outline: Sequence[float] | None
) -> Any:
    """A panel of one line of windows: a bar each, its whisker, and the outline of what went in behind them.

    Args:
        row: with attributions [1][windows].
        times: start and end of each window.
        title: of the panel.
        unit: of time.
        outline: what went in, at even steps from start to end; None where it is not shown.
    """
    found: list[Row] = [
        {"start": a, "end": b, "middle": (a + b) / 2, "value": v, "sign": _sign(v), **ends(v, u)}
        for (a, b), v, u in zip(times, flat(row["attributions"]), uncertainty(row), strict=True)
    ]
    base = alt.Chart(values(found))
    across = alt.Scale(domain=[times[0][0], times[-1][1]], nice=False, zero=False)
    drawn = base.mark_rect(opacity=FULL, stroke=PAPER, strokeWidth=1).encode(
        x=alt.X("start:Q", scale=across, axis=axis(unit, grid=False)),
        x2=alt.X2("end"),
        y=alt.Y("value:Q", axis=axis("attribution", ticks=4)),
        y2=alt.Y2(datum=0),
        color=signs(),
    )
    middle = base.encode(x=alt.X("middle:Q", scale=across))
    layers = [drawn, whisker(middle, "y")] if any("low" in bar for bar in found) else [drawn]
    chart = alt.layer(*layers)
    if outline:
        chart = alt.layer(_outline(outline, times, across), chart).resolve_scale(y="independent")
    return chart.properties(width=WIDE, height=HIGH, title=_title(title))


def cells(
    row: dict[str, Any],
    times: Sequence[tuple[float, float]],
    names: Sequence[str],
    title: str,
    unit: str,
    below: Any = None,
    height: int = HIGH,
) -> Any:
    """A panel of several lines of windows: a cell each, the first line at the bottom.

    Args:
        row: with attributions [lines][windows].
        times: start and end of each window.
        names: of the lines.
        title: of the panel.
        unit: of time.
        below: a layer that is drawn first; its y runs from 0 to the number of lines.
        height: of the panel.
    """
    reach = max((abs(x) for x in flat(row["attributions"])), default=0.0) or 1.0
    found: list[Row] = [
        {"start": a, "end": b, "low": k, "high": k + 1, "sign": _sign(v), "strength": round(FULL * abs(v) / reach, 3)}
        for k, line in enumerate(row["attributions"])
        for (a, b), v in zip(times, line, strict=True)
    ]
    across = alt.Scale(domain=[times[0][0], times[-1][1]], nice=False, zero=False)
    up = alt.Scale(domain=[0, len(names)], nice=False, zero=False)
    field = (
        alt.Chart(values(found))
        .mark_rect(stroke=LINE, strokeWidth=0.5)
        .encode(
            x=alt.X("start:Q", scale=across, axis=axis(unit, grid=False)),
            x2=alt.X2("end"),
            y=alt.Y("low:Q", scale=up, axis=None),
            y2=alt.Y2("high"),
            color=signs(),
            opacity=alt.Opacity("strength:Q", scale=None),
        )
    )
    labels = (
        alt.Chart(values([{"name": name, "middle": k + 0.5} for k, name in enumerate(names)]))
        .mark_text(align="right", x=-6, color=INK, fontSize=11, limit=110)
        .encode(y=alt.Y("middle:Q", scale=up, axis=None), text=alt.Text("name:N"))
    )
    layers = [field, labels] if below is None else [below, field, labels]
    return alt.layer(*layers).properties(width=WIDE, height=height, title=_title(title))


def picture(loudness: Sequence[Sequence[float]], lines: int, times: Sequence[tuple[float, float]]) -> Any:
    """What was heard, as a grey picture to lie below cells: loud is dark, the lowest band at the bottom."""
    paper = [[1 - DARKEST * x for x in line] for line in reversed(loudness)]
    data = values([{"url": grey(paper), "x": (times[0][0] + times[-1][1]) / 2, "y": lines / 2}])
    across = alt.Scale(domain=[times[0][0], times[-1][1]], nice=False, zero=False)
    return (
        alt.Chart(data)
        .mark_image(width=WIDE, height=HIGH, aspect=False)
        .encode(
            x=alt.X("x:Q", scale=across),
            y=alt.Y("y:Q", scale=alt.Scale(domain=[0, lines], nice=False, zero=False), axis=None),
            url=alt.Url("url:N"),
        )
    )


def curves(lines: Sequence[Sequence[float]], times: Sequence[tuple[float, float]]) -> Any:
    """What was measured, as one curve a line, each between the floor and the ceiling of its own."""
    start, end = times[0][0], times[-1][1]
    found: list[Row] = []
    for k, line in enumerate(lines):
        low, high = min(line), max(line)
        span = (high - low) or 1.0
        step = (end - start) / len(line)
        found += [
            {"line": str(k), "x": start + (i + 0.5) * step, "y": k + 0.15 + 0.7 * (v - low) / span}
            for i, v in enumerate(line)
        ]
    across = alt.Scale(domain=[start, end], nice=False, zero=False)
    up = alt.Scale(domain=[0, len(lines)], nice=False, zero=False)
    return (
        alt.Chart(values(found))
        .mark_line(color=INK, strokeWidth=1.2)
        .encode(x=alt.X("x:Q", scale=across), y=alt.Y("y:Q", scale=up, axis=None), detail="line:N")
    )


def windows(length: float, width: float) -> list[tuple[float, float]]:
    """Start and end of windows of this width up to the length.

    >>> windows(5, 2)
    [(0.0, 2.0), (2.0, 4.0), (4.0, 5.0)]
    """
    count = max(1, ceil(length / width - 1e-9))  # a window that only rounding errors fill is none
    return [(float(k * width), float(min((k + 1) * width, length))) for k in range(count)]


def _outline(outline: Sequence[float], times: Sequence[tuple[float, float]], across: alt.Scale) -> Any:
    start, end = times[0][0], times[-1][1]
    step = (end - start) / len(outline)
    points: list[Row] = [{"x": start + (i + 0.5) * step, "up": v, "down": -v} for i, v in enumerate(outline)]
    return (
        alt.Chart(values(points))
        .mark_area(color=MUTED, opacity=0.3)
        .encode(x=alt.X("x:Q", scale=across), y=alt.Y("up:Q", axis=None), y2=alt.Y2("down"))
    )


def _title(text: str) -> alt.TitleParams:
    return alt.TitleParams(text, anchor="start", fontSize=12, fontWeight=600, color=INK, limit=WIDE)


def _sign(value: float) -> str:
    return "for" if value >= 0 else "against"
