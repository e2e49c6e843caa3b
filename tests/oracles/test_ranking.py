"""Rankings by group against small cases by hand, scikit-learn, brute force and simulation."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from gnomon.audit import ranking
from gnomon.audit.criteria import Levels
from gnomon.audit.fairness.numeric import ranking as by_group
from gnomon.audit.fairness.numeric.chance import Deal
from gnomon.audit.fairness.table.plan import Plan
from gnomon.audit.performance import Performance
from gnomon.audit.state import Columns
from gnomon.models import Attribute, Batch, Ranking, Subject
from gnomon.models.task import Scores
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import ndcg_score

SEX = Attribute("sex", ("f", "m"))
V = 1 / np.log2(np.arange(2, 12))  # what attention the places 1, 2, … get


def lists(score, query=None):
    score = np.asarray(score, float)
    return ranking.Lists.of(score, np.zeros(len(score), np.int64) if query is None else np.asarray(query))


def measured(score, groups, relevance=None, query=None, top=0, replicates=0, people=(SEX,), **more):
    score = np.asarray(score, float)
    truth = np.full(len(score), np.nan) if relevance is None else np.asarray(relevance, float)
    if query is not None:
        more["query"] = np.asarray(query, np.uint64)
    groups = np.asarray(groups).reshape(len(score), len(people))
    columns = Columns.of(np.arange(len(score)), score=score, truth=truth, groups=groups, **more)
    found = by_group.section(people, columns, Plan(replicates=replicates), top).measures
    assert len({m.key for m in found}) == len(found)
    return {(m.metric, m.statistic, *sorted(m.where.items())): m for m in found}


def of(found, metric, statistic="value", **where):
    return found[metric, statistic, *sorted(where.items())]


def test_four_rows_by_hand():
    found = measured([4, 3, 2, 1], [0, 1, 0, 1], [1, 0, 1, 0], top=2)
    mean = V[:4].mean()
    assert of(found, "exposure", sex="f").value == pytest.approx((V[0] + V[2]) / 2 / mean)
    assert of(found, "exposure", sex="m").value == pytest.approx((V[1] + V[3]) / 2 / mean)
    ratio = of(found, "exposure", "ratio", attribute="sex")
    assert ratio.value == pytest.approx((V[1] + V[3]) / (V[0] + V[2]))
    assert ratio.details["pair"] == ["m", "f"]
    assert of(found, "top_k_selection_rate", sex="f").value == 0.5
    assert of(found, "top_k_selection_rate").value == 0.5
    assert of(found, "ndcg", sex="f").value == 1
    assert of(found, "exposure_per_relevance", sex="f").value == pytest.approx((V[0] + V[2]) / 2 / mean / 2)
    assert of(found, "exposure_per_relevance", sex="m").reason == "no row of the group is relevant"


def test_tied_rows_share_their_places():
    tied = lists([2, 1, 1, 1, 0])
    shared = V[1:4].mean()
    assert ranking.exposure(tied) == pytest.approx(np.array([V[0], shared, shared, shared, V[4]]) / V[:5].mean())
    assert ranking.selected(tied, 2) == pytest.approx([1, 1 / 3, 1 / 3, 1 / 3, 0])
    assert ranking.selected(lists([1] * 20), 0) == pytest.approx(np.full(20, 0.1))  # a tenth of the list


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=2, max_size=12))
@settings(max_examples=30)
def test_ndcg_is_that_of_scikit_learn_ties_and_all(rows):
    score, relevance = (np.array(column, float) for column in zip(*rows, strict=True))
    found = ranking.ndcg(lists(score), relevance)[0]
    if relevance.max() == 0:
        assert np.isnan(found)
    else:
        assert found == pytest.approx(ndcg_score([relevance], [score]))


def test_a_group_is_ordered_well_if_its_own_rows_are():
    rng = np.random.default_rng(0)
    query, group = np.repeat(np.arange(30), 8), rng.integers(0, 2, 240)
    relevance, score = rng.integers(0, 3, 240).astype(float), rng.normal(size=240)
    found = measured(score, group, relevance, query)
    own = []
    for q in range(30):
        pick = (query == q) & (group == 0)
        if pick.sum() > 1 and relevance[pick].max() > 0:
            own.append(ndcg_score([relevance[pick]], [score[pick]]))
    m = of(found, "ndcg", sex="f")
    assert m.value == pytest.approx(np.mean(own))
    assert (m.low, m.high) == pytest.approx(stats.t.interval(0.95, len(own) - 1, np.mean(own), stats.sem(own)))


def test_the_share_left_without_a_row_is_that_of_the_shorter_list():
    rng = np.random.default_rng(0)
    score, query, amount = rng.integers(0, 4, 20).astype(float), np.repeat([0, 1], 10), rng.random(20)
    found = ranking.without(lists(score, query), amount)
    for row in range(20):
        kept = (np.arange(20) != row) & (query == query[row])
        fewer = lists(score[kept])
        shared = fewer.by_row(fewer.shared(ranking.attention(fewer.place)))
        assert found[row] == pytest.approx((shared * amount[kept]).sum())


def test_the_gap_of_one_list_has_the_interval_of_the_jackknife():
    rng = np.random.default_rng(0)
    group, score = rng.integers(0, 2, 40), rng.normal(size=40)

    def gap(kept):
        e = ranking.exposure(lists(score[kept]))
        return e[group[kept] == 1].mean() - e[group[kept] == 0].mean()

    each = np.array([gap(np.arange(40) != row) for row in range(40)])
    error = np.sqrt(39 / 40 * ((each - each.mean()) ** 2).sum())
    m = of(measured(score, group), "exposure", "difference", attribute="sex")
    half = stats.t.ppf(0.975, min((group == 0).sum(), (group == 1).sum()) - 1) * error
    assert m.value == pytest.approx(abs(gap(np.arange(40))))
    assert m.high - m.low == pytest.approx(2 * half, rel=1e-9)


def test_the_interval_of_one_list_holds_the_gap_of_a_long_one():
    """Rows like these, ranked anew: the limit is the gap of a list of the same rows ten thousand times as long."""
    rng = np.random.default_rng(0)

    def draw(n):
        group = (rng.random(n) < 0.4).astype(int)
        return rng.normal(size=n) + 0.5 * group, group

    wanted = np.mean([of(measured(*draw(400)), "exposure", "difference", attribute="sex").value for _ in range(150)])
    held = []
    for _ in range(250):
        m = of(measured(*draw(400)), "exposure", "difference", attribute="sex")
        held.append(m.low <= wanted <= m.high)
    assert 0.91 <= np.mean(held) <= 0.99


def test_with_many_queries_lists_are_what_varies():
    rng, held = np.random.default_rng(0), []
    for _ in range(200):
        query, group = np.repeat(np.arange(40), 6), np.tile([0, 0, 0, 1, 1, 1], 40)
        lift = (
            np.repeat(rng.normal(0, 1.5, 40), 6) * group
        )  # lists differ in whom they favour; none is favoured overall
        found = measured(rng.normal(size=240) + lift, group, query=query)
        m = of(found, "exposure", "difference", attribute="sex")
        # the difference is told as highest − lowest: with no true gap its interval holds 0 as often as promised
        held.append(m.low <= 0)
    assert 0.91 <= np.mean(held) <= 0.985


def test_selection_at_the_top_of_one_list_has_the_interval_of_a_rate():
    from gnomon.audit.intervals import koopman, newcombe, wilson

    found = measured(np.arange(20)[::-1], [0] * 8 + [1] * 12, top=5)
    assert of(found, "top_k_selection_rate", sex="f").value == 5 / 8
    m = of(found, "top_k_selection_rate", sex="f")
    assert (m.low, m.high) == pytest.approx(tuple(map(float, wilson(5, 8))))
    gap, ratio = (of(found, "top_k_selection_rate", s, attribute="sex") for s in ("difference", "ratio"))
    assert (gap.low, gap.high) == pytest.approx(tuple(map(float, newcombe(5, 8, 0, 12))))
    assert ratio.value == 0
    assert (ratio.low, ratio.high) == pytest.approx(tuple(map(float, koopman(0, 12, 5, 8))))


def test_chance_is_that_of_all_ways_to_deal_groups_out():
    amount, code = np.array([3.0, 2.0, 1.0, 0.5, 0.1]), np.array([0, 0, 1, 1, 1])
    deal = Deal(code, amount, np.zeros(5, np.int64), 2)
    ways = {tuple(way) for way in permutations(code)}
    gaps = [abs(amount[np.array(w) == 0].mean() - amount[np.array(w) == 1].mean()) for w in ways]
    seen = abs(amount[:2].mean() - amount[2:].mean())
    size, chance = deal.shuffled(np.random.default_rng(0), 4_000)
    assert size == pytest.approx(np.mean(gaps), rel=0.05)
    assert chance == pytest.approx(np.mean(np.array(gaps) >= seen - 1e-12), abs=0.02)


def test_the_closed_form_of_chance_agrees_with_shuffles_within_lists():
    rng = np.random.default_rng(0)
    query, code = np.sort(rng.integers(0, 40, 600)), rng.integers(0, 4, 600)  # the fourth is no group
    amount = rng.gamma(2, 1, 600) + query
    deal = Deal(code, amount, query, 3)
    (size, chance), (shuffled, often) = deal.expected(), deal.shuffled(rng, 2_000)
    assert size == pytest.approx(shuffled, rel=0.05)
    assert chance == pytest.approx(often, abs=0.04)


def test_p_values_are_uniform_where_groups_are_alike():
    rng, seen = np.random.default_rng(0), []
    for _ in range(300):
        query, group = np.repeat(np.arange(15), 8), rng.integers(0, 2, 120)
        seen.append(
            of(measured(rng.normal(size=120), group, query=query), "exposure", "p_value", attribute="sex").value
        )
    assert stats.kstest(seen, "uniform").pvalue > 0.01


def test_the_order_in_which_rows_come_changes_nothing():
    rng = np.random.default_rng(0)
    query, group = rng.integers(0, 9, 90), rng.integers(-1, 2, 90)
    score, relevance = rng.integers(0, 6, 90).astype(float), rng.integers(0, 3, 90).astype(float)
    order = rng.permutation(90)
    one = measured(score, group, relevance, query, replicates=200)
    other = measured(score[order], group[order], relevance[order], query[order], replicates=200)
    assert one.keys() == other.keys()
    for key, m in one.items():
        for field in ("value", "low", "high"):
            a, b = getattr(m, field), getattr(other[key], field)
            assert a == b if a is None or b is None else a == pytest.approx(b, rel=1e-9, abs=1e-9)


def test_one_group_empty_groups_and_no_relevance_have_reasons():
    found = measured([3, 2, 1], [0, 0, 0])
    assert "only one group" in of(found, "exposure", "difference", attribute="sex").reason
    assert of(found, "exposure", sex="m").reason == "no rows"
    assert not any(key[0] in ("ndcg", "exposure_per_relevance") for key in found)
    nothing = measured([3, 2, 1], [0, 0, 1], [0, 0, 0])
    assert not any(key[0] == "ndcg" for key in nothing)
    short = measured([3, 2, 1], [0, 0, 1], [1, 0, 1])
    assert short["ndcg", "value", ("sex", "m")].reason == "no list holds two rows of the group of which one is relevant"


def test_equal_scores_set_no_one_apart():
    found = measured(np.ones(12), [0, 1] * 6, np.ones(12), replicates=200)
    assert of(found, "exposure", "difference", attribute="sex").value == pytest.approx(0, abs=1e-12)
    assert of(found, "exposure", "p_value", attribute="sex").value == 1 if found else False


def test_performance_of_a_ranking_is_the_mean_ndcg_of_its_lists():
    class Rows:
        people, split, origin = (), "test", "a test"

        def __len__(self):
            return 0

        def batches(self, size):
            return iter(())

    rng = np.random.default_rng(0)
    relevance, score, query = rng.integers(0, 3, (25, 7)), rng.normal(size=(25, 7)), np.repeat(np.arange(25), 7)
    subject, analysis = Subject(name="s", data=Rows(), task=Ranking()), Performance()

    def conclude(some, **more):
        batch = Batch(
            np.arange(some), (), relevance.ravel()[:some].astype(float), np.empty((some, 0), np.int64), **more
        )
        state = analysis.observe(subject, batch, Scores(score.ravel()[:some], None))
        return analysis.conclude(subject, state, Levels()).measures[0]

    m = conclude(175, queries=query.astype(np.uint64))
    each = [ndcg_score(relevance[[q]], score[[q]]) for q in range(25) if relevance[q].max()]
    assert m.value == pytest.approx(np.mean(each))
    assert (m.low, m.high) == pytest.approx(stats.t.interval(0.95, len(each) - 1, np.mean(each), stats.sem(each)))
    assert conclude(7).low is None  # a single list says nothing of another
