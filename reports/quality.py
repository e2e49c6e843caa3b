"""Charts of how far explanations can be trusted: each test of each method, for everyone and by group."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from ..audit.measure import Measure, column
from ..audit.record import Record
from . import numbers, words
from .evidence import MARK, marked_name, not_evidence
from .facts import join
from .figure import HELD, MOST, Figure, Row, Table, axis, names, themed, values
from .palette import ACCENT, CONTRARY, INK, MUTED
from .plain import plain
from .untested import BY_NATURE
from .words.explanations import QUALITY

SANITY = "parameter_randomisation"
SEPARATOR = " × "
STEP = 20  # pixels a line
SQUARED = ("infidelity",)  # in squares of the output: it cannot share an axis with shares and correlations
TWO = "two methods"
REASONS = 5  # for missing tests, that are told


def table(record: Record) -> Figure | None:
    """Every measure of the explanations' quality by method, drawn where it can be compared with chance."""
    found = [m for m in record.measures if m.metric in QUALITY and m.statistic == "value" and _of_everyone(m)]
    if not any(m.value is not None and m.metric not in ("completeness_residual", "rank_agreement") for m in found):
        return None
    chance = {(m.metric, m.where.get("method", "")): m for m in record.measures if m.statistic == "above_chance"
              and _of_everyone(m)}  # fmt: skip
    told = not_evidence(record)
    order = {name: k for k, name in enumerate(QUALITY)}
    found.sort(key=lambda m: order[m.metric])
    known = [m for m in found if m.value is not None]
    drawn = [m for m in chance.values() if m.value is not None and m.metric in QUALITY and m.metric not in SQUARED]
    return Figure(
        "explanations-quality",
        "explanations",
        "How far the explanations can be trusted",
        "Do the explanations find what the model rests on, better than a random ranking would?",
        _against_chance(sorted(drawn, key=lambda m: order[m.metric]), told) if drawn else _forest(found, told),
        Table(
            ("Test", "Method", "Value", "Better than at random by", "Result"),
            tuple(_cells(m, chance.get((m.metric, m.where.get("method", ""))), told) for m in known[:HELD]),
            _left_out(found),
        ),
        _reading(told, bool(drawn)),
    )


def by_group(record: Record) -> list[Figure]:
    """For each attribute whether its groups' rows are explained equally well; a table to open."""
    found = [m for m in record.measures if m.metric in QUALITY and m.statistic == "difference"]
    attributes = list(dict.fromkeys(m.where["attribute"] for m in found if "attribute" in m.where))
    made = (
        _groups(record, k, name, [m for m in found if m.where.get("attribute") == name])
        for k, name in enumerate(attributes)
    )
    return [figure for figure in made if figure is not None]


def _of_everyone(m: Measure) -> bool:
    return m.where.keys() <= {"method", "with"}


def _reading(told: dict[str, str], drawn: bool) -> str:
    start = (
        "A point to the right of the line is better than random rankings of the same features, by so much; its line is "
        "the interval over rows. "
        if drawn
        else "A point is a test's mean over the rows, its line the interval. "
    )
    bad = "".join(f"{marked_name(method, told)}: {why}. " for method, why in told.items())
    return start + bad + "The table holds every test."


def _cells(m: Measure, chance: Measure | None, told: dict[str, str]) -> tuple[str, ...]:
    method = m.where.get("method", "")
    name = SEPARATOR.join(marked_name(part, told) for part in method.split(SEPARATOR)) if method else "the network"
    result = verdict(m, chance, told)
    return (
        words.title(m.metric),
        name,
        _sure(m),
        _sure(chance),
        result or _better(m.metric).strip() or "Describes only.",
    )


def _sure(m: Measure | None) -> str:
    """A number with its interval: "0.46 (0.41 to 0.50)"."""
    if m is None or m.value is None:
        return "–"
    span = numbers.interval(m)
    return numbers.value(m) + (f" ({span})" if span else "")


def meanings(record: Record) -> list[tuple[str, str]]:
    """What each test of the explanations says, and which way is better; of those that the record holds."""
    held = {m.metric for m in record.measures if m.metric in QUALITY}
    return [(words.title(name), words.metric(name).meaning + _better(name)) for name in QUALITY if name in held]


def verdict(m: Measure, chance: Measure | None, told: dict[str, str]) -> str:
    """What a test comes to, in a few words: "Better than at random." Empty of numbers that only describe."""
    if m.metric == SANITY:
        return f"{words.capital(MARK)}." if m.where.get("method") in told else "Passed."
    if m.metric == "learned_structure" and "p" in m.details:
        return (
            f"More than by chance ({numbers.p_value(m.details['p'])})."
            if m.details["p"] <= 0.05
            else "No more than by chance."
        )
    if chance is None or chance.low is None or chance.high is None:
        return ""
    if chance.low > 0:
        return "Better than at random."
    return "Worse than at random." if chance.high < 0 else "Cannot be told from random."


def _better(metric: str) -> str:
    known = words.metric(metric).better
    return f" {words.capital(known)} is better." if known else ""


def _left_out(found: Sequence[Measure]) -> str:
    """What the table does not hold: rows too many, and tests that could not be made."""
    missing: dict[str, list[str]] = {}
    for m in found:
        if m.value is None and not plain(m.reason, 160).endswith(BY_NATURE):
            titles = missing.setdefault(plain(m.reason, 160), [])
            titles += [title] if (title := words.metric(m.metric).title) not in titles else []
    left = len(found) - sum(m.value is None for m in found) - HELD
    note = f"The first {HELD} rows; record.json holds {left:,} more. " if left > 0 else ""
    note += "In brackets are intervals. What each test says stands under “How it was computed”."
    told = "; ".join(f"{join(titles)} ({why})" for why, titles in list(missing.items())[:REASONS])
    return note + (f" Not measured: {told}." if told else "")


def _against_chance(drawn: Sequence[Measure], told: dict[str, str]) -> alt.TopLevelMixin:
    rows: list[Row] = [
        {
            "name": words.title(m.metric),
            "method": marked_name(m.where.get("method", ""), told),
            "value": m.value,
            "low": m.low,
            "high": m.high,
            "shown": numbers.value(m),
            "chance": 0.0,
        }
        for m in drawn[: 4 * MOST]
    ]
    return _dots(rows, "better than at random by", chance=True)


def _forest(found: Sequence[Measure], told: dict[str, str]) -> alt.TopLevelMixin:
    rows: list[Row] = [
        {
            "name": words.title(m.metric),
            "method": marked_name(m.where.get("method", ""), told) or TWO,
            "value": m.value,
            "low": m.low,
            "high": m.high,
            "shown": numbers.value(m),
        }
        for m in found[: 4 * MOST]
        if m.value is not None
    ]
    return _dots(rows, "", chance=False)


def _dots(rows: list[Row], title: str, *, chance: bool) -> alt.TopLevelMixin:
    """One line a method within each test; methods are told apart by place, shape and colour."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    order = list(dict.fromkeys(row["name"] for row in rows))
    colours = [ACCENT, CONTRARY, MUTED, INK]
    colour = alt.Color(
        "method:N",
        scale=alt.Scale(domain=methods, range=[colours[k % len(colours)] for k in range(len(methods))]),
        legend=alt.Legend(title=None, orient="top", labelLimit=320) if len(methods) > 1 else None,
    )
    base = alt.Chart(values(rows)).encode(y=names(sort=order, limit=270), yOffset=alt.YOffset("method:N", sort=methods))
    x = alt.X("value:Q", scale=alt.Scale(zero=chance, padding=14), axis=axis(title, ticks=6))
    spans = base.mark_rule(strokeWidth=2.5, opacity=0.55).encode(x=alt.X("low:Q"), x2=alt.X2("high"), color=colour)
    dots = base.mark_point(filled=True, size=55, opacity=1).encode(x=x, color=colour)
    line = (
        [alt.Chart(values(rows[:1])).mark_rule(color=MUTED, strokeDash=[4, 3]).encode(x=alt.X("chance:Q"))]
        if chance
        else []
    )
    height = alt.Step(STEP * max(1.3, len(methods)), **{"for": "position"})
    return themed(alt.layer(*line, spans, dots).properties(width=420, height=height))


def _groups(record: Record, place: int, attribute: str, found: list[Measure]) -> Figure | None:
    known = [m for m in found if m.value is not None]
    if not known:
        return None
    told = not_evidence(record)
    order = {name: k for k, name in enumerate(QUALITY)}
    known.sort(key=lambda m: (not m.details.get("differ"), order[m.metric]))
    each = {
        (m.metric, m.where["method"], group): m
        for m in record.measures
        if m.metric in QUALITY and m.statistic == "value" and "method" in m.where
        for key, group in m.where.items()
        if key == column(attribute)
    }
    differ = sum(bool(m.details.get("differ")) for m in known)
    count = "None" if not differ else f"{differ} of {len(known)}"
    return Figure(
        f"explanations-quality-groups-{place + 1}",
        "explanations",
        f"Are groups of {plain(attribute)} explained equally well?",
        f"Is any group of {plain(attribute)} explained less well than another?",
        lambda: _differences(known[:MOST], told),
        Table(
            ("Test", "Method", "Groups", "Means", "Difference", "Interval", "p-value", "Differs"),
            tuple(_difference_cells(m, each, told) for m in known[:HELD]),
        ),
        "Each point is how far the mean of the first group is above that of the second, its line the interval.",
        folded=f"{count} of these differences {'is' if differ < 2 else 'are'} beyond chance, allowing for how many "
        "were looked at. The p-values are adjusted for that. Where groups differ in what the model does for them, so "
        "will these numbers: a difference is a reason to look, and no fault by itself."
        if differ
        else "None of these differences is beyond chance, allowing for how many were looked at. The p-values are "
        "adjusted for that.",
    )


def _difference_cells(m: Measure, each: dict[tuple[str, str, str], Measure], told: dict[str, str]) -> tuple[str, ...]:
    groups = [str(g) for g in m.details.get("groups") or ("", "")]
    means = [each.get((m.metric, m.where.get("method", ""), g)) for g in groups]
    return (
        words.title(m.metric),
        marked_name(m.where.get("method", ""), told) or TWO,
        " – ".join(plain(g, 24) for g in groups),
        " – ".join("…" if x is None or x.value is None else numbers.value(x) for x in means),
        numbers.value(m),
        numbers.interval(m) or "–",
        numbers.chance(float(m.details.get("p_holm", 1.0))),
        "yes" if m.details.get("differ") else "no",
    )


def _differences(known: Sequence[Measure], told: dict[str, str]) -> alt.TopLevelMixin:
    rows: list[Row] = [
        {
            "name": words.title(m.metric),
            "method": marked_name(m.where.get("method", ""), told) or TWO,
            "value": m.value,
            "low": m.low,
            "high": m.high,
            "shown": numbers.value(m),
            "chance": 0.0,
        }
        for m in known
    ]
    return _dots(rows, "difference of means", chance=True)
