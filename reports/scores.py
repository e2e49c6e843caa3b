"""Charts of what scores say of groups: how they rank, whether they come true, and what each threshold would do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import altair as alt

from ..audit.measure import column
from ..audit.record import Exhibit, Record
from . import numbers, words
from .figure import Figure, Row, Table, axis, largest, themed, values
from .palette import ACCENT, BAND, CONTRARY, INK, MUTED
from .plain import plain

PANELS = 8  # groups drawn, the largest
SIDE = 150  # pixels of a panel
ACROSS = 4  # panels in a row
POINTS = 45  # of a curve that is drawn
LONGEST = 28  # characters of a panel's title
LINES = 12  # thresholds in a table
SHARE = alt.Scale(domain=[0, 1])
SPAN = tuple[float, float]


def by_attribute(record: Record) -> list[Figure]:
    """For each attribute: ROC, calibration and spread of scores group by group, and gaps against the threshold."""
    found = [
        draw(record, str(attribute["name"]), f"attribute-{place}")
        for place, attribute in enumerate(record.subject.get("attributes", ()), 1)
        for draw in (roc, calibration, spread, sweep)
    ]
    return [figure for figure in found if figure is not None]


def roc(record: Record, attribute: str, slug: str) -> Figure | None:
    """Each group's ROC curve, over everyone's."""
    found = _one(record, "roc_by_group", attribute)
    curves = _drawn(found)
    if found is None or not curves:
        return None
    everyone = next((e for e in record.exhibits if e.kind == "roc_curve" and not e.where), None)
    rows = [
        {"name": plain(c["group"], LONGEST), "x": x, "y": y, "order": i, "who": "group"}
        for c in curves
        for i, (x, y) in enumerate(_points(c["false_positive_rate"], c["true_positive_rate"]))
    ]
    if everyone is not None:
        pairs = _points(everyone.data["false_positive_rate"], everyone.data["true_positive_rate"])
        whole = [{"x": x, "y": y, "order": i, "who": "everyone"} for i, (x, y) in enumerate(pairs)]
        rows += [{"name": plain(c["group"], LONGEST), **row} for c in curves for row in whole]
    base = alt.Chart().encode(
        x=alt.X("x:Q", scale=SHARE, axis=axis("false positive rate", "%", 3)),
        y=alt.Y("y:Q", scale=SHARE, axis=axis("true positive rate", "%", 3)),
        order=alt.Order("order:Q"),
    )
    layers = (
        base.transform_filter("datum.who === 'everyone'").mark_line(color=MUTED, strokeWidth=1.2, strokeDash=[4, 3]),
        base.transform_filter("datum.who === 'group'").mark_line(color=ACCENT, strokeWidth=2),
    )
    measured = _measures(record, attribute, ("auc", "average_precision"))
    return Figure(
        f"scores-roc-{slug}",
        "fairness",
        f"Ranking by {plain(attribute)} (ROC curves)",
        f"Do scores tell positives from negatives equally well in each group of {plain(attribute)}?",
        lambda: _panels(rows, layers, curves),
        Table(
            ("Group", "Rows", "AUC", "Interval", "Average precision", "Interval of it"),
            tuple((plain(c["group"]), numbers.count(c["n"]), *measured(c["group"])) for c in found.data["curves"]),
            _left_out(found),
        ),
        "Each panel is a group: what finding more of its positives (up) costs in false alarms (right). The dashed line "
        "is everyone. A curve below the dashed one means that scores sort this group's rows worse." + _shown(found),
        folded="AUC is the chance that a positive row of the group scores above a negative one of it; 0.5 is a coin. "
        "Average precision says how pure the rows scored highest are in positives.",
    )


def calibration(record: Record, attribute: str, slug: str) -> Figure | None:
    """Whether a score comes true as often in each group."""
    found = _one(record, "calibration_by_group", attribute)
    curves = _drawn(found)
    if found is None or not curves:
        return None
    names = ("mean_score", "observed", "low", "high")
    rows = [
        {"name": plain(c["group"], LONGEST), **dict(zip(("x", "y", "low", "high"), row, strict=True))}
        for c in curves
        for row in zip(*(c[name] for name in names), strict=True)
    ]
    ends = [{"name": plain(c["group"], LONGEST), "a": a} for c in curves for a in (0, 1)]
    base = alt.Chart().encode(x=alt.X("x:Q", scale=SHARE, axis=axis("mean score", "%", 3)))
    y = alt.Y("y:Q", scale=SHARE, axis=axis("came true", "%", 3))
    layers = (
        alt.Chart()
        .transform_filter("isValid(datum.a)")
        .mark_line(color=MUTED, strokeDash=[4, 3], strokeWidth=1)
        .encode(x=alt.X("a:Q", scale=SHARE), y=alt.Y("a:Q", scale=SHARE)),
        base.transform_filter("isValid(datum.x)")
        .mark_rule(color=ACCENT, strokeWidth=1.5, opacity=0.55)
        .encode(y=alt.Y("low:Q", scale=SHARE), y2=alt.Y2("high")),
        base.transform_filter("isValid(datum.x)").mark_point(color=ACCENT, filled=True, size=26, opacity=1).encode(y=y),
    )
    measured = _measures(record, attribute, ("expected_calibration_error", "calibration_in_the_large"))
    level = numbers.level(found.data["confidence"])
    return Figure(
        f"scores-calibration-{slug}",
        "fairness",
        f"Calibration by {plain(attribute)}",
        f"Does a score mean the same in each group of {plain(attribute)}?",
        _panels([*ends, *rows], layers, curves),
        Table(
            ("Group", "Rows", "Calibration error", "Interval", "Mean score less mean outcome", "Interval of it"),
            tuple((plain(c["group"]), numbers.count(c["n"]), *measured(c["group"])) for c in found.data["curves"]),
            _left_out(found),
        ),
        "Each panel is a group, each point some of its rows with similar scores: how high the score (right) and how "
        f"many came true (up), the line being the {level} interval. On the dashed line a score means what it says; "
        "where one group lies above it and another below, the same score means different things for them."
        + _shown(found),
    )


def spread(record: Record, attribute: str, slug: str) -> Figure | None:
    """How each group's scores are spread, beside everyone's."""
    found = [e for e in record.exhibits if e.kind == "score_histogram"]
    whole = next((e for e in found if not e.where), None)
    own = [e for e in found if set(e.where) == {column(attribute)} and sum(e.data["counts"])]
    if whole is None or not own or not sum(whole.data["counts"]):
        return None
    drawn = largest(own, PANELS, lambda e: sum(e.data["counts"]))
    names = [e.where[column(attribute)] for e in drawn]
    everyone = _shares(whole)
    rows = [
        {"name": plain(name, LONGEST), "low": low, "high": high, "y": y, "everyone": all_rows}
        for name, e in zip(names, drawn, strict=True)
        for low, high, y, all_rows in zip(e.data["edges"][:-1], e.data["edges"][1:], _shares(e), everyone, strict=True)
    ]
    rows += [{"name": plain(name, LONGEST), "low": 1.0, "everyone": everyone[-1]} for name in names]  # the line's end
    x = alt.X("low:Q", bin="binned", scale=SHARE, axis=axis("score", "%", 3))
    base = alt.Chart().transform_filter("isValid(datum.y)").encode(x=x, x2=alt.X2("high"))
    layers = (
        base.mark_bar(color=ACCENT, binSpacing=0.5, opacity=0.75).encode(y=alt.Y("y:Q", axis=axis("share", "%", 3))),
        alt.Chart()
        .mark_line(color=INK, strokeWidth=1.2, interpolate="step-after")
        .encode(x=alt.X("low:Q", scale=SHARE), y=alt.Y("everyone:Q")),
    )
    total = len(own)
    left = f" The chart shows the {PANELS} largest groups of {total:,}." if total > PANELS else ""
    mean = _measures(record, attribute, ("mean_score",))
    held = largest(own, 400, lambda e: sum(e.data["counts"]))
    return Figure(
        f"scores-spread-{slug}",
        "fairness",
        f"Spread of scores by {plain(attribute)}",
        f"Do the groups of {plain(attribute)} get different scores?",
        lambda: _panels(rows, layers, [{"group": name} for name in names]),
        Table(
            ("Group", "Rows", "Mean score", "Interval", "Middle half of scores"),
            tuple(
                (
                    plain(e.where[column(attribute)]),
                    numbers.count(sum(e.data["counts"])),
                    *mean(e.where[column(attribute)]),
                    _middle(e),
                )
                for e in held
            ),
        ),
        "Each panel is a group: bars say which share of its rows gets which score, the line says it of everyone. Bars "
        "further right than the line mean higher scores; whether they are deserved is told by the calibration." + left,
        folded="Higher scores are no unfairness by themselves: whether they are deserved is told by the calibration.",
    )


def sweep(record: Record, attribute: str, slug: str) -> Figure | None:
    """Every gap against the threshold, with a ribbon and the threshold in use."""
    found = _one(record, "threshold_sweep", attribute)
    if found is None:
        return None
    gaps = {name: gap for name, gap in found.data["gaps"].items() if any(v is not None for v in gap["value"])}
    if not gaps:
        return None
    thresholds, use = found.data["thresholds"], found.data["in_use"]
    rows = [
        {"name": words.title(name), "t": t, "value": v, "low": max(low, 0.0), "high": high}
        for name, gap in gaps.items()
        for k in _thin(len(thresholds), POINTS + 10)
        for t, v, low, high in ((thresholds[k], gap["value"][k], gap["low"][k], gap["high"][k]),)
        if v is not None
    ]
    rows += [] if use is None else [{"name": words.title(name), "use": use} for name in gaps]
    scale = alt.Scale(domain=[0, 1])
    base = alt.Chart().encode(x=alt.X("t:Q", scale=scale, axis=axis("threshold", "%", 3)))
    drawn = base.transform_filter("isValid(datum.t)")
    layers = (
        drawn.mark_area(color=BAND, opacity=1).encode(y=alt.Y("low:Q"), y2=alt.Y2("high")),
        drawn.mark_line(color=ACCENT, strokeWidth=2).encode(y=alt.Y("value:Q", axis=axis("gap, points", "points", 3))),
        alt.Chart()
        .transform_filter("isValid(datum.use)")
        .mark_rule(color=CONTRARY, strokeWidth=1.5, strokeDash=[5, 3])
        .encode(x=alt.X("use:Q", scale=scale)),
    )
    levels = {gap["confidence"] for gap in gaps.values()}
    level = f"{numbers.level(levels.pop())} interval" if len(levels) == 1 else "interval"
    pointwise = "The dashed line is the threshold in use. " if use is not None else ""
    return Figure(
        f"scores-sweep-{slug}",
        "fairness",
        f"Gaps across {plain(attribute)} at every threshold",
        "Would another threshold make the groups more alike?",
        _panels(rows, layers, [{"group": words.title(name)} for name in gaps], across=3),
        Table(
            ("Threshold", *(words.title(name) for name in gaps)),
            tuple(
                (numbers.percent(thresholds[k]), *(_gap_cell(gap, k) for gap in gaps.values()))
                for k in _thin(len(thresholds))
            ),
            "A gap is in percentage points, its interval in brackets; record.json holds every threshold.",
        ),
        "Each panel is a rate: how far apart its highest and lowest group would be (up) if everyone who scores at "
        f"least this much (right) were selected. The ribbon is the {level} at that threshold by itself. {pointwise}"
        "A gap that closes where another opens is a trade-off, not a mend. A threshold picked here because its gap is "
        "small must be confirmed on other rows.",
    )


def _panels(
    rows: Sequence[Row], layers: tuple[Any, ...], groups: Sequence[dict[str, Any]], across: int = ACROSS
) -> alt.TopLevelMixin:
    """A panel a group, side by side, on the same axes: told apart by their titles, not by colours."""
    order = list(dict.fromkeys(plain(g["group"], LONGEST) for g in groups))
    drawn = alt.layer(*layers).properties(width=SIDE, height=SIDE, data=values(rows))
    return themed(drawn.facet(facet=alt.Facet("name:N", sort=order, title=None), columns=across))


def _drawn(found: Exhibit | None) -> list[dict[str, Any]]:
    """The curves of the largest groups, in order."""
    return [] if found is None else largest(found.data["curves"], PANELS, lambda curve: curve["n"])


def _points(x: Sequence[float], y: Sequence[float]) -> list[SPAN]:
    return [(x[k], y[k]) for k in _thin(len(x), POINTS)]


def _thin(n: int, most: int = LINES) -> Iterator[int]:
    """At most about `most` places of n, evenly, both ends among them."""
    step = max(1, -(-(n - 1) // (most - 1)))
    yield from range(0, n - 1, step)
    yield n - 1


def _measures(record: Record, attribute: str, metrics: tuple[str, ...]) -> Callable[[str], tuple[str, ...]]:
    """From a group to its numbers and their intervals, as cells of a table."""
    key = column(attribute)
    found = {
        (m.metric, m.where[key]): m
        for m in record.measures
        if m.analysis == "fairness" and m.statistic == "value" and m.metric in metrics and set(m.where) == {key}
    }

    def cells(group: str) -> tuple[str, ...]:
        own = [found.get((name, group)) for name in metrics]
        return tuple(
            x for m in own for x in (("–", "–") if m is None else (numbers.value(m), numbers.interval(m) or "–"))
        )

    return cells


def _gap_cell(gap: dict[str, Any], k: int) -> str:
    value, low, high = (gap[name][k] for name in ("value", "low", "high"))
    if value is None:
        return "not measured"
    shown = [f"{round(100 * x, 1) + 0.0:.1f}".replace("-", numbers.MINUS) for x in (value, low, high)]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"


def _shares(found: Exhibit) -> list[float]:
    total = sum(found.data["counts"])
    return [n / total for n in found.data["counts"]]


def _middle(found: Exhibit) -> str:
    """Between which edges the middle half of a histogram's rows lies."""
    shares, edges, running, ends = _shares(found), found.data["edges"], 0.0, []
    for k, share in enumerate(shares):
        before, running = running, running + share
        ends += [edges[k]] if before <= 0.25 < running else []
        ends += [edges[k + 1]] if before < 0.75 <= running + 1e-12 else []
    return f"{numbers.percent(ends[0])} to {numbers.percent(ends[-1])}"


def _shown(found: Exhibit) -> str:
    total = found.data["groups"]
    return f" The chart shows the {PANELS} largest groups of {total:,}." if len(found.data["curves"]) > PANELS else ""


def _left_out(found: Exhibit) -> str:
    kept, total = len(found.data["curves"]), found.data["groups"]
    missing = f"{kept:,} of {total:,} groups have a curve here: the largest that have the rows for one."
    return missing if kept < total else ""


def _one(record: Record, kind: str, attribute: str) -> Exhibit | None:
    return next((e for e in record.exhibits if e.kind == kind and e.where == {"attribute": attribute}), None)
