"""Performance of rows that weigh or hang together: against scikit-learn, the jackknife, and group fairness' own."""

import numpy as np
import pytest
from gnomon.audit.criteria import Levels
from gnomon.audit.fairness import Counts
from gnomon.audit.performance import Performance
from gnomon.models import Batch, Binary, Multiclass, Ranking, Regression, Subject
from gnomon.models.data import TensorData
from gnomon.models.design import Design
from gnomon.models.task import Scores
from scipy.stats import norm
from scipy.stats import t as student
from sklearn import metrics

N = 300


def section(task, targets, values=None, decisions=None, design=None, queries=None):
    n = len(targets)
    groups = np.empty((n, 0), np.int64)
    data = TensorData((), targets, groups, design=design or Design())
    subject, analysis = Subject(name="s", data=data, task=task), Performance()
    more = {"weights": data.design.weights, "clusters": data.design.clusters, "queries": queries}
    halves = np.arange(n) % 3 == 0, np.arange(n) % 3 > 0
    state = analysis.zero(subject)
    for cut in halves:
        some = {name: None if column is None else column[cut] for name, column in more.items()}
        batch = Batch(np.flatnonzero(cut), (), targets[cut], groups[cut], **some)
        said = Scores(None if values is None else values[cut], None if decisions is None else decisions[cut])
        state = state.merge(analysis.observe(subject, batch, said))
    return analysis.conclude(subject, state, Levels())


def conclude(*arguments, **more):
    return {m.metric: m for m in section(*arguments, **more).measures}


def rows(seed=0, n=N, per_cluster=3):
    """Labels and scores of which rows of one cluster share a part, and weights from 0.2 to 3."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(n // per_cluster), per_cluster)
    shared = rng.normal(size=n // per_cluster)[cluster]
    logit = shared + rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(-logit - shared))).astype(np.int64)
    return y, 1 / (1 + np.exp(-logit)), rng.uniform(0.2, 3, n), cluster.astype(np.uint64)


def classes(seed=0):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([1, 1, 1], N)
    return np.array([rng.choice(3, p=row) for row in p]), p


def test_weighted_binary_values_are_those_of_scikit_learn():
    y, p, w, _ = rows()
    d = (p >= 0.5).astype(np.int64)
    found = conclude(Binary(), y, p, d, Design(weights=w))
    assert found["accuracy"].value == pytest.approx(metrics.accuracy_score(y, d, sample_weight=w))
    assert found["balanced_accuracy"].value == pytest.approx(metrics.balanced_accuracy_score(y, d, sample_weight=w))
    assert found["auc"].value == pytest.approx(metrics.roc_auc_score(y, p, sample_weight=w))
    assert found["log_loss"].value == pytest.approx(metrics.log_loss(y, p, sample_weight=w))
    assert found["brier_score"].value == pytest.approx(metrics.brier_score_loss(y, p, sample_weight=w))
    assert found["calibration_in_the_large"].value == pytest.approx(np.average(p - y, weights=w))


def test_weighted_values_of_several_classes_are_those_of_scikit_learn():
    y, p = classes()
    w = rows()[2]
    found = conclude(Multiclass(("a", "b", "c")), y, p, p.argmax(1), Design(weights=w))
    assert found["accuracy"].value == pytest.approx(metrics.accuracy_score(y, p.argmax(1), sample_weight=w))
    assert found["auc"].value == pytest.approx(metrics.roc_auc_score(y, p, multi_class="ovr", sample_weight=w))
    assert found["log_loss"].value == pytest.approx(metrics.log_loss(y, p, sample_weight=w))


def test_weighted_errors_of_a_regression_are_those_of_scikit_learn():
    _, p, w, _ = rows()
    y = p + np.random.default_rng(1).normal(size=N) * 0.2
    found = conclude(Regression("km"), y, p, design=Design(weights=w))
    assert found["mean_absolute_error"].value == pytest.approx(metrics.mean_absolute_error(y, p, sample_weight=w))
    squares = metrics.mean_squared_error(y, p, sample_weight=w)
    assert found["root_mean_squared_error"].value == pytest.approx(np.sqrt(squares))
    assert found["r_squared"].value == pytest.approx(metrics.r2_score(y, p, sample_weight=w))
    assert found["mean_error"].value == pytest.approx(np.average(p - y, weights=w))


def jackknife(statistic, cluster, *columns):
    """The delete-one-cluster standard error, (G − 1)/G Σ (θ₋ − mean)² under the root."""
    names = np.unique(cluster)
    found = np.array([statistic(*(c[cluster != name] for c in columns)) for name in names])
    return np.sqrt((len(names) - 1) / len(names) * ((found - found.mean()) ** 2).sum())


STATISTICS = {
    "auc": lambda y, p, w: metrics.roc_auc_score(y, p, sample_weight=w),
    "log_loss": lambda y, p, w: metrics.log_loss(y, p, sample_weight=w),
    "brier_score": lambda y, p, w: np.average((p - y) ** 2, weights=w),
    "calibration_in_the_large": lambda y, p, w: np.average(p - y, weights=w),
}
NUMBERS = {
    "mean_absolute_error": lambda y, p, w: metrics.mean_absolute_error(y, p, sample_weight=w),
    "mean_error": lambda y, p, w: np.average(p - y, weights=w),
    "r_squared": lambda y, p, w: metrics.r2_score(y, p, sample_weight=w),
}


@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("metric", [*STATISTICS, *NUMBERS])
def test_the_interval_is_as_wide_as_leaving_out_rows_or_clusters_says(metric, clustered):
    y, p, w, cluster = rows()
    unit = cluster if clustered else np.arange(N)
    design = Design(weights=w, clusters=cluster if clustered else None)
    if metric in STATISTICS:
        error = jackknife(STATISTICS[metric], unit, y, p, w)
        found = conclude(Binary(), y, p, (p >= 0.5).astype(np.int64), design)[metric]
    else:
        truth = p + np.repeat(np.random.default_rng(1).normal(size=N // 3), 3) * 0.2
        error = jackknife(NUMBERS[metric], unit, truth, p, w)
        found = conclude(Regression(), truth, p, design=design)[metric]
    freedom = len(np.unique(unit)) - 1 if clustered else w.sum() ** 2 / (w**2).sum() - 1
    reach = norm.ppf(0.975) if metric == "auc" and not clustered else student.ppf(0.975, freedom)
    assert (found.high - found.low) / 2 == pytest.approx(reach * error, rel=0.04)
    assert found.method.endswith("-cluster" if clustered else "-weighted")


def test_the_interval_of_a_mean_auc_is_as_wide_as_leaving_out_clusters_says():
    y, p = classes()
    _, _, w, cluster = rows()
    error = jackknife(lambda y, p, w: metrics.roc_auc_score(y, p, multi_class="ovr", sample_weight=w), cluster, y, p, w)
    design = Design(weights=w, clusters=cluster)
    found = conclude(Multiclass(("a", "b", "c")), y, p, p.argmax(1), design)["auc"]
    assert (found.high - found.low) / 2 == pytest.approx(student.ppf(0.975, N // 3 - 1) * error, rel=0.04)


@pytest.mark.parametrize("weighted, clustered", [(True, False), (False, True), (True, True)])
def test_everyone_is_measured_as_a_group_of_everyone_is(weighted, clustered):
    y, p, w, cluster = rows(4)
    w, cluster = w if weighted else None, cluster if clustered else None
    own = conclude(Binary(), y, p, (p >= 0.5).astype(np.int64), Design(weights=w, clusters=cluster))
    counts = Counts.from_arrays(y, None, {"g": ["all"] * N}, scores=p, weights=w, clusters=cluster)
    group = {m.metric: m for m in counts.measures(replicates=0) if m.statistic == "value" and m.where == {"g": "all"}}
    same = ("accuracy", "balanced_accuracy", "auc", "brier_score", "calibration_in_the_large",
            "expected_calibration_error")  # fmt: skip
    for metric in same:
        mine, theirs = own[metric], group[metric]
        assert (mine.value, mine.low, mine.high) == pytest.approx((theirs.value, theirs.low, theirs.high)), metric
    for metric in ("accuracy", "auc", "brier_score", "expected_calibration_error"):
        assert own[metric].method == group[metric].method
    assert own["accuracy"].details["effective_n"] == group["accuracy"].details["effective_n"]


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_weights_of_one_change_nothing(task):
    y, p, _, _ = rows()
    asked = (Binary(), y, p, (p >= 0.5).astype(np.int64)) if task == "binary" else (Regression(), y + p, p)
    plain, ones = conclude(*asked), conclude(*asked, design=Design(weights=np.ones(N)))
    for metric, m in plain.items():
        other = ones[metric]
        assert (other.value, other.n) == (pytest.approx(m.value), m.n)
        assert (other.low, other.high) == pytest.approx((m.low, m.high), rel=2 / N)


@pytest.mark.parametrize("factor", [0.01, 1000.0])
def test_only_what_weights_are_to_each_other_matters(factor):
    y, p, w, _ = rows()
    asked = (Binary(), y, p, (p >= 0.5).astype(np.int64))
    one, other = (conclude(*asked, design=Design(weights=x)) for x in (w, w * factor))
    for metric, m in one.items():
        assert (m.value, m.low, m.high) == pytest.approx((other[metric].value, other[metric].low, other[metric].high))


def test_a_whole_weight_counts_as_so_many_rows():
    y, p, _, _ = rows()
    w = np.random.default_rng(3).integers(1, 4, N)
    d = (p >= 0.5).astype(np.int64)
    weighed = conclude(Binary(), y, p, d, Design(weights=w.astype(float)))
    drawn = conclude(Binary(), *(np.repeat(column, w) for column in (y, p, d)))
    for metric, m in weighed.items():
        if metric != "expected_calibration_error":  # less noise is taken out of it where more rows were drawn
            assert m.value == pytest.approx(drawn[metric].value), metric
        assert m.n == N
        assert m.high - m.low > drawn[metric].high - drawn[metric].low


def test_each_row_twice_in_its_own_cluster_says_no_more_than_once():
    y, p, _, _ = rows()
    asked = (Binary(), y, p, (p >= 0.5).astype(np.int64))
    once = conclude(*asked)
    twice = conclude(*(asked[0], *(np.repeat(column, 2) for column in asked[1:])),
                     design=Design(clusters=np.repeat(np.arange(N), 2).astype(np.uint64)))  # fmt: skip
    for metric in ("accuracy", "auc", "log_loss", "brier_score", "calibration_in_the_large"):
        assert twice[metric].value == pytest.approx(once[metric].value)
        assert (twice[metric].low, twice[metric].high) == pytest.approx((once[metric].low, once[metric].high), rel=0.01)
        assert twice[metric].details["clusters"] == N


def test_a_single_cluster_tells_no_error():
    y, p, _, _ = rows()
    found = conclude(Binary(), y, p, (p >= 0.5).astype(np.int64), Design(clusters=np.zeros(N, np.uint64)))
    for metric in ("log_loss", "brier_score", "calibration_in_the_large"):
        assert (found[metric].low, found[metric].high) == (None, None)
        assert found[metric].value is not None
    assert found["accuracy"].high - found["accuracy"].low > 0.6
    assert found["auc"].high - found["auc"].low > 0.6


def test_rows_that_weigh_nothing_are_not_there():
    y, p, w, _ = rows()
    asked = (y, p, (p >= 0.5).astype(np.int64))
    off = np.arange(N) % 4 == 0
    without = conclude(Binary(), *(column[~off] for column in asked), design=Design(weights=w[~off]))
    weightless = conclude(Binary(), *asked, design=Design(weights=np.where(off, 0, w)))
    for metric, m in without.items():
        other = weightless[metric]
        assert (m.value, m.low, m.high, m.n) == (other.value, other.low, other.high, other.n)


def test_what_weights_leave_undefined_says_why():
    y, p, _, _ = rows()
    asked = (Binary(), y, p, (p >= 0.5).astype(np.int64))
    of_one_class = conclude(*asked, design=Design(weights=(y == 1).astype(float)))
    assert of_one_class["auc"].reason == "only one class occurs among the labels"
    unlabelled = np.where(np.arange(N) < 9, y, -1)
    lost = conclude(Binary(), unlabelled, *asked[2:], design=Design(weights=(np.arange(N) >= 9).astype(float)))
    assert {m.reason for m in lost.values()} == {"all labelled rows have weight 0"}


def test_what_is_not_weighted_says_so_itself():
    y, p, w, _ = rows()
    d = (p >= 0.5).astype(np.int64)
    found = section(Binary(), y, p, d, Design(weights=w))
    assert [m.message for m in found.limitations] == ["rows_shown"]
    (
        confusion,
        *_,
    ) = (e for e in found.exhibits if e.kind == "confusion")
    assert np.sum(confusion.data["counts"]) == N
    assert section(Binary(), y, p, d).limitations == ()
    queries = np.repeat(np.arange(30), 10).astype(np.uint64)
    ranked = section(Ranking(), y.astype(float), p, design=Design(weights=w), queries=queries)
    assert [m.message for m in ranked.limitations] == ["unweighted"]
    (ndcg,) = ranked.measures
    assert ndcg.method == "student-t over lists, unweighted"
    plain = section(Ranking(), y.astype(float), p, queries=queries).measures[0]
    assert (ndcg.value, plain.method) == (plain.value, "student-t over lists")


def test_the_curves_are_of_the_weighted_rows():
    y, p, w, cluster = rows()
    found = section(Binary(), y, p, (p >= 0.5).astype(np.int64), Design(weights=w, clusters=cluster))
    exhibits = {e.kind: e.data for e in found.exhibits}
    curve = exhibits["roc_curve"]
    area = np.trapezoid(curve["true_positive_rate"], curve["false_positive_rate"])
    assert area == pytest.approx(metrics.roc_auc_score(y, p, sample_weight=w), abs=2e-3)
    bins = exhibits["calibration_curve"]
    assert sum(bins["n"]) == N
    first = np.argsort(p)[: bins["n"][0]]
    assert bins["observed"][0] == pytest.approx(np.average(y[first], weights=w[first]))
    assert bins["mean_score"][0] == pytest.approx(np.average(p[first], weights=w[first]))


def test_a_weighted_mean_covers_the_truth_of_its_population():
    """Groups drawn at different rates, with weights that undo it."""
    hits = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        rare = rng.random(240) < 0.8  # of a population where one in five is
        y = (rng.random(240) < np.where(rare, 0.2, 0.6)).astype(np.int64)
        w = np.where(rare, 0.2 / 0.8, 0.8 / 0.2)
        found = conclude(Binary(), y, None, np.ones(240, np.int64), Design(weights=w))["accuracy"]
        hits += found.low <= 0.2 * 0.2 + 0.8 * 0.6 <= found.high
    assert 0.92 < hits / 400 < 0.99
