"""Further defects of other libraries that ours does not share: rules of aggregation, empty groups, formulas."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from gnomon import audit
from gnomon.audit.criteria import Criterion
from gnomon.audit.fairness import Counts
from gnomon.audit.findings import Verdict, decide
from gnomon.models import Subject
from hypothesis import given, settings
from hypothesis import strategies as st

HALF = [1, 0, 1, 0]


def found(truth, decided, group, *, plan=None, **more):
    """Every measure by metric, statistic and place."""
    sensitive = group if isinstance(group, dict) else {"g": group}
    counts = Counts.from_arrays(truth, decided, sensitive, **more)
    return {(m.metric, m.statistic, *m.where.items()): m for m in counts.measures(**{"replicates": 0, **(plan or {})})}


def cells(**groups):
    """Truth, decision and group of rows given as TP, FP, TN, FN."""
    kinds = ((1, 1), (0, 1), (0, 0), (1, 0))
    every = [(*kind, name) for name, counts in groups.items() for kind, n in zip(kinds, counts, strict=True)
             for _ in range(n)]  # fmt: skip
    return tuple(list(column) for column in zip(*every, strict=True))


rows = st.tuples(*[st.integers(1, 30)] * 4)


@given(rows, rows, rows)
@settings(max_examples=20)
def test_a_groups_own_mean_of_two_rates_does_not_hang_on_the_other_group(own, other, another):
    """veritastool 34: the calibration of one group was the half difference of both groups' predictive values."""
    tp, fp, tn, fn = own
    for rest in (other, another):
        told = found(*cells(a=own, b=rest))
        assert told["balanced_accuracy", "value", ("g", "a")].value == pytest.approx(
            (tp / (tp + fn) + tn / (tn + fp)) / 2
        )
        predictive = told["positive_predictive_value", "value", ("g", "a")].value
        omitted = told["false_omission_rate", "value", ("g", "a")].value
        assert (predictive, omitted) == pytest.approx((tp / (tp + fp), fn / (fn + tn)))


@pytest.mark.parametrize("sizes", [(1, 1), (10, 1), (1, 10)])
def test_decisions_that_hang_on_nothing_are_apart_in_no_group_however_uneven(sizes):
    """veritastool 41: separation was far from 0 for labels, decisions and groups that are independent."""
    a, b = ((3 * k, 2 * k, 6 * k, 9 * k // 2) for k in (2 * size for size in sizes))
    told = found(*cells(a=a, b=b))
    for metric in ("equalized_odds", "equal_opportunity", "predictive_parity", "demographic_parity", "average_odds"):
        assert told[metric, "difference", ("attribute", "g")].value == pytest.approx(0, abs=1e-15), metric
    for metric in ("true_positive_rate", "false_positive_rate", "selection_rate"):
        assert told[metric, "p_value", ("attribute", "g")].value == pytest.approx(1), metric


def test_ratios_of_groups_that_are_alike_are_1():
    """veritastool halved the ratio of equalized odds twice, so that groups that are alike had ½."""
    told = found(*cells(a=(30, 20, 60, 40), b=(15, 10, 30, 20)))
    for metric in ("equalized_odds", "demographic_parity", "predictive_parity"):
        assert told[metric, "ratio", ("attribute", "g")].value == pytest.approx(1), metric


def test_a_ratio_is_the_lower_rate_over_the_higher_whichever_group_comes_first():
    """veritastool divided the other way about for its ratio than for its difference, so that the two disagreed."""
    for group in (list("aabb"), list("bbaa")):
        told = found(None, [1, 1, 1, 0], group)
        assert told["selection_rate", "ratio", ("attribute", "g")].value == 0.5
        assert told["selection_rate", "difference", ("attribute", "g")].value == 0.5


def test_a_rate_without_rows_behind_it_is_undefined_and_not_0():
    """Clarify returns 0 for rates of no positives, and for all of them where a table holds one class."""
    told = found([1, 1, 1, 0], [0, 0, 1, 0], list("aabb"))
    for metric, why in (("false_positive_rate", "no negatives"), ("positive_predictive_value", "no rows decided")):
        assert told[metric, "value", ("g", "a")].value is None
        assert why in told[metric, "value", ("g", "a")].reason
        assert told[metric, "value", ("g", "a")].denominator == 0
    one_class = found([1, 1, 1, 1], HALF, list("aabb"))
    assert one_class["true_positive_rate", "value"].value == 0.5
    assert one_class["false_positive_rate", "value"].value is None


def test_nothing_to_divide_by_makes_no_infinite_ratio():
    """Clarify's disparate impact is infinite where one group has no positive decision, and 0 where neither has."""
    told = found(None, [1, 1, 0, 0], list("aabb"))
    assert told["selection_rate", "ratio", ("attribute", "g")].value == 0
    assert told["selection_rate", "impact_ratio", ("g", "b")].value == 0
    assert found(None, [0] * 4, list("aabb"))["selection_rate", "ratio", ("attribute", "g")].value is None
    rejected = found([0, 0, 1, 1], [1, 0, 1, 1], list("aabb"))["treatment_equality", "value", ("g", "b")]
    assert rejected.value is None or np.isfinite(rejected.value)


def test_an_empty_group_is_listed_as_empty_and_stops_nothing():
    """Clarify raises where a facet has no row; AIF360 and Aequitas leave the group out without a word."""
    told = found(HALF, HALF, {"g": list("aabb"), "h": list("xxyy")})
    empty = told["selection_rate", "value", ("g", "a"), ("h", "y")]
    assert (empty.value, empty.reason, empty.n) == (None, "no rows", 0)
    gap = told["selection_rate", "difference", ("attribute", "g × h")]
    assert gap.value == 0
    assert gap.details["undefined"] == ["a × y", "b × x"]


def test_a_row_of_no_known_group_is_in_no_group():
    """Clarify counts a row whose facet is blank among those that are not of the group."""
    told = found(None, [1, 0, 1, 1], ["a", "a", "b", None])
    assert [told["selection_rate", "value", ("g", g)].n for g in ("a", "b", "(unknown)")] == [2, 1, 1]
    assert told["selection_rate", "difference", ("attribute", "g")].n == 3


def test_every_rate_on_nothing_is_undefined_and_none_is_0():
    """AIF360 returns 0 for PPV, NPV, FDR, FOR and accuracy on nothing, and not a number for the other rates."""
    nobody = found(HALF, [0] * 4, list("aabb"))
    everybody = found(HALF, [1] * 4, list("aabb"))
    for told, names in (
        (nobody, ("positive_predictive_value", "false_discovery_rate")),
        (everybody, ("negative_predictive_value", "false_omission_rate")),
    ):
        for name in names:
            measure = told[name, "value", ("g", "a")]
            assert (measure.value, measure.denominator) == (None, 0)
    absent = found(HALF, HALF, list("aabb"), levels={"g": ["a", "b", "c"]})["accuracy", "value", ("g", "c")]
    assert (absent.value, absent.denominator) == (None, 0)


def test_a_group_is_held_against_the_others_and_not_against_itself_too():
    """AIF360's consistency counts a point among its own neighbours, which draws every row towards itself."""
    told = found(None, [1, 0] * 50, ["a"] * 70 + ["b"] * 20 + ["c"] * 10)
    rest = [told["selection_rate", "minimum_detectable", ("g", g)].details["rest_n"] for g in "abc"]
    assert rest == [30, 80, 90]


def test_the_last_place_of_a_ranking_counts_too():
    """AIF360's index of infeasible prefixes never looks at the whole list."""
    table = pd.DataFrame({"score": [4.0, 3.0, 2.0, 1.0], "y": HALF, "g": list("aaab")})
    for top, share in ((3, 0.0), (4, 1.0)):
        asked = {"target": "y", "score": "score", "sensitive": ["g"], "task": "ranking", "top": top}
        record = audit.run(Subject.from_predictions(table, **asked), [audit.Fairness(replicates=0)])
        assert record.find("top_k_selection_rate", where={"g": "b"}).value == share


def test_a_missing_part_is_no_verdict():
    """Aequitas rolls "not a number and fair" up to unfair, as if it had been measured."""
    told = found([1, 1, 0, 1], [1, 0, 0, 1], list("aabb"))
    odds = told["equalized_odds", "difference", ("attribute", "g")]
    assert odds.value is None
    criterion = Criterion(id="c", metric="equalized_odds", statistic="difference", bounds=(None, 0.9))
    assert decide(criterion, odds)[0] is Verdict.NOT_MEASURED


def test_the_level_of_a_test_is_the_one_asked_for():
    """Aequitas tests at .05 whatever is wanted, and with a t-test where each value is 0 or 1."""
    rng = np.random.default_rng(0)
    group = np.repeat(["a", "b"], 40)
    decided = (rng.random(80) < 0.5).astype(int)
    wide, narrow = (found(None, decided, group, plan={"level": level}) for level in (0.99, 0.8))
    key = ("selection_rate", "difference", ("attribute", "g"))
    assert (wide[key].level, narrow[key].level) == (0.99, 0.8)
    assert wide[key].low < narrow[key].low
    assert wide["selection_rate", "p_value", ("attribute", "g")].method == "fisher exact"


def test_a_frame_of_pandas_is_left_as_it_was():
    """Aequitas sorts the user's frame, and wants its groups to be objects."""
    table = pd.DataFrame({"y": [1, 0, 1], "p": [0, 1, 1], "g": pd.Categorical(["b", "a", "b"])}, index=[5, 1, 3])
    kept = table.copy(deep=True)
    found(table["y"], table["p"], table["g"], plan={"replicates": 20})
    pd.testing.assert_frame_equal(table, kept)


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_a_group_absent_from_one_piece_of_a_stream_keeps_its_name(tmp_path, order):
    """torchmetrics' BinaryFairness named groups by their order in each batch."""
    path = tmp_path / "t.parquet"
    group = [*[order[0]] * 1000, *[order[1]] * 1000]
    decided = [int(g == "a") for g in group]
    pq.write_table(pa.table({"g": group, "yhat": decided}), path, row_group_size=250)
    counts = Counts.from_file(path, prediction="yhat", sensitive=["g"])
    rates = {tuple(m.where.values()): m.value for m in counts.measures(replicates=0)
             if (m.metric, m.statistic) == ("selection_rate", "value")}  # fmt: skip
    assert (rates["a",], rates["b",]) == (1, 0)


def test_rows_of_no_known_group_are_told_of_beside_the_scores_of_groups():
    """fairlearn's plot of the curves of groups leaves the rows out that have none, without a word."""
    scores, truth = [0.9, 0.2, 0.6, 0.4, 0.1, 0.8], [1, 0, 1, 0, 1, 0]
    told = found(truth, None, ["a", "a", "b", "b", None, None], scores=scores)
    assert [told["auc", "value", ("g", g)].n for g in "ab"] == [2, 2]
    assert told["selection_rate", "value", ("g", "(unknown)")].n == 2
    assert told["selection_rate", "value"].n == 6


@pytest.mark.parametrize("replicates", [0, 300])
def test_one_group_without_the_rate_leaves_the_limits_of_the_others_finite(replicates):
    """fairlearn's limits of a series are not a number as soon as one resample of one group is."""
    group = np.repeat(list("abc"), [300, 300, 3])
    truth = np.where(group == "c", 0, np.arange(603) % 2)
    decided = (np.arange(603) % 3 == 0).astype(int)
    gap = found(truth, decided, group, plan={"replicates": replicates})[
        "true_positive_rate", "difference", ("attribute", "g")
    ]
    assert gap.details["undefined"] == ["c"]
    assert np.isfinite([gap.low, gap.high]).all()
    assert gap.details["levels"] == 2


def test_labels_that_are_not_0_and_1_need_a_word_on_which_is_positive():
    with pytest.raises(Exception, match="positive label '1'"):
        found(["yes", "no"], ["yes", "no"], ["a", "b"])
    assert found(["yes", "no"], ["yes", "no"], ["a", "b"], positive="yes")["accuracy", "value"].value == 1


def test_small_intersections_are_shown_raw_and_drawn_to_the_others_side_by_side():
    rng = np.random.default_rng(2)
    g, h = rng.choice(list("abc"), 400), rng.choice(list("xy"), 400, p=[0.97, 0.03])
    decided = (rng.random(400) < 0.3).astype(int)
    told = found(None, decided, {"g": g, "h": h})
    for level in "abc":
        place = (("g", level), ("h", "y"))
        raw, pooled = (told["selection_rate", statistic, *place] for statistic in ("value", "pooled"))
        assert 0 < raw.n < 12
        assert None not in (raw.low, raw.high, pooled.low, pooled.high)
        assert pooled.high - pooled.low < raw.high - raw.low
