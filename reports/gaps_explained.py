"""Charts of gaps between two groups: what each feature carries of them, and how well it tells the groups apart."""

from __future__ import annotations

from typing import Any

import altair as alt

from ..audit.measure import Measure
from ..audit.record import Exhibit, Record
from . import numbers, words
from .figure import HELD, Figure, Row, Table, axis, names, themed, values
from .palette import ACCENT, CONTRARY, INK, MUTED
from .plain import plain
from .sentences.carried import amount, rough, turned

FEATURES = 15  # that a chart shows
DRAWN = 2  # gaps of scores with a picture in a report; of more attributes the tables stand folded
BAR = 26  # pixels a feature
GUESSING = 0.5  # AUC
SCORE = "score_gap"
FOLDED = "The parts add up to the gap; a part below 0 narrows it. It describes the model and shows no cause."


def decompositions(record: Record) -> list[Figure]:
    """For each attribute the gap in the mean output shared out among the features; its other gaps as a folded table."""
    found = [e for e in record.exhibits if e.kind == "gap_decomposition" and e.data.get("features")]
    scores = [e for e in found if e.data.get("metric") == SCORE]
    others: dict[str, list[Exhibit]] = {}
    for e in found:
        if e not in scores:
            others.setdefault(str(e.data["attribute"]), []).append(e)
    return [
        *(_figure(record, k, e, drawn=k < DRAWN) for k, e in enumerate(scores)),
        *(_others(record, k, name, own) for k, (name, own) in enumerate(others.items())),
    ]


def _figure(record: Record, place: int, found: Exhibit, *, drawn: bool) -> Figure:
    d = found.data
    told = [f for f in d["features"] if f.get("proxy") is not None]
    high, low = _ends(d)
    of = f" (class {plain(d['class'])})" if d.get("class") else ""
    return Figure(
        f"explanations-gap-{place + 1}",
        "explanations",
        f"What carries the gap by {plain(d['attribute'])}",
        f"Through which features is the {words.metric(d['metric']).title}{of} higher for {high} than for {low}?",
        lambda: _chart(d, told),
        _table(d, _whole(record, d), bool(told)),
        _reading(d, proxies=bool(told)),
        folded="" if drawn else FOLDED,
    )


def _others(record: Record, place: int, attribute: str, found: list[Exhibit]) -> Figure:
    """Gaps in decisions, and in outputs among rows of one label."""
    rows = [row for e in found for row in _gap_rows(record, e.data)]
    return Figure(
        f"explanations-gap-others-{place + 1}",
        "explanations",
        f"What carries other gaps by {plain(attribute)}",
        "Do the same features carry the gap in decisions, and those among people who truly are alike?",
        lambda: _small_multiples(found),
        Table(("Gap", "Feature", "Part of the gap", "95 % interval", "Share of the gap"), tuple(rows[:HELD])),
        "Each panel is a gap, told for the group that is ahead. A bar to the right widens it, one to the left narrows "
        "it; its line is the interval over people. It describes the model and shows no cause.",
        folded=FOLDED,
    )


def _gap_rows(record: Record, d: dict[str, Any]) -> list[tuple[str, ...]]:
    gap = words.capital(_gap_title(d))
    sign = 1 if d["total"] >= 0 else -1
    whole = (gap, "All together", *_whole(record, d), rough(1.0))
    return [whole, *((gap, plain(f["feature"]), *_cells(d, f, sign)) for f in d["features"][:FEATURES])]


def _gap_title(d: dict[str, Any]) -> str:
    """The gap in a few words: "smoothed decision rate, Male above Female"."""
    high, low = _ends(d)
    return f"{words.metric(d['metric']).title}, {high} above {low}"


def _small_multiples(found: list[Exhibit]) -> alt.TopLevelMixin:
    rows: list[Row] = [
        {**_row(f, 1 if e.data["total"] >= 0 else -1), "metric": words.capital(words.metric(e.data["metric"]).title)}
        for e in found
        for f in e.data["features"][:FEATURES]
    ]
    base = alt.Chart().encode(y=names(sort=[row["name"] for row in rows]))
    layers = alt.layer(*_bars(base, "part of the gap")).properties(width=190, height=alt.Step(BAR), data=values(rows))
    order = list(dict.fromkeys(row["metric"] for row in rows))
    header = alt.Header(labelLimit=190)
    facet = layers.facet(column=alt.Column("metric:N", sort=order, title=None, header=header))
    return themed(facet.resolve_scale(x="independent"))


def _bars(base: alt.Chart, title: str, form: str = "") -> tuple[alt.Chart, alt.Chart]:
    """Bars to either side, with their intervals."""
    bars = base.mark_bar(height=13, opacity=0.8).encode(
        x=alt.X("value:Q", scale=alt.Scale(padding=12), axis=axis(title, form, ticks=5)),
        color=alt.Color("sign:N", scale=alt.Scale(domain=["up", "down"], range=[ACCENT, CONTRARY]), legend=None),
    )
    return bars, base.mark_rule(color=INK, strokeWidth=1.2).encode(x=alt.X("low:Q"), x2=alt.X2("high"))


def _ends(d: dict[str, Any]) -> tuple[str, str]:
    """The group that is ahead, and the other."""
    low, high = plain(d["from"]), plain(d["to"])
    return (high, low) if d["total"] >= 0 else (low, high)


def _reading(d: dict[str, Any], *, proxies: bool) -> str:
    high, low = _ends(d)
    size, _ = amount(abs(d["total"]), None, None, _unit(d))
    metric = words.metric(d["metric"]).title
    side = (
        " Points on the right say how well the feature tells the two groups apart: 0.5 is guessing, 1 gives the group "
        "away. What carries a large part and tells the groups apart may stand in for the attribute."
        if proxies
        else ""
    )
    return (
        f"The {metric} is {size} higher for {high} than for {low}; the parts add up to that. A bar to the right "
        f"widens the gap, one to the left narrows it; its line is the interval over people.{side} It describes the "
        "model and shows no cause."
    )


def _unit(d: dict[str, Any]) -> str:
    """Rates of decisions are shares, and told in points as probabilities are."""
    return "probability" if d.get("metric") == "decision_gap" else str(d.get("unit", "1"))


def _chart(d: dict[str, Any], told: list[dict[str, Any]]) -> alt.TopLevelMixin:
    sign = 1 if d["total"] >= 0 else -1
    shown = d["features"][:FEATURES]
    rows = [_row(f, sign) for f in shown]
    order = [row["name"] for row in rows]
    base = alt.Chart(values(rows)).encode(y=names(sort=order))
    bars = _bars(base, _axis_title(d), _axis_numbers(d))
    left = alt.layer(*bars).properties(width=330 if told else 560, height=alt.Step(BAR))
    if not told:
        return themed(left)
    return themed(alt.hconcat(left, _proxies(rows, order), spacing=24))


def _row(f: dict[str, Any], sign: int) -> Row:
    low, high = (f.get("low"), f.get("high")) if sign > 0 else (f.get("high"), f.get("low"))
    return {
        "name": plain(f["feature"]),
        "value": sign * f["value"],
        "low": None if low is None else sign * low,
        "high": None if high is None else sign * high,
        "sign": "up" if sign * f["value"] >= 0 else "down",
        "auc": f.get("proxy"),
        "auc_low": f.get("proxy_low"),
        "auc_high": f.get("proxy_high"),
        "guessing": GUESSING,
    }


def _proxies(rows: list[Row], order: list[str]) -> alt.LayerChart | alt.FacetChart:
    base = alt.Chart(values(rows)).encode(y=alt.Y("name:N", sort=order, axis=None))
    scale = alt.Scale(domain=[min(0.4, *(row["auc_low"] or 1 for row in rows)), 1.0], nice=False)
    x = alt.X("auc:Q", scale=scale, axis=axis("tells the groups apart (AUC)", ticks=5))
    line = base.mark_tick(color=MUTED, thickness=1.5, size=BAR, opacity=0.6).encode(x=alt.X("guessing:Q", scale=scale))
    known = base.transform_filter("isValid(datum.auc)")
    spans = known.mark_rule(color=ACCENT, strokeWidth=2.5, opacity=0.55).encode(
        x=alt.X("auc_low:Q", scale=scale), x2=alt.X2("auc_high")
    )
    dots = known.mark_point(color=ACCENT, filled=True, size=60, opacity=1).encode(x=x)
    return alt.layer(line, spans, dots).properties(width=220, height=alt.Step(BAR))


def _axis_title(d: dict[str, Any]) -> str:
    unit = _unit(d)
    what = {"logit": "logits", "probability": "percentage points", "1": ""}.get(unit, plain(unit, 24))
    return f"part of the gap, {what}" if what else "part of the gap"


def _axis_numbers(d: dict[str, Any]) -> str:
    return "points" if _unit(d) == "probability" else ""


def _whole(record: Record, d: dict[str, Any]) -> tuple[str, str]:
    """The size of the gap and its interval."""
    found = next((m for m in record.measures if m.metric == d["metric"] and m.statistic == "difference"
                  and m.where == {"attribute": d["attribute"]} and m.value is not None), None)  # fmt: skip
    shown = found if found is None or d["total"] >= 0 else turned(found)
    low, high = (None, None) if shown is None else (shown.low, shown.high)
    size, span = amount(abs(d["total"]), low, high, _unit(d))
    return size, span or "–"


def _table(d: dict[str, Any], total: tuple[str, str], proxies: bool) -> Table:
    sign = 1 if d["total"] >= 0 else -1
    found = d["features"][:HELD]
    cells = [(plain(f["feature"]), *_cells(d, f, sign), *(_auc(f) if proxies else ())) for f in found]
    whole = ("All together", *total, rough(1.0), *(("–", "–") if proxies else ()))
    extra = ("AUC", "95 % interval") if proxies else ()
    count = len(d["features"])
    note = ""
    if count > FEATURES:
        table = "holds them all" if count <= HELD else f"holds the first {HELD}, record.json all of them"
        note = f"The chart shows the first {FEATURES} of {count:,} features; this table {table}. "
    counts = " and ".join(
        f"{numbers.count(n)} of {plain(g)}" for n, g in zip(d.get("n") or (), (d["from"], d["to"]), strict=False)
    )
    note += f"Rows explained: {counts}." if counts else ""
    return Table(
        ("Feature", "Part of the gap", "95 % interval", "Share of the gap", *extra), (whole, *cells), note.strip()
    )


def _cells(d: dict[str, Any], f: dict[str, Any], sign: int) -> tuple[str, str, str]:
    row = _row(f, sign)
    size, span = amount(row["value"], row["low"], row["high"], _unit(d))
    return size, span or "–", _share(row["value"], abs(d["total"]))


def _share(part: float, total: float) -> str:
    """A feature's share of the gap; a dash where the gap is too small to be shared out."""
    return rough(part / total) if total and abs(part / total) < 100 else "–"


def _auc(f: dict[str, Any]) -> tuple[str, str]:
    if f.get("proxy") is None:
        return "–", "–"
    m = Measure(
        analysis="explanations",
        metric="proxy_auc",
        value=f["proxy"],
        low=f.get("proxy_low"),
        high=f.get("proxy_high"),
        n=1,
    )
    return numbers.value(m), numbers.interval(m) or "–"
