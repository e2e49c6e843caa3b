"""Charts of numbers by group: how far predictions are off, and what attention a ranking gives."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from ..audit.measure import Measure
from ..audit.record import Record
from . import numbers, words
from .figure import HELD, MOST, Figure, Row, Table, axis, held, largest, names, themed, values
from .palette import ACCENT, INK, MUTED
from .plain import plain

SHOWN = {  # metric -> the value at which nobody is treated otherwise, title, question, how to read it
    "mean_error": (
        0.0,
        "Mean error by group",
        "For whom is the prediction too high, for whom too low?",
        "Each point is what predictions are too high by on average (left of the line: too low), its line the interval.",
    ),
    "exposure": (
        1.0,
        "Exposure by group",
        "Whom does the ranking show?",
        "Each point is the attention that the places of a group's rows get, its line the interval; at 1 it is the "
        "list's mean.",
    ),
}
STEP = 26  # pixels a row
LARGEST = "groups with most rows"


def by_group(record: Record) -> list[Figure]:
    """The mean error of a regression, or the exposure of a ranking, of each group."""
    found = [_figure(record, metric) for metric in SHOWN]
    return [figure for figure in found if figure is not None]


def _figure(record: Record, metric: str) -> Figure | None:
    own = [
        m
        for m in record.measures
        if (m.analysis, m.metric, m.statistic) == ("fairness", metric, "value") and len(m.where) == 1
    ]
    if not any(m.value is not None for m in own):
        return None
    even, title, question, reading = SHOWN[metric]
    listed = largest(own, HELD, lambda m: m.n)
    drawn = [m for m in largest(own, MOST, lambda m: m.n) if m.value is not None]
    head = f"{numbers.level(own[0].level)} interval" if len({m.level for m in own}) == 1 else "Interval"
    return Figure(
        f"groups-{metric.replace('_', '-')}",
        "fairness",
        title,
        question,
        _forest(drawn, even),
        Table(("Group", "Rows", words.title(metric), head), tuple(map(_cells, listed)), held(len(own), LARGEST)),
        f"{reading} Where two lines overlap widely, these rows cannot tell the groups apart.",
    )


def _forest(drawn: Sequence[Measure], even: float) -> alt.TopLevelMixin:
    rows: list[Row] = [
        {"name": _group(m), "value": m.value, "low": m.low, "high": m.high, "shown": numbers.value(m), "even": even}
        for m in drawn
    ]
    base = alt.Chart(values(rows)).encode(y=names(sort=[row["name"] for row in rows]))
    unit = next((m.unit for m in drawn if m.unit not in ("1", "")), "")
    x = alt.X("value:Q", scale=alt.Scale(zero=False, nice=True, padding=14), axis=axis(plain(unit, 24)))
    line = base.mark_tick(color=MUTED, thickness=1.5, size=STEP, opacity=0.6).encode(x=alt.X("even:Q"))
    spans = base.mark_rule(color=ACCENT, strokeWidth=2.5, opacity=0.55).encode(x=alt.X("low:Q"), x2=alt.X2("high"))
    dots = base.mark_point(color=ACCENT, filled=True, size=70, opacity=1).encode(x=x)
    text = base.mark_text(dy=-11, fontSize=11, color=INK).encode(x=alt.X("value:Q"), text=alt.Text("shown:N"))
    return themed(alt.layer(line, spans, dots, text).properties(width=560, height=alt.Step(STEP + 8)))


def _cells(m: Measure) -> tuple[str, ...]:
    return _group(m), numbers.count(m.n), numbers.value(m), numbers.interval(m) or "–"


def _group(m: Measure) -> str:
    return " × ".join(f"{plain(key, 24)} · {plain(level, 40)}" for key, level in sorted(m.where.items()))
