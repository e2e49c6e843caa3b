"""Intervals of shares, differences and ratios against published numbers, replicas of the mathematics, and coverage."""

import numpy as np
import pytest
from gnomon.audit.fairness import gaps
from gnomon.audit.intervals import koopman, newcombe, wilson
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import binom, chi2, norm

Z = norm.ppf(0.975)
table = st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    "part, whole, low, high",
    [
        (81, 263, 0.2553, 0.3662), (50, 100, 0.4038, 0.5962), (70, 100, 0.6042, 0.7811), (4, 5, 0.3755, 0.9638),
        (4, 6, 0.3000, 0.9032), (2, 5, 0.1176, 0.7693), (0, 10, 0, 0.2775), (10, 10, 0.7225, 1), (0, 20, 0, 0.1611),
    ],
)  # fmt: skip
def test_wilson_gives_the_published_intervals(part, whole, low, high):
    assert [float(x) for x in wilson(part, whole)] == pytest.approx([low, high], abs=5.1e-5)


@given(table)
def test_wilsons_ends_are_where_the_score_test_gives_up(counts):
    x, n = counts
    low, high = wilson(x, n)
    for end in (float(low), float(high)):
        if 0 < end < 1:
            assert abs(x / n - end) == pytest.approx(Z * np.sqrt(end * (1 - end) / n), rel=1e-9)
    assert low <= x / n <= high


def test_wilson_of_nothing_is_not_a_number():
    assert np.isnan(wilson(0, 0)).all()


@pytest.mark.parametrize(
    "counts, low, high",
    [((56, 70, 48, 80), 0.0524, 0.3339), ((10, 10, 0, 20), 0.6791, 1), ((7, 34, 1, 34), 0.0189, 0.3404)],
)
def test_newcombe_gives_the_published_intervals(counts, low, high):
    assert [float(x) for x in newcombe(*counts)] == pytest.approx([low, high], abs=5.1e-5)


def test_koopman_gives_the_published_interval():
    assert [float(x) for x in koopman(7, 34, 1, 34)] == pytest.approx([1.220853, 42.575718], abs=5e-7)


def chi_square(ratio, x1, n1, x2, n2):
    """Koopman's statistic with the restricted maximum found numerically instead of by its formula."""

    def minus_log_likelihood(p):
        p1 = ratio * p
        return -(x1 * np.log(p1) + (n1 - x1) * np.log1p(-p1) + x2 * np.log(p) + (n2 - x2) * np.log1p(-p))

    most = min(1.0, 1 / ratio)
    p = minimize_scalar(
        minus_log_likelihood, bounds=(1e-12, most - 1e-12), method="bounded", options={"xatol": 1e-13}
    ).x
    return sum((x - n * q) ** 2 / (n * q * (1 - q)) for x, n, q in ((x1, n1, ratio * p), (x2, n2, p)))


@given(table, table)
def test_koopmans_ends_are_where_the_score_test_gives_up(first, second):
    (x1, n1), (x2, n2) = first, second
    low, high = (float(x) for x in koopman(x1, n1, x2, n2))
    if not x1 and not x2:
        assert np.isnan(low)
        assert np.isnan(high)
        return
    for end in (low, high):
        if 0 < end < np.inf:
            assert chi_square(end, x1, n1, x2, n2) == pytest.approx(chi2.ppf(0.95, 1), rel=1e-4)
    assert (low == 0) == (x1 == 0)
    assert (high == np.inf) == (x2 == 0)


@given(table, table)
def test_swapping_the_groups_turns_the_ratio_over(first, second):
    if not (first[0] and second[0]):
        return
    low, high = koopman(*first, *second)
    swapped = koopman(*second, *first)
    assert [float(low), float(high)] == pytest.approx([1 / float(swapped[1]), 1 / float(swapped[0])], rel=1e-9)


def test_intervals_over_arrays_are_those_of_each_pair():
    x1, n1, x2, n2 = np.array([[7, 0, 5], [34, 10, 9], [1, 5, 5], [34, 10, 9]])
    low, high = koopman(x1, n1, x2, n2)
    for k in range(3):
        assert [low[k], high[k]] == pytest.approx([float(v) for v in koopman(x1[k], n1[k], x2[k], n2[k])], rel=1e-12)


@pytest.mark.parametrize("n", [20, 100, 500])
@pytest.mark.parametrize("p", [0.05, 0.2, 0.5])
def test_wilson_covers_by_enumeration(n, p):
    x = np.arange(n + 1)
    low, high = wilson(x, n)
    assert binom.pmf(x, n, p)[(low <= p) & (p <= high)].sum() > 0.915


@pytest.mark.parametrize("p, q, n, m", [(0.2, 0.2, 30, 50), (0.5, 0.3, 40, 40), (0.1, 0.05, 100, 60)])
def test_differences_and_ratios_cover_by_enumeration(p, q, n, m):
    x, y = np.meshgrid(np.arange(n + 1), np.arange(m + 1), indexing="ij")
    chance = binom.pmf(x, n, p) * binom.pmf(y, m, q)
    low, high = newcombe(x, n, y, m)
    assert 0.93 < chance[(low <= p - q) & (p - q <= high)].sum() < 0.975
    low, high = koopman(x, n, y, m)
    covered = (low <= p / q) & (p / q <= high) | np.isnan(low)
    assert 0.93 < chance[covered].sum() < 0.975


def counts_of(rates, sizes, rng):
    sizes = np.array(sizes)
    return rng.binomial(sizes, rates), sizes


@pytest.mark.parametrize("rates", [[0.3] * 4, [0.2, 0.3, 0.3, 0.45]])
def test_the_gap_of_many_groups_is_covered_also_where_it_is_nothing(rates):
    """The extreme pair's own interval would exclude a true gap of 0 far too often; the joint one does not."""
    rng, trials = np.random.default_rng(1), 1000
    truth = max(rates) - min(rates), min(rates) / max(rates)
    hits = np.zeros(2)
    for _ in range(trials):
        part, whole = counts_of(rates, [150, 300, 80, 200], rng)
        for k, gap in enumerate((gaps.difference(part, whole, 0.95), gaps.ratio(part, whole, 0.95))):
            hits[k] += gap.low <= truth[k] <= gap.high
    assert (hits / trials > 0.94).all()


def test_two_groups_get_their_own_interval_and_more_get_one_over_all_pairs():
    two = gaps.difference(np.array([48, 56]), np.array([80, 70]), 0.95)
    assert (two.method, two.pairs) == ("newcombe", 1)
    assert [two.low, two.high] == pytest.approx([0.0524, 0.3339], abs=5.1e-5)
    ratio = gaps.ratio(np.array([1, 7]), np.array([34, 34]), 0.95)
    assert (ratio.method, ratio.value) == ("koopman", pytest.approx(1 / 7))
    assert [ratio.low, ratio.high] == pytest.approx([1 / 42.575718, 1 / 1.220853], rel=1e-6)
    three = gaps.difference(np.array([48, 56, 50]), np.array([80, 70, 80]), 0.95)
    alone = newcombe(56, 70, 48, 80, 0.95)
    assert (three.method, three.pairs) == ("newcombe-sidak", 3)
    assert three.low < float(alone[0])
    assert three.high > float(alone[1])


def test_the_joint_level_is_sidaks():
    """Three equal pairs: each interval at 0.95^(1/3), found here by solving the Wilson quadratic anew."""
    level = 0.95 ** (1 / 3)
    z = norm.ppf((1 + level) / 2)

    def end(p, n, side):
        return brentq(
            lambda q: (p - q) - side * z * np.sqrt(q * (1 - q) / n), *((1e-9, p) if side > 0 else (p, 1 - 1e-9))
        )

    l1, u2 = end(0.8, 100, 1), end(0.2, 100, -1)
    near = 0.6 - np.hypot(0.8 - l1, u2 - 0.2)
    gap = gaps.difference(np.array([80, 20, 50]), np.array([100, 100, 100]), 0.95)
    assert gap.low == pytest.approx(near, rel=1e-9)


@given(st.lists(table, min_size=2, max_size=6))
def test_a_gap_lies_in_its_interval_and_names_its_pair(rows):
    part, whole = (np.array(column) for column in zip(*rows, strict=True))
    rates = part / whole
    gap = gaps.difference(part, whole, 0.9)
    assert gap.low <= gap.value <= gap.high
    assert gap.value == pytest.approx(rates[gap.highest] - rates[gap.lowest])
    assert gap.value == pytest.approx(np.ptp(rates))
    ratio = gaps.ratio(part, whole, 0.9)
    assert (ratio is None) == (part.sum() == 0)
    if ratio is not None:
        assert ratio.low <= ratio.value <= ratio.high
        assert ratio.value == pytest.approx(rates.min() / rates.max())
