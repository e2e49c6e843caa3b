"""Performance measures against closed forms, textbook formulas and simulation of coverage."""

import numpy as np
import pytest
from gnomon.audit import calibration, discrimination, means
from gnomon.audit.analysis import Section
from gnomon.audit.criteria import Levels
from gnomon.audit.performance import Performance
from gnomon.models import Batch, Binary, Multiclass, Regression, Subject
from gnomon.models.task import Scores
from scipy.stats import norm
from scipy.stats import t as student
from sklearn import metrics


class Rows:
    """Just enough data for an analysis that is handed its batches."""

    people = ()
    split = "test"
    origin = "a test"

    def __len__(self):
        return 0

    def batches(self, size):
        return iter(())


def conclude(task, targets, values=None, decisions=None) -> Section:
    subject, analysis = Subject(name="s", data=Rows(), task=task), Performance()
    n = len(targets)
    batch = Batch(np.arange(n), (), targets, np.empty((n, 0), np.int64))
    state = analysis.observe(subject, batch, Scores(values, decisions))
    return analysis.conclude(subject, state, Levels())


def by_name(section):
    return {m.metric: m for m in section.measures}


def binary(n=400, seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    logit = rng.normal(size=n)
    p = 1 / (1 + np.exp(-logit * noise))
    return (rng.random(n) < p).astype(np.int64), p


def test_binary_measures_are_the_fields():
    y, p = binary()
    found = by_name(conclude(Binary(), y, p, (p >= 0.5).astype(np.int64)))
    assert found["accuracy"].value == metrics.accuracy_score(y, p >= 0.5)
    assert found["balanced_accuracy"].value == pytest.approx(metrics.balanced_accuracy_score(y, p >= 0.5))
    assert found["auc"].value == pytest.approx(metrics.roc_auc_score(y, p))
    assert found["log_loss"].value == pytest.approx(metrics.log_loss(y, p))
    assert found["brier_score"].value == pytest.approx(((p - y) ** 2).mean())
    assert all(m.low <= m.value <= m.high for m in found.values())


def test_multiclass_measures_are_the_fields():
    rng = np.random.default_rng(0)
    p = rng.dirichlet([1, 1, 1], 300)
    y = np.array([rng.choice(3, p=row) for row in p])
    found = by_name(conclude(Multiclass(("a", "b", "c")), y, p, p.argmax(1)))
    assert found["accuracy"].value == metrics.accuracy_score(y, p.argmax(1))
    assert found["balanced_accuracy"].value == pytest.approx(metrics.balanced_accuracy_score(y, p.argmax(1)))
    assert found["auc"].value == pytest.approx(metrics.roc_auc_score(y, p, multi_class="ovr"))
    assert found["log_loss"].value == pytest.approx(metrics.log_loss(y, p))


def test_regression_measures_are_the_fields():
    rng = np.random.default_rng(0)
    y = rng.normal(size=200)
    guess = y + rng.normal(size=200) * 0.5
    found = by_name(conclude(Regression("km"), y, guess))
    assert found["mean_absolute_error"].value == pytest.approx(metrics.mean_absolute_error(y, guess))
    assert found["root_mean_squared_error"].value == pytest.approx(metrics.root_mean_squared_error(y, guess))
    assert found["r_squared"].value == pytest.approx(metrics.r2_score(y, guess))
    assert found["mean_absolute_error"].unit == "km"


def test_delongs_variance_is_the_double_sum_of_its_paper():
    """The covariance of placements, written out pair by pair."""
    y, p = binary(60, seed=3)
    p = p.round(1)  # with ties
    high, low = p[y == 1], p[y == 0]
    kernel = (high[:, None] > low).astype(float) + 0.5 * (high[:, None] == low)
    ten, one = kernel.mean(1), kernel.mean(0)
    se = np.sqrt(ten.var(ddof=1) / len(ten) + one.var(ddof=1) / len(one))
    (value, lo, hi), method = discrimination.auc(p, y == 1, 0.95)
    assert value == pytest.approx(kernel.mean())
    assert [lo, hi] == pytest.approx([kernel.mean() - norm.ppf(0.975) * se, kernel.mean() + norm.ppf(0.975) * se])
    assert method == "delong"


def test_perfect_separation_is_not_taken_for_certainty():
    scores, truth = np.array([0.1, 0.2, 0.3, 0.8, 0.9]), np.array([0, 0, 0, 1, 1], bool)
    (value, low, high), method = discrimination.auc(scores, truth, 0.95)
    assert (value, high, method) == (1, 1, "newcombe-2006")
    assert 0.3 < low < 0.9


def test_auc_covers_the_truth():
    rng, hits, truth = np.random.default_rng(5), 0, norm.cdf(1 / np.sqrt(2))
    for _ in range(600):
        scores = np.concatenate([rng.normal(1, 1, 60), rng.normal(0, 1, 90)])
        (_, low, high), _ = discrimination.auc(scores, np.arange(150) < 60, 0.95)
        hits += low <= truth <= high
    assert 0.925 < hits / 600 < 0.975


def test_calibration_error_covers_also_a_perfectly_calibrated_model():
    hits, above, trials = 0, 0, 300
    for seed in range(trials):
        y, p = binary(500, seed)
        value, low, high = calibration.expected_calibration_error(calibration.bins(p, y == 1), 0.95)
        hits += low <= 0 <= high
        above += value > 0
    assert hits / trials > 0.93
    assert above == trials  # the plain estimate never says so by itself


def test_a_plainly_miscalibrated_model_is_told():
    y, p = binary(4000, 1)
    value, low, _ = calibration.expected_calibration_error(calibration.bins(np.sqrt(p), y == 1), 0.95)
    assert low > 0.05
    assert value == pytest.approx((np.sqrt(p) - p).mean(), abs=0.03)


def test_the_error_of_everyone_is_corrected_as_that_of_each_group_is():
    from gnomon.audit.fairness import Counts

    for seed in (0, 1, 2):
        y, p = binary(700, seed)
        own = by_name(conclude(Binary(), y, p, (p >= 0.5).astype(np.int64)))["expected_calibration_error"]
        one_group = Counts.from_arrays(y, None, {"g": ["all"] * 700}, scores=p).measures(replicates=0)
        (group,) = [m for m in one_group if m.metric == own.metric and m.statistic == "value" and m.where]
        assert (own.value, own.low, own.high) == pytest.approx((group.value, group.low, group.high))
        assert own.method == group.method
        assert own.details["plain"] == pytest.approx(group.details["plain"])
        assert own.value < own.details["plain"]


def test_a_calibrated_model_shows_no_error_on_average():
    found = [calibration.uncorrected(calibration.bins(p, y == 1)) for y, p in (binary(500, s) for s in range(300))]
    assert abs(np.mean([f["uncut"] for f in found])) < 0.003
    assert np.mean([f["plain"] for f in found]) > 0.03


def test_bins_keep_ties_together_and_lose_no_row():
    scores = np.array([0.2] * 50 + [0.7] * 50)
    found = calibration.bins(scores, np.arange(100) % 2 == 0)
    assert found.n.tolist() == [50, 50]
    assert found.score.tolist() == pytest.approx([0.2, 0.7])


def test_means_have_students_interval():
    values = np.array([2.0, 4, 4, 4, 5, 5, 7, 9])
    expected = student.interval(0.95, 7, values.mean(), values.std(ddof=1) / np.sqrt(8))
    assert means.mean(values, 0.95)[1:] == pytest.approx(expected)


def test_r_squared_covers_its_truth():
    rng, hits, truth = np.random.default_rng(2), 0, 1 - 0.25 / 1.25
    for _ in range(400):
        signal = rng.normal(size=200)
        y = signal + rng.normal(size=200) * 0.5
        found = by_name(conclude(Regression(), y, signal))["r_squared"]
        hits += found.low <= truth <= found.high
    assert 0.91 < hits / 400 < 0.98


def test_the_mean_auc_of_classes_covers():
    rng, hits = np.random.default_rng(4), 0
    truth = norm.cdf(1 / np.sqrt(2))
    for _ in range(300):
        y = rng.integers(0, 3, 150)
        scores = rng.normal(size=(150, 3)) + np.eye(3)[y]
        _, low, high = discrimination.mean_auc(scores, y, 0.95)
        hits += low <= truth <= high
    assert 0.91 < hits / 300 < 0.985


@pytest.mark.parametrize(
    "targets, values, decisions, metric, reason",
    [
        (np.array([1, 1, 1]), np.array([0.2, 0.4, 0.9]), np.array([0, 0, 1]), "auc", "only one class"),
        (np.array([-1, -1]), np.array([0.2, 0.4]), np.array([0, 0]), "accuracy", "no labels"),
        (np.array([0, 1]), None, np.array([0, 0]), "log_loss", "scores of single rows"),
        (np.array([1]), np.array([0.2]), np.array([0]), "brier_score", "too few"),
    ],
)
def test_what_cannot_be_measured_says_why(targets, values, decisions, metric, reason):
    measure = by_name(conclude(Binary(), targets, values, decisions))[metric]
    assert measure.value is None
    assert reason in measure.reason


def test_a_roc_curve_is_thinned_without_changing_its_area():
    y, p = binary(20_000)
    false, true = discrimination.roc(p, y == 1)
    assert len(false) <= 201
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(true, false) == pytest.approx(metrics.roc_auc_score(y, p), abs=1e-3)
