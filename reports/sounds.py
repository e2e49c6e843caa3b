"""Charts of explained sounds: which moments, and which bands of frequencies, speak for the decision or against it."""

from __future__ import annotations

from typing import Any

import altair as alt

from ..audit.record import Exhibit, Record
from . import numbers
from .figure import HELD, Figure, Table, themed
from .plain import plain
from .rowwords import explained, method_within, named, row_title, score_of
from .timelines import bars, cells, picture, windows
from .whiskers import UNCERTAIN, flat, uncertainty

SOUNDS = 4  # that are drawn


def sounds(record: Record) -> Figure | None:
    """A handful of sounds, each with the windows that decided it."""
    found = next((e for e in record.exhibits if e.kind == "attribution_spectrograms" and e.data.get("rows")), None)
    if found is None:
        return None
    shown = found.data["rows"][:SOUNDS]
    panels = [_panel(found, place, row) for place, row in enumerate(shown)]
    heard = any(row.get("envelope") or row.get("loudness") for row in shown)
    behind = "Grey is what was heard." if heard else "The sounds themselves are shown only when asked for."
    chart = alt.concat(*panels, columns=2).resolve_scale(x="independent", y="independent", color="shared")
    return Figure(
        "explanations-sounds",
        "explanations",
        "Single sounds",
        "Which moments decided these sounds?",
        themed(chart),
        _table(found),
        f"Sounds chosen by rule, explained by {method_within(found.data.get('method', ''))}. Blue pushes "
        f"{explained(found)} up, orange pushes it down; each sound has its own scale. {behind} "
        + (UNCERTAIN if _several(found) == 1 and any(any(uncertainty(row)) for row in shown) else "")
        + "The table names each sound by its digest, by which whoever holds the data finds it again.",
    )


def _panel(found: Exhibit, place: int, row: dict[str, Any]) -> Any:
    times = windows(found.data["seconds"], found.data["window"])
    lines, title = len(row["attributions"]), row_title(place, row)
    if lines == 1:
        return bars(row, times, title, "seconds", row.get("envelope"))
    below = picture(row["loudness"], lines, times) if row.get("loudness") else None
    names = ["low", *[""] * (lines - 2), "high"]
    return cells(row, times, names, title, "seconds", below)


def _several(found: Exhibit) -> int:
    return max(len(row["attributions"]) for row in found.data["rows"])


def _table(found: Exhibit) -> Table:
    times = windows(found.data["seconds"], found.data["window"])
    every, banded = found.data["rows"], _several(found) > 1
    unsure = any(any(uncertainty(row)) for row in every)
    cells_of = [
        (
            f"{place + 1}: {plain(row['row'])}",
            named(row.get("decision")),
            score_of(row),
            f"{numbers.significant(times[k % len(times)][0])}–{numbers.significant(times[k % len(times)][1])} s",
            *((str(k // len(times) + 1),) if banded else ()),
            numbers.significant(value),
            *((f"±{numbers.GAP}{numbers.significant(wide, 2)}",) if unsure else ()),
        )
        for place, row in enumerate(every)
        for k, (value, wide) in enumerate(zip(flat(row["attributions"]), uncertainty(row), strict=True))
    ]
    band, extra = ("Band",) if banded else (), ("Uncertainty",) if unsure else ()
    columns = ("Row", "Decided", "Score", "Time", *band, "Attribution", *extra)
    left = f" The table holds the first {HELD} of {len(cells_of):,} windows." if len(cells_of) > HELD else ""
    low = " Bands count from the lowest." if banded else ""
    return Table(columns, tuple(cells_of[:HELD]), f"Explained: {explained(found)}.{low}{left}")
