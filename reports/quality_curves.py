"""Charts of what the output does while features are taken away, or put in, from the most important on."""

from __future__ import annotations

from typing import Any

import altair as alt

from ..audit.record import Record
from . import numbers
from .evidence import marked_name, not_evidence
from .figure import Figure, Row, Table, axis, themed, values
from .palette import ACCENT, CONTRARY, INK, MUTED

RANDOM = "random"
AT_RANDOM = "In random order"
TITLES = {"deletion": "taken away", "insertion": "put in"}
COLOURS = (ACCENT, CONTRARY, INK)
TOLD = (0.1, 0.2, 0.5)  # shares of the features at which the table tells the curves


def curves(record: Record) -> Figure | None:
    """Mean deletion and insertion curves of each method with bands, and those of random orders."""
    found = next((e for e in record.exhibits if e.kind == "quality_curves" and e.data.get("curves")), None)
    if found is None:
        return None
    told = not_evidence(record)
    each = [c for c in found.data["curves"] if c.get("metric") in TITLES and c.get("value")]
    if not each:
        return None
    methods = list(dict.fromkeys(_name(c, told) for c in each))
    order = [m for m in methods if m != AT_RANDOM] + ([AT_RANDOM] if AT_RANDOM in methods else [])
    kinds = [k for k in TITLES if any(c["metric"] == k for c in each)]
    panels = [_panel([c for c in each if c["metric"] == kind], kind, order, told) for kind in kinds]
    return Figure(
        "explanations-curves",
        "explanations",
        "Features taken away and put in",
        "Does the output change as the explanations say when features are taken away?",
        themed(alt.hconcat(*panels, spacing=28)),
        Table(
            ("Order", "Features", *(f"{numbers.level(s)} of them" for s in TOLD)),
            tuple(_cells(c, told) for c in each),
        ),
        "Features are replaced by the baseline's, from what pushes the output up most to what pushes it down most "
        "(left), or put back in that order (right). Heights are the output above the baseline's; 1 is as far as it "
        "gets for the row. An explanation that is right falls far below the random order on the left and rises far "
        "above it on the right; bands are intervals over the rows.",
    )


def _name(c: dict[str, Any], told: dict[str, str]) -> str:
    return AT_RANDOM if c["method"] == RANDOM else marked_name(c["method"], told)


def _panel(
    found: list[dict[str, Any]], kind: str, order: list[str], told: dict[str, str]
) -> alt.LayerChart | alt.FacetChart:
    rows: list[Row] = [
        {
            "method": _name(c, told),
            "share": round(share, 4),
            "value": value,
            "low": value if low is None else low,
            "high": value if high is None else high,
        }
        for c in found
        for share, value, low, high in zip(c["share"], c["value"], c["low"], c["high"], strict=True)
    ]
    scale = alt.Scale(domain=order, range=[MUTED if m == AT_RANDOM else COLOURS[k % 3] for k, m in enumerate(order)])
    legend = (
        alt.Legend(
            title=None,
            orient="bottom",
            labelLimit=320,
            symbolType="stroke",
            symbolOpacity=1,
            symbolStrokeWidth=2,
            symbolSize=240,
        )
        if kind == "deletion"
        else None
    )
    colour = alt.Color("method:N", scale=scale, legend=legend)
    base = alt.Chart(values(rows)).encode(
        x=alt.X("share:Q", scale=alt.Scale(domain=[0, 1]), axis=axis(f"features {TITLES[kind]}", ".0%", ticks=5)),
    )
    bands = base.mark_area(opacity=0.14).encode(y=alt.Y("low:Q"), y2=alt.Y2("high"), color=colour)
    dash = alt.StrokeDash(
        "method:N",
        scale=alt.Scale(
            domain=order,
            range=[[4, 3] if m == AT_RANDOM else [1, 0] if k == 0 else [7, 2] for k, m in enumerate(order)],
        ),
        legend=legend,
    )
    lines = base.mark_line(strokeWidth=2).encode(
        y=alt.Y("value:Q", axis=axis("output above the baseline's" if kind == "deletion" else "", ticks=5)),
        color=colour,
        strokeDash=dash,
    )
    return alt.layer(bands, lines).properties(width=290, height=230)


def _cells(c: dict[str, Any], told: dict[str, str]) -> tuple[str, ...]:
    return (_name(c, told), TITLES[c["metric"]], *(_at(c, share) for share in TOLD))


def _at(c: dict[str, Any], share: float) -> str:
    """The height of the curve at the point nearest to a share, with its interval."""
    k = min(range(len(c["share"])), key=lambda i: abs(c["share"][i] - share))
    low, high = c["low"][k], c["high"][k]
    shown = numbers.significant(c["value"][k], 2)
    return shown if low is None else f"{shown} ({numbers.significant(low, 2)} to {numbers.significant(high, 2)})"
