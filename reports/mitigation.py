"""The chart of what mitigation would buy: accuracy against the gap, one point a method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from ..audit.measure import Measure
from ..audit.record import Exhibit, Record
from . import numbers, words
from .figure import Figure, Row, Table, axis, themed, values
from .palette import ACCENT, INK
from .plain import plain

GAPS = ("selection_rate", "true_positive_rate")
NONE = "none"  # the method of the decisions as they are


def trade_offs(record: Record) -> list[Figure]:
    """For each attribute that mitigation was tried for: accuracy against the gap, with and without."""
    exhibits = [e for e in record.exhibits if e.analysis == "fairness" and e.kind == "mitigation"]
    return [_figure(record, exhibit, place) for place, exhibit in enumerate(exhibits, 1)]


@dataclass(frozen=True, slots=True)
class _Method:
    """One method's measures for an attribute.

    Attributes:
        gaps: in the order of `GAPS`.
    """

    name: str
    accuracy: Measure
    gaps: tuple[Measure, ...]

    @property
    def title(self) -> str:
        if self.name == NONE:
            return "as it is"
        method, _, aim = self.name.replace("_", " ").partition(".")
        return plain(f"{method}: {aim}" if aim else method, 60)


def _figure(record: Record, exhibit: Exhibit, place: int) -> Figure:
    attribute = str(exhibit.where.get("attribute", ""))
    found = _methods(record, attribute)
    titles = [words.capital(words.metric(name).title) for name in GAPS]
    n = numbers.count(int(exhibit.data["rows_audited"]))
    head = f"{numbers.level(found[0].accuracy.level)} interval" if found else "Interval"
    columns = ("Method", "Accuracy", head, *(cell for title in titles for cell in (f"{title}, gap", head)))
    return Figure(
        f"mitigation-{place}",
        "fairness",
        f"What mitigation by {plain(attribute)} would buy",
        "How far would each method close the gap, and what would it cost in accuracy?",
        _chart(found),
        Table(columns, tuple(_cells(key, method) for key, method in enumerate(found))),
        f"Each point is one way to decide the same {n} rows, which no method was fitted on: further left the gap is "
        "smaller, further up more decisions are right; lines are intervals. Point 0 is the decisions as they "
        "are. Nothing here was applied. Methods with a threshold for each group must know a person's group at each "
        "decision, which the law may forbid.",
    )


def _methods(record: Record, attribute: str) -> list[_Method]:
    """The methods with an accuracy, in the order of the record."""
    by: dict[str, dict[tuple[str, str], Measure]] = {}
    for m in record.measures:
        if m.analysis == "fairness" and m.where.keys() == {"attribute", "method"} and m.where["attribute"] == attribute:
            by.setdefault(m.where["method"], {})[m.metric, m.statistic] = m
    found: list[_Method] = []
    for name, own in by.items():
        accuracy, gaps = own.get(("accuracy", "value")), [own.get((metric, "difference")) for metric in GAPS]
        if accuracy is not None and accuracy.value is not None:
            found.append(_Method(name, accuracy, tuple(gap for gap in gaps if gap is not None)))
    return found


def _chart(found: Sequence[_Method]) -> alt.TopLevelMixin:
    rows: list[Row] = [
        {
            "key": str(key),
            "gap": words.capital(words.metric(gap.metric).title),
            "value": gap.value,
            "low": gap.low,
            "high": gap.high,
            "accuracy": method.accuracy.value,
            "below": method.accuracy.low,
            "above": method.accuracy.high,
            "now": method.name == NONE,
        }
        for key, method in enumerate(found)
        for gap in method.gaps
        if gap.value is not None
    ]
    base = alt.Chart()
    x = alt.X("value:Q", scale=alt.Scale(zero=True, nice=True), axis=axis("gap, percentage points", "points", ticks=4))
    y = alt.Y("accuracy:Q", scale=alt.Scale(zero=False, nice=True, padding=14), axis=axis("accuracy", "%", ticks=4))
    colour = alt.condition("datum.now", alt.value(INK), alt.value(ACCENT))
    across = base.mark_rule(strokeWidth=2, opacity=0.45).encode(x=alt.X("low:Q"), x2=alt.X2("high"), y=y, color=colour)
    along = base.mark_rule(strokeWidth=2, opacity=0.45).encode(
        x=x, y=alt.Y("below:Q"), y2=alt.Y2("above"), color=colour
    )
    dots = base.mark_point(filled=True, size=80, opacity=1).encode(x=x, y=y, color=colour)
    text = base.mark_text(dx=7, dy=-9, fontSize=12, align="left", color=INK).encode(x=x, y=y, text=alt.Text("key:N"))
    layers = alt.layer(across, along, dots, text).properties(width=250, height=260, data=values(rows))
    order = [words.capital(words.metric(name).title) for name in GAPS]
    panels = layers.facet(column=alt.Column("gap:N", sort=order, title=None)).resolve_scale(x="independent")
    return themed(alt.hconcat(panels, _legend(found)))


def _legend(found: Sequence[_Method]) -> alt.Chart:
    """Which number is which method."""
    rows: list[Row] = [{"place": k, "told": f"{k}  {method.title}"} for k, method in enumerate(found)]
    y = alt.Y("place:O", axis=None)
    base = alt.Chart(values(rows)).mark_text(align="left", fontSize=12, color=INK)
    return base.encode(y=y, x=alt.value(0), text=alt.Text("told:N")).properties(width=230, height=alt.Step(22))


def _cells(key: int, method: _Method) -> tuple[str, ...]:
    gaps = [cell for gap in method.gaps for cell in (numbers.value(gap), numbers.interval(gap) or "–")]
    right = (numbers.value(method.accuracy), numbers.interval(method.accuracy) or "–")
    return (f"{key}  {method.title}", *right, *gaps)
