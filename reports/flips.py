"""The chart of counterfactual flips: what changes when an attribute alone is swapped, direction by direction."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from ..audit.measure import Measure
from ..audit.record import Record
from . import numbers, words
from .figure import HELD, MOST, Figure, Row, Table, axis, held, largest, names, shown, themed, values
from .palette import ACCENT, INK, MUTED
from .plain import plain

SHARE, CHANGE = "flip_rate", "mean_score_change"
OVERALL = {SHARE: SHARE, CHANGE: "mean_absolute_score_change"}
STEP = 26  # pixels a row
ALL = "any swap"
LARGEST = "swaps with most rows"


def by_attribute(record: Record) -> list[Figure]:
    """For each attribute that was swapped: the share of decisions that change, or how far numbers move."""
    own = [m for m in record.measures if m.analysis == "fairness" and m.metric in {*OVERALL, *OVERALL.values()}]
    swapped = list(dict.fromkeys(m.where["attribute"] for m in own if "attribute" in m.where))
    found = [_figure([m for m in own if m.where.get("attribute") == who], who, k) for k, who in enumerate(swapped, 1)]
    return [figure for figure in found if figure is not None]


def _figure(own: Sequence[Measure], attribute: str, place: int) -> Figure | None:
    told = {metric: _told(own, metric) for metric in OVERALL}
    drawn = SHARE if told[SHARE] else CHANGE
    if not told[drawn]:
        return None
    names = list(dict.fromkeys(_name(m) for metric in OVERALL for m in told[metric]))
    by = {(metric, _name(m)): m for metric in OVERALL for m in told[metric]}
    kinds = [metric for metric in OVERALL if told[metric]]
    head = f"{numbers.level(told[drawn][0].level)} interval"
    shares = drawn == SHARE
    return Figure(
        f"groups-flips-{place}",
        "fairness",
        f"What swapping {plain(attribute)} changes",
        f"Would the same row be decided otherwise, were only its {plain(attribute)} another?",
        _forest(largest(told[drawn], MOST, lambda m: m.n), zero=shares),
        Table(
            ("Swap", "Rows", *(cell for metric in kinds for cell in (words.title(metric), head))),
            tuple((name, *_cells([by.get((metric, name)) for metric in kinds])) for name in names[:HELD]),
            held(len(names), LARGEST),
        ),
        f"Each point is {'the share of decisions that change' if shares else 'how far the number moves on average'} "
        f"when {plain(attribute)} alone is swapped, its line the interval; “{ALL}” counts a row once, however many "
        "swaps there are, and the size of a change without its sign. "
        "All else stays as it was, so this finds direct use of the attribute, not use of what stands in for it."
        + shown(len(told[drawn]), LARGEST),
    )


def _told(own: Sequence[Measure], metric: str) -> list[Measure]:
    """What is known of all swaps together, then of each."""
    found = [m for m in own if m.value is not None and m.metric == (metric if _one(m) else OVERALL[metric])]
    return sorted(found, key=_one)


def _one(m: Measure) -> bool:
    """Whether a measure is of one direction."""
    return "component" in m.where


def _name(m: Measure) -> str:
    return plain(m.where["component"], 60) if _one(m) else ALL


def _cells(found: Sequence[Measure | None]) -> tuple[str, ...]:
    n = next(m.n for m in found if m is not None)
    shown = [("–", "–") if m is None else (numbers.value(m), numbers.interval(m) or "–") for m in found]
    return (numbers.count(n), *(cell for pair in shown for cell in pair))


def _forest(drawn: Sequence[Measure], *, zero: bool) -> alt.TopLevelMixin:
    rows: list[Row] = [
        {"name": _name(m), "value": m.value, "low": m.low, "high": m.high, "shown": numbers.value(m), "even": 0.0}
        for m in drawn
    ]
    base = alt.Chart(values(rows)).encode(y=names(sort=[row["name"] for row in rows]))
    unit = next((m.unit for m in drawn if m.unit not in ("1", "")), "")
    shares = axis("decisions that change", "%") if zero else axis(plain(unit, 24))
    x = alt.X("value:Q", scale=alt.Scale(zero=True, nice=True, padding=14), axis=shares)
    line = base.mark_tick(color=MUTED, thickness=1.5, size=STEP, opacity=0.6).encode(x=alt.X("even:Q"))
    spans = base.mark_rule(color=ACCENT, strokeWidth=2.5, opacity=0.55).encode(x=alt.X("low:Q"), x2=alt.X2("high"))
    dots = base.mark_point(color=ACCENT, filled=True, size=70, opacity=1).encode(x=x)
    text = base.mark_text(dy=-11, fontSize=11, color=INK).encode(x=alt.X("value:Q"), text=alt.Text("shown:N"))
    return themed(alt.layer(line, spans, dots, text).properties(width=560, height=alt.Step(STEP + 8)))
