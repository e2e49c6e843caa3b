"""What a least number of rows does: smaller groups are named as undefined, and nothing is told from them."""

import numpy as np
import pytest
from gnomon.audit.criteria import Criterion
from gnomon.audit.fairness import Counts
from gnomon.audit.findings import Verdict, decide

REST = (
    "difference", "ratio", "impact_ratio", "expected_by_chance", "debiased_spread", "pooled", "p_value",
    "minimum_detectable", "conditional_difference", "conditional_ratio", "conditional_p_value",
)  # fmt: skip
MINIMUM = 40


def world(small="d", sizes=(1200, 1100, 1000, 30), classes=2, controlled=False, **more):
    """Groups a, b, c of a few hundred rows, and one of thirty that is named `small`."""
    rng = np.random.default_rng(3)
    group = np.repeat(["a", "b", "c", small], sizes).astype(object)
    truth = rng.integers(0, classes, len(group))
    decided = np.where(rng.random(len(group)) < 0.3, rng.integers(0, classes, len(group)), truth)
    decided[-sizes[-1] :] = 1
    if controlled:
        more["controls"] = {"c": rng.choice(["x", "y", "z"], len(group))}
    return Counts.from_arrays(truth, decided, {"g": [None if g == "" else g for g in group]}, **more)


def told(counts, **plan):
    return {m.key: m for m in counts.measures(**{"replicates": 0, **plan})}


@pytest.mark.parametrize("positive", [1, None])
def test_what_is_told_of_the_others_is_what_they_tell_alone(positive):
    """As if the group of the small one were not known: its rows are then in no gap either."""
    more = {"classes": 2 if positive else 3, "positive": positive, "controlled": True}
    kept, alone = told(world(**more), minimum=MINIMUM), told(world("", **more))
    whole = ("fairness", "conditional_demographic_disparity", "value", (("attribute", "g"),))
    compared = [key for key, m in alone.items() if (key[2] in REST or key == whole) and m.value is not None]
    assert {key[2] for key in compared} >= set(REST) - {"debiased_spread", "p_value"}
    assert (whole in compared) == bool(positive)
    for key in compared:
        same = ((kept[key].value, kept[key].low, kept[key].high), (alone[key].value, alone[key].low, alone[key].high))
        assert same[0] == pytest.approx(same[1]), key
        assert kept[key].n == alone[key].n, key


def test_a_gap_names_the_small_group_and_cannot_pass_without_it():
    kept = told(world(), minimum=MINIMUM)
    criterion = Criterion(id="c", metric="selection_rate", statistic="difference", bounds=(None, 0.9))
    for statistic in ("difference", "ratio"):
        gap = kept["fairness", "selection_rate", statistic, (("attribute", "g"),)]
        assert gap.details["undefined"] == ["d"]
        assert "d" not in gap.details["pair"]
    gap = kept["fairness", "selection_rate", "difference", (("attribute", "g"),)]
    assert decide(criterion, gap)[0] is Verdict.NOT_MEASURED
    without = told(world())["fairness", "selection_rate", "difference", (("attribute", "g"),)]
    assert decide(criterion, without)[0] is Verdict.PASS


def test_definitions_of_fairness_name_it_too():
    kept = told(world(), minimum=MINIMUM)
    for name in ("demographic_parity", "equal_opportunity", "equalized_odds", "average_odds"):
        assert kept["fairness", name, "difference", (("attribute", "g"),)].details["undefined"] == ["d"]
    rule = kept["fairness", "four_fifths_rule", "value", (("attribute", "g"),)]
    assert rule.details["undefined"] == ["d"]
    assert kept["fairness", "four_fifths_rule", "value", (("g", "d"),)].value is None


def test_bounds_leave_the_small_group_out_and_hold_for_the_others():
    rng = np.random.default_rng(0)
    group = np.array(["a"] * 200 + ["b"] * 200 + ["c"] * 10 + [None] * 30, object)
    decided = np.concatenate([rng.integers(0, 2, 400), np.ones(10, int), rng.integers(0, 2, 30)])
    kept = told(Counts.from_arrays(None, decided, {"g": group}), minimum=MINIMUM)
    bound = kept["fairness", "selection_rate", "difference_bounds", (("attribute", "g"),)]
    a, b, lost = decided[:200], decided[200:400], decided[-30:]
    ups, downs = lost.sum(), len(lost) - lost.sum()
    ends = [((x.sum() + ups) / (200 + ups), y.sum() / (200 + downs)) for x, y in ((a, b), (b, a))]
    assert bound.value == pytest.approx(abs(a.mean() - b.mean()))
    assert bound.high == pytest.approx(max(high - low for high, low in ends))
    assert bound.low == 0  # the unknown rows may all belong to c
    assert bound.details["undefined"] == ["c"]


def test_two_groups_of_which_one_is_small_have_no_gap():
    kept = told(world(sizes=(300, 0, 0, 30)), minimum=MINIMUM)
    gap = kept["fairness", "selection_rate", "difference", (("attribute", "g"),)]
    assert gap.value is None
    assert gap.details["undefined"] == ["d"]
    assert kept["fairness", "selection_rate", "impact_ratio", (("g", "a"),)].details["reason"] == "one_level"
    assert kept["fairness", "selection_rate", "impact_ratio", (("g", "d"),)].details["reason"] == "below_minimum"


def test_resampled_gaps_leave_it_out_as_well():
    kept, alone = told(world(), minimum=MINIMUM, replicates=400), told(world(""), replicates=400)
    for statistic in ("difference", "ratio"):
        key = ("fairness", "selection_rate", statistic, (("attribute", "g"),))
        assert kept[key].value == pytest.approx(alone[key].value)
        assert kept[key].low == pytest.approx(alone[key].low, abs=0.02)


def test_what_a_group_could_have_shown_is_not_told_of_one_that_is_too_small():
    kept = told(world(), minimum=MINIMUM)
    small = kept["fairness", "selection_rate", "minimum_detectable", (("g", "d"),)]
    assert (small.value, small.n) == (None, 30)
    assert small.reason == kept["fairness", "selection_rate", "value", (("g", "d"),)].reason
    assert "fewer than the minimum of 40" in small.reason
    large = kept["fairness", "selection_rate", "minimum_detectable", (("g", "a"),)]
    assert large.details["rest_n"] == 2100


def test_no_group_is_large_enough_and_each_says_so():
    kept = told(world(sizes=(20, 21, 22, 23)), minimum=MINIMUM)
    found = [m for key, m in kept.items() if key[1:3] == ("selection_rate", "minimum_detectable")]
    assert [(m.value, "fewer than the minimum" in m.reason) for m in found] == [(None, True)] * 4


def test_within_a_control_the_small_group_is_named_and_compared_with_nobody():
    kept = told(world(controlled=True), minimum=MINIMUM)
    place = (("attribute", "g"),)
    gap = kept["fairness", "selection_rate", "conditional_difference", place]
    assert gap.details["undefined"] == ["d"]
    assert "d" not in gap.details["pair"]
    assert kept["fairness", "demographic_disparity", "value", (("g", "d"),)].details["reason"] == "below_minimum"
    disparity = kept["fairness", "conditional_demographic_disparity", "value", place]
    assert disparity.details["undefined"] == ["d"]


def test_within_a_control_one_group_that_is_large_enough_has_no_gap():
    kept = told(world(sizes=(300, 0, 0, 30), controlled=True), minimum=MINIMUM)
    names = ("conditional_difference", "conditional_ratio", "conditional_p_value", "heterogeneity_p_value")
    for statistic in names:
        missing = kept["fairness", "selection_rate", statistic, (("attribute", "g"),)]
        raw = kept["fairness", "selection_rate", "difference", (("attribute", "g"),)]
        assert (missing.value, missing.reason) == (None, raw.reason)


def test_no_number_of_any_part_is_told_of_the_small_group():
    """Neither by the search for the worst groups, nor by a standard, nor by scores, nor within a control."""
    rng = np.random.default_rng(0)
    group = np.repeat(list("abcd"), [400, 300, 300, 30])
    score = np.where(group == "d", 0.9, rng.random(len(group)))
    truth = (rng.random(len(group)) < score).astype(int)
    scored = Counts.from_arrays(truth, None, {"g": group}, scores=score)
    for counts in (world(controlled=True), scored):
        plan = {"minimum": MINIMUM, "replicates": 200, "standard": "nyc-ll144"}
        small = [m for m in counts.measures(**plan) if m.where.get("g") == "d"]
        assert len(small) > 50
        assert {m.statistic for m in small if m.value is not None and m.n} == set()
        pairs = [m.details.get("pair") or [] for m in counts.measures(**plan)]
        assert not any("d" in pair for pair in pairs)
    rate = told(scored, minimum=MINIMUM, standard="nyc-ll144")["fairness", "scoring_rate", "value", (("g", "d"),)]
    assert (rate.value, rate.n, rate.details["reason"]) == (None, 30, "below_minimum")
