"""Mitigation is fitted on one half, audited on the other, and applied to nothing."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from fairlearn.postprocessing import ThresholdOptimizer
from gnomon import audit
from gnomon.audit.fairness import Counts
from gnomon.audit.fairness.counterfactual.changes import mean_change, paired_change, share_of
from gnomon.audit.fairness.mitigation import borrowed, mitigation
from gnomon.audit.fairness.mitigation.halves import first_half
from gnomon.audit.fairness.mitigation.refits import reduce
from gnomon.audit.fairness.mitigation.thresholds import Rule, Step, chances, drawn, group_thresholds
from gnomon.models import Binary, Subject, frames
from gnomon.models.datasets import simulated
from gnomon.models.errors import DataError, SubjectError
from gnomon.reports import charts, sentences
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

BOTH = ("threshold_optimizer", "group_thresholds")


def credit(n=6000, seed=1):
    """Scores that favour one sex, with labels."""
    draw = np.random.default_rng(seed)
    male = draw.integers(0, 2, n)
    latent = draw.normal(size=n) + 0.7 * male
    label = (latent + draw.normal(size=n) > 0.3).astype(int)
    return 1 / (1 + np.exp(0.3 - latent)), label, male


def counts(n=6000, seed=1, **more):
    score, label, male = credit(n, seed)
    return Counts.from_arrays(label, None, {"sex": np.where(male, "male", "female")}, scores=score, **more)


def found(some: Counts, *methods, **plan):
    return mitigation.section(some.context(replicates=0, mitigate=methods, **plan))


def one(section, metric, statistic, method, attribute="sex"):
    where = {"attribute": attribute, "method": method}
    return next(m for m in section.measures if (m.metric, m.statistic, m.where) == (metric, statistic, where))


# --- group thresholds -------------------------------------------------------------------------------------------------


def best_by_trying_all(score, label, group, rate, epsilon):
    """The highest number of right decisions of all thresholds whose rates lie within epsilon."""
    best = -1
    codes = np.unique(group)
    for thresholds in product(*([np.inf, *np.unique(score[group == g])] for g in codes)):
        chosen = [score[group == g] >= t for g, t in zip(codes, thresholds, strict=True)]
        labels = [label[group == g] for g in codes]
        rates = [
            c[y == 1].mean() if rate == "true_positive_rate" else c.mean() for c, y in zip(chosen, labels, strict=True)
        ]
        if max(rates) - min(rates) <= epsilon + 1e-12:
            best = max(best, sum(int((c == y).sum()) for c, y in zip(chosen, labels, strict=True)))
    return best


@pytest.mark.parametrize("rate", ["selection_rate", "true_positive_rate"])
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.05, 0.2, 0.5, 1.0]), st.integers(2, 3))
@settings(max_examples=25)
def test_group_thresholds_keep_the_gap_and_are_no_worse_than_the_best_that_need_no_chance(rate, seed, epsilon, groups):
    draw = np.random.default_rng(seed)
    score = draw.integers(0, 6, 24) / 6
    group, label = np.arange(24) % groups, draw.integers(0, 2, 24)
    label[: 2 * groups] = np.repeat([0, 1], groups)
    rules = group_thresholds(score, label, group, rate=rate, epsilon=epsilon)
    chance = chances(rules, score, group, np.zeros(24))
    about = label == 1 if rate == "true_positive_rate" else np.ones(24, bool)
    rates = [chance[about & (group == g)].mean() for g in range(groups)]
    assert max(rates) - min(rates) <= epsilon + 1e-9
    right = np.where(label == 1, chance, 1 - chance).sum()
    best = best_by_trying_all(score, label, group, rate, epsilon)
    assert right >= best - 1e-9
    if not ((chance > 0) & (chance < 1)).any():
        assert right == best


def test_few_rows_of_one_group_do_not_force_everyone_to_be_turned_down():
    score, label, group = credit(600)
    tiny = np.array([0.9, 0.8, 0.2]), np.array([1, 1, 0]), np.full(3, 7)
    both = (np.concatenate(pair) for pair in zip((score, label, group), tiny, strict=True))
    rules = group_thresholds(*both)
    alone = group_thresholds(score, label, group)
    taken = [chances(some, score, group, np.zeros(600)).mean() for some in (rules, alone)]
    assert taken[0] == pytest.approx(taken[1], abs=0.05)
    assert len(rules[7].steps) == 2


def test_a_weight_is_so_many_rows():
    score, label, group = credit(60)
    weight = np.random.default_rng(0).integers(1, 4, 60)
    weighed = group_thresholds(score, label, group, weights=weight.astype(float))
    again = group_thresholds(*(np.repeat(column, weight) for column in (score, label, group)))
    assert weighed == again


def test_a_group_that_the_rate_is_not_about_gets_no_rule():
    rules = group_thresholds(
        np.array([0.2, 0.8, 0.4]), np.array([0, 1, 0]), np.array([0, 0, 1]), rate="true_positive_rate"
    )
    assert list(rules) == [0]


# --- rules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("constraint", borrowed.CONSTRAINTS)
def test_what_is_read_out_of_fairlearn_decides_as_fairlearn_does(constraint):
    score, label, group = credit(1500)
    rules = borrowed.threshold_optimizer(score, label, group, constraint)
    scores = borrowed._scores()
    peer = ThresholdOptimizer(estimator=scores, constraints=constraint, prefit=True, predict_method="predict")
    with pytest.warns(UserWarning, match="prefit"):
        peer.fit(score[:, None], label, sensitive_features=group)
    theirs = peer._pmf_predict(score[:, None], sensitive_features=group)[:, 1]
    np.testing.assert_allclose(chances(rules, score, group, score * 0), theirs, atol=1e-12)


def test_a_randomised_decision_is_drawn_as_often_as_its_chance_and_by_the_row_alone():
    rule = Rule((Step(0.6, 0.5, ">"), Step(0.3, 0.2, ">=")), always=0.05)
    score = np.repeat([0.1, 0.3, 0.9], 20_000)
    chance = rule.chance(score)
    np.testing.assert_allclose(np.unique(chance), [0.05, 0.35, 0.95])
    names = np.arange(len(score))
    decided = drawn(chance, names, 3)
    for p in (0.05, 0.35, 0.95):
        assert decided[np.isclose(chance, p)].mean() == pytest.approx(p, abs=5 * np.sqrt(p * (1 - p) / 20_000))
    order = np.random.default_rng(0).permutation(len(score))
    np.testing.assert_array_equal(drawn(chance[order], names[order], 3), decided[order])
    assert (drawn(chance, names, 4) != decided).any()


def test_a_rule_without_a_finite_threshold_says_so_in_words():
    told = Rule((Step(0.5, np.inf), Step(0.5, -np.inf, ">"))).described()["steps"]
    assert [(step["threshold"], step["selects"]) for step in told] == [(None, "no one"), (None, "everyone")]


# --- the trial --------------------------------------------------------------------------------------------------------


def test_halves_are_halves_and_clusters_stay_together():
    assert first_half(np.arange(100_000), 0).mean() == pytest.approx(0.5, abs=0.01)
    person = np.arange(3000) // 3
    some = found(counts(3000, clusters=person), "group_thresholds")
    (exhibit,) = some.exhibits
    # each person has three rows, on one side or the other
    assert exhibit.data["rows_audited"] % 3 == 0
    assert exhibit.data["rows_fitted"] + exhibit.data["rows_audited"] == 3000


def test_each_method_closes_the_gap_it_is_about_and_says_what_it_costs():
    section = found(counts(), *BOTH)
    before = one(section, "selection_rate", "difference", "none")
    assert before.low > 0.15
    for method in ("threshold_optimizer.demographic_parity", "group_thresholds.demographic_parity"):
        assert one(section, "selection_rate", "difference", method).high < 0.1
    for method in ("threshold_optimizer.equalized_odds", "group_thresholds.equal_opportunity"):
        gap = one(section, "true_positive_rate", "difference", method)
        assert gap.high < one(section, "true_positive_rate", "difference", "none").low
    for method in {m.where["method"] for m in section.measures} - {"none"}:
        change, after = (one(section, "accuracy", statistic, method) for statistic in ("change", "value"))
        assert after.value - one(section, "accuracy", "value", "none").value == pytest.approx(change.value)
        assert change.high - change.low < after.high - after.low  # paired: surer than two accuracies


def test_the_untouched_decisions_are_those_of_a_plain_audit_of_the_same_half():
    score, label, male = credit()
    half = ~first_half(np.arange(len(score)), 0)
    plain = Counts.from_arrays(label[half], None, {"sex": np.where(male, "male", "female")[half]}, scores=score[half])
    own = {(m.metric, m.statistic): m for m in plain.measures(replicates=0) if m.where in ({}, {"attribute": "sex"})}
    section = found(counts(), "group_thresholds")
    for metric, statistic in product(mitigation.SHOWN, ("value", "difference")):
        mine, theirs = one(section, metric, statistic, "none"), own[metric, statistic]
        assert (mine.value, mine.low, mine.high, mine.n) == (theirs.value, theirs.low, theirs.high, theirs.n)


def test_a_gap_interval_of_the_held_out_half_covers_the_truth():
    score, _, male = credit(60_000, seed=99)  # the population, all but
    covered = 0
    for seed in range(40):
        s, y, m = credit(1200, seed)
        some = Counts.from_arrays(y, None, {"sex": m}, scores=s)
        section = found(some, "group_thresholds")
        gap = one(section, "selection_rate", "difference", "group_thresholds.demographic_parity")
        (exhibit,) = section.exhibits
        at = {r["level"]: r["steps"][0]["threshold"] for r in exhibit.data["rules"] if "parity" in r["method"]}
        true = [(score[male == g] >= at[str(g)]).mean() for g in (0, 1)]
        covered += gap.low <= abs(true[1] - true[0]) <= gap.high
    assert covered >= 34  # P(X < 34 | 40, .95) < 0.005


def test_the_order_of_rows_does_not_matter():
    rows = np.arange(2000)
    order = np.random.default_rng(5).permutation(2000)
    made = []
    for some in (rows, order):
        state = counts(2000).rows
        _, columns = state.sorted()
        moved = type(state).of(some, **{name: column[some] for name, column in columns.items()})
        context = counts(2000).context(replicates=0, mitigate=BOTH)
        made.append(mitigation.section(type(context)(context.axes, context.table, context.plan, moved)))
    assert made[0] == made[1]


def test_rows_of_unknown_group_keep_their_decision():
    score, label, male = credit(2000)
    sex = np.where(male, "male", "female").astype(object)
    sex[::4] = None
    section = found(Counts.from_arrays(label, None, {"sex": sex}, scores=score), "group_thresholds")
    assert (
        one(section, "accuracy", "value", "group_thresholds.demographic_parity").n
        == section.exhibits[0].data["rows_audited"]
    )


def test_weighted_rows_have_weighted_numbers_and_fairlearn_says_why_not():
    weights = np.random.default_rng(2).integers(1, 4, 3000).astype(float)
    section = found(counts(3000, weights=weights), *BOTH)
    refused = one(section, "accuracy", "value", "threshold_optimizer")
    assert refused.details["reason"] == "takes_no_weights"
    after = one(section, "accuracy", "value", "group_thresholds.demographic_parity")
    change = one(section, "accuracy", "change", "group_thresholds.demographic_parity")
    assert after.value - one(section, "accuracy", "value", "none").value == pytest.approx(change.value)


@pytest.mark.parametrize("method", mitigation.REFIT)
def test_what_must_be_trained_again_says_so(method):
    section = found(counts(200), method)
    (measure,) = section.measures
    assert measure.value is None
    assert measure.details["reason"] == "needs_refit"
    assert section.limitations[0].message == "needs_refit"


def test_what_cannot_be_tried_has_a_reason():
    _, label, male = credit(200)
    bare = Counts.from_arrays(label, label, {"sex": male})
    score = credit(200)[0]
    unlabelled = Counts.from_arrays(None, None, {"sex": male}, scores=score)
    alone = Counts.from_arrays(label, None, {"sex": ["x"] * 200}, scores=score)
    several = Counts.from_arrays(["a", "b", "c"], ["a", "b", "b"], {"sex": ["f", "m", "f"]}, positive=None)
    nobody = Counts.from_arrays(label, None, {}, scores=score)
    cases = zip(
        (bare, unlabelled, alone, several, nobody),
        ("no_scores", "no_labels", "mitigation_needs_two", "not_for_task", "no_people"),
        strict=True,
    )
    for some, reason in cases:
        (measure,) = found(some, "group_thresholds").measures
        assert measure.details["reason"] == reason


def test_a_level_without_both_labels_keeps_its_decisions_and_is_named():
    score, label, male = credit(1000)
    group = np.where(male, "male", "female").astype(object)
    group[:20], label[:20] = "rare, “odd” <script>", 1
    section = found(Counts.from_arrays(label, None, {"sex": group}, scores=score), *BOTH)
    told = [m.parameters["level"] for m in section.limitations if m.message == "level_not_mitigated"]
    assert told == ["rare, “odd” <script>"]


def test_nothing_happens_unasked_and_an_unknown_method_is_refused():
    assert found(counts(100)).measures == ()
    with pytest.raises(DataError, match="did you mean 'group_thresholds'"):
        found(counts(100), "group_threshold")


def test_the_law_is_spoken_of_and_nothing_is_said_to_be_applied():
    section = found(counts(500), *BOTH)
    told = [m.message for m in section.limitations]
    assert told.count("uses_attribute") == 2
    assert "mitigation_not_applied" in told


def test_an_audit_shows_it_in_a_figure_and_in_sentences():
    score, label, male = credit(3000)
    import pandas

    table = pandas.DataFrame({"y": label, "p": score, "sex": np.where(male, "male", "female")})
    subject = Subject.from_predictions(table, target="y", score="p", sensitive=["sex"], positive=1)
    record = audit.run(subject, [audit.Fairness(replicates=0, mitigate=BOTH)])
    (figure,) = [f for f in charts.charts(record) if f.id.startswith("mitigation")]
    assert len(figure.table.rows) == 5
    assert figure.chart.to_dict()
    (first, *_) = [f for f in record.findings if f.message == "mitigation"]
    assert sentences.finding(first).startswith("Tried, not applied: with")
    assert audit.Record.from_json(record.to_json()).measures == record.measures


# --- refits -----------------------------------------------------------------------------------------------------------


def subject_with_inputs():
    frame = simulated.credit(1500, seed=2)
    encoding = frames.fit_encoding(frame, numeric=simulated.NUMERIC, categorical=("sex", "employment"))
    return Subject.from_frame(
        "credit", lambda *x: x[0][:, 1], frame, target="approved", encoding=encoding, task=Binary(),
        sensitive=["sex"], output="logit",
    )  # fmt: skip


@pytest.mark.parametrize("method", borrowed.REDUCTIONS)
def test_a_refit_under_a_constraint_is_a_subject_with_a_smaller_gap(method):
    subject, estimator = subject_with_inputs(), LogisticRegression(max_iter=500)
    gaps = {}
    for name in ("none", method):
        made = reduce(subject, estimator, attribute="sex", method=name, most=10)
        record = audit.run(made, [audit.Fairness(replicates=0)])
        gaps[name] = record.find("selection_rate", statistic="difference", where={"attribute": "sex"})
    assert not hasattr(estimator, "coef_")  # left as it was
    assert gaps[method].value < gaps["none"].value - 0.1


def test_a_network_can_be_refitted():
    from gnomon.models.refit import Refit
    from torch import nn

    subject = subject_with_inputs()
    made = [
        reduce(subject, Refit(lambda: nn.Linear(12, 1), epochs=3, lr=0.05), attribute="sex", most=4) for _ in range(2)
    ]
    decided = [next(iter(one.data.batches(10_000))).decisions for one in made]
    np.testing.assert_array_equal(*decided)
    assert 0 < decided[0].mean() < 1


def test_a_refit_of_something_else_is_refused_in_one_line():
    subject, estimator = subject_with_inputs(), LogisticRegression()
    for wrong in ({"attribute": "race"}, {"attribute": "sex", "method": "magic"}):
        with pytest.raises(SubjectError) as error:
            reduce(subject, estimator, **wrong)
        assert "\n" not in str(error.value)


# --- changes ----------------------------------------------------------------------------------------------------------


def test_a_clustered_mean_has_the_textbook_sandwich():
    draw = np.random.default_rng(0)
    cluster = np.repeat(np.arange(30), 4)
    x = draw.normal(size=120) + draw.normal(size=30)[cluster]
    (value, low, high), units = mean_change(x, 0.95, cluster.astype(np.uint64))
    sums = np.array([(x[cluster == g] - x.mean()).sum() for g in range(30)])
    error = np.sqrt(30 / 29 * (sums**2).sum()) / 120
    assert units == 30
    assert (value, high - low) == (pytest.approx(x.mean()), pytest.approx(2 * 2.045229642132703 * error))


def test_a_paired_change_keeps_its_width_where_no_row_changed():
    value, low, high = paired_change(0, 0, 100, 0.95)
    assert value == 0
    assert low < -0.02
    assert high > 0.02


def test_a_share_without_clusters_has_wilsons_interval():
    (value, low, high), n, name = share_of(np.arange(263) < 81, 0.95)
    assert (round(value, 4), round(low, 4), round(high, 4), n, name) == (0.308, 0.2553, 0.3662, 263, "wilson")
