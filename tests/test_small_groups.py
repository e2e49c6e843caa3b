"""What is said of small groups: shown as not measured, never dropped; pooled beside raw; one answer however cut."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from gnomon.audit.fairness import Counts
from gnomon.audit.fairness.comparison import bounds
from gnomon.audit.fairness.small import detectable, pooling, structured
from gnomon.audit.fairness.table.headlines import MANY
from gnomon.audit.measure import Measure
from gnomon.audit.record import Exhibit, Record
from gnomon.reports import smallgroups
from golden import sample
from hypothesis import given, settings
from hypothesis import strategies as st

PARTS = (detectable, pooling, structured, bounds)
AWKWARD = ['a,"b"', "<script>", "🦉 owl", "x"]


def people(n=800, seed=0, unknown=0.03, **more):
    """Rows of two attributes with levels of very different size."""
    rng = np.random.default_rng(seed)
    race = rng.choice(AWKWARD, n, p=[0.7, 0.2, 0.07, 0.03]).astype(object)
    race[rng.random(n) < unknown] = None
    sex, target = rng.choice(["f", "m"], n), rng.integers(0, 2, n)
    decided = np.where(rng.random(n) < 0.2, 1 - target, target)
    return {"target": target, "prediction": decided, "sensitive": {"sex": sex, "race": race}, **more}


def found(rows, **plan):
    context = Counts.from_arrays(**rows).context(**{"replicates": 50, **plan})
    return [measure for part in PARTS for measure in part.section(context).measures]


def kinds(rows):
    n = len(rows["target"])
    rng = np.random.default_rng(4)
    return {
        "plain": rows,
        "weighted": {**rows, "weights": rng.choice([0.5, 1.0, 3.0], n)},
        "clustered": {**rows, "clusters": rng.integers(0, n // 3, n)},
        "without labels": {**rows, "target": None},
        "without groups' rows": {**rows, "levels": {"race": [*AWKWARD, "nobody"]}},
        "several classes": {
            **rows,
            "positive": None,
            "target": rng.integers(0, 3, n),
            "prediction": rng.integers(0, 3, n),
        },
    }


@pytest.mark.parametrize("kind", kinds(people()))
def test_every_number_is_finite_known_once_and_inside_its_interval(kind):
    rows = kinds(people())[kind]
    measures = found(rows)
    assert len({m.key for m in measures}) == len(measures)
    for m in measures:
        assert (m.value is None) == bool(m.reason)
        json.dumps(m.details, allow_nan=False)
        assert m.value is None or (m.low or -math.inf) <= m.value <= (m.high or math.inf)
    told = {m.statistic for m in measures}
    assert told >= {"minimum_detectable", "pooled", "structured", "interaction_p_value", "difference_bounds"}


def test_without_labels_nothing_is_said_of_what_needs_them():
    assert {m.metric for m in found({**people(), "target": None})} == {"selection_rate"}


def test_a_group_without_rows_is_pooled_from_the_others_and_has_no_rows():
    rows = {**people(), "levels": {"race": [*AWKWARD, "nobody"]}}
    own = [m for m in found(rows) if m.statistic == "pooled" and m.where == {"race": "nobody"}]
    assert own
    for m in own:
        assert (m.n, m.details["raw"]) == (0, None)
        assert m.value == pytest.approx(m.details["mu"])
        assert m.low < m.value < m.high


def test_a_group_below_the_minimum_is_shown_as_not_measured_and_never_dropped():
    rows = Counts.from_arrays(**people())
    measures = {m.key: m for m in rows.measures(replicates=50, minimum=40)}
    plain = {m.key: m for m in rows.measures(replicates=50)}
    told = {"value", "pooled", "impact_ratio", "structured", "minimum_detectable"}
    for statistic in told:
        assert {k for k in plain if k[2] == statistic} == {k for k in measures if k[2] == statistic}
    small = [m for m in measures.values() if m.details.get("reason") == "below_minimum"]
    assert told == {m.statistic for m in small}
    assert any(m.where == {"race": "x"} for m in small)
    for m in small:
        assert m.value is None
        assert m.details["count"] < 40


def test_the_smaller_a_group_the_larger_what_it_can_show():
    one = [m for m in found(people()) if m.statistic == "minimum_detectable" and m.metric == "selection_rate"]
    races = sorted((m for m in one if m.where.keys() == {"race"}), key=lambda m: m.n)
    sizes = [m.value for m in races]
    assert sizes == sorted(sizes, reverse=True)


def test_one_row_can_show_no_difference_and_one_outcome_no_variance():
    rows = {"target": None, "prediction": [1, 0] * 40 + [1], "sensitive": {"g": ["a", "b"] * 40 + ["c"]}}
    own = {m.where["g"]: m for m in found(rows) if m.statistic == "minimum_detectable"}
    assert own["c"].details["reason"] == "none_detectable"
    rows["prediction"] = [1] * 81
    assert {m.details["reason"] for m in found(rows) if m.statistic == "minimum_detectable"} == {"one_outcome"}
    pooled = [m for m in found(rows) if m.statistic == "pooled"]
    assert all(m.value == 1 and m.high == 1 and m.low < 1 for m in pooled)


def test_pooling_draws_every_rate_towards_the_others():
    for m in found(people()):
        if m.statistic == "pooled" and m.details["raw"] is not None:
            low, high = sorted((m.details["raw"], m.details["mu"]))
            assert low - 1e-9 <= m.value <= high + 1e-9


def test_two_groups_are_not_pooled():
    assert not [m for m in found(people()) if m.statistic == "pooled" and m.where.keys() == {"sex"}]


def test_bounds_are_told_only_where_rows_cannot_be_placed():
    assert not [m for m in found(people(unknown=0)) if m.statistic.endswith("_bounds")]
    told = [m for m in found(people()) if m.statistic.endswith("_bounds")]
    assert {m.where["attribute"] for m in told} == {"race", "sex × race"}
    assert all(m.details["interval"] == "bounds" for m in told)


def test_nothing_is_resampled_where_nothing_may_be():
    assert not [m for m in found(people(), replicates=0) if m.statistic in ("structured", "interaction_p_value")]


@settings(max_examples=10, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_rows_and_of_levels_changes_nothing(random):
    rows, n = people(n=300), 300
    order = list(range(n))
    random.shuffle(order)
    other = {
        "target": rows["target"][order],
        "prediction": rows["prediction"][order],
        "sensitive": {name: column[order] for name, column in rows["sensitive"].items()},
    }
    assert found(rows) == found(other)


def test_all_rows_twice_leave_the_rates_and_sharpen_what_can_be_seen():
    rows = people(unknown=0)
    twice = {
        "target": np.tile(rows["target"], 2),
        "prediction": np.tile(rows["prediction"], 2),
        "sensitive": {name: np.tile(column, 2) for name, column in rows["sensitive"].items()},
    }
    one, two = ({m.key: m for m in found(r) if m.statistic == "minimum_detectable"} for r in (rows, twice))
    for key, m in one.items():
        if m.value is not None:
            assert two[key].value == pytest.approx(m.value / math.sqrt(2))


def test_of_very_many_groups_rates_are_pooled_as_of_few():
    rng, n = np.random.default_rng(0), 6_000
    names = [f"g{k}" for k in range(MANY)]
    rows = {
        "target": rng.integers(0, 2, n),
        "prediction": rng.integers(0, 2, n),
        "sensitive": {"g": rng.choice(names, n)},
        "levels": {"g": names},
    }
    (groups,) = Counts.from_arrays(**rows).context().groupings
    x, m = groups.rows[:, :2, 1].sum(1)[None].astype(float), groups.rows.sum((1, 2))[None].astype(float)
    pool, rates, low, high = pooling.pooled(x, m, np.full(x.shape, 0.95))
    by_kind = pooling.pooled_by_kind(x, m, 0.95)
    assert by_kind[0].strength == pytest.approx(pool.strength, rel=1e-4)
    assert by_kind[1] == pytest.approx(rates, abs=1e-6)
    assert np.stack(by_kind[2:]) == pytest.approx(np.stack([low, high]), abs=0.01)


def record_with(measures=(), exhibits=()):
    record = sample.binary()
    names = [{"name": "sex", "levels": ["f", "m"]}, {"name": "race", "levels": AWKWARD}]
    return Record(
        subject={**record.subject, "attributes": names},
        environment=record.environment,
        settings=record.settings,
        measures=tuple(measures),
        exhibits=tuple(exhibits),
        findings=(),
        verdict="NOT_JUDGED",
        costs=(),
        limitations=(),
    )


def test_the_figure_shows_raw_and_pooled_side_by_side():
    figure = smallgroups.pooled(record_with(found(people())))
    assert figure is not None
    assert figure.table.columns[:4] == ("Group", "Rows", "Selection rate, as seen", "Pooled")
    assert len(figure.table.rows) == 8
    assert "raw" in json.dumps(figure.chart.to_dict())


def test_without_pooled_rates_there_is_no_figure():
    assert smallgroups.pooled(record_with([Measure(analysis="fairness", metric="accuracy", value=0.5, n=3)])) is None
    assert smallgroups.subgroups(record_with(exhibits=[Exhibit("fairness", "counts", {})])) is None


@pytest.mark.parametrize("together", [0.0, 0.4])
def test_where_effects_do_not_add_up_a_reader_is_told_that_this_is_meant_of_rates(together):
    rng, n = np.random.default_rng(0), 4_000
    a, b = rng.integers(0, 2, (2, n))
    decided = rng.random(n) < 0.2 + 0.1 * a + 0.1 * b + together * (a & b)
    counts = Counts.from_arrays(None, decided.astype(int), {"a": a, "b": b})
    section = structured.section(counts.context(replicates=200))
    p = next(m for m in section.measures if m.statistic == "interaction_p_value")
    assert (p.value < 0.05) == bool(together)
    assert p.details["scale"] == "rate"
    assert [m.message for m in section.limitations] == ["adds_up_in_rates"] * bool(together)
