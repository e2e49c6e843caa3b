"""Charts of groups: how often each is decided how, and how far apart groups are."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from ..audit.measure import Measure, column
from ..audit.record import Record
from . import facts, numbers, words
from .figure import HELD, MOST, Figure, Row, Table, axis, held, largest, names, shown, themed, values
from .groups import Chances, chance_beside, chances, combined, group_gaps, group_rates
from .palette import ACCENT, BAND, INK, MUTED
from .plain import plain

SHOWN = ("selection_rate", "true_positive_rate", "false_positive_rate")
SHOWN_WITHOUT_POSITIVE = ("accuracy",)
GAPS = ("selection_rate", "true_positive_rate", "false_positive_rate", "positive_predictive_value", "accuracy")
STEP = 26  # pixels a row
LARGEST = "groups with most rows"
OPEN = 4  # attributes whose rates a report draws
RATES = "Where two intervals lie far apart, the groups differ; where they overlap widely, these rows cannot tell."


def by_attribute(record: Record) -> list[Figure]:
    """For each attribute: the levels' rates with intervals, and everyone's as a line."""
    single = [m for m in group_rates(record) if len(m.where) < 2]
    found = [
        _attribute(record, single, place, str(a["name"]), list(map(str, a["levels"])))
        for place, a in enumerate(record.subject.get("attributes", ()))
    ]
    return [figure for figure in found if figure is not None]


def intersections(record: Record) -> Figure | None:
    """Selection rates (else accuracy) of groups that two attributes form, largest first."""
    fairness = group_rates(record)
    for metric in (SHOWN[0], *SHOWN_WITHOUT_POSITIVE):
        found = [m for m in fairness if m.metric == metric and len(m.where) == 2]
        if any(m.value is not None for m in found):
            break
    else:
        return None
    total, head = len(found), _head(found)
    found = sorted(found, key=lambda m: (-m.n, sorted(m.where.items())))[:HELD]
    everyone = [m for m in fairness if m.metric == metric and not m.where]
    title = words.title(metric)
    drawn = found[:MOST]
    return Figure(
        "groups-intersections",
        "fairness",
        f"{title} of groups formed by two attributes",
        "Does it add up for those who belong to two groups at once?",
        lambda: _forest(drawn, everyone, (metric,), 560, [_group(m) for m in drawn]),
        Table(("Group", "Rows", title, head), tuple(_cells(_group(m), [m]) for m in found), held(total, LARGEST)),
        "Each point is a group's rate, its line the interval; the dashed line is everyone. Groups with few rows "
        "have long "
        "lines: what they show may be chance." + shown(total, LARGEST),
        folded="Groups with few rows have wide intervals: what they show may be chance.",
    )


def gaps(record: Record) -> Figure | None:
    """The gaps with their intervals, what chance alone would show, and the tolerance where a criterion states one.

    Attributes come first, each with its headline metrics; of groups that combine attributes only the widest gaps.
    """
    everything = group_gaps(record)
    found = _telling(everything)
    if not found:
        return None
    tolerances, beside = _tolerances(record), chances(record)
    table = [*found, *(m for m in everything if m not in found)][:HELD]
    return Figure(
        "groups-gaps",
        "fairness",
        "Gaps between groups",
        "How far apart are the groups with the highest and the lowest rate, and is it more than chance?",
        _gap_chart(found, tolerances, beside),
        Table(
            ("Gap", "Lowest and highest", "Difference", _head(found), "By chance alone", "Tolerance", "Rows"),
            tuple(_gap_cells(m, tolerances, beside) for m in table),
            _gaps_left_out(len(found), len(everything)),
        ),
        "Each point is the difference between the two groups furthest apart, its line the interval: a line that stays "
        "clear of 0 is more than chance. The thin grey bar is the gap that chance alone would show, were all groups "
        "alike. A shaded bar is what a criterion tolerates: a line wholly inside passes, wholly outside fails, across "
        "its end decides nothing.",
    )


DRAWN = 14  # gaps that the chart shows
COMBINED = 4  # gaps across combinations of attributes that the chart shows


def _telling(everything: Sequence[Measure]) -> list[Measure]:
    """The gaps that the chart shows: headline metrics of each attribute, then the widest of combinations."""
    leading = [m for name in GAPS for m in everything if m.metric == name and "class" not in m.where]
    single = [m for m in leading if not combined(m)] or [m for m in everything if not combined(m)]
    several = [m for m in leading if combined(m) and m.metric in SHOWN + SHOWN_WITHOUT_POSITIVE]
    single = largest(single, DRAWN - COMBINED, _size)
    return [*single, *largest(several, min(COMBINED, DRAWN - len(single)), _size)]


def _attribute(
    record: Record, single: Sequence[Measure], place: int, attribute: str, levels: list[str]
) -> Figure | None:
    own = [m for m in single if column(attribute) in m.where]
    metrics = [name for name in SHOWN if any(m.metric == name and m.value is not None for m in own)]
    metrics = metrics or [n for n in SHOWN_WITHOUT_POSITIVE if any(m.metric == n and m.value is not None for m in own)]
    if not metrics:
        return None
    by = {(m.metric, m.where[column(attribute)]): m for m in own}
    levels = [level for level in levels if any((name, level) in by for name in metrics)]
    total = len(levels)
    levels = largest(levels, HELD, lambda level: _rows(by, metrics, level))
    charted = largest(levels, MOST, lambda level: _rows(by, metrics, level))
    everyone = [m for m in single if not m.where]
    drawn = [by[name, level] for name in metrics for level in charted if (name, level) in by]
    width = 226 if len(metrics) > 1 else 560
    columns = tuple(words.title(name) for name in metrics)
    table = tuple(
        _cells(plain(level), [by[name, level] for name in metrics if (name, level) in by]) for level in levels
    )
    overall = [m for name in metrics for m in everyone if m.metric == name]
    head = _head(own)
    told = " Where two lines lie far apart, the groups differ; where they overlap widely, these rows cannot tell. "
    told += " ".join(f"{c}: {words.metric(n).meaning}" for c, n in zip(columns, metrics, strict=True))
    return Figure(
        f"groups-{_slug(attribute, record)}",
        "fairness",
        f"Rates by {plain(attribute)}",
        f"Is each group of {plain(attribute)} treated alike?",
        lambda: _forest(drawn, everyone, tuple(metrics), width, [plain(level) for level in charted]),
        Table(
            ("Group", "Rows", *(c for column in columns for c in (column, head))),
            (*table, _cells("everyone", overall)) if len(overall) == len(metrics) else table,
            held(total, LARGEST),
        ),
        (
            "Each point is a group's rate, its line the interval; the dashed line is everyone."
            + (told if not place else "")
        )
        + shown(total, LARGEST),
        folded=RATES if place >= OPEN else "",
    )


def _forest(
    drawn: Sequence[Measure], everyone: Sequence[Measure], metrics: tuple[str, ...], width: int, order: list[str]
) -> alt.TopLevelMixin:
    rows: list[Row] = [
        {
            "name": _group(m),
            "metric": words.title(m.metric),
            "value": m.value,
            "low": m.low,
            "high": m.high,
            "shown": numbers.value(m) if m.value is not None else "not measured",
            "everyone": next((e.value for e in everyone if e.metric == m.metric), None),
        }
        for m in drawn
    ]
    base = alt.Chart().encode(y=names(sort=list(dict.fromkeys(order))))
    scale = alt.Scale(zero=False, nice=True, padding=14)
    x = alt.X("value:Q", scale=scale, axis=axis("", "%", ticks=4))
    overall = base.mark_tick(color=MUTED, thickness=1.5, size=STEP, opacity=0.6).encode(x=alt.X("everyone:Q"))
    lines = base.mark_rule(color=ACCENT, strokeWidth=2.5, opacity=0.55).encode(x=alt.X("low:Q"), x2=alt.X2("high"))
    dots = base.mark_point(color=ACCENT, filled=True, size=70, opacity=1).encode(x=x)
    text = base.mark_text(dy=-11, fontSize=11, color=INK).encode(x=alt.X("value:Q"), text=alt.Text("shown:N"))
    missing = (
        base.transform_filter("datum.value === null")
        .mark_text(fontSize=11, color=MUTED, align="left")
        .encode(x=alt.value(4), text=alt.Text("shown:N"))
    )
    text = text.transform_filter("datum.value !== null")
    layers = alt.layer(overall, lines, dots, text, missing).properties(width=width, height=alt.Step(STEP + 8))
    titles = [words.title(name) for name in metrics]
    chart = layers.properties(data=values(rows)).facet(column=alt.Column("metric:N", sort=titles, title=None))
    return themed(chart.resolve_scale(x="independent"))


def _gap_chart(
    drawn: Sequence[Measure], tolerances: dict[tuple[str, str], float], beside: Chances
) -> alt.TopLevelMixin:
    rows: list[Row] = [
        {
            "name": _gap_name(m, 24),
            "chance": alone.value if (alone := beside.get((m.metric, tuple(sorted(m.where.items()))))) else None,
            "value": m.value,
            "low": m.low,
            "high": m.high,
            "zero": 0,
            "tolerance": tolerances.get((m.metric, m.where["attribute"])),
            "shown": numbers.value(m),
        }
        for m in drawn
    ]
    base = alt.Chart(values(rows)).encode(y=names(sort=[r["name"] for r in rows], limit=260))
    tolerated = base.transform_filter("datum.tolerance !== null")
    shares = all(numbers.is_share(m) for m in drawn)
    named = axis("difference in percentage points", "points") if shares else axis("difference")
    x = alt.X("value:Q", scale=alt.Scale(zero=True, nice=True), axis=named)
    band = tolerated.mark_bar(color=BAND, size=STEP).encode(x=alt.X("zero:Q"), x2=alt.X2("tolerance"))
    end = tolerated.mark_tick(color=MUTED, thickness=2, size=STEP).encode(x=alt.X("tolerance:Q"))
    alone = base.transform_filter("datum.chance !== null").mark_bar(color=MUTED, size=4, opacity=0.7, yOffset=9)
    alone = alone.encode(x=alt.X("zero:Q"), x2=alt.X2("chance"))
    lines = base.mark_rule(color=ACCENT, strokeWidth=2.5, opacity=0.55).encode(x=alt.X("low:Q"), x2=alt.X2("high"))
    dots = base.mark_point(color=ACCENT, filled=True, size=70, opacity=1).encode(x=x)
    text = base.mark_text(dy=-11, fontSize=11, color=INK).encode(x=alt.X("value:Q"), text=alt.Text("shown:N"))
    return themed(alt.layer(band, end, alone, lines, dots, text).properties(width=560, height=alt.Step(STEP + 8)))


def _tolerances(record: Record) -> dict[tuple[str, str], float]:
    """What criteria tolerate, by metric and attribute, in the order they were judged."""
    found: dict[tuple[str, str], float] = {}
    for finding in record.findings:
        p = finding.parameters
        most = p.get("at_most")
        if finding.message == "criterion" and p.get("statistic") == "difference" and most is not None:
            found.setdefault((p["metric"], p["where"].get("attribute", "")), most)
    return found


def _gap_name(m: Measure, most: int = 64) -> str:
    name = f"{words.capital(words.metric(m.metric).title)} · {plain(m.where.get('attribute', ''), most)}"
    return name + (f" · class {plain(m.where['class'], most)}" if "class" in m.where else "")


def _gap_cells(m: Measure, tolerances: dict[tuple[str, str], float], beside: Chances) -> tuple[str, ...]:
    pair = m.details.get("pair")
    tolerance = tolerances.get((m.metric, m.where.get("attribute", "")))
    return (
        _gap_name(m),
        f"{plain(pair[0])}, {plain(pair[1])}" if pair else "–",
        numbers.value(m),
        numbers.interval(m) or "–",
        chance_beside(m, beside),
        "–" if tolerance is None else facts.bound(tolerance, m.metric, m.statistic, m.unit),
        numbers.count(m.n),
    )


def _cells(name: str, found: Sequence[Measure]) -> tuple[str, ...]:
    rates = [cell for m in found for cell in (numbers.value(m), numbers.interval(m) or "–")]
    return (name, numbers.count(max((m.n for m in found), default=0)), *rates)


def _rows(by: dict[tuple[str, str], Measure], metrics: Sequence[str], level: str) -> int:
    return max((by[name, level].n for name in metrics if (name, level) in by), default=0)


def _group(m: Measure) -> str:
    return " · ".join(plain(v, 40) for _, v in sorted(m.where.items()))


def _head(found: Sequence[Measure]) -> str:
    levels = {m.level for m in found}
    return f"{numbers.level(levels.pop())} interval" if len(levels) == 1 else "Interval"


def _size(gap: Measure) -> float:
    """Gaps without a value come last."""
    return -1.0 if gap.value is None else gap.value


def _gaps_left_out(drawn: int, total: int) -> str:
    if total <= drawn:
        return ""
    table = "this table holds them all" if total <= HELD else f"this table holds {HELD}, record.json all of them"
    return f"The chart shows the {drawn} most telling gaps of {total:,}; {table}."


def _slug(attribute: str, record: Record) -> str:
    place = [str(a["name"]) for a in record.subject["attributes"]].index(attribute)
    return f"attribute-{place + 1}"
