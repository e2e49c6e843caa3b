"""Scores of groups against scikit-learn, closed forms, curves drawn by hand and simulation."""

import numpy as np
import pandas as pd
import pytest
from gnomon.audit import calibration, discrimination
from gnomon.audit.fairness import Counts
from gnomon.audit.fairness.scores import abroca, binned, estimates, scores, spans, sweep
from gnomon.audit.fairness.scores.steps import Scored
from gnomon.audit.intervals import newcombe
from scipy.stats import norm
from sklearn import metrics


def drawn(n=900, seed=0, groups=3, digits=2):
    rng = np.random.default_rng(seed)
    p = rng.random(n).round(digits)  # with ties
    return (rng.random(n) < p).astype(int), p, rng.integers(0, groups, n)


def steps_of(y, p, g, groups=3, **more):
    scored = Scored.of(p, y, g[:, None], **more)
    return scored.steps(scored.groups[:, 0], groups)


def measures(y, p, g, replicates=0, **more):
    counts = Counts.from_arrays(y, None, {"g": [f"g{k}" for k in g]}, scores=p, **more)
    found = scores.section(counts.context(replicates=replicates)).measures
    return {(m.metric, m.statistic, *m.where.values()): m for m in found}


def test_numbers_of_each_group_are_those_that_scikit_learn_gives_for_its_rows():
    y, p, g = drawn()
    found = measures(y, p, g)
    for k in range(3):
        own, truth = p[g == k], y[g == k]
        values = {name: found[name, "value", f"g{k}"].value for name in ("auc", "average_precision", "brier_score")}
        assert values["auc"] == pytest.approx(metrics.roc_auc_score(truth, own))
        assert values["average_precision"] == pytest.approx(metrics.average_precision_score(truth, own))
        assert values["brier_score"] == pytest.approx(metrics.brier_score_loss(truth, own))
        assert found["mean_score", "value", f"g{k}"].value == pytest.approx(own.mean())
        in_the_large = found["calibration_in_the_large", "value", f"g{k}"].value
        assert in_the_large == pytest.approx(own.mean() - truth.mean())


def test_weighted_numbers_are_scikit_learns():
    y, p, g = drawn(seed=1)
    w = np.random.default_rng(2).uniform(0.2, 3, len(y))
    found = measures(y, p, g, weights=w)
    own = g == 1
    for name, of in (("auc", metrics.roc_auc_score), ("average_precision", metrics.average_precision_score)):
        assert found[name, "value", "g1"].value == pytest.approx(of(y[own], p[own], sample_weight=w[own]))


def test_the_interval_of_an_auc_is_delongs_as_for_everyone():
    y, p, g = drawn(300, 3)
    for k in range(3):
        (value, low, high), method = discrimination.auc(p[g == k], y[g == k] == 1, 0.95)
        m = measures(y, p, g)["auc", "value", f"g{k}"]
        assert (m.value, m.low, m.high) == pytest.approx((value, low, high))
        assert m.method == method == "delong"


def test_the_gap_between_two_aucs_is_delongs_for_independent_groups():
    y, p, g = drawn(500, 4, groups=2)
    parts = []
    for k in range(2):
        high, low = p[(g == k) & (y == 1)], p[(g == k) & (y == 0)]
        kernel = (high[:, None] > low) + 0.5 * (high[:, None] == low)
        variance = kernel.mean(1).var(ddof=1) / len(high) + kernel.mean(0).var(ddof=1) / len(low)
        parts.append((kernel.mean(), variance))
    size = abs(parts[0][0] - parts[1][0])
    half = norm.ppf(0.975) * np.sqrt(parts[0][1] + parts[1][1])
    gap = measures(y, p, g)["auc", "difference", "g"]
    assert (gap.value, gap.low, gap.high) == pytest.approx((size, size - half, size + half))
    assert gap.method == "delong"


def test_clusters_of_one_row_give_delongs_interval_but_for_the_degrees_of_freedom():
    y, p, g = drawn(2_000, 5, groups=2)
    alone = estimates.auc(steps_of(y, p, g, 2))
    apart = estimates.auc(steps_of(y, p, g, 2, cluster=np.arange(len(y))))
    assert np.subtract(*alone.ends(0.95)) == pytest.approx(np.subtract(*apart.ends(0.95)), rel=5e-3)


def test_rows_repeated_within_their_cluster_leave_the_interval():
    y, p, g = drawn(400, 6, groups=2)
    once = steps_of(y, p, g, 2, cluster=np.arange(len(y)))
    thrice = steps_of(*(np.repeat(x, 3) for x in (y, p, g)), 2, cluster=np.repeat(np.arange(len(y)), 3))
    for compute in (estimates.auc, estimates.average_precision, estimates.brier_score, estimates.mean_score):
        assert np.array(compute(thrice).ends(0.9)) == pytest.approx(np.array(compute(once).ends(0.9)))


@pytest.mark.parametrize("compute", [estimates.auc, estimates.average_precision, estimates.brier_score])
def test_influence_is_the_derivative_by_a_rows_weight(compute):
    """The variance is the sum over rows of (w ∂v/∂w)², taken here by nudging one weight after another."""
    y, p, g = drawn(60, 7, groups=1, digits=1)
    w = np.random.default_rng(8).uniform(0.5, 2, 60)

    def value(weight):
        return compute(steps_of(y, p, g, 1, weight=weight)).value[0]

    nudge = 1e-6
    moved = np.array([(value(w + nudge * (np.arange(60) == i)) - value(w)) / nudge * w[i] for i in range(60)])
    own = compute(steps_of(y, p, g, 1, weight=w, cluster=np.arange(60)))
    assert own.covariance[0, 0] == pytest.approx((moved**2).sum() * 60 / 59, rel=1e-3)


def test_auc_and_average_precision_cover_their_truth():
    rng, hits = np.random.default_rng(9), np.zeros(2)
    grid = np.linspace(-8, 10, 40_001)
    found = norm.sf(grid - 1) * 0.3
    precision = found / (found + norm.sf(grid) * 0.7)
    truth = norm.cdf(1 / np.sqrt(2)), np.trapezoid(precision * norm.pdf(grid - 1), grid)
    for _ in range(400):
        y = (rng.random(200) < 0.3).astype(int)
        steps = steps_of(y, rng.normal(size=200) + y, np.zeros(200, int), 1)
        for i, compute in enumerate((estimates.auc, estimates.average_precision)):
            low, high = compute(steps).ends(0.95)
            hits[i] += low[0] <= truth[i] <= high[0]
    assert (hits / 400 > 0.91).all()
    assert (hits / 400 < 0.985).all()


def test_the_gap_of_many_groups_covers_a_true_gap_of_nought():
    rng, hits = np.random.default_rng(10), 0
    for _ in range(200):
        y, g = rng.integers(0, 2, 600), rng.integers(0, 6, 600)
        found = estimates.auc(steps_of(y, rng.normal(size=600) + y, g, 6))
        hits += spans.span(found, 0.95, np.ones(6, bool)).low <= 0
    assert hits / 200 > 0.93


def test_a_gap_of_groups_that_share_clusters_uses_that_they_move_together():
    """Twins, one in each group: their mean scores differ by exactly nothing, whatever the spread of scores."""
    rng = np.random.default_rng(11)
    p = rng.random(100)
    y, g, twin = rng.integers(0, 2, 200), np.repeat([0, 1], 100), np.tile(np.arange(100), 2)
    apart = estimates.mean_score(steps_of(y, np.tile(p, 2), g, 2))
    together = estimates.mean_score(steps_of(y, np.tile(p, 2), g, 2, cluster=twin))
    width = [s.high - s.low for s in (spans.span(e, 0.95, np.ones(2, bool)) for e in (apart, together))]
    assert width[0] > 0.1
    assert width[1] == pytest.approx(0, abs=1e-6)


def test_bins_are_those_of_the_single_group():
    y, p, g = drawn(1_000, 12, digits=3)
    for k, own in enumerate(binned.bins(steps_of(y, p, g))):
        assert own is not None
        alone = calibration.bins(p[g == k], y[g == k] == 1)
        assert own.n.tolist() == alone.n.tolist()
        assert own.hits.tolist() == alone.hits.tolist()
        assert own.score == pytest.approx(alone.score)


def test_of_a_calibrated_model_the_corrected_error_is_nought_on_average_and_the_plain_one_is_not():
    rng, plain, corrected = np.random.default_rng(13), [], []
    for _ in range(400):
        p = rng.random(300)
        found = calibration.bins(p, rng.random(300) < p)
        plain.append(calibration.expected_calibration_error(found, 0.95)[0])
        corrected.append(calibration.corrected_calibration_error(found))
    assert np.mean(plain) > 0.06
    assert abs(np.mean(corrected)) < 0.1 * np.mean(plain)


def test_a_large_calibration_error_is_left_as_it_is():
    rng, found = np.random.default_rng(14), []
    for _ in range(200):
        p = rng.uniform(0, 0.7, 2_000)
        found.append(calibration.corrected_calibration_error(calibration.bins(p, rng.random(2_000) < p + 0.25)))
    assert np.mean(found) == pytest.approx(0.25, abs=0.005)


def test_levels_too_near_one_to_be_drawn_have_a_bound_that_is_wider():
    found = calibration.bins(np.linspace(0, 1, 500), np.arange(500) % 2 == 0)
    reach = [(lambda e: e[2] - e[0])(calibration.expected_calibration_error(found, level)) for level in (0.99, 0.9999)]
    assert reach[0] < reach[1]


def test_the_area_between_crossing_curves_is_not_the_difference_of_their_areas():
    """Two curves that mirror each other have the same AUC; the area between them is that of two triangles."""
    early = np.array([0.0, 0.0, 0.5, 1.0]), np.array([0.0, 0.5, 0.5, 1.0])
    late = np.array([0.0, 0.5, 0.5, 1.0]), np.array([0.0, 0.5, 1.0, 1.0])
    areas = [np.trapezoid(y, x) for x, y in (early, late)]
    assert areas[0] == areas[1]
    assert abroca.area_between(early, late) == pytest.approx(2 * 0.5 * 0.5 * 0.5)
    diagonal = np.array([0.0, 1.0]), np.array([0.0, 1.0])
    wave = np.array([0.0, 0.25, 0.75, 1.0]), np.array([0.0, 0.5, 0.5, 1.0])
    assert abroca.area_between(wave, diagonal) == pytest.approx(0.125)


def test_abroca_is_the_integral_that_a_fine_grid_gives():
    y, p, g = drawn(700, 15, groups=2, digits=1)
    steps = steps_of(y, p, g, 2)
    x = (np.arange(200_000) + 0.5) / 200_000
    lines = []
    for k in range(2):
        false, true, _ = metrics.roc_curve(y[g == k], p[g == k], drop_intermediate=False)
        lines.append(np.interp(x, false, true))
    found = abroca.widest(steps, np.ones(2, bool))
    assert found.value == pytest.approx(np.abs(lines[0] - lines[1]).mean(), abs=1e-5)


def test_of_many_groups_abroca_is_the_widest_of_all_pairs():
    y, p, g = drawn(1_500, 16, groups=8)
    steps = steps_of(y, p, g, 8)
    curves = [abroca.curve(steps, k) for k in range(8)]
    every = {(i, j): abroca.area_between(curves[i], curves[j]) for i in range(8) for j in range(i + 1, 8)}
    found = abroca.widest(steps, np.ones(8, bool))
    assert (found.pair, found.value) == max(every.items(), key=lambda item: item[1])


@pytest.mark.parametrize("groups", [2, 4])
def test_abroca_is_above_nought_by_chance_and_its_interval_knows(groups):
    rng, hits, seen, chance = np.random.default_rng(17), 0, [], []
    for trial in range(60):
        y, g = rng.integers(0, 2, 300), rng.integers(0, groups, 300)
        steps, kept = steps_of(y, rng.normal(size=300) + y, g, groups), np.ones(groups, bool)
        value = abroca.widest(steps, kept).value
        width, method = abroca.reach(steps, kept, 0.95, 200, trial)
        hits += value <= width
        seen.append(value)
        chance.append(abroca.by_chance(steps, kept, 100, trial)[0].mean())
    assert "bayesian bootstrap" in method
    assert hits / 60 > 0.88
    assert np.mean(chance) == pytest.approx(np.mean(seen), rel=0.1)


def test_abroca_of_few_rows_or_without_resampling_has_a_band_that_holds_at_any_size():
    y, p, g = drawn(24, 18, groups=2)
    width, method = abroca.reach(steps_of(y, p, g, 2), np.ones(2, bool), 0.95, 500, 0)
    assert method == "triangle, massart-1990"
    assert width > 0.5
    large = steps_of(*drawn(40_000, 19, groups=2), 2)
    worth = np.stack([large.worth((t,)) for t in (0, 1)])
    expected = sum(np.sqrt(np.log(2 / (0.05 / 4)) / (2 * m)) for m in worth.ravel())
    assert abroca.reach(large, np.ones(2, bool), 0.95, 0, 0)[0] == pytest.approx(expected)


def test_a_sweep_counts_p_at_least_t_at_every_distinct_score():
    y, p, g = drawn(500, 20)
    found = sweep.tables(steps_of(y, p, g))
    assert found.thresholds.tolist() == sorted(set(p))
    for place, t in enumerate(found.thresholds):
        for k in range(3):
            own = g == k
            table = [[((y == truth) & ((p >= t) == said) & own).sum() for said in (0, 1)] for truth in (0, 1)]
            assert found.rows[k, place, :2].tolist() == table


def test_the_ribbon_of_two_groups_is_newcombes():
    y, p, g = drawn(400, 21, groups=2)
    steps = steps_of(y, p, g, 2)
    found = sweep.tables(steps, np.array([0.3, 0.5]))
    gap = sweep.gap(sweep.METRICS[0], found, 0.95)
    for place, t in enumerate((0.3, 0.5)):
        x = [(p[g == k] >= t).sum() for k in range(2)]
        n = [(g == k).sum() for k in range(2)]
        first, second = (1, 0) if x[1] / n[1] > x[0] / n[0] else (0, 1)
        low, high = newcombe(x[first], n[first], x[second], n[second])
        assert (gap.low[place], gap.high[place]) == pytest.approx((float(low), float(high)))
        assert (gap.highest[place], gap.lowest[place]) == (first, second)


def test_scores_counted_in_bins_give_the_sweep_exactly_at_the_edges_and_the_auc_within_its_bound(tmp_path):
    y, p, g = drawn(5_000, 22, digits=6)
    path = tmp_path / "scores.parquet"
    pd.DataFrame({"y": y, "p": p, "g": g}).to_parquet(path)
    _, columns = Counts.from_file(path, target="y", score="p", sensitive=["g"]).rows.sorted()
    held = [columns[name] for name in ("score", "truth", "groups")]
    scored = Scored.of(*held, count=columns["count"])
    binned = scored.steps(scored.groups[:, 0], 3)
    exact, edges = steps_of(y, p, g), np.arange(1024) / 1024
    assert binned.rows.sum() == 5_000
    assert np.array_equal(sweep.tables(exact, edges).rows, sweep.tables(binned, edges).rows)
    off = np.abs(estimates.auc(exact).value - estimates.auc(binned).value)
    assert (off <= binned.hidden() + 1e-12).all()
    assert binned.hidden().max() < 1 / 1024


def test_the_bound_of_bins_is_reached_where_one_hides_a_perfect_order():
    one_bin = np.array([0.5, 0.5])
    found = Scored.of(one_bin, np.array([0, 1]), np.zeros((2, 1), int)).steps(np.zeros(2, int), 1)
    assert found.hidden().tolist() == [0.5]
    assert estimates.auc(found).value.tolist() == [0.5]
