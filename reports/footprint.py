"""Charts of what the audit rests on and costs: rows by group, energy by phase."""

from __future__ import annotations

import altair as alt

from ..audit.measure import Measure
from ..audit.record import Record
from . import numbers, words
from .figure import HELD, MOST, Figure, Row, Table, axis, held, largest, names, shown, themed, values
from .palette import ACCENT, CONTRARY, INK, MUTED
from .plain import plain

BAR = 22


def shares(record: Record) -> Figure | None:
    """How many rows each group has, beside the share in a stated population where one was given."""
    rows: list[Row] = []
    for found in record.exhibits:
        if found.kind == "group_shares":
            d, attribute = found.data, plain(found.where.get("attribute", ""))
            columns = zip(d["level"], d["n"], d["share"], d["low"], d["high"], d["reference"], strict=True)
            rows += [_share(attribute, *row) for row in columns]
    if not rows:
        return None
    stated = any(r["reference"] is not None for r in rows)
    kept = largest(rows, HELD, lambda row: row["n"])
    marks = " The orange mark is the group's share in the stated population." if stated else ""
    return Figure(
        "data-shares",
        "data",
        "Rows by group",
        "Is each group there in numbers that can carry a judgement?",
        _share_chart(largest(rows, MOST, lambda row: row["n"]), stated),
        Table(
            ("Group", "Rows", "Share", "Interval", "Stated population"),
            tuple((r["name"], r["rows"], r["shown"], r["span"], r["stated"]) for r in kept),
            held(len(rows), "groups with most rows"),
        ),
        "A bar is the group's share of all rows whose group is known, with the number of rows beside it."
        + marks
        + shown(len(rows), "groups with most rows"),
    )


def energy(record: Record) -> Figure | None:
    """What each phase of the audit took: measured energy filled, estimated energy in outline."""
    found = [m for m in record.measures if m.metric == "energy" and "phase" in m.where and m.value is not None]
    if not found:
        return None
    phases = {m.where["phase"] for m in found}
    leaves = [m for m in found if not any(p.startswith(m.where["phase"] + "/") for p in phases)]
    seconds = {c.phase: c.seconds for c in record.costs}
    largest = max((m.value or 0.0 for m in leaves), default=0.0)
    rows = [_phase(m, *numbers.scale(largest, "J")) for m in leaves if m.unit == "J"][:MOST]
    if not rows:
        return None
    return Figure(
        "energy-phases",
        "energy",
        "Energy by phase of the audit",
        "Where did the audit spend its energy, and was that measured?",
        _energy_chart(rows),
        Table(
            (
                "Phase",
                "Energy",
                "Range" if all(map(numbers.is_range, found)) else "Interval",
                "Time",
                "Origin",
                "Method",
            ),
            tuple(_phase_cells(m, seconds) for m in found),
            "A phase that contains others is listed here and left out of the chart.",
        ),
        "A filled bar was measured by a sensor; an outlined, dashed bar was estimated by a stated model of the "
        "hardware. "
        f"The thin line is the {'range' if all(map(numbers.is_range, found)) else 'interval'}.",
    )


def _share_chart(rows: list[Row], stated: bool) -> alt.TopLevelMixin:
    base = alt.Chart(values(rows)).encode(y=names(sort=[r["name"] for r in rows], limit=240))
    bars = base.mark_bar(color=ACCENT, opacity=0.75, height=12).encode(
        x=alt.X("share:Q", axis=axis("share of rows", "%"))
    )
    whiskers = base.mark_rule(color=INK, strokeWidth=1.2).encode(x=alt.X("low:Q"), x2=alt.X2("high"))
    text = base.mark_text(align="left", dx=6, fontSize=11, color=MUTED).encode(
        x=alt.X("high:Q"), text=alt.Text("rows:N")
    )
    marks = base.mark_tick(color=CONTRARY, thickness=3, size=18).encode(x=alt.X("reference:Q"))
    layers = (bars, whiskers, text, marks) if stated else (bars, whiskers, text)
    return themed(alt.layer(*layers).properties(width=560, height=alt.Step(BAR)))


def _energy_chart(rows: list[Row]) -> alt.TopLevelMixin:
    base = alt.Chart(values(rows)).encode(y=names(sort=[r["name"] for r in rows], limit=240))
    unit = rows[0]["unit"]
    x = alt.X("value:Q", axis=axis(f"energy, {unit}"))
    measured = base.transform_filter("datum.kind === 'measured'").mark_bar(color=ACCENT, height=13).encode(x=x)
    estimated = base.transform_filter("datum.kind !== 'measured'").mark_bar(
        filled=False, stroke=ACCENT, strokeDash=[4, 3], strokeWidth=1.5, height=13
    )
    whiskers = base.mark_rule(color=INK, strokeWidth=1.2).encode(x=alt.X("low:Q"), x2=alt.X2("high"))
    text = base.mark_text(align="left", dx=6, fontSize=11, color=MUTED).encode(
        x=alt.X("high:Q"), text=alt.Text("shown:N")
    )
    return themed(
        alt.layer(measured, estimated.encode(x=x), whiskers, text).properties(width=540, height=alt.Step(BAR + 2))
    )


def _share(attribute: str, level: str, n: int, share: float, low: float, high: float, reference: float | None) -> Row:
    return {
        "name": f"{attribute} · {plain(level, 40)}",
        "n": n,
        "share": share,
        "low": low,
        "high": high,
        "reference": reference,
        "rows": numbers.count(n),
        "shown": numbers.percent(share) if share is not None else "–",
        "span": f"{numbers.percent(low)} to {numbers.percent(high)}" if low is not None else "–",
        "stated": "–" if reference is None else numbers.percent(reference),
    }


def _phase(m: Measure, factor: float, unit: str) -> Row:
    value = (m.value or 0.0) / factor
    high = value if m.high is None else m.high / factor
    return {
        "name": _name(m.where["phase"]),
        "value": value,
        "low": value if m.low is None else m.low / factor,
        "high": high,
        "kind": m.kind,
        "unit": unit,
        "shown": f"{numbers.value(m)}, {m.kind}",
    }


def _phase_cells(m: Measure, seconds: dict[str, float]) -> tuple[str, ...]:
    took = seconds.get(m.where["phase"])
    return (
        plain(m.where["phase"]),
        numbers.value(m),
        numbers.interval(m) or "–",
        "–" if took is None else numbers.quantity(took, "s"),
        words.capital(m.kind),
        plain(m.method) or "–",
    )


def _name(phase: str) -> str:
    return words.capital(plain(phase.rsplit("/", 1)[-1]).replace("_", " ").strip("()"))
