"""Combinations of attributes that make more groups than a record can list: what is listed, and what is still known."""

import numpy as np
import pandas as pd
import pytest
from gnomon.audit import run
from gnomon.audit.criteria import Criteria, parse
from gnomon.audit.fairness import Counts, Fairness
from gnomon.audit.fairness.table.headlines import HEADLINES, MANY
from gnomon.models import Subject

A, B, N = 41, 25, 12_000
GROUP = {"a": "a3", "b": "b07"}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, N)
    return pd.DataFrame(
        {
            "y": y,
            "d": (rng.random(N) < 0.3 + 0.3 * y).astype(int),
            "a": [f"a{k}" for k in rng.integers(0, A, N)],
            "b": [f"b{k:02d}" for k in rng.integers(0, B, N)],
        }
    )


def audited(table, *criteria, **settings):
    subject = Subject.from_predictions(table, target="y", prediction="d", sensitive=["a", "b"], name="s")
    asked = Criteria(parse(list(criteria))) if criteria else None
    return run(subject, [Fairness(replicates=0, **settings)], criteria=asked)


@pytest.fixture(scope="module")
def short(table):
    return audited(table)


@pytest.fixture(scope="module")
def whole(table):
    return audited(table, complete=True)


def of_groups(record):
    return [m for m in record.measures if m.where.keys() == GROUP.keys() and m.analysis == "fairness"]


def test_of_very_many_groups_the_headlines_of_each_are_listed(short):
    listed = {}
    for m in of_groups(short):
        listed.setdefault(m.statistic, set()).add(m.metric)
    assert listed == {"value": set(HEADLINES), "pooled": {"selection_rate"}, "impact_ratio": {"selection_rate"}}
    assert len(of_groups(short)) == A * B * 6


def test_what_is_listed_is_what_all_would_say_and_nothing_else_is_missing(short, whole):
    all_of_it = {m.key: m for m in whole.measures}
    kept = {m.key for m in short.measures}
    assert all(all_of_it[m.key] == m for m in short.measures)
    gone = [m for key, m in all_of_it.items() if key not in kept]
    assert gone
    assert {frozenset(m.where) for m in gone} == {frozenset(GROUP)}
    assert len(of_groups(whole)) > 4 * len(of_groups(short))


def test_the_record_says_what_it_does_not_list_and_how_to_have_it(short, whole):
    (said,) = [m for m in short.limitations if m.message == "groups_not_listed"]
    assert (said.parameters["attribute"], said.parameters["groups"]) == ("a × b", A * B)
    assert "--complete" in str(said)
    assert all(name in str(said) for name in HEADLINES)
    assert "groups_not_listed" not in {m.message for m in whole.limitations}


def test_what_is_not_listed_can_be_counted_again_from_the_record(short, whole):
    (counts,) = [e.data for e in short.exhibits if e.kind == "counts"]
    a, b = (one["levels"] for one in counts["attributes"])
    cells = {(a[i], b[j], y, d): n for i, j, y, d, n in counts["cells"]}
    right, wrong = (cells.get((*GROUP.values(), y, 1), 0) for y in (1, 0))
    assert whole.find("positive_predictive_value", where=GROUP).value == pytest.approx(right / (right + wrong))


ASKED = (
    ("positive_predictive_value", "value"),
    ("f1_score", "value"),
    ("accuracy", "pooled"),
    ("accuracy", "impact_ratio"),
    ("selection_rate", "minimum_detectable"),
)


@pytest.mark.parametrize(("where", "groups"), [(GROUP, 1), ({"a": "*", "b": "b07"}, A), ({"a": "*", "b": "*"}, A * B)])
def test_what_a_criterion_asks_for_is_judged_as_if_all_were_listed(table, where, groups):
    criteria = [
        {"id": f"{metric}.{statistic}", "metric": metric, "statistic": statistic, "where": where, "at_least": 0.2}
        for metric, statistic in ASKED
    ]
    one, other = (audited(table, *criteria, complete=complete) for complete in (False, True))
    judged = [[(f.id, f.verdict, f.parameters) for f in r.findings if f.message == "criterion"] for r in (one, other)]
    assert judged[0] == judged[1]
    assert len(judged[0]) == groups * len(ASKED)
    assert one.verdict == other.verdict
    assert len(of_groups(one)) == A * B * (6 + len(ASKED))


def test_a_criterion_that_names_no_place_or_none_there_is_never_passes(table):
    for where in (None, {"a": "a3", "b": "nobody"}):
        asked = {"id": "c", "metric": "accuracy", "statistic": "pooled", "at_least": 0.0}
        record = audited(table, asked if where is None else {**asked, "where": where})
        (judged,) = [f for f in record.findings if f.id == "c"]
        assert judged.verdict == "ERROR"


def test_up_to_a_thousand_groups_everything_is_listed(table):
    few = table[table.a != "a0"]
    counts = Counts.from_arrays(few.y, few.d, {"a": few.a, "b": few.b})
    assert (A - 1) * B == MANY
    metrics = {m.metric for m in counts.measures(replicates=0) if m.where == GROUP and m.statistic == "value"}
    assert metrics > set(HEADLINES)


def test_of_a_regression_too(table):
    rng = np.random.default_rng(1)
    frame = table.assign(y=rng.normal(size=N), d=rng.normal(size=N))
    subject = Subject.from_predictions(
        frame, target="y", prediction="d", sensitive=["a", "b"], task="regression", name="s"
    )
    asked = Criteria(parse([{"id": "c", "metric": "r_squared", "where": GROUP, "at_least": 0.5}]))
    short, judged, whole = (
        run(subject, [Fairness(replicates=0, complete=complete)], criteria=criteria)
        for complete, criteria in ((False, None), (False, asked), (True, None))
    )
    listed = [{m.metric for m in of_groups(r) if m.statistic == "value"} for r in (short, judged, whole)]
    assert "r_squared" not in listed[0]
    assert listed[1] == {*listed[0], "r_squared"}
    assert listed[2] > listed[1]
    (said,) = [m for m in short.limitations if m.message == "groups_not_listed"]
    assert set(said.parameters["told"].split(", ")) == listed[0]
    assert "groups_not_listed" not in {m.message for m in whole.limitations}
    (finding,) = [f for f in judged.findings if f.id == "c"]
    assert finding.verdict != "ERROR"
