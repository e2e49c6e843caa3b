"""Pooled rates, detectable disparities and bounds against closed forms, enumeration and other ways to the same end."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from gnomon.audit.fairness import Counts
from gnomon.audit.fairness.comparison.bounds import closest, measures, reach
from gnomon.audit.fairness.small.detectable import minimum, power
from gnomon.audit.fairness.small.effects import Design, fit, interaction, lasso, spread
from gnomon.audit.fairness.small.pooling import fit as pool
from gnomon.audit.fairness.small.pooling import interval
from gnomon.audit.fairness.table.metrics import BY_NAME
from gnomon.audit.fairness.table.plan import Plan
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import betaln, expit
from scipy.stats import beta, chi2
from sklearn.linear_model import Lasso
from statsmodels.stats.power import NormalIndPower

SELECTION = BY_NAME["selection_rate"]


# what a group's own rows could show


def test_power_is_that_of_the_published_examples():
    assert power(0.5, 0.75, 76.70692, 76.70692) == pytest.approx(0.9, abs=1e-6)
    assert power(0.001, 0.015, 550, 550) == pytest.approx(0.74156, abs=5e-7)


def test_the_smallest_detectable_difference_has_the_power_it_was_asked_for():
    m1, m2, p = 400.0, 900.0, 0.3
    size = float(minimum(m1, m2, p))
    effect = size / np.sqrt(p * (1 - p))  # the standardised effect of a normal test with one variance
    assert NormalIndPower().power(effect, m1, 0.025, ratio=m2 / m1, alternative="larger") == pytest.approx(0.8)
    assert size == pytest.approx((1.959963985 + 0.841621234) * np.sqrt(p * (1 - p) * (1 / m1 + 1 / m2)))


def test_a_disparity_of_the_detectable_size_is_found_four_times_in_five():
    rng, m1, m2, p = np.random.default_rng(0), 300, 700, 0.4
    size = float(minimum(m1, m2, p))
    first, second = p + size * m2 / (m1 + m2), p - size * m1 / (m1 + m2)
    a, b = rng.binomial(m1, first, 20_000) / m1, rng.binomial(m2, second, 20_000) / m2
    both = (a * m1 + b * m2) / (m1 + m2)
    z = np.abs(a - b) / np.sqrt(both * (1 - both) * (1 / m1 + 1 / m2))
    assert np.mean(z > 1.959964) == pytest.approx(0.8, abs=0.01)


# empirical Bayes


def likeliest(x, m):
    """Maximum likelihood of a beta-binomial by a method that knows no derivatives."""

    def loss(at):
        a, b = np.exp(at[1]) * expit(at[0]), np.exp(at[1]) * expit(-at[0])
        return -np.sum(betaln(x + a, m - x + b) - betaln(a, b))

    starts = [minimize(loss, [0, t], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}) for t in (1, 4)]
    best = min(starts, key=lambda found: found.fun)
    return expit(best.x[0]), np.exp(best.x[1])


@pytest.mark.parametrize("seed", range(5))
def test_mean_and_strength_are_the_likeliest(seed):
    rng = np.random.default_rng(seed)
    m = rng.integers(5, 300, 15).astype(float)
    x = rng.binomial(m.astype(int), rng.beta(3, 9, 15)).astype(float)
    found, (mean, strength) = pool(x[None], m[None]), likeliest(x, m)
    assert found.mean[0] == pytest.approx(mean, rel=1e-5)
    assert found.strength[0] == pytest.approx(strength, rel=1e-4)
    assert found.rates(x[None], m[None])[0] == pytest.approx((x + strength * mean) / (m + strength), rel=1e-4)


def test_groups_that_spread_less_than_chance_are_pooled_wholly():
    x, m = np.array([[10.0, 20, 30, 40]]), np.array([[100.0, 200, 300, 400]])
    found = pool(x, m)
    assert np.isinf(found.strength[0])
    assert found.rates(x, m)[0] == pytest.approx(0.1)


def test_a_metric_and_its_complement_are_pooled_alike():
    rng = np.random.default_rng(3)
    m = rng.integers(5, 90, (1, 12)).astype(float)
    x = rng.binomial(m.astype(int), rng.beta(4, 8, (1, 12))).astype(float)
    one, other = pool(x, m), pool(m - x, m)
    assert one.strength == pytest.approx(other.strength, rel=1e-5)
    assert one.rates(x, m) == pytest.approx(1 - other.rates(m - x, m), rel=1e-6)
    (low, high), (down, up) = interval(x, m, one, 0.9), interval(m - x, m, other, 0.9)
    assert low == pytest.approx(1 - up, rel=1e-4)
    assert high == pytest.approx(1 - down, rel=1e-4)


def test_with_many_groups_the_interval_is_the_posterior_s():
    """What μ and k leave open vanishes as groups grow in number."""
    rng = np.random.default_rng(1)
    m = np.full((1, 2_000), 60.0)
    x = rng.binomial(60, rng.beta(8, 24, m.shape)).astype(float)
    found = pool(x, m)
    a, b = x + found.strength * found.mean, m - x + found.strength * (1 - found.mean)
    low, high = interval(x, m, found, 0.95)
    assert np.mean(high - low) == pytest.approx(np.mean(beta.ppf(0.975, a, b) - beta.ppf(0.025, a, b)), rel=0.08)


@pytest.mark.parametrize(("strength", "sizes"), [(1e9, (5, 100)), (30, (5, 200)), (300, (5, 300))])
def test_pooled_intervals_cover_where_the_plain_posterior_s_do_not(strength, sizes):
    rng = np.random.default_rng(7)
    m = rng.integers(*sizes, (400, 12)).astype(float)
    truth = rng.beta(0.2 * strength, 0.8 * strength, m.shape)
    x = rng.binomial(m.astype(int), truth).astype(float)
    found = pool(x, m)
    low, high = interval(x, m, found, 0.95)
    assert np.mean((low <= truth) & (truth <= high)) > 0.925
    raw = np.mean((x / m - truth) ** 2)
    assert np.mean((found.rates(x, m) - truth) ** 2) < raw


# structured regression


def crossed(*sizes):
    """Every combination of levels once."""
    codes = np.array(list(product(*map(range, sizes))))
    single = [np.eye(size)[codes[:, axis]] for axis, size in enumerate(sizes)]
    return codes, Design(np.concatenate([*single, np.eye(len(codes))], 1), sum(sizes))


def test_the_lasso_reaches_the_same_minimum_as_another_solver():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(30, 12)), rng.normal(size=(30, 3))
    for penalty in (0.5, 3.0, 8.0):
        other = np.stack(
            [Lasso(penalty / 30, fit_intercept=False, tol=1e-10).fit(x, column).coef_ for column in y.T], 1
        )
        assert lasso(x, y, penalty) == pytest.approx(other, abs=2e-4)


def test_structured_rates_of_small_groups_come_closer_to_the_truth():
    rng = np.random.default_rng(0)
    codes, design = crossed(2, 5)
    seen, fitted = 0.0, 0.0
    for _ in range(40):
        truth = 0.4 + rng.uniform(-0.1, 0.1, 2)[codes[:, 0]] + rng.uniform(-0.1, 0.1, 5)[codes[:, 1]]
        m = rng.integers(8, 60, 10).astype(float)
        rates = rng.binomial(m.astype(int), truth) / m
        seen += np.sum((rates - truth) ** 2)
        fitted += np.sum((fit(design, rates, spread(rates, m)).rates - truth) ** 2)
    assert fitted < 0.7 * seen


def test_a_combination_that_the_rows_insist_on_is_kept():
    codes, design = crossed(2, 3)
    rates = np.where((codes == [1, 2]).all(1), 0.6, 0.2)
    found = fit(design, rates, spread(rates, np.full(6, 5_000.0)))
    assert found.rates == pytest.approx(rates, abs=0.01)


def test_the_test_of_interaction_is_pearson_s_in_large_groups():
    rng, (_, design) = np.random.default_rng(2), crossed(2, 3)
    m = np.full(6, 4_000.0)
    rates = np.array([0.30, 0.32, 0.35, 0.40, 0.43, 0.48])
    p = interaction(design, rates, m, 20_000, rng)
    expected = rates.copy()
    for _ in range(20):  # the additive model by iterated weighted least squares
        root = np.sqrt(m / (expected * (1 - expected)))[:, None]
        basis = design.additive
        expected = basis @ np.linalg.pinv(basis * root) @ (rates * root[:, 0])
    statistic = np.sum(m * (rates - expected) ** 2 / (expected * (1 - expected)))
    assert p == pytest.approx(chi2.sf(statistic, 2), abs=0.01)


def test_where_attributes_add_up_the_test_of_interaction_errs_at_its_level():
    rng, (codes, design) = np.random.default_rng(5), crossed(2, 4)
    truth = np.array([0.2, 0.35])[codes[:, 0]] + np.array([0, 0.05, 0.1, 0.2])[codes[:, 1]]
    m = np.array([12.0, 25, 40, 60, 30, 15, 80, 20])
    p = [interaction(design, rng.binomial(m.astype(int), truth) / m, m, 199, rng) for _ in range(300)]
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.03)


def test_no_interaction_is_tested_where_nothing_is_left_over():
    design = Design(np.eye(3), 3)
    assert interaction(design, np.array([0.1, 0.2, 0.3]), np.full(3, 50.0), 99, np.random.default_rng(0)) is None


# bounds for rows of unknown group


def dealt(unknown, groups):
    """Every way to give each unknown row to a group."""
    return product(range(groups), repeat=unknown)


tables = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=3)


@settings(max_examples=30, deadline=None)
@given(tables, st.integers(0, 3), st.integers(0, 3))
def test_bounds_hold_every_gap_and_are_reached(table, tops, others):
    assume(tops + others and sum(one + none > 0 for one, none in table) > 1)
    rows = [("abc"[k], decision) for k, pair in enumerate(table) for decision, n in enumerate(pair) for _ in range(n)]
    lost = [1] * tops + [0] * others
    decided = [decision for _, decision in rows] + lost
    assume(any(decided))
    attribute, levels = {"g": [name for name, _ in rows] + [None] * len(lost)}, {"g": list("abc"[: len(table)])}
    counts = Counts.from_arrays(None, decided, attribute, levels=levels)
    (groups,) = counts.context(replicates=0).groupings
    possible = np.broadcast_to(groups.unknown, groups.sums.shape)
    ends = {m.statistic: m for m in measures(groups, possible, Plan()) if m.metric == "selection_rate"}
    gaps, ratios = [], []
    for way in dealt(len(lost), len(table)):
        one = np.array([pair[1] for pair in table], float)
        whole = np.array([sum(pair) for pair in table], float)
        for place, decision in zip(way, lost, strict=True):
            one[place] += decision
            whole[place] += 1
        rates = one[whole > 0] / whole[whole > 0]
        gaps.append(rates.max() - rates.min())
        if rates.max() > 0:
            ratios.append(rates.min() / rates.max())
    difference, ratio = ends["difference_bounds"], ends["ratio_bounds"]
    assert difference.high == pytest.approx(max(gaps))
    assert difference.low <= min(gaps) + 1e-12
    if ratio.value is not None:
        assert ratio.low == pytest.approx(min(ratios))
        assert ratio.high >= max(ratios) - 1e-12


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), min_size=2, max_size=4),
    st.integers(0, 6),
    st.integers(0, 6),
)
def test_the_closest_rates_are_those_of_a_linear_programme(table, tops, others):
    from scipy.optimize import linprog

    part = np.array([min(x, m) for x, m in table], float)
    whole = np.array([m for _, m in table], float)
    least, most = closest(part, whole, tops, others)

    def feasible(low, high):
        """Whether rows can be dealt out so that each group's rate is between the two."""
        k, rows = len(part), []
        for g in range(k):
            up, down = np.zeros(2 * k), np.zeros(2 * k)
            up[g], up[k + g] = -(1 - low), low
            down[g], down[k + g] = 1 - high, -high
            rows += [(up, part[g] - low * whole[g]), (down, high * whole[g] - part[g])]
        equal = np.kron(np.eye(2), np.ones(k))
        a, b = np.array([row for row, _ in rows]), np.array([end for _, end in rows])
        return linprog(np.zeros(2 * k), a, b, equal, [tops, others]).status == 0

    assert feasible(least - 1e-7, most + 1e-7)
    if most - least > 1e-3:
        assert not feasible(least + 1e-4, most)
        assert not feasible(least, most - 1e-4)


def test_a_row_of_which_the_race_is_known_may_only_belong_to_that_race():
    rows = [("f", "a", 1), ("f", "b", 0), ("m", "a", 1), ("m", "b", 0), ("m", "b", 1)] * 4 + [(None, "a", 0)] * 2
    sex, race, decided = zip(*rows, strict=True)
    counts = Counts.from_arrays(None, list(decided), {"sex": list(sex), "race": list(race)})
    found = [m for m in counts.measures(replicates=0) if m.statistic == "difference_bounds"]
    assert {m.where["attribute"] for m in found} == {"sex", "sex × race"}
    both = next(m for m in found if m.where["attribute"] == "sex × race")
    assert (both.value, both.high) == (1.0, 1.0)
    one = next(m for m in found if m.where["attribute"] == "sex" and m.metric == "selection_rate")
    assert one.high == pytest.approx(8 / 12 - 4 / 10)


def test_weighted_rows_bound_by_their_weights():
    counts = Counts.from_arrays(None, [1, 0, 1, 0, 1], {"g": ["a", "a", "b", "b", None]}, weights=[1, 1, 1, 3, 2])
    found = {m.statistic: m for m in counts.measures(replicates=0) if m.metric == "selection_rate"}
    bounds = found["difference_bounds"]
    assert (bounds.value, bounds.high) == (pytest.approx(0.25), pytest.approx(3 / 4 - 1 / 4))
    assert bounds.details["unknown"] == 2.0


def test_groups_as_far_apart_as_unknown_rows_can_bring_them():
    table = np.zeros((2, 3, 2))
    table[:, 2] = [[50, 50], [80, 20]]
    lost = np.zeros((3, 2))
    lost[2] = [10, 30]
    ends = reach(SELECTION, table, lost, np.broadcast_to(lost, table.shape))
    assert ends.high == pytest.approx([80 / 130, 50 / 130])
    assert ends.low == pytest.approx([50 / 110, 20 / 110])
    assert ends.near == pytest.approx((50 / 130, 50 / 110))
