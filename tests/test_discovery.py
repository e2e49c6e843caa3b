"""The search for the worst groups: what is planted is found, what is not is not, and half of the rows is kept apart."""

from __future__ import annotations

import json

import numpy as np
import pytest
from gnomon.audit.fairness import Counts
from gnomon.audit.fairness.small import discovery
from gnomon.audit.fairness.small.honest import halves
from gnomon.audit.findings import Finding
from gnomon.reports import sentences, smallgroups
from scipy.stats import chi2_contingency, fisher_exact
from test_small_groups import record_with

LEVELS = {"sex": ["f", "m"], "race": ["a", "b", "c", "d"], "age": ["young", "middle", "old"]}
PLANTED = {"sex": "f", "race": "c", "age": "old"}


def people(rng, n=6_000, error=0.15, planted=0.0):
    groups = {name: rng.choice(levels, n) for name, levels in LEVELS.items()}
    there = np.all([groups[name] == level for name, level in PLANTED.items()], axis=0)
    target = rng.integers(0, 2, n)
    wrong = rng.random(n) < error + planted * there
    return {"target": target, "prediction": np.where(wrong, 1 - target, target), "sensitive": groups}


def section(rows, **plan):
    return discovery.section(Counts.from_arrays(**rows).context(**plan))


def test_a_planted_group_is_found_and_named_the_worst():
    rows = people(np.random.default_rng(0), planted=0.3)
    found = section(rows)
    worst = {f.parameters["metric"]: f for f in found.findings}
    assert worst["error_rate"].parameters["where"] == PLANTED
    measure = found.measures[worst["error_rate"].evidence[0]]
    assert (measure.where, measure.statistic) == (PLANTED, "subgroup_difference")
    assert measure.low < 0.3 < measure.high
    assert measure.details["q"] < 0.001


def test_where_no_group_is_worse_false_ones_are_as_rare_as_promised():
    """Where nothing is there every confirmed group is false: any at all in at most one audit in twenty."""
    rng = np.random.default_rng(1)
    any_at_all = [bool(section(people(rng, n=1_500), seed=k).measures) for k in range(120)]
    assert np.mean(any_at_all) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 120)


def test_the_difference_told_is_not_made_larger_by_the_search():
    rng, told, first = np.random.default_rng(2), [], []
    for k in range(60):
        data = section(people(rng, n=1_500, planted=0.12), seed=k).exhibits[0].data
        for where, metric, size, rate, rest in zip(
            *(data[key] for key in ("where", "metric", "difference", "found_rate", "rest")), strict=True
        ):
            if where == PLANTED and metric == "error_rate":
                told.append(size)
                first.append(rate - rest)
    assert len(told) > 20
    assert np.mean(told) == pytest.approx(0.12, abs=0.04)
    assert np.mean(first) > np.mean(told)


@pytest.mark.parametrize("more", [{}, {"weights": True}, {"clusters": True}])
def test_the_halves_add_up_and_clusters_stay_together(more):
    rng, n = np.random.default_rng(3), 2_000
    rows = people(rng, n=n)
    given = {"weights": rng.choice([1.0, 2.5], n), "clusters": rng.integers(0, 300, n)}
    table = Counts.from_arrays(**rows, **{key: given[key] for key in more}).table
    first, second = halves(table, seed=0)
    merged = first.merge(second)
    assert merged.keys.tolist() == table.keys.tolist()
    assert merged.counts.tolist() == table.counts.tolist()
    if "clusters" in more:
        assert not set(first.clusters) & set(second.clusters)
    else:
        assert first.counts.sum() == n // 2


def test_every_row_is_as_likely_to_fall_into_either_half():
    table = Counts.from_arrays([1, 0] * 30, [1, 0] * 30, {"g": ["a", "b"] * 30}).table
    drawn = np.array([halves(table, seed)[0].marginal(0)[:2] for seed in range(400)])
    assert drawn.mean(0) == pytest.approx([15, 15], abs=0.6)
    assert drawn.var(0) == pytest.approx(np.full(2, 30 * 30 * 30 * 30 / (60**2 * 59)), rel=0.25)


def test_the_p_value_is_fisher_s_to_the_side_seen_before():
    p = discovery._p_value(18, 60, 40, 300, 1.0, exact=True)
    assert p == pytest.approx(fisher_exact([[18, 42], [40, 260]], alternative="greater").pvalue)
    p = discovery._p_value(18, 60, 40, 300, -1.0, exact=True)
    assert p == pytest.approx(fisher_exact([[18, 42], [40, 260]], alternative="less").pvalue)


def test_the_score_statistic_squared_is_pearson_s_chi_square():
    found = discovery.score(*(np.array(float(value)) for value in (18, 60, 40, 300)))
    table = [[18, 42], [40, 260]]
    assert found**2 == pytest.approx(chi2_contingency(table, correction=False).statistic)


def test_the_order_of_rows_changes_nothing_and_another_seed_parts_them_otherwise():
    rng = np.random.default_rng(5)
    rows, order = people(rng, planted=0.3), rng.permutation(6_000)
    other = {
        "target": rows["target"][order],
        "prediction": rows["prediction"][order],
        "sensitive": {name: column[order] for name, column in rows["sensitive"].items()},
    }
    assert section(rows) == section(other)
    assert section(rows, seed=1) != section(rows)


def test_nothing_is_drawn_where_nothing_may_be():
    found = section(people(np.random.default_rng(0)), replicates=0)
    assert (found.measures, found.exhibits, found.findings) == ((), (), ())


def test_with_too_many_combinations_what_is_left_out_is_said(monkeypatch):
    monkeypatch.setattr(discovery, "CANDIDATES", 20)
    found = section(people(np.random.default_rng(0)))
    (said,) = found.limitations
    assert (said.message, said.parameters) == ("subgroups_left_out", {"count": 3, "most": 20})  # of six
    assert "20 groups" in str(said)


@pytest.mark.parametrize("more", ["weights", "clusters", "no labels", "classes", "one level", "few rows"])
def test_awkward_tables_are_searched_without_harm(more):
    rng, n = np.random.default_rng(6), 900
    rows = people(rng, n=n, planted=0.4)
    changed = {
        "weights": {"weights": rng.choice([0.0, 1.0, 2.5], n)},
        "clusters": {"clusters": rng.integers(0, 200, n)},
        "no labels": {"target": None},
        "classes": {"positive": None, "target": rng.integers(0, 3, n), "prediction": rng.integers(0, 3, n)},
        "one level": {"sensitive": {"sex": ["f"] * n}},
        "few rows": {"target": [1, 0], "prediction": [1, 0], "sensitive": {"sex": ["f", "m"]}},
    }[more]
    found = section({**rows, **changed})
    assert len({m.key for m in found.measures}) == len(found.measures)
    json.dumps(found.exhibits[0].data, allow_nan=False)


def test_the_finding_reads_as_a_sentence_and_the_table_holds_the_groups():
    found = section(people(np.random.default_rng(0), planted=0.3))
    told = [sentences.finding(f) for f in found.findings]
    assert told[0].startswith("Where it is worst: the error rate of the group age = old, race = c, sex = f is ")
    assert "higher (95" in told[0]
    figure = smallgroups.subgroups(record_with(found.measures, found.exhibits))
    assert figure is not None
    assert figure.table.rows[0][-1] == "yes"
    assert "old · c · f" in {row[0] for row in figure.table.rows}


@pytest.mark.parametrize(("low", "high"), [(0.01, 0.2), (-0.004, 0.2), (-0.2, 0.004)])
def test_the_sentence_says_which_test_confirmed_the_group_and_why_its_interval_may_reach_zero(low, high):
    facts = {"metric": "error_rate", "where": {"sex": "f"}, "value": 0.1 if high > 0.1 else -0.1, "n": 90, "q": 0.031}
    facts |= {"low": low, "high": high, "level": 0.95, "rate": 0.3, "rest": 0.2, "tried": 40}
    found = Finding("f", "worst_subgroup", {**facts, "false_discovery_rate": 0.05})
    told = sentences.finding(found).replace("\u00a0", " ")
    assert "a test in that one direction confirmed it (p = 0.031, adjusted for all groups pointed at)" in told
    assert ("looks both ways and reaches 0" in told) == (low < 0 < high)
    assert ("asks only whether it is lower" in told) == (high < 0.1)


def test_a_group_selected_less_is_told_as_lower():
    rng, n = np.random.default_rng(8), 3_000
    group = rng.choice(["a", "b"], n)
    decided = (rng.random(n) < np.where(group == "a", 0.2, 0.6)).astype(int)
    found = section({"target": None, "prediction": decided, "sensitive": {"g": group}})
    (finding,) = found.findings
    assert finding.parameters["where"] == {"g": "a"}
    assert finding.parameters["high"] < 0
    assert " lower (95" in sentences.finding(finding)
