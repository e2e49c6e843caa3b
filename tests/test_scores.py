"""Scores of groups: laws of merging and order, what is undefined and why, curves and their pictures."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from gnomon.audit.fairness import Counts
from gnomon.audit.fairness.scores import scores
from gnomon.audit.record import Exhibit
from gnomon.models.errors import DataError
from gnomon.reports import palette, svg
from gnomon.reports import scores as pictures
from golden import sample as golden
from hypothesis import strategies as st

rows = st.lists(
    st.tuples(st.integers(0, 64).map(lambda k: k / 64), st.sampled_from([0, 1, -1]), st.sampled_from([0, 1, 2, -1])),
    min_size=1,
    max_size=40,
)


def columns(found):
    return tuple(np.array(column) for column in zip(*found, strict=True))


def section(y, p, g, replicates=0, **more):
    counts = Counts.from_arrays(y, None, {"g": g}, scores=p, **more)
    return scores.section(counts.context(replicates=replicates))


def by_key(found):
    return {(m.metric, m.statistic, *m.where.values()): m for m in found.measures}


def sample(n=200, seed=0, levels="abc"):
    rng = np.random.default_rng(seed)
    p = rng.random(n)
    return (rng.random(n) < p).astype(int), p, rng.choice(list(levels), n)


def test_bins_of_parts_merge_into_those_of_the_whole_whatever_levels_each_holds(tmp_path):
    y, p, g = sample(600)

    def of(name, kept):
        path = tmp_path / f"{name}.parquet"
        pd.DataFrame({"y": y[kept], "p": p[kept], "g": g[kept]}).to_parquet(path)
        return Counts.from_file(path, target="y", score="p", sensitive=["g"])

    first, second = (np.arange(600) < 300) & (g != "a"), (np.arange(600) >= 300) | (g == "a")
    merged, whole = of("first", first).merge(of("second", second)), of("whole", first | second)
    told = [scores.section(counts.context(replicates=0)) for counts in (merged, whole)]
    assert {m.metric for m in told[0].measures} >= {"auc", "abroca", "mean_score"}
    for a, b in zip(told[0].measures, told[1].measures, strict=True):
        assert (a.key, a.value, a.low) == (b.key, pytest.approx(b.value, rel=1e-9), pytest.approx(b.low, rel=1e-9))
    again = Counts.load(whole.dump(tmp_path / "whole.counts"))
    assert scores.section(again.context(replicates=0)).measures == told[1].measures


def test_parts_with_and_without_scores_do_not_merge():
    y, p, g = sample()
    with pytest.raises(DataError, match="has scores and the other has none"):
        Counts.from_arrays(y, None, {"g": g}, scores=p).merge(Counts.from_arrays(y, p >= 0.5, {"g": g}))


@pytest.mark.parametrize("more", [{}, {"weights": 1}, {"clusters": 1}])
def test_the_order_of_rows_is_forgotten(more):
    y, p, g = sample()
    extra = {"weights": np.linspace(1, 2, 200).round(1), "clusters": np.arange(200) // 3}
    more = {name: extra[name] for name in more}
    order = np.random.default_rng(1).permutation(200)
    one = section(y, p, g, 50, **more).measures
    other = section(y[order], p[order], g[order], 50, **{k: v[order] for k, v in more.items()}).measures
    for a, b in zip(one, other, strict=True):
        assert a.key == b.key
        assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high), abs=1e-9)


def test_renaming_groups_permutes_the_numbers():
    y, p, g = sample()
    one, other = by_key(section(y, p, g)), by_key(section(y, p, np.array([{"a": "z"}.get(x, x) for x in g])))
    assert one["auc", "value", "a"].value == other["auc", "value", "z"].value
    assert one["auc", "difference", "g"].value == other["auc", "difference", "g"].value


def test_every_row_twice_leaves_values_and_narrows_intervals():
    y, p, g = sample()
    once, twice = by_key(section(y, p, g)), by_key(section(*(np.repeat(x, 2) for x in (y, p, g))))
    for key, a in once.items():
        b = twice[key]
        if a.metric != "expected_calibration_error":  # less noise, less correction
            assert a.value == pytest.approx(b.value)
        if a.statistic == "value":
            assert b.high - b.low <= a.high - a.low + 1e-12


def test_a_group_of_one_class_has_no_auc_and_says_why_but_has_what_needs_no_other_class():
    y, p = np.array([0, 1, 0, 1, 0, 0]), np.array([0.1, 0.8, 0.4, 0.7, 0.2, 0.3])
    found = by_key(section(y, p, list("aaaabb")))
    assert found["auc", "value", "b"].reason == "no positives"
    assert found["average_precision", "value", "b"].reason == "no positives"
    assert (
        found["auc", "difference", "g"].reason == "only one group of 'g' has positives and negatives; a gap needs two"
    )
    assert found["abroca", "value", "g"].value is None
    alone = found["calibration_in_the_large", "value", "b"]
    assert alone.value == pytest.approx(0.25)
    assert alone.low < -0.2  # two rows without a positive do not show that the base rate is 0


def test_rows_that_are_all_alike_are_not_taken_for_certainty():
    found = by_key(section([1, 1, 1, 0, 1], [0.5] * 5, list("aaabb")))
    alike = found["mean_score", "value", "a"]
    assert alike.method == "all alike"
    assert alike.low < 0.3 < 0.7 < alike.high
    assert found["auc", "value", "b"].low < 0.2  # two rows


def test_without_labels_only_the_mean_score_is_measured():
    p, g = np.linspace(0, 1, 20), list("ab" * 10)
    found = section(None, p, g)
    assert {m.metric for m in found.measures} == {"mean_score"}
    assert [e.kind for e in found.exhibits] == ["threshold_sweep"]
    assert set(found.exhibits[0].data["gaps"]) == {"selection_rate"}


def test_groups_below_the_minimum_are_shown_as_not_measured():
    y, p, g = sample(100)
    g[:3] = "d"
    y[:3] = [0, 1, 1]
    counts = Counts.from_arrays(y, None, {"g": g}, scores=p)
    found = by_key(scores.section(counts.context(replicates=0, minimum=5)))
    assert "fewer than the minimum" in found["auc", "value", "d"].reason
    assert found["auc", "difference", "g"].details["undefined"] == ["d"]


def test_a_declared_level_without_rows_is_undefined_and_weights_of_nought_say_so():
    y, p, g = sample(90)
    w = np.where(g == "a", 0.0, 1.0)
    found = by_key(section(y, p, g, levels={"g": ["a", "b", "c", "empty"]}, weights=w))
    assert found["mean_score", "value", "empty"].reason == "no rows"
    assert found["mean_score", "value", "a"].reason == "all rows have weight 0"
    assert found["auc", "difference", "g"].details["undefined"] == ["a", "empty"]


def test_decisions_alone_and_several_classes_have_no_scores_to_speak_of():
    assert scores.section(Counts.from_arrays([1, 0], [1, 1], {"g": ["a", "b"]}).context()).measures == ()


def test_combinations_of_attributes_have_numbers_and_no_curves():
    y, p, g = sample(400)
    counts = Counts.from_arrays(y, None, {"g": g, "h": np.tile(["x", "y"], 200)}, scores=p)
    found = scores.section(counts.context(replicates=0))
    assert any(m.where == {"g": "a", "h": "x"} and m.metric == "auc" for m in found.measures)
    assert any(m.where == {"attribute": "g × h"} and m.metric == "abroca" for m in found.measures)
    assert {e.where["attribute"] for e in found.exhibits} == {"g", "h"}


def test_curves_hold_few_points_whatever_the_number_of_rows_and_at_most_25_groups():
    rng = np.random.default_rng(3)
    p, g = rng.random(20_000), rng.integers(0, 30, 20_000)
    found = section((rng.random(20_000) < p).astype(int), p, [f"g{k:02d}" for k in g])
    for exhibit in found.exhibits:
        for curve in exhibit.data.get("curves", []):
            assert all(len(column) <= 201 for column in curve.values() if isinstance(column, list))
    assert len(found.exhibits[0].data["curves"]) == 25
    assert found.exhibits[0].data["groups"] == 30


def test_the_threshold_in_use_is_read_off_the_decisions():
    p = np.array([0.1, 0.3, 0.6, 0.9])
    for threshold, told in ((0.5, 0.5), (0.2, 0.3), (0.75, 0.9)):
        found = section([0, 1, 0, 1], p, list("aabb"), threshold=threshold)
        assert next(e for e in found.exhibits if e.kind == "threshold_sweep").data["in_use"] == told


def test_names_with_markup_and_commas_stay_names():
    y, p, _ = sample(40)
    g = np.tile(["<script>", 'a,"b"', "🙂"], 14)[:40]
    found = by_key(section(y, p, g))
    assert {key[2] for key in found if key[1] == "value"} >= {"<script>", 'a,"b"', "🙂"}


def record_of(y, p, g, levels):
    """A record that holds what is said of these scores, and the histograms that the performance section brings."""
    found = section(y, p, g)
    edges = np.linspace(0, 1, 21)
    counts = [(np.histogram(p[mask], edges)[0].tolist(), where) for mask, where in histograms(g, levels)]
    spread = [Exhibit("performance", "score_histogram", {"edges": edges.tolist(), "counts": c}, w) for c, w in counts]
    record = golden.binary()
    return replace(
        record,
        subject={**record.subject, "attributes": [{"name": "g", "levels": levels}]},
        measures=found.measures,
        exhibits=(*found.exhibits, *spread),
        findings=(),
        verdict="NOT_JUDGED",
    )


def histograms(g, levels):
    return [(np.ones(len(g), bool), {}), *((g == level, {"g": level}) for level in levels)]


FIGURES = pictures.by_attribute(record_of(*sample(600), list("abc")))


def test_an_attribute_has_four_pictures_of_its_scores():
    kinds = ["scores-roc", "scores-calibration", "scores-spread", "scores-sweep"]
    assert [f.id for f in FIGURES] == [f"{kind}-attribute-1" for kind in kinds]


@pytest.mark.parametrize("figure", FIGURES, ids=lambda f: f.id)
def test_a_picture_has_a_table_a_reading_and_the_palettes_colours(figure):
    assert figure.table.rows
    assert all(len(row) == len(figure.table.columns) for row in figure.table.rows)
    assert all(isinstance(cell, str) and cell for row in figure.table.rows for cell in row)
    assert figure.question.endswith("?")
    assert figure.reading.endswith(".")
    assert figure.chart.to_dict()["$schema"].startswith("https://vega.github.io/schema/vega-lite/")
    drawn = svg.draw(figure.chart, figure.id, figure.title, figure.reading)
    assert set(re.findall(r'(?:fill|stroke)="(#[0-9a-fA-F]+)"', drawn)) <= set(palette.LIGHT.values())
    assert len(drawn) < 60_000


def test_of_many_groups_the_eight_largest_are_drawn_and_the_reading_says_so():
    y, p, g = sample(3_000, levels="abcdefghij")
    figures = pictures.by_attribute(record_of(y, p, g, list("abcdefghij")))
    for figure in figures[:3]:
        assert "The chart shows the 8 largest groups of 10." in figure.reading
        assert len(figure.table.rows) == 10


def test_without_scores_there_are_no_pictures_of_them():
    assert pictures.by_attribute(replace(golden.binary(), exhibits=())) == []
