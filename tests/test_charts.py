"""Charts: what they show is what the record holds, beside a table of the same, drawn the same each time."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from itertools import product

import altair as alt
import pytest
from gnomon.audit.measure import Measure
from gnomon.audit.record import Exhibit, Record
from gnomon.reports import limits, palette, svg
from gnomon.reports.attributions import single_rows
from gnomon.reports.charts import Figure, charts
from gnomon.reports.curves import CLASSES
from gnomon.reports.figure import HELD, MOST
from gnomon.reports.plain import NAME
from gnomon.reports.rates import COMBINED, DRAWN
from golden import sample

RECORDS = {"binary": sample.binary(), "image": sample.image()}
FIGURES = [figure for record in RECORDS.values() for figure in charts(record)]


def draw(figure: Figure) -> str:
    return svg.draw(figure.chart, figure.id, figure.title, figure.reading)


def texts(drawn: str) -> list[str]:
    return [e.text or "" for e in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]


def empty(record: Record) -> Record:
    return replace(record, measures=(), exhibits=(), findings=(), costs=(), verdict="NOT_JUDGED")


def many_levels(names: list[str]) -> Record:
    rates = [
        Measure(
            analysis="fairness", metric="selection_rate", where={"region": n}, value=0.5, low=0.4, high=0.6, n=100 + i
        )
        for i, n in enumerate(names)
    ]
    record = sample.binary()
    subject = {**record.subject, "attributes": [{"name": "region", "levels": names}]}
    return replace(empty(record), subject=subject, measures=tuple(rates))


def test_each_kind_of_figure_appears_once():
    assert [f.id for f in charts(RECORDS["binary"])] == [
        "data-shares",
        "performance-confusion",
        "performance-histogram",
        "performance-calibration",
        "performance-roc",
        "groups-attribute-1",
        "groups-attribute-2",
        "groups-intersections",
        "groups-gaps",
        "groups-four-fifths",
        "groups-local-law-144-1",
        "groups-over-time-1",
        "explanations-ranking",
        "explanations-rows",
        "energy-phases",
    ]
    assert [f.id for f in charts(RECORDS["image"])] == ["performance-confusion", "explanations-images"]


@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.id)
def test_every_figure_has_a_table_of_its_numbers_and_says_how_to_read_it(figure):
    assert figure.table.rows
    assert all(len(row) == len(figure.table.columns) for row in figure.table.rows)
    assert all(isinstance(cell, str) and cell for row in figure.table.rows for cell in row)
    assert figure.question.endswith("?")
    assert figure.reading.endswith(".")


@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.id)
def test_a_drawing_is_the_same_each_time_and_names_itself(figure):
    drawn = draw(figure)
    assert drawn == draw(figure)
    root = ElementTree.fromstring(drawn)
    assert root.get("role") == "img"
    assert texts(drawn), "text stays text"
    ids = re.findall(r' id="([^"]+)"', drawn)
    assert all(name.startswith(figure.id) for name in ids)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.id)
def test_drawings_use_the_palette_alone_so_that_a_dark_page_can_recolour_them(figure):
    used = set(re.findall(r'(?:fill|stroke)="(#[0-9a-fA-F]+)"', draw(figure)))
    assert used <= set(palette.LIGHT.values())
    assert palette.LIGHT.keys() == palette.DARK.keys()


@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.id)
def test_a_figure_is_valid_vega_lite_as_the_dashboard_sends_it(figure):
    assert figure.chart.to_dict()["$schema"].startswith("https://vega.github.io/schema/vega-lite/")


def test_an_empty_record_has_no_figures():
    assert charts(empty(sample.binary())) == ()


def test_of_forty_levels_the_chart_shows_the_largest_and_the_table_all():
    names = [f"Region {i:02d}" for i in range(40)]
    (figure,) = charts(many_levels(names))
    drawn = texts(draw(figure))
    assert [n for n in names if n in drawn] == names[40 - MOST :]
    assert [row[0] for row in figure.table.rows] == names
    assert str(MOST) in figure.table.note


def crossed(first: int, second: int, metrics: tuple[str, ...] = ("selection_rate",)) -> Record:
    """A record of every pair of two attributes' levels; group i · j has 1 + i * second + j rows."""
    rates = [
        Measure(analysis="fairness", metric=metric, where=where, value=0.5, low=0.4, high=0.6, n=n)
        for metric in metrics
        for n, (i, j) in enumerate(product(range(first), range(second)), 1)
        for where in ({"job": f"job {i}", "town": f"town {j}"},)
    ]
    return replace(empty(sample.binary()), measures=tuple(rates))


def named(spec: object) -> set[str]:
    """Every group that a chart's specification names, in its data, its order or anywhere."""
    return set(re.findall(r"job \d+ · town \d+", str(spec)))


def test_of_thousands_of_intersections_the_chart_names_the_25_largest_and_the_figure_says_so():
    figure = next(f for f in charts(crossed(60, 60)) if f.id == "groups-intersections")
    largest = {f"job 59 · town {j}" for j in range(60 - MOST, 60)}
    assert named(figure.chart.to_dict(validate=False)) == largest
    assert largest <= set(texts(draw(figure)))
    assert "The chart shows the 25 groups with most rows of 3,600." in figure.reading
    assert len(figure.table.rows) == HELD
    assert figure.table.rows[0][:2] == ("job 59 · town 59", "3,600")
    assert "the 400 groups with most rows, record.json all of them" in figure.table.note
    assert "holds them all" not in figure.table.note


def test_of_many_gaps_the_chart_shows_the_widest_widest_first():
    gaps = [
        Measure(
            analysis="fairness",
            metric="selection_rate",
            statistic="difference",
            where={"attribute": f"a{i}"},
            value=(i * 7 % 500) / 1000,
            n=9,
        )
        for i in range(500)
    ]
    figure = next(f for f in charts(replace(empty(sample.binary()), measures=tuple(gaps))) if f.id == "groups-gaps")
    most = DRAWN - COMBINED  # the rest of the chart is kept for combinations of attributes
    order = sorted(range(500), key=lambda i: -(i * 7 % 500))
    widest = [f"Selection rate · a{i}" for i in order[:most]]
    assert [name for name in texts(draw(figure)) if name.startswith("Selection rate")] == widest
    assert f"The chart shows the {most} most telling gaps of 500" in figure.table.note
    assert len(figure.table.rows) == HELD
    assert set(widest) <= {row[0] for row in figure.table.rows}
    assert f"this table holds {HELD}, record.json all of them" in figure.table.note


def test_of_a_thousand_levels_the_table_holds_the_largest_and_everyone():
    record = many_levels([f"Region {i:04d}" for i in range(1_000)])
    everyone = Measure(analysis="fairness", metric="selection_rate", value=0.5, low=0.4, high=0.6, n=10_000)
    (figure,) = charts(replace(record, measures=(*record.measures, everyone)))
    assert [row[0] for row in figure.table.rows] == [*(f"Region {i:04d}" for i in range(600, 1_000)), "everyone"]
    assert "The chart shows the 25 groups with most rows of 1,000." in figure.reading


def test_of_a_thousand_classes_chart_and_table_show_the_first():
    names = [f"class {i}" for i in range(1_000)]
    counts = [[int(i == j) for j in range(1_000)] for i in range(1_000)]
    exhibit = Exhibit("performance", "confusion", {"classes": names, "counts": counts})
    (figure,) = charts(replace(empty(sample.binary()), exhibits=(exhibit,)))
    assert f"class {MOST - 1}" in texts(draw(figure))
    assert f"class {MOST}'" not in str(figure.chart.to_dict(validate=False))
    assert len(figure.table.rows) == len(figure.table.columns) - 2 == CLASSES
    assert "of 1,000 classes" in figure.table.note


def test_a_long_name_does_not_push_the_chart_off_the_page():
    (figure,) = charts(many_levels(["x" * 10_000, "short"]))
    drawn = draw(figure)
    width = float(ElementTree.fromstring(drawn).get("width", "0"))
    assert width < 900
    assert max(map(len, texts(drawn))) <= NAME


def test_text_in_a_drawing_is_data_even_where_it_looks_like_markup_or_a_number_to_trim():
    names = ["0.123456", "clip7", '<b role="x">', 'a class="b"']
    (figure,) = charts(many_levels(names))
    assert set(names) <= set(texts(draw(figure)))


def test_an_undefined_rate_is_said_and_not_drawn_at_zero():
    figure = next(f for f in charts(RECORDS["binary"]) if f.id == "groups-attribute-1")
    row = next(row for row in figure.table.rows if row[0] == "Non-binary")
    assert row[2] == "not measured: no rows of this group"
    assert "not measured" in texts(draw(figure))


def test_the_tolerance_of_a_criterion_stands_beside_its_gap():
    figure = next(f for f in charts(RECORDS["binary"]) if f.id == "groups-gaps")
    row = next(row for row in figure.table.rows if row[0] == "Selection rate · sex")
    assert row[2:6] == ("19.5\u00a0points", "18.8 to 20.2", "0.5\u00a0points", "10\u00a0points")


def test_estimated_energy_is_told_apart_by_outline_and_by_word():
    figure = next(f for f in charts(RECORDS["binary"]) if f.id == "energy-phases")
    drawn = draw(figure)
    assert "stroke-dasharray" in drawn
    assert any(text.endswith(", estimated") for text in texts(drawn))


def test_the_numbers_in_a_confusion_chart_are_the_counts():
    counts = [[5, 0], [7, 1234]]
    record = replace(
        empty(sample.binary()),
        exhibits=(Exhibit("performance", "confusion", {"classes": ["a", "b"], "counts": counts}),),
    )
    (figure,) = charts(record)
    assert {"5", "0", "7", "1,234"} <= set(texts(draw(figure)))


def shown_images(pixels) -> Figure:
    record = sample.image()
    exhibits = [
        replace(e, data={**e.data, "rows": [{**row, "pixels": pixels} for row in e.data["rows"]]})
        if e.kind == "attribution_images"
        else e
        for e in record.exhibits
    ]
    return next(f for f in charts(replace(record, exhibits=tuple(exhibits))) if f.id == "explanations-images")


def test_pictures_themselves_are_drawn_only_where_the_record_carries_them():
    assert "what came in" not in texts(draw(shown_images(None)))
    assert texts(draw(shown_images([[0.0, 1.0], [0.5, 0.25]]))).count("what came in") == 5


def test_a_predicted_value_is_no_percentage_and_a_missing_label_no_word():
    row = {"row": "a", "score": 0.5, "decision": None, "target": None, "reason": "largest error"}
    data = {"method": "m", "explained": "value", "rows": [{**row, "features": ["x"], "attributions": [1.0]}]}
    (figure,) = charts(replace(empty(sample.binary()), exhibits=(Exhibit("explanations", "attribution_rows", data),)))
    assert figure.table.columns[1:3] == ("Decided", "Score")  # where no label is shown, no column waits for one
    assert figure.table.rows[0][1:3] == ("–", "0.500")


def test_calibration_of_a_positive_class_speaks_of_scores_and_that_of_classes_of_being_sure():
    record = RECORDS["binary"]
    told = {f.id: f.reading for f in charts(record)}["performance-calibration"]
    assert "Below the line scores are too high, above it too low" in told
    many = replace(record, subject={**record.subject, "task": {"kind": "multiclass", "classes": ["a", "b", "c"]}})
    assert "too sure" in {f.id: f.reading for f in charts(many)}["performance-calibration"]


@pytest.mark.parametrize("rows, drawn", [(5, 5), (8, 6)])
def test_single_rows_are_all_drawn_or_the_caption_says_how_many(rows, drawn):
    record = RECORDS["binary"]
    found = next(e for e in record.exhibits if e.kind == "attribution_rows")
    shown = [{**found.data["rows"][0], "row": f"{k:012x}", "reason": f"reason {k}"} for k in range(rows)]
    figure = single_rows(replace(record, exhibits=(replace(found, data={**found.data, "rows": shown}),)))
    assert figure is not None
    assert sum(text.split(":")[0].isdigit() and ": reason" in text for text in texts(draw(figure))) == drawn
    assert (f"the first {drawn} of {rows} rows" in figure.reading) == (drawn < rows)
    assert "table names each row by its digest" in figure.reading


def test_a_limit_that_no_name_reaches_is_left_out_and_the_picture_is_the_same(monkeypatch):
    def spec(name):
        bars = alt.Chart(alt.Data(values=[{"name": name, "value": 1}])).mark_bar()
        return bars.encode(x="value:Q", y=alt.Y("name:N", axis=alt.Axis(labelLimit=90)))

    assert limits.unlimited(spec("income").to_dict())["encoding"]["y"]["axis"]["labelLimit"] == 0
    assert limits.unlimited(spec("W" * 30).to_dict())["encoding"]["y"]["axis"]["labelLimit"] == 90
    for name in ("income", "W" * 30):
        quick = svg.draw(spec(name), "a", "b", "c")
        with monkeypatch.context() as patch:
            patch.setattr(svg, "unlimited", lambda given: given)
            assert svg.draw(spec(name), "a", "b", "c") == quick
