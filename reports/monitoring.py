"""Figures of groups over time: rates by window, and the wealth of a bet against equal rates."""

from __future__ import annotations

from math import log10

import altair as alt

from ..audit.record import Exhibit, Record
from . import numbers, words
from .figure import HELD, Figure, Row, Table, axis, themed, values
from .palette import ACCENT, CONTRARY, INK, MUTED
from .plain import plain

METRIC = "selection_rate"
MOST = 4  # attributes that are drawn
GROUPS = 4  # lines of one chart
COLOURS = (ACCENT, CONTRARY, MUTED, INK)


def over_time(record: Record) -> list[Figure]:
    """For each attribute: the headline rate by window, and whether the groups can be told apart yet."""
    found = [
        e
        for e in record.exhibits
        if (e.analysis, e.kind) == ("fairness", "monitoring") and e.data.get("metric") == METRIC
    ]
    return [_figure(e, place) for place, e in enumerate(found[:MOST])]


def _figure(e: Exhibit, place: int) -> Figure:
    d, attribute = e.data, plain(e.where.get("attribute", ""))
    klass = f", class {plain(e.where['class'], 24)}" if "class" in e.where else ""
    return Figure(
        f"groups-over-time-{place + 1}",
        "fairness",
        f"{words.title(METRIC)} by {attribute}{klass} over time",
        "Do the groups drift apart, and is it more than chance?",
        _chart(e),
        Table(
            ("Window", *(plain(group, 40) for group in d["groups"]), "Evidence so far (e-value)"),
            tuple(_cells(e, k) for k in range(len(d["windows"]))[:HELD]),
            _note(e),
        ),
        "Above, each line is a group's rate in each window. Below is the stake of somebody who bets, window by window, "
        f"that the rates differ: where groups are alike it stays near or below 1, and it ever reaches "
        f"{d['threshold']:.3g} (the line) with a chance of at most one in as many, however often one "
        f"looks.",
    )


def _note(e: Exhibit) -> str:
    first = e.data.get("rejected_in")
    told = "The groups cannot be told apart so far." if first is None else f"Told apart from {plain(first)} on."
    left = len(e.data["groups"]) - GROUPS
    return told + (f" The chart shows the {GROUPS} largest groups." if left > 0 else "")


def _cells(e: Exhibit, k: int) -> tuple[str, ...]:
    d = e.data
    rates = ("–" if row[k] is None else numbers.percent(row[k]) for row in d["rates"])
    return (plain(d["windows"][k], 40), *rates, _stake(d["log10_wealth"][k]))


def _stake(log: float) -> str:
    """A wealth told by its logarithm.

    >>> _stake(0.0), _stake(-3.0), _stake(9.2)
    ('1.00', '0.00100', 'over 1,000,000')
    """
    return "over 1,000,000" if log > 6 else "below 0.001" if log < -3 else numbers.significant(10**log)


def _chart(e: Exhibit) -> alt.TopLevelMixin:
    d = e.data
    order = [plain(window, 24) for window in d["windows"]]
    sizes = {k: sum(n) for k, n in enumerate(d["n"])}
    shown = sorted(sorted(sizes, key=lambda k: -sizes[k])[:GROUPS])
    rows: list[Row] = [
        {"window": window, "group": plain(d["groups"][k], 32), "rate": d["rates"][k][i]}
        for k in shown
        for i, window in enumerate(order)
    ]
    times = alt.Axis(title=None, labelOverlap="greedy", labelSeparation=12, labelAngle=0)
    x = alt.X("window:N", sort=order, axis=times)
    named = alt.Legend(title=None, orient="top", labelColor=INK, labelFontSize=12)
    colour = alt.Color("group:N", scale=alt.Scale(range=list(COLOURS)), legend=named)
    y = alt.Y("rate:Q", scale=alt.Scale(zero=False, nice=True), axis=axis(words.title(METRIC), "%"))
    base = alt.Chart(values(rows)).encode(x=x, y=y, color=colour)
    rates = alt.layer(base.mark_line(strokeWidth=2), base.mark_point(filled=True, size=45, opacity=1))
    stakes: list[Row] = [
        {"window": window, "stake": stake, "reach": log10(d["threshold"])}
        for window, stake in zip(order, d["log10_wealth"], strict=True)
    ]
    title = axis("stake, as a power of 10", ticks=3)
    bets = alt.Chart(values(stakes)).encode(x=x)
    line = bets.mark_line(color=ACCENT, strokeWidth=2).encode(y=alt.Y("stake:Q", axis=title))
    bound = bets.mark_line(color=MUTED, strokeDash=[4, 4]).encode(y=alt.Y("reach:Q"))
    below = alt.layer(bound, line).properties(width=560, height=110)
    return themed(alt.vconcat(rates.properties(width=560, height=180), below))
