"""Charts of why groups differ: what a control leaves of a gap, and what a gap in false positive rates is made of."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from ..audit.measure import Measure, Where
from ..audit.record import Record
from . import numbers, words
from .figure import HELD, MOST, Figure, Row, Table, axis, held, largest, names, shown, themed, values
from .palette import ACCENT, CONTRARY, INK, MUTED
from .plain import plain
from .words import COMPONENTS

HEADLINES = ("selection_rate", "accuracy")
STEP = 26  # pixels a row
RAW = "all rows together"
SHORT = {
    "base_rate": "how often each is truly positive",
    "positive_predictive_value": "how often positives are right",
    "false_negative_rate": "how often positives are missed",
}


def adjusted(record: Record) -> list[Figure]:
    """For each attribute its gap over all rows, within each level of the controls, and pooled over these."""
    fairness = [m for m in record.measures if m.analysis == "fairness"]
    names = [str(a["name"]) for a in record.subject.get("attributes", ())]
    found = [_adjusted(fairness, name, place) for place, name in enumerate(names, 1)]
    return [figure for figure in found if figure is not None]


def causes(record: Record) -> list[Figure]:
    """For each attribute the gap in false positive rates, split in three."""
    parts = [m for m in record.measures if m.analysis == "fairness" and m.statistic == "due_to"]
    names = [str(a["name"]) for a in record.subject.get("attributes", ())]
    found = [_causes(parts, name, place) for place, name in enumerate(names, 1)]
    return [figure for figure in found if figure is not None]


def _adjusted(fairness: Sequence[Measure], attribute: str, place: int) -> Figure | None:
    where = {"attribute": attribute}
    for metric in HEADLINES:
        own = [m for m in fairness if m.metric == metric and m.where.get("attribute") == attribute]
        raw = _one(own, "difference", where)
        left = _one(own, "conditional_difference", where)
        if raw is not None and left is not None:
            break
    else:
        return None
    strata = [m for m in own if m.statistic == "difference" and len(m.where) == 2 and "class" not in m.where]
    strata = [m for m in strata if m.value is not None and "window" not in m.where]
    signed = raw.details["levels"] == 2
    controls = plain(left.details["controls"])
    rows = [
        _row(RAW, raw, raw, "gap", signed),
        *(_row(_level(m, attribute), m, raw, "level", signed) for m in largest(strata, MOST, lambda m: m.n)),
        _row(f"within levels of {controls}, pooled", left, raw, "gap", signed),
    ]
    low, high = (plain(name) for name in raw.details["pair"])
    direction = (
        f"Right of 0 the group {high} is ahead, left of it {low}. "
        if signed
        else "Each gap is between the groups furthest apart there. "
    )
    cells = [rows[0], *(_row(_level(m, attribute), m, raw, "level", signed) for m in strata[:HELD]), rows[-1]]
    return Figure(
        f"groups-conditional-{place}",
        "fairness",
        f"{words.title(metric)} by {plain(attribute)}, where {controls} is the same",
        f"Is the gap by {plain(attribute)} still there where {controls} is the same?",
        _forest(rows),
        Table(
            ("Gap", "Difference", f"{numbers.level(raw.level)} interval", "Rows"),
            tuple((str(r["name"]), str(r["shown"]), str(r["span"]), str(r["n"])) for r in cells),
            held(len(strata), "levels with most rows"),
        ),
        f"The first point is the gap over all rows, the last what is left of it within levels of {controls}; those "
        f"between are the levels one by one. {direction}A line that reaches over 0 shows no gap for certain."
        + shown(len(strata), "levels with most rows"),
    )


def _one(found: Sequence[Measure], statistic: str, where: Where) -> Measure | None:
    return next((m for m in found if m.statistic == statistic and m.where == where and m.value is not None), None)


def _level(m: Measure, attribute: str) -> str:
    return ", ".join(f"{plain(k)} = {plain(v, 40)}" for k, v in m.where.items() if (k, v) != ("attribute", attribute))


def _row(name: str, m: Measure, raw: Measure, kind: str, signed: bool) -> Row:
    """One gap; of two groups with the sign of the gap over all rows."""
    value, low, high = m.value or 0.0, m.low, m.high
    if signed and m.statistic == "difference" and m.details["pair"] != raw.details["pair"]:
        value, low, high = -value, None if m.high is None else -m.high, None if m.low is None else -m.low
    half = None if low is None or high is None else (high - low) / 2
    span = "–" if low is None or high is None else f"{_bare(low, half)} to {_bare(high, half)}"
    told = numbers.points(value, half)
    facts = {"value": value, "low": low, "high": high, "shown": told, "span": span}
    return {"name": name, "kind": kind, "n": numbers.count(m.n), **facts}


def _bare(end: float, half: float | None) -> str:
    return numbers.points(end, half).replace(f"{numbers.GAP}points", "")


def _forest(rows: Sequence[Row]) -> alt.TopLevelMixin:
    base = alt.Chart(values(rows)).encode(y=names(sort=[r["name"] for r in rows], limit=300))
    colour = alt.Color("kind:N", scale=alt.Scale(domain=["gap", "level"], range=[ACCENT, MUTED]), legend=None)
    x = alt.X("value:Q", scale=alt.Scale(zero=True, nice=True), axis=axis("difference in percentage points", "points"))
    zero = alt.Chart(values([{"zero": 0}])).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(x=alt.X("zero:Q"))
    lines = base.mark_rule(strokeWidth=2.5, opacity=0.55).encode(x=alt.X("low:Q"), x2=alt.X2("high"), color=colour)
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(x=x, color=colour)
    text = base.mark_text(dy=-11, fontSize=11, color=INK).encode(x=alt.X("value:Q"), text=alt.Text("shown:N"))
    return themed(alt.layer(zero, lines, dots, text).properties(width=520, height=alt.Step(STEP + 8)))


def _causes(parts: Sequence[Measure], attribute: str, place: int) -> Figure | None:
    own = [m for m in parts if m.where.keys() == {"attribute", "component"} and m.value is not None]
    own = [m for m in own if m.where["attribute"] == attribute]
    if len(own) != len(SHORT):
        return None
    low, high = (plain(name) for name in own[0].details["pair"])
    return Figure(
        f"groups-causes-{place}",
        "fairness",
        f"What the gap in false positive rates by {plain(attribute)} is made of",
        f"Why are the groups {low} and {high} wrongly selected at different rates?",
        lambda: _waterfall(own),
        Table(
            ("Part", "Share of the gap", f"{numbers.level(own[0].level)} interval", "Rows"),
            tuple(
                (words.capital(COMPONENTS[m.where["component"]]), numbers.value(m), numbers.cell(m), numbers.count(m.n))
                for m in own
            ),
            f"Together the parts make the gap of {numbers.points(own[0].details['gap'])}.",
        ),
        "The false positive rate follows from how often a group is truly positive, how often positive decisions are "
        "right and how often positives are missed. Each bar starts where the one above it ends; the last is the whole "
        "gap. A bar to the left narrows it. The split says what the gap is made of, and excuses nothing.",
        folded="The false positive rate follows from how often a group is truly positive, how often positive decisions "
        "are right and how often positives are missed. A part below 0 narrows the gap. The split says what the gap is "
        "made of, and excuses nothing.",
    )


def _waterfall(parts: Sequence[Measure]) -> alt.TopLevelMixin:
    """One bar split in three, each part on a line of its own because some may run backwards."""
    rows: list[Row] = []
    end = 0.0
    for m in parts:
        start, end = end, end + (m.value or 0.0)
        kind = "widens" if end >= start else "narrows"
        rows.append(_bar(SHORT[m.where["component"]], start, end, numbers.value(m), kind))
    rows.append(_bar("the whole gap", 0.0, end, numbers.points(end), "gap"))
    base = alt.Chart(values(rows)).encode(y=names(sort=[r["name"] for r in rows], limit=300))
    colours = alt.Scale(domain=["widens", "narrows", "gap"], range=[ACCENT, CONTRARY, MUTED])
    x = alt.X("start:Q", scale=alt.Scale(zero=True, nice=True), axis=axis("difference in percentage points", "points"))
    bars = base.mark_bar(size=16, opacity=0.85).encode(
        x=x, x2=alt.X2("end"), color=alt.Color("kind:N", scale=colours, legend=None)
    )
    text = base.mark_text(dx=6, align="left", fontSize=11, color=INK).encode(
        x=alt.X("right:Q"), text=alt.Text("shown:N")
    )
    return themed(alt.layer(bars, text).properties(width=520, height=alt.Step(STEP + 8)))


def _bar(name: str, start: float, end: float, told: str, kind: str) -> Row:
    return {"name": name, "start": start, "end": end, "right": max(start, end), "shown": told, "kind": kind}
