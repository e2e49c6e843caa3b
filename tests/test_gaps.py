"""Gaps across groups: laws of values and intervals, what is said where nothing can be, and coverage at a gap of 0."""

from dataclasses import replace

import numpy as np
import pytest
from gnomon.audit.fairness import Counts
from gnomon.audit.fairness.comparison import bands, gaps
from gnomon.audit.fairness.comparison.pairs import compared
from gnomon.audit.fairness.table.metrics import BY_NAME, METRICS
from gnomon.audit.fairness.table.plan import Plan
from gnomon.audit.fairness.table.shares import Shares
from gnomon.audit.intervals import koopman, newcombe
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm

SELECTION = BY_NAME["selection_rate"]
counts = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


def pairs(part, whole, level=0.95, joint=None):
    part, whole = np.array(part, float), np.array(whole, float)
    return compared(SELECTION, (Shares(part, whole, whole.astype(int), whole, ""),), level, joint)


def world(sizes, rates, seed=0, **more):
    """Groups a, b, c … whose rows are decided positively at some rates."""
    rng = np.random.default_rng(seed)
    group = np.repeat([chr(97 + k) for k in range(len(sizes))], sizes)
    decided = (rng.random(len(group)) < np.repeat(rates, sizes)).astype(int)
    truth = np.where(rng.random(len(group)) < 0.75, decided, 1 - decided)
    more = {name: of(rng, len(group)) for name, of in more.items()}
    return Counts.from_arrays(truth, decided, {"g": group}, **more)


def measured(counted, **plan):
    context = counted.context(**plan)
    (groups,) = context.groupings
    return {(m.metric, m.statistic, *sorted(m.where.items())): m for m in gaps.measures(groups, context.plan)}


def across(found, metric, statistic):
    return found[metric, statistic, ("attribute", "g")]


def test_two_groups_get_their_own_interval_and_more_get_one_over_all_pairs():
    two = gaps.difference(pairs([48, 56], [80, 70]))
    assert (two.method, two.pairs) == ("newcombe", 1)
    assert [two.low, two.high] == pytest.approx([0.0524, 0.3339], abs=5.1e-5)
    ratio = gaps.ratio(pairs([1, 7], [34, 34]))
    assert (ratio.method, ratio.value) == ("koopman", pytest.approx(1 / 7))
    assert [ratio.low, ratio.high] == pytest.approx([1 / 42.575718, 1 / 1.220853], rel=1e-6)
    three = gaps.difference(pairs([48, 56, 50], [80, 70, 80]))
    alone = newcombe(56, 70, 48, 80, 0.95)
    assert (three.method, three.pairs) == ("newcombe-sidak", 3)
    assert three.low < float(alone[0])
    assert three.high > float(alone[1])


def test_the_joint_level_is_sidaks():
    """Three pairs: each interval at 0.95^(1/3), found here by solving the Wilson quadratic anew."""
    z = norm.ppf((1 + 0.95 ** (1 / 3)) / 2)

    def end(p, n, side):
        return brentq(
            lambda q: (p - q) - side * z * np.sqrt(q * (1 - q) / n), *((1e-9, p) if side > 0 else (p, 1 - 1e-9))
        )

    near = 0.6 - np.hypot(0.8 - end(0.8, 100, 1), end(0.2, 100, -1) - 0.2)
    assert gaps.difference(pairs([80, 20, 50], [100, 100, 100])).low == pytest.approx(near, rel=1e-9)


@given(st.lists(counts, min_size=2, max_size=6))
@settings(max_examples=50)
def test_a_gap_lies_in_its_interval_and_names_its_pair(rows):
    part, whole = (np.array(column) for column in zip(*rows, strict=True))
    rates = part / whole
    gap = gaps.difference(pairs(part, whole, 0.9))
    assert gap.low <= gap.value <= gap.high
    assert gap.value == pytest.approx(rates[gap.highest] - rates[gap.lowest])
    assert gap.value == pytest.approx(np.ptp(rates))
    ratio = gaps.ratio(pairs(part, whole, 0.9))
    assert (ratio is None) == (part.sum() == 0)
    if ratio is not None:
        assert ratio.low <= ratio.value <= ratio.high
        assert ratio.value == pytest.approx(rates.min() / rates.max())


@given(st.lists(counts, min_size=3, max_size=6), st.randoms())
@settings(max_examples=30)
def test_the_order_of_groups_changes_no_gap(rows, random):
    shuffled = rows.copy()
    random.shuffle(shuffled)
    one, other = (pairs(*zip(*some, strict=True)) for some in (rows, shuffled))
    for of in (gaps.difference, gaps.ratio):
        a, b = of(one), of(other)
        assert (a is None) == (b is None)
        if a is not None:
            assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high))


def test_impact_ratios_are_to_the_highest_group_and_the_least_is_the_ratio():
    found = measured(world([300, 400, 500], [0.2, 0.35, 0.5]), replicates=0)
    rates = np.array([found["selection_rate", "impact_ratio", ("g", g)].value for g in "abc"])
    assert rates.max() == 1
    gap = across(found, "selection_rate", "ratio")
    worst = found["selection_rate", "impact_ratio", ("g", "a")]
    assert (worst.value, worst.low) == pytest.approx((gap.value, gap.low))
    assert worst.details["highest"] == "c"


def test_without_resamples_nothing_is_drawn_and_with_them_bands_are_narrower():
    counted = world([300, 400, 500, 300], [0.2, 0.35, 0.5, 0.3])
    closed, drawn = measured(counted, replicates=0), measured(counted, replicates=4_000)
    a, b = (across(found, "selection_rate", "difference") for found in (closed, drawn))
    assert (a.method, b.method) == ("newcombe-sidak", "newcombe-max-t")
    assert a.value == b.value
    assert b.low > a.low
    assert b.high < a.high
    assert across(drawn, "f1_score", "difference").method == "wilson, bent, mover-max-t"
    assert across(drawn, "selection_rate", "debiased_spread").low is not None


def test_a_group_with_few_successes_keeps_the_closed_form():
    found = measured(world([300, 400, 12], [0.2, 0.35, 0.5]), replicates=500)
    assert across(found, "selection_rate", "difference").method == "newcombe-sidak"


@pytest.mark.parametrize("replicates", [0, 300])
def test_two_groups_have_closed_forms_whatever_the_resamples(replicates):
    found = measured(world([300, 400], [0.2, 0.35]), replicates=replicates)
    assert across(found, "selection_rate", "difference").method == "newcombe"
    assert across(found, "selection_rate", "ratio").method == "koopman"
    assert across(found, "selection_rate", "p_value").method == "fisher exact"


WEIGHTS = {"weights": lambda rng, n: rng.choice([0.5, 1, 3], n)}
CLUSTERS = {"clusters": lambda rng, n: rng.integers(0, n // 3, n)}


@pytest.mark.parametrize("more, closed", [(WEIGHTS, "newcombe-kish"), (CLUSTERS, "newcombe-cluster")])
def test_weighted_or_clustered_gaps_are_resampled_where_that_is_asked_for(more, closed):
    for sizes, rates, name, drawn in (
        ([300, 400], [0.2, 0.35], closed, "bca"),
        ([300, 400, 300], [0.2, 0.35, 0.5], f"{closed}-sidak", "newcombe-bootstrap-max-t"),
    ):
        counted = world(sizes, rates, **more)
        without, with_them = measured(counted, replicates=0), measured(counted, replicates=800)
        a, b = (across(found, "selection_rate", "difference") for found in (without, with_them))
        assert (a.method, b.method) == (name, drawn)
        assert a.value == b.value
        assert [b.low, b.high] == pytest.approx([a.low, a.high], abs=0.05)
        assert across(with_them, "selection_rate", "p_value").value is None


def test_p_values_are_adjusted_for_their_family():
    found = measured(world([300, 400, 500], [0.2, 0.35, 0.5]), replicates=999)
    tests = {m.metric: m for m in found.values() if m.statistic == "p_value"}
    assert set(tests) == {metric.name for metric in METRICS}
    assert tests["selection_rate"].value == 1 / 1000
    assert tests["true_positive_rate"].value == tests["false_negative_rate"].value
    for test in tests.values():
        assert test.value <= test.details["benjamini_hochberg"] <= test.details["holm"] <= 1
        assert test.details["family"] == 10  # five metrics are another's complement


def test_of_very_many_groups_each_has_an_interval_of_its_own():
    rng = np.random.default_rng(0)
    whole = rng.integers(5, 60, 400)
    part = rng.binomial(whole, 0.3)
    gap = gaps.difference(pairs(part, whole))
    assert gap.method == "wilson-sidak"
    assert gap.low == 0
    assert gap.low <= gap.value <= gap.high <= 1
    ratio = gaps.ratio(pairs(part, whole))
    assert ratio.low <= ratio.value <= ratio.high == 1


def test_a_posterior_takes_wilsons_place_where_it_is_asked_for():
    counted = world([300, 400], [0.2, 0.35])
    for posterior, name in ((False, "wilson"), (True, "jeffreys")):
        (row,) = [
            m
            for m in counted.measures(replicates=0, posterior=posterior)
            if (m.metric, m.statistic, m.where) == ("selection_rate", "value", {"g": "a"})
        ]
        assert row.method == name
        assert row.low < row.value < row.high


def test_rows_without_labels_tell_only_what_needs_none():
    counted = Counts.from_arrays(None, [1, 0, 1, 1, 0, 0], {"g": list("aabbcc")})
    assert {m.metric for m in measured(counted, replicates=0).values()} == {"selection_rate"}


def test_nothing_is_ever_shown_without_a_number_or_a_reason():
    cases = [
        ([0, 0, 0], [1, 0, 1], list("abc")),
        ([1, 1, 1], [1, 0, 1], list("abc")),
        ([0, 1], [1, 0], ["a", "a"]),
        ([1, 0, 1, 0], [1, 1, 1, 1], list("abcd")),
        ([1, 0, 1], [0, 0, 0], list("aab")),
        ([1, 1, 0], [1, 1, 0], ["a,b", '"<script>"', "😀"]),
    ]
    for truth, decided, group in cases:
        for replicates in (0, 50):
            found = measured(Counts.from_arrays(truth, decided, {"g": group}), replicates=replicates)
            assert found
            for m in found.values():
                assert (m.value is None) == bool(m.reason)


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from("abc")), min_size=2, max_size=40))
@settings(max_examples=30)
def test_any_rows_give_numbers_or_reasons(rows):
    truth, decided, group = zip(*rows, strict=True)
    if any(truth) or any(decided):
        counted = Counts.from_arrays([int(t) for t in truth], [int(d) for d in decided], {"g": list(group)})
        for m in measured(counted, replicates=60).values():
            assert (m.value is None) == bool(m.reason)


def drawn_gaps(rates, sizes, trials, **plan):
    """Gaps of samples, from bands of their own draws."""
    rng, sizes = np.random.default_rng(1), np.array(sizes)
    empty = world(sizes, [0.5] * len(sizes)).context().groupings[0]
    for trial in range(trials):
        part = rng.binomial(sizes, rates)
        rows = np.zeros((len(sizes), 3, 2), np.int64)
        rows[:, 2] = np.stack([sizes - part, part], 1)
        groups = replace(empty, rows=rows, sums=rows.astype(float))
        found = (Shares(part.astype(float), sizes.astype(float), sizes, sizes.astype(float), ""),)
        draws = bands.resample(groups, SELECTION, found, np.arange(len(sizes)), Plan(seed=trial, **plan))
        for k, of in enumerate((gaps.difference, gaps.ratio)):
            yield k, of(compared(SELECTION, found, 0.95, draws and draws.joint(0.95, relative=bool(k))))


@pytest.mark.parametrize("replicates", [0, 500])
@pytest.mark.parametrize("rates", [[0.3] * 5, [0.2, 0.3, 0.3, 0.4, 0.45]])
def test_the_gap_of_many_groups_is_covered_also_where_it_is_nothing(rates, replicates):
    """The extreme pair's own interval would exclude a true gap of 0 far too often; the joint one does not."""
    truth, trials, held = (max(rates) - min(rates), min(rates) / max(rates)), 400, np.zeros(2)
    for k, gap in drawn_gaps(rates, [150, 300, 80, 200, 1000], trials, replicates=replicates):
        assert ("max-t" in gap.method) == bool(replicates)
        held[k] += gap.low - 1e-12 <= truth[k] <= gap.high + 1e-12
    assert (held / trials > 0.92).all()  # 95 % less what 400 samples may stray


def test_the_extreme_pairs_own_interval_would_not_cover():
    """The reason for bands: of ten equal groups the extreme pair, taken by itself, seems to differ most of the time."""
    rng, missed = np.random.default_rng(0), 0
    for _ in range(200):
        part = rng.binomial(200, 0.3, 10)
        low, _ = newcombe(part.max(), 200, part.min(), 200)
        missed += low > 0
    assert missed / 200 > 0.3


def test_a_pairs_ratio_is_koopmans_of_lowest_to_highest():
    gap = gaps.ratio(pairs([30, 12], [100, 90], 0.9))
    assert [gap.low, gap.high] == pytest.approx([float(end) for end in koopman(12, 90, 30, 100, 0.9)])
