"""Intervals of shares, differences and ratios against published numbers, replicas of the mathematics, and coverage."""

import numpy as np
import pytest
from gnomon.audit.intervals import (
    agresti_caffo,
    jeffreys,
    koopman,
    log_ratio,
    newcombe,
    score_difference,
    wilson,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import beta, binom, chi2, norm
from statsmodels.stats.proportion import confint_proportions_2indep

Z = norm.ppf(0.975)
usual = st.integers(40, 90).flatmap(lambda n: st.tuples(st.integers(12, n - 12), st.just(n)))
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


def test_koopman_with_the_larger_variance_gives_the_published_interval():
    found = [float(x) for x in koopman(7, 34, 1, 34, correct=True)]
    assert found == pytest.approx([1.208568, 43.032972], abs=5e-7)


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


def mee(*counts):
    return score_difference(*counts, correct=False)


@pytest.mark.parametrize(
    "of, counts, low, high",
    [
        (mee, (56, 70, 48, 80), 0.0533, 0.3377),
        (score_difference, (56, 70, 48, 80), 0.0528, 0.3382),
        (agresti_caffo, (56, 70, 48, 80), 0.0525, 0.3358),
        (score_difference, (10, 10, 0, 20), 0.7156, 1),
        (mee, (10, 10, 0, 20), 0.7225, 1),
        (mee, (7, 34, 1, 34), 0.0284, 0.3439),
        (score_difference, (7, 34, 1, 34), 0.0270, 0.3453),
        (agresti_caffo, (7, 34, 1, 34), 0.01161167, 0.32172166),
        (log_ratio, (7, 34, 1, 34), 0.9096, 53.869),
    ],
)
def test_other_intervals_of_two_groups_are_the_published_ones(of, counts, low, high):
    digits = 5.1e-9 if low == 0.01161167 else 5.1e-5 if high < 2 else 5.1e-4
    assert [float(x) for x in of(*counts)] == pytest.approx([low, high], abs=digits)


def test_half_a_count_added_gives_the_published_ratio():
    low, high = log_ratio(7, 34, 1, 34, add=0.5)
    assert float(low) == pytest.approx(0.9241, abs=5.1e-5)
    assert float(high) == pytest.approx(27.052, abs=5.1e-4)


@given(table, table)
@settings(max_examples=30)
def test_the_score_intervals_ends_are_where_the_score_test_gives_up(first, second):
    """The restricted maximum is found numerically here, and by its cubic there."""
    (x1, n1), (x2, n2) = first, second
    for end in (float(e) for e in mee(x1, n1, x2, n2)):
        if not -1 < end < 1:
            continue

        def minus_log_likelihood(p2, end=end):
            p1 = np.clip(p2 + end, 1e-15, 1 - 1e-15)
            p2 = np.clip(p2, 1e-15, 1 - 1e-15)
            return -(x1 * np.log(p1) + (n1 - x1) * np.log1p(-p1) + x2 * np.log(p2) + (n2 - x2) * np.log1p(-p2))

        bounds = max(0.0, -end), min(1.0, 1 - end)
        p2 = minimize_scalar(minus_log_likelihood, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
        p1 = p2 + end
        variance = p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2
        assert abs(x1 / n1 - x2 / n2 - end) == pytest.approx(Z * np.sqrt(variance), rel=2e-3, abs=2e-4)


@given(usual, usual)
@settings(max_examples=15)
def test_statsmodels_gives_the_same_score_interval_of_a_ratio(first, second):
    """Away from the ends, where its root finding gives up; of a difference it often does so everywhere."""
    theirs = confint_proportions_2indep(*first, *second, compare="ratio", method="score", correction=False)
    assert [float(x) for x in koopman(*first, *second)] == pytest.approx(theirs, rel=1e-4)


@given(table, st.floats(0.5, 0.999))
@settings(max_examples=30)
def test_jeffreys_interval_is_that_of_its_posterior(counts, level):
    x, n = counts
    low, high = (float(end) for end in jeffreys(x, n, level))
    posterior = beta(x + 0.5, n - x + 0.5)
    assert low == pytest.approx(min(x / n, posterior.ppf((1 - level) / 2)) if x else 0, abs=1e-9)
    assert high == pytest.approx(max(x / n, posterior.ppf((1 + level) / 2)) if x < n else 1, abs=1e-9)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9999999])
def test_koopman_holds_at_levels_far_from_the_usual(level):
    counts = [(14, 14, 3, 40), (1, 60, 60, 60), (30, 30, 30, 30), (2, 9, 5, 6)]
    for x1, n1, x2, n2 in counts:
        for end in (float(e) for e in koopman(x1, n1, x2, n2, level)):
            if 0 < end < np.inf and abs(np.log(end * (x2 / n2) / (x1 / n1))) > 1e-9:
                assert chi_square(end, x1, n1, x2, n2) == pytest.approx(chi2.ppf(level, 1), rel=1e-3)


def test_each_pair_may_have_a_level_of_its_own():
    both = koopman([7, 7], 34, [1, 1], 34, [0.95, 0.5])
    assert float(both[1][0]) == pytest.approx(float(koopman(7, 34, 1, 34)[1]))
    assert both[1][1] < both[1][0]
