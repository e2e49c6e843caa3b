"""However the rows are cut into batches, shuffled or sharded: given the same scores, an audit says the same."""

from contextlib import nullcontext
from dataclasses import replace
from functools import reduce
from itertools import pairwise

import numpy as np
import pytest
import torch
from gnomon.audit.criteria import Levels
from gnomon.audit.engine import standard
from gnomon.audit.fairness.counterfactual.flips import Flips
from gnomon.audit.stream import Seen, observe
from gnomon.models import Attribute, Batch, Binary, Feature, Multiclass, Regression, Subject, Tabular
from gnomon.models.task import Scores
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

N = 48
PEOPLE = (Attribute("sex", ("f", "m")), Attribute("race", ("a", "b", "c")), Attribute("empty", ("never", "seen")))
FEATURES = Tabular((Feature("age", 0, (0,)), Feature("debt", 0, (1,)), Feature("job", 0, (2,), ("x", "(missing)"))))
TASKS = {"binary": Binary(), "multiclass": Multiclass(("low", "mid", "high")), "regression": Regression()}


CONTROLS = (Attribute("dept", ("x", "y")),)
WINDOW = Attribute("when", ("2023", "2024", "2025"))


class Rows:
    people = PEOPLE
    split = "test"
    origin = "a test"

    def __len__(self):
        return N

    def batches(self, size):
        return iter(())


class Surveyed(Rows):
    """Rows that weigh, hang together, and have controls and a time."""

    controls = CONTROLS
    window = WINDOW


def subject(task, data=None):
    torch.manual_seed(0)
    model = nn.Linear(3, 3 if isinstance(task, Multiclass) else 1)
    output = {Binary: "logit", Multiclass: "logits", Regression: "value"}[type(task)]
    reference = {"sex": {"f": 0.5, "m": 0.5}}
    return Subject(
        name="s", data=data or Rows(), task=task, model=model, output=output, inputs=(FEATURES,), reference=reference
    )


def population(task):
    """All rows at once, with their scores."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(N, 3)).astype(np.float32)
    x[:, 2] = rng.integers(0, 2, N)
    x[1::7] = x[0]  # rows that occur more than once
    groups = np.stack([rng.integers(-1, 2, N), rng.integers(-1, 3, N), np.full(N, -1)], 1)
    if isinstance(task, Regression):
        targets, values, decisions = rng.normal(size=N), rng.normal(size=N), None
    elif isinstance(task, Binary):
        values = rng.random(N)
        targets, decisions = rng.integers(-1, 2, N), (values >= 0.5).astype(np.int64)
    else:
        values = rng.dirichlet([1, 1, 1], N)
        targets, decisions = rng.integers(-1, 3, N), values.argmax(1)
    return x, targets, groups, values, decisions


def piece(rows, everything):
    x, targets, groups, values, decisions = everything
    rows = np.array(rows, dtype=np.int64)
    batch = Batch(rows, (torch.from_numpy(x[rows]),), targets[rows], groups[rows])
    return batch, Scores(values[rows], None if decisions is None else decisions[rows])


def surveyed(rows, everything):
    """The same rows with weights, clusters, controls and windows."""
    rng = np.random.default_rng(2)
    more = {
        "weights": rng.integers(0, 5, N) / 3,
        "clusters": rng.integers(0, 9, N).astype(np.uint64),
        "controls": rng.integers(-1, 2, (N, 1)),
        "windows": rng.integers(-1, 3, N),
        "queries": rng.integers(0, 9, N).astype(np.uint64),
    }
    batch, scores = piece(rows, everything)
    return replace(batch, **{name: values[batch.rows] for name, values in more.items()}), scores


def analyses():
    return {a.name: a for a in standard() if a.name != "energy"}  # energy measures time, which never repeats


def conclude(task, name, pieces, *, tree=False, data=None, cut=piece):
    analysis, about = analyses()[name], subject(task, data)
    everything = population(task)
    states = [analysis.observe(about, *cut(rows, everything)) for rows in pieces if len(rows)]
    if tree:  # another association than from left to right
        half = len(states) // 2
        parts = [reduce(lambda a, b: a.merge(b), part, analysis.zero(about)) for part in (states[half:], states[:half])]
        state = parts[0].merge(parts[1])
    else:
        state = reduce(lambda a, b: a.merge(b), states, analysis.zero(about))
    return analysis.conclude(about, state, Levels())


def assert_same(a, b):
    assert [m.key for m in a.measures] == [m.key for m in b.measures]
    for one, other in zip(a.measures, b.measures, strict=True):
        assert one.n == other.n
        assert (one.numerator, one.denominator, one.reason) == (other.numerator, other.denominator, other.reason)
        for field in ("value", "low", "high"):
            x, y = getattr(one, field), getattr(other, field)
            assert x == y if x is None or y is None else x == pytest.approx(y, rel=1e-9, abs=1e-12)


cuts = st.tuples(st.permutations(range(N)), st.lists(st.integers(0, N), max_size=6), st.booleans())


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
@pytest.mark.parametrize("name", ["data", "performance", "fairness"])
def test_measures_do_not_depend_on_the_cut(task, name):
    whole = conclude(task, name, [range(N)])

    @given(cuts)
    @settings(max_examples=25, deadline=None)
    def law(how):
        order, at, tree = how
        edges = sorted({0, N, *at})
        pieces = [order[a:b] for a, b in pairwise(edges)]
        assert_same(conclude(task, name, pieces, tree=tree), whole)

    law()


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_rows_that_weigh_hang_together_and_have_a_time_may_be_cut_too(task):
    def whole(pieces, **how):
        return conclude(task, "fairness", pieces, data=Surveyed(), cut=surveyed, **how)

    order = np.random.default_rng(3).permutation(N)
    expected = whole([range(N)])
    for parts in (1, 4, 13):
        assert_same(whole(np.array_split(order, parts), tree=parts > 4), expected)


def test_the_seal_of_the_data_knows_weights_clusters_controls_and_windows():
    task = TASKS["binary"]
    about, everything = subject(task, Surveyed()), population(task)

    def seal(pieces, cut):
        seen = [observe(about, [], *cut(rows, everything), lambda name: nullcontext()) for rows in pieces]
        return reduce(lambda a, b: a.merge(b), seen).ledger.close(about, given=False)[0]

    whole = seal([range(N)], surveyed)
    assert seal([range(20, N), range(20)], surveyed) == whole

    def heavier(rows, everything):
        batch, scores = surveyed(rows, everything)
        return replace(batch, weights=batch.weights + 1), scores

    assert seal([range(N)], heavier) != whole


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_explanations_do_not_depend_on_the_cut(task):
    whole = conclude(task, "explanations", [range(N)])
    order = np.random.default_rng(0).permutation(N)
    assert_same(conclude(task, "explanations", np.array_split(order, 5), tree=True), whole)


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_flips_do_not_depend_on_the_cut(task):
    sex = Tabular((*FEATURES.features[:2], Feature("sex", 0, (2,), ("f", "m"))))
    about, analysis, everything = replace(subject(task), inputs=(sex,)), Flips(rows=20), population(task)

    def concluded(pieces):
        states = [analysis.observe(about, *piece(rows, everything)) for rows in pieces if len(rows)]
        return analysis.conclude(about, reduce(lambda a, b: a.merge(b), states, analysis.zero(about)), Levels())

    whole, order = concluded([range(N)]), np.random.default_rng(4).permutation(N)
    assert any(m.value is not None for m in whole.measures)
    for parts in (1, 4, 13):
        assert_same(concluded(np.array_split(order, parts)), whole)


def test_every_analysis_is_under_the_law():
    assert set(analyses()) == {"data", "performance", "fairness", "explanations"}


def test_what_is_seen_of_batches_merges_as_the_states_do():
    task = TASKS["binary"]
    about, everything, some = subject(task), population(task), list(analyses().values())[:3]

    def seen(rows):
        return observe(about, some, *piece(rows, everything), lambda name: nullcontext())

    a, b, c = seen(range(10)), seen(range(10, 30)), seen(range(30, N))
    left = a.merge(b).merge(c).merge(Seen.zero(about, some))
    right = c.merge(a.merge(b))
    assert left.rows == right.rows == N
    assert left.ledger.close(about, given=False)[0] == right.ledger.close(about, given=False)[0]
    assert left.ledger.close(about, given=False)[0] == seen(range(N)).ledger.close(about, given=False)[0]
    assert a.merge(b).ledger.close(about, given=False)[0] != seen(range(N)).ledger.close(about, given=False)[0]
