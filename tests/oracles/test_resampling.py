"""Resampling counts against resampling rows, jackknife and BCa against replicas, coverage, and tests on counts."""

from dataclasses import replace

import numpy as np
import pytest
from gnomon.audit.fairness import Counts
from gnomon.audit.fairness.comparison import bands, chance, gaps, permutation, pool, resampling, spread
from gnomon.audit.fairness.comparison.multiplicity import benjamini_hochberg, holm
from gnomon.audit.fairness.table.metrics import BY_NAME
from gnomon.audit.fairness.table.plan import Plan
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap, chi2, fisher_exact, multivariate_hypergeom, ncx2
from statsmodels.stats.multitest import multipletests


def people(n, groups, seed=0):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, n)
    return truth, np.where(rng.random(n) < 0.7, truth, 1 - truth), rng.choice(list("abcdefgh")[:groups], n), rng


def grouped(n=400, groups=3, seed=0, **more):
    truth, decided, group, _ = people(n, groups, seed)
    return Counts.from_arrays(truth, decided, {"g": group}, **more).context(seed=seed).groupings[0]


def rate(cells):
    """A true positive rate of everyone."""
    return cells[..., 1, 1].sum(-1) / cells[..., 1, :].sum((-1, -2))


def test_drawn_cells_have_the_mean_and_covariance_of_drawn_rows():
    groups = grouped()
    drawn = resampling.draws(groups, Plan(replicates=40_000)).reshape(40_000, -1)
    n, cells = groups.rows.sum(), groups.rows.reshape(-1)
    share = cells / n
    assert (drawn.sum(1) == n).all()
    assert drawn.mean(0) == pytest.approx(cells, abs=4 * np.sqrt(n / 4 / 40_000))
    expected = n * (np.diag(share) - np.outer(share, share))
    assert np.cov(drawn.T) == pytest.approx(expected, abs=1.5)


def test_resampling_counts_is_resampling_rows():
    truth, decided, _, rng = people(300, 2, 5)
    groups = grouped(300, 2, 5)
    index = rng.integers(0, 300, (4000, 300))
    picked = decided[index] == 1
    by_rows = np.array([(p & (t == 1)).sum() / (t == 1).sum() for p, t in zip(picked, truth[index], strict=True)])
    by_cells = rate(resampling.draws(groups, Plan(replicates=4000)).astype(float))
    assert by_cells.std() == pytest.approx(by_rows.std(), rel=0.06)
    assert np.quantile(by_cells, [0.025, 0.975]) == pytest.approx(np.quantile(by_rows, [0.025, 0.975]), abs=0.008)


def test_the_jackknife_over_cells_is_that_over_rows():
    truth, decided, _, _ = people(120, 2, 3)
    groups = grouped(120, 2, 3)
    keep = ~np.eye(120, dtype=bool)
    left_out = np.array([(decided[k] & truth[k]).sum() / truth[k].sum() for k in keep])
    mean = left_out.mean()
    half = 1.959963985 * np.sqrt(119 / 120 * ((left_out - mean) ** 2).sum())
    value, low, high, method = resampling.of_cells(rate, groups, 0.95, Plan(replicates=0))
    assert method == "jackknife"
    assert [value, low, high] == pytest.approx([rate(groups.sums), value - half, value + half], rel=1e-9)


def test_bca_is_that_of_scipy_over_rows():
    truth, decided, _, _ = people(150, 2, 8)
    groups = grouped(150, 2, 8)

    def of_rows(t, d, axis=-1):
        return (t * d).sum(axis) / t.sum(axis)

    theirs = bootstrap(
        (truth, decided), of_rows, paired=True, vectorized=True, n_resamples=9999, method="BCa",
        rng=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    _, low, high, method = resampling.of_cells(rate, groups, 0.95, Plan())
    assert method == "bca"
    assert [low, high] == pytest.approx([theirs.low, theirs.high], abs=0.006)


def test_what_never_varies_has_no_interval():
    for replicates in (0, 200):
        found = resampling.of_cells(lambda cells: 0 * rate(cells) + 1, grouped(), 0.95, Plan(replicates=replicates))
        assert found == (1, None, None, "")


def test_what_is_often_undefined_in_resamples_has_no_interval():
    counts = Counts.from_arrays([1, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0], {"g": list("aabbab")})
    found = resampling.of_cells(rate, counts.context().groupings[0], 0.95, Plan(replicates=500))
    assert (found.low, found.high) == (None, None)


def test_the_same_seed_draws_the_same_whatever_the_order_of_rows():
    truth, decided, group, rng = people(500, 3)
    order = rng.permutation(500)
    one, other = (
        Counts.from_arrays(truth[k], decided[k], {"g": group[k]}).context().groupings[0]
        for k in (np.arange(500), order)
    )
    plan = Plan(replicates=300, seed=4)
    assert (resampling.draws(one, plan) == resampling.draws(other, plan)).all()
    assert (resampling.draws(one, plan) != resampling.draws(one, replace(plan, seed=5))).any()


def weighted(n, kinds, seed=0):
    truth, decided, group, rng = people(n, 2, seed)
    weight = rng.choice(rng.gamma(2, 1, kinds) + 0.1, n)
    counts = Counts.from_arrays(truth, decided, {"g": group}, weights=weight)
    return counts.context().groupings[0], truth, decided, weight, rng


@pytest.mark.parametrize("kinds", [3, 100_000])
def test_weighted_rows_are_drawn_as_rows(kinds):
    """Few weights are drawn one by one, many by the two weights that stand for a cell."""
    groups, truth, decided, weight, rng = weighted(6_000, kinds)
    assert (len(groups.units.cell) > pool.KINDS) == (kinds > 10)
    index = rng.integers(0, 6_000, (1_500, 6_000))
    t, d, w = truth[index], decided[index], weight[index]
    by_rows = (t * d * w).sum(1) / (t * w).sum(1)
    by_cells = rate(resampling.draws(groups, Plan(replicates=4_000)).astype(float))
    assert by_cells.mean() == pytest.approx(by_rows.mean(), abs=0.001)
    assert by_cells.std() == pytest.approx(by_rows.std(), rel=0.06)


@given(st.lists(st.floats(0.01, 50), min_size=2, max_size=30))
@settings(max_examples=30)
def test_two_weights_keep_three_moments_of_a_cells_weights(weights):
    w = np.array(weights)
    _, nodes, times = pool._two_weights(np.zeros(len(w), np.int64), w, np.ones(len(w)))
    for power in range(4):
        assert (times * nodes**power).sum() == pytest.approx((w**power).sum(), rel=1e-5)
    assert w.min() - 1e-6 <= nodes.min() <= nodes.max() <= w.max() + 1e-6


@pytest.mark.parametrize("clusters", [60, 3_000])
def test_clusters_are_drawn_whole(clusters):
    """Rows of a person decide alike, so the spread is that of persons; very many are drawn in blocks."""
    rng = np.random.default_rng(2)
    each = 6
    person = np.repeat(np.arange(clusters), each)
    decided = np.repeat(rng.integers(0, 2, clusters), each)
    counts = Counts.from_arrays(None, decided, {"g": np.where(person % 2, "a", "b")}, clusters=person)
    groups = counts.context().groupings[0]
    drawn = resampling.draws(groups, Plan(replicates=4_000)).astype(float)
    share = drawn[..., 2, 1].sum(-1) / drawn.sum((-1, -2, -3))
    p = decided.mean()
    assert share.std() == pytest.approx(np.sqrt(p * (1 - p) / clusters), rel=0.08)


@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
def test_pruned_pairs_give_the_quantile_of_all_pairs(level):
    rng = np.random.default_rng(0)
    spread = rng.gamma(2, 1, 12)
    deviation = (rng.standard_t(4, (3_000, 12)) * spread).astype(np.float32)
    i, j = np.triu_indices(12, 1)
    every = (np.abs(deviation[:, i] - deviation[:, j]) / np.hypot(spread[i], spread[j])).max(1)
    pruned = bands.largest(deviation, spread, level)
    assert np.quantile(pruned, level, method="higher") == pytest.approx(
        np.quantile(every, level, method="higher"), 1e-5
    )


def test_the_critical_value_is_that_of_the_studentised_range():
    """Equal groups: max |t| over pairs is the range over √2, tabulated by Tukey as q(.95; 5, ∞) = 3.858."""
    rng = np.random.default_rng(0)
    found = bands.largest(rng.standard_normal((60_000, 5)), np.ones(5), 0.95)
    assert np.quantile(found, 0.95) * np.sqrt(2) == pytest.approx(3.858, abs=0.03)


@pytest.mark.parametrize("groups, d2", [(2, 1.128), (3, 1.693), (5, 2.326), (10, 3.078), (20, 3.735)])
def test_the_expected_gap_of_many_rows_is_the_tabulated_range(groups, d2):
    n, p = 1_000_000, 0.3
    assert chance.expected_gap(np.full(groups, n), p) / np.sqrt(p * (1 - p) / n) == pytest.approx(d2, abs=2e-3)


@pytest.mark.parametrize("sizes", [[8, 15, 30], [40, 900, 4_000, 20_000], [30, 100, 5_000]])
@pytest.mark.parametrize("rate", [0.04, 0.3, 0.9])
def test_the_expected_gap_is_the_mean_of_simulated_gaps(sizes, rate):
    rng = np.random.default_rng(0)
    gaps = np.ptp(rng.binomial(sizes, rate, (200_000, len(sizes))) / np.array(sizes), axis=1)
    assert chance.expected_gap(np.array(sizes), rate) == pytest.approx(gaps.mean(), rel=0.01)


def test_the_debiased_spread_is_right_on_average():
    rng = np.random.default_rng(0)
    true, n = np.array([0.2, 0.3, 0.35, 0.5]), np.array([20.0, 40, 60, 30])
    found = [spread.spread(rng.binomial(n.astype(int), true) / n, n) for _ in range(20_000)]
    assert np.mean(found) == pytest.approx(true.var(ddof=1), rel=0.03)


@pytest.mark.parametrize(("groups", "signal"), [(2, 3.0), (4, 0.0), (6, 2.0)])
def test_of_groups_equally_sure_the_spread_seen_is_noncentral_chi_square(groups, signal):
    seen = spread.Seen(5 * np.linspace(0, 1, groups) ** 2, np.full(groups, 0.25))
    truth = seen.truth(np.log(np.sqrt(signal / seen.size))) if signal else spread.Truth(0.0, np.zeros(4))
    for size in (0.1, 1.0, 4.0):
        assert seen.below(size, truth) == pytest.approx(ncx2.cdf(size / 0.25, groups - 1, signal / 0.25), abs=1e-6)


def test_of_groups_unlike_in_rows_the_spread_seen_is_that_of_a_simulation():
    rng, variance = np.random.default_rng(0), np.array([2.0, 1.0, 0.5, 0.25])
    seen, none = spread.Seen(np.array([0.0, 1, 5, 2]), variance), spread.Truth(0.0, np.zeros(4))
    drawn = (rng.normal(size=(100_000, 4)) * np.sqrt(variance)).var(1) * 4
    for size in (1.0, 3.0, 8.0, 12.0):
        assert seen.below(size, none) == pytest.approx((drawn <= size).mean(), abs=0.02)


def test_the_spread_is_above_0_where_a_test_finds_groups_unlike_and_never_certainly_0():
    rng, n = np.random.default_rng(0), np.full(4, 200.0)
    for _ in range(100):
        rate = rng.binomial(200, 0.4, 4) / 200
        inside = (rate * n + 0.5) / (n + 1)
        variance = inside * (1 - inside) / n
        low, high = spread.ends(rate, np.full(4, variance.mean()), 0.95)
        p = chi2.sf(rate.var() * 4 / variance.mean(), 3)
        assert (low > 0) == (p < 0.05)
        assert high > 0.01


@pytest.mark.parametrize("tau", [0.0, 0.03, 0.12])
@pytest.mark.parametrize("sizes", [(150, 150), (100, 400, 2000), (200,) * 6])
def test_the_interval_of_the_debiased_spread_holds_the_true_one(tau, sizes):
    rng, n = np.random.default_rng(1), np.array(sizes, float)
    place = np.arange(len(n)) % 3 + np.linspace(0, 1, len(n))
    true = 0.4 + tau * (place - place.mean()) / place.std(ddof=1)
    held = 0
    for _ in range(300):
        rate = rng.binomial(sizes, true) / n
        inside = (rate * n + 0.5) / (n + 1)
        low, high = spread.ends(rate, inside * (1 - inside) / n, 0.95)
        held += low - 1e-9 <= tau <= high + 1e-9
    assert 0.91 <= held / 300 <= 0.99


@given(st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(1e-9, 1e6)), min_size=2, max_size=9))
@settings(max_examples=30)
def test_a_spread_has_two_ends_whatever_the_numbers(rows):
    values, variance = map(np.array, zip(*rows, strict=True))
    low, high = spread.ends(values, variance, 0.9)
    assert 0 <= low <= high < np.inf
    assert spread.ends(10 * values, 100 * variance, 0.9) == pytest.approx((10 * low, 10 * high), rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("x", [(0, 2, 2), (0, 0, 0), (20, 20, 20), (0, 20, 20), (3, 3, 0)])
def test_groups_that_tie_have_a_spread_with_two_ends(x):
    inside = (np.array(x) + 0.5) / 21
    low, high = spread.ends(np.array(x) / 20, inside * (1 - inside) / 20, 0.95)
    assert 0 <= low < high < np.inf


def test_draws_of_clusters_take_out_what_moves_groups_together():
    truth, decided, group, rng = people(1_200, 3)
    household = rng.integers(0, 300, 1_200)
    decided = np.where(rng.random(1_200) < 0.8, household % 2, decided)
    context = Counts.from_arrays(truth, decided, {"g": group}, clusters=household).context(replicates=500)
    widths = []
    for replicates in (0, 500):
        plan = replace(context.plan, replicates=replicates)
        found = gaps.measures(context.groupings[0], plan)
        m = next(m for m in found if (m.metric, m.statistic) == ("selection_rate", "debiased_spread"))
        widths.append((m.value, m.high - m.low))
    (value, wide), (same, narrow) = widths
    assert value == same
    assert narrow < wide  # households hold rows of all groups, so groups rise and fall together


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=12))
@settings(max_examples=30)
def test_statsmodels_adjusts_p_values_alike(p):
    for ours, theirs in ((holm, "holm"), (benjamini_hochberg, "fdr_bh")):
        assert ours(p) == pytest.approx(multipletests(p, method=theirs)[1])


@given(st.tuples(*[st.integers(0, 40)] * 4).filter(lambda t: t[0] + t[1] and t[2] + t[3]))
@settings(max_examples=60)
def test_scipy_gives_the_same_exact_test(counts):
    a, b, c, d = counts
    ours = permutation.fisher(np.array([a, c]), np.array([a + b, c + d]))
    assert ours == pytest.approx(fisher_exact([[a, b], [c, d]]).pvalue, rel=1e-6)


def test_an_exact_test_of_millions_of_rows_is_a_number_above_0():
    assert 0 < permutation.fisher(np.array([900_000, 100_000]), np.array([1_000_000, 1_000_000])) < 1e-300
    assert permutation.fisher(np.array([500_000, 500_000]), np.array([1_000_000, 1_000_000])) == pytest.approx(1)


def test_shuffles_give_the_p_value_of_all_tables():
    x, n = np.array([1, 4, 2]), np.array([6, 5, 7])
    tables = [(a, b, 7 - a - b) for a in range(7) for b in range(6) if 0 <= 7 - a - b <= 7]
    weight = np.array([multivariate_hypergeom.pmf(t, n, 7) for t in tables])
    size = ((np.array(tables) - n * 7 / 18) ** 2 / n).sum(1)
    exact = weight[size >= ((x - n * 7 / 18) ** 2 / n).sum() - 1e-9].sum()
    found = permutation.homogeneity(x, n, 20_000, np.random.default_rng(0))
    assert found.p == pytest.approx(exact, abs=0.015)
    assert found.shuffles == 20_000


def test_p_values_are_uniform_where_groups_are_alike():
    rng = np.random.default_rng(0)
    n = np.array([60, 90, 150, 40])
    p = np.array([permutation.homogeneity(rng.binomial(n, 0.4), n, 199, rng).p for _ in range(1_500)])
    for level in (0.05, 0.25, 0.5, 0.8):
        assert (p <= level).mean() == pytest.approx(level, abs=0.04)


def test_bca_covers_a_smooth_statistic():
    chances = np.array([0.35, 0.15, 0.1, 0.4])
    empty = grouped(60, 1)
    rng, trials, held = np.random.default_rng(0), 300, 0
    truth = BY_NAME["f1_score"].values(np.array([[0.35, 0.15], [0.1, 0.4], [0, 0]]))
    for trial in range(trials):
        rows = np.zeros((1, 3, 2), np.int64)
        rows[0, :2] = rng.multinomial(150, chances).reshape(2, 2)
        groups = replace(empty, rows=rows, sums=rows.astype(float))
        plan = Plan(replicates=800, seed=trial)
        _, low, high, _ = resampling.of_cells(lambda c: BY_NAME["f1_score"].values(c[..., 0, :, :]), groups, 0.95, plan)
        held += low <= truth <= high
    assert 0.92 < held / trials < 0.98
