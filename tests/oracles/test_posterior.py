"""Gaps by posterior against numerical integration; of rates drawn from the prior all are held at the level."""

import numpy as np
import pytest
from gnomon.audit.fairness import Counts
from gnomon.audit.fairness.comparison import posterior
from gnomon.audit.fairness.table.metrics import BY_NAME
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import beta

SELECTION = BY_NAME["selection_rate"]


def rows(part, whole):
    decided = np.concatenate([np.arange(n) < x for x, n in zip(part, whole, strict=True)]).astype(int)
    return Counts.from_arrays(None, decided, {"g": np.repeat([chr(97 + k) for k in range(len(whole))], whole)})


def compared(part, whole, replicates=10_000, level=0.95, relative=False):
    context = rows(part, whole).context(replicates=replicates, posterior=True)
    (groups,) = context.groupings
    from gnomon.audit.fairness.table.shares import parts

    return posterior.compared(groups, SELECTION, parts(groups, SELECTION), level, context.plan, relative=relative)


def found(part, whole, **plan):
    measures = rows(part, whole).measures(posterior=True, **plan)
    return {m.key[1:]: m for m in measures}


def below(gap, one, two):
    """The posterior chance that p1 − p2 is at most `gap`."""
    return quad(lambda p: two.pdf(p) * one.cdf(p + gap), 0, 1, limit=200)[0]


@pytest.mark.parametrize("part, whole", [((7, 1), (34, 34)), ((56, 48), (70, 80)), ((3, 12), (9, 20))])
def test_two_groups_have_the_quantiles_of_the_posterior_of_their_difference(part, whole):
    one, two = (beta(x + 0.5, n - x + 0.5) for x, n in zip(part, whole, strict=True))
    exact = [brentq(lambda d, q=q: below(d, one, two) - q, -0.999, 0.999) for q in (0.025, 0.975)]
    low, high, name = compared(part, whole).differences()
    assert (low[0], high[0]) == pytest.approx(exact, abs=0.012)
    assert name == "jeffreys posterior"


def test_ratios_are_those_of_the_same_draws():
    own = compared((7, 1), (34, 34))
    low, high, _ = own.ratios()
    ratio = own.draws[:, 0] / own.draws[:, 1]
    assert (low[0], high[0]) == pytest.approx(np.quantile(ratio, [0.025, 0.975]), rel=0.01)


def test_of_rates_drawn_from_the_prior_all_pairs_hold_at_the_level():
    rng = np.random.default_rng(0)
    held = {"differences": 0, "ratios": 0}
    i, j = np.triu_indices(4, 1)
    for _ in range(150):
        whole = np.array([40, 60, 80, 100])
        true = rng.beta(0.5, 0.5, 4)
        part = rng.binomial(whole, true)
        for name, truth in (("differences", true[i] - true[j]), ("ratios", true[i] / true[j])):
            own = compared(part, whole, replicates=1_000, relative=name == "ratios")
            low, high, _ = getattr(own, name)()
            held[name] += bool((np.isnan(low) | ((low <= truth) & (truth <= high))).all())
    assert 0.9 <= held["differences"] / 150 <= 0.99
    assert 0.9 <= held["ratios"] / 150 <= 0.99


@pytest.mark.parametrize("replicates", [0, 2_000])
def test_rates_and_gaps_are_told_by_their_method(replicates):
    told = found((30, 20, 0), (60, 60, 20), replicates=replicates)
    gap = told["selection_rate", "difference", (("attribute", "g"),)]
    assert told["selection_rate", "value", (("g", "a"),)].method == "jeffreys"
    assert gap.method == ("jeffreys, mover-max-t" if replicates else "jeffreys, mover-sidak")
    assert 0 < gap.low < gap.value < gap.high <= 1
    impact = told["selection_rate", "impact_ratio", (("g", "c"),)]
    assert impact.value == 0
    assert impact.low <= 0 < impact.high < 1
    assert "newcombe" not in gap.method


def test_without_a_posterior_nothing_changes():
    told = {m.key[1:]: m for m in rows((30, 20), (60, 60)).measures()}
    assert told["selection_rate", "difference", (("attribute", "g"),)].method == "newcombe"


def test_definitions_of_fairness_follow():
    draw = np.random.default_rng(0)
    truth, decided = draw.integers(0, 2, (2, 400))
    measures = Counts.from_arrays(truth, decided, {"g": draw.choice(list("ab"), 400)}).measures(posterior=True)
    odds = next(m for m in measures if m.metric == "equalized_odds" and m.statistic == "difference")
    assert odds.method == "jeffreys posterior, bonferroni"
