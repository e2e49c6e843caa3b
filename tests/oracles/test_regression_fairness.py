"""Errors of a regression by group against scipy, numpy, closed forms and simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from gnomon import audit
from gnomon.audit.fairness.numeric import regression, spreads
from gnomon.audit.fairness.numeric.estimates import Estimates, difference, student
from gnomon.audit.fairness.numeric.sample import Sample, Spread
from gnomon.audit.fairness.table.plan import Plan
from gnomon.audit.state import Columns
from gnomon.models import Attribute, Subject
from gnomon.reports import console
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

SEX = Attribute("sex", ("f", "m"))
RACE = Attribute("race", ("a", "b", "c"))
REFERENCE = {
    "mean_absolute_error": metrics.mean_absolute_error,
    "root_mean_squared_error": lambda y, p: metrics.mean_squared_error(y, p) ** 0.5,
    "r_squared": metrics.r2_score,
    "mean_error": lambda y, p: (p - y).mean(),
    "calibration_in_the_large": lambda y, p: p.mean() - y.mean(),
    "observed_to_expected": lambda y, p: y.sum() / p.sum(),
    "mean_prediction": lambda y, p: p.mean(),
    "mean_target": lambda y, p: y.mean(),
    "median_error": lambda y, p: np.median(p - y),
    "median_prediction": lambda y, p: np.median(p),
    "quantile_90_prediction": lambda y, p: np.quantile(p, 0.9, method="averaged_inverted_cdf"),
    "quantile_10_error": lambda y, p: np.quantile(p - y, 0.1, method="averaged_inverted_cdf"),
}


def rows(n=300, seed=0, people=(SEX, RACE)):
    rng = np.random.default_rng(seed)
    groups = np.stack([rng.integers(0, len(a.levels), n) for a in people], 1)
    y = rng.gamma(4, 2, n)
    return y, y + rng.normal(0.3 * groups[:, 0], 1, n), groups


def measured(y, p, groups, people=(SEX, RACE), level=None, **more):
    columns = Columns.of(np.arange(len(p)), score=p, truth=y, groups=groups, **more)
    found = regression.section(people, columns, level or Plan(replicates=0), "kg").measures
    assert len({m.key for m in found}) == len(found)
    return {(m.metric, m.statistic, *sorted(m.where.items())): m for m in found}


def value(found, metric, statistic="value", **where):
    return found[metric, statistic, *sorted(where.items())]


@pytest.mark.parametrize("metric", REFERENCE)
def test_each_group_has_the_number_of_the_textbook(metric):
    y, p, groups = rows()
    found = measured(y, p, groups)
    for code, level in enumerate(RACE.levels):
        own = groups[:, 1] == code
        m = value(found, metric, race=level)
        assert m.value == pytest.approx(REFERENCE[metric](y[own], p[own]), rel=1e-12)
        assert m.low < m.value < m.high
        assert m.n == own.sum()
    both = (groups[:, 0] == 1) & (groups[:, 1] == 2)
    assert value(found, metric, sex="m", race="c").value == pytest.approx(REFERENCE[metric](y[both], p[both]))


def test_means_have_students_interval_and_two_groups_welchs():
    y, p, groups = rows()
    found, e = measured(y, p, groups), p - y
    f, m = e[groups[:, 0] == 0], e[groups[:, 0] == 1]
    one = value(found, "mean_error", sex="f")
    assert (one.low, one.high) == pytest.approx(stats.t.interval(0.95, len(f) - 1, f.mean(), stats.sem(f)))
    test = stats.ttest_ind(m, f, equal_var=False)
    gap, ci = value(found, "mean_error", "difference", attribute="sex"), test.confidence_interval(0.95)
    assert (gap.value, gap.low, gap.high) == pytest.approx((m.mean() - f.mean(), ci.low, ci.high))
    assert gap.method == "welch"
    assert value(found, "mean_error", "p_value", attribute="sex").value == pytest.approx(test.pvalue, rel=1e-9)


def test_the_p_value_of_three_groups_is_welchs_analysis_of_variance():
    pytest.importorskip("statsmodels")
    from statsmodels.stats.oneway import anova_oneway

    y, p, groups = rows()
    found = measured(y, p, groups)
    own = [np.abs(p - y)[groups[:, 1] == k] for k in range(3)]
    expected = anova_oneway(own, use_var="unequal", welch_correction=True).pvalue
    assert value(found, "mean_absolute_error", "p_value", attribute="race").value == pytest.approx(expected, rel=1e-9)


def test_a_quantile_lies_between_two_ranks():
    n, x = 30, np.sort(np.random.default_rng(3).normal(size=30))
    found = measured(np.full(n, np.nan), x, np.zeros((n, 1), np.int64), (Attribute("sex", ("f",)),))
    m = value(found, "median_prediction", sex="f")
    assert (m.low, m.high) == (x[9], x[20])  # the 10th and the 21st of 30, as in Conover's tables
    assert stats.binom.cdf(20, n, 0.5) - stats.binom.cdf(9, n, 0.5) >= 0.95
    tail = value(found, "quantile_90_prediction", sex="f")
    assert tail.high is None  # 30 rows have no upper end for a 90 % quantile
    assert tail.low <= tail.value


def test_without_labels_only_predictions_are_measured():
    _, p, groups = rows()
    found = measured(np.full(len(p), np.nan), p, groups)
    assert {key[0] for key in found} == {
        "mean_prediction", "median_prediction", "quantile_10_prediction", "quantile_90_prediction"
    }  # fmt: skip


def test_what_cannot_be_told_has_a_reason():
    y, p, groups = rows(40)
    groups[:, 0] = 0
    groups[3, 0] = 1
    y[groups[:, 1] == 2] = 7.0
    found = measured(y, p, groups)
    assert "too few rows (1)" in value(found, "mean_error", sex="m").reason
    assert "only one group" in value(found, "mean_error", "difference", attribute="sex").reason
    assert value(found, "r_squared", race="c").reason == "every label has the same value"
    assert value(found, "mean_error", race="c").value is not None
    assert value(found, "r_squared", "difference", attribute="race").details["undefined"] == ["c"]


def test_a_group_below_the_minimum_is_shown_as_not_measured_and_never_dropped():
    people = (SEX, Attribute("race", ("a", "b", "c", "d")))
    y, p, groups = rows(people=people)
    groups[20:, 1], groups[:20, 1] = groups[20:, 1] % 3, 3
    every = measured(y, p, groups, people)
    large = measured(y, p, groups, people, Plan(replicates=0, minimum=40))
    for statistic in ("value", "pooled", "minimum_detectable"):
        small = value(large, "mean_error", statistic, race="d")
        assert (small.value, small.n, small.details["reason"]) == (None, 20, "below_minimum")
        assert {k for k in every if k[1] == statistic} == {k for k in large if k[1] == statistic}


def test_rows_of_an_unknown_group_stand_apart():
    y, p, groups = rows()
    groups[:20, 0] = -1
    found = measured(y, p, groups)
    assert value(found, "mean_error", sex="(unknown)").n == 20
    assert value(found, "mean_error", sex="(unknown)").value == pytest.approx((p - y)[:20].mean())
    assert value(found, "mean_error", "difference", attribute="sex").n == 280


def test_no_ratio_of_what_may_be_negative():
    y, p, groups = rows()
    found = measured(y, p - 8, groups)
    statistics = {key[1] for key in found if key[0] == "mean_prediction"}
    assert "ratio" not in statistics
    ratio = value(found, "mean_absolute_error", "ratio", attribute="sex")
    assert 0 < ratio.low <= ratio.value <= ratio.high
    assert ratio.value <= 1
    assert ratio.unit == "1"
    assert value(found, "mean_absolute_error", "difference", attribute="sex").unit == "kg"


@given(st.integers(0, 10_000))
@settings(max_examples=4)
def test_weight_two_is_the_row_twice_and_a_common_weight_is_none(seed):
    y, p, groups = rows(60, seed)
    w = np.random.default_rng(seed).integers(1, 4, 60).astype(float)
    weighed = measured(y, p, groups, weight=w)
    k = np.repeat(np.arange(60), w.astype(int))
    twice = measured(y[k], p[k], groups[k])
    for key, m in twice.items():
        if key[1] in ("value", "difference", "ratio") and m.value is not None and key[2:]:
            assert weighed[key].value == pytest.approx(m.value, rel=1e-9, abs=1e-12)
    common, plain = measured(y, p, groups, weight=np.full(60, 3.0)), measured(y, p, groups)
    one, other = (value(found, "mean_error", "difference", attribute="race") for found in (common, plain))
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=1e-12)


def test_rows_twice_are_worth_no_more_where_clusters_say_so():
    y, p, groups = rows()
    k, person = np.repeat(np.arange(300), 2), np.repeat(np.arange(300), 2).astype(np.uint64)
    clustered, plain = measured(y[k], p[k], groups[k], cluster=person), measured(y, p, groups)
    for statistic in ("difference",):
        one, other = (value(f, "mean_error", statistic, attribute="sex") for f in (clustered, plain))
        assert one.value == pytest.approx(other.value)
        assert one.high - one.low == pytest.approx(other.high - other.low, rel=0.01)
    one, other = (value(f, "median_error", sex="f") for f in (clustered, plain))
    assert one.high - one.low == pytest.approx(other.high - other.low, rel=0.35)


def test_clusters_that_hold_both_groups_tell_their_difference_by_pairs():
    rng = np.random.default_rng(0)
    home, n = rng.normal(0, 5, 80), 160
    p = np.repeat(home, 2) + rng.normal(0, 0.5, n) + np.tile([0, 1.0], 80)
    groups, y = np.tile([0, 1], 80)[:, None], np.zeros(n)
    found = measured(y, p, groups, (SEX,), cluster=np.repeat(np.arange(80), 2).astype(np.uint64))
    gap = value(found, "mean_error", "difference", attribute="sex")
    pairs = stats.ttest_rel(p[1::2], p[::2])
    assert (gap.low, gap.high) == pytest.approx(tuple(pairs.confidence_interval(0.95)), rel=1e-6)
    assert value(found, "mean_error", "p_value", attribute="sex").value == pytest.approx(pairs.pvalue, rel=1e-6)


def estimates(values, variance, freedom=50.0):
    value, spread = np.array(values, float), Spread(np.array(variance, float), np.full(len(values), freedom))
    n = np.full(len(values), int(freedom) + 1)
    return Estimates(value, spread, n, None, (None,) * len(values), student(value, spread), "student-t")


@pytest.mark.parametrize(
    ("groups", "d2"),
    [(2, 1.128), (3, 1.693), (4, 2.059), (5, 2.326), (6, 2.534), (10, 3.078), (20, 3.735)],
)
def test_the_range_expected_of_equal_groups_is_the_tabled_one(groups, d2):
    assert spreads.expected_range(np.full(groups, 2.5)) == pytest.approx(2.5 * d2, abs=2e-3)


def test_the_range_expected_of_unequal_groups_is_that_of_a_simulation():
    errors = np.array([0.1, 0.5, 1.0, 3.0])
    seen = np.ptp(np.random.default_rng(0).normal(size=(200_000, 4)) * errors, axis=1).mean()
    assert spreads.expected_range(errors) == pytest.approx(seen, rel=0.01)
    many = np.random.default_rng(1).gamma(2, 1, 3_000)
    seen = np.ptp(np.random.default_rng(2).normal(size=(400, 3_000)) * many, axis=1).mean()
    assert spreads.expected_range(many) == pytest.approx(seen, rel=0.03)


def test_the_debiased_spread_is_that_of_the_true_numbers():
    rng, found = np.random.default_rng(0), []
    for _ in range(400):
        truth = rng.normal(0, 2, 12)
        found.append(spreads.debiased(estimates(truth + rng.normal(0, 1.5, 12), np.full(12, 2.25))) ** 2)
    assert np.mean(found) == pytest.approx(4.0, rel=0.1)


def test_pooled_numbers_lie_nearer_the_truth_and_their_intervals_hold_it():
    rng = np.random.default_rng(0)
    raw, drawn, inside = [], [], []
    for _ in range(200):
        truth, variance = rng.normal(5, 1, 20), rng.uniform(0.3, 4, 20)
        seen = truth + rng.normal(size=20) * np.sqrt(variance)
        e = estimates(seen, variance * rng.chisquare(50, 20) / 50)
        value, low, high = spreads.pooled(e, 0.95)
        raw.append(((seen - truth) ** 2).mean())
        drawn.append(((value - truth) ** 2).mean())
        inside.append(((low <= truth) & (truth <= high)).mean())
    assert np.mean(drawn) < 0.6 * np.mean(raw)
    assert 0.91 <= np.mean(inside) <= 0.97


def test_variances_of_tiny_groups_are_moderated():
    rng = np.random.default_rng(0)
    n = np.full(200, 3)
    variance = 4.0 * rng.chisquare(2, 200) / 2 / 3
    spread = Spread(variance, n - 1.0)
    e = Estimates(np.zeros(200), spread, n, None, (None,) * 200, student(np.zeros(200), spread), "student-t")
    off = (np.log(spreads.moderated(e) / (4 / 3)) ** 2).mean()
    assert off < 0.05 < (np.log(variance / (4 / 3)) ** 2).mean()


def test_the_detectable_difference_is_found_four_times_in_five():
    rng, n = np.random.default_rng(0), 120
    y, p, groups = np.zeros(n), rng.normal(size=n), np.arange(n)[:, None] % 2
    size = value(measured(y, p, groups, (SEX,)), "mean_error", "minimum_detectable", sex="f").value
    seen = [
        stats.ttest_ind(rng.normal(size=60), size + rng.normal(size=60), equal_var=False).pvalue < 0.05
        for _ in range(600)
    ]
    assert np.mean(seen) == pytest.approx(0.8, abs=0.06)


def test_the_largest_gap_of_many_equal_groups_holds_zero_as_often_as_promised():
    rng, held, found = np.random.default_rng(0), [], []
    for _ in range(300):
        groups, p = rng.integers(0, 6, 240)[:, None], rng.normal(size=240)
        sample = Sample(groups[:, 0], 6)
        mean = sample.mean(p)
        e = Estimates(
            mean,
            sample.spread(p - mean[sample.code]),
            sample.n,
            None,
            (None,) * 6,
            student(mean, Spread(mean, mean)),
            "student-t",
        )
        held.append(difference(e, 0.95).low == 0)
        found.append(spreads.expected_range(spreads.errors(e)) / np.ptp(mean))
    assert np.mean(held) >= 0.94
    assert np.median(found) == pytest.approx(1.0, abs=0.1)


def test_five_hundred_levels_and_twenty_thousand_combinations_are_measured():
    rng, n = np.random.default_rng(0), 6_000
    people = (Attribute("place", tuple(map(str, range(500)))), Attribute("job", tuple(map(str, range(40)))))
    groups = np.stack([rng.integers(0, 500, n), rng.integers(0, 40, n)], 1)
    y = rng.normal(size=n)
    found = measured(y, y + rng.normal(size=n), groups, people)
    gap = value(found, "mean_error", "difference", attribute="place × job")
    assert gap.low <= gap.value
    assert value(found, "mean_error", "difference", attribute="place").details["levels"] == 500


def test_the_order_of_rows_and_the_names_of_levels_change_nothing():
    y, p, groups = rows()
    order = np.random.default_rng(1).permutation(len(y))
    one, other = measured(y, p, groups), measured(y[order], p[order], groups[order])
    for key, m in one.items():
        assert other[key].value == (None if m.value is None else pytest.approx(m.value, rel=1e-9, abs=1e-9))


@pytest.mark.data
def test_communities_and_crime_shows_its_published_correlation_as_a_gap(data_folder):
    """The outcome's mean, spread and correlation with the share of Black residents are those of the UCI page."""
    frame = pd.read_csv(data_folder / "communities_crime" / "communities_crime.csv.gz")
    y, share = frame["ViolentCrimesPerPop"].to_numpy(), frame["racepctblack"].to_numpy()
    assert (y.mean(), y.std(ddof=1), np.corrcoef(y, share)[0, 1]) == pytest.approx((0.24, 0.23, 0.63), abs=0.005)
    p, groups = np.full(len(y), y.mean()), (share > np.median(share)).astype(int)[:, None]
    found = measured(y, p, groups, (Attribute("black", ("fewer", "more")),))
    own = [y[groups[:, 0] == k] for k in (0, 1)]
    gap = value(found, "mean_error", "difference", attribute="black")
    assert gap.value == pytest.approx(own[1].mean() - own[0].mean())
    assert gap.details["pair"] == ["more", "fewer"]  # where more live, crime is predicted too low by the mean
    assert value(found, "mean_error", "p_value", attribute="black").value < 1e-50


def test_the_terminal_tells_the_groups_of_a_regression_and_of_a_ranking(tmp_path):
    """What `gnomon fairness --task regression` and `--task ranking` print: a finding, and a row for each group."""
    y, p, groups = rows(people=(SEX,))
    frame = pd.DataFrame({"y": y, "p": p, "sex": np.array(SEX.levels)[groups[:, 0]], "list": np.arange(len(y)) // 10})
    parts = {"target": "y", "sensitive": ["sex"]}
    for task, more, head in (
        ("regression", {"prediction": "p"}, "the mean error of the group f is"),
        ("ranking", {"score": "p", "query": "list", "top": 3}, "the exposure of the group"),
    ):
        record = audit.run(Subject.from_predictions(frame, task=task, **parts, **more), [audit.Fairness()])
        (finding,) = record.findings
        gap = next(
            m for m in record.measures if m.statistic == "difference" and m.metric == finding.parameters["metric"]
        )
        assert (finding.parameters["value"], finding.parameters["low"]) == (gap.value, gap.low)
        text = " ".join(console.render(record).split())
        assert head in text
        assert "sex = f" in text


def test_without_labels_the_finding_is_of_predictions():
    _, p, groups = rows(people=(SEX,))
    frame = pd.DataFrame({"p": p, "sex": np.array(SEX.levels)[groups[:, 0]]})
    subject = Subject.from_predictions(frame, prediction="p", sensitive=["sex"], task="regression")
    (finding,) = audit.run(subject, [audit.Fairness()]).findings
    own = [p[groups[:, 0] == k].mean() for k in (0, 1)]
    assert finding.parameters["metric"] == "mean_prediction"
    assert finding.parameters["value"] == pytest.approx(abs(own[0] - own[1]))


@pytest.mark.parametrize("tau", [0.0, 0.5, 2.0])
def test_the_interval_of_the_freed_spread_holds_the_true_one(tau):
    rng = np.random.default_rng(0)
    truth = rng.normal(0, tau, 12) if tau else np.zeros(12)
    held = 0
    for _ in range(300):
        low, high = spreads.debiased_ends(estimates(truth + rng.normal(0, 0.4, 12), np.full(12, 0.16)), 0.95)
        held += low <= truth.std(ddof=1) <= high
    assert 0.92 <= held / 300 <= 0.985


def test_the_freed_spread_is_told_as_an_estimate():
    found = value(measured(*rows(), level=Plan(replicates=0)), "mean_error", "debiased_spread", attribute="race")
    assert found.low <= found.value <= found.high
    assert "exact" not in found.details
