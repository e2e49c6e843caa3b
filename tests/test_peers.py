"""Defects of other libraries that ours does not share, each shown side by side where the library is at hand."""

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame, equal_opportunity_difference, selection_rate, true_positive_rate
from gnomon.audit.fairness import Counts
from gnomon.audit.fairness.comparison import inequality


def frame(truth, decided, group, **plan):
    return Counts.from_arrays(truth, decided, {"g": group}).frame(**{"replicates": 0, **plan})


def one(found, metric, statistic="value", **where):
    rows = found[(found.metric == metric) & (found.statistic == statistic)]
    (place,) = [k for k in rows.index if rows["where"][k] == where]
    return rows.loc[place]


def missing(row):
    return row.value is None or np.isnan(row.value)


def test_a_group_without_positives_has_no_rate_of_finding_them():
    """fairlearn says both TPR 0 and FNR 0 there, and reports a gap in opportunity that is no comparison."""
    truth, decided, group = [1, 1, 0, 0], [1, 0, 0, 0], ["a", "a", "b", "b"]
    theirs = MetricFrame(metrics=true_positive_rate, y_true=truth, y_pred=decided, sensitive_features=group).by_group
    assert theirs["b"] == 0
    assert equal_opportunity_difference(truth, decided, sensitive_features=group) == 0.5
    found = frame(truth, decided, group)
    for metric in ("true_positive_rate", "false_negative_rate"):
        row = one(found, metric, g="b")
        assert missing(row)
        assert row.reason == "no positives"
        gap = one(found, metric, "difference", attribute="g")
        assert missing(gap)
        assert gap.details["undefined"] == ["b"]


def test_the_interval_of_a_gap_reaches_0_where_groups_are_alike():
    """fairlearn's percentile interval of highest − lowest leaves 0 out, whatever is true."""
    rng = np.random.default_rng(0)
    group = np.repeat(list("abcd"), 200)
    decided = (rng.random(800) < 0.3).astype(int)
    asked = {"y_true": decided, "y_pred": decided, "sensitive_features": group}
    theirs = MetricFrame(
        metrics=selection_rate, **asked, n_boot=60, ci_quantiles=[0.025, 0.975], random_state=0
    ).difference_ci()
    assert theirs[0] > 0
    for replicates in (0, 2_000):
        gap = one(frame(decided, decided, group, replicates=replicates), "selection_rate", "difference", attribute="g")
        assert gap.low == 0
        assert gap.high > gap.value


def test_tests_of_different_rates_are_different_tests():
    """Aequitas tests false positives among positive decisions for FPR, TNR, precision and FDR alike."""
    rng = np.random.default_rng(0)
    group, truth = np.repeat(["a", "b"], 300), rng.integers(0, 2, 600)
    decided = (rng.random(600) < 0.4 + 0.2 * truth + 0.1 * (group == "a")).astype(int)
    found = frame(truth, decided, group)
    p = {m: one(found, m, "p_value", attribute="g").value for m in ("false_positive_rate", "false_discovery_rate")}
    assert p["false_positive_rate"] != pytest.approx(p["false_discovery_rate"])
    assert one(found, "true_negative_rate", "p_value", attribute="g").value == p["false_positive_rate"]


def test_a_share_of_positive_decisions_does_not_grow_with_the_group():
    """Aequitas' ppr divides by all positive decisions, so a larger group has a higher one."""
    decided, group = [1, 0] * 10 + [1, 0] * 100, ["small"] * 20 + ["large"] * 200
    found = frame(decided, decided, group)
    assert one(found, "selection_rate", g="small").value == one(found, "selection_rate", g="large").value


def test_a_ratio_of_0_is_the_worst_and_not_missing():
    """dalex turns it into NaN, so that the worst disparity vanishes; Aequitas turns its inverse into 10."""
    decided, group = [0] * 30 + [1, 0] * 15, ["a"] * 30 + ["b"] * 30
    found = frame(decided, decided, group)
    ratio = one(found, "selection_rate", "ratio", attribute="g")
    assert (ratio.value, ratio.low) == (0, 0)
    assert 0 < ratio.high < 1
    assert one(found, "selection_rate", "impact_ratio", g="a").value == 0


def test_nothing_over_nothing_is_undefined_and_not_0():
    """Clarify and torchmetrics call it 0."""
    found = frame([1, 0, 1, 0], [0, 0, 0, 0], ["a", "a", "b", "b"])
    ratio = one(found, "selection_rate", "ratio", attribute="g")
    assert missing(ratio)
    assert "0/0" in ratio.reason


def test_rates_are_not_rounded_before_they_are_divided():
    """dalex rounds to three decimals first."""
    decided = [1] * 4 + [0] * 9_996 + [1] * 6 + [0] * 9_994
    found = frame(decided, decided, ["a"] * 10_000 + ["b"] * 10_000)
    assert one(found, "selection_rate", "ratio", attribute="g").value == pytest.approx(4 / 6)


@pytest.mark.parametrize("groups", [2, 3])
def test_a_p_value_is_never_0(groups):
    """LiFT divides by the shuffles without adding one."""
    group = np.repeat(list("abc")[:groups], 2_000)
    decided = (group == "a").astype(int)
    found = frame(decided, decided, group, replicates=99)
    p = one(found, "selection_rate", "p_value", attribute="g").value
    assert 0 < p <= 0.01


def test_precision_where_nobody_is_decided_positive_is_undefined():
    """AIF360 returns 0 for PPV, NPV, FDR and FOR on empty denominators."""
    found = frame([1, 0, 1, 0], [0, 0, 1, 0], ["a", "a", "b", "b"])
    for metric in ("positive_predictive_value", "false_discovery_rate"):
        assert missing(one(found, metric, g="a"))


def test_the_coefficient_of_variation_follows_from_the_entropy():
    """HolisticAI doubles the root of the entropy in place of the entropy; rightly it is √(2 GEI(2))."""
    benefit, rows = np.array([0.0, 1.0, 2.0]), np.array([3.0, 10.0, 4.0])
    every = np.repeat(benefit, rows.astype(int))
    entropy = float(inequality.generalized_entropy(benefit, rows))
    assert np.sqrt(2 * entropy) == pytest.approx(every.std() / every.mean())


def test_groups_absent_from_one_part_keep_their_names():
    """torchmetrics' BinaryFairness relabelled them by order of appearance."""
    first = Counts.from_arrays([1, 0], [1, 0], {"g": ["b", "b"]})
    second = Counts.from_arrays([1, 0], [0, 0], {"g": ["a", "a"]})
    found = first.merge(second).frame(replicates=0)
    assert one(found, "selection_rate", g="b").value == 0.5
    assert one(found, "selection_rate", g="a").value == 0


def test_an_unknown_group_is_counted_and_refused_nowhere():
    """fairlearn's MetricFrame raises; AIF360 and Aequitas drop the row."""
    found = frame([1, 0, 1], [1, 0, 1], ["a", None, "b"])
    assert one(found, "selection_rate").n == 3
    assert one(found, "selection_rate", g="(unknown)").value == 0
    assert one(found, "selection_rate", "difference", attribute="g").n == 2


def test_the_rows_given_are_left_as_they_were():
    """Aequitas sorts the user's frame in place."""
    truth, decided, group = np.array([1, 0, 1]), np.array([0, 1, 1]), np.array(["b", "a", "b"], dtype=object)
    kept = [column.copy() for column in (truth, decided, group)]
    frame(truth, decided, group, replicates=20)
    for now, before in zip((truth, decided, group), kept, strict=True):
        assert (now == before).all()


def test_entropy_of_order_0_does_not_call_one_missed_positive_infinite_without_a_word():
    """AIF360 divides by the mean benefit once too often, and is infinite for any missed positive."""
    benefit, rows = np.array([1.0, 2.0]), np.array([6.0, 2.0])
    every = np.repeat(benefit, rows.astype(int))
    assert float(inequality.generalized_entropy(benefit, rows, 0)) == pytest.approx(
        -np.log(every / every.mean()).mean()
    )
    truth, decided = [1, 1, 0, 0, 1, 0], [1, 0, 0, 1, 1, 0]
    for m in Counts.from_arrays(truth, decided, {"g": list("aaabbb")}).measures(replicates=0):
        assert m.value is None or np.isfinite(m.value)


def test_curves_that_cross_are_apart_though_their_areas_are_equal():
    """HolisticAI's abroca is the difference of the areas, 0 for curves that cross."""
    ours = {"a": ([0.9, 0.2, 0.6, 0.5], [1, 1, 0, 0]), "b": ([0.7, 0.6, 0.8, 0.1], [1, 1, 0, 0])}
    scores, truth = (np.tile(np.concatenate([group[k] for group in ours.values()]), 20) for k in (0, 1))
    group = np.tile(np.repeat(list("ab"), 4), 20)
    found = Counts.from_arrays(truth, None, {"g": group}, scores=scores).frame(replicates=0)
    areas = [one(found, "auc", g=g).value for g in "ab"]
    assert areas[0] == pytest.approx(areas[1])
    assert one(found, "abroca", attribute="g").value > 0.1


def test_a_group_missing_from_a_resample_is_not_passed_over():
    """fairlearn's replicates skip groups that vanished, so its limits rest on fewer groups than it says."""
    group = np.array(["a"] * 200 + ["b"] * 200 + ["c"] * 2)
    decided = np.array([1, 0] * 201)
    gap = one(frame(decided, decided, group, replicates=500), "selection_rate", "difference", attribute="g")
    assert gap.details["levels"] == 3
    assert gap.method == "newcombe-sidak"  # a closed form where c is too small to be resampled
    assert gap.high > 0.4
