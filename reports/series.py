"""Charts of explained series: which channels, and when, speak for the decision or against it."""

from __future__ import annotations

from typing import Any

import altair as alt

from ..audit.record import Exhibit, Record
from . import numbers
from .figure import HELD, Figure, Table, themed
from .plain import plain
from .rowwords import explained, method_within, named, row_title, score_of
from .timelines import STRIP, cells, curves, windows
from .whiskers import flat, uncertainty

ROWS = 4  # that are drawn
CHANNELS = 12  # of one row that are drawn: those that weigh most


def series(record: Record) -> Figure | None:
    """A handful of series, each with the channels and times that decided it."""
    found = next((e for e in record.exhibits if e.kind == "attribution_series" and e.data.get("rows")), None)
    if found is None:
        return None
    shown, names = found.data["rows"][:ROWS], found.data["channels"]
    panels = [_panel(found, place, row) for place, row in enumerate(shown)]
    chart = alt.concat(*panels, columns=2).resolve_scale(x="independent", y="independent", color="shared")
    seen = any(row.get("values") for row in shown)
    return Figure(
        "explanations-series",
        "explanations",
        "Single series",
        "When, and through which channel, were these decided?",
        themed(chart),
        _table(found),
        f"Series chosen by rule, explained by {method_within(found.data.get('method', ''))}. Blue pushes "
        f"{explained(found)} up, orange pushes it down; each row has its own scale. "
        + ("A line is the channel's values, from its lowest to its highest. " if seen else "")
        + (f"Drawn are the {CHANNELS} channels of {len(names)} that weigh most. " if len(names) > CHANNELS else "")
        + ("" if seen else "The values themselves are shown only when asked for. ")
        + "The table names each row by its digest, by which whoever holds the data finds it again.",
    )


def _panel(found: Exhibit, place: int, row: dict[str, Any]) -> Any:
    step, unit = found.data["step"], found.data["unit"]
    times = windows(found.data["steps"] * step, found.data["window"] * step)
    kept = _weightiest(row["attributions"])[::-1]  # the first channel is drawn on top
    own = {**row, "attributions": [row["attributions"][k] for k in kept]}
    below = curves([row["values"][k] for k in kept], times) if row.get("values") else None
    names = [plain(found.data["channels"][k], 18) for k in kept]
    return cells(own, times, names, row_title(place, row), plain(unit, 18), below, STRIP * len(kept))


def _weightiest(lines: list[list[float]]) -> list[int]:
    """The channels that are drawn, in their own order."""
    sizes = [sum(abs(x) for x in line) for line in lines]
    return sorted(sorted(range(len(lines)), key=lambda k: -sizes[k])[:CHANNELS])


def _table(found: Exhibit) -> Table:
    data, every = found.data, found.data["rows"]
    times = windows(data["steps"] * data["step"], data["window"] * data["step"])
    unsure = any(any(uncertainty(row)) for row in every)
    lines = [
        (
            f"{place + 1}: {plain(row['row'])}",
            named(row.get("decision")),
            score_of(row),
            plain(data["channels"][k // len(times)]),
            f"{times[k % len(times)][0]:g}–{times[k % len(times)][1]:g} {plain(data['unit'], 18)}",
            numbers.significant(value),
            *((f"±{numbers.GAP}{numbers.significant(wide, 2)}",) if unsure else ()),
        )
        for place, row in enumerate(every)
        for k, (value, wide) in enumerate(zip(flat(row["attributions"]), uncertainty(row), strict=True))
    ]
    columns = ("Row", "Decided", "Score", "Channel", "Time", "Attribution", *(("Uncertainty",) if unsure else ()))
    left = f" The table holds the first {HELD} of {len(lines):,} cells." if len(lines) > HELD else ""
    return Table(columns, tuple(lines[:HELD]), f"Explained: {explained(found)}.{left}")
