"""Laws of all that a frame holds: how rows are cut, ordered and named is nothing; twice the rows is less doubt."""

import numpy as np
import pytest
from gnomon.audit.fairness import Counts
from gnomon.audit.fairness.numeric import regression
from gnomon.audit.fairness.table.plan import Plan
from gnomon.audit.state import Columns
from gnomon.models import Attribute
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

EXAMPLES = 8
EXACT = {"rel": 1e-7, "abs": 1e-9}
NUMBER_OF_ROWS = {
    # what tells of chance, or leans on others the more chance there is, changes with the rows: and so it should
    "expected_by_chance", "debiased_spread", "pooled", "minimum_detectable", "structured", "worst_subgroup",
}  # fmt: skip
SMOOTHED = {"differential_fairness", "label_differential_fairness"}  # by half a row, however many there are
MAY_WIDEN = {
    # how far groups vary is told anew: where they vary more than it seemed, a group leans less on the others
    "pooled",
    # the chance of another gap, the interval of which follows the pooled rate to where the gap changes more with it
    "expected_by_chance",
}
KINKED = {"conditional_demographic_disparity"}  # a mean of sizes: one row left out may turn a sign near 0, two not


@st.composite
def tables(draw):
    """Some dozens of rows of two attributes, a control and a score, drawn by a seed that shrinks."""
    n, levels = draw(st.integers(12, 80)), draw(st.integers(2, 4))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    table = {
        "target": rng.integers(0, 2, n),
        "prediction": (rng.random(n) < draw(st.floats(0.1, 0.9))).astype(int),
        "g": rng.integers(0, levels, n),
        "h": rng.integers(0, 2, n),
        "control": rng.integers(0, 2, n),
    }
    table["prediction"][0] = table["target"][0] = 1
    if draw(st.booleans()):
        table["weights"] = rng.integers(1, 4, n) / 2
    return table


def counted(table, rows=slice(None), name=lambda g: f"level {g}"):
    cut = {column: values[rows] for column, values in table.items()}
    levels = {"g": [name(k) for k in range(4)], "h": ["0", "1"], "control": ["0", "1"]}
    return Counts.from_arrays(
        cut["target"],
        cut["prediction"],
        {"g": [name(g) for g in cut["g"]], "h": cut["h"]},
        controls={"control": cut["control"]},
        weights=cut.get("weights"),
        levels=levels,
    )


def told(counts):
    found = counts.measures(replicates=0)
    assert len({m.key for m in found}) == len(found)
    return {m.key: m for m in found}


def assert_alike(first, second):
    assert first.keys() == second.keys()
    for key, m in first.items():
        other = second[key]
        same = [(x.value is None, x.details.get("reason") if x.value is None else None, x.n) for x in (m, other)]
        assert same[0] == same[1], key
        for mine, theirs in ((m.value, other.value), (m.low, other.low), (m.high, other.high)):
            assert mine == (None if theirs is None else pytest.approx(theirs, **EXACT)), key


@given(tables(), st.data())
@settings(max_examples=EXAMPLES, phases=(Phase.generate,), deadline=None)
def test_however_the_rows_are_cut_the_frame_is_the_same(table, data):
    n = len(table["target"])
    cut = data.draw(st.integers(1, n - 1))
    pieces = [counted(table, rows) for rows in (slice(0, cut), slice(cut, n)) if table["prediction"][rows].any()]
    if len(pieces) == 2:  # a part must hold the positive label to be counted
        whole = told(counted(table))
        assert_alike(told(pieces[0].merge(pieces[1])), whole)
        assert_alike(told(pieces[1].merge(pieces[0])), whole)


@given(tables(), st.randoms(use_true_random=False))
@settings(max_examples=EXAMPLES, phases=(Phase.generate,), deadline=None)
def test_whatever_the_order_of_the_rows_the_frame_is_the_same(table, random):
    order = list(range(len(table["target"])))
    random.shuffle(order)
    assert_alike(told(counted(table, order)), told(counted(table)))


@given(tables(), st.permutations(range(4)))
@settings(max_examples=EXAMPLES, phases=(Phase.generate,), deadline=None)
def test_other_names_of_the_levels_move_the_numbers_and_change_none(table, order):
    """The names sort otherwise than before, so groups change places as well."""
    new = {f"level {k}": f"renamed {place}" for k, place in enumerate(order)}

    def renamed(key):
        return (*key[:3], tuple(sorted((name, new.get(level, level)) for name, level in key[3])))

    before, after = told(counted(table)), told(counted(table, name=lambda g: f"renamed {order[g]}"))
    # of equally extreme groups the first by name makes the pair that is split into parts
    kept = [{key: m for key, m in found.items() if key[2] != "due_to"} for found in (before, after)]
    assert_alike({renamed(key): m for key, m in kept[0].items()}, kept[1])


@given(tables())
@settings(max_examples=EXAMPLES, phases=(Phase.generate,), deadline=None)
def test_all_rows_twice_leave_the_values_and_narrow_the_intervals(table):
    once, twice = told(counted(table)), told(counted({name: np.tile(values, 2) for name, values in table.items()}))
    for key, m in once.items():
        more = twice[key]
        if m.value is None:
            continue
        if key[2] not in NUMBER_OF_ROWS and not key[2].endswith("p_value") and key[1] not in SMOOTHED:
            assert more.value == pytest.approx(m.value, **EXACT), key
            assert m.n * 2 == more.n, key
        if key[2] == "minimum_detectable" and more.value is not None:
            assert more.value <= m.value, key
        if key[2] not in MAY_WIDEN and key[1] not in KINKED:
            assert_no_wider(more, m)


def assert_no_wider(more, m):
    if None not in (m.low, m.high, more.low, more.high):
        assert more.high - more.low <= (m.high - m.low) * (1 + 1e-9) + 1e-12, m.key


def of_numbers(table, times=1):
    """The measures of a regression whose rows stand so many times."""
    columns = {name: np.tile(column, (times, *[1] * (column.ndim - 1))) for name, column in table.items()}
    people = (Attribute("g", ("a", "b", "c")), Attribute("h", ("p", "q")))
    found = regression.section(people, Columns.of(np.arange(len(columns["score"])), **columns), Plan(replicates=0))
    return {m.key: m for m in found.measures}


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=EXAMPLES, phases=(Phase.generate,), deadline=None)
def test_all_rows_of_a_regression_twice_leave_the_values_and_narrow_the_intervals(seed, weighted):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(30, 80))
    every = np.tile([(g, h) for g in range(-1, 3) for h in range(2)], (2, 1))  # a single row has no variance, two have
    drawn = np.stack([rng.integers(-1, 3, n - len(every)), rng.integers(0, 2, n - len(every))], 1)
    table = {"truth": rng.gamma(3, 1, n), "groups": np.concatenate([every, drawn])}
    table["score"] = table["truth"] + rng.normal(0, 1, n) + 4
    if weighted:
        table["weight"] = rng.integers(1, 4, n) / 2
    once, twice = of_numbers(table), of_numbers(table, 2)
    for key, m in once.items():
        if m.value is None:
            continue
        if key[2] not in NUMBER_OF_ROWS and not key[2].endswith("p_value"):
            assert twice[key].value == pytest.approx(m.value, **EXACT), key
        # less noise leaves more of the spread between groups, so its own upper end may rise
        if key[2] not in MAY_WIDEN and key[2] != "debiased_spread":
            assert_no_wider(twice[key], m)
