"""Charts of performance: what is confused with what, whether scores come true, how well they rank."""

from __future__ import annotations

from typing import Any

import altair as alt

from ..audit.record import Exhibit, Record
from . import numbers
from .figure import MOST, Figure, Row, Table, axis, themed, values
from .palette import ACCENT, CONTRARY, INK, MUTED
from .plain import plain

CLASSES = 60  # of a table that has a row and a column for each
SIDE = 290  # pixels of a square chart: two stand side by side


def confusion(record: Record) -> Figure | None:
    """How often each true class is decided as which, as a heat map with the numbers in it."""
    found = _one(record, "confusion")
    if found is None:
        return None
    classes, counts = [plain(c, 40) for c in found.data["classes"]], found.data["counts"]
    k = min(len(classes), MOST)
    cells = [_cell(classes, counts, truth, decision) for truth in range(k) for decision in range(k)]
    few = k <= 4
    base = alt.Chart(values(cells)).encode(
        x=alt.X(
            "decision:N",
            sort=classes[:k],
            axis=alt.Axis(
                title="decided",
                grid=False,
                ticks=False,
                labelAngle=0 if few or max(map(len, classes[:k])) < 4 else -40,
                labelLimit=90,
            ),
        ),
        y=alt.Y("truth:N", sort=classes[:k], axis=alt.Axis(title="truly", grid=False, ticks=False, labelLimit=90)),
    )
    heat = base.mark_rect(color=ACCENT, cornerRadius=2).encode(
        opacity=alt.Opacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[0.04, 0.5]), legend=None)
    )
    text = base.mark_text(fontSize=15 if few else 10, color=INK, dy=-7 if few else 0).encode(text=alt.Text("count:N"))
    small = base.mark_text(fontSize=11, color=MUTED, dy=10).encode(text=alt.Text("percent:N"))
    side = SIDE if few else max(SIDE, 34 * k)
    chart = alt.layer(heat, text, *((small,) if few else ())).properties(width=side, height=side)
    return Figure(
        "performance-confusion",
        "performance",
        "Decisions against the truth",
        "Which mistakes does the model make?",
        themed(chart),
        _confusion_table(classes, counts),
        "A row is a true class, a column what the model decided. The diagonal is right; the stronger its colour, "
        "the larger its share "
        "of the row.",
        wide=not few,
    )


def _confusion_table(classes: list[str], counts: Any) -> Table:
    """The first `CLASSES` classes against each other; the last column counts all rows of a true class."""
    kept = classes[:CLASSES]
    note = f"The chart shows the first {MOST} of {len(classes):,} classes." if len(classes) > MOST else ""
    more = f" This table holds the first {CLASSES}, record.json all of them." if len(classes) > CLASSES else ""
    return Table(
        ("True class", *(f"decided {c}" for c in kept), "Rows"),
        tuple(
            (name, *(numbers.count(n) for n in row[:CLASSES]), numbers.count(sum(row)))
            for name, row in zip(kept, counts, strict=False)
        ),
        note + more,
    )


def calibration(record: Record) -> Figure | None:
    """Whether a score of 70 % comes true in 70 of 100 cases."""
    found = _one(record, "calibration_curve")
    if found is None or not found.data.get("mean_score"):
        return None
    d = found.data
    binary = (record.subject.get("task") or {}).get("kind") == "binary"
    sides = (
        "Below the line scores are too high, above it too low"
        if binary
        else "Below it the model is too sure, above it not sure enough"
    )
    columns = zip(d["mean_score"], d["observed"], d["low"], d["high"], d["n"], strict=True)
    rows: list[Row] = [dict(zip(("score", "observed", "low", "high", "n"), row, strict=True)) for row in columns]
    share = alt.Scale(domain=[0, 1])
    base = alt.Chart(values(rows)).encode(x=alt.X("score:Q", scale=share, axis=axis("mean score", "%")))
    y = alt.Y("observed:Q", scale=share, axis=axis("came true", "%"))
    whiskers = base.mark_rule(color=ACCENT, strokeWidth=2, opacity=0.55).encode(
        y=alt.Y("low:Q", scale=share), y2=alt.Y2("high")
    )
    line = base.mark_line(color=ACCENT, strokeWidth=1.5, opacity=0.6).encode(y=y)
    dots = base.mark_point(color=ACCENT, filled=True, size=55, opacity=1).encode(y=y)
    return Figure(
        "performance-calibration",
        "performance",
        "Calibration",
        "Does a score come true as often as it says?",
        _square(alt.layer(_diagonal(), whiskers, line, dots)),
        Table(
            ("Mean score", "Came true", "Interval", "Rows"),
            tuple(
                (
                    numbers.percent(r["score"]),
                    numbers.percent(r["observed"]),
                    f"{numbers.percent(r['low'])} to {numbers.percent(r['high'])}",
                    numbers.count(r["n"]),
                )
                for r in rows
            ),
        ),
        "Points on the dashed line are scores that come true exactly as often as they say. "
        f"{sides}; a vertical line is the interval.",
        wide=False,
    )


def roc(record: Record) -> Figure | None:
    """What finding more positives costs in false alarms, over all thresholds."""
    found = _one(record, "roc_curve")
    if found is None:
        return None
    pairs = list(zip(found.data["false_positive_rate"], found.data["true_positive_rate"], strict=True))
    rows: list[Row] = [{"order": i, "x": x, "y": y} for i, (x, y) in enumerate(pairs)]
    share = alt.Scale(domain=[0, 1])
    line = (
        alt.Chart(values(rows))
        .mark_line(color=ACCENT, strokeWidth=2.2)
        .encode(
            x=alt.X("x:Q", scale=share, axis=axis("false positive rate", "%")),
            y=alt.Y("y:Q", scale=share, axis=axis("true positive rate", "%")),
            order=alt.Order("order:Q"),
        )
    )
    here = _operating_point(record)
    point = alt.Chart(values(here)).mark_point(color=CONTRARY, filled=True, size=110, shape="diamond", opacity=1)
    layers = [_diagonal(), line, *((point.encode(x=alt.X("x:Q"), y=alt.Y("y:Q")),) if here else ())]
    step = max(1, len(pairs) // 20)
    kept = pairs[::step] if (len(pairs) - 1) % step == 0 else [*pairs[::step], pairs[-1]]
    return Figure(
        "performance-roc",
        "performance",
        "Ranking (ROC curve)",
        "What does finding more of the positives cost in false alarms?",
        _square(alt.layer(*layers)),
        Table(
            ("False positive rate", "True positive rate"),
            tuple((numbers.percent(x), numbers.percent(y)) for x, y in kept),
            ""
            if len(kept) == len(pairs)
            else f"{len(kept)} of {len(pairs)} points of the curve; record.json holds them all.",
        ),
        "Each point of the curve is a threshold. The further it bends to the upper left, the better scores rank "
        "positives above "
        "negatives; the dashed line is a coin. The diamond is the threshold in use.",
        wide=False,
    )


def histogram(record: Record) -> Figure | None:
    """How scores are spread."""
    found = _one(record, "score_histogram") or _one(record, "residuals")
    if found is None:
        return None
    edges, counts = found.data["edges"], found.data["counts"]
    rows: list[Row] = [{"low": a, "high": b, "n": n} for a, b, n in zip(edges[:-1], edges[1:], counts, strict=True)]
    residual = found.kind == "residuals"
    chart = (
        alt.Chart(values(rows))
        .mark_bar(color=ACCENT, binSpacing=1)
        .encode(
            x=alt.X("low:Q", bin="binned", axis=axis("error" if residual else "score", "" if residual else "%")),
            x2=alt.X2("high"),
            y=alt.Y("n:Q", axis=axis("rows", "~s")),
        )
    )
    show = numbers.decimal if residual else numbers.percent
    return Figure(
        "performance-histogram",
        "performance",
        "Spread of errors" if residual else "Spread of scores",
        "How far is the model off?" if residual else "How sure is the model of its decisions?",
        _square(chart),
        Table(("From", "To", "Rows"), tuple((show(r["low"]), show(r["high"]), numbers.count(r["n"])) for r in rows)),
        "Bars to the right of 0 are predictions that are too high; the narrower the spread, the better."
        if residual
        else "Bars at the ends are rows that the model is sure about; bars in the middle are rows that it hesitates "
        "over.",
        wide=False,
    )


def _operating_point(record: Record) -> list[Row]:
    by = {
        m.metric: m.value
        for m in record.measures
        if m.analysis == "fairness" and not m.where and m.statistic == "value"
    }
    x, y = by.get("false_positive_rate"), by.get("true_positive_rate")
    return [] if x is None or y is None else [{"x": x, "y": y}]


def _cell(classes: list[str], counts: Any, truth: int, decision: int) -> Row:
    n, total = counts[truth][decision], sum(counts[truth])
    share = n / total if total else 0.0
    shown = {"count": numbers.count(n), "percent": numbers.percent(share, 0.01)}
    return {"truth": classes[truth], "decision": classes[decision], "share": share, **shown}


def _diagonal() -> alt.Chart:
    ends = values([{"x": 0, "y": 0}, {"x": 1, "y": 1}])
    return (
        alt.Chart(ends).mark_line(color=MUTED, strokeDash=[4, 4], strokeWidth=1).encode(x=alt.X("x:Q"), y=alt.Y("y:Q"))
    )


def _square(chart: Any) -> alt.TopLevelMixin:
    return themed(chart.properties(width=SIDE, height=SIDE))


def _one(record: Record, kind: str) -> Exhibit | None:
    return next((e for e in record.exhibits if e.kind == kind and not e.where), None)
