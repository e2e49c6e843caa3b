"""Charts of small groups: their rates as seen and as pooled, and the groups found to be worst."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from ..audit.measure import Measure, column
from ..audit.record import Exhibit, Record
from . import numbers, words
from .figure import HELD, MOST, Figure, Row, Table, axis, held, largest, names, shown, themed, values
from .palette import ACCENT, CONTRARY, INK, MUTED
from .plain import plain

SHOWN = ("selection_rate", "accuracy")  # the first that the record has
MOVED = "groups that pooling moves most"
WORST = "groups with the smallest chance"
STEP = 30  # pixels a row


def pooled(record: Record) -> Figure | None:
    """Rates of groups that attributes form together, as seen beside as pooled; nothing where none was pooled."""
    by = {(m.metric, m.statistic, tuple(m.where.items())): m for m in record.measures if m.analysis == "fairness"}
    keys = {column(str(a["name"])) for a in record.subject.get("attributes", ())}
    for metric in SHOWN:
        found = [m for (name, kind, _), m in by.items() if (name, kind) == (metric, "pooled")]
        found = [m for m in found if m.value is not None and len(m.where) > 1 and m.where.keys() <= keys]
        if found:
            break
    else:
        return None
    structured = [by.get((metric, "structured", tuple(m.where.items()))) for m in found]
    beside = {_place(m): other for m, other in zip(found, structured, strict=True)}
    total, title, head = len(found), words.title(metric), f"{numbers.level(found[0].level)} interval"
    table = largest(found, HELD, _moved)
    columns = ("Group", "Rows", f"{title}, as seen", "Pooled", head, *(("By attribute",) if any(structured) else ()))
    return Figure(
        "groups-pooled",
        "fairness",
        f"{title} of small groups, as seen and pooled",
        "How much of what small groups show is likely to last?",
        lambda: _dumbbells(largest(found, MOST, _moved)),
        Table(columns, tuple(_cells(m, beside[_place(m)], any(structured)) for m in table), held(total, MOVED)),
        "The hollow point is the rate seen, the filled one the rate drawn towards that of all groups, the further the "
        "fewer rows the group has; the line is the filled point's interval. A rate that moves far rests on few rows: "
        "it says less than it seems." + shown(total, MOVED),
        folded="Pooled is the rate drawn towards that of all groups, the further the fewer rows the group has. A rate "
        "that moves far rests on few rows: it says less than it seems.",
    )


def subgroups(record: Record) -> Figure | None:
    """The groups that a search found to be worst, with the half of the rows that confirmed it."""
    exhibit = next((e for e in record.exhibits if (e.analysis, e.kind) == ("fairness", "subgroups")), None)
    if exhibit is None or not exhibit.data["where"]:
        return None
    rows = _found(exhibit)
    tried, rate = numbers.count(exhibit.data["tried"]), numbers.level(exhibit.data["false_discovery_rate"])
    level = numbers.level(rows[0]["level"])
    columns = (
        "Group",
        "Metric",
        "Rows",
        "Rate",
        "All others",
        "Difference",
        f"{level} interval",
        "Chance",
        "Confirmed",
    )
    return Figure(
        "groups-worst",
        "fairness",
        "Where it is worst",
        "Which group, of up to three attributes, is treated worst, and does it hold on other rows?",
        lambda: _worst(rows[:MOST]),
        Table(columns, tuple(_line(row) for row in rows[:HELD]), held(len(rows), WORST)),
        f"Half of the rows named the suspects among {tried} comparisons; the numbers here are of the other half alone. "
        f"The filled point is the group's rate, the tick that of all other rows. Of the groups confirmed, at most "
        f"{rate} are expected to be chance; hollow points were not confirmed." + shown(len(rows), WORST),
        folded=f"Half of the rows named the suspects among {tried} comparisons; the numbers here are of the other half "
        f"alone. Chance is how often such a difference comes about where there is none. Of the groups confirmed, at "
        f"most {rate} are expected to be chance.",
    )


def _dumbbells(drawn: Sequence[Measure]) -> alt.TopLevelMixin:
    rows: list[Row] = [
        {
            "name": _group(m.where),
            "raw": m.details.get("raw"),
            "value": m.value,
            "low": m.low,
            "high": m.high,
            "shown": numbers.value(m),
        }
        for m in drawn
    ]
    base = alt.Chart(values(rows)).encode(y=names(sort=[row["name"] for row in rows], limit=260))
    scale = alt.Scale(zero=False, nice=True, padding=14)
    x = alt.X("value:Q", scale=scale, axis=axis("", "%"))
    lines = base.mark_rule(color=ACCENT, strokeWidth=2.5, opacity=0.55).encode(x=alt.X("low:Q"), x2=alt.X2("high"))
    dots = base.mark_point(color=ACCENT, filled=True, size=70, opacity=1).encode(x=x)
    seen = base.transform_filter("datum.raw !== null").mark_point(color=INK, size=60, strokeWidth=1.5, opacity=1)
    text = base.mark_text(dy=-11, fontSize=11, color=INK).encode(x=alt.X("value:Q"), text=alt.Text("shown:N"))
    layers = alt.layer(lines, seen.encode(x=alt.X("raw:Q")), dots, text)
    return themed(layers.properties(width=560, height=alt.Step(STEP)))


def _worst(found: Sequence[Row]) -> alt.TopLevelMixin:
    rows = [{**row, "name": f"{row['title']} · {row['group']}"} for row in found]
    base = alt.Chart(values(rows)).encode(y=names(sort=[row["name"] for row in rows], limit=300))
    x = alt.X("rate:Q", scale=alt.Scale(zero=False, nice=True, padding=14), axis=axis("", "%"))
    lines = base.mark_rule(color=MUTED, strokeWidth=1.5).encode(x=alt.X("rest:Q"), x2=alt.X2("rate"))
    rest = base.mark_tick(color=MUTED, thickness=2, size=STEP - 12).encode(x=alt.X("rest:Q"))
    sure = base.transform_filter("datum.confirmed").mark_point(color=CONTRARY, filled=True, size=80, opacity=1)
    open_ = base.transform_filter("!datum.confirmed").mark_point(color=INK, size=60, strokeWidth=1.5, opacity=1)
    text = base.mark_text(dy=-11, fontSize=11, color=INK).encode(x=alt.X("rate:Q"), text=alt.Text("shown:N"))
    layers = alt.layer(lines, rest, sure.encode(x=x), open_.encode(x=x), text)
    return themed(layers.properties(width=520, height=alt.Step(STEP)))


def _found(exhibit: Exhibit) -> list[dict[str, Any]]:
    """The exhibit's columns as rows, with what a reader is shown."""
    columns = [key for key, column in exhibit.data.items() if isinstance(column, list)]
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*(exhibit.data[key] for key in columns), strict=True)]
    for row in rows:
        row["group"] = _group(row.pop("where"))
        row["title"] = words.capital(words.metric(row["metric"]).title)
        row["shown"] = numbers.percent(row["rate"], (row["high"] - row["low"]) / 2)
    return rows


def _line(row: Row) -> tuple[str, ...]:
    half = (row["high"] - row["low"]) / 2
    low, high = (numbers.points(row[end], half) for end in ("low", "high"))
    return (
        row["group"],
        row["title"],
        numbers.count(row["n"]),
        row["shown"],
        numbers.percent(row["rest"], half),
        numbers.points(row["difference"], half),
        f"{low} to {high}".replace(f"{numbers.GAP}points", "", 1),
        numbers.chance(row["p"]),
        "yes" if row["confirmed"] else "no",
    )


def _cells(m: Measure, structured: Measure | None, wide: bool) -> tuple[str, ...]:
    raw, half = m.details.get("raw"), numbers.half_width(m)
    seen = "not measured" if raw is None else numbers.percent(raw, half)
    own = (_group(m.where), numbers.count(m.n), seen, numbers.value(m), numbers.interval(m) or "–")
    return (*own, numbers.value(structured) if structured is not None else "–") if wide else own


def _moved(m: Measure) -> float:
    """How far pooling moves a group; a group without rows has nothing to move."""
    raw = m.details.get("raw")
    return -1.0 if raw is None or m.value is None else abs(raw - m.value)


def _group(where: dict[str, str]) -> str:
    return " · ".join(plain(level, 40) for _, level in sorted(where.items()))


def _place(m: Measure) -> tuple[tuple[str, str], ...]:
    return tuple(m.where.items())
