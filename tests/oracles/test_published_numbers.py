"""Numbers that others have printed or computed, from the counts they printed: COMPAS, Adult, small cases, intervals."""

import numpy as np
import pytest
from gnomon.audit.fairness import Counts
from gnomon.audit.fairness.conditional.decomposition import factors
from gnomon.audit.fairness.small.detectable import power
from gnomon.audit.fairness.table.groups import Groups
from gnomon.audit.intervals import koopman
from scipy.stats import norm
from statsmodels.stats.proportion import confint_proportions_2indep

Z = norm.ppf(0.975)


def confusion(**groups):
    """Counts of groups that each have (TP, FP, TN, FN)."""
    cells = [(1, 1), (0, 1), (0, 0), (1, 0)]
    rows = [
        (name, truth, decided, n)
        for name, counts in groups.items()
        for (truth, decided), n in zip(cells, counts, strict=True)
    ]
    name, truth, decided, n = zip(*rows, strict=True)
    return Counts.from_arrays(np.repeat(truth, n), np.repeat(decided, n), {"g": np.repeat(name, n)})


def selected(**groups):
    """Counts of groups that each have (positive decisions, rows)."""
    decided = np.concatenate([np.arange(n) < x for x, n in groups.values()]).astype(int)
    return Counts.from_arrays(None, decided, {"g": np.repeat(list(groups), [n for _, n in groups.values()])})


def told(counts, **plan):
    return {m.key[1:]: m for m in counts.measures(**{"replicates": 0, **plan})}


COMPAS = {
    "African-American": (1369, 805, 990, 532),
    "Caucasian": (505, 349, 1139, 461),
    "others": (161, 128, 552, 223),
}
"""[larson2016]: TP, FP, TN, FN; with the others 2035, 1282, 2681 and 1216 of 7,214."""


@pytest.mark.parametrize(
    "place, fpr, fnr, ppv, npv, plus, minus",
    [
        ((), 32.35, 37.40, 0.61, 0.69, 1.94, 0.55),
        ((("g", "African-American"),), 44.85, 27.99, 0.63, 0.65, 1.61, 0.51),
        ((("g", "Caucasian"),), 23.45, 47.72, 0.59, 0.71, 2.23, 0.62),
    ],
)
def test_compas_has_the_rates_that_were_published(place, fpr, fnr, ppv, npv, plus, minus):
    found = told(confusion(**COMPAS))

    def rate(metric):
        return found[metric, "value", place].value

    assert 100 * rate("false_positive_rate") == pytest.approx(fpr, abs=0.00501)
    assert 100 * rate("false_negative_rate") == pytest.approx(fnr, abs=0.00501)
    assert rate("positive_predictive_value") == pytest.approx(ppv, abs=0.00501)
    assert rate("negative_predictive_value") == pytest.approx(npv, abs=0.00501)
    assert rate("true_positive_rate") / rate("false_positive_rate") == pytest.approx(plus, abs=0.00501)
    assert rate("false_negative_rate") / rate("true_negative_rate") == pytest.approx(minus, abs=0.00501)


def test_compas_as_a_whole_is_the_sum_of_its_groups():
    found = told(confusion(**COMPAS))
    assert found["base_rate", "value", ()].value == pytest.approx(0.45, abs=0.00501)
    assert found["true_positive_rate", "value", ()].numerator == 2035
    assert found["false_positive_rate", "value", ()].numerator == 1282
    assert found["true_negative_rate", "value", ()].numerator == 2681
    assert found["false_negative_rate", "value", ()].numerator == 1216
    assert found["accuracy", "value", ()].n == 7214
    assert [found["accuracy", "value", (("g", g),)].n for g in ("African-American", "Caucasian")] == [3696, 2454]


def test_the_notebooks_ratios_follow_from_rounded_rates():
    found = told(confusion(**{name: COMPAS[name] for name in ("African-American", "Caucasian")}))
    for metric, published in (("false_positive_rate", 1.9125799573560769), ("false_negative_rate", 1.7048946052161487)):
        rounded = [round(100 * found[metric, "value", (("g", g),)].value, 2) for g in ("African-American", "Caucasian")]
        assert max(rounded) / min(rounded) == pytest.approx(published, abs=1e-12)
        gap = found[metric, "ratio", (("attribute", "g"),)]
        assert 1 / gap.value == pytest.approx(published, abs=5e-4)  # unrounded


def test_the_base_rate_identity_of_compas():
    (groups,) = confusion(a=COMPAS["African-American"]).context().groupings
    assert isinstance(groups, Groups)
    odds, wrong, found = (float(part[0]) for part in factors(groups.sums))
    assert (odds, wrong, found) == pytest.approx((0.5143 / 0.4857, 0.3703 / 0.6297, 0.7201), abs=3e-4)
    assert odds * wrong * found == pytest.approx(0.4485, abs=5e-5)


@pytest.mark.parametrize(
    "male, female, difference, ratio",
    [
        ((9918, 32650), (1769, 16192), 0.19451574596420296, 0.3596552625800337),
        ((9539, 30527), (1669, 14695), 0.198901432678815, 0.3634695423643793),
    ],
)
def test_adult_has_the_gaps_that_others_compute(male, female, difference, ratio):
    """[becker1996], all rows and those without a question mark; aif360 prints the female's less the male's."""
    found = told(selected(Male=male, Female=female))
    gap = found["selection_rate", "difference", (("attribute", "g"),)]
    assert gap.value == pytest.approx(difference, abs=1e-15)
    assert gap.details["pair"] == ["Female", "Male"]
    assert found["selection_rate", "ratio", (("attribute", "g"),)].value == pytest.approx(ratio, abs=1e-15)


@pytest.mark.parametrize(
    "x1, n1, x2, n2, wald",
    [(56, 70, 48, 80, (0.0575, 0.3425)), (7, 34, 1, 34, (0.02916942, 0.32377176)), (10, 10, 0, 20, (1, 1))],
)
def test_walds_interval_is_what_ours_is_not(x1, n1, x2, n2, wald):
    p, q = x1 / n1, x2 / n2
    half = Z * np.sqrt(p * (1 - p) / n1 + q * (1 - q) / n2)
    assert (p - q - half, p - q + half) == pytest.approx(wald, abs=5.1e-5)
    gap = told(selected(a=(x1, n1), b=(x2, n2)))["selection_rate", "difference", (("attribute", "g"),)]
    assert gap.method == "newcombe"
    assert abs(gap.low - wald[0]) > 1e-3


def test_newcombe_with_a_continuity_correction_is_wider():
    ends = []
    for x, n in ((56, 70), (48, 80)):
        p = x / n
        root = [Z * np.sqrt(Z**2 - side * 2 - 1 / n + 4 * p * (n * (1 - p) + side)) for side in (1, -1)]
        low = (2 * n * p + Z**2 - 1 - root[0]) / (2 * (n + Z**2))
        ends.append((p, low, (2 * n * p + Z**2 + 1 + root[1]) / (2 * (n + Z**2))))
    (p, l1, u1), (q, l2, u2) = ends
    corrected = (p - q - np.hypot(p - l1, u2 - q), p - q + np.hypot(u1 - p, q - l2))
    assert corrected == pytest.approx((0.0428, 0.3422), abs=5.1e-5)
    gap = told(selected(a=(56, 70), b=(48, 80)))["selection_rate", "difference", (("attribute", "g"),)]
    assert corrected[0] < gap.low < gap.high < corrected[1]


def test_the_corrected_score_interval_of_a_ratio_is_wider_than_koopmans():
    corrected = confint_proportions_2indep(7, 34, 1, 34, compare="ratio", method="score", correction=True)
    assert corrected == pytest.approx((1.208568, 43.032972), abs=5e-4)
    assert koopman(7, 34, 1, 34, correct=True) == pytest.approx((1.208568, 43.032972), abs=5e-7)
    gap = told(selected(a=(7, 34), b=(1, 34)))["selection_rate", "ratio", (("attribute", "g"),)]
    assert (1 / gap.high, 1 / gap.low) == pytest.approx((1.220853, 42.575718), abs=5e-5)


def test_power_is_that_of_the_published_tables():
    assert float(power(0.5, 0.75, 76.70692, 76.70692)) == pytest.approx(0.9, abs=1e-4)
    assert float(power(0.001, 0.015, 550, 550)) == pytest.approx(0.7415600, abs=5e-7)


def test_rows_with_weights_sum_up_as_in_the_small_cases():
    """The class imbalance and the divergence of labels that Clarify prints, from weighted counts."""
    groups, weights = [1, 1, 1, 1, 0, 0, 0], [1, 2, 3, 4, 3, 2, 1]
    (held,) = Counts.from_arrays(None, [1] * 7, {"g": groups}, weights=weights).context().groupings
    none, some = held.sums.sum((1, 2))
    assert (none - some) / held.sums.sum() == -0.25
    truth, weights = [0, 1, 2, 0, 0, 1, 2], [1, 2, 3, 4, 4, 3, 3]
    share = []
    for label in (0, 1, 2):
        found = told(Counts.from_arrays(truth, truth, {"g": groups}, weights=weights, positive=label))
        share.append([found["base_rate", "value", (("g", g),)].value for g in "01"])
    q, p = np.array(share).T
    assert (p * np.log(p / q)).sum() == pytest.approx((5 * np.log(5 / 4) + 2 * np.log(2 / 3)) / 10)


@pytest.mark.parametrize(
    "groups, d2", [(2, 1.128), (3, 1.693), (4, 2.059), (5, 2.326), (6, 2.534), (10, 3.078), (20, 3.735)]
)
def test_the_expected_gap_of_large_equal_groups_is_that_of_the_normal_range(groups, d2):
    """[tippett1925]"""
    from gnomon.audit.fairness.comparison.chance import expected_gap

    n, p = 100_000.0, 0.3
    assert expected_gap(np.full(groups, n), p) / np.sqrt(p * (1 - p) / n) == pytest.approx(d2, abs=2e-3)
