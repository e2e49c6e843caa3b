"""Charts of explanations: what the model decides on, over all explained rows and for single ones."""

from __future__ import annotations

from typing import Any

import altair as alt

from ..audit.measure import Measure
from ..audit.record import Exhibit, Record
from . import numbers
from .evidence import marked_name, not_evidence
from .facts import join
from .figure import HELD, Figure, Row, Table, axis, names, themed, values
from .palette import ACCENT, CONTRARY, INK, LINE, MUTED
from .picture import grey, signed
from .plain import plain
from .rowwords import explained, method_within, named, row_title, score_of
from .whiskers import UNCERTAIN, ends, uncertainty, whisker

FEATURES = 15  # that the ranking shows
SINGLE = 6  # rows that are drawn one by one
EACH = 7  # features of a single row
IMAGES = 9
PER_LINE = 5
TILE = 124  # pixels of an image and the space around it
BAR = 22
LABELLED = 46  # pixels beside the bars of a single row, for their numbers


def ranking(record: Record) -> Figure | None:
    """Mean absolute attribution of each feature, by each method, with intervals."""
    found = [m for m in record.measures if m.metric == "mean_absolute_attribution" and "feature" in m.where]
    methods = list(dict.fromkeys(m.where.get("method", "") for m in found if m.value is not None))
    if not methods:
        return None
    first = [m for m in found if m.where.get("method", "") == methods[0]]
    order = [m.where["feature"] for m in sorted(first, key=lambda m: -(m.value or 0))]
    by = {(m.where["feature"], m.where.get("method", "")): m for m in found}
    told = not_evidence(record)
    rows = [
        _bar(by[f, method], marked_name(method, told))
        for method in methods
        for f in order[:FEATURES]
        if (f, method) in by
    ]
    heads = [h for method in methods for h in (marked_name(method, told), "Interval")]
    cells = [(plain(f), *(c for method in methods for c in _cell(by.get((f, method))))) for f in order[:HELD]]
    table = "holds them all" if len(order) <= HELD else f"holds the first {HELD}, record.json all of them"
    left = f"The chart shows the first {FEATURES} of {len(order)} features; this table {table}."
    return Figure(
        "explanations-ranking",
        "explanations",
        "What the model decides on",
        "Which features move the model's output most?",
        _ranking(rows, [plain(f) for f in order[:FEATURES]], [marked_name(m, told) for m in methods]),
        Table(("Feature", *heads), tuple(cells), left if len(order) > FEATURES else ""),
        _warning(methods, told) + "A bar is how far the feature moves the output on average, in either direction; its "
        "line the interval over the rows that were explained. A ranking is to be trusted as far as the methods agree. "
        "It describes the model and shows no cause.",
    )


def single_rows(record: Record) -> Figure | None:
    """A handful of rows, each with the features that decided it."""
    found = next((e for e in record.exhibits if e.kind == "attribution_rows" and e.data.get("rows")), None)
    if found is None:
        return None
    shown = found.data["rows"][:SINGLE]
    rows = [bar for place, row in enumerate(shown) for bar in _row_bars(place, row)]
    return Figure(
        "explanations-rows",
        "explanations",
        "Single rows",
        "What decided these rows?",
        _row_chart(rows, [row_title(place, row) for place, row in enumerate(shown)]),
        _row_table(found),
        f"Rows chosen by rule, explained by {method_within(found.data.get('method', ''))}. A bar to the right "
        f"pushes {explained(found)} up, one to the left pushes it down; each panel has its own scale. "
        + (
            f"Drawn are the first {SINGLE} of {len(found.data['rows'])} rows. "
            if len(found.data["rows"]) > SINGLE
            else ""
        )
        + (UNCERTAIN if any(any(uncertainty(row)) for row in shown) else "")
        + "The table names each row by its digest, by which whoever holds the data finds it again.",
    )


def images(record: Record) -> Figure | None:
    """Attribution maps of a handful of images, and their mean."""
    found = next((e for e in record.exhibits if e.kind == "attribution_images" and e.data.get("rows")), None)
    mean = next((e for e in record.exhibits if e.kind == "mean_attribution_image"), None)
    if found is None and mean is None:
        return None
    tiles = [_mean_tile(mean)] if mean else []
    rows = found.data["rows"][: IMAGES - len(tiles)] if found else []
    tiles += [tile for row in rows for tile in (*_pixel_tile(row), _image_tile(row))]
    method = (found or mean).data.get("method", "")  # type: ignore[union-attr]
    return Figure(
        "explanations-images",
        "explanations",
        "Where the model looks",
        "Which parts of a picture speak for the decision, and which against?",
        _tiles(tiles),
        Table(
            ("Row", "Decided", "Truly", "Score", "Chosen for", "Attribution for", "Attribution against"),
            tuple(_image_cells(row) for row in rows),
        ),
        f"Attribution by {method_within(method)}. Blue speaks for the explained class, orange against it, clear "
        f"says nothing; "
        "each picture has its own scale, stronger colour meaning more. "
        "The mean is of sizes, whichever their sign. The pictures themselves are shown only when "
        "asked for.",
    )


def _ranking(rows: list[Row], order: list[str], methods: list[str]) -> alt.TopLevelMixin:
    base = alt.Chart().encode(y=names(sort=order))
    bars = base.mark_bar(color=ACCENT, opacity=0.75, height=12).encode(
        x=alt.X("value:Q", axis=axis("mean absolute attribution", ticks=4))
    )
    whiskers = base.mark_rule(color=INK, strokeWidth=1.2).encode(x=alt.X("low:Q"), x2=alt.X2("high"))
    width = 560 if len(methods) == 1 else 680 // len(methods)
    layers = alt.layer(bars, whiskers).properties(width=width, height=alt.Step(BAR), data=values(rows))
    chart = layers.facet(column=alt.Column("method:N", sort=methods, title=None))
    return themed(chart.resolve_scale(x="independent"))


def _row_chart(rows: list[Row], titles: list[str]) -> alt.TopLevelMixin:
    base = alt.Chart().encode(y=alt.Y("name:N", sort=None, axis=alt.Axis(title=None, labelLimit=130, ticks=False)))
    bars = base.mark_bar(height=12, opacity=0.85).encode(
        x=alt.X("value:Q", scale=alt.Scale(zero=True, padding=LABELLED), axis=axis("", ticks=4)),
        color=alt.Color("sign:N", scale=alt.Scale(domain=["up", "down"], range=[ACCENT, CONTRARY]), legend=None),
    )
    right = base.transform_filter("datum.value >= 0").mark_text(align="left", dx=4, fontSize=10, color=MUTED)
    left = base.transform_filter("datum.value < 0").mark_text(align="right", dx=-4, fontSize=10, color=MUTED)
    texts = [t.encode(x=alt.X("edge:Q"), text=alt.Text("shown:N")) for t in (right, left)]
    whiskers = [whisker(base)] if any("low" in row for row in rows) else []
    layers = alt.layer(bars, *whiskers, *texts).properties(width=250, height=alt.Step(BAR), data=values(rows))
    facet = alt.Facet("row:N", sort=titles, title=None, header=alt.Header(labelLimit=320))
    return themed(layers.facet(facet=facet, columns=2).resolve_scale(x="independent", y="independent"))


def _row_bars(place: int, row: dict[str, Any]) -> list[Row]:
    known = zip(row["features"], row["attributions"], uncertainty(row), strict=True)
    largest = sorted(known, key=lambda bar: -abs(bar[1]))[:EACH]
    return [
        {
            "row": row_title(place, row),
            "name": plain(feature, 40),
            "value": attribution,
            "sign": "up" if attribution >= 0 else "down",
            "shown": numbers.significant(attribution, 2),
            "edge": attribution + (uncertain if attribution >= 0 else -uncertain),
            **ends(attribution, uncertain),
        }
        for feature, attribution, uncertain in largest
    ]


def _row_table(found: Exhibit) -> Table:
    with_values = any(row.get("values") for row in found.data["rows"])
    with_truth = any(row.get("target") is not None for row in found.data["rows"])
    rows = [
        (
            f"{place + 1}: {plain(row['row'])}",
            named(row.get("decision")),
            *((named(row.get("target")),) if with_truth else ()),
            score_of(row),
            plain(feature),
            *((plain(value),) if with_values else ()),
            numbers.significant(attribution),
        )
        for place, row in enumerate(found.data["rows"])
        for feature, attribution, value in zip(
            row["features"], row["attributions"], row.get("values") or [""] * len(row["features"]), strict=True
        )
    ]
    truth, extra = ("Truly",) if with_truth else (), ("Value",) if with_values else ()
    columns = ("Row", "Decided", *truth, "Score", "Feature", *extra, "Attribution")
    return Table(columns, tuple(rows), f"Explained: {explained(found)}.")


def _tiles(tiles: list[Row]) -> alt.TopLevelMixin:
    for place, tile in enumerate(tiles):
        tile |= {"x": (place % PER_LINE) * (TILE + 12) + TILE / 2, "y": (place // PER_LINE) * (TILE + 56) + TILE / 2}
    lines, columns = -(-len(tiles) // PER_LINE), min(len(tiles), PER_LINE)
    width, height = columns * (TILE + 12), lines * (TILE + 56)
    base = alt.Chart(values(tiles)).encode(
        x=alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, width], nice=False, zero=False)),
        y=alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[height, 0], nice=False, zero=False)),
    )
    frame = base.mark_square(size=TILE * TILE, filled=False, color=LINE, strokeWidth=1.5, opacity=1)
    picture = base.mark_image(width=TILE - 6, height=TILE - 6, smooth=False).encode(url=alt.Url("url:N"))
    first = base.mark_text(dy=TILE / 2 + 14, fontSize=12, color=INK, limit=TILE).encode(text=alt.Text("first:N"))
    second = base.mark_text(dy=TILE / 2 + 30, fontSize=11, color=MUTED, limit=TILE).encode(text=alt.Text("second:N"))
    return themed(alt.layer(frame, picture, first, second).properties(width=width, height=height))


def _mean_tile(found: Exhibit) -> Row:
    return {"url": signed(found.data["values"]), "first": "mean of all", "second": "explained rows"}


def _pixel_tile(row: dict[str, Any]) -> list[Row]:
    """The picture itself, where the audit was asked to show rows."""
    if not row.get("pixels"):
        return []
    return [{"url": grey(row["pixels"]), "first": "what came in", "second": plain(row["row"], 14)}]


def _image_tile(row: dict[str, Any]) -> Row:
    right = row.get("target") is None or row.get("target") == row.get("decision")
    decided = f"decided {named(row.get('decision'), 12)}"
    return {
        "url": signed(row["attributions"]),
        "first": decided if right else f"{decided}, is {named(row['target'], 12)}",
        "second": f"{plain(row.get('reason', ''), 24)}",
    }


def _image_cells(row: dict[str, Any]) -> tuple[str, ...]:
    cells = [float(x) for line in row["attributions"] for x in line]
    return (
        plain(row["row"]),
        named(row.get("decision")),
        named(row.get("target")),
        score_of(row),
        named(row.get("reason")),
        numbers.significant(sum(x for x in cells if x > 0)),
        numbers.significant(sum(x for x in cells if x < 0)),
    )


def _warning(methods: list[str], told: dict[str, str]) -> str:
    """What no ranking may be read without: which of the methods are no evidence."""
    bad = [method_within(m) for m in methods if m in told]
    return f"Not evidence: attributions by {join(bad)} do not show what the model decides on. " if bad else ""


def _bar(m: Measure, method: str) -> Row:
    return {
        "name": plain(m.where["feature"]),
        "method": method,
        "value": m.value,
        "low": m.low,
        "high": m.high,
    }


def _cell(m: Measure | None) -> tuple[str, str]:
    return ("–", "–") if m is None else (numbers.value(m), numbers.interval(m) or "–")
