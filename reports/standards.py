"""Figures of rules that others have written: the four-fifths rule, and the tables of New York City's Local Law 144."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from ..audit.record import Exhibit, Record
from . import numbers
from .figure import HELD, MOST, Figure, Row, Table, axis, largest, names, themed, values
from .palette import ACCENT, INK, MUTED
from .plain import plain

FOUR_FIFTHS = 0.8
STEP = 34  # pixels a row
TABLES = 6  # of Local Law 144 that are drawn
STATUS = {"within": "surely", "exceeds": "surely", "inconclusive": "may be chance"}


def four_fifths(record: Record) -> Figure | None:
    """The impact ratios of all attributes beside four fifths, and what the rule says of each."""
    rows = [row for e in _exhibits(record, "four_fifths") for row in _screened(e)]
    if not rows:
        return None
    drawn = largest(rows, MOST, lambda row: -(row["ratio"] if row["ratio"] is not None else 2.0))
    head = ("Group", "Rows", "Selected", "Rate", "Ratio to highest", "Interval", "Passes", "To largest", "To everyone")
    more = ("Fisher's exact test", "Standard deviations", "Selections that turn it")
    left = f"The chart shows the {MOST} lowest ratios of {len(rows):,}." if len(rows) > MOST else ""
    return Figure(
        "groups-four-fifths",
        "fairness",
        "Four-fifths rule",
        "Is any group selected less than four fifths as often as the group selected most often?",
        lambda: _ratios(drawn, "selection rate as a multiple of the highest group's"),
        Table((*head, *more), tuple(row["cells"] for row in rows[:HELD]), left),
        "Each point is a group's selection rate divided by the highest, its line the interval; the upright line is "
        "four fifths. Exactly four fifths passes. The rule is a screen that says where to look, and no legal finding; "
        "a small highest group can distort it, so the table holds other groups of reference too.",
        folded="The ratio is a group's selection rate divided by the highest; four fifths or more passes. The rule is "
        "a screen that says where to look, and no legal finding; a small highest group can distort it, so the columns "
        "“To largest” and “To everyone” divide by the rate of the largest group and of all rows.",
    )


def local_law_144(record: Record) -> list[Figure]:
    """The tables as the rule prints them, one for each attribute and each pair."""
    found = _exhibits(record, "local_law_144")[:TABLES]
    return [_local_law(e, place) for place, e in enumerate(found)]


def _exhibits(record: Record, kind: str) -> list[Exhibit]:
    return [e for e in record.exhibits if (e.analysis, e.kind) == ("fairness", kind)]


def _screened(e: Exhibit) -> list[Row]:
    d, where = e.data, e.where
    name = plain(where.get("attribute", ""), 24) + (f", class {plain(where['class'], 24)}" if "class" in where else "")
    return [_one(d, k, f"{name} · {plain(group, 40)}") for k, group in enumerate(d["group"])]


def _one(d: dict[str, Any], k: int, name: str) -> Row:
    ratio, low, high, passes = (d[key][k] for key in ("ratio", "low", "high", "passes"))
    status = "" if passes is None else f", {STATUS.get(d['status'][k], '')}"
    cells = (
        name,
        numbers.count(d["n"][k]),
        numbers.count(d["selected"][k]),
        _percent(d["rate"][k]),
        _ratio(ratio),
        "–" if low is None else f"{_ratio(low)} to {_ratio(high) if high is not None else '…'}",
        "–" if passes is None else ("yes" if passes else "no") + status,
        _ratio(d["ratio_to_largest"][k]),
        _ratio(d["ratio_to_everyone"][k]),
        "–" if d["fisher"][k] is None else numbers.chance(d["fisher"][k]),
        "–" if d["deviations"][k] is None else numbers.significant(d["deviations"][k]),
        _flip(d["own_flip"][k]),
    )
    end = None if ratio is None or low is None else min(high if high is not None else 1.5, 1.5)
    return {"name": name, "ratio": ratio, "low": low, "high": end, "shown": _ratio(ratio), "cells": cells}


def _flip(number: int | None) -> str:
    return "–" if not number else f"{numbers.count(abs(number))} {'more' if number > 0 else 'fewer'}"


def _local_law(e: Exhibit, place: int) -> Figure:
    d, attribute = e.data, plain(e.where.get("attribute", ""), 40)
    scored = "scoring_rate" in d
    rows = [
        {"name": plain(name, 40), "ratio": ratio, "low": None, "high": None, "shown": _ratio(ratio)}
        for name, ratio in zip(d["category"], d["scoring_impact_ratio" if scored else "impact_ratio"], strict=True)
    ]
    drawn = largest(rows, MOST, lambda row: -(row["ratio"] if row["ratio"] is not None else 2.0))
    head = ("Category", "Applicants", "Selected", "Selection rate", "Impact ratio", "… without categories below 2 %")
    more = ("Scored", "Scoring rate", "Impact ratio of scoring") if scored else ()
    kind = "scoring rate" if scored else "selection rate"
    klass = f", class {plain(e.where['class'], 24)}" if "class" in e.where else ""
    return Figure(
        f"groups-local-law-144-{place + 1}",
        "fairness",
        f"Local Law 144: {attribute}{klass}",
        "How does each category's rate compare with that of the category with the highest?",
        _ratios(drawn, f"{kind} as a multiple of the highest category's"),
        Table((*head, *more), tuple(_category(d, k, scored) for k in range(len(d["category"]))[:HELD]), _note(d)),
        "Impact ratio: a category's rate divided by the highest category's. The upright line, four fifths, is not part "
        "of this rule, which sets no bound; it is drawn because readers look for it.",
    )


def _category(d: dict[str, Any], k: int, scored: bool) -> tuple[str, ...]:
    few = " (below 2 % of the data)" if d["small"][k] else ""
    own = (plain(d["category"][k], 48) + few, numbers.count(d["n"][k]), numbers.count(d["selected"][k]))
    rates = (_percent(d["selection_rate"][k]), _ratio(d["impact_ratio"][k]), _ratio(d["impact_ratio_without_small"][k]))
    if not scored:
        return own + rates
    scoring = (numbers.count(d["scored"][k]), _percent(d["scoring_rate"][k]), _ratio(d["scoring_impact_ratio"][k]))
    return own + rates + scoring


def _note(d: dict[str, Any]) -> str:
    """What the rule asks to be said beside a table: who is in no category, and what is done with small ones."""
    told = [f"{numbers.count(d['unknown'])} rows of unknown category are in no row of this table."]
    if any(d["small"]):
        told.append(
            "Categories below 2 % of the data may be left out of the impact ratios by the rule, since few rows make "
            "their rates uncertain; here they are kept, and the column beside shows each ratio when none of them sets "
            f"the highest rate ({plain(d['highest_without_small'] or '–')} in place of {plain(d['highest'] or '–')})."
        )
    if d.get("median") is not None:
        told.append(f"Scoring rate: the share above the median of all scores, {numbers.significant(d['median'])}.")
    return " ".join(told)


def _ratios(rows: Sequence[Row], title: str) -> alt.TopLevelMixin:
    drawn = [{key: row[key] for key in ("name", "ratio", "low", "high", "shown")} | {"at": FOUR_FIFTHS} for row in rows]
    base = alt.Chart(values(drawn)).encode(y=names(sort=[row["name"] for row in drawn], limit=260))
    x = alt.X("ratio:Q", scale=alt.Scale(zero=True, nice=True), axis=axis(title, ".1f"))
    bound = base.mark_tick(color=MUTED, thickness=1.5, size=STEP, opacity=0.8).encode(x=alt.X("at:Q"))
    lines = base.mark_rule(color=ACCENT, strokeWidth=2.5, opacity=0.55).encode(x=alt.X("low:Q"), x2=alt.X2("high"))
    dots = base.mark_point(color=ACCENT, filled=True, size=70, opacity=1).encode(x=x)
    text = base.transform_filter("datum.ratio !== null").mark_text(dy=-11, fontSize=11, color=INK)
    text = text.encode(x=alt.X("ratio:Q"), text=alt.Text("shown:N"))
    return themed(alt.layer(bound, lines, dots, text).properties(width=560, height=alt.Step(STEP)))


def _percent(share: float | None) -> str:
    return "–" if share is None else numbers.percent(share)


def _ratio(ratio: float | None) -> str:
    return "–" if ratio is None else f"{ratio:.3f}"
