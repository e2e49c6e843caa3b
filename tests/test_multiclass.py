"""Several classes: means over classes and their gaps, and a favourable set of labels."""

import numpy as np
import pytest
from gnomon.audit.fairness import Counts
from gnomon.audit.fairness.comparison import multiclass
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, f1_score

rows = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from("ab")), min_size=20, max_size=60
).filter(lambda rows: all({y for y, _, g in rows if g == group} == {0, 1, 2} for group in "ab"))


def counts_of(y, p, g, **more):
    return Counts.from_arrays(y, p, {"g": g}, positive=None, **more)


def find(counts, metric, statistic="value", **where):
    return pick(multiclass.section(counts.context(replicates=0)).measures, metric, statistic, **where)


def pick(measures, metric, statistic="value", **where):
    (one,) = [m for m in measures if (m.metric, m.statistic, m.where) == (metric, statistic, where)]
    return one


@given(rows)
@settings(max_examples=30)
def test_means_over_classes_are_those_of_scikit_learn(found):
    y, p, g = map(np.array, zip(*found, strict=True))
    measures = multiclass.section(counts_of(y, p, g).context(replicates=0)).measures
    for where, kept in (({}, g != ""), ({"g": "a"}, g == "a"), ({"g": "b"}, g == "b")):
        expected = balanced_accuracy_score(y[kept], p[kept])
        assert pick(measures, "balanced_accuracy", **where).value == pytest.approx(expected)
        assert pick(measures, "f1_score", **where).value == pytest.approx(f1_score(y[kept], p[kept], average="macro"))
    gap = pick(measures, "balanced_accuracy", "difference", attribute="g")
    each = [pick(measures, "balanced_accuracy", g=name).value for name in "ab"]
    assert gap.value == pytest.approx(abs(each[0] - each[1]))
    assert gap.low <= gap.value <= gap.high


@given(rows)
@settings(max_examples=30)
def test_weight_two_is_every_row_twice(found):
    y, p, g = map(np.array, zip(*found, strict=True))
    weighted = counts_of(y, p, g, weights=np.full(len(y), 2.0))
    twice = counts_of(np.tile(y, 2), np.tile(p, 2), np.tile(g, 2))
    for metric in multiclass.NAMES:
        assert find(weighted, metric).value == pytest.approx(find(twice, metric).value)


@pytest.mark.parametrize("metric", multiclass.NAMES)
def test_intervals_cover_the_truth(metric):
    rng = np.random.default_rng(3)
    confusion = np.array([[0.8, 0.15, 0.05], [0.2, 0.6, 0.2], [0.05, 0.05, 0.9]]) * [[0.5], [0.3], [0.2]]
    right, truth, decided = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    expected = {"balanced_accuracy": (right / truth).mean(), "f1_score": (2 * right / (truth + decided)).mean()}[metric]
    covered = 0
    for _ in range(300):
        cell = rng.choice(9, 150, p=confusion.ravel())
        m = find(counts_of(cell // 3, cell % 3, ["a"] * 150), metric)
        covered += m.low <= expected <= m.high
    assert 0.912 <= covered / 300 <= 0.988  # three standard errors about .95


def test_a_group_without_a_class_has_no_mean_over_classes_and_says_which():
    counts = counts_of(list("xyzxyx"), list("xyzxyy"), list("aaabbb"))
    found = find(counts, "balanced_accuracy", g="b")
    assert found.value is None
    assert "z" in found.reason
    assert find(counts, "balanced_accuracy", "difference", attribute="g").value is None


def test_a_group_that_is_always_right_is_not_known_to_be():
    counts = counts_of(list("xyz") * 4, list("xyz") * 4, list("aaabbb") * 2)
    found = find(counts, "balanced_accuracy", g="a")
    assert (found.value, found.high) == (1, 1)
    assert found.low < 0.85


def test_rows_that_hang_together_say_less():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 60)
    p = np.where(rng.random(60) < 0.7, y, (y + 1) % 3)
    alone = counts_of(np.repeat(y, 5), np.repeat(p, 5), ["a"] * 300)
    tied = counts_of(np.repeat(y, 5), np.repeat(p, 5), ["a"] * 300, clusters=np.repeat(np.arange(60), 5))
    narrow, wide = (find(counts, "balanced_accuracy") for counts in (alone, tied))
    assert narrow.value == pytest.approx(wide.value)
    assert wide.high - wide.low > 1.8 * (narrow.high - narrow.low)


def test_a_set_of_favourable_labels_is_counted_as_positive():
    y = np.array([1, 0, 0, 1, 0, 2, 1, 0, 2, 1])
    p = y.copy()
    p[3], p[4] = 0, 2
    favourable = np.isin(y, [0, 1]).astype(int), np.isin(p, [0, 1]).astype(int)
    counts = Counts.from_arrays(*favourable, {"part": ["first"] * 6 + ["last"] * 4})
    found = {
        (m.metric, m.statistic, *m.where.values()): m for m in counts.measures(replicates=0) if m.value is not None
    }
    tpr, tnr = found["true_positive_rate", "value"], found["true_negative_rate", "value"]
    cells = tpr.numerator, tpr.denominator - tpr.numerator, tnr.numerator, tnr.denominator - tnr.numerator
    assert cells == (7, 1, 2, 0)
    missed = [found["false_negative_rate", "value", part].value for part in ("last", "first")]
    assert missed[0] - missed[1] == pytest.approx(-0.2)


def test_two_classes_have_no_second_mean():
    counts = Counts.from_arrays([0, 1, 0, 1], [0, 1, 1, 1], {"g": list("aabb")})
    assert multiclass.section(counts.context(replicates=0)).measures == ()
    keys = [m.key for m in counts.measures(replicates=0)]
    assert len(keys) == len(set(keys))


def test_no_measure_is_there_twice_with_several_classes_and_a_control():
    rng = np.random.default_rng(1)
    y, p, c = (rng.integers(0, 3, 200) for _ in range(3))
    g, h = rng.choice(list("ab"), 200), rng.choice(list("xyz"), 200)
    counts = Counts.from_arrays(y, p, {"g": g, "h": h}, positive=None, controls={"c": c})
    keys = [m.key for m in counts.measures(replicates=0)]
    assert len(keys) == len(set(keys))
